"""From a match to a run and to its end: admission, turns, slots, conditions."""

from collections import deque

from reactor.core import scopes
from reactor.core.admission import (
    Decision,
    LedgerRow,
    PolicyState,
    Verdict,
    decide,
    slot_refusal,
    told_key,
)
from reactor.core.effect import Trace
from reactor.core.event import Event
from reactor.core.facts import fresh_facts
from reactor.core.machine import advance, end_run, fail_before_steps, handler_limit
from reactor.core.matching import Candidate
from reactor.core.nested import branch_closed
from reactor.core.ops import Enter, Section
from reactor.core.policy import Enforcement, Mode, Policy
from reactor.core.run import Cursor, Origin, Outcome, Phase, Role, Run
from reactor.core.world import World


def enforcement_of(world: World, policy: Policy) -> Enforcement:
    """The policy's own, capped by the settings'."""
    if world.config.enforcement is Enforcement.AUDIT:
        return Enforcement.AUDIT
    return policy.enforcement


def admit(world: World, candidate: Candidate, event: Event, key: str) -> None:
    """Let a match that is selected, ready and true through the order of admission."""
    policy = candidate.policy
    state = world.state_of(policy.name)
    values = world.values_of(event.guest, key)
    decision = decide(policy, state, key, values, world.now)
    if decision.verdict is not Verdict.ADMITTED:
        _refuse(world, candidate, event, key, decision)
        return
    origin = Origin(event, candidate.index)
    run = new_run(world, policy, event.guest, key, origin, Role.RUN)
    row = LedgerRow(run.id, policy.name, run.guest, key, world.now)
    forget_rows(world, state, state.horizon(policy))
    state.remember(row, values)
    world.keep_ledger(row, run.id)
    state.open.setdefault(key, deque()).append(run.id)
    world.trace(run, candidate.trigger.path, Verdict.ADMITTED.value, event.name)
    if len(state.open[key]) > 1:
        world.trace(run, "mode", "waiting", f"run {state.open[key][0]} is open")
        world.tell_run(run)
    try_start(world, run)


def _refuse(world: World, candidate: Candidate, event: Event, key: str, decision: Decision) -> None:
    policy = candidate.policy
    refuse(world, candidate, event, decision)
    limit = decision.limit
    if limit is None:
        return
    state = world.state_of(policy.name)
    told = told_key(limit, world.values_of(event.guest, key))
    if state.told.get(told, 0.0) > world.now:
        return
    forget_told(world, policy.name, state)
    until = state.told[told] = world.now + (limit.window or 0.0)
    world.keep("told", f"{policy.name}|{told}", until)
    data = {"policy": policy.name, "limit": limit.text, "scope": limit.scope.value}
    world.happen("REACTOR_RUN_LIMITED", event.guest, data)
    if enforcement_of(world, policy) is Enforcement.AUDIT or not policy.on_limit:
        return
    origin = Origin(event, candidate.index)
    run = new_run(world, policy, event.guest, key, origin, Role.ON_LIMIT)
    start_handler(world, run, Section.ON_LIMIT)


def forget_told(world: World, policy: str, state: PolicyState) -> None:
    """Drop what ``on_limit`` said so long ago that it may be said again."""
    for told in [told for told, until in state.told.items() if until <= world.now]:
        del state.told[told]
        world.keep("told", f"{policy}|{told}", None)


def refuse(world: World, candidate: Candidate, event: Event, decision: Decision) -> None:
    """Say why this event starts no run, or not yet, and remember it."""
    record = refusal_trace(world, candidate, event, decision)
    world.near_miss(record)
    world.emit(record)


def refusal_trace(world: World, candidate: Candidate, event: Event, decision: Decision) -> Trace:
    """Why this event did not start a run of this policy."""
    values = {"event": event.name}
    return Trace(
        world.now,
        candidate.policy.name,
        event.guest,
        candidate.trigger.path,
        decision.verdict.value,
        decision.reason,
        "",
        values,
    )


def new_run(  # noqa: PLR0913, PLR0917 - what makes a run
    world: World, policy: Policy, guest: str, key: str, origin: Origin, role: Role
) -> Run:
    """A run with a number that no other run of this journal has or will have."""
    world.number += 1
    world.keep("number", "run", world.number)
    world.add_program(policy)
    run = Run(
        id=f"{world.identity}-{world.number}",
        policy=policy.name,
        revision=policy.revision,
        guest=guest,
        key=key,
        origin=origin,
        admitted=world.now,
        epoch=world.guests[guest].life(),
        role=role,
    )
    world.runs[run.id] = run
    world.touch(run)
    return run


def start_handler(world: World, run: Run, section: Section) -> None:
    """Start a run that is nothing but a handler: no turn, no slot, no conditions."""
    program = world.program_of(run)
    run.section = section
    run.phase = Phase.RUNNING
    run.started = world.now
    run.cursor = Cursor(pc=program.starts[section])
    run.deadline = world.now + handler_limit(program, section)
    advance(world, run)


def wake(world: World, run: Run) -> None:
    """Look at a run again: something came that it may wait for."""
    match run.phase:
        case Phase.WAITING_TURN | Phase.WAITING_SLOT:
            try_start(world, run)
        case Phase.CHECKING:
            _check_conditions(world, run)
        case Phase.RUNNING | Phase.HANDLING | Phase.ENDED:
            advance(world, run)


