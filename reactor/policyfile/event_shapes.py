"""What members the data of each event has, so that a misspelt one is found when it is loaded.

QEMU's are those of its schemas (``qemu_shapes``), events that were removed included; the
engine's own are those of the reference of policies.
"""

import functools
from collections.abc import Iterable

from reactor.core.catalog import RENAMED
from reactor.core.cel_shapes import Kind, Member, Shape, merged
from reactor.core.matching import named
from reactor.policyfile.nodes import Dictionary, Scalar, items_of
from reactor.policyfile.qemu_shapes import shape_of_event
from reactor.qapi.facts import facts

_OWN = """\
REACTOR_GUEST_CONNECTED epoch=any first=bool
REACTOR_GUEST_LOST reason=text
REACTOR_MARK_CLEARED kind=text id=text as=text reason=text
REACTOR_MARK_SET kind=text id=text as=text reason=text
REACTOR_OUTBOX_DROPPED lost=int expired=int evicted=int refused=int superseded=int denied=int
REACTOR_POLICY_NOT_READY policy=text reason=text
REACTOR_RUN_FAILED policy=text run=text step=text error=text outcome=text
REACTOR_RUN_LIMITED policy=text limit=text scope=text
"""

_KINDS = {
    "any": Kind.ANY,
    "bool": Kind.TRUTH,
    "int": Kind.WHOLE,
    "text": Kind.TEXT,
}


def _shapes(table: str) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for line in table.splitlines():
        event, *members = line.split()
        found[event] = Shape(event, dict(map(_member, members)))
    return found


def _member(text: str) -> tuple[str, Member]:
    name, _, kind = text.partition("=")
    return name, Member(frozenset({_KINDS[kind]}))


_OWN_SHAPES = _shapes(_OWN)


@functools.cache
def known_events() -> frozenset[str]:
    """The names of all events that a QEMU from 5.2 on or the engine sends."""
    return frozenset(facts().events) | _OWN_SHAPES.keys()


def shape_named(event: str) -> Shape:
    """The data of an event that is among the known ones."""
    return _OWN_SHAPES[event] if event in _OWN_SHAPES else shape_of_event(event)


@functools.cache
def shape_of(events: tuple[str, ...]) -> Shape | None:
    """The data of an event that these names and globs mean; None where it may be any.

    A vendor's own event may have any data, and a glob may mean one.
    """
    found: dict[str, Shape] = {}
    for pattern in events:
        meant = [name for name in sorted(known_events()) if named(name, (pattern,))]
        if not meant or pattern.startswith(("*", "?", "[", "_")):
            return None
        for name in meant:
            found[name] = shape_named(name)
            if name in RENAMED:
                other = RENAMED[name].name
                found[other] = shape_named(other)
    return merged(found.values())


def either(shapes: Iterable[Shape | None]) -> Shape | None:
    """The data of what has one of these shapes; None where one of them may be any."""
    known = list(shapes)
    if len(known) == 1:
        return known[0]
    sound = [shape for shape in known if shape is not None]
    return merged(sound) if sound and len(sound) == len(known) else None


def data_of(node: Dictionary) -> Shape | None:
    """The data of the events that a trigger, a second event or a wait names."""
    events = [item for item, _ in items_of(node.get("event"), "")]
    if not events or not all(isinstance(item, Scalar) for item in events):
        return None
    return shape_of(tuple(str(item.value) for item in events if isinstance(item, Scalar)))


_NO_EVENT = Shape("what is no event of a guest", {})


def data_of_trigger(node: Dictionary) -> Shape | None:
    """What `data` is behind a trigger: empty where it is no event."""
    return data_of(node) if "event" in node.entries else _NO_EVENT
