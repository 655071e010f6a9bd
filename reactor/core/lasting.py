"""``state`` triggers: a condition on the guest that holds for some time."""

from collections.abc import Iterable

from reactor.core import scopes
from reactor.core.admission import Verdict
from reactor.core.event import Event
from reactor.core.expr import Answer
from reactor.core.facts import FREE, QUERY_LIMIT, ask_fact, take_fact, take_room
from reactor.core.firing import fire, miss
from reactor.core.guest import Guest
from reactor.core.inputs import Answered
from reactor.core.matching import Placed
from reactor.core.policy import StateTrigger
from reactor.core.run import Origin
from reactor.core.text import render_duration
from reactor.core.trigger_memory import Lasting, Watched
from reactor.core.world import ANSWER_GRACE, World

STATE_EVENT = "REACTOR_STATE"
"""The name of the event of a state trigger; its data is empty."""

KIND = "state"
"""Under which what was told is kept, and the kind of the guests' timers."""

SLOW_LOOK = 10.0
"""Seconds between two looks at a connected guest: some states change without an event."""


def look(world: World, guest: Guest, asked: float | None = None) -> None:
    """Look at what the states of a guest read; fire those whose time is over.

    ``asked`` is when the facts that they read were asked last, None: nobody knows. A state
    whose time is over, but whose facts are older, has them asked first.
    """
    states = world.selections[guest.name].states
    if not states or not guest.connected:
        return
    watched = world.triggers.states.setdefault(guest.name, Watched())
    scope = scopes.state_scope(world, guest)
    ripe: list[tuple[Placed[StateTrigger], float]] = []
    stale: set[str] = set()
    for placed in states:
        lasting = watched.triggers.setdefault(placed.name, Lasting())
        answer = placed.trigger.holds.holds(scope)
        since = _since(world, guest, placed, lasting, answer)
        if since is None or lasting.fired or world.now < since + placed.trigger.seconds:
            continue
        facts = scopes.facts_of(placed.trigger.holds)
        if facts and (asked is None or asked < since + placed.trigger.seconds):
            stale |= facts
        else:
            ripe.append((placed, since))
            lasting.fired = True
            world.keep(KIND, _name(placed.name, guest.name), value=True)
    if stale and not watched.asking:
        _ask(world, guest, watched, stale)
    _set_timer(world, guest, watched)
    for placed, since in ripe:
        event = Event(STATE_EVENT, guest.name, {}, since, world.now)
        fire(world, placed, Origin(event, placed.index), guest.name)


def _since(
    world: World, guest: Guest, placed: Placed[StateTrigger], lasting: Lasting, answer: Answer
) -> float | None:
    """Since when the state holds, as far as we have seen it; None: it does not."""
    if answer.truth:
        if lasting.since is None:
            lasting.since = world.now
        return lasting.since
    if lasting.fired:
        lasting.fired = False
        world.keep(KIND, _name(placed.name, guest.name), None)
    elif lasting.since is not None and placed.trigger.seconds:
        held, needed = world.now - lasting.since, placed.trigger.seconds
        told = f"{render_duration(held)} of {render_duration(needed)}: {answer.reason}"
        event = Event(STATE_EVENT, guest.name)
        miss(world, placed, event, Verdict.DID_NOT_LAST, told)
    lasting.since = None
    return None


def _set_timer(world: World, guest: Guest, watched: Watched) -> None:
    name = f"{KIND} {guest.name}"
    if watched.asking:
        world.timers.set(name, watched.asked + QUERY_LIMIT + ANSWER_GRACE)
        return
    times = [
        lasting.since + placed.trigger.seconds
        for placed in world.selections[guest.name].states
        if (lasting := watched.triggers[placed.name]).since is not None and not lasting.fired
    ]
    world.timers.set(name, min([watched.next_look, *times]))


