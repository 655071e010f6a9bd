"""The publishers of the row ``outbox`` as helper processes: reactor, and what it is held against.

``reactor`` is the daemon whole; its one guest has no monitor, its events are given to the
dispatcher. ``plain`` is aiomqtt's own client; ``durable`` is the same, with a durable commit of the
message to SQLite before it is published.
"""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiomqtt
import uvloop

from bench.serving import requests, until
from bench.talk import EVENT, End, Meet, Reply, Request, Stream, Tell, say
from reactor.adapters.journal import Batch, OutboxRow
from reactor.app.daemon import Daemon, run_alone
from reactor.app.logs import set_up_logs
from reactor.app.settings import (
    ControlSettings,
    DumpsSettings,
    HostSettings,
    JournalSettings,
    MqttSettings,
    Settings,
)
from reactor.core.event import Event
from reactor.core.inputs import Connected, Facts, GuestKnown, Happened

BASE = "reactor/bench"
SIZE = 200
"""Bytes of a payload."""

BATCH = 100
"""Messages that are journaled together, as those of a busy moment are."""

POLICY = f"""\
policy: tell
description: What the row `outbox` times.
mode: queued
trigger: {{event: {EVENT}}}
steps:
  - publish: told/reactor/0
    payload: ${{data.action}}
"""
GUEST = "web-1"


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


class Reactor:
    """The daemon: a policy tells, or the outbox is filled."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def tell(self, asked: Tell) -> None:
        """An event for each message; the policy publishes what the event says."""
        for number in range(asked.count):
            while not self._is_quiet():  # noqa: ASYNC110 - nobody rings when all is over
                await asyncio.sleep(0.002)
            await asyncio.sleep(asked.gap_s)
            now = self._daemon.clock.now()
            event = Event(EVENT, GUEST, {"action": payload(number)}, now, now)
            self._daemon.dispatcher.submit(Happened(event))

    def _is_quiet(self) -> bool:
        """Whether nothing that followed the message before is under way."""
        waits = self._daemon.journal.outbox.counters()["waiting"]
        return not (waits or self._daemon.dispatcher.waiting or self._daemon.engine.world.runs)

    async def stream(self, asked: Stream) -> None:
        """Journal all of it, and see the broker take it meanwhile."""
        broker, journal = self._daemon.broker, self._daemon.journal
        if broker is None:
            raise RuntimeError("the settings name a broker")
        counters = broker.publisher.counters
        wanted = counters.published + asked.count
        for first in range(0, asked.count, BATCH):
            some = range(first, min(first + BATCH, asked.count))
            rows = [
                OutboxRow(f"{BASE}/told/reactor/{n % asked.topics}", payload(n).encode())
                for n in some
            ]
            await journal.commit(Batch(messages=rows))
            broker.publisher.nudge()
        while counters.published < wanted:  # noqa: ASYNC110 - nobody rings at the last one
            await asyncio.sleep(0.002)


@asynccontextmanager
async def reactor(folder: Path, port: int) -> AsyncIterator[Publisher]:
    """The daemon of a folder, connected, with nothing left to say."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "tell.yaml").write_text(POLICY, encoding="utf-8")
    settings = Settings(
        host=HostSettings("bench"),
        journal=JournalSettings(folder / "journal.db"),
        control=ControlSettings(folder / "control.sock"),
        rules=(rules,),
        dumps=DumpsSettings(folder / "dumps"),
        mqtt=MqttSettings(f"mqtt://127.0.0.1:{port}"),
    )
    daemon = Daemon(settings)
    serving = asyncio.create_task(run_alone(daemon), name="daemon")
    await daemon.ready.wait()
    daemon.dispatcher.submit(GuestKnown(GUEST))
    daemon.dispatcher.submit(Connected(GUEST, "1-1", Facts(status="running")))
    outbox = daemon.journal.outbox
    broker = daemon.broker
    found = await until(
        lambda: (
            broker is not None
            and broker.publisher.connected
            and GUEST in daemon.engine.world.guests
            and not outbox.counters()["waiting"]
        ),
        "the daemon",
    )
    if found.problem:
        raise RuntimeError(found.problem)
    try:
        yield Reactor(daemon)
    finally:
        daemon.stop()
        await serving


@asynccontextmanager
async def plain(name: str, folder: Path, port: int) -> AsyncIterator[Publisher]:
    """A client of aiomqtt, connected."""
    await asyncio.to_thread(folder.mkdir)
    version = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client(
        "127.0.0.1", port, protocol=version, max_concurrent_outgoing_calls=10_000
    ) as client:
        yield Plain(name, client, folder)


async def live(name: str, folder: Path) -> None:
    """Serve until the bench says ``End``."""
    stream = requests()
    met = await anext(stream)
    if not isinstance(met, Meet):
        raise TypeError(f"first it must meet the broker, and not {met}")
    made = reactor(folder, met.port) if name == "reactor" else plain(name, folder, met.port)
    async with made as publisher:
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


def main() -> None:
    """Be one of them, in a folder of its own."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        set_up_logs("json", "info", nowhere)
        uvloop.run(live(name, folder))


if __name__ == "__main__":
    main()
