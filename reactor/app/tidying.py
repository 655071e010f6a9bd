"""Python's own tidying up: when nothing waits, and not in the middle of a storm."""

import asyncio
import gc
from collections.abc import Callable

LEAST_S = 60.0
"""Between two looks through everything."""

SHARE = 1000
"""A look may take one part in so many of the time: 0.1 s with thousands of guests."""

LOOK_S = 1.0
"""Between two questions whether something waits."""

PATIENCE = 10
"""So many times as long as wanted it is put off at most: what is never at rest has garbage, too."""

NEVER = 1 << 30


async def tidy(ready: asyncio.Event, is_quiet: Callable[[], bool]) -> None:
    """Look through all objects for what only refers to itself, in the right moments.

    Python itself would do so whenever there are a quarter more objects than before: in the
    middle of a storm, when a thousand runs began, and everybody waits meanwhile. Short
    looks at what is new it goes on taking by itself.

    Args:
        ready: what is there once this is set stays, and is not looked at again.
        is_quiet: whether nobody waits for anything at this moment.
    """
    await ready.wait()
    before = gc.get_threshold()
    gc.collect()
    # Out of its view, or what stays for good would be looked through each time: 50 ms.
    gc.freeze()
    gc.set_threshold(before[0], before[1], NEVER)
    try:
        await _in_quiet_moments(is_quiet)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _in_quiet_moments(is_quiet: Callable[[], bool]) -> None:
    loop, pause = asyncio.get_running_loop(), LEAST_S
    while True:
        await asyncio.sleep(pause)
        at_last = loop.time() + pause * PATIENCE
        while not is_quiet() and loop.time() < at_last:  # noqa: ASYNC110 - a question, no event
            await asyncio.sleep(LOOK_S)
        began = loop.time()
        gc.collect()
        pause = pause_after(loop.time() - began)


def pause_after(took_s: float) -> float:
    """Seconds until the next look, after one that took so long."""
    return max(LEAST_S, took_s * SHARE)
