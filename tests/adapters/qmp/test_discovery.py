"""Sockets that appear and vanish, and the guests in their names."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from reactor.adapters.qmp import Discovery, Found
from reactor.adapters.qmp.pattern import parse_pattern
from reactor.errors import SettingsError
from tests.adapters.qmp.scene import eventually, nobody


@dataclass
class Finds:
    """A finder that keeps what it was told."""

    story: list[str] = field(default_factory=list)
    found: dict[str, Found] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def on_found(self, found: Found) -> None:
        """Write it down."""
        self.story.append(f"+{found.guest}")
        self.found[found.guest] = found

    def on_vanished(self, guest: str) -> None:
        """Write it down."""
        self.story.append(f"-{guest}")
        del self.found[guest]

    def on_problem(self, error: SettingsError) -> None:
        """Write it down."""
        self.problems.append(str(error))


@pytest.fixture
def finds() -> Finds:
    """What was found so far."""
    return Finds()


def sockets(folder: Path, *names: str) -> None:
    """Make sockets that nobody listens on."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / name))


@asynccontextmanager
async def running(discovery: Discovery) -> AsyncIterator[None]:
    """Let it run meanwhile."""
    task = asyncio.create_task(discovery.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


@pytest.mark.parametrize(
    ("pattern", "path", "name"),
    [
        pytest.param("/run/*.sock", "/run/web-1.sock", "web-1", id="the file without its suffix"),
        pytest.param("/run/*", "/run/web.1.monitor", "web.1", id="the last suffix only"),
        pytest.param("/run/*", "/run/web", "web", id="no suffix"),
        pytest.param("unix:/run/*.sock", "/run/a.sock", "a", id="with unix: before it"),
        pytest.param("/run/{name}.qmp", "/run/a.b.qmp", "a.b", id="the name marked"),
        pytest.param("/run/{name}/qmp.sock", "/run/a.b/qmp.sock", "a.b", id="a folder"),
        pytest.param("/r*/vm-{name}-x/q*", "/run/vm-a-x/q1", "a", id="a part of a folder"),
        pytest.param("/run//./{name}/q", "/run/a/q", "a", id="a path that is not tidy"),
    ],
)
def test_a_name_in_a_path(pattern: str, path: str, name: str) -> None:
    """What stands at {name}, else the file's name without its suffix."""
    assert parse_pattern(pattern).name(path) == name


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        pytest.param(
            "/run/{name}/{name}.sock",
            "discover: /run/{name}/{name}.sock: {name} stands there more than once\n"
            "  fix: write {name} once, and * for the rest",
            id="twice in the path",
        ),
        pytest.param(
            "/run/{name}{name}",
            "discover: /run/{name}{name}: {name} stands there more than once\n"
            "  fix: write {name} once, and * for the rest",
            id="twice in a part",
        ),
        pytest.param(
            "/run/*-{name}.sock",
            "discover: /run/*-{name}.sock: a wildcard stands beside {name}: where the name ends is "
            "not clear\n"
            "  fix: keep *, ? and [ out of the part of the path that holds {name}",
            id="a wildcard beside it",
        ),
        pytest.param(
            "",
            "discover: '': this is not a pattern for sockets\n"
            "  fix: write a path with wildcards, such as /run/qemu/*.sock",
            id="nothing",
        ),
        pytest.param(
            "/run/qemu/",
            "discover: '/run/qemu/': this is not a pattern for sockets\n"
            "  fix: write a path with wildcards, such as /run/qemu/*.sock",
            id="a folder",
        ),
    ],
)
def test_a_wrong_pattern(pattern: str, error: str) -> None:
    """The error says how to write it."""
    with pytest.raises(SettingsError) as caught:
        parse_pattern(pattern)
    assert str(caught.value) == error


@pytest.mark.asyncio
async def test_only_sockets_are_found(folder: Path, finds: Finds) -> None:
    """Files, folders, links to nowhere and hidden sockets are left alone."""
    sockets(folder, "b.sock", "a.sock", ".hidden.sock", "c.other")
    (folder / "file.sock").touch()
    (folder / "link.sock").symlink_to(folder / "nowhere")
    (folder / "folder.sock").mkdir()
    pattern = f"{folder}/*.sock"
    await Discovery([pattern], finds).scan()
    assert finds.story == ["+a", "+b"]
    assert finds.found["a"] == ("a", f"{folder}/a.sock", pattern, f"{folder}/a.sock")
    assert finds.problems == []


