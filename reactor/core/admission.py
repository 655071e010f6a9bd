"""Whether a match becomes a run: the contract's order, each step with its reason."""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from reactor.core.match import Debounced
from reactor.core.policy import Limit, LimitScope, Mode, Policy
from reactor.core.windows import Starts, WindowCounts

SLOT_LINE_MAX = 1000
"""Runs of one policy that may wait for a slot of ``N at once``."""

OPEN_MAX = 10_000
"""Runs of one policy that may be open: they stand in the journal and wake by time."""

ROWS_KEPT = 10_000
"""Ledger rows of one policy that are kept for a whole hour although no limit and no cooldown of it
needs them so long: for ``run.nth`` after a restart, and for a limit that is added by a reload."""


class Verdict(StrEnum):
    """Why a match became a run or did not; the value is what operators read."""

    ADMITTED = "admitted"
    NOT_SELECTED = "the policy is not for this guest"
    NO_GUEST = "the message does not say which guest it is about"
    AWAY = "the guest's monitor is away"
    UNLOADED = "the schedule is not loaded any more"
    RETAINED = "the message was retained: nobody sends it now"
    TOO_OLD = "the message is too old, or does not say how old it is"
    OWN = "the event is an effect of reactor's own command"
    SYNTHETIC = "the event is synthetic"
    RENAMED = "the same came under its other name"
    WHERE_FALSE = "`where` is false"
    KEY_FAILED = "`by` could not be evaluated"
    COUNTED = "counted: too few yet"
    OPEN_ALREADY = "the first event of this key waits already"
    OPENED = "waiting for the second event"
    FOLLOWED = "the second event came"
    NOT_FOLLOWED = "the second event did not come"
    CALLED_OFF = "an event of `cancel_on` came"
    DID_NOT_LAST = "the state did not last"
    NOT_READY = "not ready on this guest"
    ARMING = "held back: the policy is being armed on this guest"
    SILENCED = "silenced"
    HELD = "held by an operator"
    INHIBITED = "inhibited"
    DEBOUNCED = "waiting for quiet"
    BUSY = "a run of this key is still open"
    COOLING_DOWN = "cooling down"
    LIMITED = "limited"
    QUEUE_FULL = "queue full"
    TOO_MANY = "as many runs of this key are open as `max` allows"
    CONDITION_FALSE = "`if` is false"
    WOULD_RUN = "would run"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its figures; ``limit`` is the one that refused, if one did.

    ``values`` are what a condition was decided from, ``run`` is the run that was admitted.
    ``path`` is the place in the policy, or the operator's word, that decided; empty for
    the trigger's.
    """

    verdict: Verdict
    reason: str = ""
    limit: Limit | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    run: str = ""
    path: str = ""

    @property
    def sentence(self) -> str:
        """The verdict and its reason, as an operator reads them."""
        return f"{self.verdict.value}: {self.reason}" if self.reason else self.verdict.value


class LedgerRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stays of an admitted run for as long as a window may count it."""

    run: str
    policy: str
    guest: str
    key: str
    at: float
    started: float | None = None


