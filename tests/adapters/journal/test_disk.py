"""A disk that is full, damaged or silent: refused with a reason, mended by itself."""

import asyncio
import contextlib
import errno
import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from reactor.adapters.journal import (
    Batch,
    Chain,
    InputRow,
    IntentRow,
    Journal,
    Limits,
    OutboxRow,
    schema,
)
from reactor.core.effect import Keep
from reactor.errors import JournalError
from tests.adapters.journal.support import batch, locked, now, numbers, opened, row, stuck, until

pytestmark = pytest.mark.asyncio

QUICK = Limits(retry_s=0.05)
FULL = (
    "{path}: the disk is full\n"
    "  fix: make room on the disk that holds it; reactor goes on by itself"
)


class Refusing:
    """The writer's connection on a disk without room, for who may not mount a small one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.full = True

    @property
    def in_transaction(self) -> bool:
        """As SQLite says."""
        return self._connection.in_transaction

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """As SQLite does, but what needs room."""
        if self.full and statement == "COMMIT":
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        return self._connection.execute(statement, values)

    def close(self) -> None:
        """As SQLite does."""
        self._connection.close()


class Disk:
    """A disk of 2 MiB that can be filled to the brim."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.path = folder / "journal.db"
        self._ballast = folder / "ballast"
        self._mounted = mounted

    def fill(self, journal: Journal) -> None:
        """Not a byte more fits."""
        if self._mounted:
            with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
        else:
            self._refuse(journal, full=True)

    def empty(self, journal: Journal) -> None:
        """There is room again."""
        if self._mounted:
            self._ballast.unlink()
        else:
            self._refuse(journal, full=False)

    def bound(self, journal: Journal) -> None:
        """Not more than 2 MiB fit, also where nothing could be mounted."""
        if not self._mounted:
            connection = journal._writer._connection  # noqa: SLF001 - the bound is the connection's
            connection.execute("PRAGMA max_page_count = 512").fetchone()

    def _refuse(self, journal: Journal, *, full: bool) -> None:
        writer = journal._writer  # noqa: SLF001 - what the disk answers to it is the subject
        connection = writer._connection  # noqa: SLF001 - as above
        if isinstance(connection, Refusing):
            connection.full = full
        else:
            writer._connection = Refusing(connection)  # type: ignore[assignment]  # noqa: SLF001 - as above


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A small file system for root; for others SQLite's bound on the number of pages."""
    with tempfile.TemporaryDirectory() as name:
        mounted = (
            os.geteuid() == 0
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", name],
                check=False,
                capture_output=True,
            ).returncode
        )
        yield Disk(Path(name), mounted=mounted)
        if mounted:
            subprocess.run(["umount", "--lazy", name], check=True)


async def test_a_full_disk_refuses_and_recovers_by_itself(disk: Disk) -> None:
    """Nothing of a refused batch is there; after room is made the same batch is taken."""
    intent = Batch(inputs=[row(2, size=100_000)], intents=[IntentRow("i", 1.0, "g", "cont", b"")])
    async with opened(disk.path, QUICK) as journal:
        await journal.commit(batch(1))
        disk.fill(journal)
        for _ in range(3):
            with pytest.raises(JournalError) as caught:
                await journal.commit(intent)
            assert str(caught.value) == FULL.format(path=disk.path)
            assert journal.problem == FULL.format(path=disk.path)
            assert not journal.healthy
        assert numbers(journal) == [1]
        assert journal.reader.open_intents() == []
        failures = journal.statistics().failures
        await until(lambda: journal.statistics().failures >= failures + 3)
        assert not journal.healthy
        disk.empty(journal)
        await until(lambda: journal.healthy)
        await journal.commit(intent)
        assert numbers(journal) == [1, 2]
        assert [row.id for row in journal.reader.open_intents()] == ["i"]


