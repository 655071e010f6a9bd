"""Steps that hold steps: choose, repeat, run, parallel."""

from collections.abc import Mapping

import msgspec

from reactor.core import scopes
from reactor.core.facts import known_facts
from reactor.core.flow import BLOCK, NEXT, Ended, Failed, Flow, Jump
from reactor.core.ops import Choose, Fork, Open, RoundEnd
from reactor.core.run import BranchEnd, Cursor, Frame, Outcome, Role, Run
from reactor.core.scopes import RenderFailed
from reactor.core.steps import ParamKind, RunbookStep
from reactor.core.world import World


def choose(world: World, run: Run, op: Choose) -> Flow:
    """Take the first branch that holds; every condition sees the same fresh facts."""
    needed = frozenset[str]().union(*(scopes.facts_of(when) for when, _, _ in op.ways if when))
    if not known_facts(world, run, needed):
        return BLOCK
    for when, pc, path in op.ways:
        answer = None if when is None else scopes.holds(world, run, when)
        if when is None or answer is None or answer.truth:
            world.trace(run, path, "taken", "default" if when is None else when.source)
            _go_inside(world, run)
            return Jump(pc)
        reason = f"`{when.source}` is false: {answer.reason}"
        world.trace(run, path, "not taken", reason, answer.values)
    world.trace(run, world.options_of(run).path, "nothing to do", "no branch holds")
    return Jump(op.close + 1)


def open_(world: World, run: Run, op: Open) -> Flow:
    """Go on with the first step inside."""
    if op.runbook is None:
        _go_inside(world, run, catch=op.catch)
        return NEXT
    try:
        params = _params(world, run, op.runbook)
    except RenderFailed as failure:
        return Failed(str(failure))
    _go_inside(world, run, params=params)
    return NEXT


def _params(world: World, run: Run, step: RunbookStep) -> dict[str, object]:
    rendered = scopes.render(world, run, step.arguments)
    params = dict(rendered) if isinstance(rendered, Mapping) else {}
    for name, kind in step.kinds:
        if not isinstance(value := params.get(name), _KINDS[kind]) or (
            isinstance(value, bool) and kind is not ParamKind.BOOLEAN
        ):
            raise RenderFailed(f"run: {step.runbook}: `{name}` must be a {kind.value}")
    for name, choices in step.choices:
        if params[name] not in choices:
            known = ", ".join(map(str, choices))
            raise RenderFailed(f"run: {step.runbook}: `{name}` must be one of {known}")
    return params


_KINDS: Mapping[ParamKind, type | tuple[type, ...]] = {
    ParamKind.STRING: str,
    ParamKind.INTEGER: int,
    ParamKind.NUMBER: (int, float),
    ParamKind.BOOLEAN: bool,
    ParamKind.LIST: (list, tuple),
    ParamKind.MAP: Mapping,
}


def _go_inside(
    world: World, run: Run, *, catch: int | None = None, params: dict[str, object] | None = None
) -> None:
    """Put the present step around those that follow."""
    cursor = run.cursor
    run.frames.append(
        Frame(
            pc=world.program_of(run).enters[cursor.pc],
            attempt=cursor.attempt,
            deadline=cursor.deadline,
            catch=catch,
            params=params,
            saved=None if params is None else {},
        )
    )
    run.cursor = Cursor(pc=cursor.pc)


def round_end(world: World, run: Run, op: RoundEnd) -> Flow:
    """Whether another round follows; without ``until`` a round that went well is the last."""
    frame, step = run.frames[-1], op.step
    reason = frame.failure
    if step.until is not None:
        if not known_facts(world, run, scopes.facts_of(step.until)):
            return BLOCK
        answer = scopes.holds(world, run, step.until)
        if answer.truth:
            return NEXT
        reason = reason or f"`{step.until.source}` is false: {answer.reason}"
    elif not reason:
        return NEXT
    if frame.round >= step.times:
        rounds = "one round was" if step.times == 1 else f"{step.times} rounds were"
        return Failed(f"{rounds} not enough: {reason}")
    pause = step.backoff[min(frame.round, len(step.backoff)) - 1] if step.backoff else 0.0
    world.trace(run, step.options.path, "another round", reason, {"after": pause})
    frame.round += 1
    frame.failure = ""
    run.cursor = Cursor(pc=run.cursor.pc, pause=world.now + pause)
    return Jump(op.start)


def close(run: Run) -> Flow:
    """Be outside again: at the end of the step that held the others."""
    frame = run.frames.pop()
    run.cursor = Cursor(pc=run.cursor.pc, attempt=frame.attempt, deadline=frame.deadline)
    return NEXT


def fork(world: World, run: Run, op: Fork) -> Flow:
    """Let the branches begin; each is a run of its own that the present one waits for."""
    deadlines = [run.deadline, run.cursor.deadline, *(frame.deadline for frame in run.frames)]
    deadline = min((d for d in deadlines if d is not None), default=None)
    inherited = msgspec.json.encode(run)
    for start in op.starts:
        branch = msgspec.json.decode(inherited, type=Run)
        branch.id, branch.effects = run.new_id(), 0
        branch.root, branch.parent, branch.role = run.story, run.id, Role.BRANCH
        branch.base, branch.deadline = len(run.frames), deadline
        branch.cursor, branch.branch_end = Cursor(pc=start), None
        world.runs[branch.id] = branch
        run.cursor.branches[branch.id] = None
        world.touch(branch)
        world.wakeups.append(branch.id)
    world.touch(run)
    return Jump(op.join)


def branch_closed(world: World, branch: Run) -> None:
    """Tell the run that waits for this branch how it ended, and what it saved."""
    run = world.runs.get(branch.parent)
    if run is None or branch.id not in run.cursor.branches:
        return  # both are of a policy that cannot be read any more
    _take_results(world, run, branch)
    run.cursor.branches[branch.id] = branch.branch_end or BranchEnd(
        Outcome.FAILED, branch.error, branch.failed_step
    )
    run.epoch = run.epoch or branch.epoch
    world.touch(run)
    world.wakeups.append(run.id)


def _take_results(world: World, run: Run, branch: Run) -> None:
    """Take over what the branch saved; what else it knows it had from before the fork.

    By now another branch may have put something new in its place, in a later round of a repeat.
    """
    program = world.program_of(run)
    fork = program.ops[program.enters[run.cursor.pc] + 1]
    assert isinstance(fork, Fork)  # noqa: S101 - it waits at the join behind it
    start = fork.starts[list(run.cursor.branches).index(branch.id)]
    known = branch.results(branch.base)
    run.results().update({name: known[name] for name in program.saved_by(start) & known.keys()})


def join(run: Run) -> Flow:
    """Go on when all branches have ended.

    An unknown outcome goes first, then what ends the whole run, then the first failure written.
    """
    ends = [end for end in run.cursor.branches.values() if end is not None]
    if len(ends) < len(run.cursor.branches):
        return BLOCK
    bad = [end for end in ends if end.outcome is not Outcome.SUCCEEDED]
    if not bad:
        return NEXT
    for end in bad:
        if end.outcome is Outcome.UNKNOWN:
            return Failed(end.reason, unknown=True, step=end.failed_step)
    for end in bad:
        if end.whole:
            return Ended(end.outcome, end.reason, end.failed_step)
    return Failed(bad[0].reason, step=bad[0].failed_step)


def decides_first(run: Run) -> bool:
    """Whether a branch has ended so that no deadline of a step around may hide it."""
    ends = run.cursor.branches.values()
    return any(end is not None and (end.whole or end.outcome is Outcome.UNKNOWN) for end in ends)
