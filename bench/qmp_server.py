"""The tests' fake QMP server as a helper process, with a clock at its sockets."""

import asyncio
import time
from collections.abc import Sequence

from bench.lines import reaction_line, unmatched_line
from bench.serving import requests, until
from bench.stress import deafen, flood, mix, pulse, reaction, storm
from bench.talk import (
    COMMAND,
    Await,
    Deafen,
    End,
    Flood,
    Listen,
    Mix,
    Pulse,
    React,
    Reply,
    Request,
    Storm,
    Sweep,
    paths,
    say,
)
from tests.fakes.qmp_server import FakeMonitor

REACTION_LIMIT_S = 10.0


class Server:
    """Monitors by folder."""

    def __init__(self) -> None:
        self._folders: dict[str, Sequence[FakeMonitor]] = {}

    async def live(self) -> None:
        """Serve until the bench says ``End``."""
        async for request in requests():
            say(await self._done(request))

    async def _done(self, request: Request) -> Reply:
        match request:
            case Listen(folder, count):
                monitors = self._folders[folder] = [FakeMonitor() for _ in range(count)]
                for monitor, path in zip(monitors, paths(folder, count), strict=True):
                    await monitor.listen(path)
                return Reply()
            case Await(folder):
                watched = self._folders[folder]
                return await until(lambda: all(monitor.ready for monitor in watched), "a client")
            case React(folder, events, gap_s):
                return await self._react(self._folders[folder], events, gap_s)
            case Sweep(folder, times, gap_s):
                return await self._sweep(self._folders[folder], times, gap_s)
            case End():
                for monitor in (m for monitors in self._folders.values() for m in monitors):
                    await monitor.close()
                return Reply()
            case _:
                return await self._stressed(request)

    async def _stressed(self, request: Request) -> Reply:
        match request:
            case Pulse(folder, seconds, gap_s):
                return await pulse(self._folders[folder], seconds, gap_s)
            case Storm(folder, over_s):
                return await storm(self._folders[folder], over_s)
            case Flood():
                return await flood(self._folders[request.folder][0], request)
            case Deafen(folder, events):
                return deafen(self._folders[folder][0], events)
            case Mix(folder, rate, seconds):
                return await mix(self._folders[folder], rate, seconds)
            case _:
                return Reply(problem=f"a QMP server cannot {request}")

    async def _react(self, monitors: Sequence[FakeMonitor], events: int, gap_s: float) -> Reply:
        times = []
        for number in range(events):
            monitor = monitors[number % len(monitors)]
            try:
                async with asyncio.timeout(REACTION_LIMIT_S):
                    times.append(await reaction(monitor, reaction_line(number)))
            except TimeoutError:
                return Reply(problem=f"event {number} got no command")
            await asyncio.sleep(gap_s)
        sent = sum(command.execute == COMMAND for m in monitors for command in m.commands)
        for monitor in monitors:
            monitor.commands.clear()
        if sent != events:
            return Reply(problem=f"{events} events got {sent} commands")
        return Reply(times)

    async def _sweep(self, monitors: Sequence[FakeMonitor], times: int, gap_s: float) -> Reply:
        lines = [unmatched_line(number) for number in range(len(monitors))]
        start = time.perf_counter()
        for number in range(times):
            for monitor, line in zip(monitors, lines, strict=True):
                monitor.raw(line)
            await asyncio.sleep(start + (number + 1) * gap_s - time.perf_counter())
        return Reply([time.perf_counter() - start])


if __name__ == "__main__":
    asyncio.run(Server().live())
