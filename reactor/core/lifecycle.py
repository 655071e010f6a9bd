"""Admission: whether a match becomes a run, and what becomes of those before it."""

import dataclasses

from reactor.core.admission import Decision, LedgerRow, Verdict, decide
from reactor.core.match import Match
from reactor.core.policy import Mode, Policy
from reactor.core.refusals import refuse, tell_limited
from reactor.core.run import Role
from reactor.core.runs import forget_rows, new_run, replace_run
from reactor.core.starting import try_start
from reactor.core.world import World


def admit(world: World, policy: Policy, match: Match) -> Decision:
    """Let a match that nothing holds back through the rest of the order, from busy on.

    The decision names the run that it has become, which may have ended by then.
    """
    state = world.state_of(policy.name)
    key, values = match.key, world.values_of(match.guest, match.key)
    decision = decide(policy, state, key, values, world.now)
    if decision.verdict is not Verdict.ADMITTED:
        refuse(world, match, decision)
        tell_limited(world, policy, match, decision)
        return decision
    before = [world.runs[run_id] for run_id in state.open.get(key, ())]
    run = new_run(world, policy, match.guest, key, match.origin, Role.RUN)
    # It may have been held back, and QEMU be another one by now.
    run.epoch = match.epoch or run.epoch
    row = LedgerRow(run.id, policy.name, run.guest, key, world.now)
    forget_rows(world, state, state.horizon(policy))
    state.remember(row, values)
    world.keep_ledger(row, run.id)
    state.enter(key, run.id)
    whence = f"{match.event.name} by {match.who}" if match.who else match.event.name
    world.trace(run, match.path, Verdict.ADMITTED.value, whence)
    if policy.mode is Mode.RESTART:
        for old in before:
            replace_run(world, old, run)
    first = state.open[key][0]
    if policy.mode is not Mode.PARALLEL and first != run.id:
        world.trace(run, "mode", "waiting", f"run {first} is open")
        world.tell_run(run)
    try_start(world, run)
    return dataclasses.replace(decision, run=run.id)
