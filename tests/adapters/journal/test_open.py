"""Opening: what is made, what is kept, and every refusal word for word."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reactor.adapters.journal import Batch, Journal, Limits, Reader, schema
from reactor.adapters.journal.schema import APPLICATION_ID, VERSION, Migration
from reactor.core.effect import Keep
from reactor.errors import JournalError
from tests.adapters.journal.support import NOW, batch, connected, locked, now, numbers, opened

OTHER = "set 'journal.path' to a journal of reactor, or to a file that does not exist yet"
NOT_SQLITE = (
    f"{OTHER}; in place of a damaged journal put a backup, or what 'reactor journal salvage' "
    "saves of it"
)
DAMAGED = (
    "restore a backup; or move the file and its '-wal' and '-shm' away and save what can be "
    "read of it ('reactor journal salvage DAMAGED NEW'), or start with a new one: open runs "
    "and marks are lost then"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "journal.db"


@contextmanager
def powerless(folder: Path) -> Iterator[None]:
    """A user who may not write into the folder; root would be allowed everything."""
    with ExitStack() as undo:
        if os.geteuid() == 0:
            for each in (folder, *folder.parents):
                mode = stat.S_IMODE(each.stat().st_mode)
                # The group stays root's, so both bits count.
                if mode & 0o011 != 0o011:
                    undo.callback(each.chmod, mode)
                    each.chmod(mode | 0o011)
            os.seteuid(65534)
            undo.callback(os.seteuid, 0)
        else:
            undo.callback(folder.chmod, stat.S_IMODE(folder.stat().st_mode))
            folder.chmod(0o500)
        yield


def refusal(path: Path, limits: Limits | None = None) -> str:
    """The text with which the journal is refused to a daemon."""
    with pytest.raises(JournalError) as caught:
        Journal.open(path, now=now, limits=limits)
    return str(caught.value)


def reading_refusal(path: Path) -> str:
    """The text with which the journal is refused to a reader."""
    with pytest.raises(JournalError) as caught:
        Reader(path)
    return str(caught.value)


def open_files() -> list[str]:
    """What this process has open."""
    return [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]


def sqlite_file(path: Path, *statements: str) -> None:
    """An SQLite file of somebody."""
    with connected(path) as connection:
        for statement in statements:
            connection.execute(statement)


def make_journal(path: Path, rows: int = 1) -> None:
    """A journal that was closed in order."""
    journal = Journal.open(path, now=now)
    journal.lazily([batch(number).inputs[0] for number in range(rows)])
    journal.close_now()


def newer_journal(path: Path) -> None:
    """A journal of a reactor that is not written yet."""
    make_journal(path)
    sqlite_file(path, "PRAGMA user_version = 999")


@pytest.mark.asyncio
async def test_a_new_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    """Folder 0700, files 0600, whatever the umask says."""
    path = tmp_path / "made" / "journal.db"
    old = os.umask(0)
    try:
        async with opened(path) as journal:
            await journal.commit(batch(1))
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(
        ["journal.db", "journal.db-shm", "journal.db-wal", "journal.db.lock"], 0o600
    )


@pytest.mark.asyncio
async def test_identity_and_creation_stay_for_life(path: Path) -> None:
    """Six letters or digits that no other journal has, and the clock of the first opening."""
    async with opened(path) as journal:
        identity = journal.identity
        assert len(identity) == 6
        assert identity.isascii()
        assert identity.isalnum()
        assert identity == identity.lower()
        assert journal.created == NOW
        assert journal.checked
        assert journal.reader.identity() == identity
    again = Journal.open(path, now=lambda: NOW + 1)
    again.close_now()
    assert (again.identity, again.created) == (identity, NOW)
    other = Journal.open(path.with_name("other.db"), now=now)
    other.close_now()
    assert other.identity != identity


def test_the_clock_is_set_before_anything_is_written_by_it(path: Path) -> None:
    """It hears when the newest input came and what it noted last, and notes what it likes."""
    heard: list[tuple[float, str]] = []

    def settle(newest: float, noted: str) -> str:
        heard.append((newest, noted))
        return noted or "first"

    for _ in range(3):
        journal = Journal.open(path, now=now, settle=settle)
        journal.lazily(batch(1).inputs[:1])
        journal.close_now()
    at = batch(1).inputs[0].at
    assert heard == [(0.0, ""), (at, "first"), (at, "first")]


def test_a_note_that_the_disk_refuses_is_done_without(path: Path) -> None:
    """The journal is opened all the same."""
    make_journal(path)
    opened = schema.open_for_writing(path, now=NOW, check_s=1.0)
    opened.connection.execute("PRAGMA query_only = 1")
    schema.note_clock(opened, "note")
    opened.connection.close()
    Journal.open(path, now=now, settle=lambda _newest, noted: noted + "x").close_now()
    with connected(path) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'clock'").fetchall() == [
            ("x",)
        ]


def stored(path: Path) -> list[int]:
    """The numbers in a journal that no daemon uses."""
    reader = Reader(path)
    try:
        return [int(row.at) for row in reader.history(0, 10_000)]
    finally:
        reader.close()


@pytest.mark.asyncio
async def test_the_file_says_what_it_is(path: Path) -> None:
    """Application id and version in the header, WAL, and room that can be given back."""
    async with opened(path):
        pass
    with connected(path) as connection:
        answers = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version", "journal_mode", "auto_vacuum")
        }
        version = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    assert answers == {
        "application_id": APPLICATION_ID,
        "user_version": VERSION,
        "journal_mode": "wal",
        "auto_vacuum": 2,
    }
    assert version == (VERSION,)


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    """As a kill at the very first moment may leave one."""
    path.touch()
    make_journal(path, rows=2)
    assert stored(path) == [0, 1]


def test_a_creation_that_was_cut_short_is_finished(path: Path) -> None:
    """A file in WAL mode without tables, as a kill between the two may leave one."""
    sqlite_file(path, "PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = WAL")
    make_journal(path, rows=2)
    assert stored(path) == [0, 1]


@pytest.mark.parametrize(
    ("prepare", "problem", "fix"),
    [
        pytest.param(
            lambda path: path.write_text("policy: not a journal\n"),
            "this is not an SQLite file, or one whose beginning is damaged",
            NOT_SQLITE,
            id="a text file",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"SQLite"),
            "this is not an SQLite file, or one whose beginning is damaged",
            NOT_SQLITE,
            id="a file shorter than the header",
        ),
        pytest.param(
            lambda path: sqlite_file(path, "PRAGMA application_id = 5"),
            "this SQLite file belongs to another program (application id 5)",
            OTHER,
            id="another program's file by its id",
        ),
        pytest.param(
            lambda path: sqlite_file(path, "CREATE TABLE places(url)"),
            "this SQLite file belongs to another program (application id 0)",
            OTHER,
            id="another program's file by its tables",
        ),
        pytest.param(
            newer_journal,
            f"a newer reactor wrote this journal: its schema version is 999, "
            f"this reactor knows {VERSION}",
            "start the newer reactor, or set another 'journal.path'",
            id="a newer version",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000),
            "this is not an SQLite file, or one whose beginning is damaged",
            NOT_SQLITE,
            id="a header and nothing sound behind it",
        ),
    ],
)
def test_files_that_are_no_journal_are_refused_to_all(
    path: Path, prepare: Callable[[Path], object], problem: str, fix: str
) -> None:
    """To the daemon and to readers in the same words, and the file stays as it was."""
    prepare(path)
    before = path.read_bytes()
    assert refusal(path) == f"{path}: {problem}\n  fix: {fix}"
    assert reading_refusal(path) == f"{path}: {problem}\n  fix: {fix}"
    assert path.read_bytes() == before


def test_a_folder_is_refused(path: Path) -> None:
    """With a proposal."""
    path.mkdir()
    assert refusal(path) == (
        f"{path}: this is a folder, not a file\n"
        f"  fix: name a file in 'journal.path', such as {path}/journal.db"
    )


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """Because its parent is a file."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "journal.db"
    assert refusal(path) == (
        f"{path}: the folder {tmp_path}/file cannot be made: File exists\n"
        "  fix: make it and let the user that runs reactor write there, "
        "or set another 'journal.path'"
    )


