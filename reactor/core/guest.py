"""What the engine knows of one guest, and who has its hand on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from reactor.core.catalog import DISCONNECTED, STORAGE_DAEMON
from reactor.core.event import Event
from reactor.core.guards import GuestState
from reactor.core.inputs import Facts
from reactor.core.match import Match


class Readiness(StrEnum):
    """Whether a policy's ``arm`` has succeeded on a guest."""

    READY = "ready"
    ARMING = "arming"
    NOT_READY = "not ready"


@dataclass(slots=True)
class Arming:
    """The arm of one policy's revision on one guest.

    ``told``: REACTOR_POLICY_NOT_READY was said and no arm has succeeded since.
    ``in_line``: another step had its hand on the guest; when that is over the arm
    is tried again, should its time be up by then.
    """

    revision: str
    state: Readiness
    reason: str = ""
    run: str = ""
    told: bool = False
    in_line: bool = False


class KeptGuest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stored snapshot of a guest: what a restart compares with.

    ``facts`` is what QEMU said last, never that its monitor is away. ``lost`` is why its monitor
    closed, until its loss is told or it is back.
    """

    epoch: str
    facts: Facts
    since: float
    end_known: bool = False
    seen: str = ""
    moved: str = ""
    again: str = ""
    lost: str = ""
    ahead: tuple[tuple[str, str, float], ...] = ()


@dataclass(slots=True)
class OwnActions:
    """What we did to the guest lately, to tell our events from its own.

    ``holder_sent`` is true from a changing command to the end of its step,
    ``dumping`` from our dump to its DUMP_COMPLETED, whenever that comes. Of ``jobs``
    and ``deleted`` the latest are kept.
    """

    reset_sent: float | None = None
    reset_seen: float | None = None
    holder_sent: bool = False
    dumping: bool = False
    # No deques, here and in Guest: an empty one takes 600 bytes more, of each of thousands.
    jobs: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Asking:
    """What is being asked to compare with it later, see ``reactor.core.comparing``.

    ``pending`` are the names of the queries by the ids of their answers, ``said`` what
    events said meanwhile, ``later`` the subjects that are to be asked for behind these.
    ``last``: the answers that come now lead to no more queries.
    """

    subjects: tuple[str, ...]
    pending: dict[str, str] = field(default_factory=dict)
    answers: dict[str, object] = field(default_factory=dict)
    said: dict[tuple[str, str | None], object] = field(default_factory=dict)
    last: bool = False
    later: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Look:
    """A new look at a guest of whom events were dropped, see ``reactor.core.anew``.

    ``runs`` wait for one of these events, or did. ``dump`` is the state of the latest dump as it
    was told, ``heard`` are the moves of the guest that were told since the look began.
    ``pending`` are the facts that are asked for by the ids of their answers; ``compares``: what
    is compared is being asked before them. ``again`` are the events that were dropped meanwhile.
    """

    runs: tuple[str, ...]
    dump: str
    compares: bool = False
    heard: frozenset[str] = frozenset()
    pending: dict[str, str] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)

    def hear(self, event: Event, dump: str) -> None:
        """Take in what an event tells, ``dump`` of the latest dump: it is not made up for."""
        match event.name:
            case "DUMP_COMPLETED":
                self.dump = dump
            case "STOP":
                self.heard = self.heard - {"RESUME"} | {"STOP"}
            case "RESUME":
                self.heard = frozenset({"RESUME"})
            case "RESET":
                self.heard |= {"RESET"}
            case _:
                pass


@dataclass(slots=True)
class Guest:
    """One guest; ``status`` is what ``query-status`` answered last, never inferred.

    ``listeners`` and ``watchers`` are run ids in the order in which they came: a
    set would hand effects out in another order in every process. ``end_known``:
    a SHUTDOWN was seen, or REACTOR_GUEST_LOST was said. ``forgotten``: nobody
    names the guest any more, and it stays only for its open runs. ``seen`` is the
    event that came after the status was asked last, and that its present state would prove
    again, ``moved`` the state that an event since then led to; ``again`` is an event of which a
    run decided while nobody could be asked; ``made_up`` are the events that the latest connect
    made up for; ``ahead`` are the subjects and keys that connects told of, and until when
    QEMU may still hold the events of these back; ``unanswered`` are the subjects whose snapshot
    is of before the latest connect, since QEMU has not said yet how they stand now.
    ``held`` are the matches that wait for the arm of their policy, numbered as they came.
    ``look`` is the new look at it after events were dropped; as long as there is one ``seen`` and
    ``moved`` stand: they are what was told.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    agent: bool = False
    epoch: str = ""
    facts: Facts = field(default_factory=Facts)
    connected: bool = False
    status: str = DISCONNECTED
    since: float = 0.0
    dump_ended: float | None = None
    end_known: bool = False
    forgotten: bool = False
    lost_reason: str = ""
    seen: str = ""
    moved: str = ""
    again: str = ""
    made_up: frozenset[str] = frozenset()
    ahead: dict[tuple[str, str], float] = field(default_factory=dict)
    unanswered: frozenset[str] = frozenset()
    asking: Asking | None = None
    look: Look | None = None
    awaited_until: float | None = None
    hand: str = ""
    line: list[str] = field(default_factory=list)
    own: OwnActions = field(default_factory=OwnActions)
    listeners: dict[str, None] = field(default_factory=dict)
    watchers: dict[str, None] = field(default_factory=dict)
    arming: dict[str, Arming] = field(default_factory=dict)
    held: dict[str, dict[int, Match]] = field(default_factory=dict)
    refreshing: str = ""
    refresh_again: bool = False

    @property
    def is_storage_daemon(self) -> bool:
        """Whether there is no guest behind the monitor, only disks."""
        return self.facts.kind == STORAGE_DAEMON

    def life(self) -> str:
        """The life of QEMU that what happens now is about; empty where it is over or unknown."""
        return self.epoch if self.connected and not self.end_known else ""

    def state(self) -> GuestState:
        """What the guard looks at."""
        facts = self.facts
        return GuestState(self.status, facts.dump == "active", facts.migrating, self.dump_ended)

    def kept(self) -> KeptGuest | None:
        """The stored snapshot; None before the first connect, and for a guest that is gone."""
        if not self.epoch or self.forgotten:
            return None
        return KeptGuest(
            epoch=self.epoch,
            facts=self.facts,
            since=self.since,
            end_known=self.end_known,
            seen=self.seen,
            moved=self.moved,
            again=self.again,
            lost=self.lost_reason,
            ahead=tuple((*of, until) for of, until in self.ahead.items()),
        )


