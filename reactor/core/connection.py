"""A monitor comes and goes: facts, epochs, and the waits that stood still meanwhile."""

from collections.abc import Iterable

from reactor.core import another_name, doubts, own, trigger_life
from reactor.core.catalog import CONNECTED, DISCONNECTED
from reactor.core.comparing import ask_missing, by_disk, taken, told_by_state
from reactor.core.cut_waits import is_asked_for
from reactor.core.effect import GuestChanged
from reactor.core.event import Event
from reactor.core.facts import LOOK, LOST_AFTER, UNKNOWN
from reactor.core.guest import Guest
from reactor.core.hearing import listen
from reactor.core.inputs import Connected, Disconnected, GuestForgotten, GuestKnown
from reactor.core.machine import outcome_unknown
from reactor.core.ops import AwaitEvent, Call
from reactor.core.readiness import arm_guest, arm_missing, guest_gone
from reactor.core.resync import missed
from reactor.core.run import Phase, Run
from reactor.core.sending import at_commands
from reactor.core.subjects_disks import IO_ERROR
from reactor.core.waits import among, may_still_come, missed_nothing, proved
from reactor.core.world import World


def known(world: World, input_: GuestKnown) -> None:
    """The settings or the discovery name a guest; named again, its labels are new."""
    guest = world.guests.get(input_.guest)
    if guest is None:
        guest = world.guests[input_.guest] = Guest(input_.guest, since=world.now)
    was_forgotten = guest.forgotten
    guest.labels, guest.forgotten = dict(input_.labels), False
    guest.agent = input_.agent
    if was_forgotten:
        own.known_again(world, guest)
    world.selections[guest.name] = world.index.selection(guest.name, guest.labels)
    world.tell_guest(guest)
    arm_missing(world, guest)
    ask_missing(world, guest)
    trigger_life.selected_anew(world, guest)


def forgotten(world: World, input_: GuestForgotten) -> None:
    """Nobody names the guest any more; its runs end at their own deadlines."""
    guest = world.guests.get(input_.guest)
    if guest is None:
        return
    guest.connected, guest.forgotten = False, True
    _ask_no_more(world, guest)
    guest.status = DISCONNECTED
    world.emit(GuestChanged(guest.name, DISCONNECTED, world.now, connected=False, gone=True))
    world.keep("guest", guest.name, None)
    own.forget(world, guest)
    world.timers.set(f"lost {guest.name}", None)
    world.timers.set(f"arm {guest.name}", None)
    world.timers.set(f"held {guest.name}", None)
    world.timers.set(f"{UNKNOWN} {guest.name}", None)
    world.timers.set(f"ask {guest.name}", None)
    trigger_life.forget_guest(world, guest.name)
    guest_gone(world, guest)
    drop_if_free(world, guest)


def drop_if_free(world: World, guest: Guest) -> None:
    """Let go of a guest that nobody names, once its last run has ended."""
    if guest.forgotten and not any(run.guest == guest.name for run in world.runs.values()):
        # A run that ends last of all may have asked for another arm.
        world.timers.set(f"arm {guest.name}", None)
        # An event of its last run may have opened what nobody will close.
        trigger_life.forget_guest(world, guest.name)
        del world.guests[guest.name]
        del world.selections[guest.name]


def _known_guest(world: World, name: str) -> Guest:
    guest = world.guests.get(name)
    if guest is None:
        known(world, GuestKnown(name))
    elif guest.forgotten:
        known(world, GuestKnown(name, guest.labels, guest.agent))
    return world.guests[name]


def connected(world: World, input_: Connected) -> None:
    """A monitor is ready."""
    guest, facts = _known_guest(world, input_.guest), input_.facts
    before = guest.epoch
    same, first = before == input_.epoch, not before
    if not same and not first and not guest.end_known:
        lost(world, guest, "QEMU was restarted")
    world.timers.set(f"lost {guest.name}", None)
    gone_by = _take_over(world, guest, input_, same=same)
    if guest.status != facts.status:
        guest.status, guest.since = facts.status, world.now
    world.tell_guest(guest)
    world.happen(CONNECTED, guest.name, {"epoch": guest.epoch, "first": first})
    arm_guest(world, guest)
    for event in gone_by:
        world.occur(event)
    for run in [run for run in world.runs.values() if run.guest == guest.name]:
        doubts.reconnected(world, run, gone_by)
        # A guest that was forgotten meanwhile is remembered by its run.
        if life := before or run.epoch:
            recover_wait(world, run, gone_by, same=life == input_.epoch)
        world.wakeups.append(run.id)
    if not same:
        another_name.look_for(world, guest)
    ask_missing(world, guest)
    trigger_life.connected(world, guest)


