"""Results on their way from the writer thread to the event loops that wait for them."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable

Result = tuple[asyncio.Future[None], Exception | None]


def hand_over(results: Iterable[Result]) -> None:
    """Every future is settled in its own loop; one whose loop has ended is left alone."""
    loops = defaultdict(list)
    for result in results:
        loops[result[0].get_loop()].append(result)
    for loop, group in loops.items():
        try:
            # Once for the whole group: each call wakes the loop by a system call.
            loop.call_soon_threadsafe(_settle, group)
        except RuntimeError:
            # The loop was closed, so nobody waits any more.
            continue


def _settle(results: list[Result]) -> None:
    for future, error in results:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


class Bell:
    """Tells coroutines that a message with a higher number is durable."""

    def __init__(self, last: int) -> None:
        self._last = last
        self._lock = threading.Lock()
        self._sleepers: set[asyncio.Future[None]] = set()

    def ring(self, last: int) -> None:
        """The number of the newest message; called by the writer thread."""
        with self._lock:
            if last <= self._last:
                return
            self._last = last
            sleepers, self._sleepers = self._sleepers, set()
        hand_over((sleeper, None) for sleeper in sleepers)

    async def wait(self, after: int) -> None:
        """Returns as soon as the newest number is beyond ``after``."""
        with self._lock:
            if self._last > after:
                return
            sleeper = asyncio.get_running_loop().create_future()
            self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            with self._lock:
                self._sleepers.discard(sleeper)
