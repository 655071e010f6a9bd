"""What triggers remember between inputs: tables, each with its bound."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from reactor.core.event import Event
from reactor.core.event_windows import EventWindows
from reactor.core.identity import place_name, policy_in
from reactor.core.windows import KEYS_KEPT

RENAMES_KEPT = 1000
"""Failures of the last seconds that may yet come under their other name."""

REFUSALS_TOLD = 1000
"""Policies and reasons of which is remembered when a refused message was last told."""

DELAYS_KEPT = 10_000
"""Delayed firings of all schedules that wait for their time."""


class OpenSequel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A first event whose second is awaited until ``until``, on the engine's clock.

    ``trigger`` is the trigger's name, ``count`` how many events made the first.
    """

    trigger: str
    guest: str
    key: str
    event: Event
    opened: float
    until: float
    count: int = 1

    @property
    def name(self) -> str:
        """What it is called: the trigger, the guest and the key."""
        return place_name(self.trigger, self.guest, self.key)

    @property
    def policy(self) -> str:
        """The policy whose trigger it is."""
        return policy_in(self.trigger)


_NONE: dict[str, dict[str, OpenSequel]] = {}
_NO_ROWS: OrderedDict[str, OpenSequel] = OrderedDict()


class OpenSequels:
    """The first events that wait, by guest and trigger, and by policy, the oldest first."""

    __slots__ = ("_guests", "_policies")

    def __init__(self) -> None:
        self._guests: dict[str, dict[str, dict[str, OpenSequel]]] = {}
        self._policies: dict[str, OrderedDict[str, OpenSequel]] = {}

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._policies)

    def __iter__(self) -> Iterator[OpenSequel]:
        """All that wait."""
        return (row for rows in self._policies.values() for row in rows.values())

    def of(self, trigger: str, guest: str) -> dict[str, OpenSequel]:
        """What waits for a trigger on a guest, by key."""
        return self._guests.get(guest, _NONE).get(trigger, {})

    def on(self, guest: str) -> list[OpenSequel]:
        """What waits on a guest."""
        return [row for rows in self._guests.get(guest, _NONE).values() for row in rows.values()]

    def find(self, name: str) -> OpenSequel | None:
        """The one of this name."""
        return self._policies.get(policy_in(name), _NO_ROWS).get(name)

    def add(self, row: OpenSequel) -> OpenSequel | None:
        """Let one wait; returns the oldest of its policy when that is one too many."""
        rows = self._policies.setdefault(row.policy, OrderedDict())
        rows[row.name] = row
        triggers = self._guests.setdefault(row.guest, {})
        triggers.setdefault(row.trigger, {})[row.key] = row
        return next(iter(rows.values())) if len(rows) > KEYS_KEPT else None

    def drop(self, row: OpenSequel) -> None:
        """Let one wait no longer."""
        rows, triggers = self._policies[row.policy], self._guests[row.guest]
        del rows[row.name], triggers[row.trigger][row.key]
        if not rows:
            del self._policies[row.policy]
        if not triggers[row.trigger]:
            del triggers[row.trigger]
        if not triggers:
            del self._guests[row.guest]


@dataclass(slots=True)
class Lasting:
    """A state that is watched on a guest: since when it holds, and whether that was told."""

    since: float | None = None
    fired: bool = False


@dataclass(slots=True)
class Watched:
    """The states that are watched on one guest, by trigger.

    ``asking`` are questions under way with the facts that they ask, ``asked`` is when the
    last ones left, ``next_look`` when the next ones will at the latest.
    """

    triggers: dict[str, Lasting] = field(default_factory=dict)
    asking: dict[str, str] = field(default_factory=dict)
    asked: float = 0.0
    next_look: float = 0.0


class Delayed(msgspec.Struct, frozen=True):
    """A firing of a schedule that waits for the jitter of its guest.

    ``at`` is the schedule's own time, ``due`` that of the run.
    """

    trigger: str
    guest: str
    at: float
    due: float

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.trigger}|{self.at!r}|{self.guest}"


class Renamed(msgspec.Struct, frozen=True):
    """A failure that was seen under one of its names, at ``received``."""

    event: str
    received: float


@dataclass(slots=True)
class Telling:
    """When a refused message was last told, and how many more of its kind came since."""

    at: float
    more: int = 0


@dataclass(slots=True)
class TriggerMemory:
    """All of it; ``dropped`` counts by kind what had to go.

    ``told`` is by policy and verdict, the one that was told longest ago in front.

    ``states`` is by guest, ``fired`` says by trigger which time of a schedule that catches up
    fired last, ``seen`` holds renamed events by guest and device. ``moved`` are
    guests of whom something changed that a state may read. Until ``settled``, a while after
    a restart, a guest whose monitor is away is given time to come.
    """

    windows: EventWindows = field(default_factory=EventWindows)
    sequels: OpenSequels = field(default_factory=OpenSequels)
    states: dict[str, Watched] = field(default_factory=dict)
    delayed: OrderedDict[str, Delayed] = field(default_factory=OrderedDict)
    fired: dict[str, float] = field(default_factory=dict)
    seen: OrderedDict[str, Renamed] = field(default_factory=OrderedDict)
    moved: dict[str, None] = field(default_factory=dict)
    told: OrderedDict[tuple[str, str], Telling] = field(default_factory=OrderedDict)
    settled: float = 0.0
    dropped: Counter[str] = field(default_factory=Counter)
