"""``reactor journal``: figures, a whole check, a copy."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.cli.exits import Exit
from tests.cli.conftest import Call
from tests.cli.journals import AT, event, write_events


@pytest.fixture
def journal(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A journal of two events; times are those of UTC."""
    path = here / "journal.db"
    write_events(path, *(event(name) for name in ("STOP", "RESUME")))
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield path
    time.tzset()


def test_figures_for_people(reactor: Call, journal: Path) -> None:
    """Size, rows, and since when."""
    code, out, err = reactor("journal", "--journal", journal)
    assert (code, err) == (Exit.OK, "")
    assert out.endswith(
        "KiB, 3 history, 0 traces, 0 runs, 0 state, 0 intents open, 0 outbox, 0 revisions, "
        "since 2027-01-15 08:00:00.250\n"
    )


def test_figures_for_programs(reactor: Call, journal: Path) -> None:
    """The same as one object."""
    code, out, _ = reactor("journal", "--journal", journal, "-o", "json")
    told = json.loads(out)
    assert code == Exit.OK
    assert told["journal"] == str(journal)
    assert told["size_bytes"] == journal.stat().st_size
    assert told["rows"]["history"] == 3
    assert told["oldest"] == AT
    assert (told["removed"], told["removed_at"]) == ({}, None)


def test_a_sound_journal(reactor: Call, journal: Path) -> None:
    """One word, and no findings."""
    assert reactor("journal", "check", "--journal", journal) == (
        Exit.OK,
        f"{journal}: sound\n",
        "",
    )
    _, out, _ = reactor("journal", "check", "--journal", journal, "-o", "json")
    assert json.loads(out) == {"journal": str(journal), "findings": []}


def test_a_damaged_journal(reactor: Call, here: Path) -> None:
    """What SQLite finds, a way out, and exit code 1."""
    path = here / "journal.db"
    write_events(path, *(event("STOP") for _ in range(2000)))
    content = bytearray(path.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    code, out, err = reactor("journal", "check", "--journal", path)
    assert (code, err) == (Exit.FINDINGS, "")
    first, *findings, fix = out.splitlines()
    assert first == f"{path}: damaged"
    assert findings
    assert "put a backup in its place" in fix
    code, out, _ = reactor("journal", "check", "--journal", path, "-o", "json")
    assert code == Exit.FINDINGS
    assert json.loads(out)["findings"]


def test_a_copy(reactor: Call, journal: Path, here: Path) -> None:
    """It says the same, and a second one finds the file there."""
    copy = here / "copy.db"
    code, out, _ = reactor("journal", "backup", "--journal", journal, copy)
    assert code == Exit.OK
    assert out.startswith(f"{copy}: ")
    _, told, _ = reactor("events", "--journal", copy)
    assert told == reactor("events", "--journal", journal)[1]
    code, out, err = reactor("journal", "backup", "--journal", journal, copy)
    assert (code, out) == (Exit.CANNOT_CONNECT, "")
    assert err == (f"{copy}: the file exists already\n  fix: name a file that does not exist yet\n")
    other = here / "other.db"
    _, out, _ = reactor("journal", "backup", "--journal", journal, other, "-o", "json")
    assert json.loads(out) == {"copy": str(other), "size_bytes": other.stat().st_size}


def test_a_damaged_journal_is_salvaged(reactor: Call, here: Path) -> None:
    """What was saved and what is lost is told, and the events that are left can be read."""
    path, saved = here / "journal.db", here / "saved.db"
    write_events(path, *(event("STOP") for _ in range(2000)))
    code, out, err = reactor("journal", "salvage", path, saved)
    assert (code, err) == (Exit.OK, "")
    counted, whole = out.splitlines()
    assert counted.startswith("saved: 0 counter, 2001 history, 0 state, ")
    assert whole == f"{saved}: all of it was read"

    content = bytearray(path.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    code, out, err = reactor("journal", "salvage", path, here / "less.db")
    assert (code, err) == (Exit.FINDINGS, "")
    assert "lost:  1 pages of the file, with the rows on them\n" in out
    assert "rows of history, by the gaps in their numbers\n" in out
    assert out.endswith(f"{here / 'less.db'}: what could be read\n")
    assert reactor("journal", "check", "--journal", here / "less.db")[0] == Exit.OK
    assert reactor("events", "--journal", here / "less.db")[0] == Exit.OK

    code, out, _ = reactor("journal", "salvage", path, here / "other.db", "-o", "json")
    told = json.loads(out)
    assert (code, told["pages"], told["torn"], told["dropped"]) == (Exit.FINDINGS, 1, 0, [])
    assert told["rows"]["history"] + told["missing"]["history"] == 2001
    code, _, err = reactor("journal", "salvage", path, saved)
    assert (code, "the file exists already" in err) == (Exit.CANNOT_CONNECT, True)


def test_no_journal(reactor: Call, here: Path) -> None:
    """Nothing is made of it."""
    path = here / "none.db"
    for words in (("journal",), ("journal", "check"), ("journal", "backup", "x.db")):
        code, _, err = reactor(*words, "--journal", path)
        assert code == Exit.NOT_RUNNING
        assert err.startswith(f"{path}: there is no journal here\n")
    assert not path.exists()
