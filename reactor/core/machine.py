"""Driving a run through its program: steps, retries, sections, the end."""

import itertools

from reactor.core.flow import Ended, Failed, Jump, Simple, Skip
from reactor.core.inputs import Answered
from reactor.core.operations import perform
from reactor.core.program import Enter, Finish, Leave, Program, Section
from reactor.core.run import Cursor, Outcome, Phase, Role, Run, Saved
from reactor.core.steps import OnError, StepOptions
from reactor.core.text import render_duration
from reactor.core.world import World

HANDLER_LIMIT = 300.0
"""Seconds a handler has, unless a step of it asks for more."""

_BAD = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN})


def advance(world: World, run: Run) -> None:  # noqa: C901 - one case for each kind
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
        run.cursor.wake = None
        flow = perform(world, run, op)
        match flow:
            case Simple.BLOCK:
                return
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
            case Failed(reason, unknown):
                _step_failed(world, run, reason, unknown=unknown)
            case Ended(outcome, reason):
                _section_ended(world, run, outcome, reason)


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
    if cursor.sent and cursor.answer is None and not _given_up(world, run):
        return False
    for effect in cursor.pending:
        world.asked.pop(effect, None)
    path = world.options_of(run).path
    abandon_step(world, run)
    world.trace(run, path, Outcome.CANCELLED.value, run.cancelled)
    _conclude(world, run, Outcome.CANCELLED, run.cancelled, "")
    world.cancelled.append(run.id)
    return True


def _deadline_passed(world: World, run: Run) -> bool:
    """Whether a deadline was due; it is acted upon then."""
    cursor = run.cursor
    if cursor.pending and not _given_up(world, run):
        return False
    if cursor.answer is not None:
        # What became of a command decides before any deadline does: else a lost
        # reply would be a plain failure, which is tried again.
        return False
    if run.deadline is not None and world.now >= run.deadline:
        _run_timed_out(world, run)
        return True
    if cursor.deadline is not None and world.now >= cursor.deadline:
        options = world.options_of(run)
        limit = render_duration(options.timeout or 0)
        _step_failed(world, run, f"the step did not end within {limit}", unknown=False)
        return True
    return False


def _given_up(world: World, run: Run) -> bool:
    """Whether the answers are so late that they count as lost."""
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
    options = world.options_of(run)
    abandon_step(world, run)
    if run.section is Section.STEPS:
        limit = render_duration(world.program_of(run).policy.timeout)
        reason = f"the run did not end within {limit}"
        world.trace(run, options.path, "timed out", reason)
        _conclude(world, run, Outcome.TIMED_OUT, reason, options.name or options.path)
    else:
        reason = "the handler did not end in its time"
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
        run.saved[options.save] = saved


def release(world: World, run: Run) -> None:
    """Give the guest's hand to the next in line, and stop listening."""
    guest = world.guest_of(run)
    guest.listeners.pop(run.id, None)
    guest.watchers.pop(run.id, None)
    if run.id in guest.line:
        guest.line.remove(run.id)
    run.cursor.holding = False
    if guest.hand != run.id:
        return
    guest.hand = ""
    guest.own.holder_sent = False
    if guest.line:
        guest.hand = guest.line.popleft()
        world.wakeups.append(guest.hand)
    if any(arming.in_line for arming in guest.arming.values()):
        # Now, not in a minute: after a reset the next panic comes soon.
        world.timers.set(f"arm {guest.name}", world.now)


def abandon_step(world: World, run: Run) -> None:
    """Leave a step that did not end well: what it holds and what it heard."""
    cursor = run.cursor
    pc, attempt = cursor.pc, cursor.attempt
    release(world, run)
    run.cursor = Cursor(pc=pc, attempt=attempt)


def _step_failed(world: World, run: Run, reason: str, *, unknown: bool) -> None:
    program = world.program_of(run)
    options = world.options_of(run)
    before = run.cursor.before
    abandon_step(world, run)
    cursor = run.cursor
    enter_pc = _enter_of(program, cursor.pc)
    if not unknown and options.retry is not None and cursor.attempt <= options.retry.times:
        backoff = options.retry.backoff or (0.0,)
        pause = backoff[min(cursor.attempt, len(backoff)) - 1]
        world.trace(run, options.path, "failed, tried again", reason, {"after": pause})
        run.cursor = Cursor(
            pc=enter_pc, attempt=cursor.attempt + 1, pause=world.now + pause, before=before
        )
        return
    _save(run, options, Saved(ok=False, error=reason))
    world.trace(run, options.path, "outcome unknown" if unknown else "failed", reason)
    handler = run.section is not Section.STEPS and run.role is not Role.ARM
    goes_on = options.on_error or (OnError.CONTINUE if handler else OnError.FAIL)
    if goes_on is OnError.CONTINUE and not (unknown and not handler):
        enter = program.ops[enter_pc]
        assert isinstance(enter, Enter)  # noqa: S101 - every step begins with one
        run.cursor = Cursor(pc=enter.end + 1)
        return
    if run.section is Section.STEPS:
        outcome = Outcome.UNKNOWN if unknown else Outcome.FAILED
        _conclude(world, run, outcome, reason, options.name or options.path)
    else:
        _handler_failed(world, run, reason, options.path)


def _handler_failed(world: World, run: Run, reason: str, path: str) -> None:
    """End a handler; its failure stands in the trace, and never in the run's outcome."""
    if run.role is not Role.RUN:
        run.outcome, run.error, run.failed_step = Outcome.FAILED, reason, path
    _finish_section(world, run, run.section)


def _enter_of(program: Program, pc: int) -> int:
    while not isinstance(program.ops[pc], Enter):
        pc -= 1
    return pc


def _section_ended(world: World, run: Run, outcome: Outcome, reason: str) -> None:
    options = world.options_of(run)
    world.trace(run, options.path, outcome.value, reason)
    abandon_step(world, run)
    if run.section is Section.STEPS:
        _conclude(world, run, outcome, reason, options.name or options.path)
    else:
        _finish_section(world, run, run.section)


def _conclude(world: World, run: Run, outcome: Outcome, reason: str, step: str) -> None:
    """The steps are over, well or not: the handlers follow."""
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
    if purpose in {"send", "path"}:
        run.cursor.answer = answer
        return True
    run.cursor.fresh = (*run.cursor.fresh, purpose)
    return not any(p not in {"send", "path"} for p in run.cursor.pending.values())


__all__ = ["advance", "answered", "cancel", "end_run", "fail_before_steps", "release"]
