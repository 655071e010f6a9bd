"""The row `match`: from a line in memory to the decision, with 1,000 policies."""

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from bench.figures import Better, Figure, Line, Pair, Wrong
from bench.lines import KINDS, data_of, line
from bench.memory import GUESTS, Fed, build
from bench.policies import Keyed, PolicySet, mixed, residues
from bench.scale import Scale

EVERY = 100
"""One event of so many fits a policy."""

FLOOR_IS = "msgspec decode and one dict look-up"

THROUGHPUT = Line(
    "match",
    "events a second, {policies} policies, 1 % hit one",
    "events/s",
    FLOOR_IS,
    target=0.30,
    better=Better.HIGHER,
)
RESIDUE = Line(
    "match",
    "the same and a condition to evaluate on every event",
    "events/s",
    FLOOR_IS,
    better=Better.HIGHER,
)


class Stamp(msgspec.Struct, gc=False):
    """QEMU's time stamp."""

    seconds: int
    microseconds: int


class Floor(msgspec.Struct, gc=False):
    """All that an event says."""

    event: str
    timestamp: Stamp
    data: dict[str, object] = {}


@dataclass(frozen=True, slots=True)
class Feed:
    """Lines with the number of their guest, and which policy each of some must start."""

    lines: list[tuple[int, bytes]]
    hits: list[tuple[int, str]]


def feed(policies: PolicySet, count: int) -> Feed:
    """So many events of the seven kinds in turn; 1 % fit a policy, 1 % only its index."""
    lines, hits = list[tuple[int, bytes]](), list[tuple[int, str]]()
    refused = [key for key in policies.keyed if key.extra and not key.kind.extra.startswith("!ev")]
    for number in range(count):
        guest = number % GUESTS
        if number % EVERY == EVERY // 2:
            key = policies.keyed[len(hits) % len(policies.keyed)]
            hits.append((number, key.policy))
            lines.append((guest, _fitting(key, number, big=True)))
        elif number % EVERY == 0 and refused:
            key = refused[number // EVERY % len(refused)]
            lines.append((guest, _fitting(key, number, big=False)))
        else:
            kind = KINDS[number % len(KINDS)]
            lines.append((guest, line(kind.event, data_of(kind, 500_000 + number), number)))
    return Feed(lines, hits)


def measure(scale: Scale) -> list[Figure]:
    """The throughput of decode, match and decide, and of the same with residues."""
    policies = mixed(scale.policies)
    given = feed(policies, scale.events)
    what = THROUGHPUT.what.format(policies=f"{scale.policies:,}")
    plain = Fed(build(policies.documents))
    asked = Fed(build([*policies.documents, *residues()]))
    pairs, more = list[Pair](), list[Pair]()
    for _ in range(scale.rounds):
        floor = _floor(given)
        pairs.append(Pair(reactor(plain, given), floor))
        more.append(Pair(reactor(asked, given), floor))
    length = sum(len(text) for _, text in given.lines) / len(given.lines)
    first = msgspec.structs.replace(THROUGHPUT.of(pairs), what=f"{what}, {length:.0f} bytes")
    return [first, RESIDUE.of(more)]


def _fitting(key: Keyed, number: int, *, big: bool) -> bytes:
    return line(key.kind.event, data_of(key.kind, key.place, big=big), number)


def _floor(given: Feed) -> float:
    """Events a second of the least that any engine in this language must do."""
    decode = msgspec.json.Decoder(Floor).decode
    table = {kind.event: kind for kind in KINDS}
    found = 0
    gc.collect()
    start = time.process_time()
    for _, text in given.lines:
        if table.get(decode(text).event) is not None:
            found += 1
    took = time.process_time() - start
    if found != len(given.lines):
        raise Wrong(f"the floor found {found} of {len(given.lines)} events")
    return found / took


def reactor(fed: Fed, given: Feed) -> float:
    """Events a second of reactor.

    Raises:
        Wrong: not exactly the events that fit a policy started it.
    """
    wires = fed.wires
    lines = [(wires[guest].data_received, text) for guest, text in given.lines]
    gc.collect()
    start = time.process_time()
    for number, (receive, text) in enumerate(lines):
        fed.at = number
        receive(text)
    took = time.process_time() - start
    _verify(fed.admitted(), given.hits)
    return len(lines) / took


def _verify(got: Sequence[tuple[int, str]], wanted: Sequence[tuple[int, str]]) -> None:
    if got == wanted:
        return
    wrong = sorted(set(got) ^ set(wanted))
    raise Wrong(
        f"{len(got)} matches instead of {len(wanted)}; the first that differs: {wrong[:1] or got}"
    )