async def test_lazy_rows_and_removals_survive_a_full_disk(disk: Disk) -> None:
    """They wait until there is room, and are written then without anybody's asking."""
    async with opened(disk.path, Limits(retry_s=0.05, lazy_s=0.0)) as journal:
        await journal.commit(Batch(inputs=[row(1)], messages=[OutboxRow("t", b"")]))
        disk.fill(journal)
        journal.lazily([row(2, size=100_000)])
        await until(lambda: not journal.healthy)
        journal.outbox.done([1])
        journal.lazily([row(3, size=100_000)])
        failures = journal.statistics().failures
        await until(lambda: journal.statistics().failures >= failures + 4)
        assert numbers(journal) == [1]
        disk.empty(journal)
        await until(lambda: journal.healthy and journal.statistics().rows_waiting == 0)
        await until(lambda: numbers(journal) == [1, 2, 3])
        await until(lambda: journal.reader.outbox(0, 10) == [])
        assert journal.statistics().history_dropped == 0


async def test_a_row_that_sqlite_cannot_hold_waits_with_the_others(disk: Disk) -> None:
    """On a full disk it drops nobody else; when there is room it alone is dropped."""
    bad = InputRow(float("nan"), "g", "event", "X", b"")
    async with opened(disk.path, Limits(retry_s=0.05, lazy_s=60.0)) as journal:
        await journal.commit(batch(1))
        disk.fill(journal)
        journal.lazily([row(2, size=100_000), bad, row(3)])
        with pytest.raises(JournalError):
            await journal.commit(batch(4))
        await until(lambda: journal.statistics().rows_waiting == 3)
        disk.empty(journal)
        await until(lambda: numbers(journal) == [1, 2, 3])
        assert journal.statistics().history_dropped == 1


async def test_rows_are_not_written_twice_when_the_disk_fills_among_them(disk: Disk) -> None:
    """Rows before the one that found no room are in the history once, those after it wait."""
    bad = InputRow(float("nan"), "g", "event", "X", b"")
    journal = Journal.open(disk.path, now=now, limits=Limits(retry_s=0.05, lazy_s=60.0))
    disk.bound(journal)
    journal.lazily([row(1), bad, row(2, size=3_000_000), row(3)])
    await journal.commit(batch(4))
    await until(lambda: journal.statistics().failures >= 10)
    with pytest.raises(JournalError, match="2 events of the history could not be journaled"):
        await journal.close()
    async with opened(disk.path) as journal:
        assert numbers(journal) == [4, 1]
        assert journal.statistics().history_dropped == 1


async def test_rows_that_had_to_wait_stand_before_the_newer_ones(tmp_path: Path) -> None:
    """The order of arrival outlives a failed write."""
    path = tmp_path / "journal.db"
    async with opened(path, Limits(retry_s=0.05, lazy_s=0.0)) as journal:
        journal._writer._connection.execute("PRAGMA busy_timeout = 200")  # noqa: SLF001 - else 2 s
        with locked(path):
            journal.lazily([row(1), row(2)])
            await until(lambda: journal.statistics().rows_waiting == 0)
            journal.lazily([row(3)])
            await until(lambda: journal.statistics().rows_waiting == 3)
        await until(lambda: numbers(journal) == [1, 2, 3])


async def test_removals_alone_survive_a_full_disk(disk: Disk) -> None:
    """What the broker has is removed as soon as there is room."""
    async with opened(disk.path, QUICK) as journal:
        await journal.commit(Batch(messages=[OutboxRow("t", b"x" * 50_000)]))
        disk.fill(journal)
        journal.outbox.done([1])
        await until(lambda: journal.statistics().failures >= 2)
        assert not journal.healthy
        assert len(journal.reader.outbox(0, 10)) == 1
        disk.empty(journal)
        await until(lambda: journal.reader.outbox(0, 10) == [])
        await until(lambda: journal.healthy)
        # A try after a failure ends with an fsync, or it would prove little.
        assert journal.statistics().synced == 2


