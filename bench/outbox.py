"""The row `outbox`: from a policy to a subscriber, by a journal, an outbox and a real broker."""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Better, Figure, Line, Pair, percentile
from bench.helper import Helper
from bench.scale import Scale
from bench.talk import Heard, Meet, Stream, Tell
from tests.fakes.broker import Mosquitto

GAP_S = 0.005
"""Between two messages of which each is timed: what follows one is over by then."""

TOPICS = 50

PLAIN_IS = "plain aiomqtt, QoS 1"
DURABLE_IS = "aiomqtt behind one SQLite commit, FULL"

LINES = {
    "median": Line(
        "outbox", "event to subscriber, p50, both durable", "us", DURABLE_IS, target=3.0
    ),
    "tail": Line("outbox", "event to subscriber, p99, both durable", "us", DURABLE_IS, target=3.0),
    "plain median": Line("outbox", "event to subscriber, p50", "us", PLAIN_IS),
    "plain tail": Line("outbox", "event to subscriber, p99", "us", PLAIN_IS),
    "many": Line(
        "outbox",
        f"durable messages a second, {TOPICS} topics",
        "messages/s",
        PLAIN_IS,
        target=0.5,
        better=Better.HIGHER,
    ),
    "one": Line(
        "outbox",
        "durable messages a second, one topic",
        "messages/s",
        PLAIN_IS,
        better=Better.HIGHER,
    ),
}


@dataclass(frozen=True, slots=True)
class Bench:
    """All processes of the row."""

    listener: Helper
    publishers: Mapping[str, Helper]
    pairs: dict[str, list[Pair]] = field(default_factory=lambda: {name: [] for name in LINES})


def measure(scale: Scale) -> list[Figure]:
    """Latency and throughput; that every message came, in order, is held against the numbers."""
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        (folder / "broker").mkdir()
        broker = stack.enter_context(Mosquitto(folder / "broker", log="error"))
        start = stack.enter_context
        bench = Bench(
            start(Helper("bench.listener")),
            {
                "durable": start(Helper("bench.publishing", "durable", f"{folder}/durable")),
                "plain": start(Helper("bench.publishing", "plain", f"{folder}/plain")),
                "reactor": start(Helper("bench.outbox_subject", f"{folder}/reactor")),
            },
        )
        for helper in (bench.listener, *bench.publishers.values()):
            helper.ask(Meet(broker.port))
        _round(bench, scale)
        for pairs in bench.pairs.values():
            pairs.clear()
        for _ in range(scale.rounds):
            _round(bench, scale)
        return [line.of(bench.pairs[name]) for name, line in LINES.items()]


def _round(bench: Bench, scale: Scale) -> None:
    """Measure everything once, the floors beside the figures."""
    took = {name: _tell(bench, name, scale.tells) for name in bench.publishers}
    for prefix, floor in (("", "durable"), ("plain ", "plain")):
        for name, part in (("median", 0.5), ("tail", 0.99)):
            values = (percentile(took[who], part) * 1e6 for who in ("reactor", floor))
            bench.pairs[prefix + name].append(Pair(*values))
    for name, topics in (("many", TOPICS), ("one", 1)):
        # On one topic a message waits for the one before: a tenth takes as long.
        count = scale.stream if topics > 1 else scale.stream // 10
        rates = (count / _stream(bench, who, count, topics) for who in ("reactor", "plain"))
        bench.pairs[name].append(Pair(*rates))


def _tell(bench: Bench, name: str, count: int) -> list[float]:
    """The seconds of each message, from the event or the call to the subscriber."""
    bench.publishers[name].ask(Tell(count, GAP_S))
    return bench.listener.ask(Heard(name, count))


def _stream(bench: Bench, name: str, count: int, topics: int) -> float:
    """The seconds from the first to the last acknowledgement."""
    (seconds,) = bench.publishers[name].ask(Stream(count, topics))
    bench.listener.ask(Heard(name, count))
    return seconds
