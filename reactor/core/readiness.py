"""Arming policies at a connect, and who is not ready, with the reason."""

from collections.abc import Mapping

from reactor.core import catalog, gate
from reactor.core.admission import Decision, Verdict
from reactor.core.catalog import CONNECTED
from reactor.core.event import Event
from reactor.core.facts import SETTLE_AFTER_RESTART
from reactor.core.guest import Arming, Guest, Readiness
from reactor.core.machine import advance, end_run
from reactor.core.match import Match
from reactor.core.ops import Section
from reactor.core.policy import Enforcement, Policy
from reactor.core.refusals import refusal_trace, refuse
from reactor.core.run import Cursor, Origin, Outcome, Phase, Role, Run
from reactor.core.runs import enforcement_of, new_run
from reactor.core.steps import GuestStep, QmpStep, Step
from reactor.core.text import render_duration
from reactor.core.world import World

ARM_LIMIT = 5.0
"""Seconds for which an arm may hold back the matches of its policy."""

ARM_RETRY = 60.0
"""Seconds after which an arm that failed is tried again."""

NOT_SENT = "its arm was not sent: the monitor is away"
"""Why a policy is not ready on a guest that was not connected yet."""

HELD_MAX = 1000
"""Matches held back per policy and guest while it is being armed."""


def arm_guest(world: World, guest: Guest) -> None:
    """Arm every policy that selects this guest; earlier results no longer count.

    An arm that is under way begins anew: QEMU may be another one.
    """
    earlier, guest.arming = guest.arming, {}
    for policy in _to_arm(world, guest, earlier):
        arm(world, guest, policy, earlier.get(policy.name))
    let_go(world, guest)


def arm_missing(world: World, guest: Guest) -> None:
    """Arm the policies that this guest's monitor has not seen yet: new ones, new labels."""
    if not guest.connected:
        return
    for policy in _to_arm(world, guest, guest.arming):
        known = guest.arming.get(policy.name)
        if known is None or known.revision != policy.revision:
            arm(world, guest, policy, known)
    let_go(world, guest)


def _to_arm(world: World, guest: Guest, known: Mapping[str, Arming]) -> tuple[Policy, ...]:
    """Those with an arm; all where one is known: it may be of a policy that has none any more."""
    selection = world.selections[guest.name]
    return selection.policies if known else selection.arming


def arm(world: World, guest: Guest, policy: Policy, before: Arming | None) -> None:
    """Send the policy's arm to the guest, in place of the one before; nothing in audit."""
    if before is not None and before.run in world.runs:
        end_run(world, world.runs[before.run])
    if not policy.arm or enforcement_of(world, policy) is Enforcement.AUDIT:
        guest.arming.pop(policy.name, None)
        return
    if guest.is_storage_daemon and any(_needs_a_guest(step) for step in policy.arm):
        # Not a failure that anybody should hear of: there is nothing to arm.
        reason = "a storage daemon has no guest to arm"
        guest.arming[policy.name] = Arming(policy.revision, Readiness.NOT_READY, reason)
        return
    arming = guest.arming[policy.name] = Arming(policy.revision, Readiness.ARMING)
    if before is not None:
        arming.told = before.told
    origin = Origin(Event(CONNECTED, guest.name))
    run = new_run(world, policy, guest.name, guest.name, origin, Role.ARM)
    arming.run = run.id
    run.section = Section.ARM
    run.phase = Phase.RUNNING
    run.started = world.now
    run.deadline = world.now + ARM_LIMIT
    run.cursor = Cursor(pc=world.program_of(run).starts[Section.ARM])
    advance(world, run)


def _needs_a_guest(step: Step) -> bool:
    return isinstance(step, GuestStep) or (
        isinstance(step, QmpStep) and catalog.migrates(step.command)
    )


