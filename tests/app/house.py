"""A host in a test: a daemon whole, its fake QEMUs, its rules, its journal."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reactor.adapters.journal import Reader, RunRow
from reactor.app.daemon import Daemon
from reactor.app.settings import (
    Discovery,
    DumpsSettings,
    HostSettings,
    JournalSettings,
    Settings,
)
from reactor.demo.waiting import until
from tests.app.published import wrong
from tests.fakes.broker import Mosquitto, Subscriber
from tests.fakes.qmp_server import VM, FakeMonitor

if TYPE_CHECKING:
    from reactor.adapters.supervisor import Supervisor


class FakeGuest(FakeMonitor):
    """A QEMU that panics, is reset and continued, as far as a runbook can tell."""

    def __init__(self) -> None:
        super().__init__(VM)
        self.status = "running"
        self.resets = 0
        self.answers["query-status"] = lambda _arguments: {
            "status": self.status,
            "running": self.status == "running",
            "singlestep": False,
        }
        self.answers["system_reset"] = self._reset
        self.answers["cont"] = self._cont

    def panic(self, event: str) -> None:
        """Stop with a broken kernel."""
        self.status = "guest-panicked"
        self.event(event, {"action": "pause"})
        self.event("STOP")

    def _reset(self, _arguments: Mapping[str, object]) -> object:
        self.resets += 1
        self.status = "prelaunch"
        data = {"guest": False, "reason": "host-qmp-system-reset"}
        asyncio.get_running_loop().call_soon(self.event, "RESET", data)
        return {}

    def _cont(self, _arguments: Mapping[str, object]) -> object:
        self.status = "running"
        asyncio.get_running_loop().call_soon(self.event, "RESUME")
        return {}


class House:
    """A host: its sockets, its rules, its journal, its daemon, its broker."""

    def __init__(self, tmp: Path, run: Path) -> None:
        self.tmp, self.run = tmp, run
        self.rules = tmp / "rules"
        self.rules.mkdir()
        self.settings = Settings(
            host=HostSettings("h"),
            journal=JournalSettings(tmp / "journal.db"),
            discoveries=(Discovery(f"{run}/*.sock", {"tier": "web"}),),
            rules=(self.rules,),
            dumps=DumpsSettings(tmp / "dumps"),
        )
        self.supervisor: Supervisor | None = None
        self.monitors: list[FakeMonitor] = []
        self._daemon: Daemon | None = None
        self._task: asyncio.Task[None] | None = None

    def policy(self, *texts: str) -> "House":
        """Put policies into the rules folder."""
        for text in texts:
            name = text.split("\n", 1)[0].removeprefix("policy: ")
            (self.rules / f"{name}.yaml").write_text(text)
        return self

    async def guest(self, name: str = "web-1") -> FakeGuest:
        """A QEMU that listens on its socket."""
        made = FakeGuest()
        self.monitors.append(made)
        await made.listen(f"{self.run}/{name}.sock")
        return made

    def unlink(self, name: str) -> None:
        """Remove a guest's socket, as QEMU does at its end."""
        (self.run / f"{name}.sock").unlink(missing_ok=True)

    @property
    def daemon(self) -> Daemon:
        """The one that runs, or ran."""
        assert self._daemon is not None
        return self._daemon

    async def start(self, *watched: str) -> "House":
        """Start the daemon, and wait until it watches these guests."""
        self._daemon = Daemon(self.settings, self.supervisor)
        self._task = asyncio.create_task(self._daemon.run())
        await self.until("it is ready", self._daemon.ready.is_set)
        await self.watches(*watched)
        return self

    async def watches(self, *names: str) -> None:
        """Wait until these guests are connected."""
        known = self.daemon.engine.world.guests
        await self.until(
            f"{len(names)} guests are connected",
            lambda: all(name in known and known[name].connected for name in names),
        )

    async def stop(self) -> None:
        """Stop the daemon in order."""
        task, self._task = self._task, None
        if task is not None:
            self.daemon.stop()
            await task

    async def ended(self) -> None:
        """The daemon's own end."""
        assert self._task is not None
        task, self._task = self._task, None
        await asyncio.wait_for(task, 15.0)

    async def until(self, what: str, true: Callable[[], bool], within: float = 15.0) -> None:
        """Wait for something; a daemon that died fails the test with its error."""

        def look() -> bool:
            if self._task is not None and self._task.done():
                self._task.result()
            return true()

        await until(what, look, within)

    async def rest(self) -> None:
        """Wait until no run is open: behind a flood, on a busy machine, that takes its time."""
        dispatcher = self.daemon.dispatcher
        await self.until(
            "all is done",
            lambda: not self.daemon.engine.world.runs and not dispatcher.waiting,
            within=40.0,
        )

    def runs(self) -> list[RunRow]:
        """Those of the journal that have ended, the oldest first."""
        rows = [row for row in self.daemon.journal.reader.runs(10_000) if row.ended is not None]
        return sorted(rows, key=lambda row: int(row.id.rpartition("-")[2]))

    def runs_on_disk(self) -> list[RunRow]:
        """All that the journal knows while no daemon runs, the newest first."""
        reader = Reader(self.settings.journal.path)
        try:
            return reader.runs(10)
        finally:
            reader.close()

    async def outcomes(self, count: int) -> list[tuple[str, str]]:
        """Policy and outcome of the first runs, as soon as there are so many."""
        await self.until(f"{count} runs ended", lambda: len(self.runs()) >= count)
        return [(row.policy, row.outcome) for row in self.runs()]

    def history(self, kind: str) -> list[Any]:
        """Inputs of one kind in the journal."""
        rows = self.daemon.journal.reader.history(0, 100_000)
        return [row for row in rows if row.kind == kind]

    async def clear(self) -> None:
        """Leave nothing behind."""
        try:
            await self.stop()
        finally:
            for monitor in self.monitors:
                await monitor.close()


@contextlib.contextmanager
def hears(broker: Mosquitto, user: str | None = None) -> Iterator[Subscriber]:
    """Somebody who listens to everything, and holds it against the reference.

    A user's password is its name.
    """
    made = Subscriber(broker.port, "reactor/#", qos=0, username=user, password=user)
    with made as subscriber:
        yield subscriber
        assert wrong(subscriber.messages, "reactor/h") == []


def said(subscriber: Subscriber, topic: str) -> list[Any]:
    """The payloads on a topic below the host's."""
    payloads = subscriber.payloads(f"reactor/h/{topic}")
    return [json.loads(p) if p[:1] in b"{[" and p else p.decode() for p in payloads]
