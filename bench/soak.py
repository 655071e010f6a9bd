"""The row `soak`: a steady stream of events, and whether anything grows that should not.

The time is cut into slices. After each the daemon's memory, file handles,
tasks and journal are looked at when it is at rest; the last slices are held
against the first ones, the very first left out: caches fill in it.
"""

import sqlite3
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.figures import Figure, Line, Pair, Wrong
from bench.helper import Helper
from bench.policies import PATIENT
from bench.scale import Scale
from bench.talk import Await, Health, Listen, Mix, Quiet, Vitals

SLICES = 9
"""The first is for warming up; the next four are held against the last four."""

SLICE_S = 60.0
"""A slice is no longer, so that a helper answers in time: a long soak has more of them."""

MONITORS = 100
RATE = 2000

FLAT = 1.1
"""A growth up to this is none: memory of an allocator, pages of a file."""


PASSING = 1.02
"""One task in a hundred that was just at work when it was looked at is no growth either."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: how many events it had, and how the daemon was after it."""

    events: int
    reactions: int
    health: Health


def measure(scale: Scale) -> list[Figure]:
    """What the end of the stream holds against its beginning."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        try:
            with ExitStack() as stack:
                slices = _slices(folder, stack, scale)
            _verify_journal(folder / "journal.db", slices)
        except Wrong as error:
            # The folder goes, and an hour with it: what the daemon said of it must not.
            raise Wrong(f"{error}; {_told(folder)}") from error
    return _figures(slices, scale)


def _slices(folder: Path, stack: ExitStack, scale: Scale) -> list[Slice]:
    for part in ("rules", "crowd", "others"):
        (folder / part).mkdir()
    (folder / "rules/soak.yaml").write_text(PATIENT, encoding="ascii")
    server = stack.enter_context(Helper("bench.qmp_server"))
    crowd = f"{folder}/crowd"
    server.ask(Listen(crowd, MONITORS))
    host = stack.enter_context(Helper("bench.host", str(folder)))
    host.ask(Await(crowd))
    count = max(SLICES, int(scale.soak_s / SLICE_S))
    slices = list[Slice]()
    for _ in range(count):
        sent, wanted, got = server.ask(Mix(crowd, RATE, scale.soak_s / count))
        host.ask(Quiet())
        health = Health(*host.ask(Vitals()))
        if got != wanted or health.dropped or health.history_dropped:
            raise Wrong(f"{wanted:.0f} commands wanted, {got:.0f} came; {health}")
        slices.append(Slice(int(sent), int(wanted), health))
    return slices


def _told(folder: Path) -> str:
    """What the daemon warned of, and how its runs and decisions ended, for people."""
    warned = Counter[str]()
    with (folder / "log").open("rb") as log:
        for line in log:
            if b'"level":"info"' not in line and line.endswith(b"\n"):  # the last may be cut
                said = msgspec.json.decode(line)
                warned[f"{said['event']} {said.get('problem', '')}".strip()] += 1
    with closing(sqlite3.connect(f"file:{folder}/journal.db?mode=ro", uri=True)) as journal:
        runs = journal.execute("SELECT outcome, count(*) FROM run GROUP BY outcome").fetchall()
        verdicts = journal.execute("SELECT verdict, count(*) FROM trace GROUP BY verdict")
        decided = verdicts.fetchall()
    return f"warned of {warned.most_common(10)}; runs {runs}; decisions {decided}"


def _figures(slices: Sequence[Slice], scale: Scale) -> list[Figure]:
    """Each measure at the end over the same at the start."""
    rest = slices[1:]
    share = len(rest) // 2
    first, last = rest[:share], rest[-share:]
    length = f"{scale.soak_s / 60:.3g} min at {RATE:,} events/s"

    def line(what: str, unit: str, part: Callable[[Slice], float], target: float) -> Figure:
        end, start = (statistics.median(map(part, some)) for some in (last, first))
        figure = Line("soak", f"{length}: {what}", unit, "at the start", target=target)
        return figure.of([Pair(end, start)])

    growth = _growth(slices)
    return [
        line("memory", "MiB", lambda s: s.health.memory / 2**20, FLAT),
        line("file handles", "files", lambda s: s.health.files, 1.0),
        line("tasks", "tasks", lambda s: s.health.tasks, PASSING),
        Line("soak", f"{length}: journal for an event", "bytes", "at the start", target=1.25).of(
            [Pair(*growth)]
        ),
    ]


def _growth(slices: Sequence[Slice]) -> tuple[float, float]:
    """Bytes by which the journal grew for each event: in the second half, in the first."""
    middle = len(slices) // 2
    sizes = [part.health.journal for part in slices]
    first = (sizes[middle] - sizes[0]) / sum(part.events for part in slices[1 : middle + 1])
    last = (sizes[-1] - sizes[middle]) / sum(part.events for part in slices[middle + 1 :])
    return last, first


def _verify_journal(path: Path, slices: Sequence[Slice]) -> None:
    """Hold the journal against what was sent.

    Raises:
        Wrong: an event is missing, or a run ended otherwise than it must.
    """
    sent = sum(part.events for part in slices)
    wanted = sum(part.reactions for part in slices)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
        (events,) = journal.execute("SELECT count(*) FROM history WHERE kind = 'event'").fetchone()
        runs = journal.execute("SELECT outcome, count(*) FROM run GROUP BY outcome").fetchall()
    if events != sent or runs != [("succeeded", wanted)]:
        raise Wrong(f"{events} of {sent} events are in the journal; runs: {runs}, not {wanted}")
