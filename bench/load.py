"""The row `load`: thousands of monitors on one daemon, and the worst that some of them do.

Ten other guests react all the time; how long that takes is measured when
nothing else happens, and while a storm, a flood or a deaf monitor goes on.
"""

import resource
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, Line, Pair, Wrong, percentile
from bench.helper import Helper
from bench.memory import build
from bench.policies import PATIENT, STORM
from bench.scale import Scale
from bench.talk import Await, Deafen, Flood, Health, Listen, Pulse, Quiet, Request, Storm, Vitals
from reactor.app.preflight import raise_file_limit

OTHERS = 10
"""Guests that react all the time."""

GAP_S = 0.1
"""Between two reactions of one of them."""

LIMIT = 5
"""How many panics of a storm the second policy admits."""

STORM_S = 1.0
DEAF_EVENTS = 2
WANTED = 20
"""Events of a flood that a policy takes."""

SPARE_FILES = 200
"""File handles beside a listening socket and a connection for each monitor."""

PADDING = 400_000
"""Bytes of a command that does not fit into a socket (Linux: 208 KiB)."""

PANICS = """
    SELECT count(*), count(DISTINCT guest) FROM history
    WHERE kind = 'event' AND name = 'GUEST_PANICKED'"""
DECISIONS = """
    SELECT policy, verdict, count(*), count(DISTINCT guest) FROM trace
    WHERE path = 'trigger' AND policy LIKE 'storm-%' GROUP BY policy, verdict"""
RUNS = "SELECT policy, outcome, count(*) FROM run WHERE policy <> 'react' GROUP BY policy, outcome"
FAILED = "SELECT count(*) FROM run WHERE policy = 'react' AND outcome <> 'succeeded'"
OPEN = "SELECT count(*) FROM intent WHERE outcome IS NULL"

IDLE = "the same while nothing else happens"


@dataclass(frozen=True, slots=True)
class Site:
    """All processes of the row, and the folder where they meet."""

    folder: Path
    host: Helper
    crowd: Helper
    others: Helper

    def health(self) -> Health:
        """How the daemon is."""
        return Health(*self.host.ask(Vitals()))

    def beside(self, request: Request, seconds: float) -> tuple[list[float], list[float]]:
        """What a request to the crowd gave, and the reactions of the others meanwhile."""
        self.others.tell(Pulse(f"{self.folder}/others", seconds, GAP_S))
        values = self.crowd.ask(request)
        return values, self.others.answer()


def measure(scale: Scale) -> list[Figure]:
    """What a crowd costs, and how the others fare beside it."""
    _demand_files(2 * scale.crowd + SPARE_FILES)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with ExitStack() as stack:
            figures = _measured(_site(folder, stack), scale)
        _verify_journal(folder / "journal.db", scale.crowd)
    return figures


def _demand_files(number: int) -> None:
    """Allow this process, and the helpers that it starts, so many open files.

    Raises:
        Wrong: the system does not let us.
    """
    raise_file_limit()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise Wrong(f"{number:,} file handles are needed, {hard:,} allowed: raise `ulimit -Hn`")


def _site(folder: Path, stack: ExitStack) -> Site:
    for part in ("rules", "crowd", "others"):
        (folder / part).mkdir()
    policies = f"{PATIENT}---\n{STORM.format(limit=LIMIT, padding='x' * PADDING)}"
    build([policies])
    (folder / "rules/load.yaml").write_text(policies, encoding="ascii")
    start = stack.enter_context
    others, crowd = start(Helper("bench.qmp_server")), start(Helper("bench.qmp_server"))
    others.ask(Listen(f"{folder}/others", OTHERS))
    # Last in, first out: the daemon ends while its monitors are still there.
    return Site(folder, start(Helper("bench.host", str(folder))), crowd, others)


def _measured(site: Site, scale: Scale) -> list[Figure]:
    site.host.ask(Await(f"{site.folder}/others"))
    empty = site.health()
    site.crowd.ask(Listen(f"{site.folder}/crowd", scale.crowd))
    start = time.perf_counter()
    site.host.ask(Await(f"{site.folder}/crowd"))
    took = time.perf_counter() - start
    site.host.ask(Quiet())
    full = site.health()
    size = (full.memory - empty.memory) / scale.crowd / 1024
    monitors = f"{scale.crowd:,} monitors"
    idle = _p99(site.others.ask(Pulse(f"{site.folder}/others", scale.load_s, GAP_S)))
    line = Line("load", f"memory a guest, {monitors}", "KiB", "1 KiB", target=12.0)
    return [
        line.of([Pair(size, 1.0)]),
        Line("load", f"{monitors} found and connected", "s", "1 s").of([Pair(took, 1.0)]),
        *_storm(site, scale, idle),
        *_flood(site, scale, idle),
        *_deaf(site, scale, idle),
    ]


