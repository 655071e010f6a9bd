"""What each verb of a guest, and each raw command, is made of."""

from collections.abc import Mapping

from reactor.core import catalog
from reactor.core.guards import FAULT_STATES, STOPPED_FOR_GOOD, Rule
from reactor.core.ops import (
    AwaitEvent,
    AwaitRule,
    AwaitStatus,
    Call,
    CheckTarget,
    Guard,
    Op,
    Send,
    Sleep,
    TakeHand,
)
from reactor.core.steps import AgentStep, EventWait, GuestAction, GuestStep
from reactor.core.template import Tree

_DUMP_WAIT = EventWait(("DUMP_COMPLETED",))
_RESET_WAIT = EventWait(("RESET", "SHUTDOWN"))
_SHUTDOWN_WAIT = EventWait(("SHUTDOWN",))
_SETTLE_LIMIT = 30.0
_RESUME_PROOF = 1.0
_OBEY_LIMIT = 300.0


def _settled() -> AwaitStatus:
    return AwaitStatus(
        frozenset({"save-vm"}), leave=True, limit=_SETTLE_LIMIT, problem="stayed in save-vm"
    )


def dump(to: Tree, fmt: Tree, at: int) -> list[Op]:
    """The operations of ``guest: dump``, the first of which will stand at ``at``."""
    arguments: Tree = {"paging": False, "detach": True, "protocol": None, "format": fmt}
    return [
        TakeHand(),
        CheckTarget(to),
        Guard(Rule.DUMP, at + 6),
        Send("dump-guest-memory", arguments, await_pc=at + 4, busy_pc=at + 2),
        AwaitEvent(_DUMP_WAIT, AwaitRule.DUMP),
        _settled(),
    ]


def guest(step: GuestStep, at: int) -> list[Op]:  # noqa: C901 - one case for each kind
    """The operations of a verb, the first of which will stand at ``at``."""
    match step.action:
        case GuestAction.RESET:
            return [
                TakeHand(),
                Guard(Rule.RESET, at + 5),
                Send("system_reset", {}, await_pc=at + 3),
                AwaitEvent(_RESET_WAIT, AwaitRule.RESET),
                Send("cont", {}, only_after=FAULT_STATES, completes=True),
            ]
        case GuestAction.PAUSE:
            return [TakeHand(), Guard(Rule.PAUSE, at + 3), Send("stop", {})]
        case GuestAction.RESUME:
            cont = Send("cont", {}, wakes_suspended=True)
            return [TakeHand(), Guard(Rule.RESUME, at + 5), cont, *_runs()]
        case GuestAction.START:
            return _start(at)
        case GuestAction.SHUTDOWN | GuestAction.REBOOT:
            return _asked_politely(step, at)
        case GuestAction.DESTROY:
            return [
                TakeHand(),
                Guard(Rule.DESTROY, at + 4),
                Send("quit", {}, await_pc=at + 3),
                AwaitEvent(_SHUTDOWN_WAIT, AwaitRule.SHUTDOWN),
            ]
        case GuestAction.INJECT_NMI:
            return [TakeHand(), Guard(Rule.INJECT_NMI, at + 3), Send("inject-nmi", {})]
        case GuestAction.PRESERVE_ON_PANIC:
            return [TakeHand(), Send("set-action", {"panic": "pause"})]


def _runs() -> list[Op]:
    """The proof that a guest which was let go does run."""
    running = frozenset({"running"})
    return [
        Sleep(_RESUME_PROOF),
        AwaitStatus(running, leave=False, limit=0, problem="was not running 1 s later"),
    ]


def _start(at: int) -> list[Op]:
    shut_down = frozenset({STOPPED_FOR_GOOD})
    return [
        TakeHand(),
        Guard(Rule.START, at + 7),
        Send("system_reset", {}, await_pc=at + 3, only_after=shut_down),
        AwaitEvent(_RESET_WAIT, AwaitRule.RESET, only_after=shut_down),
        Send("cont", {}, completes=True),
        *_runs(),
    ]


def _asked_politely(step: GuestStep, at: int) -> list[Op]:
    """What the guest's own system must do, and may not: bounded also without a timeout."""
    limit = None if step.options.timeout is not None else _OBEY_LIMIT
    if step.action is GuestAction.SHUTDOWN:
        return [
            TakeHand(),
            Guard(Rule.SHUTDOWN, at + 4),
            Send("system_powerdown", {}, await_pc=at + 3),
            AwaitEvent(EventWait(("SHUTDOWN",), timeout=limit), AwaitRule.SHUTDOWN),
        ]
    agent = AgentStep(step.options, "guest-shutdown", {"mode": "reboot"})
    return [
        TakeHand(),
        Guard(Rule.REBOOT, at + 4),
        Call(agent, await_pc=at + 3),
        AwaitEvent(EventWait(("RESET",), timeout=limit), AwaitRule.REBOOT),
    ]


RAW_RULES: Mapping[str, Rule] = {
    "system_reset": Rule.RAW_RESET,
    "cont": Rule.RAW_CONT,
    "dump-guest-memory": Rule.DUMP,
}
"""The guard of each raw command that has one."""


def qmp(command: str, arguments: Tree, wait: EventWait | None, at: int) -> list[Op]:
    """The operations of a raw command, the first of which will stand at ``at``."""
    ops: list[Op] = []
    if catalog.changes(command):
        ops.append(TakeHand())
    rule = RAW_RULES.get(command)
    if rule is Rule.DUMP and isinstance(arguments, dict):
        ops.append(CheckTarget(arguments.get("protocol"), raw=True))
    guard_pc = at + len(ops)
    after = guard_pc + (rule is not None) + 1 + (wait is not None)
    if rule is not None:
        ops.append(Guard(rule, after))
    ops.append(
        Send(
            command,
            arguments,
            await_pc=after - 1 if wait is not None else None,
            busy_pc=guard_pc if rule is Rule.DUMP else None,
        )
    )
    if wait is not None:
        ops.append(AwaitEvent(wait))
    return ops
