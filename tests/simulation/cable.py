"""Connections in memory: bytes take a moment, keep their order, and may never arrive."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from tests.simulation.loop import VirtualLoop

LATENCY_S = 0.001


class Server(Protocol):
    """The far end."""

    def opened(self, cable: "Cable") -> None:
        """Somebody connected."""

    def received(self, cable: "Cable", data: bytes) -> None:
        """Bytes came in."""

    def closed(self, cable: "Cable") -> None:
        """The near end is gone, with all that it had sent before received."""


class Pipe:
    """One direction: first in, first out, each a moment after it was put in."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_held = False
        self._late = 0

    def put(self, what: Callable[[], None]) -> None:
        """Let this happen at the other end."""
        self._waiting.append(what)
        self._loop.call_later(LATENCY_S, self._arrive)

    def lose(self) -> None:
        """What is on its way never arrives."""
        self._waiting.clear()

    def hold(self) -> None:
        """Let nothing arrive until ``go_on``."""
        self._is_held = True

    def go_on(self) -> None:
        """Let arrive what should have arrived meanwhile."""
        self._is_held = False
        late, self._late = self._late, 0
        for _ in range(late):
            self._loop.call_soon(self._arrive)

    def _arrive(self) -> None:
        if self._is_held:
            self._late += 1
        elif self._waiting:
            self._waiting.popleft()()


class Cable(asyncio.Transport):
    """One connection; as an object it is the near end's transport, and its socket too."""

    def __init__(self, loop: VirtualLoop, server: Server) -> None:
        super().__init__()
        self._loop = loop
        self._server = server
        self._there = Pipe(loop)
        self._back = Pipe(loop)
        self._protocol: asyncio.Protocol | None = None
        self._closing = False
        self._over = False
        self.name = ""
        self.before_write: Callable[[bytes], bool] = lambda _data: True

    def attach(self, protocol: asyncio.BaseProtocol) -> asyncio.Transport:
        """The transport of this protocol, connected."""
        assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        self._protocol = protocol  # type: ignore[assignment] # the daemon's wire is both
        protocol.connection_made(self)
        self._there.put(lambda: self._server.opened(self))
        return self

    # ------------------------------------------------------- the near end

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The socket is the cable itself."""
        return self if name == "socket" else default

    def fileno(self) -> int:
        """There is none; nobody writes to it, see ``get_write_buffer_size``."""
        return -1

    def get_write_buffer_size(self) -> int:
        """Never empty: so the bytes go through ``write``."""
        return 1

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._closing

    def write(self, data: Any) -> None:
        """Bytes for the far end; they arrive also when the near end dies right after."""
        if not self._closing and self.before_write(data):
            self._there.put(lambda: self._server.received(self, bytes(data)))

    def pause_reading(self) -> None:
        """The near end reads nothing."""
        self._back.hold()

    def resume_reading(self) -> None:
        """The near end reads again."""
        self._back.go_on()

    def close(self) -> None:
        """As ``abort``."""
        self.abort()

    def abort(self) -> None:
        """Hang up; what was written arrives first."""
        if self._closing:
            return
        self._closing = True
        self._back.go_on()
        self._there.put(lambda: self._server.closed(self))
        self._end()

    # -------------------------------------------------------- the far end

    def tell(self, data: bytes) -> None:
        """Bytes for the near end."""
        if not self._over:
            self._back.put(lambda: self._hand_over(data))

    def hang_up(self) -> None:
        """The far end closes; what it had written arrives first."""
        self._back.put(self._end)

    # ---------------------------------------------------------- the fault

    def sever(self) -> None:
        """The near end's process is dead: what it wrote arrives, nothing comes back."""
        if not self._closing:
            self._closing = True
            self._there.put(lambda: self._server.closed(self))
        self._back.lose()
        self._protocol = None

    def cut(self, *, lose_commands: bool, lose_replies: bool) -> None:
        """The connection breaks, and what is on its way is lost as it is said."""
        if lose_commands:
            self._there.lose()
        if lose_replies:
            self._back.lose()
        self._closing = True
        self._there.put(lambda: self._server.closed(self))
        self._back.put(self._end)

    def _hand_over(self, data: bytes) -> None:
        if self._protocol is not None and not self._closing:
            self._protocol.data_received(data)

    def _end(self) -> None:
        self._closing = True
        if self._over or self._protocol is None:
            return
        self._over = True
        self._loop.call_soon(self._protocol.connection_lost, None)
