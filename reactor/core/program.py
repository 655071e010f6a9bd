"""A policy's runbook, compiled to a flat list of operations with a program counter.

A run is then small and resumable: revision, counter, variables, deadlines.
Every operation can be performed again after a wake-up or a restart; what it
waits for stands in the run's cursor, never in Python's stack.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reactor.core import catalog
from reactor.core.expr import Expression
from reactor.core.guards import FAULT_STATES, Rule
from reactor.core.policy import Policy
from reactor.core.steps import (
    CheckStep,
    ClearStep,
    DelayStep,
    EventWait,
    FailStep,
    GuestAction,
    GuestDump,
    GuestStep,
    LogStep,
    MarkStep,
    PublishStep,
    QmpStep,
    Step,
    StepOptions,
    StopStep,
    WaitEventStep,
    WaitUntilStep,
)
from reactor.core.template import Tree


class Section(StrEnum):
    """The parts of a policy that hold steps; the value is the prefix of their paths."""

    STEPS = "steps"
    ON_FAILURE = "on_failure"
    FINALLY = "finally"
    ON_LIMIT = "on_limit"
    ARM = "arm"


class AwaitRule(StrEnum):
    """Who decides whether an event is the awaited one."""

    USER = "as the policy says"
    DUMP = "DUMP_COMPLETED of our dump"
    RESET = "RESET by our command"


@dataclass(frozen=True, slots=True)
class Enter:
    """Begin a step: its `if`, its deadline. A false `if` jumps to ``end``."""

    options: StepOptions
    verb: str
    end: int


@dataclass(frozen=True, slots=True)
class TakeHand:
    """Wait for one's turn on the guest: one changing step at a time."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Go on when the guest's fresh run state allows it; ``end`` when nothing is to do."""

    rule: Rule
    end: int


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """Resolve the path of a dump and ask whether it may be written.

    ``raw``: ``to`` is a QMP ``protocol`` argument (``file:/path``), taken as it
    stands; otherwise a path whose template parts are slugged.
    """

    to: Tree
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Send a command. ``await_pc`` is where its event wait stands, registered before.

    ``busy_pc`` is where to go back to when QEMU says that a dump is in process.
    ``only_after`` limits it to runs whose guard saw one of these states.
    """

    command: str
    arguments: Tree
    await_pc: int | None = None
    busy_pc: int | None = None
    only_after: frozenset[str] | None = None
    wakes_suspended: bool = False


@dataclass(frozen=True, slots=True)
class AwaitEvent:
    """Go on at an event of the guest."""

    wait: EventWait
    rule: AwaitRule = AwaitRule.USER


@dataclass(frozen=True, slots=True)
class AwaitCondition:
    """Go on when the condition holds, asked with fresh facts."""

    until: Expression
    limit: float | None


@dataclass(frozen=True, slots=True)
class AwaitStatus:
    """Go on when the guest's fresh status is in (or, ``leave``, not in) ``states``.

    With ``limit`` 0 the first answer decides.
    """

    states: frozenset[str]
    leave: bool
    limit: float
    problem: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Go on after this many seconds."""

    seconds: float


Instant = PublishStep | MarkStep | ClearStep | LogStep | CheckStep | FailStep | StopStep


@dataclass(frozen=True, slots=True)
class Act:
    """Do at once what needs no answer from outside."""

    step: Instant


@dataclass(frozen=True, slots=True)
class Leave:
    """End a step well: give the hand back, keep what it saved."""

    options: StepOptions


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a section."""

    section: Section


Op = (
    Enter
    | TakeHand
    | Guard
    | CheckTarget
    | Send
    | AwaitEvent
    | AwaitCondition
    | AwaitStatus
    | Sleep
    | Act
    | Leave
    | Finish
)


@dataclass(frozen=True, slots=True)
class Program:
    """The operations of one policy; ``starts`` gives where each section begins.

    ``steps[i]`` is the options of the step that operation ``i`` belongs to.
    """

    policy: Policy
    ops: tuple[Op, ...]
    starts: dict[Section, int]
    steps: tuple[StepOptions | None, ...]

    def has(self, section: Section) -> bool:
        """Whether the section holds any step."""
        return not isinstance(self.ops[self.starts[section]], Finish)


def compile_program(policy: Policy) -> Program:
    """The policy as a program; the same policy always gives the same program."""
    build = _Builder()
    for section, steps in (
        (Section.STEPS, policy.steps),
        (Section.ON_FAILURE, policy.on_failure),
        (Section.FINALLY, policy.finally_),
        (Section.ON_LIMIT, policy.on_limit),
        (Section.ARM, policy.arm),
    ):
        build.section(section, steps)
    return Program(policy, tuple(build.ops), build.starts, tuple(build.owners))


