"""A journal that is damaged: what can be read of it goes into a new one."""

import asyncio
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from unittest import mock

import pytest

from reactor.adapters.journal import (
    Batch,
    InputRow,
    IntentRow,
    Journal,
    Limits,
    OutboxRow,
    RunRow,
    Saved,
    findings,
    salvage,
)
from reactor.adapters.journal import rescue as rescuing
from reactor.adapters.journal.files import Lock
from reactor.adapters.journal.pages import Pages
from reactor.adapters.journal.rescue import TABLES
from reactor.adapters.journal.schema import VERSION
from reactor.core.effect import Keep, Trace
from reactor.errors import JournalError
from tests.adapters.journal.support import NOW, connected, now

PAGE = 4096
GOLDEN = Path(__file__).resolve().parents[2] / "golden"
COMPARED = [name for name in TABLES if name != "meta"]
Rows = dict[str, set[tuple[object, ...]]]


def filled(number: int) -> Batch:
    """A bit of everything; every fifth input is larger than a page."""
    body = b'{"n":%d,"x":"%s"}' % (number, b"x" * (9000 if number % 5 == 0 else 300))
    return Batch(
        inputs=[InputRow(float(number), f"web-{number}", "event", "STOP", body)],
        keeps=[Keep("mark", f"web-{number}", b'{"text":"%s"}' % (b"y" * 200))],
        traces=[Trace(1.0, "p", "web-1", "trigger", "admitted", "z" * 100, f"r-{number}")],
        intents=[IntentRow(f"r-{number}.1", 1.0, "web-1", "stop", b"{}", f"r-{number}")],
        messages=[OutboxRow("alert/x", b"m" * 150)],
        runs=[RunRow(f"r-{number}", "p", "web-1", "running", started=1.5)],
        revisions=[(f"rev-{number}", "p", "policy: p\n" * 20)],
    )


