"""From admission to the first step: turn, approval, slot, and the conditions with fresh state."""

from reactor.core import scopes
from reactor.core.admission import Decision, LedgerRow, Verdict, slot_refusal
from reactor.core.expr import Scope
from reactor.core.facts import UNHEARD, decided_blind, known_facts
from reactor.core.holds import restraint
from reactor.core.machine import advance, end_run, fail_before_steps, given_up
from reactor.core.ops import Enter, Section
from reactor.core.policy import Approval, Enforcement, Mode, Policy
from reactor.core.run import Cursor, Outcome, Phase, Run
from reactor.core.runs import cancel_run, enforcement_of, leave_unstarted, wake_first
from reactor.core.text import render_duration, render_time
from reactor.core.world import World

_IN_LINE = frozenset({Mode.QUEUED, Mode.RESTART})
"""Modes in which one run of a key goes after the other."""


def wake(world: World, run: Run) -> None:
    """Look at a run again: something came that it may wait for."""
    match run.phase:
        case Phase.WAITING_TURN | Phase.WAITING_APPROVAL | Phase.WAITING_SLOT:
            try_start(world, run)
        case Phase.CHECKING:
            _check_conditions(world, run)
        case Phase.RUNNING | Phase.HANDLING | Phase.ENDED:
            advance(world, run)


def try_start(world: World, run: Run) -> None:
    """Give the run its turn, its approval and its slot, as far as they are there."""
    policy = world.program_of(run).policy
    state = world.state_of(run.policy)
    if policy.mode in _IN_LINE and state.open[run.key][0] != run.id:
        return
    if _waits_for_approval(world, run, policy):
        return
    values = world.values_of(run.guest, run.key)
    limit = slot_refusal(policy, state, values)
    if limit is not None:
        if run.id not in state.slot_line:
            state.slot_line.append(run.id)
            _waits(world, run, Phase.WAITING_SLOT, "limits", limit.text)
        return
    state.slots[run.id] = values
    if run.id in state.slot_line:
        state.slot_line.remove(run.id)
        wake_first(world, state)
    run.phase = Phase.CHECKING
    world.touch(run)
    _check_conditions(world, run)


def _waits(world: World, run: Run, phase: Phase, path: str, reason: str) -> None:
    run.phase = phase
    world.trace(run, path, "waiting", reason)
    world.touch(run)
    world.tell_run(run)


def approval_of(world: World, policy: Policy) -> Approval | None:
    """What an operator is asked before a run begins; None when nobody is."""
    match enforcement_of(world, policy):
        case Enforcement.AUDIT:
            return None
        case Enforcement.APPROVE:
            return policy.approval or Approval()
        case Enforcement.ENFORCE:
            return policy.approval


def _waits_for_approval(world: World, run: Run, policy: Policy) -> bool:
    approval = approval_of(world, policy)
    if approval is None and run.phase is Phase.WAITING_APPROVAL:
        approval = Approval()  # what was asked once is not taken back by other settings
    if run.approved or approval is None:
        run.cursor.wake = None
        return False
    if run.phase is not Phase.WAITING_APPROVAL:
        run.ask = str(scopes.render_leniently(world, run, approval.ask))
        expires = run.cursor.wake = world.now + approval.expires
        reason = f"until {render_time(expires)}" + (f": {run.ask}" if run.ask else "")
        _waits(world, run, Phase.WAITING_APPROVAL, "approval", reason)
    elif run.cursor.wake is not None and world.now >= run.cursor.wake:
        run.cursor.wake = None
        reason = f"nobody approved it within {render_duration(approval.expires)}"
        cancel_run(world, run, reason, "approval")
    return True


def _check_conditions(world: World, run: Run) -> None:
    policy = world.program_of(run).policy
    asked = (*policy.inhibit_if, *policy.conditions)
    needed = frozenset[str]().union(*map(scopes.facts_of, asked))
    # A question may come back later than anybody waits, behind a full disk: it is asked anew.
    given_up(world, run)
    world.touch(run)
    run.cursor.wake = None
    if not known_facts(world, run, needed):
        _give_up(world, run, policy)
        return
    refused = restraint(world, run.policy, run.guest)
    if refused is None and policy.inhibit_if:
        refused = inhibited(policy, scopes.run_scope(world, run))
    if refused is not None:
        _skip(world, run, refused)
        return
    for number, condition in enumerate(policy.conditions):
        answer = scopes.holds(world, run, condition)
        path = "if" if len(policy.conditions) == 1 else f"if/{number}"
        if not answer.truth:
            reason = f"`{condition.source}` is false: {answer.reason}"
            decided_blind(world, run, scopes.facts_of(condition))
            verdict = Verdict.CONDITION_FALSE
            _skip(world, run, Decision(verdict, reason, values=answer.values, path=path))
            return
        world.trace(run, path, "holds", condition.source)
    _start(world, run)


def _give_up(world: World, run: Run, policy: Policy) -> None:
    """End a run whose conditions nobody could decide in all the time that it would have had."""
    since = run.cursor.unheard
    if since is not None and world.now >= since + policy.timeout:
        reason = f"{UNHEARD}: for {render_duration(policy.timeout)} its conditions are undecided"
        world.trace(run, "if", "failed", reason)
        leave_unstarted(world, run, Outcome.FAILED, reason)


def _skip(world: World, run: Run, decision: Decision) -> None:
    """A run that may not begin ends, and gives its place back."""
    world.trace(run, decision.path, decision.verdict.value, decision.reason, decision.values)
    leave_unstarted(world, run, Outcome.SKIPPED, decision.reason)


def inhibited(policy: Policy, scope: Scope) -> Decision | None:
    """Which ``inhibit_if`` holds or cannot be evaluated, which counts the same; None for none."""
    for number, condition in enumerate(policy.inhibit_if):
        answer = condition.holds(scope)
        if answer.truth or answer.failed:
            path = "inhibit_if" if len(policy.inhibit_if) == 1 else f"inhibit_if/{number}"
            why = f"cannot be evaluated: {answer.reason}" if answer.failed else "holds"
            reason = f"`{condition.source}` {why}"
            values = condition.values(scope)
            return Decision(Verdict.INHIBITED, reason, values=values, path=path)
    return None


def _start(world: World, run: Run) -> None:
    policy = world.program_of(run).policy
    state = world.state_of(run.policy)
    run.started = world.now
    state.starts.add(run.key, world.now)
    run.nth = state.starts.within_hour(run.key, world.now)
    row = LedgerRow(run.id, run.policy, run.guest, run.key, run.admitted, started=world.now)
    state.rows[run.id] = row
    state.rows.move_to_end(run.id)
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
    values: dict[str, object] = {"step": scopes.describe(world, run, program.policy.steps[0])}
    if program.policy.approval is not None:
        values["ask"] = scopes.render_leniently(world, run, program.policy.approval.ask)
    world.trace(run, "steps/0", Verdict.WOULD_RUN.value, verb, values)
    run.outcome = Outcome.WOULD_RUN
    end_run(world, run)
