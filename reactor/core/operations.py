"""Performing the operations of a program, one function for each.

Every function may be called again after any wake-up: it looks at the cursor to
see what has come in since. None of them keeps anything outside the cursor.
"""

from reactor.core import acts, calls, cut_waits, nested, scopes, sending, targets
from reactor.core.catalog import CONNECTED, DISCONNECTED
from reactor.core.effect import Discard, Dumped
from reactor.core.event import Event
from reactor.core.facts import POLL, UNHEARD, fresh_facts, is_unheard, known_facts
from reactor.core.flow import BLOCK, NEXT, Failed, Flow, Jump, Skip
from reactor.core.guards import AFTER_RESET, Answer, Rule, facts_needed, rule_on
from reactor.core.guest import Guest
from reactor.core.hand import take_hand
from reactor.core.hearing import dump_result, judge
from reactor.core.ops import (
    Act,
    AwaitCondition,
    AwaitEvent,
    AwaitRule,
    AwaitStatus,
    AwaitStays,
    BranchEnd,
    Call,
    CheckTarget,
    Choose,
    Close,
    Enter,
    Finish,
    Fork,
    GoTo,
    Guard,
    Join,
    Leave,
    Op,
    Open,
    RoundEnd,
    Send,
    Sleep,
    TakeHand,
)
from reactor.core.run import Run
from reactor.core.steps import StepOptions
from reactor.core.text import render_duration
from reactor.core.world import World

GUARD_LIMIT = 600.0
"""Seconds a guard waits at most, where the step's own timeout is not shorter."""

_RAW_RULES = frozenset({Rule.RAW_RESET, Rule.RAW_CONT})


def perform(world: World, run: Run, op: Op) -> Flow:  # noqa: C901 - one case for each kind
    """Do what can be done of this operation now."""
    match op:
        case Enter():
            return _enter(world, run, op)
        case TakeHand():
            return take_hand(world, run)
        case Guard():
            return _guard(world, run, op)
        case CheckTarget():
            return targets.check_target(world, run, op)
        case Send():
            return sending.send(world, run, op)
        case AwaitEvent():
            return _await_event(world, run, op)
        case AwaitCondition():
            return _await_condition(world, run, op)
        case AwaitStatus():
            return _await_status(world, run, op)
        case Sleep(seconds):
            return _sleep(world, run, seconds)
        case AwaitStays():
            return _await_stays(world, run, op)
        case Call():
            return calls.call(world, run, op)
        case Choose() | Open() | RoundEnd() | Close() | Fork() | Join():
            return _nested(world, run, op)
        case GoTo(to):
            return Jump(to)
        case Act(step):
            return acts.act(world, run, step)
        case Leave() | Finish() | BranchEnd():
            return NEXT


def _nested(world: World, run: Run, op: Choose | Open | RoundEnd | Close | Fork | Join) -> Flow:
    match op:
        case Choose():
            return nested.choose(world, run, op)
        case Open():
            return nested.open_(world, run, op)
        case RoundEnd():
            return nested.round_end(world, run, op)
        case Close():
            return nested.close(run)
        case Fork():
            return nested.fork(world, run, op)
        case Join():
            return nested.join(run)


def _enter(world: World, run: Run, op: Enter) -> Flow:
    cursor, options = run.cursor, op.options
    if cursor.pause is not None and world.now < cursor.pause:
        cursor.wake = cursor.pause
        return BLOCK
    cursor.pause = None
    if options.condition is not None and cursor.attempt == 1:
        if not known_facts(world, run, scopes.facts_of(options.condition)):
            return BLOCK
        answer = scopes.holds(world, run, options.condition)
        if not answer.truth:
            return Skip(op.end + 1, f"`if` is false: {answer.reason}")
    if options.timeout is not None:
        cursor.deadline = world.now + options.timeout
    world.trace(run, options.path, "begun", op.verb, _bounds(options, cursor.attempt))
    world.tell_run(run, options.path, op.verb)
    return NEXT


def _bounds(options: StepOptions, attempt: int) -> dict[str, object]:
    """Which attempt this is, of how many, and how many seconds it has at most."""
    bounds: dict[str, object] = {"attempt": attempt}
    if options.retry is not None:
        bounds["of"] = options.retry.times + 1
    if options.timeout is not None:
        bounds["within"] = options.timeout
    return bounds


def _guard(world: World, run: Run, op: Guard) -> Flow:
    cursor, guest = run.cursor, world.guest_of(run)
    if guest.is_storage_daemon and guest.connected:
        return _guard_without_guest(guest, op.rule)
    if cursor.pause is not None and world.now < cursor.pause:
        cursor.wake = cursor.pause
        return BLOCK
    if not fresh_facts(world, run, facts_needed(op.rule)):
        return BLOCK
    ruling = rule_on(op.rule, guest.state(), world.now)
    match ruling.answer:
        case Answer.ALLOW:
            _allowed(guest, run)
            return NEXT
        case Answer.DONE:
            world.trace(run, world.options_of(run).path, "nothing to do", ruling.reason)
            return Jump(op.end)
        case Answer.REFUSE:
            return Failed(f"refused: {ruling.reason}")
        case Answer.WAIT:
            return _guard_waits(world, run, ruling.reason)


def _allowed(guest: Guest, run: Run) -> None:
    cursor = run.cursor
    if not (cursor.before and guest.status == AFTER_RESET):
        # Else it may be the step's own reset, tried again, that left it so.
        cursor.before = guest.status
    cursor.limit = None
    guest.watchers.pop(run.id, None)


def _guard_without_guest(guest: Guest, rule: Rule) -> Flow:
    if rule in _RAW_RULES:
        return NEXT
    return Failed(f"{rule.value}: {guest.name} is a storage daemon, it has no guest")