def test_a_folder_that_cannot_be_written_is_refused(path: Path) -> None:
    """Before anything is made in it."""
    with powerless(path.parent):
        text = refusal(path)
    assert text == (
        f"{path}: the folder {path.parent} cannot be written: Permission denied\n"
        "  fix: give the user that runs reactor the right to write there, "
        "or set another 'journal.path'"
    )
    assert list(path.parent.iterdir()) == []


def test_a_file_that_cannot_be_read_is_refused(path: Path) -> None:
    """To the daemon and to readers, in the same words."""
    make_journal(path)
    path.with_name("journal.db.lock").chmod(0o666)
    path.chmod(0o000)
    with powerless(path.parent):
        texts = [refusal(path), reading_refusal(path)]
    path.chmod(0o600)
    assert (
        texts
        == [
            (
                f"{path}: the file cannot be opened: Permission denied\n"
                "  fix: give the user that runs reactor the right to read and write it, "
                "or set another 'journal.path'"
            )
        ]
        * 2
    )


def test_a_file_that_cannot_be_made_is_refused(path: Path) -> None:
    """Where only the lock's file is left of a former journal."""
    lock = path.with_name("journal.db.lock")
    lock.touch()
    lock.chmod(0o666)
    with powerless(path.parent):
        text = refusal(path)
    assert text == (
        f"{path}: the file cannot be made: Permission denied\n"
        "  fix: give the user that runs reactor the right to write in its folder, "
        "or set another 'journal.path'"
    )


