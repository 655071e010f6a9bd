"""Counting over sliding windows: limits, cooldowns, the number of a run in its hour."""

from bisect import bisect_right, insort
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reactor.core.policy import Limit, LimitScope

KEYS_KEPT = 10_000
"""Keys a policy remembers; the least recently used goes first."""

HOUR = 3600.0
_STARTS_KEPT = 1000


class Usage(NamedTuple):
    """How much of a limit is used; ``frees_at`` is when the next place is free, if none is."""

    limit: Limit
    used: int
    frees_at: float | None


class WindowCounts:
    """How often something was admitted, per limit and scope value.

    A window is (now - window, now]: what lies exactly one window back no
    longer counts.
    """

    __slots__ = ("_limits", "_times")

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = [limit for limit in limits if limit.window is not None]
        self._times: list[OrderedDict[str, deque[tuple[float, str]]]] = [
            OrderedDict() for _ in self._limits
        ]

    def full(self, values: Mapping[LimitScope, str], now: float) -> Limit | None:
        """The first limit that admits no more now, or None."""
        for limit, table in zip(self._limits, self._times, strict=True):
            times = table.get(values[limit.scope])
            if times is None:
                continue
            _prune(times, now - (limit.window or 0.0))
            if len(times) >= limit.count:
                return limit
        return None

    def usage(self, values: Mapping[LimitScope, str], now: float) -> list[Usage]:
        """How much of each limit is used now; nothing is changed by asking."""
        found = []
        for limit, table in zip(self._limits, self._times, strict=True):
            window = limit.window or 0.0
            times = [at for at, _ in table.get(values[limit.scope], ()) if at > now - window]
            full = len(times) >= limit.count
            # A limit that became smaller may hold more than it would let in.
            frees_at = times[len(times) - limit.count] + window if full else None
            found.append(Usage(limit, len(times), frees_at))
        return found

    def add(self, name: str, values: Mapping[LimitScope, str], at: float) -> None:
        """Count one more, under a name that ``remove`` knows."""
        for limit, table in zip(self._limits, self._times, strict=True):
            value = values[limit.scope]
            times = table.setdefault(value, deque())
            times.append((at, name))
            table.move_to_end(value)
            _prune(times, at - (limit.window or 0.0))
            if len(table) > KEYS_KEPT:
                table.popitem(last=False)

    def remove(self, name: str, values: Mapping[LimitScope, str]) -> None:
        """Give a place back."""
        for limit, table in zip(self._limits, self._times, strict=True):
            times = table.get(values[limit.scope])
            if times is not None:
                kept = deque(item for item in times if item[1] != name)
                table[values[limit.scope]] = kept

    @property
    def longest(self) -> float:
        """The longest window in seconds, 0 without one."""
        return max((limit.window or 0.0 for limit in self._limits), default=0.0)


def _prune(times: deque[tuple[float, str]], until: float) -> None:
    while times and times[0][0] <= until:
        times.popleft()


class Starts:
    """When the runs of each key started: for cooldown and ``run.nth``."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def add(self, key: str, at: float) -> None:
        """Remember a start; of what a journal gives back they come in any order."""
        times = self._times.setdefault(key, [])
        insort(times, at)
        if len(times) > _STARTS_KEPT:
            del times[0]
        self._times.move_to_end(key)
        if len(self._times) > KEYS_KEPT:
            self._times.popitem(last=False)

    def keys(self) -> list[str]:
        """The keys of which a start is remembered."""
        return list(self._times)

    def last(self, key: str) -> float | None:
        """The latest start of this key, or None."""
        times = self._times.get(key)
        return times[-1] if times else None

    def within_hour(self, key: str, now: float) -> int:
        """How many runs of this key started in the hour up to now."""
        times = self._times.get(key, ())
        return len(times) - bisect_right(times, now - HOUR)
