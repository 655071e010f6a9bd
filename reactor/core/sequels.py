"""``followed_by`` and ``not_followed_by``: first events that wait for a second one."""

import msgspec

from reactor.core import scopes
from reactor.core.admission import Verdict
from reactor.core.event import Event
from reactor.core.firing import Source, fire_late, miss
from reactor.core.identity import place_name
from reactor.core.plans import Candidate, Part
from reactor.core.policy import EventTrigger, Sequel, Trigger
from reactor.core.run import Origin
from reactor.core.text import render_duration
from reactor.core.trigger_memory import OpenSequel
from reactor.core.windows import KEYS_KEPT
from reactor.core.world import World

KIND = "sequel"
"""Under which open sequels are kept, and the kind of their timers."""

EVICTED = "sequels"
"""Under which the first events are counted that had to go before their time."""


def open_(world: World, candidate: Candidate, event: Event, key: str) -> None:
    """Let a first event wait for its second one, unless one of its key waits already."""
    trigger, sequels = candidate.trigger, world.triggers.sequels
    sequel = _sequel(trigger)
    name = place_name(candidate.name, event.guest, key)
    known = sequels.find(name)
    if known is not None and _late(known, event):
        over(world, name)
        known = sequels.find(name)
    if known is not None:
        miss(world, candidate, event, Verdict.OPEN_ALREADY, f"for {_waited(world, known)}")
        return
    until = world.now + sequel.within
    row = OpenSequel(candidate.name, event.guest, key, event, world.now, until, trigger.count)
    world.keep(KIND, name, row)
    surplus = _add(world, row)
    if surplus is not None:
        _drop(world, surplus)
        why = f"more than {KEYS_KEPT} first events wait for a second one"
        world.count_dropped(EVICTED, candidate.policy.name, why)
    awaited = " or ".join(sequel.match.events)
    told = f"{awaited} within {render_duration(sequel.within)}"
    miss(world, candidate, event, Verdict.OPENED, told)


def hear(
    world: World, candidates: list[Candidate], event: Event, scope: scopes.LazyEventScope
) -> list[str]:
    """Let an event be the second one, or call off, what waits for it.

    Gives the names of the triggers that it completed: for them it is no first event.
    """
    waiting = world.triggers.sequels
    concerned = [c for c in candidates if waiting.of(c.name, event.guest)]
    completed = [
        candidate.name
        for candidate in concerned
        if candidate.part is Part.FOLLOWS
        for row in _followed(world, candidate, event, scope)
        if _close(world, candidate, row, event)
    ]
    for candidate in concerned:
        if candidate.part is Part.CANCELS:
            _call_off(world, candidate, event, scope)
    return completed


def _call_off(
    world: World, candidate: Candidate, event: Event, scope: scopes.LazyEventScope
) -> None:
    for row in list(world.triggers.sequels.of(candidate.name, event.guest).values()):
        if _fits(world, candidate, row, event, scope):
            _drop(world, row)
            told = f"{event.name} after {_waited(world, row)}"
            miss(world, candidate, row.event, Verdict.CALLED_OFF, told)


def _followed(
    world: World, candidate: Candidate, event: Event, scope: scopes.LazyEventScope
) -> list[OpenSequel]:
    """The first events that this one follows: those of its key, whose ``where`` holds."""
    waiting = world.triggers.sequels.of(candidate.name, event.guest)
    if candidate.by is not None and candidate.by.needs("trigger"):
        rows = [row for row in waiting.values() if _key(world, candidate, row, event) == row.key]
    else:
        key, _ = scope.key(candidate)
        rows = [waiting[key]] if key in waiting else []
    return [row for row in rows if _fits(world, candidate, row, event, scope)]


def _key(world: World, candidate: Candidate, row: OpenSequel, event: Event) -> str:
    assert candidate.by is not None  # noqa: S101 - who calls asked
    first = scopes.sequel_scope(world, event, _origin(candidate, row))
    return scopes.key_of(event.guest, candidate.by, first)[0]


