"""Checks, copies, damaged logs and network file systems."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reactor.adapters.journal import Journal, Limits, Reader, back_up, findings
from reactor.adapters.journal.files import network_file_system
from reactor.adapters.journal.log_tail import last_commit
from reactor.errors import JournalError
from tests.adapters.journal.support import batch, connected, now, numbers, opened

ROWS = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "journal.db"


def make_journal(path: Path, rows: int = ROWS, size: int = 400) -> None:
    """A journal that was closed in order."""
    journal = Journal.open(path, now=now)
    journal.lazily([batch(number, size=size).inputs[0] for number in range(rows)])
    journal.close_now()


def damage(path: Path) -> None:
    """A page in the middle is overwritten."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)


# ------------------------------------------------ copies


@pytest.mark.asyncio
async def test_a_copy_is_made_while_the_daemon_writes(path: Path, tmp_path: Path) -> None:
    """It is a journal of its own, of one moment, for its owner only, and nothing is left beside."""
    target = tmp_path / "copies" / "copy.db"
    target.parent.mkdir()
    async with opened(path) as journal:
        for number in range(5):
            await journal.commit(batch(number))
        assert back_up(path, target) == target.stat().st_size
        await journal.commit(batch(5))
        assert numbers(journal) == [0, 1, 2, 3, 4, 5]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(target.parent.iterdir()) == [target]
    assert findings(target) == []
    async with opened(target) as journal:
        assert numbers(journal) == [0, 1, 2, 3, 4]
    with connected(target) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_a_copy_takes_no_files_place(path: Path, tmp_path: Path) -> None:
    """Also not that of the journal itself."""
    make_journal(path)
    other = tmp_path / "letter.txt"
    other.write_text("dear", encoding="utf-8")
    for target in (other, path):
        with pytest.raises(JournalError) as refused:
            back_up(path, target)
        assert str(refused.value) == (
            f"{target}: the file exists already\n  fix: name a file that does not exist yet"
        )
    assert other.read_text(encoding="utf-8") == "dear"
    assert findings(path) == []


def test_a_copy_into_nowhere_is_refused(path: Path, tmp_path: Path) -> None:
    """With the system's reason."""
    make_journal(path)
    target = tmp_path / "nowhere" / "copy.db"
    with pytest.raises(JournalError) as refused:
        back_up(path, target)
    assert str(refused.value) == (
        f"{target}: the copy cannot be written: No such file or directory\n"
        "  fix: make room, or name a file elsewhere"
    )


def test_a_damaged_journal_gives_no_copy(path: Path, tmp_path: Path) -> None:
    """A backup that is damaged is none; nothing is left of it."""
    make_journal(path, rows=2000)
    damage(path)
    with pytest.raises(JournalError, match="the journal is damaged"):
        back_up(path, tmp_path / "copy.db")
    assert not [each for each in tmp_path.iterdir() if "copy" in each.name]


# ------------------------------------------------ checks


def test_a_whole_check_finds_what_is_damaged(path: Path) -> None:
    """In SQLite's words, some lines of them; nothing about a sound one."""
    make_journal(path, rows=2000)
    assert findings(path) == []
    damage(path)
    assert 0 < len(findings(path)) <= 20


def test_a_check_that_was_cut_short_is_told(path: Path) -> None:
    """With the way to a whole one."""
    make_journal(path, rows=2000)
    journal = Journal.open(path, now=now, limits=Limits(check_s=0.0))
    warnings = journal.warnings
    journal.close_now()
    (warning,) = warnings
    assert warning == (
        "the journal is so large that its check was cut short: `reactor journal check` "
        "reads all of it"
    )


# ------------------------------------------------ the write-ahead log


def killed(path: Path) -> None:
    """A daemon wrote five commits and died: all of them are in the log alone."""
    script = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from reactor.adapters.journal import Journal\n"
        "from tests.adapters.journal.support import batch, now\n"
        "async def main():\n"
        "    journal = Journal.open(Path(sys.argv[1]), now=now)\n"
        "    for number in range(5):\n"
        "        await journal.commit(batch(number))\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=60)
    assert done.returncode == 9


