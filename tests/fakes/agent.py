"""A guest agent without a guest: QEMU's chardev, and qemu-ga behind it.

It keeps their manners as qemu-ga 7.2 was seen to have them: one client at a time (the
others connect and hear nothing), no greeting, a JSON error for a 0xFF or for garbage, half
a line kept until the next client's 0xFF, a 0xFF before the answer to a delimited sync. What
it answers comes from a table; what it does wrong, it does on request.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from tests.fakes.qmp_server import CUT, SILENT, Answer, Cut, Refuse, Silent

encode = msgspec.json.Encoder().encode

GUEST: Mapping[str, Answer] = {
    "guest-ping": {},
    "guest-get-host-name": {"host-name": "web-1"},
    "guest-shutdown": SILENT,
}
"""What a guest answers that has a host name and can be shut down."""


class Command(msgspec.Struct):
    """What a client sent."""

    execute: str
    arguments: dict[str, Any] = {}


_decode = msgspec.json.Decoder(Command).decode


class FakeAgent:
    """One agent; ``answers`` may be changed at any time.

    ``awake`` False: nobody in the guest reads. ``before`` is written, once, before the
    next answer to a sync: what an earlier client left behind. ``piece`` is how many bytes
    leave at once. ``commands`` are the newest 1,000 besides the syncs, with their
    arguments; ``syncs`` counts those, and ``last_sync`` is the number of the last one;
    ``clients`` counts everybody who was served.
    """

    def __init__(self, answers: Mapping[str, Answer] = GUEST) -> None:
        self.answers = dict(answers)
        self.awake = True
        self.before = b""
        self.piece = 0
        self.commands: deque[tuple[str, dict[str, Any]]] = deque(maxlen=1000)
        self.syncs = 0
        self.last_sync = 0
        self.clients = 0
        self._rest = b""
        self._server: asyncio.Server | None = None
        self._client: _Client | None = None
        self._others: deque[_Client] = deque()

    async def listen(self, path: str) -> None:
        """Serve on a unix socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Client(self), path, backlog=10)

    @property
    def occupied(self) -> bool:
        """Whether a client is connected."""
        return self._client is not None

    @property
    def names(self) -> list[str]:
        """The commands that came, in order."""
        return [name for name, _ in self.commands]

    def raw(self, data: bytes) -> None:
        """Write bytes to the client, whatever they are."""
        if self._client is not None:
            for start in range(0, len(data), self.piece or len(data)):
                self._client.transport.write(data[start : start + (self.piece or len(data))])

    def cut(self) -> None:
        """End the client's connection; the next one is served."""
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

    def take(self, data: bytes) -> None:
        """Read what a client wrote; half a line outlives the client."""
        if not self.awake:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            *broken, last = line.split(b"\xff")
            for _ in broken:
                self._answer_with(Refuse("JSON parse error, stray"))
            self._execute(last)

    def _serve(self, client: "_Client") -> None:
        self._client = client
        self.clients += 1

    def _execute(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            command = _decode(line)
        except msgspec.MsgspecError:
            self._answer_with(Refuse("JSON parse error"))
            return
        if command.execute == "guest-sync-delimited":
            self.syncs += 1
            self.last_sync = command.arguments["id"]
            before, self.before = self.before, b""
            self.raw(before + b"\xff" + encode({"return": self.last_sync}) + b"\n")
            return
        self.commands.append((command.execute, command.arguments))
        missing = Refuse(f"The command {command.execute} has not been found", "CommandNotFound")
        self._answer_with(self.answers.get(command.execute, missing))

    def _answer_with(self, answer: Answer) -> None:
        match answer:
            case Cut():
                self.cut()
            case Silent():
                pass
            case bytes():
                self.raw(answer)
            case Refuse(description, error_class):
                error = {"class": error_class, "desc": description}
                self.raw(encode({"error": error}) + b"\n")
            case _:
                self.raw(encode({"return": answer}) + b"\n")


class _Client(asyncio.Protocol):
    def __init__(self, agent: FakeAgent) -> None:
        self._agent = agent
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._agent.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._agent.left(self)

    def data_received(self, data: bytes) -> None:
        self._agent.take(data)


__all__ = ["CUT", "GUEST", "SILENT", "FakeAgent", "Refuse"]
