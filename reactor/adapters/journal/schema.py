"""A connection to a sound journal of this version, or an error that says what to do."""

import contextlib
import os
import secrets
import sqlite3
import string
import time
from pathlib import Path
from typing import NamedTuple

from reactor.adapters.journal.files import demand, has_no_room
from reactor.errors import JournalError

APPLICATION_ID = 0x52454143
"""``REAC``: how `file` and this module tell a journal from another program's SQLite file."""

LOCK_WAIT_S = 2.0
"""Seconds to wait for another program, such as the sqlite3 shell, that holds the file locked."""

OTHER_PATH = "set 'journal.path' to a journal of reactor, or to a file that does not exist yet"

IDENTITY_LETTERS = string.ascii_lowercase + string.digits


class Migration(NamedTuple):
    """The statements that bring a journal of the version before to ``version``."""

    version: int
    statements: tuple[str, ...]


# AUTOINCREMENT, because a number must never come back: the readers of history
# and outbox remember how far they got, also when all rows before were deleted.
MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        (
            "CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
            "CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
            """CREATE TABLE history(
                seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, guest TEXT NOT NULL,
                kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL)""",
            """CREATE TABLE state(
                kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
                PRIMARY KEY(kind, key)) WITHOUT ROWID""",
            """CREATE TABLE trace(
                seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, run TEXT NOT NULL,
                policy TEXT NOT NULL, guest TEXT NOT NULL, path TEXT NOT NULL,
                verdict TEXT NOT NULL, reason TEXT NOT NULL, "values" TEXT NOT NULL)""",
            "CREATE INDEX trace_run ON trace(run) WHERE run <> ''",
            """CREATE TABLE intent(
                id TEXT PRIMARY KEY, at REAL NOT NULL, guest TEXT NOT NULL,
                command TEXT NOT NULL, arguments BLOB NOT NULL, run TEXT NOT NULL,
                outcome TEXT, detail BLOB, ended REAL)""",
            "CREATE INDEX intent_open ON intent(at) WHERE outcome IS NULL",
            """CREATE TABLE outbox(
                seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, topic TEXT NOT NULL,
                payload BLOB NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL,
                expires REAL, content_type TEXT NOT NULL, properties TEXT NOT NULL,
                passing INTEGER NOT NULL)""",
            "CREATE INDEX outbox_passing ON outbox(expires) WHERE passing = 1",
            "CREATE INDEX outbox_retained ON outbox(topic) WHERE retain = 1",
            """CREATE TABLE run(
                seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
                policy TEXT NOT NULL, guest TEXT NOT NULL, state TEXT NOT NULL,
                outcome TEXT NOT NULL, error TEXT NOT NULL, started REAL, ended REAL,
                admitted REAL, body BLOB NOT NULL)""",
            """CREATE TABLE revision(
                revision TEXT PRIMARY KEY, policy TEXT NOT NULL, source TEXT NOT NULL)""",
        ),
    ),
    Migration(
        2,
        (
            # What operators ask for: the refusals of a policy, the runs of a guest.
            "CREATE INDEX trace_refused ON trace(policy, guest, at) WHERE run = ''",
            "CREATE INDEX run_policy ON run(policy)",
            "CREATE INDEX run_guest ON run(guest)",
            "CREATE INDEX intent_run ON intent(run) WHERE run <> ''",
            "CREATE INDEX run_open ON run(seq) WHERE ended IS NULL",
            # When which revision of a policy came into force; empty: when it went.
            """CREATE TABLE loaded(
                policy TEXT NOT NULL, at REAL NOT NULL, revision TEXT NOT NULL,
                PRIMARY KEY(policy, at)) WITHOUT ROWID""",
        ),
    ),
)

VERSION = MIGRATIONS[-1].version

READABLE = 1
"""The oldest version that can be read without being migrated."""


