"""A run: one execution of a policy for one guest, as state that survives a restart."""

from enum import StrEnum

import msgspec

from reactor.core.event import Event
from reactor.core.inputs import Answered, Message, Refusal
from reactor.core.intent import Doubt, Intent
from reactor.core.ops import Section
from reactor.core.orders import AnswerTo


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
    WAITING_APPROVAL = "waiting for an operator's approval"
    WAITING_SLOT = "waiting: the limit of runs at once is reached"
    CHECKING = "checking its conditions"
    RUNNING = "running"
    HANDLING = "handling the end"
    ENDED = "ended"

    @property
    def word(self) -> str:
        """The phase as one word that stays the same, for programs: ``waiting-approval``."""
        return self.name.lower().replace("_", "-")


class Role(StrEnum):
    """What a run is made of.

    A ``BRANCH`` is one of the lists of a ``parallel`` step: it has a cursor of its
    own, and everything else of the run that it belongs to.
    """

    RUN = "run"
    ON_LIMIT = "on_limit"
    ARM = "arm"
    BRANCH = "branch"


class Saved(msgspec.Struct):
    """What a step left under its ``save`` name."""

    ok: bool
    result: object = None
    error: str = ""


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """What started the run: ``trigger`` in expressions.

    ``event`` is the completing event of a count, the first one of a sequence or absence;
    ``next`` is a sequence's second one, ``message`` the MQTT message that it was.
    """

    event: Event
    index: int = 0
    count: int = 1
    next: Event | None = None
    message: Message | None = None


class Frame(msgspec.Struct, omit_defaults=True):
    """A step that is under way around the present one: choose, repeat, run.

    ``pc`` is where it begins; ``attempt`` and ``deadline`` are its own. ``catch`` is where
    a failure inside goes on. ``round`` and ``failure`` (why the present round failed) are
    those of a repeat. ``params`` and
    ``saved`` are what a runbook's expressions know; None around other steps.
    """

    pc: int
    attempt: int = 1
    deadline: float | None = None
    round: int = 1
    failure: str = ""
    catch: int | None = None
    params: dict[str, object] | None = None
    saved: dict[str, Saved] | None = None


class BranchEnd(msgspec.Struct, frozen=True):
    """How one branch of a ``parallel`` step ended; ``whole``: its word ends the whole run."""

    outcome: Outcome
    reason: str = ""
    failed_step: str = ""
    whole: bool = False


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
    ``intent`` is the changing command in flight or in ``doubt``, ``heard`` what events said of
    it since, ``probed`` whether it was found not to have been done. ``cut``: what is awaited may
    have come while the monitor was away, and is asked for.
    ``spared``: until when no deadline cuts the step short, for what it has sent decides first.
    ``unheard`` is since when QEMU, whose monitor is there, has not answered what a condition asks.
    ``since`` is when a condition that must stay began to hold. ``branches`` are the runs of a
    ``parallel`` step in the order written, with how each ended.
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
    intent: Intent | None = None
    heard: tuple[str, ...] = ()
    doubt: Doubt | None = None
    probed: bool = False
    cut: bool = False
    target: str = ""
    result: object = None
    spared: float | None = None
    unheard: float | None = None
    since: float | None = None
    branches: dict[str, BranchEnd | None] = {}


class Run(msgspec.Struct, omit_defaults=True):
    """One run. ``key`` is the guest, or the guest and the value of ``by``.

    ``cancelled`` is why it shall end as soon as its command in flight is answered;
    ``turn_over`` is true when the next run of its key need not wait for its end.
    ``ask`` is what an operator is asked before it begins, ``approved`` who said yes.
    ``frames`` are the steps around the present one, outermost first; a branch
    (``parent`` is the run that waits for it, ``root`` the whole) inherits the first ``base``
    of them, and ``branch_end`` is how it ended. ``answer`` is where its end is told to
    who ordered it, ``refusal`` what QEMU then said, if it refused.

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
    turn_over: bool = False
    ask: str = ""
    approved: str = ""
    root: str = ""
    parent: str = ""
    frames: list[Frame] = []
    base: int = 0
    branch_end: BranchEnd | None = None
    answer: AnswerTo | None = None
    refusal: Refusal | None = None

    @property
    def story(self) -> str:
        """The id under which people know it: that of the run that a branch belongs to."""
        return self.root or self.id

    def results(self, depth: int | None = None) -> dict[str, Saved]:
        """What steps saved, as far as it is visible at the present step: a runbook has its own.

        Args:
            depth: as it is visible inside of so many of the steps around.
        """
        for frame in reversed(self.frames[:depth]):
            if frame.saved is not None:
                return frame.saved
        return self.saved

    @property
    def is_open(self) -> bool:
        """Whether the run may still do something."""
        return self.phase is not Phase.ENDED

    def ends(self) -> list[float]:
        """The deadlines of the run, of the step at which it is, and of the steps around."""
        around = [frame.deadline for frame in self.frames[self.base :]]
        ends = (self.deadline, *around, self.cursor.deadline)
        return [end for end in ends if end is not None]

    def next_wake(self) -> float | None:
        """The earliest time at which this run wants to be looked at, or None."""
        cursor = self.cursor
        if cursor.pending:
            # What is asked is answered soon, and decides first: a deadline that
            # cut in would leave the outcome of a command unknown.
            return cursor.answer_by
        if cursor.doubt is not None:
            return cursor.wake  # what became of it decides before any deadline does
        if None in cursor.branches.values():
            return None  # they have the same deadlines, and wake it when they end
        times = [max(end, cursor.spared or end) for end in self.ends()]
        times += [t for t in (cursor.wake, cursor.limit) if t is not None]
        if self.cancelled and cursor.spared is not None:
            times.append(cursor.spared)
        return min(times, default=None)

    def next_id(self) -> str:
        """The id that ``new_id`` will give."""
        return f"{self.id}.{self.effects + 1}"

    def new_id(self) -> str:
        """An id for the next effect of this run, unique for ever."""
        self.effects += 1
        return f"{self.id}.{self.effects}"
