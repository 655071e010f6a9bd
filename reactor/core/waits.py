"""Waits for an event over a reconnect: decided by what the guest's state proves."""

from collections.abc import Iterable, Iterator

from reactor.core.catalog import migrates
from reactor.core.event import Event
from reactor.core.guards import AFTER_RESET, FAULT_STATES
from reactor.core.guest import Guest
from reactor.core.hearing import judge
from reactor.core.matching import named
from reactor.core.ops import AwaitEvent, AwaitRule
from reactor.core.run import Run
from reactor.core.subjects import SUBJECTS
from reactor.core.world import World

DUMP_OVER = frozenset({"completed", "failed"})


def proved(world: World, run: Run, op: AwaitEvent, *, dumped: bool) -> Event | None:
    """The event that must have happened, as far as the facts prove it.

    ``dumped``: the step has sent a dump of its own.
    """
    guest = world.guest_of(run)
    # query-dump tells of the last dump for ever: only after our own it proves anything.
    if dumped and named("DUMP_COMPLETED", op.wait.events) and guest.facts.dump in DUMP_OVER:
        data = {"result": {"status": guest.facts.dump}}
        return Event("DUMP_COMPLETED", guest.name, data, synthetic=True)
    stood = run.cursor.before in FAULT_STATES
    if op.rule is AwaitRule.RESET and stood and guest.status == AFTER_RESET:
        return Event("RESET", guest.name, {"guest": False}, synthetic=True)
    # query-migrate, too, tells of the last one for ever.
    migrated = run.cursor.intent is not None and migrates(run.cursor.intent.command)
    if migrated and named("MIGRATION", op.wait.events) and guest.facts.migration:
        event = Event("MIGRATION", guest.name, {"status": guest.facts.migration}, synthetic=True)
        return event if judge(world, run, op, event) is not None else None
    return None


def among(world: World, run: Run, op: AwaitEvent, gone_by: Iterable[Event]) -> Event | None:
    """The awaited event among those that the resync makes up for."""
    for event in gone_by:
        if named(event.name, op.wait.events) and judge(world, run, op, event) is not None:
            return event
    return None


def missed_nothing(op: AwaitEvent) -> bool:
    """Whether all that is awaited are the engine's own events."""
    return all(name.startswith("REACTOR_") for name in op.wait.events)


def may_still_come(world: World, run: Run, op: AwaitEvent) -> bool:
    """Whether what is awaited cannot have happened yet."""
    if missed_nothing(op):
        return True
    guest = world.guest_of(run)
    if named("MIGRATION", op.wait.events) and guest.facts.migrating:
        return True
    if named("DUMP_COMPLETED", op.wait.events) and guest.facts.dump == "active":
        return True
    return any(judge(world, run, op, event) is not None for event in _to_come(guest, op))


def _to_come(guest: Guest, op: AwaitEvent) -> Iterator[Event]:
    """The awaited events, by their names, that what is compared may still send."""
    for subject, snapshot in guest.facts.compared.items():
        for key, state in snapshot.items():
            for name, data in SUBJECTS[subject].awaited(key, state):
                if named(name, op.wait.events):
                    yield Event(name, guest.name, data, synthetic=True)