def over(world: World, name: str) -> None:
    """The time of a state is over, or that for a slow look: ask for what all of them read."""
    guest = world.guests[name]
    watched = world.triggers.states[name]
    _give_up(world, watched)
    facts = frozenset[str]().union(
        *(scopes.facts_of(placed.trigger.holds) for placed in world.selections[name].states)
    )
    _ask(world, guest, watched, facts)
    if watched.asking:
        _set_timer(world, guest, watched)
    else:
        _looked(world, guest, watched)


def _ask(world: World, guest: Guest, watched: Watched, facts: Iterable[str]) -> None:
    watched.asked = world.now
    for fact in sorted(facts):
        if fact.startswith(FREE) or not guest.is_storage_daemon:
            watched.asking[ask_fact(world, guest, fact)] = fact


def answered(world: World, guest: Guest, answer: Answered) -> None:
    """Take an answer to what was asked for the states of a guest; other answers are let be."""
    watched = world.triggers.states.get(guest.name)
    fact = watched.asking.pop(answer.id, None) if watched else None
    if watched is None or fact is None:
        return
    if fact.startswith(FREE):
        take_room(world, fact, answer)
    else:
        take_fact(world, guest, fact, answer)
    if not watched.asking:
        _looked(world, guest, watched)


def _looked(world: World, guest: Guest, watched: Watched) -> None:
    watched.next_look = world.now + SLOW_LOOK
    look(world, guest, watched.asked)


def connected(world: World, guest: Guest) -> None:
    """A monitor is ready, and its facts are fresh: what the states say begins now."""
    adopt(world, guest)
    if not world.selections[guest.name].states:
        return
    watched = world.triggers.states.setdefault(guest.name, Watched())
    _give_up(world, watched)
    watched.next_look = world.now + SLOW_LOOK
    for lasting in watched.triggers.values():
        lasting.since = None
    look(world, guest, world.now)


def disconnected(world: World, guest: str) -> None:
    """Nobody sees the guest: until it is seen again no time counts."""
    watched = world.triggers.states.get(guest)
    if watched is None:
        return
    _give_up(world, watched)
    for lasting in watched.triggers.values():
        lasting.since = None
    world.timers.set(f"{KIND} {guest}", None)


def _give_up(world: World, watched: Watched) -> None:
    for question in watched.asking:
        world.asked.pop(question, None)
    watched.asking = {}


def adopt(world: World, guest: Guest) -> None:
    """Other policies select the guest, or are loaded: forget the states of those before."""
    watched = world.triggers.states.get(guest.name)
    if watched is None:
        return
    names = {placed.name for placed in world.selections[guest.name].states}
    for name, lasting in list(watched.triggers.items()):
        if name not in names:
            del watched.triggers[name]
            if lasting.fired:
                world.keep(KIND, _name(name, guest.name), None)
    if not watched.triggers:
        forget(world, guest.name)


def forget(world: World, guest: str) -> None:
    """Forget the states of a guest."""
    watched = world.triggers.states.pop(guest, None)
    if watched is None:
        return
    _give_up(world, watched)
    world.timers.set(f"{KIND} {guest}", None)
    for name, lasting in watched.triggers.items():
        if lasting.fired:
            world.keep(KIND, _name(name, guest), None)


def rows(world: World) -> list[tuple[str, str, object]]:
    """What was told and holds still, as it is kept: kind, key, value."""
    return [
        (KIND, _name(name, guest), True)
        for guest, watched in world.triggers.states.items()
        for name, lasting in watched.triggers.items()
        if lasting.fired
    ]


def restored(world: World, key: str) -> None:
    """Take up that a state was told; it is not told again before it was false."""
    policy, digest, guest = key.split("|", 2)
    if world.index.trigger(f"{policy}|{digest}") is None:
        world.keep(KIND, key, None)
        return
    watched = world.triggers.states.setdefault(guest, Watched())
    watched.triggers[f"{policy}|{digest}"] = Lasting(fired=True)


def _name(trigger: str, guest: str) -> str:
    return f"{trigger}|{guest}"
