"""Calls that leave QEMU: the guest's agent, web servers, programs of the host."""

from collections.abc import Mapping

from reactor.core import catalog, scopes
from reactor.core.effect import CallAgent, CallHttp, StartProgram
from reactor.core.flow import BLOCK, NEXT, Failed, Flow
from reactor.core.inputs import Answered
from reactor.core.ops import Call
from reactor.core.run import Run
from reactor.core.scopes import RenderFailed
from reactor.core.sending import BUSY_PAUSE, COMMAND_LIMIT, OTHER_LIFE, disarm
from reactor.core.steps import AgentStep, ExecStep, HttpStep
from reactor.core.text import render_duration, render_text
from reactor.core.world import World

_HTTP_AGAIN = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""Methods that may be sent twice. Source: RFC 9110, 9.2.2."""

_Effect = CallAgent | CallHttp | StartProgram


def call(world: World, run: Run, op: Call) -> Flow:
    """Make the call once, and say what its answer means."""
    cursor = run.cursor
    if cursor.answer is not None:
        answer, cursor.answer = cursor.answer, None
        return _called(world, run, op, answer)
    if cursor.sent:
        return BLOCK
    if cursor.limit is not None and world.now >= cursor.limit:
        verb = world.program_of(run).enter_of(cursor.pc).verb
        return Failed(f"{verb}: it could not be sent within {render_duration(COMMAND_LIMIT)}")
    if cursor.pause is not None and world.now < cursor.pause:
        cursor.wake = cursor.pause
        return BLOCK
    cursor.pause = None
    if refusal := _refusal(world, run, op.step):
        return Failed(refusal)
    try:
        effect = _effect(world, run, op.step)
    except RenderFailed as failure:
        return Failed(str(failure))
    cursor.sent = effect.id
    if op.await_pc is not None:
        cursor.armed = op.await_pc
        world.guest_of(run).listeners[run.id] = None
    world.ask(run, effect, "call")
    world.touch(run)
    return BLOCK


def _refusal(world: World, run: Run, step: AgentStep | HttpStep | ExecStep) -> str | None:
    guest = world.guest_of(run)
    match step:
        case AgentStep():
            if not guest.agent:
                return f"the settings name no agent for {guest.name}"
            if catalog.agent_changes(step.command):
                run.epoch = run.epoch or guest.epoch
                if guest.connected and run.epoch != guest.epoch:
                    return f"refused: {OTHER_LIFE}"
            return None
        case ExecStep(_, program):
            allowed = program in world.config.exec_allow
            return None if allowed else f"refused: {program} is not in the settings' exec.allow"
        case HttpStep():
            return None


def _effect(world: World, run: Run, step: AgentStep | HttpStep | ExecStep) -> _Effect:
    deadline = _deadline(world, run)
    match step:
        case AgentStep(_, command, arguments):
            rendered = scopes.render(world, run, arguments)
            return CallAgent(
                run.new_id(),
                run.guest,
                command,
                dict(rendered) if isinstance(rendered, Mapping) else {},
                deadline,
                replies=catalog.agent_replies(command),
                run=run.story,
                step=step.options.path,
            )
        case ExecStep(_, program, arguments):
            rendered = scopes.render(world, run, arguments)
            texts = rendered if isinstance(rendered, list) else []
            words = tuple(map(render_text, texts))
            return StartProgram(
                run.new_id(),
                run.guest,
                program,
                words,
                deadline,
                run.story,
                run.policy,
                step.options.path,
            )
        case HttpStep():
            return _request(world, run, step, deadline)


def _request(world: World, run: Run, step: HttpStep, deadline: float) -> CallHttp:
    # Leniently, as in `publish`: people must be told even when a detail is missing.
    headers = scopes.render_leniently(world, run, step.headers)
    pairs = headers if isinstance(headers, Mapping) else {}
    return CallHttp(
        run.new_id(),
        run.guest,
        step.method,
        str(scopes.render_leniently(world, run, step.url)),
        {str(name): render_text(value) for name, value in pairs.items()},
        deadline,
        json=scopes.render_leniently(world, run, step.json),
        has_body=step.json is not None,
        expect=step.expect,
        run=run.story,
        step=step.options.path,
    )


def _deadline(world: World, run: Run) -> float:
    """When the call counts as lost: at the step's end, or after a minute without a timeout."""
    own = run.cursor.deadline
    limits = [own if own is not None else world.now + COMMAND_LIMIT]
    limits += [frame.deadline for frame in run.frames if frame.deadline is not None]
    return min(limits if run.deadline is None else [*limits, run.deadline])


def _called(world: World, run: Run, op: Call, answer: Answered) -> Flow:
    cursor = run.cursor
    cursor.sent = ""
    world.touch(run)
    what = world.program_of(run).enter_of(cursor.pc).verb
    if answer.error is not None:
        disarm(world, run)
        return Failed(f"{what}: {answer.error.error_class}: {answer.error.description}")
    if op.await_pc is not None and not answer.unsent:
        return _is_awaited(world, run, what, answer)
    if answer.lost and not _may_repeat(op.step):
        return Failed(f"{what}: outcome unknown, it was sent and {answer.lost}", unknown=True)
    if answer.unsent or answer.lost:
        return _again(world, run, answer.unsent or answer.lost)
    cursor.result, cursor.limit = answer.result, None
    world.trace(run, world.options_of(run).path, "answered", what)
    return NEXT


def _is_awaited(world: World, run: Run, what: str, answer: Answered) -> Flow:
    """Go on to the event that proves it done: it comes, or its time passes."""
    cursor = run.cursor
    if cursor.cut and cursor.caught is None:
        reason = f"{what} was sent, and the monitor was away while its event was awaited"
        return Failed(reason, unknown=True)
    cursor.cut, cursor.limit = False, None
    world.trace(
        run, world.options_of(run).path, "lost" if answer.lost else "answered", answer.lost or what
    )
    return NEXT


def _again(world: World, run: Run, why: str) -> Flow:
    """Call once more in a moment, for a minute where the step has no time of its own."""
    cursor = run.cursor
    disarm(world, run)
    cursor.cut = False
    if not cursor.waited:
        cursor.waited = True
        cursor.limit = None if cursor.deadline is not None else world.now + COMMAND_LIMIT
        world.trace(run, world.options_of(run).path, "again", why)
    cursor.pause = cursor.wake = world.now + BUSY_PAUSE
    return BLOCK


def _may_repeat(step: AgentStep | HttpStep | ExecStep) -> bool:
    match step:
        case AgentStep(_, command):
            return catalog.agent_is_idempotent(command)
        case HttpStep(_, method):
            return method in _HTTP_AGAIN
        case ExecStep():
            return False
