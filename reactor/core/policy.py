"""A policy as the engine sees it: checked, compiled, immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from reactor.core.expr import Expression
from reactor.core.steps import Step
from reactor.core.template import Tree
from reactor.errors import Place


class Enforcement(StrEnum):
    """How far a policy may go; the order of the members is the order of the cap."""

    AUDIT = "audit"
    APPROVE = "approve"
    ENFORCE = "enforce"


class Mode(StrEnum):
    """What a match of a key becomes while a run of that key is open."""

    SINGLE = "single"
    RESTART = "restart"
    QUEUED = "queued"
    PARALLEL = "parallel"


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
class EventMatch:
    """Events of a trigger's guest that end or complete what a first event began.

    ``by`` None: the first event's own ``by``, evaluated on this event.
    """

    events: tuple[str, ...]
    where: Expression | None = None
    by: Expression | None = None


@dataclass(frozen=True, slots=True)
class Sequel:
    """``followed_by`` (fires at the second event) or ``not_followed_by`` (``absent``).

    ``within`` in seconds; ``not_followed_by`` fires when it is over.
    """

    match: EventMatch
    within: float
    absent: bool


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """Which events start a run; ``events`` are names or globs, any may match.

    ``count`` events within ``within`` seconds (a sliding window over
    ``event.received``) make one match; without ``within`` each event is one.
    ``cancel_on`` ends the open sequels of the guest. ``own``: effects of our own
    commands open it too; ``synthetic`` False: events that a resync made do not.
    """

    events: tuple[str, ...]
    where: Expression | None = None
    by: Expression | None = None
    path: str = "trigger"
    count: int = 1
    within: float | None = None
    sequel: Sequel | None = None
    cancel_on: tuple[EventMatch, ...] = ()
    own: bool = False
    synthetic: bool = True


@dataclass(frozen=True, slots=True)
class StateTrigger:
    """A state of the guest that has lasted ``seconds``; once, until it was false again."""

    holds: Expression
    seconds: float = 0.0
    path: str = "trigger"


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """Times at which each selected, connected guest gets a run.

    Either ``cron`` (five fields, in ``timezone``, an IANA name) or ``every``
    (seconds, aligned to the epoch). ``jitter`` seconds are drawn per guest;
    ``catch_up`` is how late, in seconds, the last missed firing may still come.
    """

    cron: str | None = None
    every: float | None = None
    timezone: str = "UTC"
    jitter: float = 0.0
    catch_up: float = 0.0
    path: str = "trigger"


@dataclass(frozen=True, slots=True)
class MessageTrigger:
    """An MQTT message; ``topic`` is a filter, below ``<prefix>/<host>/`` unless ``absolute``.

    ``guest`` renders to the name or slug of the guest that the run is about.
    ``max_age`` in seconds: older messages, by ``sent_at`` or expiry, are refused.
    """

    topic: str
    guest: Tree
    where: Expression | None = None
    absolute: bool = False
    max_age: float | None = None
    path: str = "trigger"


Trigger = EventTrigger | StateTrigger | ScheduleTrigger | MessageTrigger


@dataclass(frozen=True, slots=True)
class Debounce:
    """Start ``quiet`` seconds after the last match, at the latest ``at_most`` after the first."""

    quiet: float
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """An operator's yes is asked for; ``expires`` in seconds, then the run is cancelled."""

    ask: Tree = ""
    expires: float = 3600.0


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
    debounce: Debounce | None = None
    inhibit_if: tuple[Expression, ...] = ()
    approval: Approval | None = None
    mode: Mode = Mode.SINGLE
    max: int = 10
    cooldown: float | None = None
    limits: tuple[Limit, ...] = ()
    timeout: float = 3600.0
    vars: tuple[tuple[str, Tree], ...] = ()
    on_failure: tuple[Step, ...] = ()
    on_limit: tuple[Step, ...] = ()
    finally_: tuple[Step, ...] = ()
