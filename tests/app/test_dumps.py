"""The folder of memory dumps."""

import asyncio
import importlib
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reactor.adapters.dump_folder import Card, Found, card_of, scan, write_card
from reactor.adapters.filesystem import aside
from reactor.adapters.journal import Batch, Journal
from reactor.app.dumps import Dumps
from reactor.app.records import DUMP_REMOVED, dumped_row
from reactor.app.settings import DumpsSettings
from reactor.core.effect import AskPath, Dumped
from reactor.core.inputs import Answered, Refusal
from tests.adapters.journal.support import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where dumps go; it is not there yet."""
    return tmp_path / "dumps"


def dumps(folder: Path, *allow: object) -> Dumps:
    """What answers for the folder, and for these paths beside it."""
    return Dumps(DumpsSettings(folder, frozenset(map(str, allow))))


def problem(dumps: Dumps, path: str) -> str:
    """Why a dump must not be written there."""
    return asyncio.run(dumps.problem(AskPath("r-1.1", path)))


def discard(dumps: Dumps, path: str) -> None:
    """Let it remove what a dump left."""
    asyncio.run(dumps.discard(path))


@contextmanager
def nobody() -> Iterator[None]:
    """As a user who may do nothing, also where the tests are run by root."""
    # What asyncio imports at its first thread may lie where nobody may read.
    importlib.import_module("concurrent.futures.thread")
    before = os.geteuid()
    os.seteuid(before or 65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_missing_folder_is_made_for_its_owner_only(folder: Path) -> None:
    """Memory holds secrets."""
    assert problem(dumps(folder), f"{folder}/web-1.kdump") == ""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_is_there_is_left_as_it_is(folder: Path) -> None:
    """Its rights are the admin's business."""
    folder.mkdir(mode=0o750)
    assert problem(dumps(folder), f"{folder}/web-1.kdump") == ""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_nothing_is_overwritten(folder: Path) -> None:
    """A file, a link, a folder, and the dumps folder itself."""
    folder.mkdir()
    (folder / "file").touch()
    (folder / "link").symlink_to("nowhere")
    (folder / "below").mkdir()
    for name in ("file", "link", "below"):
        path = folder / name
        assert problem(dumps(folder), str(path)) == f"the dump target {path} exists already"
    assert problem(dumps(folder), str(folder)) == f"the dump target {folder} exists already"
    assert problem(dumps(folder, folder / "file"), f"{folder}/file") == (
        f"the dump target {folder}/file exists already"
    )


def test_a_folder_below_must_be_there(folder: Path) -> None:
    """Only the dumps folder itself is made."""
    (folder / "here").mkdir(parents=True)
    assert problem(dumps(folder), f"{folder}/here/a") == ""
    assert problem(dumps(folder), f"{folder}/there/a") == (
        f"the folder {folder}/there of the dump does not exist"
    )
    assert not (folder / "there").exists()


def test_a_link_does_not_lead_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    """One that stays inside may be used."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "real").mkdir(parents=True)
    (folder / "out").symlink_to(outside)
    (folder / "in").symlink_to("real")
    assert problem(dumps(folder), f"{folder}/in/a") == ""
    assert problem(dumps(folder), f"{folder}/out/a") == (
        f"the folder {folder}/out of the dump leads out of {folder}"
    )
    assert problem(dumps(folder), f"{folder}/../a") == (
        f"the folder {folder}/.. of the dump leads out of {folder}"
    )


def test_the_dumps_folder_may_be_a_link_itself(folder: Path, tmp_path: Path) -> None:
    """The admin's own choice of a disk."""
    (tmp_path / "disk").mkdir()
    folder.symlink_to(tmp_path / "disk")
    assert problem(dumps(folder), f"{folder}/a") == ""


def test_a_device_is_written_only_when_it_is_allowed(folder: Path) -> None:
    """By its path."""
    assert problem(dumps(folder, "/dev/full"), "/dev/full") == ""
    assert problem(dumps(folder), "/dev/full") == "the dump target /dev/full exists already"