class Opened(NamedTuple):
    """A connection that may write, and what the journal says of itself.

    ``checked`` is False when the check of a large file was stopped at its
    deadline; what it saw until then was sound. ``frames`` are those of the write-ahead log
    that SQLite could read, None where it has none, or no room to find out. ``newest`` is the
    time of the latest input, 0 where there is none, ``clock`` what ``note_clock`` noted.
    """

    connection: sqlite3.Connection
    identity: str
    created: float
    checked: bool
    frames: int | None
    newest: float
    clock: str


def open_for_writing(path: Path, *, now: float, check_s: float) -> Opened:
    """The journal at ``path``, made or migrated where necessary.

    Args:
        path: an existing file, empty when the journal is new.
        now: seconds since the epoch, kept as the time of creation.
        check_s: how long the check of the whole file may take.

    Raises:
        JournalError: another program's file, a damaged one, a newer schema, a
            file system that cannot do WAL, a file that another program locks.
    """
    connection = sqlite3.connect(
        path,
        timeout=LOCK_WAIT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        refuse_other_versions(connection, path)
        checked = _check(connection, path, check_s)
        frames = _frames(connection)  # before anything is written: the log may begin anew then
        prepare(connection, path, now=now)
        return _opened(connection, checked=checked, frames=frames)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path, opening=True) from error
    except JournalError:
        connection.close()
        raise


def _opened(connection: sqlite3.Connection, *, checked: bool, frames: int | None) -> Opened:
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    last = connection.execute("SELECT at FROM history ORDER BY seq DESC LIMIT 1").fetchone()
    return Opened(
        connection,
        str(meta["identity"]),
        float(meta["created"]),
        checked,
        frames,
        newest=float(last[0]) if last else 0.0,
        clock=str(meta.get("clock", "")),
    )


def note_clock(opened: Opened, note: str) -> None:
    """Keep what the clock says of this boot of the host, for the next start.

    A disk that has no room for it takes nothing else: the next start goes by the time of day.
    """
    if note != opened.clock:
        with contextlib.suppress(sqlite3.Error):
            opened.connection.execute("REPLACE INTO meta(key, value) VALUES ('clock', ?)", (note,))


def refuse_other_versions(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of the file, 0 when it holds no table yet.

    Raises:
        JournalError: the file is another program's, or a newer reactor's.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or tables):
        raise JournalError(
            path,
            f"this SQLite file belongs to another program (application id {application})",
            OTHER_PATH,
        )
    if version > VERSION:
        raise JournalError(
            path,
            f"a newer reactor wrote this journal: its schema version is {version}, "
            f"this reactor knows {VERSION}",
            "start the newer reactor, or set another 'journal.path'",
        )
    return int(version)


def _check(connection: sqlite3.Connection, path: Path, check_s: float) -> bool:
    end = time.monotonic() + check_s
    connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
    try:
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    finally:
        connection.set_progress_handler(None, 0)
    if finding != "ok":
        # SQLite answers with a heading line and one line for each finding.
        raise _damaged(path, str(finding).strip().splitlines()[-1])
    return True


def _frames(connection: sqlite3.Connection) -> int | None:
    try:
        ((_, frames, _),) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL:
            raise
        return None
    return None if frames < 0 else int(frames)  # below 0: the file has no log yet


