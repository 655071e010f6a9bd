"""How long the last commits took."""

from typing import NamedTuple

KEPT = 512


class Durations(NamedTuple):
    """Seconds of the last commits: half of them took ``p50_s`` or less, none more than ``max_s``.

    All are 0.0 before the first commit.
    """

    last_s: float = 0.0
    p50_s: float = 0.0
    max_s: float = 0.0


class Stopwatch:
    """The last ``KEPT`` durations; one thread writes, any may read."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._next = 0

    def took(self, seconds: float) -> None:
        """One more."""
        if len(self._times) < KEPT:
            self._times.append(seconds)
        else:
            self._times[self._next] = seconds
        self._next = (self._next + 1) % KEPT

    def durations(self) -> Durations:
        """What they come to."""
        times, newest = list(self._times), self._next - 1
        if not times:
            return Durations()
        return Durations(times[newest], sorted(times)[(len(times) - 1) // 2], max(times))