def test_an_allowed_path_beside_the_folder(folder: Path, tmp_path: Path) -> None:
    """Its folder must be there; the dumps folder is not made for it."""
    assert problem(dumps(folder, tmp_path / "a"), f"{tmp_path}/a") == ""
    assert problem(dumps(folder, tmp_path / "x/a"), f"{tmp_path}/x/a") == (
        f"the folder {tmp_path}/x of the dump does not exist"
    )
    assert not folder.exists()


def test_a_path_that_cannot_be_used_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    """Whatever the system says."""
    long = f"{folder}/{'a' * 300}"
    assert problem(dumps(folder), long) == (
        f"the dump path {long} cannot be used: File name too long"
    )
    assert problem(dumps(folder), f"{folder}/a\0b") == (
        f"the dump path {folder}/a\0b cannot be used: embedded null byte"
    )
    (tmp_path / "file").touch()
    wrong = tmp_path / "file"
    assert problem(dumps(wrong), f"{wrong}/a") == (
        f"the dump path {wrong}/a cannot be used: File exists"
    )


def test_a_folder_that_must_not_be_read_is_a_sentence(folder: Path) -> None:
    """It is said to the run, and the daemon lives on; nothing can be removed there either."""
    folder.mkdir(mode=0o700)
    (folder / "a").touch()
    folder.chmod(0)
    with nobody(), capture_logs() as lines:
        said = problem(dumps(folder), f"{folder}/a")
        discard(dumps(folder), f"{folder}/a")
    assert said == f"the dump path {folder}/a cannot be used: Permission denied"
    assert lines == [
        {
            "event": "partial dump cannot be removed",
            "log_level": "warning",
            "path": f"{folder}/a",
            "reason": "Permission denied",
        }
    ]
    folder.chmod(0o700)
    assert (folder / "a").exists()


def test_what_a_failed_dump_left_is_removed(folder: Path) -> None:
    """And told; a second time there is nothing to do or to tell."""
    folder.mkdir()
    (folder / "a").write_bytes(b"half")
    with capture_logs() as lines:
        discard(dumps(folder), f"{folder}/a")
        discard(dumps(folder), f"{folder}/a")
    assert files(folder) == []
    assert lines == [{"event": "partial dump removed", "log_level": "info", "path": f"{folder}/a"}]


def test_only_plain_files_below_the_folder_are_removed(folder: Path, tmp_path: Path) -> None:
    """No link, no folder, no device, nothing outside, whatever way leads there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (folder / "below").mkdir(parents=True)
    (folder / "link").symlink_to(outside / "file")
    (folder / "out").symlink_to(outside)
    os.mkfifo(folder / "fifo")
    tried = [
        folder / "link",
        folder / "below",
        folder / "fifo",
        folder / "out" / "file",
        folder / ".." / "outside" / "file",
        outside / "file",
        folder,
    ]
    with capture_logs() as lines:
        for path in tried:
            discard(dumps(folder, outside / "file"), str(path))
    assert lines == []
    assert (outside / "file").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["below", "fifo", "link", "out"]


def test_a_socket_is_no_target_of_a_dump(folder: Path, tmp_path: Path) -> None:
    """It is there already, and nobody allowed it."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        assert problem(dumps(folder), str(path)) == f"the dump target {path} exists already"


# ------------------------------------------------ the vault

DAY = 86_400.0
NOW = 2_000 * DAY


