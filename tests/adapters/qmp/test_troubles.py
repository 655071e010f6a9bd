"""What an operator reads when a monitor cannot be used: whole texts."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reactor.adapters.qmp import Limits
from reactor.adapters.qmp.address import TcpAddress, UnixAddress
from reactor.adapters.qmp.troubles import cannot_connect, why_lost
from tests.adapters.qmp.scene import Scene, eventually, nobody
from tests.fakes.qmp_server import CUT, SILENT, VM, Answer, FakeMonitor, Refuse

pytestmark = pytest.mark.asyncio

OWN_SOCKET = (
    "  fix: a monitor serves one client: leave this one to the other (libvirt?) and start QEMU "
    "with a second one for reactor, -qmp unix:/path/to/second.sock,server=on,wait=off"
)
NOT_QMP = (
    "  fix: use the socket of -qmp (or of -mon mode=control), not that of a console, of the human "
    "monitor or of the guest agent"
)
TRIED_AGAIN = "  fix: look at QEMU's log; the monitor is tried again"
ANEW = "nothing but QEMU may write to this socket; the monitor is connected anew"


async def trouble(scene: Scene, address: str | None = None) -> str:
    """The first trouble with the guest."""
    scene.monitors.add("web-1", address or str(scene.path("web-1")))
    await eventually(lambda: scene.recorder.troubles)
    return scene.recorder.troubles[0]


def nothing(_path: Path) -> None:
    """Leave it away."""


def stale(path: Path) -> None:
    """A socket whose QEMU was killed."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def plain_file(path: Path) -> None:
    """A file that is no socket."""
    path.touch()


LEFT_BEHIND = (
    "nobody listens on this socket: QEMU has ended and left the file behind\n"
    "  fix: start the guest; reactor connects as soon as QEMU listens again"
)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(
            nothing,
            "there is no such socket\n"
            "  fix: start QEMU with -qmp unix:PATH,server=on,wait=off, or correct the path",
            id="no file",
        ),
        pytest.param(stale, LEFT_BEHIND, id="nobody listens"),
        pytest.param(plain_file, LEFT_BEHIND, id="a plain file"),
    ],
)
async def test_a_path_that_cannot_be_connected(
    scene: Scene, make: Callable[[Path], None], text: str
) -> None:
    """Each cause has its sentence and its fix."""
    path = scene.path("web-1")
    make(path)
    assert await trouble(scene) == f"guest web-1, monitor unix:{path}: {text}"


async def test_a_socket_of_another_type(scene: Scene) -> None:
    """A datagram socket, such as that of a log daemon."""
    path = scene.path("web-1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        assert await trouble(scene) == (
            f"guest web-1, monitor unix:{path}: this is a socket of another type than QEMU's\n"
            "  fix: use the socket of -qmp"
        )


async def test_a_path_through_a_file(scene: Scene) -> None:
    """A part of the path is no folder."""
    plain_file(scene.folder / "file")
    path = f"{scene.folder}/file/q.sock"
    assert await trouble(scene, path) == (
        f"guest web-1, monitor unix:{path}: there is no such socket: a part of its path is not a "
        "folder\n  fix: correct the path"
    )


async def test_a_path_that_is_too_long(scene: Scene) -> None:
    """Linux takes 107 bytes."""
    path = "/tmp/" + "x" * 103  # noqa: S108 - never made
    assert await trouble(scene, path) == (
        f"guest web-1, monitor unix:{path}: cannot connect: AF_UNIX path too long\n"
        "  fix: use a path of at most 107 bytes for the socket"
    )


async def test_a_socket_without_rights(scene: Scene) -> None:
    """Reactor's user may not even look into the folder."""
    await scene.fake()
    scene.folder.chmod(0)
    with nobody():
        text = await trouble(scene)
    scene.folder.chmod(0o700)
    assert text == (
        f"guest web-1, monitor unix:{scene.path('web-1')}: reactor's user may not open this "
        "socket\n  fix: give that user write permission on the socket and search permission on "
        "its folders"
    )


async def test_a_monitor_that_somebody_else_holds(scene: Scene) -> None:
    """The connect succeeds, the greeting does not come: the operator is told why."""
    await scene.fake()
    _reader, writer = await asyncio.open_unix_connection(str(scene.path("web-1")))
    text = await trouble(scene)
    assert text == (
        f"guest web-1, monitor unix:{scene.path('web-1')}: another client holds this monitor "
        f"(no greeting within 0.3 s), or QEMU hangs\n{OWN_SOCKET}"
    )
    writer.close()
    await eventually(scene.monitors.connected)


