"""The daemon whole as a helper process: discovery, monitors, engine, journal, control socket.

What it watches, and by which policies, stands in one folder: sockets in
``crowd/`` and ``others/``, policies in ``rules/``, the journal and the log beside them.
"""

import asyncio
import sys
from pathlib import Path

import uvloop

from bench.serving import requests, until
from bench.talk import Await, End, Health, Quiet, Reply, Request, Vitals, say
from reactor.app.daemon import Daemon, run_alone
from reactor.app.logs import set_up_logs
from reactor.app.preflight import raise_file_limit
from reactor.app.settings import (
    ControlSettings,
    Discovery,
    DumpsSettings,
    HostSettings,
    JournalSettings,
    QmpSettings,
    Settings,
)

ALLOWED = frozenset({"human-monitor-command"})
"""What the policies of the bench send besides the commands that need no permission."""


def settings_of(folder: Path) -> Settings:
    """What an admin would have written for this folder."""
    return Settings(
        host=HostSettings("bench"),
        journal=JournalSettings(folder / "journal.db"),
        control=ControlSettings(folder / "control.sock"),
        discoveries=(Discovery(f"{folder}/crowd/*"), Discovery(f"{folder}/others/*")),
        rules=(folder / "rules",),
        dumps=DumpsSettings(folder / "dumps"),
        qmp=QmpSettings(ALLOWED),
    )


class Host:
    """A daemon, asked by the bench how it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemon = Daemon(settings_of(folder))

    async def live(self) -> None:
        """Serve until the bench says ``End``, or the daemon fails."""
        serving = asyncio.create_task(run_alone(self._daemon), name="daemon")
        async for request in requests():
            if serving.done():
                say(Reply(problem=f"the daemon ended: {serving.exception()!r}"))
            elif isinstance(request, End):
                self._daemon.stop()
                await serving
                say(Reply())
            else:
                say(await self._done(request))

    async def _done(self, request: Request) -> Reply:
        match request:
            case Await(folder):
                wanted = {f"{Path(folder).name}-{n}" for n in range(_entries(folder))}
                return await until(lambda: wanted <= self._connected(), f"a monitor of {folder}")
            case Quiet():
                return await until(self._is_quiet, "the end of all runs")
            case Vitals():
                return Reply(self._vitals())
            case _:
                return Reply(problem=f"the daemon cannot {request}")

    def _connected(self) -> set[str]:
        return {name for name, g in self._daemon.engine.world.guests.items() if g.connected}

    def _is_quiet(self) -> bool:
        figures = self._daemon.journal.statistics()
        world = self._daemon.engine.world
        waits = self._daemon.dispatcher.waiting or figures.commits_waiting or figures.rows_waiting
        looks = self._daemon.looker.is_busy
        return not (waits or world.runs or world.asked or looks)

    def _vitals(self) -> list[float]:
        memory, peak = _memory()
        dispatcher = self._daemon.dispatcher
        health = Health(
            memory=memory,
            peak=peak,
            files=_entries("/proc/self/fd"),
            tasks=len(asyncio.all_tasks()),
            journal=sum(file.stat().st_size for file in self._folder.glob("journal.db*")),
            dropped=dispatcher.dropped,
            missed=dispatcher.missed,
            history_dropped=self._daemon.journal.statistics().history_dropped,
        )
        return list(health)


def _entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _memory() -> tuple[float, float]:
    """Bytes in memory now, and at most since the last call; source: proc(5)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return float(sizes["VmRSS"]) * 1024, float(sizes["VmHWM"]) * 1024


def main() -> None:
    """Be the daemon of a folder."""
    folder = Path(sys.argv[1])
    raise_file_limit()
    with (folder / "log").open("w", encoding="utf-8") as log:
        set_up_logs("json", "info", log)
        uvloop.run(Host(folder).live())


if __name__ == "__main__":
    main()