def _storm(site: Site, scale: Scale, idle: float) -> list[Figure]:
    before = site.health()
    (took,), times = site.beside(Storm(f"{site.folder}/crowd", STORM_S), scale.load_s)
    what = f"{scale.crowd:,} panics within a second"
    peak = Pair(_at_rest(site, what, before).peak / 2**20, before.memory / 2**20)
    return [
        Line("load", f"{what}: all decided and sent", "s", "1 s").of([Pair(took, STORM_S)]),
        Line("load", f"{what}: memory at most", "MiB", "before").of([peak]),
        _others(f"{what}: p99 of the others", times, idle),
    ]


def _flood(site: Site, scale: Scale, idle: float) -> list[Figure]:
    before = site.health()
    asked = Flood(f"{site.folder}/crowd", scale.flood, scale.load_s, WANTED)
    (sent, wanted, took, commands), times = site.beside(asked, scale.load_s)
    site.host.ask(Quiet())
    after = site.health()
    lost = after.dropped - before.dropped
    if commands != wanted or after.missed:
        raise Wrong(f"{wanted:.0f} events of the flood were wanted, {commands:.0f} got a command")
    if lost and not _told(site.folder, "events dropped", "crowd-0"):
        raise Wrong(f"{lost:.0f} events of a flood were dropped, and the log says nothing")
    what = f"a flood of {sent / took:,.0f} events/s ({lost / sent:.0%} dropped)"
    peak = Pair(after.peak / 2**20, before.memory / 2**20)
    return [
        Line("load", f"{what}: memory at most", "MiB", "before").of([peak]),
        _others(f"{what}: p99 of the others", times, idle),
    ]


def _deaf(site: Site, scale: Scale, idle: float) -> list[Figure]:
    before = site.health()
    _, times = site.beside(Deafen(f"{site.folder}/crowd", DEAF_EVENTS), scale.load_s)
    more = _at_rest(site, "a deaf monitor", before).peak - before.memory
    if more > 64 * PADDING:
        raise Wrong(f"{DEAF_EVENTS} commands that nobody reads took {more:,.0f} bytes")
    return [_others("a monitor that never reads: p99 of the others", times, idle)]


def _at_rest(site: Site, what: str, before: Health) -> Health:
    """How the daemon is when all is done."""
    site.host.ask(Quiet())
    after = site.health()
    if after.dropped != before.dropped:
        raise Wrong(f"events were dropped at {what}")
    return after


def _others(what: str, times: list[float], idle: float) -> Figure:
    line = Line("load", what, "ms", IDLE, target=5.0)
    return line.of([Pair(_p99(times), idle)])


def _p99(seconds: list[float]) -> float:
    return percentile(seconds, 0.99) * 1e3


def _told(folder: Path, what: str, guest: str) -> bool:
    with (folder / "log").open(encoding="utf-8") as log:
        return any(what in line and guest in line for line in log)


def _verify_journal(path: Path, crowd: int) -> None:
    """Hold the journal against what was sent.

    Raises:
        Wrong: a panic is missing, has no decision or two, a limit did not hold,
            or a run ended otherwise than it must.
    """
    few = min(LIMIT, crowd)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
        for what, query, wanted in (
            ("panics in the history", PANICS, {(crowd, crowd)}),
            (
                "decisions",
                DECISIONS,
                {
                    ("storm-each", "admitted", crowd, crowd),
                    ("storm-limited", "admitted", few, few),
                    ("storm-limited", "limited", crowd - few, crowd - few),
                },
            ),
            (
                "runs",
                RUNS,
                {
                    ("deaf", "unknown", DEAF_EVENTS),
                    ("storm-each", "succeeded", crowd),
                    ("storm-limited", "succeeded", few),
                },
            ),
            ("runs of others that failed", FAILED, {(0,)}),
            ("commands without an outcome", OPEN, {(0,)}),
        ):
            if (found := set(journal.execute(query))) != wanted:
                raise Wrong(f"{what}: {sorted(found)} instead of {sorted(wanted)}")