def _guard_waits(world: World, run: Run, reason: str) -> Flow:
    cursor = run.cursor
    if cursor.limit is None:
        cursor.limit = world.now + GUARD_LIMIT
        world.trace(run, world.options_of(run).path, "waiting", reason)
    elif world.now >= cursor.limit:
        return Failed(f"waited {render_duration(GUARD_LIMIT)} in vain: {reason}")
    return _watch(world, run)


def _watch(world: World, run: Run) -> Flow:
    # At every input of the guest and every 250 ms, says the contract.
    world.guest_of(run).watchers[run.id] = None
    run.cursor.wake = world.now + POLL
    return BLOCK


def _await_event(world: World, run: Run, op: AwaitEvent) -> Flow:
    cursor, guest = run.cursor, world.guest_of(run)
    if op.only_after is not None and cursor.before not in op.only_after:
        return NEXT
    if cursor.armed is None:
        cursor.armed = cursor.pc
    if cursor.limit is None and op.wait.timeout is not None:
        cursor.limit = world.now + op.wait.timeout
    if cursor.caught is not None:
        return _caught(world, run, op, cursor.caught)
    guest.listeners[run.id] = None
    if cursor.cut:
        return cut_waits.settle(world, run, op)
    if cursor.limit is not None and world.now >= cursor.limit:
        names = ", ".join(op.wait.events)
        return Failed(f"{names} did not come within {render_duration(op.wait.timeout or 0)}")
    return BLOCK


def _caught(world: World, run: Run, op: AwaitEvent, event: Event) -> Flow:
    cursor, guest = run.cursor, world.guest_of(run)
    verdict = judge(world, run, op, event)
    if op.rule is AwaitRule.DUMP:
        if verdict is NEXT:
            # A DUMP_COMPLETED that a resync made up for does not know how much it was.
            written = dump_result(event.data).get("completed")
            cursor.result = {"file": cursor.target, "bytes": written}
            world.emit(Dumped(cursor.target, run.guest, run.story))
        else:
            # QEMU leaves what it had written; nobody can read half a dump.
            world.emit(Discard(cursor.target))
    if event.name == CONNECTED:
        run.epoch = guest.epoch  # who waited for the next QEMU is about that one
    if cursor.result is None:  # a command's own return goes first
        cursor.result = event.data
    cursor.caught, cursor.armed, cursor.limit = None, None, None
    guest.listeners.pop(run.id, None)
    return verdict or Failed("the awaited event was taken back")


def _await_condition(world: World, run: Run, op: AwaitCondition) -> Flow:
    cursor, guest = run.cursor, world.guest_of(run)
    if cursor.limit is None and op.limit is not None:
        cursor.limit = world.now + op.limit
    needed = scopes.facts_of(op.until)
    if needed and guest.status == DISCONNECTED and not guest.connected:
        answered = False
    elif not fresh_facts(world, run, needed):
        return BLOCK
    else:
        answered = not is_unheard(guest, needed) and scopes.holds(world, run, op.until).truth
    if answered:
        guest.watchers.pop(run.id, None)
        return NEXT
    if cursor.limit is not None and world.now >= cursor.limit:
        limit = render_duration(op.limit or 0)
        why = f": {UNHEARD}" if is_unheard(guest, needed) else ""
        return Failed(f"`{op.until.source}` did not hold within {limit}{why}")
    return _watch(world, run)


def _await_stays(world: World, run: Run, op: AwaitStays) -> Flow:
    cursor = run.cursor
    if cursor.limit is None and op.limit is not None:
        cursor.limit = world.now + op.limit
    needed, guest = scopes.facts_of(op.stays), world.guest_of(run)
    if needed and not guest.connected:
        cursor.since = None  # nobody knows what it does meanwhile
    elif not fresh_facts(world, run, needed):
        return BLOCK
    elif is_unheard(guest, needed) or not scopes.holds(world, run, op.stays).truth:
        cursor.since = None
    else:
        cursor.since = world.now if cursor.since is None else cursor.since
    return _stayed(world, run, op)


def _stayed(world: World, run: Run, op: AwaitStays) -> Flow:
    cursor = run.cursor
    until = None if cursor.since is None else cursor.since + op.seconds
    if until is not None and world.now >= until:
        world.guest_of(run).watchers.pop(run.id, None)
        return NEXT
    if cursor.limit is not None and world.now >= cursor.limit:
        spans = f"{render_duration(op.seconds)} within {render_duration(op.limit or 0)}"
        return Failed(f"`{op.stays.source}` did not stay true for {spans}")
    _watch(world, run)
    cursor.wake = min(time for time in (cursor.wake, until) if time is not None)
    return BLOCK


def _await_status(world: World, run: Run, op: AwaitStatus) -> Flow:
    cursor, guest = run.cursor, world.guest_of(run)
    if not guest.connected:
        # Nobody can say how it stands: the patience begins anew at the next connect.
        cursor.limit = None
        return _watch(world, run)
    if cursor.limit is None and op.limit > 0:
        cursor.limit = world.now + op.limit
    if not fresh_facts(world, run, frozenset({"status"})):
        return BLOCK
    if (guest.status in op.states) != op.leave:
        cursor.limit = None
        guest.watchers.pop(run.id, None)
        return NEXT
    if op.limit == 0:
        return Failed(f"the guest {op.problem}: it is {guest.status}")
    if cursor.limit is not None and world.now >= cursor.limit:
        return Failed(f"the guest {op.problem} for {render_duration(op.limit)}")
    return _watch(world, run)


def _sleep(world: World, run: Run, seconds: float) -> Flow:
    cursor = run.cursor
    if cursor.limit is None:
        cursor.limit = world.now + seconds
    if world.now < cursor.limit:
        return BLOCK
    cursor.limit = None
    return NEXT
