"""The steps of a runbook as the engine sees them: checked, compiled, immutable."""

from dataclasses import dataclass
from enum import StrEnum

from reactor.core.expr import Expression
from reactor.core.marks import MarkKind
from reactor.core.template import Tree
from reactor.errors import Place


@dataclass(frozen=True, slots=True)
class Retry:
    """``times`` attempts after the first; the last of ``backoff`` (seconds) repeats."""

    times: int
    backoff: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What every step may say; ``path`` (``steps/2``) and ``place`` name it for people.

    ``on_error`` None means the section's default: fail in ``steps``, continue
    in handlers. ``timeout`` is in seconds, for one attempt, its waits included.
    """

    path: str
    place: Place
    name: str | None = None
    condition: Expression | None = None
    timeout: float | None = None
    retry: Retry | None = None
    on_error: "OnError | None" = None
    save: str | None = None


class OnError(StrEnum):
    """What a step's failure means for the run, after its last attempt."""

    FAIL = "fail"
    CONTINUE = "continue"


class GuestAction(StrEnum):
    """The ``guest:`` verbs without arguments of their own."""

    RESET = "reset"
    PAUSE = "pause"
    RESUME = "resume"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"
    START = "start"
    DESTROY = "destroy"
    INJECT_NMI = "inject-nmi"
    PRESERVE_ON_PANIC = "preserve-on-panic"


@dataclass(frozen=True, slots=True)
class EventWait:
    """Go on at an event of the run's guest; ``events`` are names or globs."""

    events: tuple[str, ...]
    where: Expression | None = None
    fail_when: Expression | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class GuestDump:
    """``guest: dump``; ``to`` is a path or relative to the dumps folder."""

    options: StepOptions
    to: Tree
    format: Tree


@dataclass(frozen=True, slots=True)
class GuestStep:
    """``guest: reset``, and every other verb that takes no arguments."""

    options: StepOptions
    action: GuestAction


@dataclass(frozen=True, slots=True)
class QmpStep:
    """``qmp: COMMAND``, its wait registered before the command goes out."""

    options: StepOptions
    command: str
    arguments: Tree
    wait: EventWait | None = None


@dataclass(frozen=True, slots=True)
class WaitEventStep:
    """``wait: {event: ...}``."""

    options: StepOptions
    wait: EventWait


@dataclass(frozen=True, slots=True)
class WaitUntilStep:
    """``wait: {until: COND, timeout}``; ``limit`` is its own timeout in seconds."""

    options: StepOptions
    until: Expression
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class CheckStep:
    """``check: COND``; false ends the run as skipped."""

    options: StepOptions
    holds: Expression


@dataclass(frozen=True, slots=True)
class DelayStep:
    """``delay: DURATION``, in seconds."""

    options: StepOptions
    seconds: float


@dataclass(frozen=True, slots=True)
class PublishStep:
    """``publish: TOPIC``."""

    options: StepOptions
    topic: Tree
    payload: Tree
    qos: int = 1
    retain: bool = False
    absolute: bool = False
    properties: Tree = None


@dataclass(frozen=True, slots=True)
class MarkStep:
    """``mark: {KIND: ID, as: WORD, reason, expires}``; ``expires`` in seconds."""

    options: StepOptions
    kind: MarkKind
    id: Tree
    word: Tree
    reason: Tree
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class ClearStep:
    """``clear: {KIND: ID, as: WORD}``; without ``word`` all marks of that id."""

    options: StepOptions
    kind: MarkKind
    id: Tree
    word: Tree = None


@dataclass(frozen=True, slots=True)
class LogStep:
    """``log: TEXT``."""

    options: StepOptions
    text: Tree


@dataclass(frozen=True, slots=True)
class FailStep:
    """``fail: TEXT``."""

    options: StepOptions
    text: Tree


@dataclass(frozen=True, slots=True)
class StopStep:
    """``stop: TEXT``."""

    options: StepOptions
    text: Tree


@dataclass(frozen=True, slots=True)
class WaitStaysStep:
    """``wait: {stays: COND, for, timeout}``; seconds, ``limit`` its own timeout."""

    options: StepOptions
    stays: Expression
    seconds: float
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class AgentStep:
    """``agent: COMMAND``, answered by the QEMU guest agent inside the guest."""

    options: StepOptions
    command: str
    arguments: Tree


@dataclass(frozen=True, slots=True)
class HttpStep:
    """``http: {method, url, json, headers, expect}``; ``expect`` are status codes.

    ``json`` None sends no body.
    """

    options: StepOptions
    method: str
    url: Tree
    json: Tree = None
    headers: Tree = None
    expect: tuple[int, ...] = (200,)


@dataclass(frozen=True, slots=True)
class ExecStep:
    """``exec: [PROGRAM, ARG...]``; the program's name is never a template."""

    options: StepOptions
    program: str
    arguments: Tree = ()


@dataclass(frozen=True, slots=True)
class InhibitStep:
    """``inhibit: {policies: [GLOB], for: DURATION}``, in seconds."""

    options: StepOptions
    policies: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Branch:
    """One way of a ``choose``; ``when`` None is ``default``. ``path`` names it in traces."""

    when: Expression | None
    steps: "tuple[Step, ...]"
    path: str


@dataclass(frozen=True, slots=True)
class ChooseStep:
    """``choose``: the first branch that holds; none: nothing happens."""

    options: StepOptions
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class RepeatStep:
    """``repeat: {times, backoff, until}`` with its ``steps``.

    ``times`` are the rounds at most, ``backoff`` the pauses between them in seconds, the
    last of which repeats. ``until`` None: until a round succeeds.
    """

    options: StepOptions
    times: int
    steps: "tuple[Step, ...]"
    backoff: tuple[float, ...] = ()
    until: Expression | None = None


@dataclass(frozen=True, slots=True)
class ParallelStep:
    """``parallel``: lists of steps side by side; all run to their end."""

    options: StepOptions
    branches: "tuple[tuple[Step, ...], ...]"


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """``run: RUNBOOK`` with the runbook's steps in its place.

    ``arguments`` are the values of its ``params``, defaults included. They are
    rendered where the ``run:`` step stands; inside, ``params.NAME`` gives them, and
    ``steps.NAME`` knows only what the runbook itself saved. ``kinds`` pairs each
    param with its type, ``choices`` some with all values that they may have: a rendered
    value that is another one fails the step.
    """

    options: StepOptions
    runbook: str
    steps: "tuple[Step, ...]"
    arguments: Tree
    kinds: "tuple[tuple[str, ParamKind], ...]" = ()
    choices: tuple[tuple[str, tuple[object, ...]], ...] = ()


class ParamKind(StrEnum):
    """What a param of a runbook takes; a duration or size is the text as it is written."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    MAP = "map"


Step = (
    GuestDump
    | GuestStep
    | QmpStep
    | WaitEventStep
    | WaitUntilStep
    | CheckStep
    | DelayStep
    | PublishStep
    | MarkStep
    | ClearStep
    | LogStep
    | FailStep
    | StopStep
    | WaitStaysStep
    | AgentStep
    | HttpStep
    | ExecStep
    | ChooseStep
    | RepeatStep
    | ParallelStep
    | RunbookStep
    | InhibitStep
)
