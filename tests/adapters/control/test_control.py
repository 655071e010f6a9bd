"""The control socket: what comes back, where it is, and what nobody can do to it."""

import asyncio
import grp
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from reactor.adapters.control import Answer, Code, InUseError, ask
from reactor.adapters.control.peer import Access, Peer, peer_of, user_name
from reactor.adapters.control.server import Bounds
from reactor.demo.waiting import until
from reactor.errors import ControlError, ForbiddenError, JournalError, LostReply, NoDaemonError
from tests.adapters.control.support import ME, Desk, lines

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(40)]


# ------------------------------------------------------------ one line, one answer


async def test_a_request_is_answered_by_who_listens(desk: Desk) -> None:
    """Who asks is what the kernel says, whatever the request says."""
    await desk.start()
    assert await desk.ask(b'{"who":"root"}') == Answer(text=f'{ME} asks {{"who":"root"}}')


async def test_many_requests_on_one_connection(desk: Desk) -> None:
    """Each is answered in its turn."""
    await desk.start()
    reader, writer = await desk.connect()
    writer.write(b'{"version":1,"ask":1}\n{"version":1,"ask":2}\n{"version":1,"ask":3}\n')
    writer.write_eof()
    assert [line["text"][-1] for line in await lines(reader)] == ["1", "2", "3"]


async def test_an_answer_may_be_long(desk: Desk) -> None:
    """Longer than any buffer on its way."""

    async def much(_who: str, _body: bytes) -> Answer:
        return Answer(text="x" * 5_000_000)

    desk.answer = much
    await desk.start()
    assert len((await desk.ask()).text) == 5_000_000


async def test_both_loops_serve(folder: Path) -> None:
    """The daemon's own loop where there is one for the platform, and asyncio's."""

    async def use() -> str:
        desk = Desk(folder)
        server = await desk.start()
        answer = await desk.ask()
        await server.close()
        return answer.text

    expected = f'{ME} asks {{"type":"who"}}'
    assert await asyncio.to_thread(uvloop.run, use()) == expected
    assert await asyncio.to_thread(asyncio.run, use()) == expected
    assert sorted(os.listdir(folder)) == ["control.sock.lock"]  # noqa: PTH208 - names


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        pytest.param(b"nonsense", "wrong", "the request cannot be read: ", id="no JSON"),
        pytest.param(b"", "wrong", "the request cannot be read: ", id="an empty line"),
        pytest.param(b"\xff\xfe", "wrong", "the request cannot be read: ", id="no text"),
        pytest.param(b"[]", "wrong", "the request cannot be read: ", id="no object"),
        pytest.param(b'{"version":1}', "wrong", "the request cannot be read: ", id="no question"),
        pytest.param(b"[" * 60_000, "wrong", "the request cannot be read: ", id="no end of depth"),
        pytest.param(
            b'{"version":1,"ask":' + b"[" * 60_000,
            "wrong",
            "the request cannot be read: ",
            id="a question without an end",
        ),
        pytest.param(
            b'{"version":2,"do":1}',
            "version",
            "the daemon speaks version 1 of the control protocol, not 2",
            id="another version",
        ),
    ],
)
async def test_what_is_no_request_is_answered_too(
    desk: Desk, line: bytes, code: str, text: str
) -> None:
    """With what is wrong and how to mend it; the connection goes on."""
    await desk.start()
    reader, writer = await desk.connect()
    writer.write(line + b'\n{"version":1,"ask":0}\n')
    writer.write_eof()
    wrong, right = await lines(reader)
    assert wrong["code"] == code
    assert wrong["text"].startswith(text)
    assert wrong["fix"]
    assert right["text"] == f"{ME} asks 0"


async def test_an_error_on_purpose_is_told_as_it_is(desk: Desk) -> None:
    """Its place, problem and fix; nobody is alarmed."""

    async def fail(_who: str, _body: bytes) -> Answer:
        raise JournalError("/j.db", "the disk is full", "make room")

    desk.answer = fail
    await desk.start()
    assert await desk.ask() == Answer(Code.FAILED, "/j.db: the disk is full", "make room")
    assert desk.failures == []


