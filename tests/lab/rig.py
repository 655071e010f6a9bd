"""The real daemon beside real guests: in this process, so that a test can look at everything."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reactor.adapters.journal import RunRow
from reactor.app.daemon import Daemon
from reactor.app.settings import (
    Discovery,
    DumpsSettings,
    HostSettings,
    JournalSettings,
    MqttSettings,
    Settings,
)
from reactor.app.shipped import shipped_rules
from reactor.demo.dumps import dump_files
from reactor.demo.lab import Lab
from reactor.demo.waiting import until
from tests.fakes.broker import Mosquitto, Subscriber

HOST = "lab"


@dataclass
class Rig:
    """A daemon that watches a lab; ``heard`` are the MQTT messages, if there is a broker."""

    lab: Lab
    folder: Path
    settings: Settings
    daemon: Daemon | None = None
    subscriber: Subscriber | None = None
    broker: Mosquitto | None = None
    _task: "asyncio.Task[None] | None" = field(default=None, repr=False)

    async def start(self) -> "Rig":
        """Start the daemon (again): it reads the journal that is there."""
        self.daemon = Daemon(self.settings)
        self._task = asyncio.create_task(self.daemon.run())
        await self.until("the daemon is ready", self.running.ready.is_set)
        return self

    async def stop(self) -> None:
        """Stop it in order."""
        if self._task is not None and self.daemon is not None:
            self.daemon.stop()
            await self._task
        self._task = None

    @property
    def running(self) -> Daemon:
        """The daemon that runs now."""
        assert self.daemon is not None
        return self.daemon

    async def until(self, what: str, true: Callable[[], bool], within: float = 20.0) -> None:
        """Wait for something; a daemon that died meanwhile fails the test with its error."""

        def look() -> bool:
            if self._task is not None and self._task.done():
                self._task.result()
            return true()

        await until(what, look, within)

    async def watches(self, *guests: str, within: float = 20.0) -> None:
        """Return when these guests are connected and every policy is armed on them."""

        def all_there() -> bool:
            known = self.running.engine.world.guests
            return all(
                name in known
                and known[name].connected
                and all(arming.state != "arming" for arming in known[name].arming.values())
                for name in guests
            )

        await self.until(f"reactor watches {', '.join(guests)}", all_there, within)

    def runs(self) -> list[RunRow]:
        """The runs that the journal knows, the oldest first."""
        rows = self.running.journal.reader.runs(10_000)
        return sorted(rows, key=lambda row: int(row.id.rpartition("-")[2]))

    def ended(self, policy: str | None = None) -> list[RunRow]:
        """Those that have ended; without the handlers of refused matches."""
        ended = [r for r in self.runs() if r.ended is not None and r.body == b"run"]
        return [run for run in ended if policy in (None, run.policy)]

    async def outcomes(
        self, count: int, policy: str | None = None, within: float = 30.0
    ) -> list[str]:
        """How the first ``count`` runs ended, as soon as they have."""
        await self.until(f"{count} runs end", lambda: len(self.ended(policy)) >= count, within)
        return [run.outcome for run in self.ended(policy)]

    def heard(self, topic: str) -> list[Any]:
        """The payloads that came on a topic below ``reactor/HOST/``, the oldest first."""
        assert self.subscriber is not None
        payloads = self.subscriber.payloads(f"reactor/{HOST}/{topic}")
        return [json.loads(p) if p[:1] in b'{["' else p.decode() for p in payloads]

    def dumps(self) -> list[Path]:
        """The dump files, without their cards."""
        return dump_files(self.settings.dumps.folder)


@contextlib.asynccontextmanager
async def rig(
    lab: Lab,
    folder: Path,
    policies: Sequence[str] | None = None,
    *,
    broker: Mosquitto | None = None,
    **changes: Any,  # noqa: ANN401 - members of Settings
) -> AsyncIterator[Rig]:
    """A running daemon with these policies, or the shipped ones; stopped at the end."""
    rules = shipped_rules()
    if policies is not None:
        rules = folder / "rules"
        rules.mkdir(exist_ok=True)
        for number, text in enumerate(policies):
            (rules / f"{number}.yaml").write_text(text)
    settings = Settings(
        host=HostSettings(HOST),
        journal=JournalSettings(folder / "journal.db"),
        discoveries=(Discovery(lab.pattern),),
        rules=(rules,),
        mqtt=MqttSettings(broker.url) if broker else None,
        dumps=DumpsSettings(folder / "dumps"),
    )
    made = Rig(lab, folder, replace(settings, **changes), broker=broker)
    with contextlib.ExitStack() as ears:
        if broker is not None:
            made.subscriber = Subscriber(broker.port, f"reactor/{HOST}/#", qos=0)
            made.subscriber.start()
            ears.callback(made.subscriber.stop)
        await made.start()
        try:
            yield made
        finally:
            await made.stop()