class Host:
    """A folder with bounds, a journal, and runs that are open."""

    def __init__(self, folder: Path, journal: Journal, bounds: DumpsSettings | None = None) -> None:
        self.open: set[str] = set()
        self.now = NOW
        self.folder = folder
        self.journal = journal
        settings = replace(bounds or DumpsSettings(), folder=folder)
        self.dumps = Dumps(settings, journal, self.open.__contains__, lambda: self.now)

    async def dump(self, name: str, *, memory: int = 0, told: bool = True) -> str:
        """Ask for a dump; the first part of the name is the guest. Its run is open from then on."""
        run = f"{self.journal.identity}-{name}"
        self.open.add(run)
        guest = name.partition(".")[0]
        path = str(self.folder / name)
        question = AskPath(
            "i", path, guest=guest, run=run, policy="p", memory_bytes=memory, is_told=told
        )
        return await self.dumps.problem(question)

    async def whole(self, name: str, size: int = 8192, *, ends: bool = True) -> Path:
        """A dump from its question to the end of its run."""
        assert await self.dump(name) == ""
        path = self.folder / name
        path.write_bytes(b"x" * size)
        run = f"{self.journal.identity}-{name}"
        await self.dumps.dumped(Dumped(str(path), name.partition(".")[0], run))
        if ends:
            self.open.discard(run)
        return path

    async def order(self) -> list[str]:
        """What is left in the folder after a look at it."""
        await asyncio.to_thread(self.dumps._put_in_order)  # noqa: SLF001 - what `run` does
        return self.names()

    def names(self) -> list[str]:
        """The dumps that are there."""
        return sorted(each.path.name for each in scan(self.folder) if each.exists)


def files(folder: Path) -> list[str]:
    """Everything in the folder, cards too."""
    return sorted(each.name for each in folder.iterdir())


def make_open(folder: Path) -> None:
    """An admin made it, for everybody to look into."""
    folder.mkdir()
    folder.chmod(0o755)


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """One that is closed at the end."""
    one = Journal.open(tmp_path / "journal.db", now=lambda: NOW)
    yield one
    await one.close()


@pytest.mark.asyncio
async def test_old_dumps_go_but_for_the_newest(folder: Path, journal: Journal) -> None:
    """With a line in the log and a row in the journal; what others made stays."""
    host = Host(folder, journal, DumpsSettings(keep=14 * DAY))
    for name in ("web.1", "web.2", "db.1"):
        await host.whole(name)
        host.now += DAY
    old = folder / "old.kdump"
    old.write_bytes(b"precious")
    os.utime(old, (0, 0))
    host.now += 30 * DAY
    with capture_logs() as lines:
        assert await host.order() == ["db.1", "web.2"]
    assert old.exists()
    assert [(line["event"], line["path"], line["reason"]) for line in lines] == [
        ("dump removed", f"{folder}/web.1", "it is older than 14d (dumps.keep)"),
    ]
    await journal.commit(Batch())
    (row,) = journal.reader.history(0, 10, kind=DUMP_REMOVED)
    assert (row.guest, row.name) == ("web", f"{folder}/web.1")


@pytest.mark.asyncio
async def test_the_quota_makes_room_for_a_new_dump(folder: Path, journal: Journal) -> None:
    """The oldest go before it; where that is not enough nothing goes, and it is refused."""
    host = Host(folder, journal, DumpsSettings(quota=40 << 10))
    for name in ("web.1", "web.2", "db.1"):
        await host.whole(name, 8 << 10)
        host.now += 1
    problem = await host.dump("db.2", memory=30 << 10)
    assert problem == (
        "a dump of about 33KiB does not fit into dumps.quota (40KiB): 16KiB must stay"
    )
    assert host.names() == ["db.1", "web.1", "web.2"]
    assert await host.dump("db.2", memory=20 << 10) == ""
    assert host.names() == ["db.1", "web.2"]


@pytest.mark.asyncio
async def test_a_dump_that_would_fill_the_disk_is_refused(folder: Path, journal: Journal) -> None:
    """Before it runs, also a raw one; nothing is left of the question."""
    host = Host(folder, journal, DumpsSettings(free=1 << 20))
    for told in (True, False):
        problem = await host.dump("web.1", memory=1 << 60, told=told)
        assert problem.startswith("a dump of about 1126.4PiB would leave 0B free")
        assert problem.endswith("less than dumps.free (1MiB)")
    assert files(folder) == []
    assert await host.dump("web.1", memory=1) == ""
    assert files(folder) == [".web.1.reactor"]


@pytest.mark.asyncio
async def test_a_raw_dump_has_no_card(folder: Path, journal: Journal) -> None:
    """Nobody would say when it is whole: it is left alone."""
    host = Host(folder, journal, DumpsSettings(keep=1.0))
    assert await host.dump("web.1", told=False) == ""
    assert files(folder) == []


