"""Driving a run through its program: steps, retries, sections, the end."""

import itertools
import math

from reactor.core.facts import may_be_asked_again
from reactor.core.flow import Ended, Failed, Flow, Jump, Simple, Skip
from reactor.core.hand import release
from reactor.core.inputs import Answered
from reactor.core.nested import decides_first
from reactor.core.operations import perform
from reactor.core.ops import AwaitEvent, BranchEnd, Call, Enter, Finish, Leave, Op, Section
from reactor.core.owed import half_done, is_spared, owes
from reactor.core.program import Program
from reactor.core.run import BranchEnd as BranchResult
from reactor.core.run import Cursor, Outcome, Phase, Role, Run, Saved
from reactor.core.steps import OnError, StepOptions
from reactor.core.text import render_duration
from reactor.core.world import World

HANDLER_LIMIT = 300.0
"""Seconds a handler has, unless a step of it asks for more."""

_DEEDS = frozenset({"send", "path", "call", "proof"})
"""What the answers to effects are for, besides facts."""

_BAD = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN})


def advance(world: World, run: Run) -> None:
    """Perform operations until the run waits for something or has ended."""
    program = world.program_of(run)
    world.touch(run)
    while run.is_open:
        if _cancel_is_due(world, run) or _deadline_passed(world, run):
            continue
        op = program.ops[run.cursor.pc]
        if isinstance(op, Finish):
            _finish_section(world, run, op.section)
            continue
        if isinstance(op, BranchEnd):
            _branch_ended(world, run, BranchResult(Outcome.SUCCEEDED, "", ""))
            continue
        run.cursor.wake = None
        if not _follow(world, run, op, perform(world, run, op)):
            return


def _follow(world: World, run: Run, op: Op, flow: Flow) -> bool:
    """Do what an operation said; whether the run can go on now."""
    match flow:
        case Simple.BLOCK:
            return False
        case Simple.NEXT:
            if isinstance(op, Leave):
                _leave(world, run, op.options)
            run.cursor.pc += 1
        case Jump(to):
            run.cursor.pc = to
        case Skip(to, reason):
            options = world.options_of(run)
            world.trace(run, options.path, "skipped", reason)
            _save(run, options, Saved(ok=False, error=reason))
            run.cursor = Cursor(pc=to)
        case Failed(reason, unknown, step):
            _step_failed(world, run, reason, unknown=unknown, step=step)
        case Ended(outcome, reason, step):
            _section_ended(world, run, outcome, reason, step)
    return True


def cancel(world: World, run: Run, reason: str) -> None:
    """End a started run as cancelled, once what it has sent is answered; ``finally`` follows.

    A run that is at its handlers already comes to its own end.
    """
    if run.phase is Phase.RUNNING and not run.cancelled:
        run.cancelled = reason
        world.touch(run)
        world.wakeups.append(run.id)


def _cancel_is_due(world: World, run: Run) -> bool:
    """Whether the run was to be cancelled and nothing is in flight; it is done then."""
    cursor = run.cursor
    if not run.cancelled or run.phase is not Phase.RUNNING:
        return False
    if branches := _open_branches(world, run):
        for branch in branches:
            cancel(world, branch, run.cancelled)
        return False
    if cursor.sent and cursor.answer is None and not given_up(world, run):
        return False
    if owes(world, run) and is_spared(world, run):
        return False
    for effect in cursor.pending:
        world.asked.pop(effect, None)
    path = world.options_of(run).path
    abandon_step(world, run)
    world.trace(run, path, Outcome.CANCELLED.value, run.cancelled)
    _conclude(world, run, Outcome.CANCELLED, run.cancelled, "")
    if run.role is Role.RUN:
        world.cancelled.append(run.id)
    return True


def _open_branches(world: World, run: Run) -> list[Run]:
    """The branches that the run waits for: each ends by itself, by its deadline at the latest."""
    return [world.runs[name] for name, end in run.cursor.branches.items() if end is None]


def _deadline_passed(world: World, run: Run) -> bool:
    """Whether a deadline was due; it is acted upon then."""
    cursor = run.cursor
    if _open_branches(world, run) or (cursor.pending and not given_up(world, run)):
        return False
    if _is_known(world, run) or cursor.doubt is not None or decides_first(run):
        # What became of a command decides before any deadline does: else a lost
        # reply would be a plain failure, which is tried again. So does a branch's last word.
        return False
    if min(run.ends(), default=math.inf) > world.now or is_spared(world, run):
        return False
    _cut_short(world, run)
    return True


def _is_known(world: World, run: Run) -> bool:
    """Whether the end of the step or of all steps, or what it waits for, came, however late."""
    cursor = run.cursor
    op = world.program_of(run).ops[cursor.pc]
    # What came before a command that is sent once more does not say that this one is answered.
    came = cursor.caught is not None and isinstance(op, _AWAITS)
    return isinstance(op, _ENDS) or cursor.answer is not None or came