async def test_a_fault_of_reactor_ends_neither_daemon_nor_connection(desk: Desk) -> None:
    """The operator is told where to look, and the daemon's log has the error."""

    async def fail(_who: str, _body: bytes) -> Answer:
        raise ZeroDivisionError

    desk.answer = fail
    await desk.start()
    assert (await desk.ask()).text == "internal error: ZeroDivisionError"
    assert [(who, type(error)) for who, error in desk.failures] == [(ME, ZeroDivisionError)]


# ------------------------------------------------------------------ who may ask


async def test_the_file_is_for_user_and_group_only(desk: Desk) -> None:
    """From its first moment: it has no name before it has its rights."""
    await desk.start()
    found = desk.path.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_uid == os.getuid()


@pytest.mark.parametrize(
    ("peer", "group", "may"),
    [
        pytest.param(Peer(1, 0, frozenset({0})), None, True, id="root"),
        pytest.param(Peer(1, 1000, frozenset({1000})), None, True, id="the daemon's own user"),
        pytest.param(Peer(1, 1001, frozenset({1000})), None, False, id="his group is not enough"),
        pytest.param(Peer(1, 1001, frozenset({5, 7})), 7, True, id="a member of the group"),
        pytest.param(Peer(1, 1001, frozenset({5})), 7, False, id="no member of the group"),
        pytest.param(Peer(1, 1001, frozenset({0})), None, False, id="root's group is not root"),
    ],
)
async def test_who_may_ask(peer: Peer, group: int | None, *, may: bool) -> None:
    """Root, the daemon's own user, and the members of the group that the settings name."""
    assert Access(1000, group).allows(peer) is may


async def test_the_kernel_says_who_is_there() -> None:
    """This process, with all its groups."""
    here, there = socket.socketpair()
    with here, there:
        groups = frozenset({os.getgid(), *os.getgroups()})
        assert peer_of(here) == Peer(os.getpid(), os.getuid(), groups)


async def test_a_user_without_a_name() -> None:
    """His number has to do."""
    assert user_name(os.getuid()) == ME
    assert user_name(3_999_999_999) == "uid 3999999999"


async def test_a_socket_that_may_not_be_given_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sandbox not even to a group of one's own; where it is so already nothing is done."""

    def forbidden(*_words: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", forbidden)
    own = grp.getgrgid(desk.path.parent.stat().st_gid).gr_name
    server = await desk.start(group=own)
    await server.close()
    other = next(one.gr_name for one in grp.getgrall() if one.gr_name != own)
    with pytest.raises(ControlError) as refused:
        await desk.start(group=other)
    assert str(refused.value) == (
        f"control.group: reactor may not give the socket to the group {other}\n"
        f"  fix: run it in that group (`Group={other}` in its unit), or make the folder the "
        f"group's: `chgrp {other} {desk.path.parent}`, then `chmod g+s` on it"
    )


async def test_a_group_that_does_not_exist(desk: Desk) -> None:
    """It is the setting's fault, and nothing is left behind."""
    with pytest.raises(ControlError) as refused:
        await desk.start(group="no-such-group")
    assert str(refused.value) == (
        "control.group: there is no group no-such-group\n"
        "  fix: name a group that `getent group` lists, or leave it out"
    )
    assert list(desk.path.parent.iterdir()) == []


# ------------------------------------------------------------------- its place


async def test_a_path_may_be_longer_than_an_address(desk: Desk) -> None:
    """A journal lies as deep as it likes."""
    desk.path = desk.path.parent.joinpath(*["deep" * 10] * 6, "control.sock")
    assert len(str(desk.path)) > 200
    await desk.start()
    assert desk.path.parent.stat().st_mode & 0o777 == 0o700
    assert (await desk.ask()).code is Code.DONE


async def test_two_daemons_on_one_path(desk: Desk) -> None:
    """The second is refused with the first one's process id, and the first goes on."""
    first = await desk.start()
    with pytest.raises(InUseError) as refused:
        await desk.start()
    assert str(refused.value) == (
        f"{desk.path}: another reactor (process {os.getpid()}) listens on this control socket\n"
        "  fix: stop it, or set another `control.socket` for this one"
    )
    assert (await desk.ask()).code is Code.DONE
    await first.close()
    await desk.start()
    assert (await desk.ask()).code is Code.DONE


async def test_what_a_dead_daemon_left_is_replaced(desk: Desk) -> None:
    """Its file is there, and nobody listens."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(desk.path))
    assert desk.path.exists()
    with pytest.raises(NoDaemonError):
        await desk.ask()
    await desk.start()
    assert (await desk.ask()).code is Code.DONE


async def test_another_programs_socket_is_left_alone(desk: Desk) -> None:
    """Such as QEMU's monitor, named by mistake."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(desk.path))
        other.listen()
        with pytest.raises(InUseError, match="another program listens on this control socket"):
            await desk.start()
        assert desk.path.exists()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(Path.touch, "there is a file that is no socket", id="a file"),
        pytest.param(Path.mkdir, "there is a file that is no socket", id="a folder"),
        pytest.param(
            lambda path: path.symlink_to("/nowhere"),
            "there is a file that is no socket",
            id="a link, wherever it leads",
        ),
        pytest.param(
            lambda path: path.parent.chmod(0o777),
            "everybody may write to {folder}, and could put another socket in its place",
            id="a folder where nothing is safe",
        ),
        pytest.param(
            lambda path: path.with_name("control.sock.lock").mkdir(),
            "the control socket cannot be made: Is a directory",
            id="no lock can be had",
        ),
    ],
)
async def test_a_place_that_cannot_be_used(
    desk: Desk, make: Callable[[Path], None], problem: str
) -> None:
    """It is told, and what stands there stays."""
    make(desk.path)
    before = sorted(desk.path.parent.iterdir())
    with pytest.raises(ControlError) as refused:
        await desk.start()
    assert refused.value.problem == problem.format(folder=desk.path.parent)
    assert refused.value.fix
    lock = desk.path.with_name("control.sock.lock")
    assert sorted(path for path in desk.path.parent.iterdir() if path != lock) == [
        path for path in before if path != lock
    ]


