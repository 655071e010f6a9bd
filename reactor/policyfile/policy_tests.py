"""A `test:` document as values: what happens, how the world answers, what is expected."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor.core.marks import MarkKind
from reactor.errors import Place


@dataclass(frozen=True, slots=True)
class Follow:
    """An event that the simulated guest sends so many seconds after a command."""

    after: float
    event: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answering:
    """How the simulated world answers a command, a call or a program.

    Args:
        takes: seconds until the work is done, or, where only the answer counts, until it.
        fails: the answer is an error with this text, and nothing is done.
        breaks: it is accepted, and its work fails later with this text.
        returns: the answer; None for what QEMU answers.
        silent: nothing is ever answered, and nothing is done.
        obeys: whether the guest does what it is asked to (power button, unplug).
        refuses: the guest says that it will not (unplug).
        times: how many commands are answered so; None for all.
        then: events that follow.
    """

    takes: float | None = None
    fails: str | None = None
    breaks: str | None = None
    returns: object = None
    silent: bool = False
    obeys: bool = True
    refuses: bool = False
    times: int | None = None
    then: tuple[Follow, ...] = ()


Answerings = Mapping[str, tuple[Answering, ...]]
"""By command, agent command, program, URL glob, `http` or `exec`: what is tried in order."""


@dataclass(frozen=True, slots=True)
class GuestSetup:
    """A guest at the start; ``status`` is what the stored snapshot says, too.

    ``memory`` in bytes. ``stays`` and ``reboots`` False are `-no-shutdown` and `-no-reboot`.
    ``ports`` are its serial ports, and whether they are open.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    status: str = "running"
    kind: str = "vm"
    version: str = "7.2.22"
    memory: int = 512 << 20
    uuid: str = "00000000-0000-0000-0000-000000000000"
    agent: bool = True
    connected: bool = True
    stays: bool = False
    reboots: bool = True
    ports: Mapping[str, bool] = field(default_factory=dict)
    simulate: Answerings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostSetup:
    """The host; ``free`` are bytes by folder."""

    name: str = "localhost"
    labels: Mapping[str, str] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventHappens:
    """An event of a guest; it moves the simulated guest as QEMU would have moved."""

    guest: str
    event: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageComes:
    """An MQTT message; ``topic`` below ``<prefix>/<host>/`` unless ``absolute``.

    ``age`` is how many seconds ago its sender says that he sent it; None: he says nothing.
    """

    topic: str
    payload: object = ""
    absolute: bool = False
    retain: bool = False
    age: float | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MonitorGoes:
    """The guest's monitor goes away; its QEMU goes on, unless it ``crashes``."""

    guest: str
    crashes: bool = False


@dataclass(frozen=True, slots=True)
class MonitorComes:
    """The guest's monitor is there again; a QEMU that had ended was started again."""

    guest: str


@dataclass(frozen=True, slots=True)
class AnswerRun:
    """An operator's hand on the open run of a policy: ``approve``, ``deny`` or ``cancel``."""

    verb: str
    policy: str
    guest: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TriggerRun:
    """An operator triggers a policy on a guest."""

    policy: str
    guest: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SilencePolicies:
    """An operator silences policies on guests (globs) for ``seconds``."""

    policies: tuple[str, ...]
    guests: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class HoldGuest:
    """An operator holds a guest, or (``guest`` empty) all; ``seconds`` None: until released."""

    guest: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ReleaseGuest:
    """An operator releases a guest, or (``guest`` empty) all."""

    guest: str


@dataclass(frozen=True, slots=True)
class PutMark:
    """An operator puts a mark on a guest; ``seconds`` None: it does not expire."""

    guest: str
    kind: MarkKind
    id: str
    word: str
    reason: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TakeMark:
    """An operator takes marks off a guest; ``word`` empty: all of that id."""

    guest: str
    kind: MarkKind
    id: str
    word: str = ""


@dataclass(frozen=True, slots=True)
class ChangeGuest:
    """Something about a guest is different from now on, without an event; None: as it was."""

    guest: str
    status: str | None = None
    labels: Mapping[str, str] | None = None
    simulate: Answerings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeHost:
    """The space that is free on the host is different from now on."""

    free: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Restart:
    """reactor is killed, and started again after ``seconds``; guests go on meanwhile."""

    seconds: float


Happening = (
    EventHappens
    | MessageComes
    | MonitorGoes
    | MonitorComes
    | AnswerRun
    | TriggerRun
    | SilencePolicies
    | HoldGuest
    | ReleaseGuest
    | PutMark
    | TakeMark
    | ChangeGuest
    | ChangeHost
    | Restart
)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """What happens ``at`` so many seconds after the start."""

    at: float
    what: Happening
    place: Place


@dataclass(frozen=True, slots=True)
class Expectation:
    """Effects of one verb, with members that are equal; times in seconds after the start.

    ``members`` are as they are written, that of the verb itself among them. ``times``
    None: at least once. ``at`` is meant within a second.
    """

    verb: str
    members: Mapping[str, object]
    place: Place
    target: str | None = None
    times: int | None = None
    at: float | None = None
    after: float | None = None
    before: float | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One `test:` document; ``start`` in seconds since the epoch, ``lasts`` after it.

    ``lasts`` is until when virtual time goes on at the least.
    """

    name: str
    policies: tuple[str, ...]
    guests: tuple[GuestSetup, ...]
    timeline: tuple[TimelineEntry, ...]
    expect: tuple[Expectation, ...]
    place: Place
    start: float
    only: bool = False
    lasts: float = 0.0
    host: HostSetup = field(default_factory=HostSetup)
    simulate: Answerings = field(default_factory=dict)