async def _write(path: Path, rows: Iterable[int]) -> None:
    journal = Journal.open(path, now=now, limits=Limits())
    await asyncio.gather(*(journal.commit(filled(number)) for number in rows))
    await journal.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of 60 rows a table, trees of two levels; nobody changes it."""
    path = tmp_path_factory.mktemp("original") / "journal.db"
    asyncio.run(_write(path, range(60)))
    return path


def rows_of(path: Path) -> Rows:
    """Every row of every table."""
    with connected(path) as connection:
        return {
            name: set(connection.execute(f"SELECT * FROM {name}"))  # noqa: S608 - a name of ours
            for name in COMPARED
        }


def rescue(content: bytes, folder: Path) -> tuple[Saved, Rows]:
    """What a salvage of this file brings; the new journal is sound."""
    damaged, target = folder / "damaged.db", folder / "saved.db"
    target.unlink(missing_ok=True)
    damaged.write_bytes(content)
    saved = salvage(damaged, target, now=NOW)
    assert findings(target) == []
    assert damaged.read_bytes() == content
    return saved, rows_of(target)


def with_page(content: bytes, number: int, page: bytes) -> bytes:
    """One page is overwritten, counted from 1."""
    return content[: (number - 1) * PAGE] + page + content[number * PAGE :]


# --------------------------------------------------------------- what is sound


def test_it_knows_where_the_tables_are(original: Path) -> None:
    """Root pages and columns are those that the migrations make."""
    with connected(original) as connection:
        for name, (root, columns) in TABLES.items():
            (found,) = connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)
            ).fetchone()
            info = connection.execute(f"PRAGMA table_info({name})").fetchall()
            assert (found, [row[1] for row in info]) == (root, columns.replace('"', "").split())


@pytest.mark.parametrize("name", ["journal-v1.db", "journal-v1-rows.db", "journal-v2-rows.db"])
def test_nothing_is_lost_of_a_sound_journal(name: str, tmp_path: Path) -> None:
    """Of old versions neither: the new one has the version of today."""
    content = (GOLDEN / name).read_bytes()
    (tmp_path / "golden.db").write_bytes(content)
    with connected(tmp_path / "golden.db") as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        before = {
            table: set(connection.execute(f"SELECT * FROM {table}"))  # noqa: S608 - a name of ours
            for table in COMPARED
            if table in tables
        }
    saved, after = rescue(content, tmp_path)
    assert saved.whole
    assert {table: after[table] for table in before} == before
    with connected(tmp_path / "saved.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_nothing_is_lost_of_trees_and_long_rows(original: Path, tmp_path: Path) -> None:
    """Of several levels, and of rows on pages of their own."""
    saved, after = rescue(original.read_bytes(), tmp_path)
    assert saved.whole
    assert after == rows_of(original)


def test_what_stands_in_the_log_counts(original: Path, tmp_path: Path) -> None:
    """A daemon that was killed left it; a page there is newer than that in the file."""
    path = tmp_path / "journal.db"
    shutil.copy(original, path)
    journal = Journal.open(path, now=now)

    async def more() -> None:
        for number in (1000, 1001):
            await journal.commit(filled(number))

    asyncio.run(more())
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{tmp_path}/killed.db{suffix}")
    journal.close_now()
    saved = salvage(tmp_path / "killed.db", tmp_path / "saved.db", now=NOW)
    assert (saved.pages, saved.torn) == (0, 0)
    assert rows_of(tmp_path / "saved.db") == rows_of(path)

    # The end of a log that lost what it had: the commits before it stand.
    log = tmp_path / "killed.db-wal"
    content = log.read_bytes()
    flipped = bytearray(content)
    flipped[-100] ^= 1
    for name, damaged in (("shorter", content[:-100]), ("flipped", bytes(flipped))):
        log.write_bytes(damaged)
        salvage(tmp_path / "killed.db", tmp_path / f"{name}.db", now=NOW)
        found = rows_of(tmp_path / f"{name}.db")
        assert rows_of(original)["run"] < found["run"] < rows_of(path)["run"]


def test_names_of_runs_never_come_again(original: Path, tmp_path: Path) -> None:
    """What was lost may be known elsewhere: the new journal has a name of its own, and they too."""
    rescue(original.read_bytes(), tmp_path)
    with connected(tmp_path / "saved.db") as connection, connected(original) as before:
        who = "SELECT value FROM meta WHERE key = 'identity'"
        assert connection.execute(who).fetchone() != before.execute(who).fetchone()


def test_what_was_removed_on_purpose_is_not_missed(original: Path, tmp_path: Path) -> None:
    """Retention says up to where it removed; a row that it spared there counts for nothing."""
    path = tmp_path / "old.db"
    shutil.copy(original, path)
    with connected(path) as connection:
        connection.execute("DELETE FROM history WHERE seq <= 20 AND seq <> 3")
        connection.execute("INSERT INTO counter VALUES ('retention.history', 20)")
    saved, after = rescue(path.read_bytes(), tmp_path)
    assert saved.whole
    assert len(after["history"]) == 41


# ------------------------------------------------------------- what is damaged

_FILLINGS: Sequence[Callable[[random.Random], bytes]] = (
    lambda chance: chance.randbytes(PAGE),
    lambda _chance: bytes(PAGE),
    lambda _chance: b"\xff" * PAGE,
)


@pytest.mark.timeout(120)
def test_one_page_after_the_other(original: Path, tmp_path: Path) -> None:
    """A damaged page costs the rows that stand on it, and never brings one that was not there."""
    content, before = original.read_bytes(), rows_of(original)
    total = sum(map(len, before.values()))
    chance = random.Random(1)  # noqa: S311 - to be told again
    # Some of the roots, and some of what is behind them: a salvage takes a tenth of a second.
    last = len(content) // PAGE
    for number in (1, 2, 5, 7, 8, 10, 13, 16, 18, *range(26, last, 6), last):
        damaged = with_page(content, number, _FILLINGS[number % 3](chance))
        saved, after = rescue(damaged, tmp_path)
        assert all(after[name] <= before[name] for name in COMPARED), number
        lost = total - sum(map(len, after.values()))
        # 4,096 bytes hold some 40 of the smallest of these rows.
        assert lost <= 60, (number, saved)
        assert bool(lost) <= (not saved.whole), (number, saved)


def test_the_first_pages_cost_nothing(original: Path, tmp_path: Path) -> None:
    """The header, the list of tables, the map of pages: what they say is known or found out."""
    content = original.read_bytes()
    for number in (1, 2):
        saved, after = rescue(with_page(content, number, b"\xff" * PAGE), tmp_path)
        assert after == rows_of(original)
        assert saved.rows["history"] == 60


def roots_of_trees(content: bytes) -> list[tuple[str, int]]:
    """Tables whose first page only leads to others."""
    inner = {
        name: root for name, (root, _) in TABLES.items() if content[(root - 1) * PAGE] in {2, 5}
    }
    return sorted(inner.items())


def test_a_page_that_only_leads_to_others_costs_nothing(original: Path, tmp_path: Path) -> None:
    """What is below it is found by the file's own map; of an index a row stands on it, too."""
    content, before = original.read_bytes(), rows_of(original)
    roots = roots_of_trees(content)
    assert {"history", "state", "trace"} <= {name for name, _ in roots}
    for name, root in roots:
        saved, after = rescue(with_page(content, root, b"\xff" * PAGE), tmp_path)
        assert saved.pages == 1
        assert len(before[name] - after[name]) <= (name == "state") * 10
        assert {other: after[other] for other in COMPARED if other != name} == {
            other: before[other] for other in COMPARED if other != name
        }