@pytest.mark.parametrize(
    ("frames_kept", "lost"),
    [
        pytest.param(0, False, id="as it was left"),
        pytest.param(1, True, id="its last commit damaged"),
        pytest.param(None, True, id="its beginning damaged"),
    ],
)
def test_commits_that_the_log_lost_are_told(
    path: Path, frames_kept: int | None, lost: bool
) -> None:
    """SQLite leaves them out without a word."""
    killed(path)
    log = Path(f"{path}-wal")
    assert last_commit(path) > 0
    content = bytearray(log.read_bytes())
    frame = 4096 + 24
    at = 32 + 24 if frames_kept is None else len(content) - frames_kept * frame + 24
    content[at : at + 8] = b"\xa5" * len(content[at : at + 8])
    log.write_bytes(content)
    journal = Journal.open(path, now=now)
    warnings, left = journal.warnings, numbers(journal)
    journal.close_now()
    assert ("the end of the write-ahead log is damaged" in " ".join(warnings)) is lost
    assert (left == [0, 1, 2, 3, 4]) is not lost


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="none"),
        pytest.param(b"", id="empty"),
        pytest.param(b"x" * 20, id="half a header"),
        pytest.param(b"x" * 32 + b"y" * 30, id="half a frame of another log"),
    ],
)
def test_a_log_without_commits_has_no_last_one(path: Path, content: bytes | None) -> None:
    """Whatever lies there."""
    if content is not None:
        Path(f"{path}-wal").write_bytes(content)
    assert last_commit(path) == 0


# ------------------------------------------------ file systems of networks


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        pytest.param("36 35 {device} / /j rw shared:1 - nfs4 host:/x rw", "nfs4", id="nfs"),
        pytest.param("36 35 {device} / /j rw - cifs //host/x rw", "cifs", id="no optional field"),
        pytest.param("36 35 {device} / /j rw shared:1 - ext4 /dev/sda1 rw", "", id="local"),
        pytest.param("36 35 999:9 / /n rw shared:1 - nfs4 host:/x rw", "", id="another device"),
        pytest.param("nonsense", "", id="nonsense"),
    ],
)
def test_a_network_file_system_is_known(tmp_path: Path, line: str, kind: str) -> None:
    """By the device of the file."""
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    text = line.format(device=f"{os.major(device)}:{os.minor(device)}")
    mounts.write_text(text, encoding="utf-8")
    assert network_file_system(tmp_path, mounts) == kind


def test_what_cannot_be_known_is_no_network(tmp_path: Path) -> None:
    """No file, or no list of mounts."""
    assert network_file_system(tmp_path, tmp_path / "none") == ""
    assert network_file_system(tmp_path / "none") == ""


def test_a_network_file_system_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal is opened all the same."""
    monkeypatch.setattr("reactor.adapters.journal.store.network_file_system", lambda _: "nfs4")
    journal = Journal.open(path, now=now)
    warnings = journal.warnings
    journal.close_now()
    (warning,) = warnings
    assert warning == (
        "the journal lies on a file system of a network (nfs4), where locks and syncs "
        "cannot be relied on: set 'journal.path' to a file on a local disk"
    )


def test_figures_of_a_new_journal(path: Path) -> None:
    """It has a size and no history."""
    make_journal(path, rows=0)
    reader = Reader(path)
    figures = reader.figures()
    reader.close()
    assert figures.size_bytes == figures.used_bytes == path.stat().st_size
    assert figures.oldest is figures.removed_at is None
    assert figures.removed == {}


def test_a_reader_needs_no_right_to_write_the_log(path: Path) -> None:
    """Its size is 0 where there is none."""
    make_journal(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    reader = Reader(path)
    assert reader.figures().log_bytes == 0
    reader.close()
