"""The side of a helper that has an event loop."""

import asyncio
import resource
import sys
from collections.abc import AsyncIterator, Callable

from bench.talk import End, Reply, Request, decode_request

LIMIT_S = 60.0
"""Seconds until something that must come must have come."""

_LOOK_S = 0.02


async def requests() -> AsyncIterator[Request]:
    """What the bench asks for, as it comes; the last is ``End``."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        request = decode_request(line)
        yield request
        if isinstance(request, End):
            return


async def until(holds: Callable[[], bool], what: str) -> Reply:
    """An empty reply as soon as it holds, or one that says what did not come."""
    try:
        async with asyncio.timeout(LIMIT_S):
            while not holds():  # noqa: ASYNC110 - looked at seldom, so that looking costs nothing
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        return Reply(problem=f"{what} did not come within {LIMIT_S:g} s")
    return Reply()


def spent_s() -> float:
    """Processor time of this process so far, user and system, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
