"""Orders about runs: approve, cancel, start."""

from reactor.core import scopes
from reactor.core.admission import Verdict
from reactor.core.by_hand import OPERATOR_EVENT
from reactor.core.event import Event
from reactor.core.match import Match
from reactor.core.order_checks import (
    Answer,
    OrderRefused,
    check_text,
    known_guest,
    known_policy,
    quoted,
)
from reactor.core.orders import Approve, CancelRun, StartRun
from reactor.core.policy import EventTrigger, Policy
from reactor.core.readiness import offer
from reactor.core.run import Origin, Outcome, Phase, Role, Run
from reactor.core.runs import cancel_run
from reactor.core.starting import wake
from reactor.core.world import World

_WELL = frozenset({None, Outcome.SUCCEEDED, Outcome.STOPPED, Outcome.WOULD_RUN})
"""Outcomes, none yet included, for which an operator who wanted the run need not look again."""


def approve(world: World, order: Approve, who: str) -> Answer:
    """Answer a run that waits for approval."""
    run = _open_run(world, order.run)
    check_text("comment", order.comment)
    if run.phase is Phase.WAITING_APPROVAL:
        wake(world, run)  # its time may be over: the tick is not here yet
    if not run.is_open:
        raise OrderRefused(f"run {run.id} waits no longer: {run.error}", fix=_shown(run.id))
    if run.phase is not Phase.WAITING_APPROVAL:
        text = f"run {run.id} does not wait for approval: it is {run.phase.value}"
        raise OrderRefused(text, fix=_shown(run.id))
    said = f"{who}: {order.comment}" if order.comment else who
    if not order.yes:
        cancel_run(world, run, f"refused by {said}", "approval")
        return f"run {run.id} of {run.policy} on {run.guest} is refused and cancelled", _data(run)
    run.approved = who
    world.trace(run, "approval", "approved", f"by {said}")
    wake(world, run)
    return f"approved: {_standing(run)}", _data(run)


def cancel(world: World, order: CancelRun, who: str) -> Answer:
    """End an open run as cancelled."""
    run = _open_run(world, order.run)
    check_text("comment", order.comment)
    if run.role is not Role.RUN:
        raise OrderRefused(
            f"run {run.id} is a policy's on_limit: it ends by itself", fix=_shown(run.id)
        )
    if run.phase is Phase.HANDLING:
        raise OrderRefused(
            f"the steps of run {run.id} are over; its handlers end by themselves",
            fix=_shown(run.id),
        )
    if run.cancelled:
        text = f"run {run.id} is being cancelled already: {run.cancelled}"
        raise OrderRefused(text, fix=_shown(run.id))
    said = f"{who}: {order.comment}" if order.comment else who
    begun = run.started is not None
    cancel_run(world, run, f"cancelled by {said}", "operator")
    when = ", as soon as its command in flight is answered" if begun else ""
    return f"run {run.id} of {run.policy} on {run.guest} is cancelled{when}", _data(run)


def start(world: World, order: StartRun, who: str) -> Answer:
    """Let a policy match on a guest, from "ready" on in the order of admission."""
    policy = known_policy(world, order.policy)
    guest = known_guest(world, order.guest)
    if not policy.guests.selects(guest.name, guest.labels):
        raise OrderRefused(
            f"{policy.name} does not select {guest.name}", fix=_asked(policy.name, guest.name)
        )
    event = Event(OPERATOR_EVENT, guest.name, order.data, world.now, world.now)
    key = _key(world, policy, event)
    match_ = Match(policy.name, key, Origin(event), "operator", who)
    decision = offer(world, policy, match_)
    match decision.verdict:
        case Verdict.ADMITTED:
            run = world.runs[decision.run]
            if run.outcome not in _WELL:
                raise OrderRefused(_standing(run), _data(run), fix=_shown(run.id))
            return _standing(run), _data(run)
        case Verdict.ARMING | Verdict.DEBOUNCED:
            return f"{policy.name} on {guest.name}: {decision.sentence}", {}
        case _:
            text = f"{policy.name} on {guest.name}: {decision.sentence}"
            raise OrderRefused(text, fix=_asked(policy.name, guest.name))


def _key(world: World, policy: Policy, event: Event) -> str:
    """The key that the policy's first trigger would give."""
    trigger = policy.triggers[0]
    if not isinstance(trigger, EventTrigger) or trigger.by is None:
        return event.guest
    scope = scopes.match_scope(world, Origin(event))
    key, problem = scopes.key_of(event.guest, trigger.by, scope)
    if problem:
        source = trigger.by.source
        text = f"`by: {source}` has no value in the data that you gave: {problem}"
        raise OrderRefused(text, fix='give it: --data \'{"device": "disk0"}\'')
    return key


def _open_run(world: World, name: str) -> Run:
    run = world.runs.get(name)
    if run is not None and run.role in {Role.RUN, Role.ON_LIMIT} and run.is_open:
        return run
    journal, _, number = name.rpartition("-")
    ours = journal == world.identity and number.isdecimal()
    if ours and 0 < int(number) <= world.number:
        raise OrderRefused(f"run {name} is not open any more", fix=_shown(name))
    raise OrderRefused(
        f"no run is called {name!r}; its name begins with {world.identity}-",
        fix="`reactor runs --open` lists those that are open",
    )


def _shown(run: str) -> str:
    return f"`reactor runs show {quoted(run)}` tells what it did"


def _asked(policy: str, guest: str) -> str:
    return f"`reactor why {quoted(policy)} {quoted(guest)}` tells what stands in the way"


def _standing(run: Run) -> str:
    said = f"run {run.id} of {run.policy} on {run.guest}"
    if run.outcome is None:
        return f"{said} is {run.phase.value}"
    return f"{said}: {run.outcome.value}" + (f": {run.error}" if run.error else "")


def _data(run: Run) -> dict[str, object]:
    return {"run": run.id}