BY_COMMAND = "host-qmp-system-reset"
"""The reason of a RESET that ``system_reset`` made."""

_RESET_ECHO = 10.0
_PORT_ECHO = 1.0
_STEP_EVENTS = frozenset({"STOP", "RESUME", "POWERDOWN"})
_JOB_EVENTS = frozenset(
    {
        "BLOCK_JOB_COMPLETED",
        "BLOCK_JOB_CANCELLED",
        "BLOCK_JOB_ERROR",
        "BLOCK_JOB_READY",
        "BLOCK_JOB_PENDING",
        "JOB_STATUS_CHANGE",
    }
)
MAYBE_OWN = (
    _STEP_EVENTS
    | _JOB_EVENTS
    | {"RESET", "SHUTDOWN", "DUMP_COMPLETED", "VSERPORT_CHANGE", "DEVICE_DELETED"}
)
"""The events that can be an effect of ours; all others never are."""


def is_own(event: Event, guest: Guest, now: float) -> bool:
    """Whether the event is an effect of ours: the closed list of the contract.

    GUEST_PANICKED, WATCHDOG, BLOCK_IO_ERROR, QUORUM_* and the engine's own
    events never are: what they tell happened inside the guest or its disks.
    """
    if event.name not in MAYBE_OWN:
        return False
    own = guest.own
    reset_age = None if own.reset_sent is None else now - own.reset_sent
    if event.name == "RESET":
        by_command = event.data.get("reason") == BY_COMMAND
        return by_command or (reset_age is not None and reset_age <= _RESET_ECHO)
    if event.name == "VSERPORT_CHANGE":
        closed = event.data.get("open") is False
        latest = max(own.reset_sent or 0.0, own.reset_seen or 0.0)
        return closed and reset_age is not None and now - latest <= _PORT_ECHO
    if event.name == "DUMP_COMPLETED":
        return own.dumping
    if event.name == "SHUTDOWN":
        return own.holder_sent and str(event.data.get("reason", "")).startswith("host-")
    if event.name == "DEVICE_DELETED":
        return event.data.get("device") in own.deleted
    if event.name in _STEP_EVENTS:
        return own.holder_sent
    return (event.data.get("device") or event.data.get("id")) in own.jobs
