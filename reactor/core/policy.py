"""A policy as the engine sees it: checked, compiled, immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from reactor.core.expr import Expression
from reactor.core.marks import MarkKind
from reactor.core.template import Tree
from reactor.errors import Place


class Enforcement(StrEnum):
    """How far a policy may go; the order of the members is the order of the cap."""

    AUDIT = "audit"
    ENFORCE = "enforce"


class Mode(StrEnum):
    """What a match of a key becomes while a run of that key is open."""

    SINGLE = "single"
    QUEUED = "queued"


class LimitScope(StrEnum):
    """What a limit counts over."""

    GUEST = "guest"
    KEY = "key"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Limit:
    """``3 per 1h per guest`` (``window`` in seconds) or ``1 at once per host`` (None)."""

    count: int
    window: float | None
    scope: LimitScope
    text: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Which guests: every pattern list that is given must hold, ``excludes`` must not.

    ``names`` are globs, any of which may match. ``labels`` pairs a label with
    globs for its value, any of which may match; an absent label never does.
    """

    names: tuple[str, ...] = ()
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    excludes: "Selector | None" = None

    def selects(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether the guest of this name with these labels is meant."""
        if self.names and not any(fnmatchcase(name, glob) for glob in self.names):
            return False
        for label, globs in self.labels:
            value = labels.get(label)
            if value is None or not any(fnmatchcase(value, glob) for glob in globs):
                return False
        return self.excludes is None or not self.excludes.selects(name, labels)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Which events start a run; ``events`` are names or globs, any may match."""

    events: tuple[str, ...]
    where: Expression | None = None
    by: Expression | None = None
    path: str = "trigger"


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
    """``guest: reset|pause|resume|preserve-on-panic``."""

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
)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy document; durations are seconds, ``revision`` a hash of ``source``.

    ``source`` is the document's YAML text: a run is pinned to the revision that
    started it, and the journal keeps the text for runs found after a restart.
    """

    name: str
    description: str
    triggers: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    revision: str
    source: str
    place: Place
    enforcement: Enforcement = Enforcement.ENFORCE
    guests: Selector = field(default_factory=Selector)
    arm: tuple[Step, ...] = ()
    conditions: tuple[Expression, ...] = ()
    mode: Mode = Mode.SINGLE
    max: int = 10
    cooldown: float | None = None
    limits: tuple[Limit, ...] = ()
    timeout: float = 3600.0
    vars: tuple[tuple[str, Tree], ...] = ()
    on_failure: tuple[Step, ...] = ()
    on_limit: tuple[Step, ...] = ()
    finally_: tuple[Step, ...] = ()
