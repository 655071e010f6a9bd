"""What the doctor finds at the monitors: sockets, rights, somebody else who holds them."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from reactor.adapters.qmp import knock as module
from reactor.app.control.answers import GuestLine
from reactor.app.doctor.findings import State
from reactor.app.doctor.qmp import examine_qmp
from reactor.app.settings import (
    Discovery,
    HostSettings,
    JournalSettings,
    NamedGuest,
    Settings,
)
from tests.fakes.qmp_server import VM, FakeMonitor

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

Found = list[tuple[str, State, str]]


@pytest.fixture
def run() -> Iterator[Path]:
    """A folder with a short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="rd") as folder:
        yield Path(folder)


@pytest_asyncio.fixture
async def monitor(run: Path) -> AsyncIterator[FakeMonitor]:
    """A QEMU that greets on ``web-1.sock``."""
    made = FakeMonitor(VM)
    await made.listen(f"{run}/web-1.sock")
    yield made
    await made.close()


def settings(run: Path, *guests: NamedGuest) -> Settings:
    """Those of a host that looks into this folder."""
    return Settings(
        host=HostSettings("h"),
        journal=JournalSettings(run / "journal.db"),
        discoveries=(Discovery(f"{run}/*.sock"),),
        guests=guests,
    )


async def found(made: Settings, *lines: GuestLine, runs: bool = True) -> Found:
    """About what, how it stands, and the sentence behind its place."""
    findings = await examine_qmp(made, lines if runs else None)
    assert all(bool(one.fix) == (one.state is not State.OK) for one in findings)
    return [(one.about, one.state, one.text.rpartition(": ")[2]) for one in findings]


@pytest.mark.usefixtures("monitor")
async def test_a_monitor_that_greets_is_well(run: Path) -> None:
    """With or without a daemon; the one that reactor is connected to is left alone."""
    well = [("discovery", State.OK, "1 sockets"), ("guest web-1", State.OK, "QEMU 7.2.22 answers")]
    assert await found(settings(run)) == well
    assert await found(settings(run), runs=False) == well
    line = GuestLine("web-1", connected=True, status="running", since=1.0, qemu="7.2.22")
    assert (await found(settings(run), line))[1] == (
        "guest web-1",
        State.OK,
        "reactor is connected, QEMU 7.2.22 is running",
    )


@pytest.mark.usefixtures("monitor")
async def test_the_own_control_socket_is_no_guest(run: Path) -> None:
    """Whether or not a daemon listens there, and where links lead: nobody is to start it."""
    made = settings(run)
    listening = _listen(made.control_socket)
    rest = ("guest web-1", State.OK, "QEMU 7.2.22 answers")
    told = [("discovery", State.OK, "1 sockets, and reactor's own control socket"), rest]
    try:
        assert await found(made) == told
    finally:
        listening.close()
    assert await found(made, runs=False) == told
    (run / "elsewhere").mkdir()
    made.control_socket.rename(run / "elsewhere" / "own")
    made.control_socket.symlink_to(run / "elsewhere" / "own")
    assert await found(made, runs=False) == told


@pytest.mark.usefixtures("monitor")
async def test_a_monitor_that_only_the_daemon_cannot_use_is_told(run: Path) -> None:
    """With the daemon's own reason."""
    line = GuestLine("web-1", connected=False, status="disconnected", since=1.0, trouble="it hung")
    (_, one) = await found(settings(run), line)
    assert one == ("guest web-1", State.WARNING, "it hung")


async def test_what_is_in_the_way_is_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each monitor with its own reason."""
    monkeypatch.setattr(module, "GREETING_S", 0.5)
    listening = [_listen(run / "held.sock"), _listen(run / "console.sock")]
    _listen(run / "dead.sock").close()
    console = asyncio.create_task(_say(listening[1], b"login\n"))
    try:
        named = NamedGuest("gone", f"unix:{run}/gone.qmp")
        assert await found(settings(run, named)) == [
            ("discovery", State.OK, "3 sockets"),
            (
                "guest console",
                State.PROBLEM,
                "this is not a QMP monitor, its first line is 'login'",
            ),
            (
                "guest dead",
                State.PROBLEM,
                "QEMU has ended and left the file behind",
            ),
            ("guest gone", State.PROBLEM, "there is no such socket"),
            (
                "guest held",
                State.PROBLEM,
                "another client holds this monitor (no greeting within 0.5 s), or QEMU hangs",
            ),
        ]
    finally:
        console.cancel()
        await asyncio.gather(console, return_exceptions=True)
        for one in listening:
            one.close()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        pytest.param(b"", "QEMU closed the monitor before its greeting", id="it hangs up"),
        pytest.param(b'{"return": {}}\n', "return", id="a reply is no greeting"),
        pytest.param(b"x" * 70_000 + b"\n", "a line is longer than 65536 bytes", id="a long line"),
    ],
)
async def test_what_is_no_greeting_is_told(run: Path, line: bytes, text: str) -> None:
    """Whatever it is."""
    listening = _listen(run / "odd.sock")
    task = asyncio.create_task(_say(listening, line))
    try:
        ((_, state, _),) = [row for row in await found(settings(run)) if row[0] == "guest odd"]
        findings = await examine_qmp(settings(run), None)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        listening.close()
    assert state is State.PROBLEM
    assert text in findings[1].text


async def test_a_host_that_hangs_is_not_waited_for(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connect has its deadline."""
    monkeypatch.setattr(module, "GREETING_S", 0.05)

    async def never(_address: object) -> object:
        return await asyncio.Event().wait()

    monkeypatch.setattr(module, "connect", never)
    named = NamedGuest("far", "192.0.2.1:4444")
    assert (await found(settings(run, named)))[-1] == (
        "guest far",
        State.PROBLEM,
        "nobody answered within 0.05 s",
    )


async def test_settings_without_guests_are_a_problem(run: Path) -> None:
    """And a pattern that nothing matches, or whose folder is not there, is told."""
    nobody = Settings(host=HostSettings("h"), journal=JournalSettings(run / "j.db"))
    assert await found(nobody) == [("guests", State.PROBLEM, "the settings name no guest")]
    assert await found(settings(run)) == [("discovery", State.WARNING, "no socket matches")]
    missing = await found(settings(run / "none"))
    assert [state for _, state, _ in missing] == [State.WARNING, State.PROBLEM]


def _listen(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    made.bind(os.fspath(path))
    made.listen()
    return made


async def _say(listening: socket.socket, line: bytes) -> None:
    """Say this to whoever comes, and hang up."""
    loop = asyncio.get_running_loop()
    while True:
        connection, _ = await loop.sock_accept(listening)
        with connection:
            await loop.sock_sendall(connection, line)
