"""The operations that runbooks are compiled to: flat, each to be performed again at will."""

from dataclasses import dataclass
from enum import StrEnum

from reactor.core.expr import Expression
from reactor.core.guards import Rule
from reactor.core.steps import (
    AgentStep,
    CheckStep,
    ClearStep,
    EventWait,
    ExecStep,
    FailStep,
    HttpStep,
    InhibitStep,
    LogStep,
    MarkStep,
    PublishStep,
    RepeatStep,
    RunbookStep,
    StepOptions,
    StopStep,
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
    SHUTDOWN = "SHUTDOWN"
    REBOOT = "RESET by the guest"


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
    ``only_after`` limits it to runs whose guard saw one of these states. ``completes``: what
    the step sent before it was done, and is not done again when this one was not sent.
    """

    command: str
    arguments: Tree
    await_pc: int | None = None
    busy_pc: int | None = None
    only_after: frozenset[str] | None = None
    completes: bool = False
    wakes_suspended: bool = False


@dataclass(frozen=True, slots=True)
class AwaitEvent:
    """Go on at an event of the guest; ``only_after`` as that of the command before it."""

    wait: EventWait
    rule: AwaitRule = AwaitRule.USER
    only_after: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class AwaitCondition:
    """Go on when the condition holds, asked with fresh facts."""

    until: Expression
    limit: float | None


@dataclass(frozen=True, slots=True)
class AwaitStays:
    """Go on when the condition has held for ``seconds``, without a look that found it false."""

    stays: Expression
    seconds: float
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


@dataclass(frozen=True, slots=True)
class Call:
    """Ask the guest's agent, a web server or a program, and wait for the answer.

    ``await_pc`` is where its event wait stands, registered before.
    """

    step: AgentStep | HttpStep | ExecStep
    await_pc: int | None = None


@dataclass(frozen=True, slots=True)
class Choose:
    """Go to the first branch whose condition holds; ``close`` when there is none.

    ``ways`` are conditions (None always holds), where their steps begin, and their paths.
    """

    ways: tuple[tuple[Expression | None, int, str], ...]
    close: int


@dataclass(frozen=True, slots=True)
class Open:
    """Begin the steps inside a step; when one of them fails, go on at ``catch``.

    With ``runbook`` they are that of a runbook: its params are computed now.
    """

    catch: int | None = None
    runbook: RunbookStep | None = None


@dataclass(frozen=True, slots=True)
class RoundEnd:
    """The end of a round of a repeat, well or not; ``start`` is where the next one begins."""

    step: RepeatStep
    start: int


@dataclass(frozen=True, slots=True)
class GoTo:
    """Go on there: behind the branch of a choose that was taken."""

    to: int


@dataclass(frozen=True, slots=True)
class Close:
    """The end of the steps inside a step."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Let branches begin side by side, each where its steps are; then wait at ``join``."""

    starts: tuple[int, ...]
    join: int


@dataclass(frozen=True, slots=True)
class BranchEnd:
    """The end of a branch's steps."""


@dataclass(frozen=True, slots=True)
class Join:
    """Wait until every branch has ended."""


Instant = (
    PublishStep | MarkStep | ClearStep | LogStep | CheckStep | FailStep | StopStep | InhibitStep
)


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
    | AwaitStays
    | AwaitStatus
    | Sleep
    | Call
    | Choose
    | Open
    | RoundEnd
    | GoTo
    | Close
    | Fork
    | BranchEnd
    | Join
    | Act
    | Leave
    | Finish
)
