"""What the outbox has dropped, as an event: of the host, and of every guest that listens."""

import msgspec

from reactor.core.effect import EventSeen
from reactor.core.event import Event
from reactor.core.inputs import Dropped
from reactor.core.world import World

DROPPED_EVENT = "REACTOR_OUTBOX_DROPPED"
"""The event that says so."""

KIND = "dropped"
"""Under which is kept what was told."""


def dropped(world: World, counted: Dropped) -> None:
    """Tell what was dropped since it was told last; what the broker denies is told with the rest.

    An event because of that alone would be denied as well, and be followed by the next one.
    """
    before = world.dropped
    new = {
        name: max(0, getattr(counted, name) - getattr(before, name))
        for name in Dropped.__struct_fields__
    }
    if not any(count for name, count in new.items() if name != "denied"):
        return
    world.dropped = counted
    world.keep(KIND, "outbox", counted)
    data = {"lost": sum(new.values()) - new["superseded"], **new}
    world.emit(EventSeen(Event(DROPPED_EVENT, "", data, world.now, world.now)))
    for name, selection in world.selections.items():
        if selection.plan(DROPPED_EVENT) is not None or world.guests[name].listeners:
            world.happen(DROPPED_EVENT, name, data)


def restored(world: World, value: bytes) -> None:
    """Take up what an earlier life told."""
    world.dropped = msgspec.json.decode(value, type=Dropped)


def rows(world: World) -> list[tuple[str, str, object]]:
    """What was told, as it is kept: kind, key, value."""
    return [(KIND, "outbox", world.dropped)] if world.dropped != Dropped() else []