@pytest.mark.asyncio
async def test_where_a_socket_really_lies(folder: Path, finds: Finds) -> None:
    """Links are followed, of the socket and of its folder; one that points elsewhere is news."""
    for name in ("one", "two"):
        (folder / name).mkdir()
        sockets(folder / name, "a.sock")
    (folder / "linked").symlink_to(folder / "one")
    (folder / "linked/b.sock").symlink_to("a.sock")
    discovery = Discovery([f"{folder}/linked/*.sock"], finds)
    await discovery.scan()
    assert {found.path for found in finds.found.values()} == {
        f"{folder}/linked/a.sock",
        f"{folder}/linked/b.sock",
    }
    assert {found.real for found in finds.found.values()} == {f"{folder}/one/a.sock"}
    (folder / "linked").unlink()
    (folder / "linked").symlink_to(folder / "two")
    await discovery.scan()
    assert finds.story == ["+a", "+b", "-a", "-b", "+a"]
    assert finds.found["a"].real == f"{folder}/two/a.sock"


@pytest.mark.asyncio
async def test_a_second_look_tells_the_difference(folder: Path, finds: Finds) -> None:
    """What is still there is not told again."""
    sockets(folder, "a.sock", "b.sock")
    discovery = Discovery([f"{folder}/*.sock"], finds)
    await discovery.scan()
    (folder / "a.sock").unlink()
    sockets(folder, "c.sock")
    await discovery.scan()
    await discovery.scan()
    assert finds.story == ["+a", "+b", "-a", "+c"]


@pytest.mark.asyncio
async def test_two_sockets_of_one_name(folder: Path, finds: Finds) -> None:
    """The first wins and stays, the second is told once, and takes over when the first is gone."""
    sockets(folder, "y/a.sock")
    discovery = Discovery([f"{folder}/x/*.sock", f"{folder}/y/*.sock"], finds)
    await discovery.scan()
    sockets(folder, "x/a.sock")
    await discovery.scan()
    await discovery.scan()
    assert finds.found["a"].path == f"{folder}/y/a.sock"
    assert "\n".join(finds.problems[1:]) == (
        f"discover: {folder}/x/*.sock: two sockets name the guest a: {folder}/y/a.sock is "
        f"watched, {folder}/x/a.sock is not\n"
        "  fix: rename one, or say with {name} which part of the path is the guest's name"
    )
    (folder / "y/a.sock").unlink()
    await discovery.scan()
    assert finds.story == ["+a", "-a", "+a"]
    assert finds.found["a"].path == f"{folder}/x/a.sock"


@pytest.mark.asyncio
async def test_one_socket_of_two_patterns(folder: Path, finds: Finds) -> None:
    """The first pattern has it, and that is no problem."""
    sockets(folder, "web-1.sock")
    await Discovery([f"{folder}/web-*", f"{folder}/*.sock"], finds).scan()
    assert finds.found["web-1"].pattern == f"{folder}/web-*"
    assert (finds.story, finds.problems) == (["+web-1"], [])


@pytest.mark.asyncio
async def test_guests_are_bounded(folder: Path, finds: Finds) -> None:
    """Those that are known keep their place, the others are told once."""
    sockets(folder, "b.sock", "c.sock")
    discovery = Discovery([f"{folder}/*.sock"], finds, limit=2)
    await discovery.scan()
    assert finds.problems == []
    sockets(folder, "a.sock")
    await discovery.scan()
    await discovery.scan()
    assert finds.story == ["+b", "+c"]
    assert "\n".join(finds.problems) == (
        f"discover: {folder}/*.sock: there are more than 2 sockets; {folder}/a.sock and others "
        "are not watched\n"
        "  fix: watch fewer guests with this reactor"
    )


@pytest.mark.asyncio
async def test_a_name_that_is_no_text(folder: Path, finds: Finds) -> None:
    """It could not be written to a journal or a topic."""
    sockets(folder, "a\n.sock", "b\udcff.sock")
    await Discovery([f"{folder}/*.sock"], finds).scan()
    assert finds.story == []
    assert finds.problems == [
        f"discover: {folder}/*.sock: the path {f'{folder}/{name}'!r} does not name a guest\n"
        "  fix: rename the socket: a guest's name is printable text"
        for name in ("a\n.sock", "b\udcff.sock")
    ]


@pytest.mark.asyncio
async def test_a_folder_that_is_not_there_yet(folder: Path, finds: Finds) -> None:
    """It is told once, and its sockets are found when it appears; then it may vanish again."""
    discovery = Discovery([f"{folder}/later/*.sock"], finds)
    text = (
        f"discover: {folder}/later/*.sock: there is no folder {folder}/later\n"
        "  fix: create it, or correct the pattern; reactor looks again all the time"
    )
    await discovery.scan()
    await discovery.scan()
    assert finds.problems == [text]
    sockets(folder, "later/a.sock")
    await discovery.scan()
    shutil.rmtree(folder / "later")
    await discovery.scan()
    assert finds.story == ["+a", "-a"]
    assert finds.problems == [text, text]