def _fits(
    world: World,
    candidate: Candidate,
    row: OpenSequel,
    event: Event,
    scope: scopes.LazyEventScope,
) -> bool:
    residue = candidate.residue
    if residue is None:
        return True
    if "trigger" in candidate.roots:
        return residue.holds(scopes.sequel_scope(world, event, _origin(candidate, row))).truth
    return residue.holds(scope.get(candidate.roots)).truth


def _close(world: World, candidate: Candidate, row: OpenSequel, event: Event) -> bool:
    """The second event came; true when that is what the trigger waited for."""
    if _late(row, event):
        over(world, row.name)
        return False
    _drop(world, row)
    if _sequel(candidate.trigger).absent:
        told = f"{event.name} after {_waited(world, row)}"
        miss(world, candidate, row.event, Verdict.FOLLOWED, told)
        return False
    fire_late(world, candidate, _origin(candidate, row, event), row.key)
    return True


def _late(row: OpenSequel, event: Event) -> bool:
    # What was made up for after a reconnect happened while nobody looked: it decides.
    return event.received > row.until and not event.synthetic


def over(world: World, name: str) -> None:
    """The time of a first event is over: absence fires, a sequence comes to nothing.

    After a restart of the daemon the guest's monitor may come first, and what was missed.
    """
    row = world.triggers.sequels.find(name)
    assert row is not None  # noqa: S101 - what goes takes its timer with it
    guest, settled = world.guests.get(row.guest), world.triggers.settled
    if world.now < settled and (guest is None or not guest.connected):
        world.timers.set(f"{KIND} {name}", settled)
        return
    _drop(world, row)
    placed = world.index.trigger(row.trigger)
    assert placed is not None  # noqa: S101 - what belongs to no loaded trigger is forgotten
    sequel = _sequel(placed.trigger)
    if sequel.absent:
        fire_late(world, placed, _origin(placed, row), row.key)
    else:
        told = f"{' or '.join(sequel.match.events)} within {render_duration(sequel.within)}"
        miss(world, placed, row.event, Verdict.NOT_FOLLOWED, told)


def connected(world: World, guest: str) -> None:
    """A guest that was given time to come is there: what it missed decides, then the clock."""
    for row in world.triggers.sequels.on(guest):
        world.timers.set(f"{KIND} {row.name}", max(row.until, world.now))


def rows(world: World) -> list[tuple[str, str, object]]:
    """What waits, as it is kept: kind, key, value."""
    return [(KIND, row.name, row) for row in world.triggers.sequels]


def restored(world: World, found: list[bytes]) -> None:
    """Take up what waited in an earlier life; the clock has gone on."""
    read = [msgspec.json.decode(value, type=OpenSequel) for value in found]
    for row in sorted(read, key=lambda row: row.opened):
        if world.index.trigger(row.trigger) is None:
            world.keep(KIND, row.name, None)
        else:
            _add(world, row)


def forget(world: World, *, guest: str | None = None) -> None:
    """Forget what waits for triggers that are gone, or on a guest."""
    for row in list(world.triggers.sequels):
        if row.guest == guest or world.index.trigger(row.trigger) is None:
            _drop(world, row)


def _add(world: World, row: OpenSequel) -> OpenSequel | None:
    world.timers.set(f"{KIND} {row.name}", row.until)
    return world.triggers.sequels.add(row)


def _drop(world: World, row: OpenSequel) -> None:
    world.triggers.sequels.drop(row)
    world.timers.set(f"{KIND} {row.name}", None)
    world.keep(KIND, row.name, None)


def _origin(source: Source, row: OpenSequel, second: Event | None = None) -> Origin:
    return Origin(row.event, source.index, row.count, second)


def _sequel(trigger: Trigger) -> Sequel:
    assert isinstance(trigger, EventTrigger)  # noqa: S101 - no other trigger waits
    assert trigger.sequel is not None  # noqa: S101
    return trigger.sequel


def _waited(world: World, row: OpenSequel) -> str:
    return render_duration(world.now - row.opened)
