"""A whole check of a journal, and a copy of it, both beside a daemon that writes."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from reactor.adapters.journal.schema import explain, open_for_reading
from reactor.errors import JournalError

FINDINGS_MAX = 20
"""Lines of SQLite's findings that are told: a damaged page leads to thousands."""


def findings(path: Path) -> Sequence[str]:
    """What is wrong with the journal, in SQLite's words; empty when it is sound.

    Reads all of it, its indexes too. It holds up neither daemon nor readers, but the write-ahead
    log cannot be shortened meanwhile.

    Raises:
        JournalError: no journal there, or one that cannot even be opened.
    """
    connection = open_for_reading(path)
    try:
        rows = connection.execute(f"PRAGMA integrity_check({FINDINGS_MAX})").fetchall()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    finally:
        connection.close()
    lines = [line for (text,) in rows for line in str(text).strip().splitlines()]
    return [] if lines == ["ok"] else lines[:FINDINGS_MAX]


def back_up(path: Path, target: Path) -> int:
    """Copy the journal as it stands at one moment to a new file, synced; its size in bytes.

    The copy holds no free pages. It is for its owner only, appears under its name when it is
    whole, and never takes the place of another file.

    Raises:
        JournalError: the journal cannot be read, or the copy cannot be written.
    """
    connection = open_for_reading(path)
    try:
        with unfinished(target) as part:
            try:
                connection.execute("VACUUM INTO ?", (str(part),))
            except sqlite3.Error as error:
                raise failed(error, path, target) from error
            publish(part, target)
            return target.stat().st_size
    finally:
        connection.close()


_OTHER = "name a file that does not exist yet"


@contextlib.contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """An empty file of its owner beside the target, gone at the end.

    Raises:
        JournalError: the target exists, or nothing can be written beside it.
    """
    if target.exists():
        raise JournalError(target, "the file exists already", _OTHER)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise _unwritable(target, error) from error
    os.close(handle)
    try:
        yield Path(name)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)


def publish(part: Path, target: Path) -> None:
    """Give a file that is whole its name, durable; never in the place of another file.

    Raises:
        JournalError: a file of that name is there now, or the disk refuses.
    """
    try:
        _sync(part)
        os.link(part, target)
        _sync(target.parent)
    except FileExistsError as error:
        raise JournalError(target, "the file exists already", _OTHER) from error
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> JournalError:
    problem = f"the copy cannot be written: {error.strerror}"
    return JournalError(target, problem, "make room, or name a file elsewhere")


def failed(error: sqlite3.Error, path: Path, target: Path) -> JournalError:
    """SQLite's error while a copy of ``path`` was written to ``target``."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return JournalError(target, "the disk is full", "make room, or name a file elsewhere")
    return explain(error, path, opening=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
