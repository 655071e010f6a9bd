"""A policy's runbook, compiled to a flat list of operations with a program counter.

A run is then small and resumable: revision, counter, variables, deadlines.
Every operation can be performed again after a wake-up or a restart; what it
waits for stands in the run's cursor, never in Python's stack.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reactor.core import catalog, guest_ops
from reactor.core.ops import (
    Act,
    AwaitCondition,
    AwaitEvent,
    AwaitStays,
    BranchEnd,
    Call,
    Choose,
    Close,
    Enter,
    Finish,
    Fork,
    GoTo,
    Instant,
    Join,
    Leave,
    Op,
    Open,
    RoundEnd,
    Section,
    Sleep,
    TakeHand,
)
from reactor.core.policy import Policy
from reactor.core.steps import (
    AgentStep,
    CheckStep,
    ChooseStep,
    ClearStep,
    DelayStep,
    ExecStep,
    FailStep,
    GuestDump,
    GuestStep,
    HttpStep,
    InhibitStep,
    LogStep,
    MarkStep,
    ParallelStep,
    PublishStep,
    QmpStep,
    RepeatStep,
    RunbookStep,
    Step,
    StepOptions,
    StopStep,
    WaitEventStep,
    WaitStaysStep,
    WaitUntilStep,
)


@dataclass(frozen=True, slots=True)
class Program:
    """The operations of one policy; ``starts`` gives where each section begins.

    ``steps[i]`` is the options of the step that operation ``i`` belongs to, the
    innermost one, and ``enters[i]`` where that step begins.
    """

    policy: Policy
    ops: tuple[Op, ...]
    starts: dict[Section, int]
    steps: tuple[StepOptions | None, ...]
    enters: tuple[int, ...]

    def has(self, section: Section) -> bool:
        """Whether the section holds any step."""
        return not isinstance(self.ops[self.starts[section]], Finish)

    def enter_of(self, pc: int) -> Enter:
        """How the step begins that operation ``pc`` belongs to."""
        enter = self.ops[self.enters[pc]]
        assert isinstance(enter, Enter)  # noqa: S101 - every step begins with one
        return enter

    def saved_by(self, start: int) -> frozenset[str]:
        """Under which names the branch that begins at ``start`` may save, for who comes after."""
        names, inner, pc = set[str | None](), 0, start
        while inner >= 0:
            match self.ops[pc]:
                case Open(runbook=RunbookStep()):
                    pc = self.enter_of(pc).end - 1  # what it saves is known inside only
                case Leave(options):
                    names.add(options.save)
                case Fork(starts):
                    inner += len(starts)
                case BranchEnd():
                    inner -= 1
                case _:
                    pass
            pc += 1
        return frozenset(name for name in names if name is not None)


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
    return Program(policy, tuple(build.ops), build.starts, tuple(build.owners), tuple(build.enters))


class _Builder:
    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.owners: list[StepOptions | None] = []
        self.enters: list[int] = []
        self.starts: dict[Section, int] = {}
        self._owner: StepOptions | None = None
        self._enter = 0

    def section(self, section: Section, steps: Sequence[Step]) -> None:
        self.starts[section] = len(self.ops)
        self._steps(steps)
        self._add(Finish(section))

    def _add(self, op: Op) -> int:
        self.ops.append(op)
        self.owners.append(self._owner)
        self.enters.append(self._enter)
        return len(self.ops) - 1

    def _steps(self, steps: Sequence[Step]) -> None:
        outer = self._owner, self._enter
        for step in steps:
            self._owner, self._enter = step.options, len(self.ops)
            self._step(step)
        self._owner, self._enter = outer

    def _step(self, step: Step) -> None:
        verb = verb_of(step)
        enter = self._add(Enter(step.options, verb, 0))
        match step:
            case ChooseStep():
                self._choose(step)
            case RepeatStep():
                self._repeat(step)
            case ParallelStep():
                self._parallel(step)
            case RunbookStep():
                self._add(Open(runbook=step))
                self._steps(step.steps)
                self._add(Close())
            case _:
                for op in _simple(step, enter + 1):
                    self._add(op)
        self.ops[enter] = Enter(step.options, verb, self._add(Leave(step.options)))

    def _choose(self, step: ChooseStep) -> None:
        choose = self._add(Choose((), 0))
        ways, ends = [], []
        for branch in step.branches:
            ways.append((branch.when, len(self.ops), branch.path))
            self._steps(branch.steps)
            ends.append(self._add(GoTo(0)))
        close = self._add(Close())
        for end in ends:
            self.ops[end] = GoTo(close)
        self.ops[choose] = Choose(tuple(ways), close)

    def _repeat(self, step: RepeatStep) -> None:
        begin = self._add(Open())
        self._steps(step.steps)
        self.ops[begin] = Open(catch=self._add(RoundEnd(step, begin + 1)))
        self._add(Close())

    def _parallel(self, step: ParallelStep) -> None:
        fork = self._add(Fork((), 0))
        starts = []
        for branch in step.branches:
            starts.append(len(self.ops))
            self._steps(branch)
            self._add(BranchEnd())
        self.ops[fork] = Fork(tuple(starts), self._add(Join()))


_Simple = (
    GuestDump
    | GuestStep
    | QmpStep
    | WaitEventStep
    | WaitUntilStep
    | WaitStaysStep
    | DelayStep
    | AgentStep
    | HttpStep
    | ExecStep
    | PublishStep
    | MarkStep
    | ClearStep
    | LogStep
    | CheckStep
    | FailStep
    | StopStep
    | InhibitStep
)


def _simple(step: _Simple, at: int) -> list[Op]:  # noqa: C901 - one case for each kind
    """The operations of a step without steps inside, the first of which stands at ``at``."""
    match step:
        case GuestDump(_, to, fmt):
            return guest_ops.dump(to, fmt, at)
        case GuestStep():
            return guest_ops.guest(step, at)
        case QmpStep(_, command, arguments, wait):
            return guest_ops.qmp(command, arguments, wait, at)
        case WaitEventStep(_, wait):
            return [AwaitEvent(wait)]
        case WaitUntilStep(_, until, limit):
            return [AwaitCondition(until, limit)]
        case WaitStaysStep(_, stays, seconds, limit):
            return [AwaitStays(stays, seconds, limit)]
        case DelayStep(_, seconds):
            return [Sleep(seconds)]
        case AgentStep(_, command) if catalog.agent_changes(command):
            return [TakeHand(), Call(step)]
        case AgentStep() | HttpStep() | ExecStep():
            return [Call(step)]
        case _:
            return [Act(step)]


def verb_of(step: Step) -> str:  # noqa: C901 - one case for each kind
    """The step's verb with its object, as traces name it: ``guest: dump``."""
    match step:
        case GuestDump():
            return "guest: dump"
        case GuestStep(_, action):
            return f"guest: {action.value}"
        case QmpStep(_, command):
            return f"qmp: {command}"
        case AgentStep(_, command):
            return f"agent: {command}"
        case ExecStep(_, program):
            return f"exec: {program}"
        case RunbookStep(_, runbook):
            return f"run: {runbook}"
        case WaitEventStep() | WaitUntilStep() | WaitStaysStep():
            return "wait"
        case DelayStep():
            return "delay"
        case HttpStep():
            return "http"
        case ChooseStep():
            return "choose"
        case RepeatStep():
            return "repeat"
        case ParallelStep():
            return "parallel"
        case _:
            return _instant_verb(step)


def _instant_verb(step: Instant) -> str:  # noqa: C901 - one case for each kind
    match step:
        case CheckStep():
            return "check"
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
        case InhibitStep():
            return "inhibit"
