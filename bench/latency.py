"""The row `latency`: from an event on the wire to the command that answers it."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.figures import Figure, Line, Pair, percentile
from bench.helper import Helper
from bench.scale import Scale
from bench.talk import Await, Commits, Listen, React, Watch

GAP_S = 0.001
"""Between a command and the next event: what follows a command is over by then."""

DURABLE_GAP_S = 0.01
"""The same with a journal, which writes the command's reply first."""

LOOP_IS = "bare epoll loop, decode and send"

MEDIAN = Line(
    "latency", "event to command, p50, {monitors} monitors, journal off", "us", LOOP_IS, target=1.5
)
TAIL = Line(
    "latency", "event to command, p99, {monitors} monitors, journal off", "us", LOOP_IS, target=2.0
)
MORE = Line("latency", "what reactor adds to the bare loop's p50", "us", LOOP_IS)
ADDED = Line(
    "latency",
    "what the journal adds to p50",
    "us",
    "one SQLite commit, FULL, in the same rhythm",
    target=3.0,
)


@dataclass(slots=True)
class Rounds:
    """What was measured so far."""

    median: list[Pair] = field(default_factory=list)
    tail: list[Pair] = field(default_factory=list)
    more: list[Pair] = field(default_factory=list)
    added: list[Pair] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bench:
    """All processes of the row, and the folder where they meet."""

    server: Helper
    floor: Helper
    plain: Helper
    durable: Helper
    folder: str


def measure(scale: Scale) -> list[Figure]:
    """Percentiles of the reaction time, with and without the journal."""
    rounds = Rounds()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        start = stack.enter_context
        bench = Bench(
            server=start(Helper("bench.qmp_server")),
            floor=start(Helper("bench.floors", "epoll")),
            plain=start(Helper("bench.subject")),
            durable=start(Helper("bench.subject", "--journal", f"{folder}/journal.db")),
            folder=folder,
        )
        _connect(bench, scale.monitors)
        _round(bench, scale, Rounds())
        for _ in range(scale.rounds):
            _round(bench, scale, rounds)
    monitors = f"{scale.monitors:,}"
    figures = [
        MEDIAN.of(rounds.median),
        TAIL.of(rounds.tail),
        MORE.of(rounds.more),
        ADDED.of(rounds.added),
    ]
    return [
        msgspec.structs.replace(figure, what=figure.what.format(monitors=monitors))
        for figure in figures
    ]


def _connect(bench: Bench, monitors: int) -> None:
    clients = {"floor": bench.floor, "plain": bench.plain, "durable": bench.durable}
    for name, client in clients.items():
        folder = f"{bench.folder}/{name}"
        Path(folder).mkdir()
        bench.server.ask(Listen(folder, monitors))
        client.ask(Watch(folder, monitors))
        bench.server.ask(Await(folder))


def _round(bench: Bench, scale: Scale, rounds: Rounds) -> None:
    """Measure everything once, the floors between the figures."""
    ask, folder = bench.server.ask, bench.folder
    floor = ask(React(f"{folder}/floor", scale.latencies, GAP_S))
    plain = ask(React(f"{folder}/plain", scale.latencies, GAP_S))
    commits = bench.floor.ask(Commits(folder, scale.commits, DURABLE_GAP_S))
    durable = ask(React(f"{folder}/durable", scale.commits, DURABLE_GAP_S))
    off, bare = _us(plain, 0.5), _us(floor, 0.5)
    rounds.median.append(Pair(off, bare))
    rounds.more.append(Pair(off - bare, bare))
    rounds.tail.append(Pair(_us(plain, 0.99), _us(floor, 0.99)))
    rounds.added.append(Pair(_us(durable, 0.5) - off, _us(commits, 0.5)))


def _us(seconds: list[float], part: float) -> float:
    return percentile(seconds, part) * 1e6