def _take_over(world: World, guest: Guest, input_: Connected, *, same: bool) -> list[Event]:
    """Make the facts of a connect the guest's; the events that were missed before it."""
    facts, by_snapshot = taken(world, guest, input_.facts, same=same)
    compared = guest.facts.compared.keys() & facts.compared if same else set()
    by_state = [
        (name, data)
        for name, data in missed(guest, input_.facts, input_.epoch)
        # What is compared with what was told of the migration says it better.
        if name != "MIGRATION" or "migration" not in compared
    ]
    guest.made_up = frozenset(name for name, _ in by_state)
    if IO_ERROR in guest.made_up:
        told = by_disk(guest, input_.facts, by_state, same=same)
        if told is not None:
            # An event that is on its way tells of another disk.
            guest.made_up -= {IO_ERROR}
            by_state = told
            by_snapshot = [proved for proved in by_snapshot if proved[0] != IO_ERROR]
    if not same:
        own.another_qemu(world, guest)
        guest.dump_ended = None
    guest.epoch, guest.facts, guest.connected = input_.epoch, facts, True
    guest.lost_reason = ""
    _ask_no_more(world, guest)
    told_by_state(guest, by_state)
    guest.end_known, guest.seen, guest.moved, guest.again = False, "", "", ""
    ended = any(name == "DUMP_COMPLETED" for name, _ in by_state)
    if not ended and facts.dump != "active":
        own.dump_over(world, guest)
    guest.awaited_until = None
    guest.refreshing, guest.refresh_again = "", False
    return [
        Event(name, guest.name, data, world.now, world.now, synthetic=True)
        for name, data in (*by_state, *by_snapshot)
    ]


def disconnected(world: World, input_: Disconnected) -> None:
    """A monitor went away."""
    guest = world.guests.get(input_.guest)
    if guest is None or not guest.connected:
        return
    guest.connected = False
    world.timers.set(f"ask {guest.name}", None)
    _ask_no_more(world, guest)
    guest.status, guest.since = DISCONNECTED, world.now
    guest.refreshing, guest.refresh_again = "", False
    for arming in guest.arming.values():
        arming.reason = "the monitor is away"
    guest.lost_reason = "" if guest.end_known else input_.reason
    world.tell_guest(guest)
    if not guest.end_known:
        world.timers.set(f"lost {guest.name}", world.now + LOST_AFTER)
        # Most connections are back within a second: a condition that is looked at in
        # between would find a guest away that has just panicked, and let it lie.
        guest.awaited_until = world.now + LOST_AFTER
    trigger_life.disconnected(world, guest)
    world.wakeups.extend(guest.watchers)


def _ask_no_more(world: World, guest: Guest) -> None:
    """What was asked of it on the connection before is answered by nobody."""
    guest.asking = guest.look = None
    world.timers.set(f"{LOOK} {guest.name}", None)


def lost(world: World, guest: Guest, reason: str) -> None:
    """The guest's QEMU is gone without having said so."""
    guest.end_known, guest.lost_reason = True, ""
    world.keep_guest(guest)
    world.happen("REACTOR_GUEST_LOST", guest.name, {"reason": reason})
    world.wakeups.extend(guest.watchers)


AWAY = "the monitor was away"


def recover_wait(
    world: World, run: Run, gone_by: Iterable[Event], *, same: bool, why: str = AWAY
) -> None:
    """Decide a wait by what the guest's state proves: its event may have been missed.

    Args:
        same: it is the QEMU of before.
        why: it may have been missed.
    """
    if run.phase not in {Phase.RUNNING, Phase.HANDLING} or run.cursor.caught is not None:
        return
    op = world.program_of(run).ops[run.cursor.pc]
    if isinstance(op, Call) and run.cursor.armed is not None:
        # Its agent has a socket of its own, and is answering: then it is decided.
        run.cursor.cut = True
        world.touch(run)
    elif isinstance(op, AwaitEvent):
        _decide(world, run, op, gone_by, same=same, why=why)


def _decide(  # noqa: PLR0913 - what is known of the wait
    world: World, run: Run, op: AwaitEvent, gone_by: Iterable[Event], *, same: bool, why: str
) -> None:
    if missed_nothing(op):
        return
    names = ", ".join(op.wait.events)
    if not same:
        outcome_unknown(world, run, f"QEMU was restarted while {names} was awaited")
        return
    dumped = "dump" in at_commands(world, run)
    event = proved(world, run, op, dumped=dumped) or among(world, run, op, gone_by)
    if event is not None:
        listen(world, run, event)
    elif may_still_come(world, run, op):
        return
    elif is_asked_for(op):
        run.cursor.cut = True
        world.touch(run)
    else:
        outcome_unknown(world, run, f"{why} while {names} was awaited")