async def test_a_full_disk_is_not_asked_again_at_once(disk: Disk) -> None:
    """Between two tries lies the time that was set, however many lazy rows come in."""
    limits = Limits(retry_s=60.0, lazy_s=0.0, lazy_rows=100)
    journal = Journal.open(disk.path, now=now, limits=limits)
    await journal.commit(batch(0))
    disk.fill(journal)
    journal.lazily([row(1, size=100_000)])
    await until(lambda: journal.statistics().rows_waiting == 1 and not journal.healthy)
    failures = journal.statistics().failures
    for number in range(2, 40):
        journal.lazily([row(number, size=100_000)])
        await asyncio.sleep(0)
    with pytest.raises(JournalError):
        await journal.commit(batch(50, size=100_000))
    assert journal.statistics().rows_waiting == 39
    # The commit was tried with its group and alone; the lazy rows were not.
    assert journal.statistics().failures == failures + 2
    disk.empty(journal)
    await journal.commit(batch(51))
    assert numbers(journal) == [0, 51]
    disk.fill(journal)
    with pytest.raises(JournalError) as caught:
        await journal.close()
    disk.empty(journal)
    assert str(caught.value) == (
        f"{disk.path}: 39 events of the history could not be journaled at the end: "
        "the disk is full\n"
        "  fix: make room on the disk before the next start; no run and no command is lost"
    )
    async with opened(disk.path) as journal:
        assert numbers(journal) == [0, 51]


async def test_a_start_on_a_full_disk_promises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the daemon, which therefore does not go on by itself."""

    def prepare(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    monkeypatch.setattr(schema, "prepare", prepare)
    path = tmp_path / "journal.db"
    with pytest.raises(JournalError) as caught:
        Journal.open(path, now=now)
    assert str(caught.value) == (
        f"{path}: the disk is full\n  fix: make room on the disk that holds it"
    )


async def test_the_locks_owner_is_not_worth_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without room for the process id; the lock itself needs none."""

    def pwrite(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", pwrite)
    async with opened(tmp_path / "journal.db"):
        with pytest.raises(JournalError) as caught:
            Journal.open(tmp_path / "journal.db", now=now)
    assert caught.value.problem == "another reactor (process unknown) uses this journal"


async def test_a_small_disk_takes_many_times_its_size(disk: Disk) -> None:
    """The write-ahead log is moved into the file when the disk has no room for more of it."""
    values = [bytes([number]) * 50_000 for number in range(200)]
    async with opened(disk.path, QUICK) as journal:
        await journal.commit(Batch(keeps=[Keep("k", "1", values[0])]))
    async with opened(disk.path, QUICK) as journal:
        for value in values:
            await journal.commit(Batch(keeps=[Keep("k", "1", value)]))
        assert journal.reader.state() == [("k", "1", values[-1])]


async def test_a_batch_too_large_for_the_disk_fails_alone(disk: Disk) -> None:
    """The small ones of its group are taken."""
    async with opened(disk.path, QUICK) as journal:
        disk.bound(journal)
        with locked(disk.path):
            first = await stuck(journal)
            tasks = [
                asyncio.create_task(journal.commit(each))
                for each in (batch(1), batch(2, size=3_000_000), batch(3))
            ]
            await until(lambda: journal.statistics().commits_waiting == 3)
        await first
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), JournalError, type(None)]
        assert numbers(journal) == [0, 1, 3]
        assert journal.healthy


async def test_from_the_first_of_a_chain_that_is_refused_on_all_are(disk: Disk) -> None:
    """Also those for which there is room, in the same group or not; others are taken."""
    chain = Chain()
    async with opened(disk.path, QUICK) as journal:
        disk.bound(journal)
        with locked(disk.path):
            first = await stuck(journal)
            large = batch(2, size=3_000_000)
            group = [journal.post(each, chain) for each in (batch(1), large, batch(3))]
            other = journal.post(batch(4))
        await first
        await asyncio.wait([*group, other])
        failures = journal.statistics().failures
        late = journal.post(batch(5), chain)
        results = await asyncio.gather(*group, other, late, return_exceptions=True)
        assert [type(result) for result in results] == [
            *(type(None), JournalError, JournalError),
            *(type(None), JournalError),
        ]
        assert len({id(result) for result in results if result is not None}) == 3
        assert {str(result) for result in results if result is not None} == {
            FULL.format(path=disk.path)
        }
        # What rests on a refused batch is not even tried.
        assert journal.statistics().failures == failures
        await journal.post(batch(6), Chain())
        assert numbers(journal) == [0, 1, 4, 6]
        assert journal.healthy


