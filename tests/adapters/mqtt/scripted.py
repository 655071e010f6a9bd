"""A broker whose every answer is chosen by the test, for what Mosquitto cannot be brought to do."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum

CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 10, 12, 14
ACCEPT_V5 = b"\x20\x03\x00\x00\x00"
ACCEPT_V311 = b"\x20\x02\x00\x00"
BAD_VERSION = b"\x20\x02\x00\x01"


class Do(Enum):
    """Answers that are none."""

    CLOSE = "close the connection"
    NOTHING = "say nothing"


def accept_v5(*, receive_maximum: int | None = None, most_bytes: int | None = None) -> bytes:
    """A CONNACK that announces limits."""
    properties = b""
    if receive_maximum is not None:
        properties += b"\x21" + struct.pack("!H", receive_maximum)
    if most_bytes is not None:
        properties += b"\x27" + struct.pack("!I", most_bytes)
    return b"\x20" + bytes([3 + len(properties), 0, 0, len(properties)]) + properties


def refuse_v5(code: int) -> bytes:
    """A CONNACK with a reason code."""
    return bytes([0x20, 3, 0, code, 0])


def disconnect(code: int) -> bytes:
    """A DISCONNECT of MQTT 5."""
    return bytes([0xE0, 2, code, 0])


@dataclass(frozen=True, slots=True)
class Published:
    """A PUBLISH as it came in; ``connection`` counts from 1."""

    connection: int
    topic: str
    payload: bytes
    qos: int


def accept_all(version: int) -> bytes:
    """The CONNACK of a broker without limits."""
    return ACCEPT_V5 if version == 5 else ACCEPT_V311


@dataclass
class ScriptedBroker:
    """Listens on a free loopback port inside ``running``.

    ``connack`` is asked with the version of a CONNECT (5 or 4 for 3.1.1),
    ``puback`` with a PUBLISH: a number is the reason code, bytes are sent as
    they are. ``suback`` is asked with the filters of a SUBSCRIBE for the reason
    code of each. ``farewells`` counts the connections that ended in order.
    """

    connack: Callable[[int], bytes | Do] = accept_all
    puback: Callable[[Published], int | bytes | Do] = lambda _message: 0
    suback: Callable[[list[str]], list[int] | Do] = lambda filters: [1] * len(filters)
    subscribed: list[list[str]] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    open_connections: int = 0
    farewells: int = 0
    url: str = ""
    _writer: asyncio.StreamWriter | None = None

    def send(self, packet: bytes) -> None:
        """Send these bytes on the newest connection."""
        assert self._writer is not None
        self._writer.write(packet)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedBroker"]:
        """The broker, listening until the block ends."""
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.create_task(self._serve(reader, writer)))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        try:
            await self._converse(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open_connections -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version = 0
        number = 0
        self._writer = writer
        while True:
            kind, flags, body = await _packet(reader)
            answer: bytes | Do
            if kind == CONNECT:
                version = body[6]
                self.versions.append(version)
                number = len(self.versions)
                answer = self.connack(version)
            elif kind == PUBLISH:
                answer = self._answer(body, flags, version, number)
            elif kind in {SUBSCRIBE, UNSUBSCRIBE, PINGREQ}:
                answer = self._reply(kind, body, version)
            else:
                self.farewells += kind == DISCONNECT
                return
            if answer is Do.CLOSE:
                return
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()

    def _reply(self, kind: int, body: bytes, version: int) -> bytes | Do:
        if kind == PINGREQ:
            return b"\xd0\x00"
        return self._grant(body, version) if kind == SUBSCRIBE else Do.NOTHING

    def _grant(self, body: bytes, version: int) -> bytes | Do:
        end = 3 if version == 5 else 2  # no properties
        filters: list[str] = []
        while end < len(body):
            size = struct.unpack_from("!H", body, end)[0]
            filters.append(body[end + 2 : end + 2 + size].decode())
            end += 3 + size
        self.subscribed.append(filters)
        codes = self.suback(filters)
        if isinstance(codes, Do):
            return codes
        rest = body[:2] + (b"\0" if version == 5 else b"") + bytes(codes)
        return b"\x90" + bytes([len(rest)]) + rest

    def _answer(self, body: bytes, flags: int, version: int, connection: int) -> bytes | Do:
        qos = flags >> 1 & 3
        end = 2 + struct.unpack_from("!H", body)[0]
        topic = body[2:end].decode()
        packet_id = body[end : end + 2] if qos else b""
        rest = body[end + len(packet_id) :]
        if version == 5:
            rest = rest[1 + rest[0] :]  # the properties of these tests are short
        message = Published(connection, topic, rest, qos)
        self.published.append(message)
        code = self.puback(message)
        if not isinstance(code, int):
            return code
        if not qos:
            return Do.NOTHING
        return b"\x40" + (bytes([3, *packet_id, code]) if version == 5 else bytes([2, *packet_id]))


async def _packet(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    first = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return first >> 4, first & 0xF, await reader.readexactly(size)
