"""The journal of one daemon: durable commits, lazy rows, the outbox, and reading."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from reactor.adapters.journal.files import Lock, make_file, make_folder, network_file_system
from reactor.adapters.journal.intake import Chain, Commit, Intake, Limits
from reactor.adapters.journal.log_tail import last_commit
from reactor.adapters.journal.outbox import Outbox
from reactor.adapters.journal.reader import Reader
from reactor.adapters.journal.rows import Batch, InputRow, Statistics
from reactor.adapters.journal.schema import Opened, explain, note_clock, open_for_writing
from reactor.adapters.journal.writer import Writer
from reactor.errors import JournalError

P = ParamSpec("P")
T = TypeVar("T")


class Journal:
    """An SQLite file that one daemon owns; made by ``Journal.open``, ended by ``close``.

    ``identity`` is a word of six letters and digits that no other journal has.
    ``created`` is in seconds since the epoch. ``checked`` is False when the
    file was so large that its check was cut short. ``warnings`` are sentences for people about
    what the opening found. Only ``commit``,
    ``close``, ``ask`` and the outbox's ``pending`` and ``wait`` need a loop;
    nothing here blocks the loop but ``open`` and ``close_now``.
    """

    def __init__(
        self, path: Path, lock: Lock, opened: Opened, limits: Limits, now: Callable[[], float]
    ) -> None:
        self.path = path
        self.identity = opened.identity
        self.created = opened.created
        self.checked = opened.checked
        self.warnings: tuple[str, ...] = ()
        self._lock = lock
        self._limits = limits
        self._intake = Intake(path, limits)
        self._writer = Writer(opened.connection, path, self._intake, limits, now)
        self.reader = Reader(path)
        self.outbox = Outbox(self.reader, self._intake, self._writer)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        now: Callable[[], float],
        limits: Limits | None = None,
        settle: Callable[[float, str], str] = lambda _newest, noted: noted,
    ) -> "Journal":
        """The journal at ``path``: made, checked and migrated as needed; blocks meanwhile.

        Args:
            path: the SQLite file; a missing folder is made with mode 0700, a
                missing file with 0600.
            now: seconds since the epoch.
            limits: bounds other than the default ones.
            settle: sets the clock, by the time of the newest input and its last note; gives a new.

        Raises:
            JournalError: not ours, newer, damaged, used by another process, or not writable.
        """
        limits = limits or Limits()
        # Resolved, because a symbolic link must not lead two daemons to two locks.
        path = Path(os.path.realpath(path))
        make_folder(path)
        with contextlib.ExitStack() as undo:
            lock = Lock(path)
            undo.callback(lock.release)
            make_file(path)
            written = last_commit(path)
            opened = open_for_writing(path, now=now(), check_s=limits.check_s)
            undo.callback(opened.connection.close)
            note_clock(opened, settle(opened.newest, opened.clock))
            try:
                journal = cls(path, lock, opened, limits, now)
            except sqlite3.Error as error:
                raise explain(error, path, opening=True) from error
            journal.warnings = tuple(_warnings(path, opened, written))
            journal._writer.start()
            undo.pop_all()
        return journal

    async def commit(self, batch: Batch) -> None:
        """Returns when the batch is on disk (fsync); what waits together costs one fsync.

        Batches are journaled in the order of the calls. Nobody may change the
        batch any more. A caller that is cancelled before the writer took the
        batch withdraws it; later it cannot know whether it was journaled.

        Raises:
            JournalError: nothing of the batch is in the journal; the same
                batch may be committed again.
        """
        await self.post(batch)

    def post(self, batch: Batch, chain: Chain | None = None) -> asyncio.Future[None]:
        """As ``commit``, for who does not wait now: done when the batch is on disk, or refused.

        Args:
            batch: what is to be journaled.
            chain: once one of its batches was refused all later ones are; to withdraw
                them, cancel the last one first.
        """
        commit = Commit(batch, asyncio.get_running_loop().create_future(), chain)
        try:
            self._intake.commit(commit)
        except JournalError as error:
            commit.refuse(error)
            commit.future.set_exception(error)
        return commit.future

    def lazily(self, rows: Sequence[InputRow]) -> None:
        """The rows are journaled with the next commit, or half a second later without an fsync.

        For events that match no policy. At most 50,000 rows wait; beyond that
        the oldest are dropped and counted.
        """
        self._intake.lazily(rows)

    async def ask(
        self, query: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What a method of ``Reader`` answers, without blocking the loop.

        As in ``await journal.ask(Reader.history, 0, 100, guest="web-1")``.

        Raises:
            JournalError: the disk failed, or the journal is closed.
        """
        return await asyncio.to_thread(query, self.reader, *args, **kwargs)

    @property
    def healthy(self) -> bool:
        """Whether the last write went well and none is stuck."""
        return not self.problem

    @property
    def problem(self) -> str:
        """Why the journal is not healthy, for people; empty when it is.

        It mends itself: the writer tries again every second.
        """
        if (error := self._writer.problem) is not None:
            return str(error)
        if self._writer.busy_s >= self._limits.stall_s:
            return str(
                JournalError(
                    self.path,
                    f"the disk has not answered for more than {self._limits.stall_s:g} s",
                    "look for disk errors in the kernel's log ('dmesg'); what waits is journaled "
                    "when the disk answers",
                )
            )
        return ""

    def statistics(self) -> Statistics:
        """Figures for metrics and tests."""
        writer = self._writer
        return Statistics(
            commits=writer.commits,
            transactions=writer.transactions,
            synced=writer.synced,
            failures=writer.failures,
            commits_waiting=self._intake.commits,
            rows_waiting=self._intake.rows,
            history_dropped=writer.history_dropped,
            durations=writer.stopwatch.durations(),
            care_trouble=writer.care.trouble,
        )

    async def close(self, within_s: float = 10.0) -> None:
        """All that waits is journaled, the files are in order, another daemon may come.

        Raises:
            JournalError: the disk took longer, or refused rows at the end.
        """
        await asyncio.to_thread(self.close_now, within_s)

    def close_now(self, within_s: float = 10.0) -> None:
        """The same as ``close``, but blocks; a second call does nothing."""
        self._intake.close()
        self.reader.close(within_s)
        if not self._writer.join(within_s):
            # The lock stays: the thread may still write when the disk comes back.
            raise JournalError(
                self.path,
                f"the journal could not be closed within {within_s:g} s: the disk does not answer",
                "look for disk errors in the kernel's log ('dmesg'); what was not committed "
                "is lost",
            )
        self._lock.release()
        if lost := self._writer.lost:
            self._writer.lost = 0
            reason = self._writer.problem.problem if self._writer.problem else "unknown"
            raise JournalError(
                self.path,
                f"{lost} events of the history could not be journaled at the end: {reason}",
                "make room on the disk before the next start; no run and no command is lost",
            )


def _warnings(path: Path, opened: Opened, written: int) -> Iterator[str]:
    """What an operator should know of a journal that can be used.

    Args:
        written: the last frame of the write-ahead log that ended a commit before the opening.
    """
    if not opened.checked:
        yield (
            "the journal is so large that its check was cut short: `reactor journal check` "
            "reads all of it"
        )
    if opened.frames is not None and written > opened.frames:
        yield (
            "the end of the write-ahead log is damaged: what was committed last before the "
            "end of the earlier daemon is lost"
        )
    if kind := network_file_system(path):
        yield (
            f"the journal lies on a file system of a network ({kind}), where locks and syncs "
            "cannot be relied on: set 'journal.path' to a file on a local disk"
        )
