"""The disk below the real journal: SQLite on a real file, with crashes where a seed wants them.

The journal's own writer works without its thread: what it would do is done by the
loop, a moment later. A crash leaves the files as a kill or a power cut would.
"""

import asyncio
import math
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from reactor.adapters.journal.intake import Commit, Intake, Limits
from reactor.adapters.journal.rows import Batch, InputRow
from reactor.adapters.journal.writer import Writer, _Job
from tests.simulation.chained import Chained
from tests.simulation.loop import VirtualLoop

SYNC_S = 0.002
"""Seconds that a write takes, its fsync included."""

TIGHT = 0.5
"""How likely a tight disk has no room for a transaction, and perhaps has for the next."""

TIGHT_S = 0.02
"""Seconds that a write takes there: so more batches wait for it together."""


class Killed(BaseException):
    """The daemon is dead from here on: not an error that anybody could catch."""


class Where(StrEnum):
    """At which point of a transaction the daemon dies."""

    BEFORE = "before a write"
    WITHIN = "in the middle of a write"
    AFTER = "after a write, before anybody knows"
    TORN = "with the power, in the middle of the log's last write"
    UNSYNCED = "with the power, and what was not synced is gone"


@dataclass(frozen=True, slots=True)
class Crash:
    """Die at the n-th write from now."""

    writes: int
    where: Where


class Disk:
    """One disk over all lives of the daemon; ``full`` refuses every write, ``tight`` some."""

    def __init__(self, loop: VirtualLoop, path: Path, rng: Random) -> None:
        self.loop = loop
        self.path = path
        self.rng = rng
        self.full = self.tight = False
        self.crash: Crash | None = None
        self.writes = 0
        self.kill: Callable[[Where], None] = lambda _where: None
        self.chained = Chained()
        self.written: Callable[[Sequence[Batch], int], None] = lambda _batches, _last: None

    @property
    def is_well(self) -> bool:
        """Whether it refuses nothing."""
        return not (self.full or self.tight)

    def has_room(self) -> bool:
        """Whether it takes the transaction that ends now; a tight one has room by chance."""
        return not self.full and not (self.tight and self.rng.random() < TIGHT)

    def due(self) -> Where | None:
        """Where in the write that begins now the daemon dies, if it does."""
        self.writes += 1
        if self.crash is None:
            return None
        left = self.crash.writes - 1
        where = self.crash.where
        self.crash = Crash(left, where) if left > 0 else None
        return None if self.crash else where


class Head:
    """The writing connection: refuses when the disk is full, dies when it is told."""

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk
        self._wal = str(_wal(disk.path))
        self._steps = 0
        self._is_synced = True
        self._before = self._synced = self._size()
        self._grows = True
        self.where: Where | None = None

    @property
    def in_transaction(self) -> bool:
        """As SQLite's own."""
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """As SQLite's own, unless the disk says no."""
        if sql.startswith("BEGIN"):
            self._begin()
        elif self.where is Where.WITHIN and self.in_transaction:
            self._steps += 1
            if self._steps == 2:
                raise Killed
        if sql == "COMMIT" and not self._disk.has_room():
            raise _full()
        cursor = self._connection.execute(sql, parameters)
        self._follow(sql)
        if sql == "COMMIT" and self.where is not None:
            raise Killed
        return cursor

    @property
    def died(self) -> Where:
        """Where it died, once it has."""
        assert self.where is not None
        return self.where

    def close(self) -> None:
        """As SQLite's own."""
        self._connection.close()

    def lost(self, where: Where | None, rng: Random) -> int | None:
        """How long the log is after a power cut; None where nothing of it is lost."""
        size = self._size()
        if not self._grows or where not in {Where.TORN, Where.UNSYNCED} or size <= self._before:
            return None
        return self._synced if where is Where.UNSYNCED else rng.randrange(self._before, size)

    def _begin(self) -> None:
        self._steps = 0
        self._before = self._size()
        self.where = self._disk.due()
        if self.where is Where.BEFORE:
            raise Killed

    def _follow(self, sql: str) -> None:
        if sql.startswith("PRAGMA synchronous"):
            self._is_synced = sql.endswith("FULL")
        elif "wal_checkpoint" in sql:
            # The log begins again at its start: its length says nothing any more.
            self._grows = False
        elif sql == "COMMIT" and self._is_synced and self.where is None:
            self._synced = self._size()

    def _size(self) -> int:
        try:
            return os.stat(self._wal).st_size  # noqa: PTH116 - a Path takes as long as the write
        except FileNotFoundError:
            return 0


