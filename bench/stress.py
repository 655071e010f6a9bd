"""What the fake QMP servers do to a daemon, and how they see that it did its work."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

from bench.lines import deaf_line, panic_line, reaction_line, unmatched_line
from bench.serving import until
from bench.talk import COMMAND, Flood, Reply
from tests.fakes.qmp_server import FakeMonitor

REACTION_LIMIT_S = 30.0

TICK_S = 0.01
"""What is sent within so long is sent together."""

UNREAD_MAX = 4 << 20
"""Bytes that wait for a client that does not keep up, before no more is sent."""


async def reaction(monitor: FakeMonitor, line: bytes) -> float:
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


async def pulse(monitors: Sequence[FakeMonitor], seconds: float, gap_s: float) -> Reply:
    """Every monitor has one reaction after the other; all their times."""
    end = time.perf_counter() + seconds
    beats = [
        _beat(monitor, end, gap_s, gap_s * number / len(monitors))
        for number, monitor in enumerate(monitors)
    ]
    try:
        times = await asyncio.gather(*beats)
    except TimeoutError:
        return Reply(problem="an event got no command")
    for monitor, own in zip(monitors, times, strict=True):
        sent = sum(command.execute == COMMAND for command in monitor.commands)
        if sent != len(own):
            return Reply(problem=f"{len(own)} events got {sent} commands")
        monitor.commands.clear()
    return Reply([took for own in times for took in own])


async def _beat(monitor: FakeMonitor, end: float, gap_s: float, wait_s: float) -> list[float]:
    times = list[float]()
    await asyncio.sleep(wait_s)
    while time.perf_counter() < end:
        async with asyncio.timeout(REACTION_LIMIT_S):
            times.append(await reaction(monitor, reaction_line(len(times))))
        await asyncio.sleep(gap_s)
    return times


async def storm(monitors: Sequence[FakeMonitor], over_s: float) -> Reply:
    """Every guest panics once; seconds until the last one has its command, and each has one."""
    got = Counter[int]()
    for number, monitor in enumerate(monitors):
        monitor.on_command = partial(_count, got, number)
    start = time.perf_counter()
    ticks = max(1, int(over_s / TICK_S))
    async for tick in _ticks(ticks):
        for number in _share(len(monitors), tick, ticks):
            monitors[number].raw(panic_line(number))
    reply = await until(lambda: len(got) == len(monitors), f"the command of all {len(monitors)}")
    took = time.perf_counter() - start
    return reply if reply.problem else Reply([took])


async def flood(monitor: FakeMonitor, asked: Flood) -> Reply:
    """Events that nobody takes, and among them some that a policy does."""
    plain = [unmatched_line(number) for number in range(asked.rate // 100)]
    got, sent, wanted = Counter[int](), 0, 0
    monitor.on_command = partial(_count, got, 0)
    start = time.perf_counter()
    ticks = max(1, int(asked.seconds / TICK_S))
    async for tick in _ticks(ticks):
        if monitor.unread_bytes < UNREAD_MAX:
            monitor.raw(b"".join(plain))
            sent += len(plain)
        for number in _share(asked.wanted, tick, ticks):
            monitor.raw(reaction_line(number))
            wanted += 1
    took = time.perf_counter() - start
    reply = await until(lambda: got[0] >= wanted, f"the command of all {wanted} wanted events")
    return reply if reply.problem else Reply([sent, wanted, took, got[0]])


def deafen(monitor: FakeMonitor, events: int) -> Reply:
    """The monitor reads no more; its guest's events still come."""
    monitor.deafen()
    for number in range(events):
        monitor.raw(deaf_line(number))
    return Reply()


async def mix(monitors: Sequence[FakeMonitor], rate: int, seconds: float) -> Reply:
    """Events for all monitors in turn, one in a hundred with a command to come."""
    got, wanted, total = Counter[int](), 0, int(rate * seconds)
    for monitor in monitors:
        monitor.on_command = partial(_count, got, 0)
    ticks = max(1, int(seconds / TICK_S))
    async for tick in _ticks(ticks):
        for number in _share(total, tick, ticks):
            is_wanted = number % 100 == 0
            wanted += is_wanted
            line = reaction_line(number) if is_wanted else unmatched_line(number)
            monitors[(number + number // 100) % len(monitors)].raw(line)
    reply = await until(lambda: got[0] >= wanted, f"the command of all {wanted} events")
    return reply if reply.problem else Reply([total, wanted, got[0]])


async def _ticks(count: int) -> AsyncIterator[int]:
    """The numbers up to ``count``, each at its time; one that is late is not waited for."""
    start = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(start + number * TICK_S - time.perf_counter())
        yield number


def _share(total: int, tick: int, ticks: int) -> Iterator[int]:
    """Which of ``total`` are this tick's."""
    yield from range(total * tick // ticks, total * (tick + 1) // ticks)


def _count(got: Counter[int], number: int, command: str) -> None:
    if command == COMMAND:
        got[number] += 1
