"""The newest messages of the outbox, still in memory: who publishes at once need not read them."""

import threading
from collections import deque
from collections.abc import Container, Iterable

from reactor.adapters.journal.rows import OutboxMessage

ROWS = 1000
BYTES = 1 << 20
"""Bounds of what is kept; of older ones the disk tells."""


class Tail:
    """Filled by the writer's thread behind each commit, read by any other.

    Everything that waits from the number ``first`` on is here.
    """

    def __init__(self, last: int) -> None:
        self._first = last + 1
        self._rows: deque[OutboxMessage] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, rows: Iterable[OutboxMessage]) -> None:
        """These are on disk now, and follow what is here."""
        with self._lock:
            for row in rows:
                self._rows.append(row)
                self._bytes += len(row.payload)
            while len(self._rows) > ROWS or self._bytes > BYTES:
                gone = self._rows.popleft()
                self._bytes -= len(gone.payload)
                self._first = gone.seq + 1

    def remove(self, seqs: Container[int]) -> None:
        """These do not wait any more."""
        with self._lock:
            self._rows = deque(row for row in self._rows if row.seq not in seqs)
            self._bytes = sum(len(row.payload) for row in self._rows)

    def cut(self, last: int) -> None:
        """Some up to the number ``last`` had to give way: ask the disk which."""
        with self._lock:
            self._rows.clear()
            self._bytes = 0
            self._first = last + 1

    def after(self, after: int, limit: int) -> list[OutboxMessage] | None:
        """At most ``limit`` messages beyond ``after``, in order; None where the disk must tell."""
        with self._lock:
            if after + 1 < self._first:
                return None
            found = list[OutboxMessage]()
            for row in reversed(self._rows):
                if row.seq <= after:
                    break
                found.append(row)
        return found[::-1][:limit]
