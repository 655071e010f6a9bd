"""What an event does: to those who listen, to those who watch, and to the policies."""

import msgspec

from reactor.core import doubts, own, scopes, sequels
from reactor.core.admission import Verdict
from reactor.core.catalog import DISCONNECTED, RENAMED
from reactor.core.comparing import heard
from reactor.core.counting import count
from reactor.core.effect import EventSeen
from reactor.core.event import Event
from reactor.core.facts import ask_fact
from reactor.core.firing import fire, miss
from reactor.core.guest import BY_COMMAND, MAYBE_OWN, Guest, is_own
from reactor.core.hearing import dump_result, listen
from reactor.core.plans import Candidate, Plan
from reactor.core.readiness import rearm
from reactor.core.renames import seen_already
from reactor.core.resync import leaves_a_state, moved_to
from reactor.core.run import Origin
from reactor.core.subjects import TELLING
from reactor.core.text import render_duration
from reactor.core.world import World

STATUS_EVENTS = frozenset(
    "STOP RESUME RESET SHUTDOWN SUSPEND SUSPEND_DISK WAKEUP GUEST_PANICKED WATCHDOG "
    "DUMP_COMPLETED BLOCK_IO_ERROR MIGRATION".split()
)
"""Events after which a guest's status may be another; it is asked, not inferred."""

_ENDS = {"SHUTDOWN": True, "RESET": False, "RESUME": False}

_MIGRATION_OVER = ("completed", "failed", "cancelled")


def receive(world: World, event: Event) -> None:  # noqa: C901 - the hot path stays in one piece
    """Take in one event of a guest; most find nobody, and cost a few look-ups."""
    guest = world.guests.get(event.guest)
    if guest is None:
        return
    name = event.name
    # What a resync has given already, by the order of the monitor's lines and never by stamps:
    # once the host's clock was set back, QEMU's stamp on a new event is older than an old one's.
    if event.foretold and name in guest.made_up:
        return
    if name in TELLING and not heard(world, guest, event):
        return
    if name in MAYBE_OWN and is_own(event, guest, world.now):
        event = msgspec.structs.replace(event, own=True)
        world.emit(EventSeen(event))
    if name in STATUS_EVENTS:
        _note(world, guest, event)
    if guest.hand:
        doubts.note(world, guest, event)
    if guest.listeners:
        _tell_listeners(world, guest, event)
    if guest.watchers:
        world.wakeups.extend(guest.watchers)
    selection = world.selections[event.guest]
    plans = selection.plans
    plan = plans[name] if name in plans else selection.plan(name)
    if plan is not None:
        candidates = plan.candidates(event)
        if candidates or plan.sequels is not None:
            _match(world, plan, candidates, event)


def _tell_listeners(world: World, guest: Guest, event: Event) -> None:
    for run_id in tuple(guest.listeners):
        if listen(world, world.runs[run_id], event):
            world.wakeups.append(run_id)


def _note(world: World, guest: Guest, event: Event) -> None:
    if event.name == "DUMP_COMPLETED":
        guest.dump_ended = world.now
        own.dump_over(world, guest)
        if isinstance(status := dump_result(event.data).get("status"), str):
            world.set_dump(guest, status)
    if guest.look is not None:
        guest.look.hear(event, guest.facts.dump)
    if event.name == "RESET" and event.data.get("reason") == BY_COMMAND:
        own.reset_came(world, guest)
    # With -no-shutdown QEMU lives on after its SHUTDOWN, and may yet crash.
    end_known = _ENDS.get(event.name, guest.end_known)
    seen = "" if event.name in _ENDS else guest.seen
    if leaves_a_state(event):
        seen = event.name
    moved = moved_to(guest, event)
    if (guest.end_known, guest.seen, guest.moved) != (end_known, seen, moved):
        guest.end_known, guest.seen, guest.moved = end_known, seen, moved
        world.keep_guest(guest)
    if event.name == "MIGRATION" and event.data.get("status") in _MIGRATION_OVER:
        rearm(world, guest)
    refresh_status(world, guest)


def refresh_status(world: World, guest: Guest) -> None:
    """Ask for the status, one question at a time, for those who only read the last one."""
    if guest.is_storage_daemon or not guest.connected:
        return
    if guest.refreshing:
        guest.refresh_again = True
        return
    guest.refreshing = ask_fact(world, guest, "status")


def status_unknown(world: World, guest: Guest) -> None:
    """QEMU gave no status, and nobody has asked for it since: a `where` reads the last one."""
    if guest.status == DISCONNECTED:
        refresh_status(world, guest)


def _match(world: World, plan: Plan, candidates: list[Candidate], event: Event) -> None:
    """Offer an event to the triggers that it fits: first as a second event, then as a first."""
    if event.name in RENAMED and (told := seen_already(world, event)):
        for candidate in candidates:
            miss(world, candidate, event, Verdict.RENAMED, told)
        return
    later: list[Candidate] = []
    if plan.sequels is not None and world.triggers.sequels:
        later = plan.sequels.candidates(event)
    if event.name.startswith("REACTOR_RUN_"):
        # A policy never sees the events of its own runs.
        policy = event.data.get("policy")
        candidates = [c for c in candidates if c.policy.name != policy]
        later = [c for c in later if c.policy.name != policy]
    scope = scopes.LazyEventScope(world, event)
    completed = sequels.hear(world, later, event, scope) if later else ()
    for candidate in candidates:
        if candidate.name not in completed:
            _offer(world, candidate, event, scope)


def _offer(world: World, candidate: Candidate, event: Event, scope: scopes.LazyEventScope) -> None:
    trigger = candidate.trigger
    if event.own and not trigger.own:
        miss(world, candidate, event, Verdict.OWN, event.name)
        return
    if event.synthetic and not trigger.synthetic:
        miss(world, candidate, event, Verdict.SYNTHETIC, event.name)
        return
    if candidate.residue is not None:
        answer = candidate.residue.holds(scope.get(candidate.roots))
        if not answer.truth:
            miss(world, candidate, event, Verdict.WHERE_FALSE, answer)
            return
    key, problem = scope.key(candidate)
    if problem:
        miss(world, candidate, event, Verdict.KEY_FAILED, problem)
        return
    if trigger.within is not None and (number := count(world, candidate, event, key)):
        told = f"{number} of {trigger.count} within {render_duration(trigger.within)}"
        miss(world, candidate, event, Verdict.COUNTED, told)
        return
    if trigger.sequel is not None:
        sequels.open_(world, candidate, event, key)
        return
    fire(world, candidate, Origin(event, candidate.index, trigger.count), key)