async def test_nothing_is_left_at_the_end(desk: Desk) -> None:
    """But the lock; a socket that another daemon has put there meanwhile stays."""
    server = await desk.start()
    await server.close()
    assert not desk.path.exists()
    server = await desk.start()
    desk.path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(desk.path))
    await server.close()
    assert desk.path.exists()


# -------------------------------------------------------------------- bad manners


async def test_half_a_line_is_no_order(desk: Desk) -> None:
    """Whoever ends before the line does has asked nothing."""
    await desk.start()
    reader, writer = await desk.connect()
    writer.write(b'{"version":1,"ask":{"type":"hold"}}')
    writer.write_eof()
    assert await lines(reader) == []
    assert desk.asked == []


async def test_a_line_without_an_end(desk: Desk) -> None:
    """It is cut off at its bound, and told so."""
    server = await desk.start()
    reader, writer = await desk.connect()
    writer.write(b"x" * 70_000)
    (told,) = await lines(reader)
    assert told["text"] == "the request is longer than 64 KiB"
    assert server.refused == {"too long": 1}


async def test_a_silent_connection_is_ended(desk: Desk) -> None:
    """And one that sends a byte now and then as well: a request has one time limit."""
    await desk.start(bounds=Bounds(idle_s=0.2))
    reader, _ = await desk.connect()
    assert await lines(reader) == []
    reader, writer = await desk.connect()

    def ended() -> bool:
        writer.write(b" ")
        return reader.at_eof() or reader.exception() is not None

    await until("it is ended", ended)


async def test_who_does_not_read_holds_nobody_up(desk: Desk) -> None:
    """His connection is ended, and everybody else is answered meanwhile."""

    async def much(_who: str, _body: bytes) -> Answer:
        return Answer(text="x" * 5_000_000)

    desk.answer = much
    server = await desk.start(bounds=Bounds(write_s=0.3))
    with socket.socket(socket.AF_UNIX) as lazy:
        lazy.connect(str(desk.path))
        lazy.sendall(b'{"version":1,"ask":0}\n')
        assert len((await desk.ask()).text) == 5_000_000
        await until("he is gone", lambda: not server._present)  # noqa: SLF001


async def test_an_answer_that_does_not_come(desk: Desk) -> None:
    """The operator is told that his order may yet be carried out."""

    async def never(_who: str, _body: bytes) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    desk.answer = never
    await desk.start(bounds=Bounds(answer_s=0.1))
    answer = await desk.ask()
    assert (answer.code, answer.text) == (Code.LATE, "there was no answer within 0.1 s")


