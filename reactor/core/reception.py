"""What an event does: to those who listen, to those who watch, and to the policies."""

import msgspec

from reactor.core import scopes
from reactor.core.admission import Decision, Verdict
from reactor.core.effect import EventSeen, Execute
from reactor.core.event import Event
from reactor.core.facts import QUERY_LIMIT
from reactor.core.guest import BY_COMMAND, MAYBE_OWN, Guest, is_own
from reactor.core.match import Match
from reactor.core.matching import Candidate
from reactor.core.operations import listen
from reactor.core.readiness import offer, rearm
from reactor.core.refusals import refusal_trace
from reactor.core.resync import STATE_EVENTS, was_made_up_for
from reactor.core.run import Origin
from reactor.core.world import World

_STATUS_EVENTS = frozenset(
    "STOP RESUME RESET SHUTDOWN SUSPEND SUSPEND_DISK WAKEUP GUEST_PANICKED WATCHDOG "
    "DUMP_COMPLETED BLOCK_IO_ERROR MIGRATION".split()
)
"""Events after which a guest's status may be another; it is asked, not inferred."""

_ENDS = {"SHUTDOWN": True, "RESET": False, "RESUME": False}

_MIGRATION_OVER = frozenset({"completed", "failed", "cancelled"})


def receive(world: World, event: Event) -> None:  # noqa: C901 - the hot path stays in one piece
    """Take in one event of a guest; most find nobody, and cost a few look-ups."""
    guest = world.guests.get(event.guest)
    if guest is None:
        return
    name = event.name
    if guest.made_up and was_made_up_for(guest, event):
        return
    if name in MAYBE_OWN and is_own(event, guest, world.now):
        event = msgspec.structs.replace(event, own=True)
        world.emit(EventSeen(event))
    if name in _STATUS_EVENTS:
        _note(world, guest, event)
    if guest.listeners:
        _tell_listeners(world, guest, event)
    if guest.watchers:
        world.wakeups.extend(guest.watchers)
    selection = world.selections[event.guest]
    plans = selection.plans
    plan = plans[name] if name in plans else selection.plan(name)
    if plan is not None and (candidates := plan.candidates(event)):
        scope = scopes.LazyEventScope(world, event)
        for candidate in candidates:
            _offer(world, candidate, event, scope)


def _tell_listeners(world: World, guest: Guest, event: Event) -> None:
    for run_id in tuple(guest.listeners):
        if listen(world, world.runs[run_id], event):
            world.wakeups.append(run_id)


def _note(world: World, guest: Guest, event: Event) -> None:
    if event.name == "DUMP_COMPLETED":
        guest.dump_ended = world.now
        guest.own.dumping = False
    if event.name == "RESET" and event.data.get("reason") == BY_COMMAND:
        guest.own.reset_seen = world.now
    # With -no-shutdown QEMU lives on after its SHUTDOWN, and may yet crash.
    end_known = _ENDS.get(event.name, guest.end_known)
    seen = "" if event.name in _ENDS else guest.seen
    if event.name in STATE_EVENTS:
        seen = event.name
    if (guest.end_known, guest.seen) != (end_known, seen):
        guest.end_known, guest.seen = end_known, seen
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
    world.questions += 1
    query = f"q-{world.questions}"
    guest.refreshing = query
    deadline = world.now + QUERY_LIMIT
    world.asked[query] = guest.name
    world.emit(Execute(query, guest.name, "query-status", {}, deadline, changes=False))


def _offer(world: World, candidate: Candidate, event: Event, scope: scopes.LazyEventScope) -> None:
    policy = candidate.policy
    if event.name.startswith("REACTOR_RUN_") and event.data.get("policy") == policy.name:
        return
    if event.own:
        _miss(world, candidate, event, Decision(Verdict.OWN, event.name))
        return
    if candidate.residue is not None:
        answer = candidate.residue.holds(scope.get())
        if not answer.truth:
            _miss(world, candidate, event, Decision(Verdict.WHERE_FALSE, answer.reason))
            return
    key = event.guest
    if candidate.trigger.by is not None:
        value, problem = scope.key_value(candidate.trigger.by)
        if problem:
            _miss(world, candidate, event, Decision(Verdict.KEY_FAILED, problem))
            return
        key = f"{event.guest}/{value}"
    origin = Origin(event, candidate.index)
    offer(world, policy, Match(policy.name, key, origin, candidate.trigger.path))


def _miss(world: World, candidate: Candidate, event: Event, decision: Decision) -> None:
    path = candidate.trigger.path
    world.near_miss(refusal_trace(world, candidate.policy.name, path, event, decision))