def try_start(world: World, run: Run) -> None:
    """Give the run its turn and its slot, if they are free."""
    state = world.state_of(run.policy)
    policy = world.program_of(run).policy
    values = world.values_of(run.guest, run.key)
    if policy.mode is not Mode.SINGLE and state.open[run.key][0] != run.id:
        return
    limit = slot_refusal(policy, state, values)
    if limit is not None:
        if run.id not in state.slot_line:
            state.slot_line.append(run.id)
            run.phase = Phase.WAITING_SLOT
            world.trace(run, "limits", "waiting", limit.text)
            world.tell_run(run)
        return
    state.slots[run.id] = values
    if run.id in state.slot_line:
        state.slot_line.remove(run.id)
        _wake_first(world, state)
    run.phase = Phase.CHECKING
    world.touch(run)
    _check_conditions(world, run)


def _wake_first(world: World, state: PolicyState) -> None:
    """Let the run go that has waited longest; who could not go now holds nobody up.

    One place that became free lets one run go, which then looks for the next.
    """
    for run_id in state.slot_line:
        run = world.runs[run_id]
        policy = world.program_of(run).policy
        if slot_refusal(policy, state, world.values_of(run.guest, run.key)) is None:
            world.wakeups.append(run_id)
            return


def _check_conditions(world: World, run: Run) -> None:
    policy = world.program_of(run).policy
    needed = frozenset[str]().union(*map(scopes.facts_of, policy.conditions))
    world.touch(run)
    run.cursor.wake = None
    if not fresh_facts(world, run, needed):
        return
    for number, condition in enumerate(policy.conditions):
        answer = scopes.holds(world, run, condition)
        path = "if" if len(policy.conditions) == 1 else f"if/{number}"
        if not answer.truth:
            reason = f"`{condition.source}` is false: {answer.reason}"
            world.trace(run, path, Verdict.CONDITION_FALSE.value, reason, answer.values)
            run.outcome, run.error = Outcome.SKIPPED, reason
            give_back(world, run)
            end_run(world, run)
            return
        world.trace(run, path, "holds", condition.source)
    _start(world, run)


def give_back(world: World, run: Run) -> None:
    """A run that ends before its first step no longer counts for the limits."""
    state = world.state_of(run.policy)
    state.counts.remove(run.id, world.values_of(run.guest, run.key))
    state.rows.pop(run.id, None)
    world.keep_ledger(None, run.id)


def _start(world: World, run: Run) -> None:
    policy = world.program_of(run).policy
    state = world.state_of(run.policy)
    run.started = world.now
    state.starts.add(run.key, world.now)
    run.nth = state.starts.within_hour(run.key, world.now)
    row = LedgerRow(run.id, run.policy, run.guest, run.key, run.admitted, started=world.now)
    state.rows[run.id] = row
    world.keep_ledger(row, run.id)
    if enforcement_of(world, policy) is Enforcement.AUDIT:
        for name, tree in policy.vars:
            run.vars[name] = scopes.render_leniently(world, run, tree)
        _would_run(world, run)
        return
    run.phase = Phase.RUNNING
    run.deadline = world.now + policy.timeout
    run.cursor = Cursor(pc=world.program_of(run).starts[Section.STEPS])
    for name, tree in policy.vars:
        try:
            run.vars[name] = scopes.render(world, run, tree)
        except scopes.RenderFailed as failure:
            fail_before_steps(world, run, str(failure), f"vars/{name}")
            return
    world.tell_run(run)
    advance(world, run)


def _would_run(world: World, run: Run) -> None:
    program = world.program_of(run)
    enter = program.ops[program.starts[Section.STEPS]]
    verb = enter.verb if isinstance(enter, Enter) else ""
    step = scopes.describe(world, run, program.policy.steps[0])
    world.trace(run, "steps/0", Verdict.WOULD_RUN.value, verb, {"step": step})
    run.outcome = Outcome.WOULD_RUN
    end_run(world, run)


def closed(world: World, run: Run) -> None:
    """After a run's end: tell the world, and let the next one have its turn."""
    del world.runs[run.id]
    world.touch(run)
    if run.role is Role.BRANCH:
        branch_closed(world, run)
    if run.role in {Role.ARM, Role.BRANCH}:
        return
    world.tell_run(run)
    if run.outcome in {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN}:
        data = {
            "policy": run.policy,
            "run": run.id,
            "step": run.failed_step,
            "error": run.error,
            "outcome": run.outcome.value,
        }
        world.happen("REACTOR_RUN_FAILED", run.guest, data)
    if run.role is Role.RUN:
        _next_turn(world, run)


def _next_turn(world: World, run: Run) -> None:
    state = world.state_of(run.policy)
    line = state.open.get(run.key)
    if line is not None and run.id in line:
        line.remove(run.id)
        if line:
            world.wakeups.append(line[0])
        else:
            del state.open[run.key]
    if state.slots.pop(run.id, None) is not None:
        _wake_first(world, state)


def forget_rows(world: World, state: PolicyState, horizon: float) -> None:
    """Drop the ledger rows that no window, cooldown or count of an hour needs."""
    while state.rows:
        run_id, row = next(iter(state.rows.items()))
        if max(row.at, row.started or 0.0) + horizon > world.now or run_id in world.runs:
            return
        del state.rows[run_id]
        world.keep_ledger(None, run_id)
