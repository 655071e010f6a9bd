"""What the tests of the publisher share: its ports as fakes, and bounded waiting."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack

from reactor.adapters.mqtt import (
    Drop,
    Fate,
    Inbox,
    Incoming,
    InLimits,
    Limits,
    MqttOptions,
    OutMessage,
    Publisher,
)
from reactor.errors import BrokerError

HOST = "h1"
BASE = f"reactor/{HOST}"
AVAILABILITY = f"{BASE}/availability"
QUICK = Limits(first_delay_s=0.05, max_delay_s=0.2, fight_s=0.05, fight_max_s=0.2)
IN_LIMITS = InLimits()


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox."""

    seq: int
    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: float | None = None
    content_type: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    added: float = 0.0


class RowOptions(TypedDict, total=False):
    """What a row can have beside topic and payload."""

    qos: int
    retain: bool
    expiry_s: float | None
    content_type: str
    properties: Mapping[str, str]
    added: float


class MemoryOutbox:
    """The outbox's port without a disk; it answers while ``gate`` is set."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.done_seqs: list[int] = []
        self.fates: dict[int, Fate] = {}
        self.reads = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self._last = 0

    def add(self, topic: str, payload: bytes, **more: Unpack[RowOptions]) -> int:
        """A new row's number."""
        self._last += 1
        self.rows[self._last] = Row(self._last, topic, payload, **more)
        return self._last

    async def pending(self, after: int, limit: int) -> Sequence[Row]:
        """As the port says; what it answers is what was there when it was asked."""
        self.reads += 1
        rows = [row for seq, row in self.rows.items() if seq > after][:limit]
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return rows

    def done(self, fates: Mapping[int, Fate]) -> None:
        """As the port says; a number that is not there is a KeyError."""
        for seq in fates:
            del self.rows[seq]
        self.done_seqs.extend(fates)
        self.fates |= fates


class Recorder:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.troubles: list[str] = []

    def on_connected(self) -> None:
        """Kept as ``connected``."""
        self.log.append("connected")

    def on_disconnected(self) -> None:
        """Kept as ``disconnected``."""
        self.log.append("disconnected")

    def on_trouble(self, error: BrokerError) -> None:
        """Kept as its whole text."""
        self.log.append("trouble")
        self.troubles.append(str(error))


class Ear:
    """A receiver that keeps what it is given."""

    def __init__(self) -> None:
        self.heard: list[Incoming] = []
        self.dropped: list[tuple[Drop, str]] = []
        self.properties: list[bytes] = []

    def on_message(self, message: Incoming) -> None:
        """Kept."""
        self.heard.append(message)

    def on_dropped(self, reason: Drop, topic: str, properties: bytes) -> None:
        """Kept; the properties by themselves."""
        self.dropped.append((reason, topic))
        self.properties.append(properties)

    @property
    def payloads(self) -> list[bytes]:
        """Those of what was heard, in order."""
        return [message.payload for message in self.heard]


@dataclass
class Rig:
    """A publisher with its fakes; it subscribes to ``filters``."""

    options: MqttOptions
    limits: Limits = QUICK
    in_limits: InLimits = IN_LIMITS
    filters: Sequence[str] = ()
    ear: Ear = field(default_factory=Ear)
    state: list[OutMessage] = field(default_factory=list)
    clock: float = 1_000_000.0
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    listener: Recorder = field(default_factory=Recorder)

    def publisher(self) -> Publisher:
        """The publisher; to be made inside the loop."""
        inbox = Inbox(self.ear, time.monotonic, self.in_limits)
        inbox.ask_for(self.filters)
        return Publisher(
            self.options,
            self.outbox,
            announce=self.announce,
            inbox=inbox,
            listener=self.listener,
            now=lambda: self.clock,
            rng=random.Random(1),  # noqa: S311 - jitter
            limits=self.limits,
        )

    def announce(self) -> Iterable[OutMessage]:
        """What ``state`` holds just now."""
        return iter(self.state)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Publisher]:
        """A publisher that runs inside the block; cancelled at its end if it still does."""
        publisher = self.publisher()
        task = asyncio.create_task(publisher.run())
        try:
            yield publisher
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class ParseOptions(TypedDict, total=False):
    """The settings beside url and host."""

    prefix: str
    client_id: str | None
    username: str | None
    password_file: Path | None
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    keepalive: int


def rig(url: str, limits: Limits = QUICK, **more: Unpack[ParseOptions]) -> Rig:
    """A publisher of the host ``h1`` for the broker at ``url``."""
    return Rig(MqttOptions.parse(url, host=HOST, **more), limits)


async def until(condition: Callable[[], object], within_s: float = 5.0) -> None:
    """Returns as soon as ``condition`` is true, looked at every 5 ms."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true in time")
        await asyncio.sleep(0.005)


async def stays(condition: Callable[[], object], for_s: float = 0.05) -> None:
    """Returns when ``condition`` was true all the time, looked at every 5 ms."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        assert condition()
        await asyncio.sleep(0.005)


def text(place: str, problem: str, fix: str) -> str:
    """The whole text of an error."""
    return f"{place}: {problem}\n  fix: {fix}"