# Made once: a union in the call is made anew for each operation of each run.
_AWAITS = AwaitEvent | Call
_ENDS = Leave | BranchEnd | Finish


def _cut_short(world: World, run: Run) -> None:
    """Act upon the deadline that passed: the run's before one of a step around."""
    if run.deadline is not None and world.now >= run.deadline:
        _run_timed_out(world, run)
        return
    left = half_done(world, run)
    for place, frame in enumerate(run.frames[run.base :], run.base):
        if frame.deadline is not None and world.now >= frame.deadline:
            abandon_step(world, run)
            del run.frames[place + 1 :]
            run.cursor = Cursor(pc=frame.pc)
            break
    _step_timed_out(world, run, left)


def _step_timed_out(world: World, run: Run, left: str) -> None:
    limit = render_duration(world.options_of(run).timeout or 0)
    reason = f"the step did not end within {limit}{left}"
    _step_failed(world, run, reason, unknown=False)


def given_up(world: World, run: Run) -> bool:
    """Whether the answers are so late that they count as lost: then nobody waits for them."""
    cursor = run.cursor
    if cursor.answer_by is None or world.now < cursor.answer_by:
        return False
    for effect in cursor.pending:
        world.asked.pop(effect, None)
    cursor.pending.clear()
    if cursor.sent:
        cursor.answer = Answered(cursor.sent, lost="no answer came within its deadline")
    return True


def _run_timed_out(world: World, run: Run) -> None:
    options, left = world.options_of(run), half_done(world, run)
    abandon_step(world, run)
    if run.role is Role.BRANCH:
        reason = f"the time of the run, or of a step around, was over{left}"
        world.trace(run, options.path, "timed out", reason)
        _branch_ended(
            world, run, BranchResult(Outcome.TIMED_OUT, reason, options.name or options.path)
        )
    elif run.section is Section.STEPS:
        limit = render_duration(world.program_of(run).policy.timeout)
        reason = f"the run did not end within {limit}{left}"
        world.trace(run, options.path, "timed out", reason)
        _conclude(world, run, Outcome.TIMED_OUT, reason, options.name or options.path)
    else:
        reason = f"the handler did not end in its time{left}"
        world.trace(run, options.path, "timed out", reason)
        _handler_failed(world, run, reason, options.path)


def _leave(world: World, run: Run, options: StepOptions) -> None:
    world.trace(run, options.path, "done")
    _save(run, options, Saved(ok=True, result=run.cursor.result))
    pc = run.cursor.pc
    release(world, run)
    run.cursor = Cursor(pc=pc)


def _save(run: Run, options: StepOptions, saved: Saved) -> None:
    if options.save is not None:
        run.results()[options.save] = saved


def abandon_step(world: World, run: Run) -> None:
    """Leave a step that did not end well: what it holds and what it heard."""
    cursor = run.cursor
    pc, attempt = cursor.pc, cursor.attempt
    release(world, run)
    run.cursor = Cursor(pc=pc, attempt=attempt)


def _step_failed(world: World, run: Run, reason: str, *, unknown: bool, step: str = "") -> None:
    """Try the step again, go on without it, or let the steps around it fail, and then the run."""
    program = world.program_of(run)
    while True:
        options = world.options_of(run)
        _come_out(program, run)
        step = step or options.name or options.path
        if _tried_again(world, run, reason, unknown=unknown):
            return
        abandon_step(world, run)
        _save(run, options, Saved(ok=False, error=reason))
        world.trace(run, options.path, "outcome unknown" if unknown else "failed", reason)
        if _goes_on(run, options, unknown=unknown):
            run.cursor = Cursor(pc=program.enter_of(run.cursor.pc).end + 1)
            return
        if len(run.frames) == run.base:
            break
        frame = run.frames[-1]
        if frame.catch is not None and not unknown:
            frame.failure = reason
            run.cursor = Cursor(pc=frame.catch)
            return
        run.cursor = Cursor(pc=frame.pc)
    outcome = Outcome.UNKNOWN if unknown else Outcome.FAILED
    if run.role is Role.BRANCH:
        _branch_ended(world, run, BranchResult(outcome, reason, step))
    elif run.section is Section.STEPS:
        _conclude(world, run, outcome, reason, step)
    else:
        _handler_failed(world, run, reason, step)


def _come_out(program: Program, run: Run) -> None:
    """Leave the inside of the step that fails itself, if it was inside."""
    if len(run.frames) > run.base and run.frames[-1].pc == program.enters[run.cursor.pc]:
        run.cursor.attempt = run.frames.pop().attempt


def _tried_again(world: World, run: Run, reason: str, *, unknown: bool) -> bool:
    options, cursor = world.options_of(run), run.cursor
    if unknown or options.retry is None or cursor.attempt > options.retry.times:
        return False
    before, attempt = cursor.before, cursor.attempt
    abandon_step(world, run)
    backoff = options.retry.backoff or (0.0,)
    pause = backoff[min(attempt, len(backoff)) - 1]
    world.trace(run, options.path, "failed, tried again", reason, {"after": pause})
    enter = world.program_of(run).enters[cursor.pc]
    run.cursor = Cursor(pc=enter, attempt=attempt + 1, pause=world.now + pause, before=before)
    return True


