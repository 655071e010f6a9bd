"""The one thread that writes: everything that waits becomes one durable transaction."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reactor.adapters.journal import ledger as outbox
from reactor.adapters.journal import tables
from reactor.adapters.journal.care import Care
from reactor.adapters.journal.handover import Bell, Result, hand_over
from reactor.adapters.journal.intake import Commit, Intake, Lazy, Limits, Work
from reactor.adapters.journal.ledger import Ledger
from reactor.adapters.journal.rows import Batch, InputRow
from reactor.adapters.journal.schema import explain
from reactor.adapters.journal.stopwatch import Stopwatch
from reactor.adapters.journal.tail import Tail
from reactor.errors import JournalError

HISTORY_DROPPED = "history.dropped"

MISSES = 3
"""So many commits a full disk may refuse before the rest of a group is not tried."""

# What a batch itself is guilty of; any other error of SQLite is the disk's.
_BAD_ROWS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


@dataclass(slots=True)
class _Job:
    """One transaction: ``synced`` when it must be on disk at its end."""

    inputs: Sequence[InputRow] = ()
    batches: Sequence[Batch] = ()
    done: dict[int, str] = field(default_factory=dict)
    synced: bool = True


class Writer:
    """Owns the writing connection from ``start`` on; only its properties are for other threads.

    ``problem`` is the disk's last refusal, None when it takes everything.
    ``lost`` are rows that could not be written before the end.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        intake: Intake,
        limits: Limits,
        now: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._path = path
        self._intake = intake
        self._limits = limits
        self._now = now
        self._thread = threading.Thread(target=self._live, name="reactor-journal", daemon=True)
        self._level = "FULL"
        self._busy_since: float | None = None
        self._dropped = self._saved = _read_dropped(connection)
        self.ledger = Ledger.read(connection, limits.outbox_rows)
        self.tail = Tail(self.ledger.last)
        self.bell = Bell(self.ledger.last)
        self.care = Care(connection, limits.bounds, limits.pace, now)
        self.stopwatch = Stopwatch()
        self.problem: JournalError | None = None
        self.lost = 0
        self.commits = self.transactions = self.synced = self.failures = 0

    def start(self) -> None:
        """The thread takes over the connection."""
        self._thread.start()

    def join(self, within_s: float) -> bool:
        """Whether the thread ended in that time."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    @property
    def busy_s(self) -> float:
        """How long the present write has taken so far, 0.0 between two."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def history_dropped(self) -> int:
        """Rows that were never written, in all lives of the daemon."""
        return self._dropped + self._intake.dropped

    def _live(self) -> None:
        while True:
            failed = self.problem is not None
            patience_s = self._limits.retry_s if failed else self.care.due_s()
            work = self._intake.take(patience_s, early=failed)
            if work is None:
                break
            self._busy_since = time.monotonic()
            if work.queue or work.done or self.problem:
                self._write(work)
            if not self.problem and not self.care.due_s():
                self._set_level("NORMAL")
                self.care.step()
            self._busy_since = None
        if self._saved != self.history_dropped:
            self._attempt(_Job())
        # What cannot be moved into the main file stays in the WAL, and is as safe there.
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _write(self, work: Work) -> None:
        self._refuse_what_rests_on_refused(work)
        commits = work.commits
        batches = [commit.batch for commit in commits]
        synced = bool(commits) or self.problem is not None
        error = self._attempt(_Job(work.inputs, batches, work.done, synced))
        if error is None:
            self.commits += len(commits)
            hand_over((commit.future, None) for commit in commits)
            return
        if _is_full(error):
            # Moving what is in the WAL into the main file lets the WAL begin
            # again at its start: often room enough for what is urgent.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._write_apart(commits, error)
        rest = self._write_rest(work, error)
        if rest is not None and work.last:
            self.lost += len(rest)
        elif rest is not None:
            self._intake.give_back(rest, work.done, self._limits.retry_s)

    def _refuse_what_rests_on_refused(self, work: Work) -> None:
        """Take from the work what came on its way before anybody knew of the refusal."""
        taken: list[Commit | Lazy] = []
        results: list[Result] = []
        for entry in work.queue:
            if isinstance(entry, Commit) and entry.refused is not None:
                results.append((entry.future, self._refusal(entry.refused)))
            else:
                taken.append(entry)
        work.queue = taken
        hand_over(results)

    def _write_apart(self, commits: Sequence[Commit], error: Exception) -> None:
        """Each commit by itself, so that none fails for the rows of a stranger."""
        results: list[Result] = []
        # A full disk may have room for a smaller batch; one that fails or is
        # locked would make every caller wait for the next time-out.
        misses_left = 0 if _is_disks(error) and not _is_full(error) else MISSES
        refused = error
        for commit in commits:
            outcome: Exception | None = commit.refused or refused
            if misses_left and commit.refused is None:
                outcome = self._attempt(_Job(commit.batch.inputs, [commit.batch]))
                self.commits += outcome is None
                if outcome and _is_disks(outcome):
                    refused = outcome
                    misses_left -= 1
            if outcome is not None:
                commit.refuse(outcome)
            results.append((commit.future, outcome and self._refusal(outcome)))
        hand_over(results)

    def _write_rest(self, work: Work, error: Exception) -> Sequence[InputRow] | None:
        """The rows that nobody waits for: those that the disk refused, None when all is done.

        Removals from the outbox may have been done when rows are left; to do
        them again changes nothing.
        """
        rows = work.lazy_rows
        if not rows and not work.done:
            return None
        if _is_disks(error) and not _is_full(error):
            return rows
        outcome = self._attempt(_Job(rows, done=work.done, synced=False))
        if outcome is None:
            return None
        return rows if _is_disks(outcome) else self._write_singly(rows, work.done)

    def _write_singly(
        self, rows: Sequence[InputRow], done: dict[int, str]
    ) -> Sequence[InputRow] | None:
        """As ``_write_rest``; a row that SQLite cannot hold is dropped."""
        outcome = self._attempt(_Job(done=done, synced=False))
        if outcome and _is_disks(outcome):
            return rows
        for index, row in enumerate(rows):
            outcome = self._attempt(_Job([row], synced=False))
            if outcome and _is_disks(outcome):
                return rows[index:]
            self._dropped += outcome is not None
        return None

    def _attempt(self, job: _Job) -> Exception | None:
        """None when the job is in the journal; otherwise nothing of it is.

        ``problem`` is set by the disk's errors only, and cleared by success.
        """
        try:
            self._transact(job)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            self.failures += 1
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            if _is_disks(error):
                self.problem = self._refusal(error)
            return error
        self.problem = None
        self.transactions += 1
        self.synced += job.synced
        self.bell.ring(self.ledger.last)
        return None

    def _transact(self, job: _Job) -> None:
        begin = time.monotonic()
        self._set_level("FULL" if job.synced else "NORMAL")
        now = self._now()
        ledger = self.ledger.copy()
        dropped = self.history_dropped
        self._connection.execute("BEGIN IMMEDIATE")
        tables.write(self._connection, job.inputs, job.batches)
        outbox.remove(self._connection, ledger, job.done)
        messages = [message for batch in job.batches for message in batch.messages]
        outbox.put(self._connection, ledger, messages, now)
        if ledger.dropped != self.ledger.dropped:
            tables.count(self._connection, ledger.counters())
        if dropped != self._saved:
            tables.count(self._connection, {HISTORY_DROPPED: dropped})
        if self.problem:
            self._connection.execute("REPLACE INTO meta(key, value) VALUES ('probe', ?)", (now,))
        self._connection.execute("COMMIT")
        if job.done:
            self.tail.remove(job.done)
        if ledger.is_cut:
            self.tail.cut(ledger.last)
        else:
            self.tail.add(ledger.fresh)
        self.ledger = ledger
        self._saved = dropped
        if job.synced:
            self.stopwatch.took(time.monotonic() - begin)

    def _set_level(self, level: str) -> None:
        if level != self._level:
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._level = level

    def _refusal(self, error: Exception) -> JournalError:
        """A new exception for each caller: raising one in many tasks would mix their traces."""
        if isinstance(error, JournalError):
            return JournalError(error.place, error.problem, error.fix)
        if isinstance(error, sqlite3.Error) and _is_disks(error):
            return explain(error, self._path)
        return JournalError(
            self._path,
            f"rows that cannot be journaled ({type(error).__name__}: {error})",
            "this is a fault of reactor: report it with this text",
        )


def _is_disks(error: Exception) -> bool:
    """Whether the disk is to blame, and not the rows."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, _BAD_ROWS)


def _is_full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _read_dropped(connection: sqlite3.Connection) -> int:
    row = connection.execute(
        "SELECT value FROM counter WHERE name = ?", (HISTORY_DROPPED,)
    ).fetchone()
    return int(row[0]) if row else 0
