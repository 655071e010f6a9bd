"""The tests' fake QMP server as a helper process, with a clock at its sockets."""

import asyncio
import time
from collections.abc import Sequence

from bench.lines import reaction_line, unmatched_line
from bench.serving import requests, until
from bench.talk import COMMAND, Await, End, Listen, React, Reply, Request, Sweep, paths, say
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
                return Reply(problem=f"a QMP server cannot {request}")

    async def _react(self, monitors: Sequence[FakeMonitor], events: int, gap_s: float) -> Reply:
        times = []
        for number in range(events):
            monitor = monitors[number % len(monitors)]
            try:
                async with asyncio.timeout(REACTION_LIMIT_S):
                    times.append(await _reaction(monitor, reaction_line(number)))
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


async def _reaction(monitor: FakeMonitor, line: bytes) -> float:
    """Seconds from the event's write to the command's arrival."""
    came: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def note(name: str) -> None:
        now = time.perf_counter()
        if name == COMMAND and not came.done():
            came.set_result(now)

    monitor.on_command = note
    sent = time.perf_counter()
    monitor.raw(line)
    return await came - sent


if __name__ == "__main__":
    asyncio.run(Server().live())
