"""What reactor is held against in the row ``outbox``, as helper processes: aiomqtt's own client.

``plain`` is that alone; ``durable`` makes a durable commit of each message to SQLite before it is
published.
"""

import asyncio
import functools
import logging
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiomqtt
import uvloop

from bench.serving import requests
from bench.talk import End, Meet, Reply, Request, Stream, Tell, say

QUIET = logging.getLogger("bench.aiomqtt")
QUIET.setLevel(logging.ERROR)  # else it writes a line for each call that waits

BASE = "reactor/bench"
SIZE = 200
"""Bytes of a payload."""


def payload(number: int) -> str:
    """A text that says which one it is, and when it was made."""
    return f"{number} {time.monotonic():.9f} ".ljust(SIZE, "x")


def read(text: bytes) -> tuple[int, float]:
    """The number and the time of a payload."""
    number, sent, _ = text.split(b" ", 2)
    return int(number), float(sent)


class Publisher(Protocol):
    """One of those that are measured."""

    async def tell(self, asked: Tell) -> None:
        """Publish one after the other."""

    async def stream(self, asked: Stream) -> None:
        """Publish all of it; returns with the last acknowledgement."""


class Plain:
    """aiomqtt as its documents show it; ``commit`` is called before each message."""

    def __init__(self, name: str, client: aiomqtt.Client, folder: Path) -> None:
        self._base = f"{BASE}/told/{name}"
        self._client = client
        self._database: sqlite3.Connection | None = None
        if name == "durable":
            self._database = sqlite3.connect(folder / "floor.db", isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("CREATE TABLE message(body TEXT NOT NULL)")

    async def tell(self, asked: Tell) -> None:
        """Publish one after the other."""
        for number in range(asked.count):
            await asyncio.sleep(asked.gap_s)
            text = payload(number)
            if self._database is not None:
                self._database.execute("INSERT INTO message(body) VALUES (?)", (text,))
            await self._client.publish(f"{self._base}/0", text, qos=1)

    async def stream(self, asked: Stream) -> None:
        """Publish all of it: on each topic one after the other."""
        async with asyncio.TaskGroup() as tasks:
            for topic in range(asked.topics):
                tasks.create_task(self._share(topic, asked))

    async def _share(self, topic: int, asked: Stream) -> None:
        for number in range(topic, asked.count, asked.topics):
            await self._client.publish(f"{self._base}/{topic}", payload(number), qos=1)


@asynccontextmanager
async def plain(name: str, folder: Path, port: int) -> AsyncIterator[Publisher]:
    """A client of aiomqtt, connected."""
    await asyncio.to_thread(folder.mkdir)
    version = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client(
        "127.0.0.1", port, protocol=version, max_inflight_messages=0, logger=QUIET
    ) as client:
        yield Plain(name, client, folder)


Make = Callable[[Path, int], AbstractAsyncContextManager[Publisher]]
"""Makes a publisher in a folder of its own, at the broker of a port."""


async def live(make: Make, folder: Path) -> None:
    """Serve until the bench says ``End``."""
    stream = requests()
    met = await anext(stream)
    if not isinstance(met, Meet):
        raise TypeError(f"first it must meet the broker, and not {met}")
    async with make(folder, met.port) as publisher:
        say(Reply())
        async for request in stream:
            if isinstance(request, End):
                break
            say(await _done(publisher, request))
    say(Reply())


async def _done(publisher: Publisher, request: Request) -> Reply:
    start = time.perf_counter()
    if isinstance(request, Tell):
        await publisher.tell(request)
    elif isinstance(request, Stream):
        await publisher.stream(request)
    else:
        return Reply(problem=f"a publisher cannot {request}")
    return Reply([time.perf_counter() - start])


if __name__ == "__main__":
    uvloop.run(live(functools.partial(plain, sys.argv[1]), Path(sys.argv[2])))
