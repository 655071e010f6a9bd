"""Sending commands that change a guest: permission, limits, replies, the lost ones."""

from collections.abc import Mapping

from reactor.core import catalog, doubts, own, scopes
from reactor.core.catalog import DISCONNECTED
from reactor.core.comparing import changed_by
from reactor.core.effect import Execute
from reactor.core.facts import fresh_facts
from reactor.core.flow import BLOCK, NEXT, Ended, Failed, Flow, Jump
from reactor.core.guards import AFTER_RESET, FAULT_STATES, STOPPED_FOR_GOOD
from reactor.core.holds import held
from reactor.core.inputs import Answered
from reactor.core.intent import intent_of
from reactor.core.ops import Send
from reactor.core.policy import Limit, LimitScope
from reactor.core.probes import BASELINE, Finding, Verdict
from reactor.core.run import Outcome, Run
from reactor.core.scopes import RenderFailed
from reactor.core.targets import FILE, confined
from reactor.core.world import CommandRow, World

COMMAND_LIMIT = 60.0
"""Seconds QEMU has to answer a command, where the step says nothing shorter."""

BUSY_PAUSE = 0.25

_BEING_UNPLUGGED = "already in the process of unplug"

OTHER_LIFE = "QEMU was restarted since this run began, what it is about is over"


def send(world: World, run: Run, op: Send) -> Flow:
    """Send the command once, and say what its answer means."""
    cursor, guest = run.cursor, world.guest_of(run)
    if op.only_after is not None and cursor.before not in op.only_after:
        return NEXT
    if cursor.doubt is not None:
        return _in_doubt(world, run, op)
    if cursor.answer is not None:
        answer, cursor.answer = cursor.answer, None
        return _answered(world, run, op, answer)
    if cursor.sent:
        return BLOCK
    if not guest.connected:
        # What a reset left stopped may run by then, and have panicked again: it is asked.
        cursor.again = cursor.again or op.completes
        guest.watchers[run.id] = None
        return BLOCK
    return _send_now(world, run, op)


def _send_now(world: World, run: Run, op: Send) -> Flow:
    cursor, guest = run.cursor, world.guest_of(run)
    if flow := _not_now(world, run, op):
        return flow
    command = op.command
    if op.wakes_suspended and guest.status == "suspended":
        command = "system_wakeup"
    try:
        arguments = _arguments(world, run, op)
    except RenderFailed as failure:
        return Failed(str(failure))
    if problem := refusal(world, command, arguments):
        return Failed(problem)
    if catalog.changes(command):
        if waits := _slot_of_command(world, run, command):
            return waits
        own.begun(world, run, command, arguments)
    deadline = _deadline(world, run, command, arguments)
    execute = Execute(
        run.new_id(),
        run.guest,
        command,
        arguments,
        deadline,
        catalog.changes(command),
        run.story,
        world.options_of(run).path,
    )
    cursor.sent = execute.id
    _remember(world, run, op, execute)
    if op.await_pc is not None:
        cursor.armed = op.await_pc
        guest.listeners[run.id] = None
    world.ask(run, execute, "send")
    world.touch(run)
    return BLOCK


def _remember(world: World, run: Run, op: Send, execute: Execute) -> None:
    """Write down how things stand, in case nobody says what becomes of the command."""
    cursor, guest = run.cursor, world.guest_of(run)
    cursor.intent, cursor.heard = None, ()
    if not execute.changes:
        return
    # The reset that this command completes was seen, the status after it not yet.
    reset = op.completes and cursor.before in FAULT_STATES | {STOPPED_FOR_GOOD}
    cursor.intent = intent_of(
        execute.id,
        execute.command,
        execute.arguments,
        status=AFTER_RESET if reset else guest.status,
        facts=guest.facts,
        now=world.now,
    )


def _not_now(world: World, run: Run, op: Send) -> Flow | None:
    """What happens instead of sending: a pause, or what became of the guest meanwhile."""
    cursor, guest = run.cursor, world.guest_of(run)
    if cursor.pause is not None and world.now < cursor.pause:
        cursor.wake = cursor.pause
        return BLOCK
    if catalog.changes(op.command):
        if cursor.result is None and held(world, run.guest):
            # Its guard waited, and an operator came meanwhile: nothing was sent yet.
            return Jump(_first_op(world, run))
        run.epoch = run.epoch or guest.epoch
        if run.epoch != guest.epoch:
            return Failed(f"refused: {OTHER_LIFE}")
    if op.completes and cursor.again:
        return _not_needed(world, run, op)
    if not fresh_facts(world, run, BASELINE.get(op.command, frozenset())):
        return BLOCK
    return None


