"""Lazy rows: events that match no policy, written when it costs nothing, bounded and counted."""

import asyncio
import time
from pathlib import Path

import pytest

from reactor.adapters.journal import Batch, InputRow, Limits, OutboxRow
from tests.adapters.journal.support import batch, locked, numbers, opened, row, stuck, until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "journal.db"


async def test_lazy_rows_go_with_the_next_commit_in_the_order_of_arrival(path: Path) -> None:
    """Rows before and after a commit's call stand before and after its inputs."""
    async with opened(path, Limits(lazy_s=60.0)) as journal:
        with locked(path):
            first = await stuck(journal)
            journal.lazily([row(1), row(2)])
            journal.lazily([row(3)])
            second = asyncio.create_task(journal.commit(batch(4)))
            await until(lambda: journal.statistics().commits_waiting == 1)
            journal.lazily([row(5)])
        await asyncio.gather(first, second)
        assert numbers(journal) == [0, 1, 2, 3, 4, 5]
        assert journal.statistics().transactions == 2


async def test_lazy_rows_alone_are_written_when_their_time_is_over(path: Path) -> None:
    """Not before, and without an fsync."""
    async with opened(path, Limits(lazy_s=0.2)) as journal:
        start = time.monotonic()
        journal.lazily([row(1)])
        journal.lazily([row(2)])
        await until(lambda: numbers(journal) == [1, 2])
        assert time.monotonic() - start >= 0.2
        statistics = journal.statistics()
        assert (statistics.transactions, statistics.synced) == (1, 0)


async def test_many_rows_are_written_at_once(path: Path) -> None:
    """A commit that somebody waits for would have to take them along."""
    async with opened(path, Limits(lazy_s=60.0, lazy_enough=2)) as journal:
        journal.lazily([row(1)])
        assert journal.statistics().rows_waiting == 1
        journal.lazily([row(2)])
        await until(lambda: numbers(journal) == [1, 2])


@pytest.mark.parametrize(
    ("limits", "size"),
    [
        pytest.param(Limits(lazy_rows=5), 0, id="rows"),
        pytest.param(Limits(lazy_bytes=5 * 1200), 1000, id="bytes"),
    ],
)
async def test_the_oldest_rows_are_dropped_and_counted(
    path: Path, limits: Limits, size: int
) -> None:
    """Five of eight rows stay, the commit among them is untouched, the drop is kept on disk."""
    async with opened(path, limits) as journal:
        with locked(path):
            first = await stuck(journal)
            journal.lazily([row(n, size=size) for n in (1, 2)])
            second = asyncio.create_task(journal.commit(batch(3)))
            await until(lambda: journal.statistics().commits_waiting == 1)
            journal.lazily([row(n, size=size) for n in (4, 5, 6)])
            assert journal.statistics().history_dropped == 0
            journal.lazily([row(n, size=size) for n in (7, 8, 9)])
            assert journal.statistics().history_dropped == 3
            assert journal.statistics().rows_waiting == 5
        await asyncio.gather(first, second)
        assert numbers(journal) == [0, 3, 5, 6, 7, 8, 9]
    async with opened(path) as journal:
        assert journal.statistics().history_dropped == 3
        assert journal.reader.counters() == {"history.dropped": 3}


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(Limits(lazy_rows=5), id="rows"),
        pytest.param(Limits(lazy_bytes=6000), id="bytes"),
    ],
)
async def test_rows_that_were_written_do_not_count_any_more(path: Path, limits: Limits) -> None:
    """A full buffer after each of ten commits drops nothing."""
    async with opened(path, limits) as journal:
        for first in range(0, 50, 5):
            journal.lazily([row(number, size=1000) for number in range(first, first + 5)])
            await journal.commit(Batch())
        assert numbers(journal) == list(range(50))
        assert journal.statistics().history_dropped == 0


async def test_a_row_that_sqlite_cannot_hold_is_dropped_alone(path: Path) -> None:
    """All that came with it is journaled: rows, a commit, a removal from the outbox."""
    bad = InputRow(float("nan"), "g", "event", "X", b"")
    async with opened(path, Limits(lazy_s=60.0, done_s=60.0)) as journal:
        await journal.commit(Batch(messages=[OutboxRow("t", b"")]))
        journal.lazily([row(1), bad, row(2), bad])
        journal.outbox.done([1])
        await journal.commit(batch(3))
        await until(lambda: journal.statistics().history_dropped == 2)
        assert sorted(numbers(journal)) == [1, 2, 3]
        assert journal.reader.outbox(0, 10) == []
        assert journal.healthy
    async with opened(path) as journal:
        assert journal.statistics().history_dropped == 2


async def test_the_rows_of_the_caller_are_copied(path: Path) -> None:
    """A list that is cleared after the call was journaled as it stood."""
    async with opened(path) as journal:
        rows = [row(1)]
        journal.lazily(rows)
        journal.lazily([row(2)])
        assert rows == [row(1)]
        rows.clear()
        await journal.commit(Batch())
        assert numbers(journal) == [1, 2]