async def test_no_more_connections_than_are_allowed(desk: Desk) -> None:
    """Those beyond are told; when one of them goes the next one is served."""
    server = await desk.start(bounds=Bounds(of_one_user=2))
    held = [await desk.connect() for _ in range(2)]
    await until("both are known", lambda: server._present.total() == 2)  # noqa: SLF001
    refused = await desk.ask()
    assert (refused.code, refused.text) == (Code.BUSY, "too many connections of one user")
    held[0][1].close()
    await until("one is gone", lambda: server._present.total() == 1)  # noqa: SLF001
    assert (await desk.ask()).code is Code.DONE
    held[1][1].close()
    assert server.refused == {"too many connections of one user": 1}


async def test_a_flood_is_turned_away(desk: Desk) -> None:
    """A hundred connections at once; afterwards nothing of them is left."""
    server = await desk.start(bounds=Bounds(connections=8, of_one_user=99, idle_s=0.5))

    async def one() -> str:
        reader, writer = await desk.connect()
        told = await lines(reader)
        writer.close()
        return told[0]["text"] if told else ""

    told = await asyncio.gather(*(one() for _ in range(100)))
    assert set(told) == {"", "too many connections"}
    assert told.count("") <= 8 + server.refused["too many connections"]
    assert (await desk.ask()).code is Code.DONE
    await until("all are gone", lambda: not server._tasks)  # noqa: SLF001
    assert not server._present  # noqa: SLF001


# ----------------------------------------------------------------- the client


async def test_a_daemon_that_is_too_busy_to_let_anybody_in(desk: Desk) -> None:
    """The client tries again until it is let in, or its time is over."""
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as other:
        busy.bind(str(desk.path))
        busy.listen(0)
        other.connect(str(desk.path))
        with pytest.raises(ControlError) as failed:
            await asyncio.to_thread(ask, desk.path, b"{}", within_s=0.2)
        assert failed.value.problem == (
            "the daemon cannot be reached: Resource temporarily unavailable"
        )
        waiting = asyncio.create_task(asyncio.to_thread(ask, desk.path, b"{}", within_s=10.0))
        (await asyncio.to_thread(busy.accept))[0].close()
        with (await asyncio.to_thread(busy.accept))[0] as let_in:
            let_in.sendall(b'{"version":1,"text":"hello"}\n')
        assert (await waiting).text == "hello"


async def test_nobody_listens(desk: Desk) -> None:
    """Whether there is no file, or not even a folder."""
    for path in (desk.path, desk.path.parent / "none" / "control.sock"):
        desk.path = path
        with pytest.raises(NoDaemonError) as none:
            await desk.ask()
        assert str(none.value) == (
            f"{path}: the daemon does not run: nobody listens here\n"
            "  fix: start it (`reactor run`), or name its settings with -c or its journal "
            "with --journal"
        )


@pytest.mark.parametrize(
    ("said", "error", "problem"),
    [
        pytest.param(b"", LostReply, "the daemon went away before it answered", id="nothing"),
        pytest.param(
            b'{"code":', LostReply, "the daemon went away before it answered", id="half an answer"
        ),
        pytest.param(
            b'{"QMP": {}}\r\n' * 2,
            ControlError,
            "what listens there does not speak the control protocol",
            id="another language",
        ),
        pytest.param(None, LostReply, "the daemon did not answer in time", id="silence"),
    ],
)
async def test_a_daemon_that_is_none(
    desk: Desk, said: bytes | None, error: type[Exception], problem: str
) -> None:
    """Whatever listens there, the client ends with a sentence."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if said is None:
            await reader.read()
        else:
            writer.write(said)
        writer.close()

    server = await asyncio.start_unix_server(answer, str(desk.path))
    with pytest.raises(error) as failed:
        await asyncio.to_thread(ask, desk.path, b"{}", within_s=0.3)
    assert failed.value.problem == problem  # type: ignore[attr-defined]
    server.close()
    await server.wait_closed()


async def test_a_refusal_by_the_daemon_has_a_type_of_its_own(desk: Desk) -> None:
    """So that a script can tell it from everything else."""

    async def no(_who: str, _body: bytes) -> Answer:
        return Answer(Code.FORBIDDEN, "you may not", "ask the admin")

    desk.answer = no
    await desk.start()
    with pytest.raises(ForbiddenError) as refused:
        await desk.ask()
    assert str(refused.value) == f"{desk.path}: you may not\n  fix: ask the admin"