async def test_a_monitor_that_many_wait_for(scene: Scene) -> None:
    """Its listen queue is full: the connect itself is refused for now."""
    path = str(scene.path("web-1"))
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        assert await trouble(scene) == (
            f"guest web-1, monitor unix:{path}: another client holds this monitor, and others "
            f"wait for it\n{OWN_SOCKET}"
        )


FIRST_WORDS = [
    pytest.param(
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        f"this is not a QMP monitor, its first line is 'SSH-2.0-OpenSSH_9.2p1'\n{NOT_QMP}",
        id="another service",
    ),
    pytest.param(
        b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
        "this is not a QMP monitor, its first line is "
        f"\"QEMU 7.2.22 monitor - type 'help' for more information\"\n{NOT_QMP}",
        id="the human monitor",
    ),
    pytest.param(
        b"\x1b[31m\xff" + b"x" * 200 + b"\n",
        f"this is not a QMP monitor, its first line is '\\x1b[31m\\xff{'x' * 54}'...\n{NOT_QMP}",
        id="bytes that no terminal should get",
    ),
    pytest.param(
        b'{"return": {}}\r\n',
        f"this is not a QMP monitor, its first line is '{{\"return\": {{}}}}'\n{NOT_QMP}",
        id="JSON, but no greeting",
    ),
    pytest.param(
        b'{\r\n    "QMP": {\r\n',
        "this monitor writes one message over several lines\n"
        "  fix: start QEMU with -qmp instead of -qmp-pretty, or without pretty=on",
        id="QMP in pretty print",
    ),
    pytest.param(
        b"x" * 70_000,
        "a line is longer than 65536 bytes\n"
        "  fix: nothing that QEMU writes is that long: check what listens there; the monitor is "
        "connected anew",
        id="a line without an end",
    ),
]


@pytest.mark.parametrize(("greeting", "text"), FIRST_WORDS)
async def test_first_words_that_are_not_a_greeting(
    scene: Scene, greeting: bytes, text: str
) -> None:
    """The connection is closed, and counted as garbage."""
    scene.with_limits(Limits(line_bytes=65536))
    fake = await scene.fake(greeting=greeting)
    place = f"guest web-1, monitor unix:{scene.path('web-1')}"
    assert await trouble(scene) == f"{place}: {text}"
    assert scene.monitors.counters.garbage == 1
    await eventually(lambda: not fake.occupied)