def armed(world: World, run: Run) -> None:
    """The arm run is over: the policy is ready on its guest, or not."""
    guest = world.guest_of(run)
    arming = guest.arming.get(run.policy)
    if arming is None or arming.run != run.id:
        return
    if run.outcome is Outcome.SUCCEEDED:
        arming.state, arming.reason, arming.told = Readiness.READY, "", False
    else:
        arming.state, arming.reason = Readiness.NOT_READY, run.error
        if arming.in_line:
            arming.reason = (
                f"another step had its hand on the guest for {render_duration(ARM_LIMIT)}"
            )
        world.timers.set(f"arm {guest.name}", world.now + ARM_RETRY)
        if not arming.told:
            arming.told = True
            data = {"policy": run.policy, "reason": arming.reason}
            world.happen("REACTOR_POLICY_NOT_READY", guest.name, data)
    let_go(world, guest)


def rearm(world: World, guest: Guest) -> None:
    """Try the arms that failed again."""
    if not guest.connected:
        return
    policies = {policy.name: policy for policy in world.selections[guest.name].policies}
    for name, arming in list(guest.arming.items()):
        if arming.state is Readiness.NOT_READY and name in policies:
            arm(world, guest, policies[name], arming)


def offer(world: World, policy: Policy, match: Match) -> Decision:
    """Let a match through the order of admission, from "ready" on: what becomes of it."""
    return _not_ready(world, policy, match) or gate.enter(world, policy, match)


def _not_ready(world: World, policy: Policy, match: Match) -> Decision | None:
    """Why the policy may not act on this guest; holds the match back while it is armed."""
    if not policy.arm or enforcement_of(world, policy) is Enforcement.AUDIT:
        return None
    guest = world.guests[match.guest]
    arming = guest.arming.get(policy.name)
    if arming is not None and arming.state is Readiness.READY:
        return None
    if arming is None:
        reason = NOT_SENT
    elif arming.state is Readiness.NOT_READY:
        reason = arming.reason
    elif len(guest.held.get(policy.name, ())) < HELD_MAX:
        return _hold_back(world, guest, match)
    else:
        reason = f"{HELD_MAX} matches wait for its arm already"
    return refuse(world, match, Decision(Verdict.NOT_READY, reason))


def _hold_back(world: World, guest: Guest, match: Match) -> Decision:
    waiting = guest.held.setdefault(match.policy, {})
    number = next(reversed(waiting), 0) + 1
    waiting[number] = match
    world.keep("held", _held_key(match.policy, guest.name, number), match)
    decision = Decision(Verdict.ARMING)
    world.emit(refusal_trace(world, match.policy, match.path, match.event, decision))
    return decision


def let_go(world: World, guest: Guest) -> None:
    """Let the matches go on whose policy is not being armed any more."""
    for name in list(guest.held):
        arming = guest.arming.get(name)
        if arming is None or arming.state is not Readiness.ARMING:
            _go_on(world, guest, name)


def guest_gone(world: World, guest: Guest) -> None:
    """Nobody names the guest any more: what was held back for it is refused."""
    world.timers.set(f"held {guest.name}", None)
    for name in list(guest.held):
        _go_on(world, guest, name)


def held_rows(guest: Guest) -> list[tuple[str, str, object]]:
    """The matches held back for a guest, as they are kept: kind, key, value."""
    return [
        ("held", _held_key(policy, guest.name, number), match)
        for policy, waiting in guest.held.items()
        for number, match in waiting.items()
    ]


def held_restored(world: World, number: int, match: Match) -> None:
    """Take up a match that an earlier life held back; those that came before it first.

    It waits until the monitor comes, or until it should have come.
    """
    guest = world.guests.get(match.guest)
    if guest is None:
        gate.selected(world, match)
        world.keep("held", _held_key(match.policy, match.guest, number), None)
        return
    guest.held.setdefault(match.policy, {})[number] = match
    guest.awaited_until = world.now + SETTLE_AFTER_RESTART
    world.timers.set(f"held {guest.name}", guest.awaited_until)


def _held_key(policy: str, guest: str, number: int) -> str:
    return f"{policy}|{guest}|{number}"


def _go_on(world: World, guest: Guest, policy: str) -> None:
    for number, match in guest.held.pop(policy).items():
        world.keep("held", _held_key(policy, guest.name, number), None)
        found = gate.selected(world, match)
        if found is not None:
            offer(world, found, match)
