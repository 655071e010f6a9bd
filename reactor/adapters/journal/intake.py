"""What waits for the writer thread, in the order in which it came: bounded and counted."""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reactor.adapters.journal.care import Pace
from reactor.adapters.journal.retention import Bounds
from reactor.adapters.journal.rows import Batch, InputRow
from reactor.adapters.journal.schema import closed
from reactor.errors import JournalError

ROW_OVERHEAD = 200
"""Bytes that a waiting row is reckoned to need beside its body."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of the journal; times are seconds.

    ``lazy_rows`` and ``lazy_bytes`` bound what waits without a commit,
    ``lazy_s`` how long it waits: less once there are ``lazy_enough`` rows, so that a
    commit has few to take along. ``done_s`` is how long the removal of a
    message from the outbox may wait. ``commits`` may wait at once, those of a chain beside them.
    ``check_s`` bounds the check of the file at the start. ``retry_s`` lies
    between two tries to write while the disk refuses, and a write that takes
    longer than ``stall_s`` counts as ill health. ``bounds`` say
    how much is kept for how long, ``pace`` doses the removal of the rest.
    """

    lazy_rows: int = 50_000
    lazy_bytes: int = 64 * 2**20
    lazy_s: float = 0.5
    lazy_enough: int = 500
    done_s: float = 0.05
    commits: int = 10_000
    outbox_rows: int = 100_000
    check_s: float = 10.0
    retry_s: float = 1.0
    stall_s: float = 5.0
    pace: Pace = field(default_factory=Pace)
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(slots=True)
class Chain:
    """Batches that rest on one another: from the first that is refused on, all of them are.

    Else a full disk could refuse one, and have room for the next, which says what came of it.
    ``refused`` is why; whoever tries again begins a new chain.
    """

    refused: Exception | None = None


@dataclass(slots=True)
class Commit:
    """A batch that somebody waits for; ``chain`` is what it rests on, None for nothing."""

    batch: Batch
    future: asyncio.Future[None]
    chain: Chain | None = None

    @property
    def refused(self) -> Exception | None:
        """Why what it rests on is not in the journal; None when it is."""
        return None if self.chain is None else self.chain.refused

    def refuse(self, error: Exception) -> None:
        """Nothing that rests on this batch is taken any more."""
        if self.chain is not None:
            self.chain.refused = error


@dataclass(slots=True)
class Lazy:
    """Rows that nobody waits for, one run of them between two commits."""

    rows: list[InputRow]


@dataclass(slots=True)
class Work:
    """What is to be written now; ``last`` when the journal closes after it."""

    queue: list[Commit | Lazy] = field(default_factory=list)
    done: dict[int, str] = field(default_factory=dict)
    last: bool = False

    @property
    def commits(self) -> list[Commit]:
        """Those whose caller still waits, in their order."""
        return [entry for entry in self.queue if isinstance(entry, Commit)]

    @property
    def inputs(self) -> list[InputRow]:
        """All the inputs in the order in which they came, whoever waits for them."""
        return [row for entry in self.queue for row in rows_of(entry)]

    @property
    def lazy_rows(self) -> list[InputRow]:
        """The rows that nobody waits for, in their order."""
        return [row for entry in self.queue if isinstance(entry, Lazy) for row in entry.rows]


def rows_of(entry: Commit | Lazy) -> list[InputRow]:
    """The inputs of one entry of the queue."""
    match entry:
        case Commit(batch):
            return batch.inputs
        case Lazy(rows):
            return rows


