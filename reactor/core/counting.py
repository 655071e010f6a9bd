"""``count`` within ``within``: whether an event completes a window, and how windows are kept."""

import msgspec

from reactor.core.event import Event
from reactor.core.event_windows import arrive
from reactor.core.identity import place_name, place_of
from reactor.core.plans import Candidate
from reactor.core.policy import EventTrigger
from reactor.core.windows import KEYS_KEPT
from reactor.core.world import World

KIND = "window"
"""Under which windows are kept, and the kind of their timers."""

EVICTED = "windows"
"""Under which the windows are counted that had to go."""


def count(world: World, candidate: Candidate, event: Event, key: str) -> int:
    """How many events of this key are in the window, 0 when this one completed the count.

    Times are those at which events were received: QEMU's own stamps are not in order.
    """
    trigger, windows = candidate.trigger, world.triggers.windows
    name = place_name(candidate.name, event.guest, key)
    window = windows.use(name, trigger.within or 0.0)
    new = not window.times
    if arrive(window.times, event.received, trigger.count, window.within):
        _forget(world, name)
        return 0
    world.keep(KIND, name, window.times)
    if new:
        world.timers.set(f"{KIND} {name}", window.over)
        surplus = windows.surplus(candidate.policy.name)
        if surplus is not None:
            _forget(world, surplus)
            why = f"more than {KEYS_KEPT} keys are counted at once"
            world.count_dropped(EVICTED, candidate.policy.name, why)
    return len(window.times)


def over(world: World, name: str) -> None:
    """A window's timer is due: it is forgotten, unless events came since."""
    window = world.triggers.windows.find(name)
    if window.over > world.now:
        world.timers.set(f"{KIND} {name}", window.over)
    else:
        _forget(world, name)


def rows(world: World) -> list[tuple[str, str, object]]:
    """The windows as they are kept: kind, key, value."""
    return [(KIND, name, window.times) for name, window in world.triggers.windows]


def restored(world: World, found: list[tuple[str, bytes]]) -> None:
    """Take up the windows of an earlier life, those that were used last at the end.

    What belongs to no loaded trigger goes.
    """
    read = [(name, msgspec.json.decode(value, type=list[float])) for name, value in found]
    for name, times in sorted(read, key=lambda item: item[1][-1]):
        placed = world.index.trigger(place_of(name)[0])
        trigger = placed and placed.trigger
        if not isinstance(trigger, EventTrigger):
            world.keep(KIND, name, None)
            continue
        window = world.triggers.windows.use(name, trigger.within or 0.0)
        window.times = times
        world.timers.set(f"{KIND} {name}", window.over)


def forget(world: World, *, guest: str | None = None) -> None:
    """Forget the windows of triggers that are gone, or of a guest."""
    for name, _ in list(world.triggers.windows):
        trigger, of, _ = place_of(name)
        if of == guest or world.index.trigger(trigger) is None:
            _forget(world, name)


def _forget(world: World, name: str) -> None:
    world.triggers.windows.drop(name)
    world.timers.set(f"{KIND} {name}", None)
    world.keep(KIND, name, None)