def _not_needed(world: World, run: Run, op: Send) -> Flow | None:
    """Whether the guest no longer stands as the step's reset left it; asked afresh."""
    cursor, guest = run.cursor, world.guest_of(run)
    if not fresh_facts(world, run, frozenset({"status"})):
        return BLOCK
    if guest.status == DISCONNECTED:
        cursor.pause = cursor.wake = world.now + BUSY_PAUSE
        return BLOCK
    if guest.status == AFTER_RESET:
        return None
    reason = f"the guest is {guest.status} by now, {op.command} was not sent"
    world.trace(run, world.options_of(run).path, "nothing to do", reason)
    return NEXT


def _arguments(world: World, run: Run, op: Send) -> dict[str, object]:
    rendered = scopes.render(world, run, op.arguments)
    arguments = dict(rendered) if isinstance(rendered, Mapping) else {}
    if op.command == "dump-guest-memory" and run.cursor.target:
        # The path that was asked about, and no other: `now()` in it has moved on.
        arguments["protocol"] = FILE + run.cursor.target
    return arguments


def _deadline(world: World, run: Run, command: str, arguments: Mapping[str, object]) -> float:
    spared = run.cursor.spared or 0.0
    limits = [max(t, spared) for t in (run.cursor.deadline, run.deadline) if t is not None]
    # A dump that is not detached answers when it is over.
    if command != "dump-guest-memory" or arguments.get("detach") is True:
        limits.append(world.now + COMMAND_LIMIT)
    return min(limits)


def refusal(world: World, command: str, arguments: Mapping[str, object]) -> str | None:
    """Why the settings, or QEMU's life, forbid that this command is sent; None if they do not."""
    if catalog.needs_allow(command, arguments) and command not in world.config.allow:
        return f"refused: {command} is not in the settings' qmp.allow"
    if deadly := catalog.deadly_arguments(command, arguments):
        return f"refused: {deadly}"
    for name in catalog.written_files(command, arguments):
        if not name.startswith("/"):
            return f"refused: {command}: the path {name!r} must be absolute in a raw command"
        if problem := confined(world, name)[1]:
            return f"refused: {command}: the {problem}"
        if ".." in name.split("/"):
            # Behind a link `..` is not where it seems to be: QEMU follows the link first.
            return f"refused: {command}: write the path {name!r} without `..`"
    return None


def _slot_of_command(world: World, run: Run, command: str) -> Flow | None:
    """What the settings' limits over all policies say; None when the command may go."""
    kind = catalog.limited_as(command)
    limits = world.config.limits.get(kind or "", ())
    if kind is None or not limits:
        return None
    values = world.values_of(run.guest, run.key)
    full = world.counts_of(kind).full(values, world.now)
    if full is not None:
        return Failed(f"refused: the settings' limit for {kind} is reached ({full.text})")
    for limit in limits:
        if limit.window is None and _at_once(world, run, kind, limit.scope) >= limit.count:
            return _wait_for_slot(world, run, limit)
    if run.cursor.waited:
        # The guest may be in another state by now: its guard is asked again.
        run.cursor.waited = False
        return Jump(_first_op(world, run))
    name = run.next_id()
    row = CommandRow(kind, run.guest, world.now)
    world.forget_commands()
    world.count_command(name, row)
    world.keep("command", name, row)
    return None


def _wait_for_slot(world: World, run: Run, limit: Limit) -> Flow:
    # Not a failure: dumps that fight for one disk shall take turns.
    cursor = run.cursor
    if not cursor.waited:
        cursor.waited = True
        world.trace(
            run, world.options_of(run).path, "waiting", f"the settings' limit is {limit.text}"
        )
    cursor.wake = world.now + BUSY_PAUSE
    world.touch(run)
    return BLOCK


def _at_once(world: World, run: Run, kind: str, scope: LimitScope) -> int:
    """How many steps of other runs are at such a command now, in the same scope."""
    count = 0
    for other in world.runs.values():
        if other.id == run.id or not other.is_open:
            continue
        if scope is not LimitScope.HOST and other.guest != run.guest:
            continue
        count += kind in at_commands(world, other)
    return count