@pytest.mark.asyncio
async def test_no_guest_yet_is_no_problem(folder: Path, finds: Finds) -> None:
    """Where each guest has a folder of its own, there may be none; the one above must be there."""
    discovery = Discovery([f"{folder}/{{name}}/q.sock", "/nowhere/{name}/q.sock"], finds)
    await discovery.scan()
    assert "\n".join(finds.problems) == (
        "discover: /nowhere/{name}/q.sock: there is no folder /nowhere\n"
        "  fix: create it, or correct the pattern; reactor looks again all the time"
    )
    sockets(folder, "web-1/q.sock")
    await discovery.scan()
    assert finds.story == ["+web-1"]


@pytest.fixture
def closed(folder: Path) -> Iterator[Path]:
    """A folder that its user may not list."""
    sockets(folder, "closed/a.sock")
    (folder / "closed").chmod(0)
    folder.chmod(0o755)
    yield folder / "closed"
    (folder / "closed").chmod(0o700)


@pytest.mark.asyncio
async def test_a_folder_that_may_not_be_listed(closed: Path, finds: Finds) -> None:
    """Silence would look like a host without guests."""
    discovery = Discovery([f"{closed}/*.sock"], finds)
    with nobody():
        await discovery.scan()
    assert "\n".join(finds.problems) == (
        f"discover: {closed}: reactor's user may not list this folder\n"
        "  fix: give that user read and search permission on it"
    )


@pytest.mark.asyncio
async def test_sockets_are_noticed_at_once(folder: Path, finds: Finds) -> None:
    """Without waiting for the next look: here that would be an hour away."""
    sockets(folder, "a.sock")
    async with running(Discovery([f"{folder}/*.sock"], finds, rescan_s=3600)):
        await eventually(lambda: finds.story == ["+a"])
        sockets(folder, "b.sock")
        await eventually(lambda: finds.story == ["+a", "+b"])
        (folder / "a.sock").unlink()
        await eventually(lambda: finds.story == ["+a", "+b", "-a"])


@pytest.mark.asyncio
async def test_a_folder_that_appears_is_watched_from_then_on(
    folder: Path, finds: Finds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look from time to time finds it, and then it is watched like the others."""
    watched: list[set[str]] = []
    awatch = watchfiles.awatch

    def spy(*folders: str, **options: Any) -> object:  # noqa: ANN401 - handed on
        watched.append(set(folders))
        return awatch(*folders, **options)

    monkeypatch.setattr("watchfiles.awatch", spy)
    async with running(Discovery([f"{folder}/{{name}}/q.sock"], finds, rescan_s=0.05)):
        sockets(folder, "a/q.sock")
        await eventually(lambda: finds.story == ["+a"] and watched)
        (folder / "b").mkdir()
        await eventually(lambda: watched[-1] == {f"{folder}/a", f"{folder}/b"})
        shutil.rmtree(folder / "a")
        await eventually(lambda: finds.story == ["+a", "-a"])
        await eventually(lambda: watched[-1] == {f"{folder}/b"})


def make_within_a_tick(folder: Path, name: str) -> None:
    """A socket whose folder keeps its stamp."""
    before = folder.stat()
    sockets(folder, name)
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


class NoWatch:
    """A system that refuses every watch, as one without free inotify instances does."""

    def __init__(self) -> None:
        self.refused = 0

    def __call__(self, *_folders: str, **_options: object) -> object:
        """Refuse."""
        self.refused += 1
        raise OSError(24, "Too many open files")


@pytest.fixture
def no_watch(monkeypatch: pytest.MonkeyPatch) -> NoWatch:
    """Every watch is refused from now on."""
    refuse = NoWatch()
    monkeypatch.setattr("watchfiles.awatch", refuse)
    return refuse


@pytest.mark.asyncio
async def test_where_the_system_cannot_watch_the_looks_go_on(
    folder: Path, finds: Finds, no_watch: NoWatch
) -> None:
    """Notices are only for speed, and a watch that is refused is not asked for all the time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running(Discovery([f"{folder}/*.sock"], finds, rescan_s=0.02)):
        for number in range(5):
            sockets(folder, f"{number}.sock")
            await eventually(lambda: len(finds.story) == number + 1)  # noqa: B023 - at once
        assert 1 <= no_watch.refused <= 1 + (loop.time() - began) / 0.02
    assert finds.story == ["+0", "+1", "+2", "+3", "+4"]


@pytest.mark.asyncio
@pytest.mark.usefixtures("no_watch")
async def test_a_folder_that_looks_unchanged_is_looked_through_now_and_then(
    folder: Path, finds: Finds
) -> None:
    """A socket made within one tick of the clock leaves the folder's stamp as it was."""
    async with running(Discovery([f"{folder}/*.sock"], finds, rescan_s=0.005)):
        sockets(folder, "a.sock")
        await eventually(lambda: finds.story == ["+a"])
        make_within_a_tick(folder, "b.sock")
        await eventually(lambda: finds.story == ["+a", "+b"])
