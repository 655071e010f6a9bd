"""Whether an event is the one that a run waits for."""

from collections.abc import Mapping

from reactor.core import scopes
from reactor.core.event import Event
from reactor.core.flow import NEXT, Failed, Flow
from reactor.core.matching import meant
from reactor.core.ops import AwaitEvent, AwaitRule
from reactor.core.run import Run
from reactor.core.world import World


def listen(world: World, run: Run, event: Event) -> bool:
    """Offer an event of the guest to a run that listens; true when it must be woken."""
    cursor = run.cursor
    if cursor.armed is None or cursor.caught is not None:
        return False
    op = world.program_of(run).ops[cursor.armed]
    if not isinstance(op, AwaitEvent) or not meant(event, op.wait.events):
        return False
    if judge(world, run, op, event) is None:
        return False
    cursor.caught = event
    world.touch(run)
    return cursor.pc == cursor.armed


def judge(world: World, run: Run, op: AwaitEvent, event: Event) -> Flow | None:
    """Whether this is the awaited event: NEXT, a failure, or None to go on waiting."""
    match op.rule:
        case AwaitRule.DUMP:
            return _judge_dump(event.data)
        case AwaitRule.RESET:
            return _judge_reset(event)
        case AwaitRule.SHUTDOWN | AwaitRule.REBOOT:
            return NEXT
        case AwaitRule.USER:
            wait = op.wait
            if wait.fail_when is not None and scopes.holds(world, run, wait.fail_when, event).truth:
                return Failed(f"{event.name} came and `fail_when` holds: {wait.fail_when.source}")
            if wait.where is not None and not scopes.holds(world, run, wait.where, event).truth:
                return None
            return NEXT


def _judge_dump(data: Mapping[str, object]) -> Flow:
    status = dump_result(data).get("status")
    if status == "completed" and "error" not in data:
        return NEXT
    return Failed(f"the dump failed: {data.get('error') or f'its status is {status}'}")


def dump_result(data: Mapping[str, object]) -> Mapping[str, object]:
    """What a DUMP_COMPLETED says of its dump; empty where it says nothing."""
    result = data.get("result")
    return result if isinstance(result, Mapping) else {}


def _judge_reset(event: Event) -> Flow | None:
    if event.name == "SHUTDOWN":
        if str(event.data.get("reason", "")).startswith("host-"):
            return Failed("QEMU exits at a reset (-no-reboot): the guest must be started again")
        return None
    return None if event.data.get("guest") is True else NEXT