_DUMP_WAIT = EventWait(("DUMP_COMPLETED",))
_RESET_WAIT = EventWait(("RESET", "SHUTDOWN"))
_SETTLE_LIMIT = 30.0
_RESUME_PROOF = 1.0


class _Builder:
    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.owners: list[StepOptions | None] = []
        self.starts: dict[Section, int] = {}

    def section(self, section: Section, steps: Sequence[Step]) -> None:
        self.starts[section] = len(self.ops)
        for step in steps:
            self._step(step)
        self._add(Finish(section), None)

    def _add(self, op: Op, options: StepOptions | None) -> None:
        self.ops.append(op)
        self.owners.append(options)

    def _step(self, step: Step) -> None:
        start = len(self.ops)
        body = self._body(step, start + 1)
        end = start + 1 + len(body)
        self._add(Enter(step.options, verb_of(step), end), step.options)
        for op in body:
            self._add(op, step.options)
        self._add(Leave(step.options), step.options)

    def _body(self, step: Step, at: int) -> list[Op]:
        match step:
            case GuestDump(_, to, fmt):
                return _dump(to, fmt, at)
            case GuestStep(_, action):
                return _guest(action, at)
            case QmpStep(_, command, arguments, wait):
                return _qmp(command, arguments, wait, at)
            case WaitEventStep(_, wait):
                return [AwaitEvent(wait)]
            case WaitUntilStep(_, until, limit):
                return [AwaitCondition(until, limit)]
            case DelayStep(_, seconds):
                return [Sleep(seconds)]
            case (
                PublishStep()
                | MarkStep()
                | ClearStep()
                | LogStep()
                | CheckStep()
                | FailStep()
                | StopStep()
            ):
                return [Act(step)]


def _settled() -> AwaitStatus:
    return AwaitStatus(
        frozenset({"save-vm"}), leave=True, limit=_SETTLE_LIMIT, problem="stayed in save-vm"
    )


def _dump(to: Tree, fmt: Tree, at: int) -> list[Op]:
    arguments: Tree = {"paging": False, "detach": True, "protocol": None, "format": fmt}
    return [
        TakeHand(),
        CheckTarget(to),
        Guard(Rule.DUMP, at + 6),
        Send("dump-guest-memory", arguments, await_pc=at + 4, busy_pc=at + 2),
        AwaitEvent(_DUMP_WAIT, AwaitRule.DUMP),
        _settled(),
    ]


def _guest(action: GuestAction, at: int) -> list[Op]:
    match action:
        case GuestAction.RESET:
            return [
                TakeHand(),
                Guard(Rule.RESET, at + 5),
                Send("system_reset", {}, await_pc=at + 3),
                AwaitEvent(_RESET_WAIT, AwaitRule.RESET),
                Send("cont", {}, only_after=FAULT_STATES),
            ]
        case GuestAction.PAUSE:
            return [TakeHand(), Guard(Rule.PAUSE, at + 3), Send("stop", {})]
        case GuestAction.RESUME:
            runs = AwaitStatus(
                frozenset({"running"}), leave=False, limit=0, problem="was not running 1 s later"
            )
            return [
                TakeHand(),
                Guard(Rule.RESUME, at + 5),
                Send("cont", {}, wakes_suspended=True),
                Sleep(_RESUME_PROOF),
                runs,
            ]
        case GuestAction.PRESERVE_ON_PANIC:
            return [TakeHand(), Send("set-action", {"panic": "pause"})]


_RAW_RULES = {
    "system_reset": Rule.RAW_RESET,
    "cont": Rule.RAW_CONT,
    "dump-guest-memory": Rule.DUMP,
}


def _qmp(command: str, arguments: Tree, wait: EventWait | None, at: int) -> list[Op]:
    ops: list[Op] = []
    if catalog.changes(command):
        ops.append(TakeHand())
    rule = _RAW_RULES.get(command)
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


def verb_of(step: Step) -> str:  # noqa: C901 - one case for each kind
    """The step's verb with its object, as traces name it: ``guest: dump``."""
    match step:
        case GuestDump():
            return "guest: dump"
        case GuestStep(_, action):
            return f"guest: {action.value}"
        case QmpStep(_, command):
            return f"qmp: {command}"
        case WaitEventStep() | WaitUntilStep():
            return "wait"
        case CheckStep():
            return "check"
        case DelayStep():
            return "delay"
        case PublishStep():
            return "publish"
        case MarkStep():
            return "mark"
        case ClearStep():
            return "clear"
        case LogStep():
            return "log"
        case FailStep():
            return "fail"
        case StopStep():
            return "stop"