async def test_a_port_that_nobody_listens_on(scene: Scene) -> None:
    """Over TCP too the cause is named, also where the name has two addresses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        assert await trouble(scene, f"localhost:{port}") == (
            f"guest web-1, monitor localhost:{port}: nobody listens there\n"
            "  fix: start the guest, or correct the port"
        )


async def test_a_host_that_does_not_answer(scene: Scene) -> None:
    """A connect has a limit: here the listen queue of the port is full."""
    scene.with_limits(Limits(connect_s=0.1))
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        second.setblocking(False)  # noqa: FBT003
        second.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        assert await trouble(scene, f"127.0.0.1:{port}") == (
            f"guest web-1, monitor 127.0.0.1:{port}: nobody answered within 0.1 s\n"
            "  fix: check the host, its firewall and the port of -qmp"
        )


async def test_a_name_that_nobody_knows(scene: Scene) -> None:
    """The fix speaks of names, not of ports."""
    text = await trouble(scene, "no-such-host.invalid:4444")
    assert text.startswith(
        "guest web-1, monitor no-such-host.invalid:4444: the host name is unknown ("
    )
    assert text.endswith(")\n  fix: correct the name, or check DNS")


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        pytest.param(
            {**VM, "qmp_capabilities": Refuse("no such capability")},
            "QEMU answered qmp_capabilities with GenericError: no such capability\n"
            "  fix: check that this is the monitor of a QEMU of 6.0 or later",
            id="no capabilities",
        ),
        pytest.param(
            {**VM, "query-status": Refuse("not now")},
            "QEMU answered query-status with GenericError: not now\n"
            "  fix: check that this is the monitor of a QEMU of 6.0 or later",
            id="no status",
        ),
        pytest.param(
            {**VM, "query-migrate": SILENT},
            "QEMU did not answer query-migrate within 0.5 s\n"
            "  fix: QEMU hangs or is very busy (a dump without detach blocks it); the monitor is "
            "tried again",
            id="an answer does not come",
        ),
        pytest.param(
            {**VM, "query-uuid": CUT},
            f"QEMU closed the monitor before it answered what it is\n{TRIED_AGAIN}",
            id="it ends in the middle",
        ),
    ],
)
async def test_a_handshake_that_fails(
    scene: Scene, answers: Mapping[str, Answer], text: str
) -> None:
    """Nothing is reported as connected, and the operator learns how far it came."""
    fake = await scene.fake(answers=answers)
    assert await trouble(scene) == f"guest web-1, monitor unix:{scene.path('web-1')}: {text}"
    assert scene.recorder.story == ["trouble"]
    assert scene.monitors.connected() == []
    await eventually(lambda: not fake.occupied)


async def test_a_monitor_that_ends_before_its_greeting(scene: Scene) -> None:
    """A QEMU that dies while it starts."""
    fake = await scene.fake(greeting=None)
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: fake.occupied)
    fake.cut()
    await eventually(lambda: scene.recorder.troubles)
    assert scene.recorder.troubles[0] == (
        f"guest web-1, monitor unix:{scene.path('web-1')}: QEMU closed the monitor before its "
        f"greeting\n{TRIED_AGAIN}"
    )


@pytest.mark.parametrize(
    ("line", "problem", "fix"),
    [
        pytest.param(
            b"oops \x07\r\n",
            "a line is not QMP (JSON is malformed: invalid character (byte 0)): 'oops \\x07'",
            ANEW,
            id="not JSON",
        ),
        pytest.param(
            b'{"event": 7}\r\n',
            "a line is not QMP (Expected `str | null`, got `int` - at `$.event`): '{\"event\": 7}'",
            ANEW,
            id="JSON, but not QMP",
        ),
        pytest.param(
            b'{"event": "' + b"x" * 70_000,
            "a line is longer than 65536 bytes",
            "nothing that QEMU writes is that long: check what listens there; the monitor is "
            "connected anew",
            id="a line without an end",
        ),
    ],
)
async def test_garbage_on_a_connected_monitor(
    scene: Scene, line: bytes, problem: str, fix: str
) -> None:
    """It is reported, counted, and the monitor is connected anew."""
    scene.with_limits(Limits(line_bytes=65536, first_delay_s=0.01))
    fake = await scene.connected()
    fake.raw(line)
    await eventually(lambda: fake.served == 2 and scene.monitors.connected())
    assert scene.recorder.story == ["connected", "disconnected", "trouble", "connected"]
    assert scene.recorder.entries[1] == ("web-1", problem)
    assert scene.recorder.troubles == [
        f"guest web-1, monitor unix:{scene.path('web-1')}: {problem}\n  fix: {fix}"
    ]
    assert scene.monitors.counters.garbage == 1


UNIX, TCP = UnixAddress("/q.sock"), TcpAddress("db", 1)


@pytest.mark.parametrize(
    ("address", "number", "text"),
    [
        pytest.param(
            TCP,
            errno.EHOSTUNREACH,
            "here: cannot connect: No route to host\n  fix: check the address and the network",
            id="no way to the host",
        ),
        pytest.param(
            UNIX,
            errno.EMFILE,
            "here: reactor has no file handle left for this monitor\n"
            "  fix: raise LimitNOFILE of the service (ulimit -n): one for each guest, and 200 more",
            id="no handle left",
        ),
        pytest.param(
            TCP,
            errno.ENFILE,
            "here: the host has no file handle left for this monitor\n"
            "  fix: raise the sysctl fs.file-max",
            id="no handle left in the host",
        ),
    ],
)
async def test_what_the_system_answers(
    address: UnixAddress | TcpAddress, number: int, text: str
) -> None:
    """Rare answers have a sentence too."""
    assert str(cannot_connect("here", address, OSError(number, os.strerror(number)))) == text


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(None, "QEMU closed the monitor", id="the end of the stream"),
        pytest.param(ConnectionResetError(), "QEMU died, or was killed", id="reset"),
        pytest.param(BrokenPipeError(), "QEMU died, or was killed", id="broken pipe"),
        pytest.param(
            TimeoutError(110, "Connection timed out"),
            "the connection broke (Connection timed out)",
            id="the other host is gone",
        ),
        pytest.param(
            ValueError("x"),
            "reactor itself failed on a message (ValueError: x)",
            id="our own fault",
        ),
    ],
)
async def test_why_a_connection_was_lost(error: Exception | None, reason: str) -> None:
    """What the loop says becomes a sentence."""
    assert why_lost(error) == reason


async def test_tcp_works_like_unix(scene: Scene) -> None:
    """Connect, command, event, reconnect."""
    fake = FakeMonitor()
    scene.fakes.append(fake)
    scene.monitors.add("web-1", await fake.listen_tcp())
    await eventually(scene.monitors.connected)
    assert await scene.monitors.execute("web-1", "stop", {}, timeout=5) == {}
    fake.event("STOP")
    fake.cut()
    await eventually(lambda: fake.served == 2 and scene.monitors.connected())
    assert scene.recorder.story == ["connected", "STOP", "disconnected", "connected"]
