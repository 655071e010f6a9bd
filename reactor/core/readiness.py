"""Arming policies at a connect, and who is not ready, with the reason."""

from reactor.core.admission import Decision, Verdict
from reactor.core.event import Event
from reactor.core.guest import Arming, Guest, Readiness
from reactor.core.lifecycle import admit, enforcement_of, new_run, refusal_trace
from reactor.core.machine import advance
from reactor.core.matching import Candidate
from reactor.core.policy import Enforcement, GuestStep, Policy
from reactor.core.program import Section
from reactor.core.run import Cursor, Origin, Outcome, Phase, Role, Run
from reactor.core.world import World

ARM_LIMIT = 5.0
"""Seconds for which an arm may hold back the matches of its policy."""

ARM_RETRY = 60.0
"""Seconds after which an arm that failed is tried again."""

HELD_MAX = 1000
"""Matches held back per policy and guest while it is being armed."""


def arm_guest(world: World, guest: Guest) -> None:
    """Arm every policy that selects this guest; earlier results no longer count."""
    guest.arming = {
        name: arming for name, arming in guest.arming.items() if arming.state is Readiness.ARMING
    }
    for policy in world.selections[guest.name].policies:
        arm(world, guest, policy)


def arm(world: World, guest: Guest, policy: Policy) -> None:
    """Send the policy's arm to the guest; nothing is sent in audit."""
    if not policy.arm or enforcement_of(world, policy) is Enforcement.AUDIT:
        return
    if guest.is_storage_daemon and any(isinstance(step, GuestStep) for step in policy.arm):
        # Not a failure that anybody should hear of: there is nothing to arm.
        reason = "a storage daemon has no guest to arm"
        guest.arming[policy.name] = Arming(Readiness.NOT_READY, reason)
        return
    known = guest.arming.get(policy.name)
    if known is not None and known.run in world.runs:
        return
    arming = guest.arming[policy.name] = Arming(
        Readiness.ARMING, told=known.told if known else False
    )
    origin = Origin(Event("REACTOR_GUEST_CONNECTED", guest.name))
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
        world.timers.set(f"arm {guest.name}", world.now + ARM_RETRY)
        if not arming.told:
            arming.told = True
            data = {"policy": run.policy, "reason": run.error}
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
            arm(world, guest, policies[name])


def ready(world: World, candidate: Candidate, event: Event, key: str) -> bool:
    """Whether the policy may act on this guest; holds the match back while it is armed."""
    policy = candidate.policy
    if not policy.arm or enforcement_of(world, policy) is Enforcement.AUDIT:
        return True
    guest = world.guests[event.guest]
    arming = guest.arming.get(policy.name)
    if arming is not None and arming.state is Readiness.READY:
        return True
    if arming is not None and arming.state is Readiness.ARMING and len(arming.held) < HELD_MAX:
        arming.held.append((candidate, event, key))
        return False
    reason = arming.reason if arming else "its arm was not sent: the monitor is away"
    record = refusal_trace(world, candidate, event, Decision(Verdict.NOT_READY, reason))
    world.near_miss(record)
    world.emit(record)
    return False
