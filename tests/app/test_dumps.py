"""The folder of memory dumps."""

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reactor.app.dumps import Dumps
from reactor.core.inputs import Answered, Refusal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where dumps go; it is not there yet."""
    return tmp_path / "dumps"


def dumps(folder: Path, *allow: object) -> Dumps:
    """What answers for the folder, and for these paths beside it."""
    return Dumps(folder, frozenset(map(str, allow)))


def problem(dumps: Dumps, path: str) -> str:
    """Why a dump must not be written there."""
    return asyncio.run(dumps.problem(path))


def discard(dumps: Dumps, path: str) -> None:
    """Let it remove what a dump left."""
    asyncio.run(dumps.discard(path))


@contextmanager
def nobody() -> Iterator[None]:
    """As a user who may do nothing, also where the tests are run by root."""
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
    assert list(folder.iterdir()) == []
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
