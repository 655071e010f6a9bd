"""When a trigger fires: its match goes to admission; what was none is remembered."""

from reactor.core.admission import Verdict
from reactor.core.event import Event
from reactor.core.expr import Answer
from reactor.core.guest import Guest
from reactor.core.match import Match
from reactor.core.matching import Placed
from reactor.core.misses import Miss
from reactor.core.plans import Candidate
from reactor.core.policy import Trigger
from reactor.core.readiness import offer
from reactor.core.run import Origin
from reactor.core.world import World

Source = Candidate | Placed[Trigger]
"""A trigger with its policy and its place in it."""


def miss(
    world: World, source: Source, event: Event, verdict: Verdict, told: Answer | str = ""
) -> None:
    """Remember why an event made no match of a trigger."""
    policy, path = source.policy.name, source.trigger.path
    world.near_miss(Miss(world.now, policy, event.guest, path, verdict, event.name, told))


def fire(world: World, source: Source, origin: Origin, key: str) -> None:
    """Hand a match over to admission."""
    policy, epoch = source.policy, world.guests[origin.event.guest].life()
    offer(world, policy, Match(policy.name, key, origin, source.trigger.path, epoch=epoch))


def fire_late(world: World, source: Source, origin: Origin, key: str) -> None:
    """The same for a match that took its time: the policy may not be for the guest any more."""
    guest = guest_for(world, source, origin.event)
    if guest is not None:
        fire(world, source, origin, key)


def guest_for(world: World, source: Source, event: Event) -> Guest | None:
    """The event's guest, if the trigger's policy selects it; a miss, and None, if not."""
    guest = world.guests.get(event.guest)
    if guest is None or guest.forgotten:
        miss(world, source, event, Verdict.NOT_SELECTED, f"no guest is called {event.guest!r}")
        return None
    if not source.policy.guests.selects(guest.name, guest.labels):
        miss(world, source, event, Verdict.NOT_SELECTED, "its `guests` do not select it")
        return None
    return guest
