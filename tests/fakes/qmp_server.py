"""A real QMP server without a QEMU: light enough for 1,000 monitors in one process.

It keeps QEMU's manners: one client at a time (the others connect and hear
nothing), no events and no commands before ``qmp_capabilities``, replies in
order with the id that came. What it answers comes from a table; what it does
wrong, it does on request.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

encode = msgspec.json.Encoder().encode

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "fake"}, '
    b'"capabilities": ["oob"]}}\r\n'
)


@dataclass(frozen=True, slots=True)
class Refuse:
    """An answer: QEMU says no."""

    description: str = "no"
    error_class: str = "GenericError"


class Silent:
    """An answer: none at all, ever."""


class Cut:
    """An answer: none, the connection ends."""


SILENT = Silent()
CUT = Cut()

Answer = object
"""``Refuse``, ``SILENT``, ``CUT``, a function of the arguments that gives one, or what returns."""

VM: Mapping[str, Answer] = {
    "query-status": {"status": "running", "singlestep": False, "running": True},
    "query-uuid": {"UUID": "11111111-2222-3333-4444-555555555555"},
    "query-memory-size-summary": {"base-memory": 1 << 30, "plugged-memory": 1 << 20},
    "query-migrate": {},
    "query-dump": {"status": "none", "completed": 0, "total": 0},
    "query-cpus-fast": [{"cpu-index": 0, "thread-id": 4711}],
    "query-version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "fake"},
    "system_reset": {},
    "cont": {},
    "stop": {},
}
"""What a guest that runs answers."""

STORAGE_DAEMON: Mapping[str, Answer] = {"query-version": VM["query-version"]}
"""What a storage daemon answers: it knows none of the others."""


class Command(msgspec.Struct):
    """What a client sent."""

    execute: str
    arguments: dict[str, Any] = {}
    id: Any = msgspec.UNSET


_decode = msgspec.json.Decoder(Command).decode


class FakeMonitor:
    """One monitor; ``answers`` may be changed at any time.

    ``greeting`` None never greets. ``commands`` are the newest 1,000;
    ``on_command`` is called with each name as it comes.
    ``served`` counts the clients that were greeted.
    """

    def __init__(
        self, answers: Mapping[str, Answer] = VM, *, greeting: bytes | None = GREETING
    ) -> None:
        self.answers = dict(answers)
        self.greeting = greeting
        self.commands: deque[Command] = deque(maxlen=1000)
        self.on_command: Callable[[str], None] | None = None
        self.served = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._client: _Client | None = None
        self._others: deque[_Client] = deque()

    async def listen(self, path: str) -> None:
        """Serve on a unix socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Client(self), path, backlog=10)

    async def accept(self, listener: socket.socket) -> None:
        """Serve on a socket that another process listens on, until the task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            await loop.connect_accepted_socket(lambda: _Client(self), connection)

    async def listen_tcp(self) -> str:
        """Serve on a free port of the loopback; its address."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Client(self), "127.0.0.1", self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return f"127.0.0.1:{self.port}"

    @property
    def occupied(self) -> bool:
        """Whether a client is connected."""
        return self._client is not None

    @property
    def ready(self) -> bool:
        """Whether a client has negotiated: it gets events."""
        return self._client is not None and self._client.negotiated

    def event(self, name: str, data: Mapping[str, object] | None = None, time: float = 1.5) -> None:
        """Send an event to the client, if it has negotiated."""
        if self.ready:
            self.raw(event_line(name, data, time))

    def raw(self, data: bytes) -> None:
        """Write bytes to the client, whatever they are."""
        if self._client is not None:
            self._client.transport.write(data)

    @property
    def unread_bytes(self) -> int:
        """What was written and does not fit into the client's socket."""
        return 0 if self._client is None else self._client.transport.get_write_buffer_size()

    def deafen(self) -> None:
        """Read nothing more from the client."""
        if self._client is not None:
            self._client.transport.pause_reading()

    def cut(self) -> None:
        """End the client's connection after what was written; the next one is served."""
        if self._client is not None:
            self._client.transport.close()

    async def close(self) -> None:
        """Stop listening, and end every connection."""
        if self._server is not None:
            self._server.close()
        for client in (*self._others, self._client):
            if client is not None:
                client.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()

    def arrived(self, client: "_Client") -> None:
        """Serve a client, or let it wait for its turn."""
        if self._client is None:
            self._serve(client)
        else:
            client.transport.pause_reading()
            self._others.append(client)

    def left(self, client: "_Client") -> None:
        """Serve whoever waits."""
        if client is not self._client:
            self._others.remove(client)
            return
        self._client = None
        if self._others:
            waiting = self._others.popleft()
            waiting.transport.resume_reading()
            self._serve(waiting)

    def _serve(self, client: "_Client") -> None:
        self._client = client
        self.served += 1
        if self.greeting is not None:
            client.transport.write(self.greeting)


class _Client(asyncio.Protocol):
    __slots__ = ("_monitor", "_partial", "negotiated", "transport")

    def __init__(self, monitor: FakeMonitor) -> None:
        self._monitor = monitor
        self._partial = b""
        self.negotiated = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._monitor.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._monitor.left(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._execute(_decode(line))

    def _execute(self, command: Command) -> None:
        monitor, name = self._monitor, command.execute
        monitor.commands.append(command)
        if monitor.on_command is not None:
            monitor.on_command(name)
        answer = self._answer(command)
        if isinstance(answer, Cut):
            self.transport.close()
        elif isinstance(answer, Refuse):
            self._reply(
                {"error": {"class": answer.error_class, "desc": answer.description}}, command
            )
        elif not isinstance(answer, Silent):
            self._reply({"return": answer}, command)

    def _answer(self, command: Command) -> Answer:
        name, answers = command.execute, self._monitor.answers
        if name == "qmp_capabilities" and name not in answers:
            self.negotiated = True
            return {}
        if name in answers:
            answer = answers[name]
            return answer(command.arguments) if callable(answer) else answer
        return Refuse(f"The command {name} has not been found", "CommandNotFound")

    def _reply(self, reply: dict[str, object], command: Command) -> None:
        if command.id is not msgspec.UNSET:
            reply["id"] = command.id
        self.transport.write(encode(reply) + b"\r\n")


def event_line(name: str, data: Mapping[str, object] | None = None, time: float = 1.5) -> bytes:
    """An event as QEMU writes it; without ``data`` where there is none."""
    event: dict[str, object] = {
        "timestamp": {"seconds": int(time), "microseconds": round(time % 1 * 1e6)},
        "event": name,
    }
    if data is not None:
        event["data"] = data
    return encode(event) + b"\r\n"