def test_a_folder_that_cannot_be_entered_is_refused(tmp_path: Path) -> None:
    """To the daemon and to readers."""
    path = tmp_path / "closed" / "journal.db"
    make_journal(path)
    path.parent.chmod(0o000)
    with powerless(tmp_path):
        texts = [refusal(path), reading_refusal(path)]
    path.parent.chmod(0o700)
    assert texts == [
        (
            f"{path}: the folder {path.parent} cannot be written: Permission denied\n"
            "  fix: give the user that runs reactor the right to write there, "
            "or set another 'journal.path'"
        ),
        (
            f"{path}: the file cannot be opened: Permission denied\n"
            "  fix: give the user that runs reactor the right to read and write it, "
            "or set another 'journal.path'"
        ),
    ]


def test_a_damaged_page_is_found_at_the_start(path: Path) -> None:
    """The check reads the whole file, not just the pages that the start needs."""
    make_journal(path, rows=2000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with connected(path) as connection:
        # In SQLite's words, which change with its version: a heading, a line for the finding.
        finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0].splitlines()[-1]
    assert "age" in finding
    assert refusal(path) == f"{path}: the journal is damaged ({finding})\n  fix: {DAMAGED}"


@pytest.mark.asyncio
async def test_a_check_that_takes_too_long_is_cut_short(path: Path) -> None:
    """A large journal opens in time, and says that it was not checked to the end."""
    make_journal(path, rows=2000)
    async with opened(path, Limits(check_s=0.0)) as journal:
        assert not journal.checked
        assert len(numbers(journal)) == 2000


