"""Events that QEMU sends under an old name and a new one: the same failure counts once."""

import msgspec

from reactor.core.catalog import RENAMED, RENAMED_WITHIN
from reactor.core.event import Event
from reactor.core.text import render_duration
from reactor.core.trigger_memory import RENAMES_KEPT, Renamed
from reactor.core.world import World

KIND = "renamed"
"""Under which what was seen is kept, and the kind of its timers."""


def seen_already(world: World, event: Event) -> str:
    """Under which name, and when, the same failure was seen; empty when this is the first."""
    member = RENAMED[event.name].member
    if member not in event.data:
        return ""
    seen, name = world.triggers.seen, f"{event.guest}|{event.data[member]}"
    known = seen.get(name)
    if known is not None and abs(event.received - known.received) <= RENAMED_WITHIN:
        return f"{known.event}, {render_duration(event.received - known.received)} before"
    seen[name] = Renamed(event.name, event.received)
    seen.move_to_end(name)
    world.keep(KIND, name, seen[name])
    world.timers.set(f"{KIND} {name}", world.now + RENAMED_WITHIN)
    if len(seen) > RENAMES_KEPT:
        oldest = next(iter(seen))
        world.timers.set(f"{KIND} {oldest}", None)
        over(world, oldest)
        world.count_dropped(KIND, "", f"more than {RENAMES_KEPT} {event.name} within seconds")
    return ""


def over(world: World, name: str) -> None:
    """So long ago that the next one is another failure."""
    del world.triggers.seen[name]
    world.keep(KIND, name, None)


def rows(world: World) -> list[tuple[str, str, object]]:
    """What was seen, as it is kept: kind, key, value."""
    return [(KIND, name, row) for name, row in world.triggers.seen.items()]


def restored(world: World, found: list[tuple[str, bytes]]) -> None:
    """Take up what was seen in an earlier life."""
    read = [(name, msgspec.json.decode(value, type=Renamed)) for name, value in found]
    for name, row in sorted(read, key=lambda item: item[1].received):
        world.triggers.seen[name] = row
        world.timers.set(f"{KIND} {name}", row.received + RENAMED_WITHIN)