class Intake:
    """The queue between the loop's thread and the writer's; every method may be called by both.

    When the lazy rows reach their bound the OLDEST of them are dropped and
    counted: what an operator looks for in a storm is how things stand now.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._changed = threading.Condition()
        self._queue: deque[Commit | Lazy] = deque()
        self._done: dict[int, str] = {}
        self._due: float | None = None
        self._hold = 0.0
        self._closed = False
        self.commits = 0
        self.rows = 0
        self._bytes = 0
        self.dropped = 0

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is taken in."""
        return self._closed

    def commit(self, entry: Commit) -> None:
        """The batch is written next.

        Raises:
            JournalError: the journal is closed, or too many wait already.
        """
        with self._changed:
            if self._closed:
                raise closed(self._path)
            # Of a chain all would be refused for the one too many, and so at each try: who makes
            # one bounds it.
            if entry.chain is None and self.commits >= self._limits.commits:
                raise JournalError(
                    self._path,
                    f"{self.commits} commits wait for the disk already",
                    "look for disk errors in the kernel's log ('dmesg'), "
                    "or for another program that keeps the disk busy",
                )
            self._queue.append(entry)
            self.commits += 1
            self._changed.notify()

    def lazily(self, rows: Sequence[InputRow]) -> None:
        """The rows are written with the next commit, or when they waited long, or are many."""
        with self._changed:
            if self._closed:
                self.dropped += len(rows)
                return
            if self._queue and isinstance(last := self._queue[-1], Lazy):
                last.rows.extend(rows)
            else:
                self._queue.append(Lazy(list(rows)))
            self._count(rows)
            enough = self.rows >= self._limits.lazy_enough
            self._wake_by(0.0 if enough else self._limits.lazy_s)

    def done(self, seqs: Iterable[int], why: str = "") -> None:
        """The messages are removed with the next write, or when ``done_s`` is over."""
        with self._changed:
            self._done.update(dict.fromkeys(seqs, why))
            self._wake_by(self._limits.done_s)

    def give_back(self, rows: Sequence[InputRow], done: dict[int, str], wait_s: float) -> None:
        """Rows and removals that could not be written wait ``wait_s``, before all newer ones.

        Commits go ahead of them in that time, so that a full disk is not
        asked to take the whole backlog for each.
        """
        with self._changed:
            self._done |= done
            if rows:
                self._queue.appendleft(Lazy(list(rows)))
                self._count(rows)
            self._hold = time.monotonic() + wait_s
            self._wake_by(wait_s)

    def take(self, patience_s: float, *, early: bool) -> Work | None:
        """What is due, as soon as something is; None once all is taken and closed.

        Args:
            patience_s: come back after so long, with nothing if nothing is due.
            early: come back then with what is not due yet.
        """
        with self._changed:
            end = time.monotonic() + patience_s
            while not self._ready(end):
                self._changed.wait(self._until(end))
            if self._closed and not self._queue and not self._done:
                return None
            if not (early or self._ready(math.inf)):
                return Work()
            work = self._pick()
        # A caller that gave up before its batch was taken never gets it written.
        work.queue = [e for e in work.queue if isinstance(e, Lazy) or not e.future.cancelled()]
        return work

    def close(self) -> None:
        """Nothing more is taken in; what waits is due."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _pick(self) -> Work:
        self.commits = 0
        if not self._closed and time.monotonic() < self._hold:
            work = Work([entry for entry in self._queue if isinstance(entry, Commit)])
            self._queue = deque(entry for entry in self._queue if isinstance(entry, Lazy))
            return work
        work = Work(list(self._queue), self._done, self._closed)
        self._queue.clear()
        self._done = {}
        self._due = None
        self.rows = self._bytes = 0
        return work

    def _ready(self, end: float) -> bool:
        return bool(self.commits) or self._closed or self._until(end) <= 0

    def _until(self, end: float) -> float:
        due = math.inf if self._due is None else max(self._due, self._hold)
        return min(end, due) - time.monotonic()

    def _wake_by(self, wait_s: float) -> None:
        due = time.monotonic() + wait_s
        if self._due is None or due < self._due:
            self._due = due
            self._changed.notify()

    def _count(self, rows: Sequence[InputRow]) -> None:
        self.rows += len(rows)
        self._bytes += sum(len(row.body) + ROW_OVERHEAD for row in rows)
        for entry in self._queue:
            if self.rows <= self._limits.lazy_rows and self._bytes <= self._limits.lazy_bytes:
                return
            if isinstance(entry, Lazy):
                self._shorten(entry)

    def _shorten(self, entry: Lazy) -> None:
        cut = 0
        for row in entry.rows:
            if self.rows <= self._limits.lazy_rows and self._bytes <= self._limits.lazy_bytes:
                break
            self.rows -= 1
            self._bytes -= len(row.body) + ROW_OVERHEAD
            cut += 1
        del entry.rows[:cut]
        self.dropped += cut