class LoopIntake(Intake):
    """The journal's queue; it wakes the loop where it would wake a thread."""

    def __init__(self, disk: Disk, path: Path, limits: Limits) -> None:
        super().__init__(path, limits)
        self.disk = disk
        self.wake: Callable[[float], None] = lambda _seconds: None
        self.is_dead = False

    @property
    def left_s(self) -> float:
        """Until something is due that nobody waits for; infinite when nothing is."""
        return self._until(math.inf)

    def commit(self, entry: Commit) -> None:
        """As the journal's."""
        if not self.is_dead:
            super().commit(entry)
            if entry.chain is not None:
                self.disk.chained.posted(entry.batch)
            self.wake(TIGHT_S if self.disk.tight else SYNC_S)

    def lazily(self, rows: Sequence[InputRow]) -> None:
        """As the journal's."""
        if not self.is_dead:
            super().lazily(rows)
            self.wake(self._limits.lazy_s)

    def done(self, seqs: Iterable[int], why: str = "") -> None:
        """As the journal's."""
        if not self.is_dead:
            super().done(seqs, why)
            self.wake(self._limits.done_s)

    def give_back(self, rows: Sequence[InputRow], done: dict[int, str], wait_s: float) -> None:
        """As the journal's."""
        super().give_back(rows, done, wait_s)
        self.wake(wait_s)


class LoopWriter(Writer):
    """The journal's writer, turn by turn in the loop."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        intake: LoopIntake,
        limits: Limits,
        now: Callable[[], float],
    ) -> None:
        self.disk = intake.disk
        self.head = Head(connection, self.disk)
        self.queue = intake
        self.is_over = False
        self._alarm: asyncio.TimerHandle | None = None
        super().__init__(self.head, path, intake, limits, now)  # type: ignore[arg-type] # a proxy

    def start(self) -> None:
        """Take turns from now on."""
        self.queue.wake = self._wake

    def join(self, _within_s: float) -> bool:
        """Write what is left; whoever is dead leaves it."""
        while not self.is_over:
            self._turn()
        return True

    def _wake(self, seconds: float) -> None:
        """Take a turn in so many seconds, unless one comes before."""
        loop = asyncio.get_running_loop()
        if self._alarm is not None and self._alarm.when() <= loop.time() + seconds:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = loop.call_later(seconds, self._turn)

    def _turn(self) -> None:
        self._alarm = None
        if self.is_over:
            return
        work = self.queue.take(0.0, early=True)
        if work is None:
            self.is_over = True
            self.head.close()
            return
        try:
            if work.queue or work.done or self.problem is not None:
                self._write(work)
        except Killed:
            self.disk.kill(self.head.died)
        if self.problem is not None:
            self._wake(self._limits.retry_s)
        elif (left := self.queue.left_s) < math.inf:
            # This turn may have come before what had been asked for, and stands in its place.
            self._wake(max(left, SYNC_S))

    def _transact(self, job: _Job) -> None:
        super()._transact(job)
        self.disk.written(job.batches, self.ledger.last)

    def die(self, where: Where | None) -> None:
        """Leave the files as they are when the process, or the host, ends here."""
        self.is_over = self.queue.is_dead = True
        lost = self.head.lost(where, self.disk.rng)
        copies = [(file, file.with_name(f"{file.name}.kept")) for file in _files(self.disk.path)]
        if lost is None:
            copies = []
        for file, copy in copies:
            shutil.copyfile(file, copy)
        self.head.close()
        for file, copy in copies:
            copy.replace(file)
        if lost is not None:
            with _wal(self.disk.path).open("rb+") as wal:
                wal.truncate(lost)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _files(path: Path) -> list[Path]:
    return [file for file in (path, _wal(path)) if file.exists()]


def _full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    return error
