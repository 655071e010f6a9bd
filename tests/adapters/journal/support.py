"""What the journal's tests share: a clock that stands, waits with a limit, a writer that waits."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from reactor.adapters.journal import Batch, InputRow, Journal, Limits

NOW = 1_800_000_000.123456


def now() -> float:
    """A clock that stands still."""
    return NOW


def row(number: int, *, guest: str = "web-1", name: str = "RESET", size: int = 0) -> InputRow:
    """An input that can be told from all others by ``at``."""
    return InputRow(float(number), guest, "event", name, b"x" * size)


def batch(number: int, *, size: int = 0) -> Batch:
    """One input, numbered."""
    return Batch(inputs=[row(number, size=size)])


def numbers(journal: Journal) -> list[int]:
    """The numbers of the inputs in the history, in its order."""
    return [int(row.at) for row in journal.reader.history(0, 1_000_000)]


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Returns when the condition holds; fails the test when it never does."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def opened(path: Path, limits: Limits | None = None) -> AsyncIterator[Journal]:
    """A journal that is closed at the end."""
    journal = Journal.open(path, now=now, limits=limits)
    try:
        yield journal
    finally:
        await journal.close()


@contextlib.contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of some other program to the file."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes to the file, so that the writer thread has to wait."""
    with connected(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def stuck(journal: Journal) -> "asyncio.Task[None]":
    """A commit that the writer took and cannot write while the file is ``locked``."""
    task = asyncio.create_task(journal.commit(batch(0)))
    await asyncio.sleep(0)  # the task has called
    await until(lambda: journal.statistics().commits_waiting == 0)
    return task