def at_commands(world: World, run: Run) -> set[str]:
    """Which limited commands the run's present step has sent: reset, dump, destroy."""
    cursor = run.cursor
    program, first = world.program_of(run), _first_op(world, run)
    begun = range(first, cursor.pc + bool(cursor.sent or cursor.doubt))
    # Of a step that holds steps only its own: what they do counts for themselves.
    its = [program.ops[pc] for pc in begun if program.enters[pc] == first - 1]
    return {catalog.limited_as(op.command) or "" for op in its if isinstance(op, Send)}


def _answered(world: World, run: Run, op: Send, answer: Answered) -> Flow:
    cursor = run.cursor
    cursor.sent = ""
    world.touch(run)
    if answer.error is not None:
        return _refused_by_qemu(world, run, op, answer)
    if answer.unsent:
        disarm(world, run)
        world.uncount_command(answer.id)
        own.undone(world, run, op.command)
    if answer.unsent or (answer.lost and catalog.is_idempotent(op.command)):
        # One that may have been done goes on to listen: done twice, it has no second event.
        return _send_again(world, run, op, answer.unsent or answer.lost)
    if answer.lost:
        doubts.doubt(world, run, answer.lost)
        return _in_doubt(world, run, op)
    cursor.result = answer.result
    world.trace(run, world.options_of(run).path, "answered", op.command)
    changed_by(world, world.guest_of(run), op.command)
    return NEXT


def _in_doubt(world: World, run: Run, op: Send) -> Flow:
    """Find out what became of the command, and go on from there."""
    finding = doubts.find(world, run, op)
    if finding is None:
        return BLOCK
    doubts.tell(world, run, finding)
    flow = _found(world, run, op, finding)
    run.cursor.doubt = None
    run.cursor.pause = None
    world.touch(run)
    return flow


def _found(world: World, run: Run, op: Send, finding: Finding) -> Flow:
    cursor = run.cursor
    why = cursor.doubt.why if cursor.doubt is not None else ""
    effect = cursor.intent.effect if cursor.intent is not None else ""
    match finding.verdict:
        case Verdict.DONE:
            return doubts.done(world, run, op)
        case Verdict.NOT_DONE:
            disarm(world, run)
            world.uncount_command(effect)
            own.undone(world, run, op.command)
            cursor.probed = True
            return _send_again(world, run, op, f"{why}, and it was not done: {finding.reason}")
        case Verdict.DIFFERENT if finding.reason != doubts.ANOTHER_QEMU:
            return Ended(Outcome.STOPPED, f"{op.command} was done, and {finding.reason}")
        case Verdict.DIFFERENT | Verdict.UNKNOWN:
            told = f"{op.command}: outcome unknown, it was sent and {why}"
            reason = f"; {finding.reason}" if finding.reason else ""
            return Failed(told + reason, unknown=True)


def _send_again(world: World, run: Run, op: Send, why: str) -> Flow:
    cursor = run.cursor
    world.guest_of(run).watchers[run.id] = None
    cursor.pause = world.now + BUSY_PAUSE
    world.trace(run, world.options_of(run).path, "again", f"{op.command}: {why}")
    if op.completes:
        # The commands of the step before this one were done, and are not done twice.
        cursor.again = True
        return Jump(cursor.pc)
    # Back to the start of the step: its guards are asked again, and deadlines count.
    cursor.spared = None
    return Jump(_first_op(world, run))


def _refused_by_qemu(world: World, run: Run, op: Send, answer: Answered) -> Flow:
    cursor = run.cursor
    error = answer.error
    assert error is not None  # noqa: S101 - the caller looked
    disarm(world, run)
    own.undone(world, run, op.command)
    cursor.intent = None
    if cursor.probed and op.command == "device_del" and _BEING_UNPLUGGED in error.description:
        # The one in doubt was done, and the guest has yet to obey.
        cursor.armed = op.await_pc
        cursor.result = {}
        return NEXT
    if op.busy_pc is not None and "dump in process" in error.description:
        world.uncount_command(answer.id)
        cursor.pause = world.now + BUSY_PAUSE
        return Jump(op.busy_pc)
    if run.answer is not None:
        run.refusal = error
    return Failed(f"{op.command}: {error.error_class}: {error.description}")


def disarm(world: World, run: Run) -> None:
    """Stop listening for the event that would have answered."""
    cursor = run.cursor
    cursor.armed = None
    cursor.caught = None
    world.guest_of(run).listeners.pop(run.id, None)


def _first_op(world: World, run: Run) -> int:
    return world.program_of(run).enters[run.cursor.pc] + 1
