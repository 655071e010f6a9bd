"""What the daemon answers, as data: the verbs show it, programs read it.

Times are seconds since the epoch. Lists are cut at a bound; the counts beside them are whole.
"""

from collections.abc import Mapping

import msgspec

from reactor.adapters.journal import Figures
from reactor.core.marks import Mark
from reactor.core.restraints import Hold, Inhibition, Silence


class RunLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run in a list; ``role`` is ``on_limit`` for the handler of a refused match.

    ``reason`` is why it waits, or why it ended as it did.
    """

    run: str
    policy: str
    guest: str
    state: str
    outcome: str = ""
    reason: str = ""
    admitted: float | None = None
    started: float | None = None
    ended: float | None = None
    role: str = "run"

    @property
    def stands(self) -> str:
        """How it stands, or ended: ``on_limit: succeeded``, ``handling the end (failed)``."""
        role = "" if self.role == "run" else f"{self.role}: "
        if self.ended is not None:
            return role + (self.outcome or self.state)
        # The outcome is known before the handlers of the end are done.
        return role + self.state + (f" ({self.outcome})" if self.outcome else "")


class GuestLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One guest; ``trouble`` is why its monitor is away or cannot be used.

    ``since`` is when it got this status. ``runs`` are open. ``lacking`` are the policies that
    cannot fire on it, or would fail.
    """

    guest: str
    connected: bool
    status: str
    since: float
    kind: str = "vm"
    qemu: str = ""
    labels: Mapping[str, str] = {}
    marks: int = 0
    runs: int = 0
    policies: int = 0
    not_ready: int = 0
    lacking: int = 0
    hold: str = ""
    trouble: str = ""


class NotReady(msgspec.Struct, frozen=True):
    """A policy that may not act on a guest yet; ``state`` is ``arming`` or ``not ready``."""

    policy: str
    guest: str
    state: str
    reason: str


class LackLine(msgspec.Struct, frozen=True):
    """What a policy lacks, on how many guests; ``some`` of them by name.

    ``state`` is ``cannot fire``, ``fails`` or ``cannot read``.
    """

    policy: str
    state: str
    reason: str
    guests: int
    some: list[str]


class ReadyLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A policy on a guest; one that lacks several things has a line for each.

    ``state`` is ``ready``, ``not ready``, ``arming``, ``away``, ``cannot fire``, ``fails``,
    ``cannot read``, ``nothing to watch`` or ``not looked at yet``.
    """

    policy: str
    guest: str
    state: str
    reason: str = ""

    @property
    def is_hindered(self) -> bool:
        """Whether the policy cannot do now what it is for."""
        return self.state in {"not ready", "arming", "cannot fire", "fails"}


class Matrix(msgspec.Struct, frozen=True):
    """Policies on guests; ``cut``: there are more rows than are shown."""

    rows: list[ReadyLine]
    cut: bool


class PolicyLine(msgspec.Struct, frozen=True):
    """One policy: how many guests it selects, and on how many of these it is ready."""

    policy: str
    enforcement: str
    guests: int
    ready: int
    runs: int


class JournalLine(msgspec.Struct, frozen=True):
    """The journal in figures, up to a minute old; ``figures`` is None before the first look.

    ``commit_p50_s`` and ``commit_max_s`` are seconds of the last 512 synced commits.
    ``trouble`` is why its bounds cannot be kept.
    """

    figures: Figures | None
    commits: int
    commit_last_s: float
    commit_p50_s: float
    commit_max_s: float
    trouble: str = ""


class DaemonLine(msgspec.Struct, frozen=True):
    """The daemon itself; ``journal_problem`` is empty while the journal takes everything.

    ``broker`` is ``none``, ``connected`` or ``away``. ``waiting`` and ``dropped`` are
    counts by queue and by reason. ``check`` is the command line that shows what is wrong with
    the rules.
    """

    version: str
    pid: int
    host: str
    since: float
    now: float
    journal: str
    journal_problem: str
    broker: str
    broker_url: str
    policies: int
    policy_problems: int
    audit: bool
    waiting: Mapping[str, int]
    dropped: Mapping[str, int]
    journal_figures: JournalLine | None = None
    check: str = "reactor check"


class Status(msgspec.Struct, frozen=True):
    """How everything stands. ``away`` are guests whose monitor is not connected.

    ``policies`` begin with those that are not ready somewhere.
    """

    daemon: DaemonLine
    guests: int
    connected: int
    away: list[GuestLine]
    policies: list[PolicyLine]
    not_ready: list[NotReady]
    not_ready_count: int
    lacks: list[LackLine]
    lack_count: int
    runs: list[RunLine]
    run_count: int
    marks: list[Mark]
    mark_count: int
    holds: list[Hold]
    silences: list[Silence]
    inhibitions: list[Inhibition]