def _goes_on(run: Run, options: StepOptions, *, unknown: bool) -> bool:
    """Whether the run goes on behind a step that failed."""
    handler = run.section is not Section.STEPS and run.role is not Role.ARM
    goes_on = options.on_error or (OnError.CONTINUE if handler else OnError.FAIL)
    return goes_on is OnError.CONTINUE and not (unknown and not handler)


def _branch_ended(world: World, run: Run, end: BranchResult) -> None:
    """A branch of a parallel step is at its end; who waits for it decides what it means."""
    run.branch_end = end
    end_run(world, run)


def _handler_failed(world: World, run: Run, reason: str, path: str) -> None:
    """End a handler; its failure stands in the trace, and never in the run's outcome."""
    if run.role is not Role.RUN:
        run.outcome, run.error, run.failed_step = Outcome.FAILED, reason, path
    _finish_section(world, run, run.section)


def _section_ended(world: World, run: Run, outcome: Outcome, reason: str, step: str) -> None:
    options = world.options_of(run)
    step = step or options.name or options.path
    world.trace(run, options.path, outcome.value, reason)
    abandon_step(world, run)
    if run.role is Role.BRANCH:
        _branch_ended(world, run, BranchResult(outcome, reason, step, whole=True))
    elif run.section is Section.STEPS:
        _conclude(world, run, outcome, reason, step)
    else:
        _finish_section(world, run, run.section)


def _conclude(world: World, run: Run, outcome: Outcome, reason: str, step: str) -> None:
    """The steps are over, well or not: the handlers follow."""
    if run.role is Role.BRANCH:
        _branch_ended(world, run, BranchResult(outcome, reason, step))
        return
    run.outcome = outcome
    if outcome is not Outcome.SUCCEEDED:
        run.error = reason
        run.failed_step = step if outcome in _BAD else ""
    program = world.program_of(run)
    if outcome in _BAD and program.has(Section.ON_FAILURE):
        _enter_section(world, run, Section.ON_FAILURE)
    else:
        _enter_section(world, run, Section.FINALLY)


def fail_before_steps(world: World, run: Run, reason: str, path: str) -> None:
    """A run that started, and failed before its first step."""
    world.trace(run, path, "failed", reason)
    _conclude(world, run, Outcome.FAILED, reason, path)
    advance(world, run)


def _enter_section(world: World, run: Run, section: Section) -> None:
    program = world.program_of(run)
    start = program.starts[section]
    run.section = section
    run.phase = Phase.HANDLING
    run.cursor = Cursor(pc=start)
    run.frames = []
    run.deadline = world.now + handler_limit(program, section)


def handler_limit(program: Program, section: Section) -> float:
    """Seconds the handler may take: 5 min, or its longest step's timeout."""
    start = program.starts[section]
    ops = itertools.takewhile(lambda op: not isinstance(op, Finish), program.ops[start:])
    limits = (op.options.timeout or 0.0 for op in ops if isinstance(op, Enter))
    return max([HANDLER_LIMIT, *limits])


def _finish_section(world: World, run: Run, section: Section) -> None:
    match section:
        case Section.STEPS:
            _conclude(world, run, Outcome.SUCCEEDED, "", "")
        case Section.ON_FAILURE:
            _enter_section(world, run, Section.FINALLY)
        case Section.FINALLY:
            end_run(world, run)
        case Section.ON_LIMIT | Section.ARM:
            run.outcome = run.outcome or Outcome.SUCCEEDED
            end_run(world, run)


def end_run(world: World, run: Run) -> None:
    """Close the run: its hand, its questions; the engine does the rest."""
    for effect in run.cursor.pending:
        world.asked.pop(effect, None)
    release(world, run)
    run.cursor = Cursor(pc=run.cursor.pc)
    run.phase = Phase.ENDED
    run.deadline = None
    world.ended.append(run.id)
    world.touch(run)


def outcome_unknown(world: World, run: Run, reason: str) -> None:
    """What the step waited for cannot be known any more."""
    _step_failed(world, run, reason, unknown=True)


def answered(world: World, run: Run, answer: Answered) -> bool:
    """Hand an answer to the run; true when it must be woken."""
    purpose = run.cursor.pending.pop(answer.id, "")
    world.touch(run)
    if purpose in _DEEDS:
        run.cursor.answer = answer
        return True
    if may_be_asked_again(world, run, purpose, answer):
        return True
    run.cursor.fresh = (*run.cursor.fresh, purpose)
    return _DEEDS.issuperset(run.cursor.pending.values())


__all__ = ["advance", "answered", "cancel", "end_run", "fail_before_steps"]