def test_a_page_that_leads_to_itself(original: Path, tmp_path: Path) -> None:
    """It is looked at once; what it led to is found by the map."""
    content = original.read_bytes()
    (root, _) = TABLES["history"]
    at = (root - 1) * PAGE + 8
    saved, after = rescue(content[:at] + root.to_bytes(4, "big") + content[at + 4 :], tmp_path)
    assert after == rows_of(original)
    assert saved.torn == 0


def test_a_long_row_that_does_not_end_is_no_row(original: Path, tmp_path: Path) -> None:
    """Behind its last page there is none: one that names another was damaged."""
    content = bytearray(original.read_bytes())
    ends = [
        at
        for at in range(0, len(content), PAGE)
        if content[at : at + 4] == bytes(4) and content[at + 4 : at + 24] == b"x" * 20
    ]
    assert len(ends) == 12
    content[ends[0] + 3] = 1
    saved, after = rescue(bytes(content), tmp_path)
    assert (saved.torn, saved.missing) == (1, {"history": 1})
    assert len(after["history"]) == 59


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(12))
def test_damage_by_chance(seed: int, original: Path, tmp_path: Path) -> None:
    """Pages, bytes, a lost end: it ends with a sound journal or a reason, whatever it meets."""
    chance = random.Random(seed)  # noqa: S311 - to be told again
    content = bytearray(original.read_bytes())
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(content) // PAGE) * PAGE
        if chance.random() < 0.5:
            content[at : at + PAGE] = chance.choice(_FILLINGS)(chance)
        else:
            for _ in range(chance.randint(1, 40)):
                content[at + chance.randrange(PAGE)] = chance.randrange(256)
    if chance.random() < 0.3:
        del content[chance.randrange(len(content)) :]
    try:
        saved, _ = rescue(bytes(content), tmp_path)
    except JournalError as error:
        problem = error.problem
    else:
        # The daemon opens it, and writes.
        asyncio.run(_write(tmp_path / "saved.db", [7000]))
        problem = "" if saved.rows else "nothing"
    assert problem in {"", "nothing of a journal can be read"}


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_file_that_lost_its_end(part: float, original: Path, tmp_path: Path) -> None:
    """What stands in front of it is saved, and the loss is told."""
    content, before = original.read_bytes(), rows_of(original)
    saved, after = rescue(content[: int(len(content) * part)], tmp_path)
    assert not saved.whole
    assert all(after[name] <= before[name] for name in COMPARED)
    assert sum(map(len, after.values())) > 0


