"""One connection to a guest agent: lines out, lines in, and the sync between them.

The agent's protocol has no greeting and nothing that tells an answer to us from a late
one to whoever was connected before. ``guest-sync-delimited`` does: the agent
puts a byte 0xFF, which JSON in UTF-8 never holds, before the answer that repeats our
number. Everything before it is not for us.

Source: QEMU's qga/qapi-schema.json, ``guest-sync-delimited``; what qemu-ga 7.2 was seen
to send (it answers a 0xFF of ours with an error and forgets the half line before it).
"""

import asyncio
import socket
from collections.abc import Mapping

import msgspec

from reactor.core.foreign import UNREADABLE

SENTINEL = b"\xff"


class Refused(msgspec.Struct, gc=False):
    """The ``error`` member of an answer."""

    error_class: str = msgspec.field(name="class")
    description: str = msgspec.field(name="desc")


class Answer(msgspec.Struct, gc=False):
    """A line of the agent; ``result`` is UNSET where it had no ``return``."""

    result: object = msgspec.field(name="return", default=msgspec.UNSET)
    error: Refused | None = None


class Command(msgspec.Struct, omit_defaults=True):
    """A command as it goes out; without ``arguments`` where there are none."""

    execute: str
    arguments: Mapping[str, object] = {}


class ClosedError(Exception):
    """The other side closed the connection."""


class TooLongError(Exception):
    """A line passes the limit."""


class UnreadableError(Exception):
    """A line is no answer of an agent; holds it."""

    def __init__(self, line: bytes) -> None:
        super().__init__(line)
        self.line = line


_decode = msgspec.json.Decoder(Answer).decode
_encode = msgspec.json.Encoder().encode


def encode(command: str, arguments: Mapping[str, object]) -> bytes:
    """One line for the agent, its end of line included."""
    return _encode(Command(command, arguments)) + b"\n"


class Channel:
    """A connection; the caller sets every deadline."""

    __slots__ = ("_reader", "_writer", "skipped")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.skipped = 0

    @classmethod
    async def open(cls, path: str, limit: int) -> "Channel":
        """A connection to the socket at ``path``, with lines of at most ``limit`` bytes.

        Raises:
            OSError: as the system gave it.
        """
        # Not through the loop: asyncio takes EAGAIN (the listen queue of a chardev
        # that is held is full) for "in progress" and calls the socket connected.
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            connection.connect(path)
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=limit)
        except BaseException:
            connection.close()
            raise
        return cls(reader, writer)

    @property
    def is_closed(self) -> bool:
        """Whether the other side is known to have closed it."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def sync(self, number: int) -> None:
        """Return when the agent has answered this number: the next line belongs to us.

        Raises:
            ClosedError, TooLongError.
        """
        # The byte before it lets the agent forget half a command of an earlier client.
        await self.write(SENTINEL + encode("guest-sync-delimited", {"id": number}))
        while True:
            line = await self._line()
            # Half a line of somebody else may stand before the sentinel.
            if _is_return(line.rpartition(SENTINEL)[2], number):
                return
            self.skipped += 1

    async def write(self, line: bytes) -> None:
        """Write a line.

        Raises:
            ClosedError: it may have been written in part.
        """
        try:
            self._writer.write(line)
            await self._writer.drain()
        except OSError as error:
            raise ClosedError from error

    async def answer(self) -> Answer:
        """The next answer.

        Raises:
            ClosedError, TooLongError, UnreadableError.
        """
        line = b""
        while not line.strip():
            line = await self._line()
        try:
            answer = _decode(line)
        except UNREADABLE as error:
            raise UnreadableError(line) from error
        if answer.error is None and answer.result is msgspec.UNSET:
            raise UnreadableError(line)
        return answer

    def close(self) -> None:
        """Close it at once; what is still unsent is thrown away."""
        self._writer.transport.abort()

    async def _line(self) -> bytes:
        try:
            return await self._reader.readuntil()
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ClosedError from error
        except asyncio.LimitOverrunError as error:
            raise TooLongError from error


def _is_return(line: bytes, number: int) -> bool:
    try:
        return _decode(line).result == number
    except UNREADABLE:
        return False