def test_a_second_daemon_is_refused(path: Path) -> None:
    """Also by way of a symbolic link, and with the first one's process id."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from reactor.adapters.journal import Journal\n"
        "journal = Journal.open(Path(sys.argv[1]), now=lambda: 1.0)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
        "journal.close_now()\n"
    )
    link = path.with_name("link.db")
    link.symlink_to(path)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        texts = [refusal(path), refusal(link)]
    assert (
        texts
        == [
            (
                f"{path}: another reactor (process {child.pid}) uses this journal\n"
                "  fix: stop that process, or set another 'journal.path' for this one"
            )
        ]
        * 2
    )
    journal = Journal.open(link, now=now)
    assert journal.path == path
    journal.close_now()


def test_a_lock_without_a_name_is_still_a_lock(path: Path) -> None:
    """The owner is killed between the lock and the writing of its id."""
    journal = Journal.open(path, now=now)
    os.truncate(f"{path}.lock", 0)
    text = refusal(path)
    journal.close_now()
    assert text == (
        f"{path}: another reactor (process unknown) uses this journal\n"
        "  fix: stop that process, or set another 'journal.path' for this one"
    )


def test_the_lock_of_a_refused_opening_is_given_back(path: Path) -> None:
    """A file that was mended can be opened by the same process."""
    path.write_text("no journal")
    assert "not an SQLite file" in refusal(path)
    path.unlink()
    Journal.open(path, now=now).close_now()


def test_a_file_that_another_program_locks_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a short wait."""
    monkeypatch.setattr(schema, "LOCK_WAIT_S", 0.05)
    path.touch()
    with connected(path) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        text = refusal(path)
    assert text == (
        f"{path}: another program holds the journal locked\n"
        "  fix: end that program ('fuser' on the file names it)"
    )


def test_a_journal_that_lost_a_table_is_refused(path: Path) -> None:
    """And the lock is given back: the next try gets the same answer."""
    make_journal(path)
    sqlite_file(path, "DROP TABLE counter")
    text = (
        f"{path}: SQLite refused (SQLITE_ERROR: no such table: counter)\n"
        "  fix: this is a fault of reactor: report it with this text"
    )
    assert [refusal(path), refusal(path)] == [text, text]
    assert [file for file in open_files() if file.startswith(str(path))] == []


def test_a_file_system_without_wal_is_refused(path: Path) -> None:
    """Where SQLite keeps its old mode, as on a file system without shared memory."""
    connection = sqlite3.connect(f"{path.as_uri()}?vfs=unix-dotfile", uri=True)
    with pytest.raises(JournalError) as caught:
        schema.prepare(connection, path, now=NOW)
    connection.close()
    assert str(caught.value) == (
        f"{path}: its file system cannot do write-ahead logging (SQLite stayed in mode 'delete')\n"
        "  fix: set 'journal.path' to a file on a local disk"
    )


def test_a_missing_journal_is_refused_to_readers(path: Path) -> None:
    """And not made."""
    assert reading_refusal(path) == (
        f"{path}: there is no journal here\n"
        "  fix: start the daemon first ('reactor run'), or name its journal"
    )
    assert not path.exists()
    path.touch()
    below = path / "journal.db"
    assert reading_refusal(below) == (
        f"{below}: the file cannot be opened: Not a directory\n"
        "  fix: give the user that runs reactor the right to read and write it, "
        "or set another 'journal.path'"
    )


def test_an_older_journal_is_refused_to_readers(path: Path) -> None:
    """Only the daemon may bring it up to date."""
    make_journal(path)
    sqlite_file(path, "PRAGMA user_version = 0")
    assert reading_refusal(path) == (
        f"{path}: the journal has the older schema version 0, this reactor reads {VERSION}\n"
        "  fix: start the daemon once ('reactor run'): it brings the journal up to date"
    )


