"""The row `growth`: what an event costs when the number of policies grows."""

import gc
import time
from collections.abc import Sequence

import msgspec

from bench.figures import Figure, Line, Pair, Wrong
from bench.lines import KINDS, data_of
from bench.memory import GUESTS, NOW, Fed, build, guest_name
from bench.policies import PolicySet, one_kind
from bench.scale import Scale
from reactor.core.event import Event
from reactor.core.inputs import Happened

LARGE = 100_000
VERIFIED = 100

TEN_THOUSAND = Line(
    "growth",
    "one event at {policies} keyed policies",
    "ns",
    "the same with 1 policy",
    target=1.5,
)


def measure(scale: Scale) -> list[Figure]:
    """Nanoseconds an event at many keyed policies, over the same at one."""
    counts = [scale.keyed, LARGE] if scale.large else [scale.keyed]
    events = _events(scale.events)
    one = _engine(one_kind(1))
    figures = []
    for count in counts:
        many = _engine(one_kind(count))
        _cost(many, events)
        pairs = [
            Pair(figure=_cost(many, events), floor=_cost(one, events)) for _ in range(scale.rounds)
        ]
        figure = TEN_THOUSAND.of(pairs)
        target = figure.target if count <= scale.keyed else 2.0
        what = figure.what.format(policies=f"{count:,}")
        figures.append(msgspec.structs.replace(figure, what=what, target=target))
    return figures


def _engine(policies: PolicySet) -> Fed:
    """An engine with these policies, proved to find some of them."""
    fed = Fed(build(policies.documents))
    step = max(1, len(policies.keyed) // VERIFIED)
    keys = policies.keyed[::step]
    fed.handle([_happened(key.place, number) for number, key in enumerate(keys)])
    wanted = [(number, key.policy) for number, key in enumerate(keys)]
    if (got := fed.admitted()) != wanted:
        raise Wrong(f"{len(got)} of {len(wanted)} policies were found among {len(policies.keyed)}")
    return fed


def _events(count: int) -> Sequence[Happened]:
    """Decoded events of the kind that the policies name, none of which fits one."""
    return [_happened(500_000 + number, number) for number in range(count)]


def _happened(place: int, number: int) -> Happened:
    kind = KINDS[0]
    guest = guest_name(number % GUESTS)
    return Happened(Event(kind.event, guest, data_of(kind, place), NOW, NOW))


def _cost(fed: Fed, events: Sequence[Happened]) -> float:
    gc.collect()
    start = time.process_time()
    fed.handle(events)
    took = time.process_time() - start
    if fed.admitted():
        raise Wrong("an event that fits no policy started one")
    return took / len(events) * 1e9
