"""The least that the machine allows: a helper process without an engine.

``epoll`` reacts to an event with a command in a bare loop, and times durable
commits of SQLite. ``protocol`` only decodes events, in an `asyncio.Protocol`
on uvloop.
"""

import asyncio
import os
import select
import socket
import sqlite3
import sys
import time
from typing import cast

import msgspec
import uvloop

from bench.serving import requests, spent_s, until
from bench.talk import (
    COMMAND,
    EVENT,
    Commits,
    End,
    Reply,
    Request,
    Spent,
    Watch,
    decode_request,
    paths,
    say,
)

CAPABILITIES = b'{"execute": "qmp_capabilities", "id": "c"}\n'


class Message(msgspec.Struct, gc=False):
    """What a floor looks at."""

    event: str | None = None
    data: dict[str, object] = {}


class Command(msgspec.Struct):
    """What a floor sends."""

    execute: str
    id: int


decode = msgspec.json.Decoder(Message).decode
encode = msgspec.json.Encoder().encode


def commits(asked: Commits) -> Reply:
    """Seconds of each durable commit of one row, as SQLite does it with synchronous FULL."""
    connection = sqlite3.connect(f"{asked.folder}/floor.db", isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS history(body BLOB NOT NULL)")
        return Reply([_commit(connection, asked.gap_s) for _ in range(asked.count)])
    finally:
        connection.close()


def _commit(connection: sqlite3.Connection, gap_s: float) -> float:
    time.sleep(gap_s)
    start = time.perf_counter()
    connection.execute("INSERT INTO history(body) VALUES (?)", (b"x" * 300,))
    return time.perf_counter() - start


class Epoll:
    """Decode and send, and nothing else."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._clients: dict[int, socket.socket] = {}
        self._sent = 0

    def live(self) -> None:
        """Serve until the bench says ``End``."""
        requests = sys.stdin.fileno()
        self._poll.register(requests, select.EPOLLIN)
        partial = b""
        while True:
            for number, _ in self._poll.poll():
                if number != requests:
                    self._react(self._clients[number])
                    continue
                *lines, partial = (partial + os.read(requests, 65536)).split(b"\n")
                for line in lines:
                    request = decode_request(line)
                    say(self._done(request))
                    if isinstance(request, End):
                        return

    def _done(self, request: Request) -> Reply:
        match request:
            case Watch(folder, count):
                for path in paths(folder, count):
                    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                    client.connect(path)
                    client.recv(65536)
                    client.sendall(CAPABILITIES)
                    client.settimeout(0)
                    self._clients[client.fileno()] = client
                    self._poll.register(client, select.EPOLLIN)
                return Reply()
            case Commits():
                return commits(request)
            case End():
                for client in self._clients.values():
                    client.close()
                return Reply()
            case _:
                return Reply(problem=f"the floor cannot {request}")

    def _react(self, client: socket.socket) -> None:
        # Every read here is one line: the server waits for each reaction.
        if decode(client.recv(65536)).event == EVENT:
            self._sent += 1
            client.send(encode(Command(COMMAND, self._sent)) + b"\n")


class Client(asyncio.Protocol):
    """One monitor of ``Protocol``: counts events, one decode each."""

    def __init__(self, floor: "Protocol") -> None:
        self._floor = floor
        self._partial = b""
        self._to: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._to = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Decode every line, and answer the greeting."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            if decode(line).event is not None:
                self._floor.events += 1
            elif line.startswith(b'{"QMP"') and self._to is not None:
                self._to.write(CAPABILITIES)


class Protocol:
    """Decode in `asyncio.Protocol` on uvloop, and nothing else."""

    def __init__(self) -> None:
        self.events = 0

    async def live(self) -> None:
        """Serve until the bench says ``End``."""
        async for request in requests():
            say(await self._done(request))

    async def _done(self, request: Request) -> Reply:
        loop = asyncio.get_running_loop()
        match request:
            case Watch(folder, count):
                for path in paths(folder, count):
                    await loop.create_unix_connection(lambda: Client(self), path)
                return Reply()
            case Spent(events):
                reply = await until(lambda: self.events >= events, f"event {events}")
                return reply if reply.problem else Reply([spent_s(), float(self.events)])
            case End():
                return Reply()
            case _:
                return Reply(problem=f"the floor cannot {request}")


def main(kind: str) -> None:
    """Be one of the floors."""
    if kind == "epoll":
        Epoll().live()
    else:
        uvloop.run(Protocol().live())


if __name__ == "__main__":
    main(sys.argv[1])