def test_rows_that_make_no_sense_are_left_out(original: Path, tmp_path: Path) -> None:
    """SQLite has no sums of its pages: what is no JSON any more cannot be what was written."""
    content = original.read_bytes().replace(b'{"text":"y', b'{"text":"\x00', 3)
    saved, after = rescue(content, tmp_path)
    assert saved.torn == 3
    assert len(after["state"]) == 57


def test_state_that_cannot_be_taken_up_is_left_out(original: Path, tmp_path: Path) -> None:
    """Whoever knows what it means is asked."""
    seen: list[int] = []

    def judge(rows: Sequence[Keep]) -> Sequence[Keep]:
        seen.append(len(rows))
        return [row for row in rows if row.key == "web-7"]

    saved = salvage(original, tmp_path / "saved.db", now=NOW, unsound=judge)
    assert (seen, saved.dropped, saved.whole) == ([60], ["mark web-7"], False)
    assert saved.rows["state"] == 59


# ---------------------------------------------------------------- what is refused


def refused(path: Path, target: Path) -> str:
    """The sentence."""
    with pytest.raises(JournalError) as error:
        salvage(path, target, now=NOW)
    return str(error.value)


def test_what_is_no_journal(tmp_path: Path) -> None:
    """No file of that kind, and nothing is left behind."""
    path, target = tmp_path / "letter.txt", tmp_path / "saved.db"
    for content in (b"", b"dear " * 10_000):
        path.write_bytes(content)
        assert refused(path, target) == (
            f"{path}: nothing of a journal can be read\n"
            "  fix: put a backup in its place, or start with a new one"
        )
    assert {found.name for found in tmp_path.iterdir()} == {"letter.txt", "letter.txt.lock"}
    assert "there is no journal here" in refused(tmp_path / "nothing.db", target)


def test_a_newer_journal(original: Path, tmp_path: Path) -> None:
    """It is not damaged, it is unknown."""
    path = tmp_path / "newer.db"
    shutil.copy(original, path)
    with connected(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert refused(path, tmp_path / "saved.db") == (
        f"{path}: a newer reactor wrote this journal: its schema version is {VERSION + 1}\n"
        "  fix: use the newer reactor"
    )


def test_a_journal_in_use(original: Path, tmp_path: Path) -> None:
    """A daemon that runs on it knows better."""
    path = tmp_path / "used.db"
    shutil.copy(original, path)
    lock = Lock(path)
    assert f"another reactor (process {os.getpid()}) uses this" in refused(path, tmp_path / "s.db")
    lock.release()


def test_a_target_that_is_there(original: Path, tmp_path: Path) -> None:
    """It is never touched; and what cannot be made is told."""
    target = tmp_path / "there.db"
    target.write_text("mine", encoding="utf-8")
    assert "the file exists already" in refused(original, target)
    assert target.read_text(encoding="utf-8") == "mine"
    nowhere = tmp_path / "nowhere" / "saved.db"
    assert refused(original, nowhere) == (
        f"{nowhere}: the copy cannot be written: No such file or directory\n"
        "  fix: make room, or name a file elsewhere"
    )


def test_pages_beyond_the_file(original: Path) -> None:
    """There is none, whatever number a damaged page gives."""
    pages = Pages(original)
    try:
        assert [pages.read(number) for number in (0, -1, pages.count + 1)] == [None, None, None]
        assert pages.read(pages.count) is not None
    finally:
        pages.close()


def test_a_disk_that_refuses(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's error is told as one of the copy."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    monkeypatch.setattr(rescuing, "prepare", mock.Mock(side_effect=error))
    target = tmp_path / "saved.db"
    assert refused(original, target) == (
        f"{target}: the disk is full\n  fix: make room, or name a file elsewhere"
    )
    assert list(tmp_path.iterdir()) == []
