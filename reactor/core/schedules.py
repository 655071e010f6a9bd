"""``schedule`` triggers: a firing is a match of every selected, connected guest."""

import hashlib

import msgspec

from reactor.core.admission import Verdict
from reactor.core.effect import Trace
from reactor.core.event import Event
from reactor.core.firing import fire, guest_for, miss
from reactor.core.guest import Guest
from reactor.core.inputs import Fired
from reactor.core.matching import Placed
from reactor.core.policy import ScheduleTrigger, Trigger
from reactor.core.run import Origin
from reactor.core.trigger_memory import DELAYS_KEPT, Delayed
from reactor.core.world import World

SCHEDULE_EVENT = "REACTOR_SCHEDULE"
"""The name of the event of a schedule; its data is empty, its time is the schedule's own."""

KIND = "delayed"
"""Under which delayed firings are kept, and the kind of their timers."""

LAST = "fired"
"""Under which is kept, by trigger, which time of its schedule fired last, where it can catch up."""


def fired(world: World, firing: Fired) -> None:
    """A schedule is due; each guest has its own delay within the trigger's ``jitter``."""
    policy = world.index.policies.get(firing.policy)
    triggers = policy.triggers if policy else ()
    trigger = triggers[firing.index] if 0 <= firing.index < len(triggers) else None
    if policy is None or not isinstance(trigger, ScheduleTrigger):
        reason = f"trigger {firing.index} is no schedule of a loaded policy"
        trace = Trace(world.now, firing.policy, "", "trigger", Verdict.UNLOADED.value, reason)
        world.emit(trace)
        return
    placed = Placed(policy, firing.index, trigger, world.index.names_of(policy)[firing.index])
    if trigger.catch_up > 0:
        # With what comes of it, or not at all: by this a restart knows what was missed.
        world.triggers.fired[placed.name] = firing.at
        world.keep(LAST, placed.name, firing.at)
    for guest in list(world.guests.values()):
        if not guest.forgotten and policy.guests.selects(guest.name, guest.labels):
            _fire_on(world, placed, guest, firing)


def _fire_on(world: World, placed: Placed[ScheduleTrigger], guest: Guest, firing: Fired) -> None:
    event = Event(SCHEDULE_EVENT, guest.name, {}, firing.at, world.now)
    if not guest.connected:
        miss(world, placed, event, Verdict.AWAY)
    elif placed.trigger.jitter > 0:
        delay = draw(firing.seed, guest.name) * placed.trigger.jitter
        _delay(world, Delayed(placed.name, guest.name, firing.at, world.now + delay))
    else:
        fire(world, placed, Origin(event, placed.index), guest.name)


def draw(seed: int, guest: str) -> float:
    """A number in [0, 1) that follows from the seed and the guest's name."""
    text = f"{seed}|{guest}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:6]) / (1 << 48)


def _delay(world: World, row: Delayed) -> None:
    delayed = world.triggers.delayed
    delayed[row.name] = row
    world.keep(KIND, row.name, row)
    world.timers.set(f"{KIND} {row.name}", row.due)
    if len(delayed) > DELAYS_KEPT:
        _drop(world, next(iter(delayed.values())))
        world.count_dropped(KIND, "", f"more than {DELAYS_KEPT} firings wait for their jitter")


def over(world: World, name: str) -> None:
    """The delay of a firing is over; after a restart the guest is given time to come."""
    row = world.triggers.delayed[name]
    guest = world.guests.get(row.guest)
    connected = guest is not None and guest.connected
    if not connected and world.now < world.triggers.settled:
        world.timers.set(f"{KIND} {name}", world.triggers.settled)
        return
    _drop(world, row)
    placed = _placed(world, row)
    event = Event(SCHEDULE_EVENT, row.guest, {}, row.at, world.now)
    if guest_for(world, placed, event) is None:
        return
    if connected:
        fire(world, placed, Origin(event, placed.index), row.guest)
    else:
        miss(world, placed, event, Verdict.AWAY)


def _placed(world: World, row: Delayed) -> Placed[Trigger]:
    placed = world.index.trigger(row.trigger)
    assert placed is not None  # noqa: S101 - what belongs to no loaded trigger is forgotten
    return placed


def connected(world: World, guest: str) -> None:
    """Let the firings go on for which a guest was given time to come."""
    if world.now >= world.triggers.settled:
        return
    for row in world.triggers.delayed.values():
        if row.guest == guest:
            world.timers.set(f"{KIND} {row.name}", row.due)


def rows(world: World) -> list[tuple[str, str, object]]:
    """The firings that wait, as they are kept: kind, key, value."""
    waiting = [(KIND, row.name, row) for row in world.triggers.delayed.values()]
    return [*waiting, *((LAST, name, at) for name, at in world.triggers.fired.items())]


def last_restored(world: World, name: str, value: bytes) -> None:
    """Take up which time of a schedule fired last."""
    if world.index.trigger(name) is None:
        world.keep(LAST, name, None)
    else:
        world.triggers.fired[name] = msgspec.json.decode(value, type=float)


def restored(world: World, found: list[bytes]) -> None:
    """Take up the firings that waited in an earlier life."""
    read = [msgspec.json.decode(value, type=Delayed) for value in found]
    for row in sorted(read, key=lambda row: (row.at, row.due)):
        if world.index.trigger(row.trigger) is None:
            world.keep(KIND, row.name, None)
        else:
            world.triggers.delayed[row.name] = row
            world.timers.set(f"{KIND} {row.name}", row.due)


def forget(world: World, *, guest: str | None = None) -> None:
    """Forget the firings of triggers that are gone, or of a guest."""
    for row in list(world.triggers.delayed.values()):
        if row.guest == guest or world.index.trigger(row.trigger) is None:
            _drop(world, row)
    for name in [name for name in world.triggers.fired if world.index.trigger(name) is None]:
        del world.triggers.fired[name]
        world.keep(LAST, name, None)


def _drop(world: World, row: Delayed) -> None:
    del world.triggers.delayed[row.name]
    world.timers.set(f"{KIND} {row.name}", None)
    world.keep(KIND, row.name, None)
