"""The bytes of one monitor: lines out of chunks, messages out of lines.

The hot path of the whole project (docs/adr/0004): an event that arrives in
one piece, as nearly all do, costs one search for its end, one decode, one call.
A monitor that floods gets turns like everybody else: so many lines, then the others.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Protocol, cast

from reactor.adapters.qmp.messages import Message, decode
from reactor.adapters.qmp.shared import Shared
from reactor.core.foreign import UNREADABLE

LINES_AT_ONCE = 100
"""Lines of one chunk before other monitors are read: a chunk of a flood has a thousand."""

REST_S = 0.002
"""How long the rest of a chunk waits: about twice as long as those lines took. So what floods is
read as fast as it can be journaled, no faster; what is not read stays with QEMU."""

EventSink = Callable[[str, str, dict[str, object], float], None]
"""Takes guest, name, data and QEMU's time stamp of one event."""


class Owner(Protocol):
    """Who is told of everything that is not an event."""

    def made(self) -> None:
        """The connection is there."""

    def answered(self, message: Message, line: bytes | bytearray) -> None:
        """The greeting, a reply or an error came, in this line."""

    def unreadable(self, line: bytes | bytearray, why: Exception) -> None:
        """A line is not a QMP message."""

    def too_long(self, limit: int) -> None:
        """A line passes the limit of its kind, so many bytes."""

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; None means that the other side closed it."""


class Wire(asyncio.Protocol):
    """One connection's messages, in order, the same whatever the chunks.

    ``sink`` gets the events and may be exchanged at any time.
    """

    __slots__ = (
        "_counters",
        "_descriptor",
        "_event_limit",
        "_guest",
        "_is_paused",
        "_limit",
        "_owner",
        "_partial",
        "_rest",
        "_stopped",
        "_to",
        "sink",
    )

    def __init__(self, guest: str, owner: Owner, shared: Shared, sink: EventSink) -> None:
        self.sink = sink
        self._guest = guest
        self._owner = owner
        self._counters = shared.counters
        self._limit = shared.limits.line_bytes
        self._event_limit = min(shared.limits.event_bytes, self._limit)
        self._partial = bytearray()
        self._rest = b""
        self._is_paused = False
        self._stopped = False
        self._descriptor = -1
        self._to: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and tell the owner."""
        self._to = cast("asyncio.Transport", transport)
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._owner.made()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, with what the loop knows, after what came before."""
        rest, self._rest = self._rest, b""
        self._chunk(rest, sys.maxsize)
        self._stopped = True
        self._to = None
        self._owner.lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand on every message that ``data`` completes."""
        whole = data.find(b"\n") == len(data) - 1
        short = len(data) <= self._event_limit
        if whole and short and not (self._partial or self._rest or self._stopped):
            self._line(data)
        elif self._rest:
            self._rest += data
        else:
            self._chunk(data)

    def write(self, line: bytes) -> None:
        """Hand bytes to the kernel, or to the transport: from then on they count as sent."""
        if self._to is None or self._to.is_closing():
            return
        if self._to.get_write_buffer_size() == 0:
            line = self._write_now(line)
        if line:
            self._to.write(line)

    def _write_now(self, line: bytes) -> bytes:
        """What the kernel did not take at once.

        Not by the transport: when its write fails, because QEMU has just
        ended, it drops the last events (SHUTDOWN) that were sent and not read.
        """
        try:
            return line[os.write(self._descriptor, line) :]
        except BlockingIOError:
            return line
        except OSError:
            # QEMU is gone; the end of the stream says so after its last words.
            return b""

    def waiting_bytes(self) -> int:
        """What QEMU has not taken yet of what was written."""
        return self._to.get_write_buffer_size() if self._to is not None else 0

    def stop(self) -> None:
        """Close the connection at once; no message is handed on any more."""
        self._stopped = True
        self._partial = bytearray()
        self._rest = b""
        if self._to is not None:
            # Not close(): that would wait until a QEMU that hangs has read
            # what is still unsent.
            self._to.abort()

    def _chunk(self, data: bytes, most: int = LINES_AT_ONCE) -> None:
        start = lines = 0
        # A listener may stop the wire between two lines of one chunk.
        while not self._stopped:
            if lines >= most and self._to is not None:
                self._leave(data[start:], self._to)
                return
            lines += 1
            end = data.find(b"\n", start)
            piece = data[start:] if end < 0 else data[start:end]
            if len(self._partial) + len(piece) > self._limit:
                self._owner.too_long(self._limit)
                return
            if end < 0:
                # A bytearray grows in place: a line of many MiB that comes in
                # small pieces costs linear time.
                self._partial += piece
                return
            start = end + 1
            if self._partial:
                self._partial += piece
                line, self._partial = self._partial, bytearray()
                self._any_line(line)
            else:
                self._any_line(piece)

    def _leave(self, rest: bytes, transport: asyncio.Transport) -> None:
        """Take the rest a moment later, and nothing that comes behind it before."""
        if not rest:
            return
        self._rest = rest
        if not self._is_paused:
            self._is_paused = True
            transport.pause_reading()
        asyncio.get_running_loop().call_later(REST_S, self._go_on)

    def _go_on(self) -> None:
        rest, self._rest = self._rest, b""
        self._chunk(rest)
        if self._is_paused and not self._rest and self._to is not None:
            self._is_paused = False
            if not self._to.is_closing():
                self._to.resume_reading()

    def _any_line(self, line: bytes | bytearray) -> None:
        if len(line) <= self._event_limit:
            self._line(line)
            return
        # Replies may be that long, and are asked for; events come unasked, and wait.
        sink, self.sink = self.sink, self._refuse
        self._line(line)
        self.sink = sink

    def _refuse(self, guest: str, name: str, data: dict[str, object], time: float) -> None:
        del guest, name, data, time
        self._owner.too_long(self._event_limit)

    def _line(self, line: bytes | bytearray) -> None:
        try:
            message = decode(line)
        except UNREADABLE as error:
            if line.strip():
                self._owner.unreadable(line, error)
            return
        name = message.event
        if name is None:
            self._owner.answered(message, line)
            return
        self._counters.events += 1
        stamp = message.timestamp
        time = 0.0 if stamp is None else stamp.seconds + stamp.microseconds * 1e-6
        self.sink(self._guest, name, message.data, time)


class BufferedWire(Wire, asyncio.BufferedProtocol):
    """A wire for asyncio's own loop, which makes a new 256 KiB object for every read otherwise.

    One buffer serves all monitors of a pool: what is in it is handed on before
    the loop reads the next one.
    """

    __slots__ = ("_buffer",)

    def __init__(self, guest: str, owner: Owner, shared: Shared, sink: EventSink) -> None:
        super().__init__(guest, owner, shared, sink)
        self._buffer = shared.buffer

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where the loop reads into."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on every message that these bytes complete."""
        self.data_received(bytes(memoryview(self._buffer)[:nbytes]))


def wire_for(
    loop: asyncio.AbstractEventLoop, guest: str, owner: Owner, shared: Shared, sink: EventSink
) -> Wire:
    """The wire that costs least on this loop (docs/adr/0004)."""
    kind = BufferedWire if isinstance(loop, asyncio.BaseEventLoop) else Wire
    return kind(guest, owner, shared, sink)
