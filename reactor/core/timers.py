"""Deadlines by name, the earliest first."""

import heapq
from collections.abc import Collection


class Timers:
    """One deadline per name; setting it again moves it, None takes it away."""

    __slots__ = ("_heap", "_times")

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, name: str, at: float | None) -> None:
        """Let ``name`` be due at ``at`` (engine's clock), or never."""
        if at is None:
            self._times.pop(name, None)
            return
        if self._times.get(name) != at:
            self._times[name] = at
            heapq.heappush(self._heap, (at, name))
            self._shrink()

    def at(self, name: str) -> float | None:
        """When ``name`` is due, None for never."""
        return self._times.get(name)

    def names(self) -> Collection[str]:
        """The names that have a deadline."""
        return self._times.keys()

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        while self._heap:
            at, name = self._heap[0]
            if self._times.get(name) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def due(self, now: float) -> list[str]:
        """The names that are due, earliest first; they are taken away."""
        names = []
        while (at := self.next()) is not None and at <= now:
            names.append(self._take())
        return names

    def first(self) -> str:
        """The name that is due first; it is taken away. There must be one, as ``next`` tells."""
        self.next()
        return self._take()

    def _take(self) -> str:
        name = heapq.heappop(self._heap)[1]
        del self._times[name]
        return name

    def _shrink(self) -> None:
        # Moved deadlines leave dead entries behind; without this a timer that
        # moves for ever would fill memory.
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._times):
            self._heap = [(at, name) for name, at in self._times.items()]
            heapq.heapify(self._heap)
