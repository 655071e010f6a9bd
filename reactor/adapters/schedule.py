"""When the schedules of policies fire: pure of clocks, the time is an argument.

APScheduler's triggers know the calendar. What they do at a change of daylight
saving is not what operators expect (docs/adr/0013 has the measurements), so a
cron trigger counts wall-clock times here, and ``zoneinfo`` says which of them exist.
"""

import heapq
import math
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from reactor.core.cron import parse_cron
from reactor.core.inputs import Fired
from reactor.core.policy import Policy, ScheduleTrigger

SCHEDULES_MAX = 10_000
"""Schedules of all policies together; beyond it they are refused and told."""

ON_TIME_S = 60.0
"""Seconds that a firing may be late without being missed: a clock is corrected, a disk is slow."""

SET_BACK_S = 3 * 3600.0
"""Seconds by which a clock may go back and what fired does not fire again; cron's own figure."""

NOTHING: Mapping[tuple[str, int], float] = {}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)
_FIRST_LOOK_S = 60.0


class Timetable(Protocol):
    """The times at which one schedule fires, in seconds since the epoch."""

    def after(self, at: float) -> float | None:
        """The first firing later than ``at``; None when there is none any more."""
        ...


class Calendar:
    """Cron's five fields in a time zone.

    A wall-clock time that daylight saving skips does not fire; one that it
    doubles fires the first time only.
    """

    def __init__(self, cron: str, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)
        # Wall-clock times, told as UTC: there every time exists, and exists once.
        self._triggers = [
            CronTrigger(
                minute=fields.minute,
                hour=fields.hour,
                day=fields.day,
                month=fields.month,
                day_of_week=fields.day_of_week,
                timezone=UTC,
            )
            for fields in parse_cron(cron)
        ]

    def after(self, at: float) -> float | None:
        """The first firing later than ``at``."""
        # Down to the second: rounded up, the clock could stand on the firing already.
        wall = datetime.fromtimestamp(math.floor(at), self._zone).replace(tzinfo=UTC, fold=0)
        while True:
            times = [trigger.get_next_fire_time(None, wall + _MOMENT) for trigger in self._triggers]
            if all(time is None for time in times):
                return None
            wall = min(time for time in times if time is not None)
            firing = self._instant(wall)
            if firing is not None and firing > at:
                return firing

    def _instant(self, wall: datetime) -> float | None:
        """When the clocks of the zone show this time first; None when they never do."""
        instant = wall.replace(tzinfo=self._zone).timestamp()
        shown = datetime.fromtimestamp(instant, self._zone)
        return instant if shown.replace(tzinfo=UTC, fold=0) == wall else None


class Rhythm:
    """Every so many seconds since the epoch, whenever the daemon was started."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._trigger = IntervalTrigger(seconds=every, start_date=_EPOCH, timezone=UTC)

    def after(self, at: float) -> float | None:
        """The first firing later than ``at``."""
        asked = at - self._every
        while True:
            try:
                found = self._trigger.get_next_fire_time(None, datetime.fromtimestamp(asked, UTC))
            except (OverflowError, ValueError):
                return None  # beyond the last year of the calendar
            firing = float(found.timestamp())
            if firing > at:
                return firing
            # From the middle between two firings, where no rounding leads astray.
            asked = firing + self._every / 2


def last_between(timetable: Timetable, low: float, high: float) -> float | None:
    """The last firing later than ``low`` and not later than ``high``.

    Looked for from ``high`` backwards in growing steps: a year of minutes is not counted.
    """
    span = _FIRST_LOOK_S
    while True:
        start = max(low, high - span)
        last, firing = None, timetable.after(start)
        while firing is not None and firing <= high:
            last, firing = firing, timetable.after(firing)
        if last is not None or start <= low:
            return last
        span *= 4


class Spec(NamedTuple):
    """What decides when a schedule fires: who has the same shares one timetable.

    Each can be held against each other, of either kind: two may be due together.
    """

    cron: str
    every: float
    timezone: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Firings of a schedule that came too late to be made up for; ``first`` is the earliest."""

    policy: str
    index: int
    first: float


@dataclass(slots=True)
class _Entry:
    """One timetable, its next firing, and the triggers (policy, index) that live by it."""

    timetable: Timetable
    next: float | None
    users: list[tuple[str, int, ScheduleTrigger]] = field(default_factory=list)