@dataclass(slots=True)
class PolicyState:
    """What a policy remembers between events; rebuilt from ledger rows after a restart.

    ``open`` holds the run ids of each key whose turn is not over, oldest first, and
    ``open_count`` how many they are; ``slots`` the runs that
    count for ``N at once``, with their scope values; ``told`` until when the
    ``on_limit`` of a limit and scope value has been spoken for; ``debounced`` the matches
    that wait for quiet, by key, the one that began to wait first in front.
    """

    counts: WindowCounts
    starts: Starts = field(default_factory=Starts)
    rows: OrderedDict[str, LedgerRow] = field(default_factory=OrderedDict)
    open: dict[str, deque[str]] = field(default_factory=dict)
    open_count: int = 0
    slots: dict[str, Mapping[LimitScope, str]] = field(default_factory=dict)
    slot_line: deque[str] = field(default_factory=deque)
    told: dict[str, float] = field(default_factory=dict)
    debounced: OrderedDict[str, Debounced] = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, policy: Policy) -> "PolicyState":
        """The state of a policy that has seen nothing."""
        return cls(WindowCounts(policy.limits))

    def horizon(self, policy: Policy) -> float:
        """Seconds for which its limits and its cooldown need a ledger row."""
        return max(self.counts.longest, policy.cooldown or 0.0)

    def remember(self, row: LedgerRow, values: Mapping[LimitScope, str]) -> None:
        """Count a ledger row in, as at its admission."""
        self.rows[row.run] = row
        self.counts.add(row.run, values, row.at)
        if row.started is not None:
            self.starts.add(row.key, row.started)

    def enter(self, key: str, run: str) -> None:
        """Let a run stand in the line of its key."""
        self.open.setdefault(key, deque()).append(run)
        self.open_count += 1

    def leave(self, key: str, run: str) -> str | None:
        """Its turn is over; returns who is first in line now, None when nothing changed."""
        line = self.open.get(key)
        if line is None or run not in line:
            return None
        line.remove(run)
        self.open_count -= 1
        if line:
            return line[0]
        del self.open[key]
        return None

    def keys_of(self, guest: str) -> list[str]:
        """The keys of a guest of which something is remembered, in their order."""
        known = {*self.open, *self.starts.keys(), *self.debounced}
        return sorted(key for key in known if key == guest or key.startswith(f"{guest}/"))

    def slots_taken(self, limit: Limit, values: Mapping[LimitScope, str]) -> int:
        """How many runs count for an ``N at once`` limit now."""
        value = values[limit.scope]
        return sum(1 for taken in self.slots.values() if taken[limit.scope] == value)

    def adopt(self, other: "PolicyState") -> None:
        """Take over what another revision's state knows, besides what it counted."""
        self.open, self.open_count = other.open, other.open_count
        self.slots, self.slot_line = other.slots, other.slot_line
        self.told, self.debounced = other.told, other.debounced


def scope_values(guest: str, key: str, host: str) -> dict[LimitScope, str]:
    """The value of each scope for one run."""
    return {LimitScope.GUEST: guest, LimitScope.KEY: key, LimitScope.HOST: host}


def decide(
    policy: Policy, state: PolicyState, key: str, values: Mapping[LimitScope, str], now: float
) -> Decision:
    """Whether a match that is selected and ready is admitted now.

    The order is the contract's: busy, cooldown, windowed limits, turn. Busy
    comes before cooldown: an operator who reads "cooling down" would shorten
    the cooldown, although the open run itself is what is stuck.
    """
    open_runs = state.open.get(key)
    if policy.mode is Mode.SINGLE and open_runs:
        return Decision(Verdict.BUSY, f"run {open_runs[0]} is open")
    last = state.starts.last(key)
    if policy.cooldown is not None and last is not None and now < last + policy.cooldown:
        left = last + policy.cooldown - now
        return Decision(Verdict.COOLING_DOWN, f"{left:.1f} s left")
    limit = state.counts.full(values, now)
    if limit is not None:
        return Decision(Verdict.LIMITED, limit.text, limit)
    return _turn_refusal(policy, state, open_runs, values) or Decision(Verdict.ADMITTED)


def _turn_refusal(
    policy: Policy,
    state: PolicyState,
    open_runs: Sequence[str] | None,
    values: Mapping[LimitScope, str],
) -> Decision | None:
    """Why there is no place to wait or to run beside others, or None."""
    if policy.mode is Mode.QUEUED and open_runs and len(open_runs) > policy.max:
        return Decision(Verdict.QUEUE_FULL, f"{policy.max} wait already")
    if policy.mode is Mode.PARALLEL and open_runs and len(open_runs) >= policy.max:
        return Decision(Verdict.TOO_MANY, f"{policy.max} are open")
    if len(state.slot_line) >= SLOT_LINE_MAX and slot_refusal(policy, state, values):
        return Decision(Verdict.QUEUE_FULL, f"{SLOT_LINE_MAX} wait for a slot already")
    if state.open_count >= OPEN_MAX:
        return Decision(Verdict.QUEUE_FULL, f"{OPEN_MAX} runs of this policy are open")
    return None


def slot_refusal(
    policy: Policy, state: PolicyState, values: Mapping[LimitScope, str]
) -> Limit | None:
    """The ``N at once`` limit that leaves no slot now, or None."""
    for limit in policy.limits:
        if limit.window is not None:
            continue
        if state.slots_taken(limit, values) >= limit.count:
            return limit
    return None


def told_key(limit: Limit, values: Mapping[LimitScope, str]) -> str:
    """Under which name ``on_limit`` of this limit and scope value is remembered."""
    return f"{limit.text}|{values[limit.scope]}"