def prepare(connection: sqlite3.Connection, path: Path, *, now: float) -> None:
    """The file in WAL mode with the tables of ``VERSION``, durable.

    Raises:
        JournalError: the file system cannot do WAL.
        sqlite3.Error: for the caller to explain.
    """
    # Only possible before the first table: retention can then give room back
    # without copying the whole file.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(
            path,
            f"its file system cannot do write-ahead logging (SQLite stayed in mode '{mode}')",
            "set 'journal.path' to a file on a local disk",
        )
    connection.execute("PRAGMA synchronous = FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for migration in MIGRATIONS:
        if migration.version > version:
            _migrate(connection, migration, now)


def _migrate(connection: sqlite3.Connection, migration: Migration, now: float) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in migration.statements:
            connection.execute(statement)
        if migration.version == 1:
            identity = "".join(secrets.choice(IDENTITY_LETTERS) for _ in range(6))
            connection.execute(
                "INSERT INTO meta VALUES ('identity', ?), ('created', ?)", (identity, now)
            )
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(
            "INSERT INTO meta VALUES ('version', ?) "
            "ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            (migration.version,),
        )
        connection.execute(f"PRAGMA user_version = {migration.version}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A read-only connection to a journal that may be in use by a daemon.

    Raises:
        JournalError: no journal there, not one of ours, a newer one, or one that is not
            complete yet.
    """
    demand(path, os.R_OK)
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        timeout=LOCK_WAIT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        version = refuse_other_versions(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path, opening=True) from error
    except JournalError:
        connection.close()
        raise
    if version < READABLE:
        connection.close()
        raise JournalError(
            path,
            f"the journal has the older schema version {version}, this reactor reads {VERSION}",
            "start the daemon once ('reactor run'): it brings the journal up to date",
        )
    return connection


def explain(error: sqlite3.Error, path: Path, *, opening: bool = False) -> JournalError:
    """SQLite's error as an operator can act on it.

    Args:
        opening: it ends the program; else the daemon tries again, and the fix says so.
    """
    # Errors that Python's own checks raise, such as a closed connection, have no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    family = code & 0xFF  # the rest are details
    if family == sqlite3.SQLITE_CORRUPT:
        return _damaged(path, str(error))
    if family == sqlite3.SQLITE_INTERRUPT:
        return closed(path)
    # A file that maps the log and cannot grow is told as a disk that failed.
    if family == sqlite3.SQLITE_IOERR and has_no_room(path.parent):
        family = sqlite3.SQLITE_FULL
    problem, fix = _EXPLAINED.get(family, _UNEXPLAINED)
    if not opening:
        fix += _MEANWHILE.get(family, "")
    return JournalError(path, problem.format(f"{name}: {error}"), fix)


_UNEXPLAINED = (
    "SQLite refused ({})",
    "this is a fault of reactor: report it with this text",
)
_LOCKED = (
    "another program holds the journal locked",
    "end that program ('fuser' on the file names it)",
)
_NO_RIGHT = (
    "the journal cannot be opened as needed ({})",
    "give the user that runs reactor the right to read and write the file and its folder",
)
_EXPLAINED = {
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "make room on the disk that holds it",
    ),
    sqlite3.SQLITE_NOTADB: (
        "this is not an SQLite file, or one whose beginning is damaged",
        (
            f"{OTHER_PATH}; in place of a damaged journal put a backup, or what "
            "'reactor journal salvage' saves of it"
        ),
    ),
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: _NO_RIGHT,
    sqlite3.SQLITE_CANTOPEN: _NO_RIGHT,
    sqlite3.SQLITE_PERM: _NO_RIGHT,
    sqlite3.SQLITE_IOERR: (
        "the disk failed ({})",
        "look for disk errors in the kernel's log ('dmesg')",
    ),
}
"""What went wrong and what to do about it, by SQLite's family of errors."""

_MEANWHILE = {
    sqlite3.SQLITE_FULL: "; reactor goes on by itself",
    sqlite3.SQLITE_IOERR: "; reactor tries again by itself",
}
"""What a daemon that runs does until then."""


def closed(path: Path) -> JournalError:
    """The error of whoever still uses a journal that was closed."""
    return JournalError(path, "the journal is closed", "start the daemon again to use it")


def _damaged(path: Path, finding: str) -> JournalError:
    return JournalError(
        path,
        f"the journal is damaged ({finding})",
        "restore a backup; or move the file and its '-wal' and '-shm' away and save what can be "
        "read of it ('reactor journal salvage DAMAGED NEW'), or start with a new one: open runs "
        "and marks are lost then",
    )
