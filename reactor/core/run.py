"""A run: one execution of a policy for one guest, as state that survives a restart."""

from enum import StrEnum

import msgspec

from reactor.core.event import Event
from reactor.core.inputs import Answered
from reactor.core.program import Section


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    WOULD_RUN = "would run"


class Phase(StrEnum):
    """Where an open run stands; the value is what operators read."""

    WAITING_TURN = "waiting for its turn"
    WAITING_SLOT = "waiting: the limit of runs at once is reached"
    CHECKING = "checking its conditions"
    RUNNING = "running"
    HANDLING = "handling the end"
    ENDED = "ended"


class Role(StrEnum):
    """What a run is made of."""

    RUN = "run"
    ON_LIMIT = "on_limit"
    ARM = "arm"


class Saved(msgspec.Struct):
    """What a step left under its ``save`` name."""

    ok: bool
    result: object = None
    error: str = ""


class Origin(msgspec.Struct, frozen=True):
    """What started the run: ``trigger`` in expressions."""

    event: Event
    index: int = 0
    count: int = 1


class Cursor(msgspec.Struct, omit_defaults=True):
    """Where the run stands in its program, and what it waits for.

    Times are on the engine's clock. ``deadline`` bounds the attempt, ``limit``
    the present operation, ``wake`` is the next look. ``pending`` pairs effect
    ids that are not answered with what they were for, ``answer_by`` is when
    they count as lost; ``fresh`` are the facts just answered. ``sent`` is the
    id of a changing command in flight, ``waited`` whether it waits for a slot of
    the settings' limits. ``armed`` is the counter of an event wait that listens
    already, ``caught`` what it caught. ``before`` is the guest's status when the step
    began, ``again`` whether its present command was tried, and certainly not sent.
    """

    pc: int = 0
    attempt: int = 1
    deadline: float | None = None
    limit: float | None = None
    wake: float | None = None
    pending: dict[str, str] = {}
    answer_by: float | None = None
    fresh: tuple[str, ...] = ()
    answer: Answered | None = None
    sent: str = ""
    armed: int | None = None
    caught: Event | None = None
    holding: bool = False
    pause: float | None = None
    waited: bool = False
    before: str = ""
    again: bool = False
    target: str = ""
    result: object = None


class Run(msgspec.Struct, omit_defaults=True):
    """One run. ``key`` is the guest, or the guest and the value of ``by``.

    ``cancelled`` is why it shall end as soon as its command in flight is answered.

    ``epoch`` is the life of QEMU that the run is about; empty where it began
    without one: then its first command that changes the guest decides.
    """

    id: str
    policy: str
    revision: str
    guest: str
    key: str
    origin: Origin
    admitted: float
    epoch: str = ""
    role: Role = Role.RUN
    phase: Phase = Phase.WAITING_TURN
    started: float | None = None
    deadline: float | None = None
    nth: int = 0
    effects: int = 0
    vars: dict[str, object] = {}
    saved: dict[str, Saved] = {}
    cursor: Cursor = msgspec.field(default_factory=Cursor)
    section: Section = Section.STEPS
    outcome: Outcome | None = None
    error: str = ""
    failed_step: str = ""
    cancelled: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the run may still do something."""
        return self.phase is not Phase.ENDED

    def next_wake(self) -> float | None:
        """The earliest time at which this run wants to be looked at, or None."""
        cursor = self.cursor
        if cursor.pending:
            # What is asked is answered soon, and decides first: a deadline that
            # cut in would leave the outcome of a command unknown.
            return cursor.answer_by
        times = [t for t in (cursor.wake, cursor.limit, cursor.deadline) if t is not None]
        if self.deadline is not None:
            times.append(self.deadline)
        return min(times, default=None)

    def next_id(self) -> str:
        """The id that ``new_id`` will give."""
        return f"{self.id}.{self.effects + 1}"

    def new_id(self) -> str:
        """An id for the next effect of this run, unique for ever."""
        self.effects += 1
        return f"{self.id}.{self.effects}"
