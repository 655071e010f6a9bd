"""Arming policies at a connect, and who is not ready, with the reason."""

from reactor.core.admission import Decision, Verdict
from reactor.core.catalog import CONNECTED
from reactor.core.event import Event
from reactor.core.guest import Arming, Guest, Readiness
from reactor.core.lifecycle import admit, enforcement_of, new_run, refusal_trace, refuse
from reactor.core.machine import advance, end_run
from reactor.core.matching import Candidate
from reactor.core.ops import Section
from reactor.core.policy import Enforcement, Policy
from reactor.core.run import Cursor, Origin, Outcome, Phase, Role, Run
from reactor.core.steps import GuestStep
from reactor.core.text import render_duration
from reactor.core.world import World

ARM_LIMIT = 5.0
"""Seconds for which an arm may hold back the matches of its policy."""

ARM_RETRY = 60.0
"""Seconds after which an arm that failed is tried again."""

HELD_MAX = 1000
"""Matches held back per policy and guest while it is being armed."""


def arm_guest(world: World, guest: Guest) -> None:
    """Arm every policy that selects this guest; earlier results no longer count.

    An arm that is under way begins anew: QEMU may be another one.
    """
    earlier, guest.arming = guest.arming, {}
    for policy in world.selections[guest.name].policies:
        arm(world, guest, policy, earlier.get(policy.name))


def arm_missing(world: World, guest: Guest) -> None:
    """Arm the policies that this guest's monitor has not seen yet: new ones, new labels."""
    if not guest.connected:
        return
    for policy in world.selections[guest.name].policies:
        known = guest.arming.get(policy.name)
        if known is None or known.revision != policy.revision:
            arm(world, guest, policy, known)


def arm(world: World, guest: Guest, policy: Policy, before: Arming | None) -> None:
    """Send the policy's arm to the guest, in place of the one before; nothing in audit."""
    if not policy.arm or enforcement_of(world, policy) is Enforcement.AUDIT:
        return
    if guest.is_storage_daemon and any(isinstance(step, GuestStep) for step in policy.arm):
        # Not a failure that anybody should hear of: there is nothing to arm.
        reason = "a storage daemon has no guest to arm"
        guest.arming[policy.name] = Arming(policy.revision, Readiness.NOT_READY, reason)
        return
    arming = guest.arming[policy.name] = Arming(policy.revision, Readiness.ARMING)
    if before is not None:
        arming.told, arming.held = before.told, before.held
        if before.run in world.runs:
            end_run(world, world.runs[before.run])
    origin = Origin(Event(CONNECTED, guest.name))
    run = new_run(world, policy, guest.name, guest.name, origin, Role.ARM)
    arming.run = run.id
    run.section = Section.ARM
    run.phase = Phase.RUNNING
    run.started = world.now
    run.deadline = world.now + ARM_LIMIT
    run.cursor = Cursor(pc=world.program_of(run).starts[Section.ARM])
    advance(world, run)


def armed(world: World, run: Run) -> None:
    """The arm run is over: the policy is ready on its guest, or not."""
    guest = world.guest_of(run)
    arming = guest.arming.get(run.policy)
    if arming is None or arming.run != run.id:
        return
    held, arming.held = arming.held, []
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
    for candidate, event, key in held:
        if ready(world, candidate, event, key):
            admit(world, candidate, event, key)


def rearm(world: World, guest: Guest) -> None:
    """Try the arms that failed again."""
    if not guest.connected:
        return
    policies = {policy.name: policy for policy in world.selections[guest.name].policies}
    for name, arming in list(guest.arming.items()):
        if arming.state is Readiness.NOT_READY and name in policies:
            arm(world, guest, policies[name], arming)


def ready(world: World, candidate: Candidate, event: Event, key: str) -> bool:
    """Whether the policy may act on this guest; holds the match back while it is armed."""
    policy = candidate.policy
    if not policy.arm or enforcement_of(world, policy) is Enforcement.AUDIT:
        return True
    guest = world.guests[event.guest]
    arming = guest.arming.get(policy.name)
    if arming is not None and arming.state is Readiness.READY:
        return True
    if arming is None:
        reason = "its arm was not sent: the monitor is away"
    elif arming.state is Readiness.NOT_READY:
        reason = arming.reason
    elif len(arming.held) < HELD_MAX:
        arming.held.append((candidate, event, key))
        world.emit(refusal_trace(world, candidate, event, Decision(Verdict.ARMING)))
        return False
    else:
        reason = f"{HELD_MAX} matches wait for its arm already"
    refuse(world, candidate, event, Decision(Verdict.NOT_READY, reason))
    return False
