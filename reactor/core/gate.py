"""What holds a match back before it is admitted: silence, hold, inhibitions, debounce."""

from reactor.core import scopes
from reactor.core.admission import Decision, PolicyState, Verdict
from reactor.core.facts import SETTLE_AFTER_RESTART
from reactor.core.holds import restraint
from reactor.core.lifecycle import admit
from reactor.core.match import Debounced, Match
from reactor.core.policy import Policy
from reactor.core.refusals import refusal_trace, refuse
from reactor.core.starting import inhibited
from reactor.core.text import render_time
from reactor.core.windows import KEYS_KEPT
from reactor.core.world import World


def enter(world: World, policy: Policy, match: Match) -> Decision:
    """Let a match of a policy that is ready on its guest through the order of admission."""
    refused = restraint(world, policy.name, match.guest)
    if refused is None and policy.inhibit_if:
        refused = inhibited(policy, scopes.match_scope(world, match.origin))
    if refused is not None:
        return refuse(world, match, refused)
    if policy.debounce is not None:
        return _debounce(world, policy, match)
    return admit(world, policy, match)


def selected(world: World, match: Match) -> Policy | None:
    """The policy of a match that was held back, if it is still there for this guest."""
    policy, guest = world.index.policies.get(match.policy), world.guests.get(match.guest)
    if policy is not None and guest is not None and not guest.forgotten:
        if policy.guests.selects(guest.name, guest.labels):
            return policy
        reason = "it does not select it any more"
    else:
        reason = "it is gone" if policy is None else "the guest is gone"
    refuse(world, match, Decision(Verdict.NOT_SELECTED, reason))
    return None


def _debounce(world: World, policy: Policy, match: Match) -> Decision:
    """Hold the match back until it is quiet; it takes the place of the one before."""
    state, rule = world.state_of(policy.name), policy.debounce
    assert rule is not None  # noqa: S101 - who calls asked
    known = state.debounced.get(match.key)
    if known is not None and known.due <= world.now:
        quiet(world, policy.name, match.key)
        known = None
    first, count = (world.now, 1) if known is None else (known.first, known.count + 1)
    due = world.now + rule.quiet
    if rule.at_most is not None:
        due = min(due, first + rule.at_most)
    if known is None and len(state.debounced) >= KEYS_KEPT:
        # Nothing is lost: who has waited longest goes early.
        quiet(world, policy.name, next(iter(state.debounced)))
    row = state.debounced[match.key] = Debounced(match, first, due, count)
    name = _name(policy.name, match.key)
    world.keep("debounce", name, row)
    world.timers.set(f"debounce {name}", due)
    reason = f"until {render_time(due)} unless another comes; {count} so far"
    decision = Decision(Verdict.DEBOUNCED, reason)
    world.emit(refusal_trace(world, policy.name, match.path, match.event, decision))
    return decision


def quiet(world: World, policy: str, key: str) -> None:
    """The wait of a debounced key is over: its last match goes on to busy and so forth."""
    row = world.state_of(policy).debounced.pop(key)
    name = _name(policy, key)
    world.keep("debounce", name, None)
    world.timers.set(f"debounce {name}", None)
    found = selected(world, row.match)
    if found is not None:
        admit(world, found, row.match)


def debounced_restored(world: World, row: Debounced) -> None:
    """Take up a match that waited for quiet in an earlier life; the clock has gone on."""
    match = row.match
    world.state_of(match.policy).debounced[match.key] = row
    world.timers.set(f"debounce {_name(match.policy, match.key)}", row.due)
    guest = world.guests.get(match.guest)
    if guest is not None:
        guest.awaited_until = world.now + SETTLE_AFTER_RESTART


def forget_debounced(world: World, policy: str, state: PolicyState) -> None:
    """A policy is gone: what waited for quiet is refused, and says so."""
    for key in list(state.debounced):
        quiet(world, policy, key)


def _name(policy: str, key: str) -> str:
    return f"{policy}|{key}"
