"""A new look at a guest of whom events were dropped: what they told is asked, and made up for.

QEMU keeps no events, and neither does a queue that is full. So the guest is asked what a connect
asks, on the same connection. Each answer is compared as it comes: it stands among the events as
QEMU wrote it. The status comes last, behind what tells more than it.
"""

from collections.abc import Iterable, Mapping

from reactor.core import own
from reactor.core.comparing import compare_anew, told_by_state
from reactor.core.connection import recover_wait
from reactor.core.event import Event
from reactor.core.facts import ASK_AGAIN, LOOK, ask_fact, take_fact
from reactor.core.guards import STOPPED_FOR_GOOD
from reactor.core.guest import Guest, Look
from reactor.core.hearing import listen
from reactor.core.inputs import Answered, Missed
from reactor.core.matching import named
from reactor.core.ops import AwaitEvent
from reactor.core.resync import dump_missed, status_missed
from reactor.core.run import Run
from reactor.core.subject import Proved
from reactor.core.world import World

_FACTS = ("dump", "migrating", "status")

DROPPED = "events of the guest were dropped"
"""Why a wait may have missed its event."""


def missed(world: World, input_: Missed) -> None:
    """Events of a guest were dropped; of one whose monitor is away the next connect asks."""
    guest = world.guests.get(input_.guest)
    if guest is None or not guest.connected:
        return
    if "SHUTDOWN" in input_.events:
        _shut_down(world, guest)
    look = guest.look
    if look is not None:
        for name, count in input_.events.items():
            look.again[name] = look.again.get(name, 0) + count
        return
    _begin(world, guest, input_.events)


def go_on(world: World, guest: Guest) -> None:
    """Ask what is to be asked next: the facts, when all answers for the snapshots are in.

    Also where QEMU gave no answer a while ago: it is given another chance.
    """
    look = guest.look
    if look is None or guest.asking is not None or look.pending:
        return
    if look.compares:
        _ask_facts(world, guest, look)
    else:
        _compare(world, guest, look)


def answered(world: World, guest: Guest, answer: Answered) -> bool:
    """Take an answer to what a new look asked; whether it was one."""
    look = guest.look
    fact = look.pending.pop(answer.id, None) if look is not None else None
    if look is None or fact is None:
        return False
    if answer.lost or answer.unsent:
        take_fact(world, guest, fact, answer)
        look.pending.clear()
        world.timers.set(f"{LOOK} {guest.name}", world.now + ASK_AGAIN)
        return True
    # Before it is taken: it is compared with what was told.
    proved = _by_status(guest, look, answer) if fact == "status" else []
    take_fact(world, guest, fact, answer)
    if fact == "dump":
        proved = _by_dump(world, guest, look)
    events = [
        Event(name, guest.name, data, world.now, world.now, synthetic=True) for name, data in proved
    ]
    for event in events:
        world.occur(event)
    if fact == "status":
        _end(world, guest, look, events)
    return True


def _begin(world: World, guest: Guest, events: Mapping[str, int]) -> None:
    runs = tuple(run.id for run in _waiting(world, guest, events))
    told = ", ".join(f"{name} {count}x" for name, count in events.items())
    for name in runs:
        run = world.runs[name]
        reason = f"{DROPPED} for want of room ({told}): it is asked how it stands"
        world.trace(run, world.options_of(run).path, "waiting", reason)
    guest.look = Look(runs, guest.facts.dump)
    if not guest.is_storage_daemon:
        guest.moved = guest.moved or guest.facts.status
        world.keep_guest(guest)
    go_on(world, guest)


def _compare(world: World, guest: Guest, look: Look) -> None:
    look.compares = True
    compare_anew(world, guest)
    go_on(world, guest)


def _ask_facts(world: World, guest: Guest, look: Look) -> None:
    if guest.is_storage_daemon:
        _end(world, guest, look, ())
        return
    # QEMU answers in order, and where it hangs the first is lost first.
    world.timers.set(f"{LOOK} {guest.name}", None)
    look.pending = {ask_fact(world, guest, fact): fact for fact in _FACTS}


def _waiting(world: World, guest: Guest, events: Iterable[str]) -> Iterable[Run]:
    """The runs that wait for one of these events."""
    for name in guest.listeners:
        run = world.runs[name]
        op = None if run.cursor.armed is None else world.program_of(run).ops[run.cursor.armed]
        if isinstance(op, AwaitEvent) and any(named(event, op.wait.events) for event in events):
            yield run


def _shut_down(world: World, guest: Guest) -> None:
    """QEMU may be gone before it can be asked: it has said that it goes."""
    guest.end_known = True
    world.keep_guest(guest)
    event = Event("SHUTDOWN", guest.name, {}, world.now, world.now, synthetic=True)
    for name in tuple(guest.listeners):
        if listen(world, world.runs[name], event):
            world.wakeups.append(name)


def _by_status(guest: Guest, look: Look, answer: Answered) -> list[Proved]:
    """What the status proves and was not heard."""
    result = answer.result if isinstance(answer.result, Mapping) else {}
    word = str(result.get("status", ""))
    if not word:
        return []
    proved = [of for of in status_missed(guest, word, same=True) if of[0] not in look.heard]
    guest.end_known = guest.end_known and word == STOPPED_FOR_GOOD
    told_by_state(guest, proved)
    return proved


def _by_dump(world: World, guest: Guest, look: Look) -> list[Proved]:
    """The end of a dump, where it was not heard."""
    proved = list(dump_missed(look.dump, guest.facts.dump))
    look.dump = guest.facts.dump
    if not proved and look.dump != "active":
        own.dump_over(world, guest)
    return proved


def _end(world: World, guest: Guest, look: Look, events: Iterable[Event]) -> None:
    guest.look, guest.seen, guest.moved = None, "", ""
    world.keep_guest(guest)
    for name in look.runs:
        run = world.runs.get(name)
        if run is not None:
            recover_wait(world, run, events, same=True, why=DROPPED)
            world.wakeups.append(name)
    if look.again:
        _begin(world, guest, look.again)
