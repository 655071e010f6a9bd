"""The daemon's side of the control socket: bounded in length, number and time."""

import asyncio
import contextlib
import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reactor.adapters.control.messages import (
    LINE_MAX,
    Answer,
    Code,
    Misread,
    read_request,
    write_answer,
)
from reactor.adapters.control.peer import Access, Peer, peer_of, user_name
from reactor.adapters.control.place import Place
from reactor.errors import ControlError, ReactorError

Handler = Callable[[str, bytes], Awaitable[Answer]]
"""Takes who asks (``uid 1000 (anna)``) and what, as JSON; raises ReactorError."""

BACKLOG = 128
"""Connections that the kernel lets wait until they are looked at."""

NAMES_KEPT = 1000
"""Names of users that are remembered; beyond it all are asked for again."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Connections in all and of one user, and seconds.

    ``idle_s`` until a whole request has come, ``answer_s`` to carry it out,
    ``write_s`` until the other end has read the answer, ``name_s`` for the name of a user.
    """

    connections: int = 64
    of_one_user: int = 16
    idle_s: float = 30.0
    answer_s: float = 30.0
    write_s: float = 10.0
    name_s: float = 2.0


class Listener(Protocol):
    """Who is told what the operator of the daemon must know."""

    def on_forbidden(self, who: str, pid: int) -> None:
        """Somebody asked who may not."""
        ...

    def on_failure(self, who: str, error: BaseException) -> None:
        """A request failed for a fault of reactor itself."""
        ...


class ControlServer:
    """Answers requests from ``start`` to ``close``.

    ``refused`` counts the connections that were turned away, by why.
    """

    def __init__(
        self,
        path: Path,
        handler: Handler,
        listener: Listener,
        *,
        group: str | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.path = path
        self.refused: Counter[str] = Counter()
        self._handler = handler
        self._listener = listener
        self._bounds = bounds or Bounds()
        self._place = Place(path, group)
        self._access = Access(os.geteuid())
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._present: Counter[int] = Counter()
        self._names: dict[int, str] = {}

    async def start(self) -> None:
        """Listen.

        Raises:
            InUseError: another process listens there.
            ControlError: the socket cannot be made.
        """
        made = self._place.claim()
        try:
            self._access = Access(os.geteuid(), self._place.gid)
            self._server = await asyncio.start_unix_server(
                self._arrived, sock=made, limit=LINE_MAX, backlog=BACKLOG
            )
            self._place.publish()
        except OSError as error:
            await self.close()
            problem = f"the control socket cannot be made: {error.strerror}"
            raise ControlError(self.path, problem, "set another `control.socket`") from None

    async def close(self) -> None:
        """Listen no more, end every connection; a second call does nothing."""
        server, self._server = self._server, None
        self._place.release()
        if server is not None:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if server is not None:
            await server.wait_closed()

    def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="control")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not in the task itself: one that is cancelled at once never begins.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What was written is gone when it is drained, or its time is over.
        writer.transport.set_write_buffer_limits(high=0)
        # The other end may be gone, silent, or not read: none of this is a fault.
        with contextlib.suppress(TimeoutError, OSError):
            await self._serve_peer(_peer(writer), reader, writer)

    async def _serve_peer(
        self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._present.total() >= self._bounds.connections:
            await self._turn_away(writer, "too many connections")
            return
        if self._present[peer.uid] >= self._bounds.of_one_user:
            await self._turn_away(writer, "too many connections of one user")
            return
        self._present[peer.uid] += 1
        try:
            who = await self._name(peer.uid)
            if not self._access.allows(peer):
                self.refused["forbidden"] += 1
                self._listener.on_forbidden(who, peer.pid)
                await self._say(writer, _forbidden(who))
                return
            while line := await self._read(reader, writer):
                await self._say(writer, await self._answer(who, line))
        finally:
            self._present[peer.uid] -= 1
            if not self._present[peer.uid]:
                del self._present[peer.uid]

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The next whole line; empty when there is none or it is too long."""
        try:
            async with asyncio.timeout(self._bounds.idle_s):
                line = await reader.readline()
        except ValueError:  # asyncio's word for a line beyond the limit
            self.refused["too long"] += 1
            text = f"the request is longer than {LINE_MAX >> 10} KiB"
            await self._say(writer, Answer(Code.WRONG, text, "ask for less at once"))
            return b""
        return line if line.endswith(b"\n") else b""

    async def _answer(self, who: str, line: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._bounds.answer_s):
                return await self._handler(who, read_request(line))
        except Misread as misread:
            return misread.answer
        except TimeoutError:
            text = f"there was no answer within {self._bounds.answer_s:g} s"
            fix = (
                "`reactor status` says what ails it, such as a full disk: an order may yet be done"
            )
            return Answer(Code.LATE, text, fix)
        except ReactorError as error:
            return Answer(Code.FAILED, f"{error.place}: {error.problem}", error.fix)
        except Exception as error:  # noqa: BLE001 - a request must never end the daemon
            self._listener.on_failure(who, error)
            text = f"internal error: {type(error).__name__}"
            return Answer(Code.FAILED, text, "look at the daemon's log, and report what it says")

    async def _turn_away(self, writer: asyncio.StreamWriter, why: str) -> None:
        self.refused[why] += 1
        await self._say(writer, Answer(Code.BUSY, why, "try again in a moment"))

    async def _say(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        async with asyncio.timeout(self._bounds.write_s):
            writer.write(write_answer(answer))
            await writer.drain()

    async def _name(self, uid: int) -> str:
        known = self._names.get(uid)
        if known is not None:
            return known
        try:
            # A server of names that does not answer holds up nobody for long.
            async with asyncio.timeout(self._bounds.name_s):
                name = await asyncio.to_thread(user_name, uid)
        except TimeoutError:
            return f"uid {uid}"
        if len(self._names) >= NAMES_KEPT:
            self._names.clear()
        self._names[uid] = name
        return name


def _peer(writer: asyncio.StreamWriter) -> Peer:
    shown = writer.get_extra_info("socket")
    # What uvloop shows has no options: the same connection by another handle has.
    with socket.socket(fileno=os.dup(shown.fileno())) as connection:
        return peer_of(connection)


def _forbidden(who: str) -> Answer:
    text = f"{who} may not ask this daemon"
    fix = (
        "run this as root or as the user that runs the daemon, "
        "or let your group in with `control.group` in the settings"
    )
    return Answer(Code.FORBIDDEN, text, fix)
