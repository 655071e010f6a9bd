"""The journal kept within its bounds, beside the commits: a few milliseconds at a time."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from reactor.adapters.journal.retention import Bounds, Retention


@dataclass(frozen=True, slots=True)
class Pace:
    """How the care is dosed; times are seconds.

    ``every_s`` lies between two sweeps. A slice shall take about ``slice_s``: the number of its
    rows, and of the pages that are given back, follows from how long the last one took. It
    is followed by a pause of ``rest`` times as long, and at least ``pause_s``.
    """

    every_s: float = 60.0
    slice_s: float = 0.003
    pause_s: float = 0.005
    rest: float = 9.0
    least_rows: int = 16
    most_rows: int = 2048


AMPLE = 0.95
"""A journal beyond its bound is brought down to this part of it."""

SLACK = 0.05
SLACK_PAGES = 256
"""Free pages that the file keeps for what comes next: giving back every one costs more."""


class Care:
    """Sweeps the writing connection; all methods belong to its thread.

    Attributes:
        trouble: why the last sweep did not do what it should, for people; else empty.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        bounds: Bounds,
        pace: Pace,
        now: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._bounds = bounds
        self._pace = pace
        self._now = now
        self._retention = Retention(connection, bounds, pace.least_rows)
        self._sweep: Iterator[None] | None = None
        self._next = time.monotonic()
        self.trouble = ""

    def due_s(self) -> float:
        """Seconds until the next slice is due; 0.0 when it is."""
        return max(0.0, self._next - time.monotonic())

    def step(self) -> None:
        """Do one slice, if one is due."""
        begin = time.monotonic()
        if begin < self._next:
            return
        if self._sweep is None:
            self._sweep = self._swept()
        try:
            next(self._sweep)
        except StopIteration:
            self._end(self._pace.every_s)
        except Exception as error:  # noqa: BLE001 - commits go on, whatever it is
            # What the disk refuses now is tried again with the next sweep.
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            self.trouble = f"old rows cannot be removed: {error}"
            self._end(self._pace.every_s)
        else:
            took = time.monotonic() - begin
            self._adjust(took)
            self._next = time.monotonic() + max(self._pace.pause_s, self._pace.rest * took)

    def _end(self, wait_s: float) -> None:
        self._sweep = None
        self._next = time.monotonic() + wait_s

    def _adjust(self, took: float) -> None:
        rows = self._retention.rows
        if took > self._pace.slice_s:
            rows //= 2
        elif took < self._pace.slice_s / 2:
            rows *= 2
        self._retention.rows = min(self._pace.most_rows, max(self._pace.least_rows, rows))

    def _swept(self) -> Iterator[None]:
        now = self._now()
        if self._bounds.keep_s is not None:
            yield from self._retention.remove(now - self._bounds.keep_s, now)
        trouble = ""
        most = self._bounds.max_bytes
        if most is not None and self._used() > most:
            while self._used() > most * AMPLE:
                cut = self._retention.next_cut()
                if cut is None:
                    trouble = "it is larger than 'journal.max' by what is still needed"
                    break
                yield from self._retention.remove(cut, now)
        yield from self._shrink()
        self.trouble = trouble

    def _used(self) -> int:
        pages, free = self._pragma("page_count"), self._pragma("freelist_count")
        return (pages - free) * self._pragma("page_size")

    def _shrink(self) -> Iterator[None]:
        """The file gives back what it does not use, from its end."""
        free = self._pragma("freelist_count")
        while free > max(SLACK_PAGES, SLACK * self._pragma("page_count")):
            # Not `execute`: SQLite answers after every page, and Python would leave it at that.
            self._connection.executescript(
                f"PRAGMA incremental_vacuum({max(1, self._retention.rows // 4)})"
            )
            left = self._pragma("freelist_count")
            if left >= free:
                return  # a file that was made without `auto_vacuum`
            free = left
            yield

    def _pragma(self, name: str) -> int:
        ((value,),) = self._connection.execute(f"PRAGMA {name}")
        return int(value)