class Schedules:
    """The schedules of the loaded policies, and which of them are due.

    Time is seconds since the epoch as a wall clock shows it, which may jump. One
    that goes back lets nothing fire again, unless by more than three hours: then
    the schedules start anew at the new time. Firings that are found late, by a jump
    forward or because nobody asked, count as missed beyond a minute: the last one
    fires if it is within ``catch_up``, the others are dropped.

    Args:
        rng: draws the seeds.
        on_missed: is told what was dropped.
    """

    def __init__(
        self, rng: random.Random, on_missed: Callable[[Missed], None] | None = None
    ) -> None:
        self._rng = rng
        self._on_missed = on_missed
        self._entries: dict[Spec, _Entry] = {}
        self._line: list[tuple[float, Spec]] = []
        self._owed: list[Fired] = []
        self._seen = -math.inf
        self.missed = 0
        self.refused = 0

    def adopt(self, policies: Iterable[Policy], now: float) -> None:
        """Take these policies' schedules instead of the ones before.

        A schedule that was there before keeps its place; a new one fires at its
        first time from now on. ``refused`` counts those beyond the bound.
        """
        self._look_at(now)
        before, self._entries = self._entries, {}
        count = self.refused = 0
        for policy in policies:
            for index, trigger in enumerate(policy.triggers):
                if not isinstance(trigger, ScheduleTrigger):
                    continue
                count += 1
                if count > SCHEDULES_MAX:
                    self.refused += 1
                    continue
                self._entry(trigger, before).users.append((policy.name, index, trigger))
        loaded = {(user[0], user[1]) for entry in self._entries.values() for user in entry.users}
        self._owed = [one for one in self._owed if (one.policy, one.index) in loaded]
        self._line_up()

    def resume(
        self,
        alive: float,
        fired: float,
        loaded: Mapping[str, float],
        now: float,
        last: Mapping[tuple[str, int], float] = NOTHING,
    ) -> None:
        """Go on where an earlier life of the daemon ended; to be called after the first ``adopt``.

        The last firing that each schedule missed since then fires once, if it is
        within ``catch_up``.

        Args:
            alive: the latest time that is known of that life, on the engine's clock.
            fired: the ``at`` of its last firing; minus infinity for none.
            loaded: since when each policy was in force then; the others missed nothing.
            last: the last ``at`` of each trigger (policy, index), as far as it was kept.
        """
        if self._seen < fired <= self._seen + SET_BACK_S:
            self._place(fired)  # the clock went back in between
        # The engine's clock does not go back: it may be ahead of a wall clock that was set.
        # Or behind one that was set ahead: then it was alive when it fired last.
        known = fired if fired <= now + SET_BACK_S else -math.inf
        since = max(alive, known) if alive <= now else known
        for entry in self._entries.values():
            for policy, index, trigger in entry.users:
                if policy not in loaded or not trigger.catch_up:
                    continue
                # Just before it: what is as old as ``catch_up`` is within it.
                reach = math.nextafter(now - trigger.catch_up, -math.inf)
                # That it was alive does not mean that it had come to do it.
                done = last.get((policy, index), math.inf)
                low = max(done if done <= now + SET_BACK_S else since, loaded[policy], reach)
                missed = last_between(entry.timetable, low, now) if low < now else None
                if missed is not None:
                    self._owed.append(self._fired(policy, index, missed))

    def next(self, now: float) -> float | None:
        """When ``due`` has something to give at the earliest, not before ``now``."""
        if self._owed:
            return now
        return max(now, self._line[0][0]) if self._line else None

    def due(self, now: float) -> list[Fired]:
        """The firings that are due, in the order of their times; each is given once."""
        self._look_at(now)
        fired, self._owed = self._owed, []
        while self._line and self._line[0][0] <= now:
            first, spec = heapq.heappop(self._line)
            entry = self._entries[spec]
            fired += self._due_of(entry, first, now)
            self._queue(spec, entry, now)
        return sorted(fired, key=lambda one: (one.at, one.policy, one.index))

    def _due_of(self, entry: _Entry, first: float, now: float) -> list[Fired]:
        following = entry.timetable.after(first)
        is_only = following is None or following > now
        last = first if is_only else last_between(entry.timetable, first, now) or first
        fired = []
        for policy, index, trigger in entry.users:
            on_time = now - last <= max(ON_TIME_S, trigger.catch_up)
            if on_time:
                fired.append(self._fired(policy, index, last))
            # A rhythm of seconds that stumbles is in step again: nobody missed anything.
            if not on_time or last - first > ON_TIME_S:
                self.missed += 1
                if self._on_missed is not None:
                    self._on_missed(Missed(policy, index, first))
        return fired

    def _fired(self, policy: str, index: int, at: float) -> Fired:
        # 53 bits: a number that any reader of JSON keeps.
        return Fired(policy, index, at, self._rng.getrandbits(53))

    def _entry(self, trigger: ScheduleTrigger, before: dict[Spec, _Entry]) -> _Entry:
        """The entry of the trigger's timetable, new or as it was."""
        spec = Spec(trigger.cron or "", trigger.every or 0.0, trigger.timezone)
        entry = self._entries.get(spec)
        if entry is not None:
            return entry
        known = before.get(spec)
        if known is not None:
            entry = _Entry(known.timetable, known.next)
        else:
            timetable = _timetable(trigger)
            entry = _Entry(timetable, timetable.after(self._seen))
        self._entries[spec] = entry
        return entry

    def _look_at(self, now: float) -> None:
        """Note the time; one that is hours before the last starts the schedules anew."""
        if now < self._seen - SET_BACK_S:
            self._place(now)
        self._seen = max(self._seen, now)

    def _place(self, at: float) -> None:
        """Let every schedule fire next after ``at``."""
        self._seen = at
        for entry in self._entries.values():
            entry.next = entry.timetable.after(at)
        self._line_up()

    def _line_up(self) -> None:
        self._line = [
            (entry.next, spec) for spec, entry in self._entries.items() if entry.next is not None
        ]
        heapq.heapify(self._line)

    def _queue(self, spec: Spec, entry: _Entry, now: float) -> None:
        entry.next = entry.timetable.after(now)
        if entry.next is not None:
            heapq.heappush(self._line, (entry.next, spec))


def _timetable(trigger: ScheduleTrigger) -> Timetable:
    if trigger.cron is not None:
        return Calendar(trigger.cron, trigger.timezone)
    assert trigger.every is not None  # noqa: S101 - a schedule is one of the two
    return Rhythm(trigger.every)
