"""Saying why a match did not become a run."""

from reactor.core.admission import Decision, PolicyState, told_key
from reactor.core.effect import Trace
from reactor.core.event import Event
from reactor.core.match import Match
from reactor.core.ops import Section
from reactor.core.policy import Enforcement, Policy
from reactor.core.run import Role
from reactor.core.runs import enforcement_of, new_run, start_handler
from reactor.core.world import World


def refuse(world: World, match: Match, decision: Decision) -> Decision:
    """Say why this match starts no run and remember it; gives the decision back."""
    record = refusal_trace(world, match.policy, match.path, match.event, decision)
    world.near_miss(record)
    world.emit(record)
    return decision


def refusal_trace(world: World, policy: str, path: str, event: Event, decision: Decision) -> Trace:
    """Why this event did not start a run of this policy, or not yet."""
    path = decision.path or path
    values = {"event": event.name, **decision.values}
    verdict = decision.verdict.value
    return Trace(world.now, policy, event.guest, path, verdict, decision.reason, "", values)


def tell_limited(world: World, policy: Policy, match: Match, decision: Decision) -> None:
    """Run ``on_limit``, once per limit and scope value, then not for the limit's duration."""
    limit = decision.limit
    if limit is None:
        return
    state = world.state_of(policy.name)
    told = told_key(limit, world.values_of(match.guest, match.key))
    if state.told.get(told, 0.0) > world.now:
        return
    forget_told(world, policy.name, state)
    until = state.told[told] = world.now + (limit.window or 0.0)
    world.keep("told", f"{policy.name}|{told}", until)
    data = {"policy": policy.name, "limit": limit.text, "scope": limit.scope.value}
    world.happen("REACTOR_RUN_LIMITED", match.guest, data)
    if enforcement_of(world, policy) is Enforcement.AUDIT or not policy.on_limit:
        return
    run = new_run(world, policy, match.guest, match.key, match.origin, Role.ON_LIMIT)
    run.nth = state.starts.within_hour(match.key, world.now)
    start_handler(world, run, Section.ON_LIMIT)


def forget_told(world: World, policy: str, state: PolicyState) -> None:
    """Drop what ``on_limit`` said so long ago that it may be said again."""
    for told in [told for told, until in state.told.items() if until <= world.now]:
        del state.told[told]
        world.keep("told", f"{policy}|{told}", None)