@pytest.mark.asyncio
async def test_half_a_dump_goes_after_a_crash(folder: Path, journal: Journal) -> None:
    """Once its run is over and nobody writes to it any more; not one of another journal."""
    host = Host(folder, journal)
    assert await host.dump("web.1") == ""
    half = folder / "web.1"
    half.write_bytes(b"x" * 4096)
    os.utime(half, (NOW, NOW))
    host.now += DAY
    assert await host.order() == ["web.1"]
    host.open.clear()
    foreign = folder / "other.1"
    foreign.write_bytes(b"x")
    os.utime(foreign, (NOW, NOW))
    write_card(foreign, Card("other", "zzzzzz-1", "p", NOW))
    assert await host.order() == ["other.1"]
    assert not card_of(half).exists()


@pytest.mark.asyncio
async def test_a_dump_that_the_journal_knows_as_whole_stays(folder: Path, journal: Journal) -> None:
    """Reactor died between the end of the dump and its card."""
    host = Host(folder, journal)
    assert await host.dump("web.1") == ""
    path = folder / "web.1"
    path.write_bytes(b"x" * 4096)
    os.utime(path, (NOW, NOW))
    run = f"{journal.identity}-web.1"
    row = dumped_row(NOW + 1, Dumped(str(path), "web", run))
    await journal.commit(Batch(inputs=[row]))
    host.open.clear()
    host.now += DAY
    assert await host.order() == ["web.1"]
    (found,) = scan(folder)
    assert found.card.done == NOW + 1


@pytest.mark.asyncio
@pytest.mark.parametrize("when", ["at the start", "before the next dump"])
async def test_a_dump_is_noted_as_whole_before_the_room_is_reckoned(
    folder: Path, journal: Journal, when: str
) -> None:
    """Reactor died before its card was written: it needs 4 KiB, and not all of the memory."""
    host = Host(folder, journal, DumpsSettings(quota=40 << 10))
    for name in ("web.1", "web.2"):
        await host.whole(name, 8 << 10)
        host.now += 1
    assert await host.dump("web.3", memory=20 << 10) == ""
    path = folder / "web.3"
    path.write_bytes(b"x" * 4096)
    os.utime(path, (NOW, NOW))
    row = dumped_row(host.now + 1, Dumped(str(path), "web", f"{journal.identity}-web.3"))
    await journal.commit(Batch(inputs=[row]))
    if when == "at the start":
        host = Host(folder, journal, DumpsSettings(quota=30 << 10))
        assert await host.order() == ["web.1", "web.2", "web.3"]
    else:
        assert await host.dump("db.1", memory=18 << 10) == ""
        assert host.names() == ["web.1", "web.2", "web.3"]


@pytest.mark.asyncio
async def test_a_failed_dump_goes_with_its_card(folder: Path, journal: Journal) -> None:
    """Whether or not QEMU had begun to write."""
    host = Host(folder, journal)
    for name in ("web.1", "web.2"):
        assert await host.dump(name) == ""
    (folder / "web.1").write_bytes(b"x")
    for name in ("web.1", "web.2"):
        await host.dumps.discard(str(folder / name))
    assert files(folder) == []


@pytest.mark.asyncio
async def test_a_dump_without_a_card_is_nobodys(folder: Path, journal: Journal) -> None:
    """It was raw, or its card was taken away to keep it."""
    host = Host(folder, journal)
    path = await host.whole("web.1")
    card_of(path).unlink()
    await host.dumps.dumped(Dumped(str(path), "web", "r"))
    assert files(folder) == ["web.1"]


