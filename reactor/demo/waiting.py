"""Bounded polling, for what can only be looked at: a file that grows, a state that settles."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from reactor.demo.process import DemoError

_PAUSE_SECONDS: Final = 0.005


async def until(what: str, true: Callable[[], bool], within: float = 10.0) -> None:
    """Return as soon as ``true()`` holds; it is asked about 200 times a second.

    Raises:
        DemoError: it did not hold within ``within`` seconds; ``what`` is the sentence
            that did not come true.
    """

    async def ask() -> bool:
        return true()

    await until_async(what, ask, within)


async def until_async(what: str, true: Callable[[], Awaitable[bool]], within: float = 10.0) -> None:
    """As `until`, for a question that must be awaited."""
    try:
        async with asyncio.timeout(within):
            while not await true():  # noqa: ASYNC110 - nobody can tell us
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        raise DemoError(
            what, f"this did not happen within {within:g} s", "read the lab's output files"
        ) from None