@pytest.mark.asyncio
async def test_an_older_journal_is_migrated_step_by_step(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All newer versions are applied in order, the content and the identity stay."""
    async with opened(path) as journal:
        await journal.commit(Batch(keeps=[Keep("k", "1", b"v")]))
        identity = journal.identity
    steps = (
        *schema.MIGRATIONS,
        Migration(VERSION + 1, ("ALTER TABLE state ADD COLUMN since REAL NOT NULL DEFAULT 7",)),
        Migration(VERSION + 2, ("UPDATE state SET since = since + 1",)),
    )
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(schema, "VERSION", VERSION + 2)
    async with opened(path) as journal:
        assert journal.identity == identity
        assert journal.reader.state() == [("k", "1", b"v")]
    with connected(path) as connection:
        assert connection.execute("SELECT since FROM state").fetchall() == [(8.0,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION + 2,)
        assert connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() == (
            VERSION + 2,
        )


def test_a_migration_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version before it is still whole, and its reactor can go on."""
    make_journal(path)
    bad = Migration(VERSION + 1, ("DELETE FROM history", "INSERT INTO nowhere VALUES (1)"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, bad))
        patch.setattr(schema, "VERSION", VERSION + 1)
        text = refusal(path)
    assert text == (
        f"{path}: SQLite refused (SQLITE_ERROR: no such table: nowhere)\n"
        "  fix: this is a fault of reactor: report it with this text"
    )
    journal = Journal.open(path, now=now)
    assert numbers(journal) == [0]
    journal.close_now()


@pytest.mark.parametrize(
    ("error", "problem", "fix"),
    [
        pytest.param(
            sqlite3.SQLITE_IOERR_FSYNC,
            "the disk failed (NAME: text)",
            "look for disk errors in the kernel's log ('dmesg'); reactor tries again by itself",
            id="the disk fails",
        ),
        pytest.param(
            sqlite3.SQLITE_READONLY,
            "the journal cannot be opened as needed (NAME: text)",
            "give the user that runs reactor the right to read and write the file and its folder",
            id="a file that became read-only",
        ),
        pytest.param(
            sqlite3.SQLITE_CORRUPT, "the journal is damaged (text)", DAMAGED, id="damage found late"
        ),
        pytest.param(
            sqlite3.SQLITE_NOMEM,
            "SQLite refused (NAME: text)",
            "this is a fault of reactor: report it with this text",
            id="anything else",
        ),
    ],
)
def test_errors_of_sqlite_are_explained(path: Path, error: int, problem: str, fix: str) -> None:
    """By the family of the code, with SQLite's own words."""
    cause = sqlite3.OperationalError("text")
    cause.sqlite_errorcode = error
    cause.sqlite_errorname = "NAME"
    assert str(schema.explain(cause, path)) == f"{path}: {problem}\n  fix: {fix}"


@pytest.mark.asyncio
async def test_another_program_that_comes_and_goes_does_no_harm(path: Path) -> None:
    """It must find our locks: the last one to leave a file removes its write-ahead log.

    A process loses its locks on a file as soon as it closes any handle of it.
    """
    script = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "print(connection.execute('SELECT count(*) FROM history').fetchone()[0])\n"
        "connection.close()\n"
    )

    def visit() -> bytes:
        return subprocess.check_output([sys.executable, "-c", script, str(path)])

    async with opened(path) as journal:
        await journal.commit(batch(1))
        Reader(path).close()
        assert await asyncio.to_thread(visit) == b"1\n"
        assert path.with_name("journal.db-wal").stat().st_size > 0
        await journal.commit(batch(2))
        assert await asyncio.to_thread(visit) == b"2\n"
        assert numbers(journal) == [1, 2]
    assert stored(path) == [1, 2]


@pytest.mark.asyncio
async def test_readers_are_not_kept_out_by_the_lock_or_a_writer(path: Path) -> None:
    """Another process may read while the daemon lives and while a transaction is open."""
    async with opened(path) as journal:
        await journal.commit(batch(1))
        with locked(path):
            reader = Reader(path)
            assert [row.at for row in reader.history(0, 10)] == [1.0]
            reader.close()
            reader.close()


@pytest.mark.parametrize(
    ("free", "full"),
    [
        pytest.param(15, True, id="too little for SQLite's own files"),
        pytest.param(16, False, id="just enough"),
        pytest.param(None, False, id="a disk that does not say"),
    ],
)
def test_a_full_disk_is_not_taken_for_a_broken_one(
    path: Path, free: int | None, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    """Where the file that maps the log cannot grow SQLite speaks of an error of the disk."""

    def statvfs(_folder: Path) -> os.statvfs_result:
        if free is None:
            raise OSError
        return os.statvfs_result((4096, 4096, 100, free, free, 10, 10, 10, 0, 255))

    monkeypatch.setattr(os, "statvfs", statvfs)
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    cause.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    told = schema.explain(cause, path, opening=True)
    assert told.problem == (
        "the disk is full" if full else "the disk failed (SQLITE_IOERR_SHMSIZE: disk I/O error)"
    )