@pytest.mark.asyncio
async def test_the_folder_is_kept_in_order(folder: Path, journal: Journal) -> None:
    """At the start and after each dump; one that others can enter is told."""
    make_open(folder)
    host = Host(folder, journal, DumpsSettings(quota=10 << 10))
    await host.whole("web.1")
    with capture_logs() as lines:
        task = asyncio.create_task(host.dumps.run())
        await host.whole("web.2")
        await until(lambda: host.names() == ["web.2"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    told = [line for line in lines if "others" in line["event"]]
    fix = f"chmod 0700 {folder}; 2770 and reactor's own group where QEMU runs as another user "
    assert [(line["mode"], line["fix"]) for line in told] == [("0755", f"{fix}of that group")]


@pytest.mark.parametrize(
    ("mode", "is_our_group", "told"),
    [
        pytest.param(0o700, False, False, id="nobody else"),
        pytest.param(0o2770, True, False, id="our own group, as QEMU of another user needs it"),
        pytest.param(0o2770, False, True, id="another group"),
        pytest.param(0o710, False, True, id="another group may enter"),
        pytest.param(0o2771, True, True, id="everybody may enter"),
    ],
)
def test_who_else_may_reach_the_dumps(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mode: int, *, is_our_group: bool, told: bool
) -> None:
    """It is told at the start, but for the group that reactor shares with QEMU."""
    folder.mkdir()
    folder.chmod(mode)
    gid = folder.stat().st_gid
    monkeypatch.setattr(os, "getegid", lambda: gid if is_our_group else gid + 1)
    with capture_logs() as lines:
        dumps = Dumps(DumpsSettings(folder=folder), None, set().__contains__, lambda: NOW)
        dumps._tell_rights()  # noqa: SLF001 - what `run` does
    assert [line["mode"] for line in lines] == ([f"{mode:04o}"] if told else [])


@pytest.mark.parametrize("kind", ["file", "nothing", "fifo", "below a file"])
def test_what_a_dump_has_left(folder: Path, kind: str) -> None:
    """The bytes of a plain file; of anything else nobody can say that the dump made it."""
    folder.mkdir()
    path = folder / "x"
    expected = Answered("q")
    if kind == "file":
        path.write_bytes(b"12345")
        expected = Answered("q", result=5)
    elif kind == "fifo":
        os.mkfifo(path)
        expected = Answered("q", error=Refusal("Target", f"{path} is no plain file"))
    elif kind == "below a file":
        path.write_bytes(b"")
        path /= "y"
        text = f"{path} cannot be seen: Not a directory"
        expected = Answered("q", error=Refusal("Target", text))
    assert asyncio.run(dumps(folder).size("q", str(path))) == expected


@pytest.mark.asyncio
async def test_a_folder_that_hangs_takes_no_more_than_one_thread(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are those of the journal, the outbox, the rules: they go on."""
    hangs = threading.Event()

    def answer(name: str, path: Path) -> Answered:
        assert path.parent == folder
        hangs.wait(20)
        return Answered(name)

    monkeypatch.setattr("reactor.app.dumps._size", answer)
    asked = dumps(folder)
    questions = [asyncio.create_task(asked.size(f"q{n}", str(folder / "a"))) for n in range(40)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(int) == 0
    assert not any(question.done() for question in questions)
    hangs.set()
    assert [each.id for each in await asyncio.gather(*questions)] == [f"q{n}" for n in range(40)]


def test_a_folder_that_hangs_does_not_keep_the_process_from_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next daemon would wait for it, and the guests would have none."""
    hangs, looks = threading.Event(), threading.Event()

    def scan_in_vain(_folder: Path) -> list[Found]:
        looks.set()
        hangs.wait(20)
        return []

    monkeypatch.setattr("reactor.app.dumps.scan", scan_in_vain)

    async def life() -> None:
        task = asyncio.create_task(dumps(folder).run())
        await asyncio.to_thread(looks.wait, 10)
        task.cancel()
        await asyncio.wait([task])

    process = threading.Thread(target=lambda: asyncio.run(life()))
    process.start()
    process.join(10)
    is_over = not process.is_alive()
    hangs.set()
    process.join()
    assert is_over


@pytest.mark.asyncio
async def test_an_error_beside_the_loop_is_raised_where_it_is_waited_for() -> None:
    """Unless nobody waits for it any more."""
    with pytest.raises(ZeroDivisionError):
        await aside(divmod, 1, 0)
    waits = threading.Event()
    ended = threading.Event()

    def work() -> None:
        waits.wait(20)
        ended.set()

    task = asyncio.create_task(aside(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    waits.set()
    assert await asyncio.to_thread(ended.wait, 10)
