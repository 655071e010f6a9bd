"""Free space: whole bytes, or the reason; a file system that hangs holds up nobody."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from reactor.adapters.filesystem import FreeSpace, Limits
from reactor.core.effect import AskFree
from reactor.core.inputs import Answered, Refusal


@pytest.mark.asyncio
async def test_what_is_left_for_everybody(tmp_path: Path) -> None:
    """As `df` counts: blocks for programs without privileges."""
    answer = await FreeSpace().ask(AskFree("q1", str(tmp_path)))
    found = os.statvfs(tmp_path)
    assert answer.error is None
    assert isinstance(answer.result, int)
    assert abs(answer.result - found.f_bavail * found.f_frsize) < 1 << 30


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("relative", "the path 'relative' must be absolute"),
        ("", "the path '' must be absolute"),
        ("/no/such", "the free space of /no/such cannot be told: No such file or directory"),
        ("/a\0b", "the free space of /a\0b cannot be told: embedded null byte"),
    ],
)
async def test_a_path_without_an_answer(path: str, problem: str) -> None:
    """Not the room of the folder above it: something may not be mounted."""
    answer = await FreeSpace().ask(AskFree("q1", path))
    assert answer == Answered("q1", error=Refusal("Space", problem))


@pytest_asyncio.fixture
async def hangs(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[threading.Event]:
    """A path that hangs until the event is set; every other one answers."""
    gate, left = threading.Event(), os.statvfs

    def statvfs(path: str) -> os.statvfs_result:
        if path == "/hangs":
            gate.wait(10)
        return left("/")

    monkeypatch.setattr(os, "statvfs", statvfs)
    yield gate
    gate.set()


@pytest.mark.asyncio
async def test_a_file_system_that_hangs(hangs: threading.Event) -> None:
    """Its question is an error after a while; the others are answered; it comes back."""
    space = FreeSpace(Limits(at_once=2, answer_s=0.05))
    late = await space.ask(AskFree("q1", "/hangs"))
    problem = "the file system of /hangs did not answer in 0.05 s"
    assert late == Answered("q1", error=Refusal("Space", problem))
    assert (await space.ask(AskFree("q2", "/"))).error is None
    await space.ask(AskFree("q3", "/hangs"))
    refused = await space.ask(AskFree("q4", "/"))
    assert refused.error == Refusal("Space", "2 file systems do not answer")
    hangs.set()
    async with asyncio.timeout(5):
        while True:
            answer = await space.ask(AskFree("q5", "/"))
            if answer.error is None:
                break
            await asyncio.sleep(0.002)


@pytest.mark.asyncio
async def test_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system refuses another one: an answer like any other."""

    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    answer = await FreeSpace().ask(AskFree("q1", "/"))
    problem = "the free space of / cannot be asked: can't start new thread"
    assert answer.error == Refusal("Space", problem)


def test_a_loop_that_is_over_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread's answer finds nobody, and says nothing."""
    gate, looked, told = threading.Event(), threading.Event(), list[object]()

    def statvfs(_path: str) -> os.statvfs_result:
        looked.set()
        gate.wait(10)
        raise OSError(5, "late")

    monkeypatch.setattr(os, "statvfs", statvfs)
    monkeypatch.setattr(threading, "excepthook", told.append)
    asyncio.run(FreeSpace(Limits(answer_s=0.01)).ask(AskFree("q1", "/")))
    assert looked.wait(5)
    (thread,) = [t for t in threading.enumerate() if t.daemon and "_look" in t.name]
    gate.set()
    thread.join(5)
    assert told == []
