"""What the tests of monitors share: a listener that writes down, waiting with a limit."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from reactor.adapters.qmp import Limits, Monitors
from reactor.core.inputs import Facts
from reactor.errors import ReactorError
from tests.fakes.qmp_server import GREETING, VM, Answer, FakeMonitor


class Connected(NamedTuple):
    """``on_connected`` was called."""

    guest: str
    epoch: str
    facts: Facts


class Disconnected(NamedTuple):
    """``on_disconnected`` was called."""

    guest: str
    reason: str


class Happened(NamedTuple):
    """``on_event`` was called."""

    guest: str
    name: str
    data: Mapping[str, object]
    time: float
    foretold: bool = False


class Trouble(NamedTuple):
    """``on_trouble`` was called, with an error of this text."""

    guest: str
    text: str


Entry = Connected | Disconnected | Happened | Trouble


def story_of(entry: Entry) -> str:
    """The name of an event, the kind of any other call."""
    return entry.name if isinstance(entry, Happened) else type(entry).__name__.lower()


@dataclass
class Recorder:
    """A listener that keeps all it was told, in order.

    ``fail_on`` is the kind of call, or the event, that raises instead.
    """

    entries: list[Entry] = field(default_factory=list)
    fail_on: str = ""

    def _keep(self, entry: Entry) -> None:
        if self.fail_on and self.fail_on == story_of(entry):
            raise RuntimeError("planted")
        self.entries.append(entry)

    def on_connected(self, guest: str, epoch: str, facts: Facts) -> None:
        """Write it down."""
        self._keep(Connected(guest, epoch, facts))

    def on_disconnected(self, guest: str, reason: str) -> None:
        """Write it down."""
        self._keep(Disconnected(guest, reason))

    def on_event(
        self,
        guest: str,
        name: str,
        data: dict[str, object],
        qemu_time: float,
        foretold: bool = False,
    ) -> None:
        """Write it down."""
        self._keep(Happened(guest, name, data, qemu_time, foretold))

    def on_trouble(self, guest: str, error: ReactorError) -> None:
        """Write it down."""
        self._keep(Trouble(guest, str(error)))

    @property
    def names(self) -> list[str]:
        """The names of the events, in order."""
        return [entry.name for entry in self.entries if isinstance(entry, Happened)]

    @property
    def troubles(self) -> list[str]:
        """The texts of the troubles, in order."""
        return [entry.text for entry in self.entries if isinstance(entry, Trouble)]

    @property
    def story(self) -> list[str]:
        """What kinds of calls came, in order, events by their name."""
        return [story_of(entry) for entry in self.entries]

    def connected(self, number: int = 0) -> Connected:
        """The n-th connect."""
        return [entry for entry in self.entries if isinstance(entry, Connected)][number]


async def eventually(condition: Callable[[], object], limit_s: float = 5.0) -> None:
    """Wait until it holds; TimeoutError when it does not within the limit."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)


def chance(seed: int = 1) -> Random:
    """The same chance in every test."""
    return Random(seed)  # noqa: S311


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@dataclass
class Scene:
    """Monitors under test, their listener, and the fakes they talk to."""

    folder: Path
    monitors: Monitors
    recorder: Recorder
    fakes: list[FakeMonitor] = field(default_factory=list)
    others: list[Monitors] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)

    async def fake(
        self,
        guest: str = "web-1",
        answers: Mapping[str, Answer] = VM,
        *,
        greeting: bytes | None = GREETING,
    ) -> FakeMonitor:
        """A fake monitor that listens on ``<folder>/<guest>.sock``."""
        fake = FakeMonitor(answers, greeting=greeting)
        await fake.listen(str(self.path(guest)))
        self.fakes.append(fake)
        return fake

    async def connected(self, guest: str = "web-1") -> FakeMonitor:
        """A fake monitor of a guest that is watched and connected."""
        fake = await self.fake(guest)
        self.monitors.add(guest, str(self.path(guest)))
        await eventually(lambda: guest in self.monitors.connected())
        return fake

    def with_limits(self, limits: Limits, seed: int = 1) -> None:
        """Go on with monitors of other limits."""
        self.limits = limits
        self.others.append(self.monitors)
        self.monitors = Monitors(self.recorder, limits=limits, rng=chance(seed))

    def comparing(self, *subjects: str) -> None:
        """Go on with monitors whose connects ask for these too."""
        self.others.append(self.monitors)
        self.monitors = Monitors(
            self.recorder, limits=self.limits, rng=chance(), compared=lambda _guest: subjects
        )

    def path(self, guest: str) -> Path:
        """Where a guest's monitor listens."""
        return self.folder / f"{guest}.sock"

    async def close(self) -> None:
        """Stop everything."""
        for monitors in (*self.others, self.monitors):
            await monitors.close()
        for fake in self.fakes:
            await fake.close()