async def test_a_chain_breaks_where_the_journal_takes_nothing_in(tmp_path: Path) -> None:
    """What comes later says what became of it, and must not be there without it."""
    path, chain = tmp_path / "journal.db", Chain()
    async with opened(path) as journal:
        with locked(path):
            first = await stuck(journal)
            waits = journal.post(batch(1))
            journal._intake.close()  # noqa: SLF001 - a moment of the closing
            refused = journal.post(batch(2), chain)
            assert isinstance(refused.exception(), JournalError)
        await first
        await waits
        assert chain.refused is refused.exception()
        assert numbers(journal) == [0, 1]


async def test_a_chain_is_bounded_by_who_makes_it(tmp_path: Path) -> None:
    """Else one batch too many would break it, and would again each time that all are tried."""
    path, chain = tmp_path / "journal.db", Chain()
    async with opened(path, Limits(commits=1)) as journal:
        with locked(path):
            first = await stuck(journal)
            posted = [journal.post(batch(number), chain) for number in (1, 2, 3)]
        await asyncio.gather(first, *posted)
        assert numbers(journal) == [0, 1, 2, 3]


async def test_a_group_on_a_full_disk_is_given_up_after_three(disk: Disk) -> None:
    """Every caller gets an error of its own, and the disk is asked four times, not twenty."""
    async with opened(disk.path, Limits(retry_s=60.0)) as journal:
        disk.fill(journal)
        with locked(disk.path):
            first = await stuck(journal)
            rest = [asyncio.create_task(journal.commit(batch(n))) for n in range(1, 20)]
            await until(lambda: journal.statistics().commits_waiting == 19)
        errors = await asyncio.gather(first, *rest, return_exceptions=True)
        assert {str(error) for error in errors} == {FULL.format(path=disk.path)}
        assert len({id(error) for error in errors}) == 20
        # Two for the first commit, by itself from the start; four for the group.
        assert journal.statistics().failures == 6
        assert numbers(journal) == []
        disk.empty(journal)


async def test_a_silent_disk_is_ill_health_until_it_answers(tmp_path: Path) -> None:
    """Told after the set time, gone with the answer, and nothing is lost."""
    path = tmp_path / "journal.db"
    async with opened(path, Limits(stall_s=0.05)) as journal:
        assert journal.healthy
        with locked(path):
            task = await stuck(journal)
            await until(lambda: not journal.healthy)
            assert journal.problem == (
                f"{path}: the disk has not answered for more than 0.05 s\n"
                "  fix: look for disk errors in the kernel's log ('dmesg'); what waits is "
                "journaled when the disk answers"
            )
        await task
        await until(lambda: journal.healthy)
        assert numbers(journal) == [0]


async def test_a_file_locked_for_too_long_fails_the_whole_group_at_once(tmp_path: Path) -> None:
    """Each caller is told the reason after one wait, and the lazy rows are kept."""
    path = tmp_path / "journal.db"
    async with opened(path, Limits(retry_s=0.5)) as journal:
        journal._writer._connection.execute("PRAGMA busy_timeout = 100")  # noqa: SLF001 - else 2 s
        with locked(path):
            first = await stuck(journal)
            journal.lazily([row(5)])
            rest = [asyncio.create_task(journal.commit(batch(n))) for n in (1, 2, 3)]
            errors = await asyncio.gather(first, *rest, return_exceptions=True)
            await until(lambda: journal.statistics().rows_waiting == 1)
            # One for the first commit, one for the other three and the row.
            assert journal.statistics().failures == 2
        text = (
            f"{path}: another program holds the journal locked\n"
            "  fix: end that program ('fuser' on the file names it)"
        )
        assert [str(error) for error in errors] == [text] * 4
        await until(lambda: numbers(journal) == [5])
        await until(lambda: journal.healthy)
