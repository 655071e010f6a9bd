"""Virtual time: what is to be done when, in order."""

import heapq
import itertools
from collections.abc import Callable

ENTRIES_MAX = 100_000
"""Entries that may wait at once; more would be a simulation that feeds itself."""


class Restless(Exception):  # noqa: N818 - it says what the simulation is
    """The simulation does not come to rest: something makes new work for ever."""


class Agenda:
    """A clock that jumps from one entry to the next; two of the same time keep their order.

    Args:
        start: the first moment, in seconds since the epoch.
    """

    def __init__(self, start: float) -> None:
        self.now = start
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Let ``what`` be done so many seconds from now.

        Raises:
            Restless: more entries wait than any test can mean.
        """
        self.at(self.now + seconds, what)

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Let ``what`` be done at this moment, or now when it has passed.

        Raises:
            Restless: more entries wait than any test can mean.
        """
        if len(self._entries) >= ENTRIES_MAX:
            message = f"more than {ENTRIES_MAX} things wait to happen"
            raise Restless(message)
        heapq.heappush(self._entries, (max(moment, self.now), next(self._count), what))

    def next(self) -> float | None:
        """When the earliest entry is due, or None."""
        return self._entries[0][0] if self._entries else None

    def take(self) -> Callable[[], None]:
        """The earliest entry, to be done now: the clock stands at its time afterwards."""
        moment, _, what = heapq.heappop(self._entries)
        self.now = max(self.now, moment)
        return what

    def jump(self, moment: float) -> None:
        """Let time pass up to this moment, without doing anything."""
        self.now = max(self.now, moment)
