"""An event loop in virtual time: nobody waits, the clock jumps to what is due next.

It has no selector, no thread and no socket, so that one seed gives one history, in
every process. What the daemon gives to a thread is done in line, a moment later.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol, TypeVar

from tests.simulation.modules import modules_of_reactor

T = TypeVar("T")

START = 1_800_000_000.0
"""What the wall clock shows when a history begins."""

THREAD_S = 0.0004
"""Seconds that a thread takes for what it is given."""

WAKEUPS_MAX = 400_000
"""Turns of the loop in one history; more is a daemon that spins."""


class StalledError(AssertionError):
    """Nothing will ever happen again, or too much does."""


class Socket(Protocol):
    """The near end of a connection that the loop is asked to drive."""

    def attach(self, protocol: asyncio.BaseProtocol) -> asyncio.Transport:
        """The transport of this protocol, connected."""
        ...


class VirtualLoop(asyncio.BaseEventLoop):
    """``time`` counts seconds from 0 and moves only between two turns of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self._moment = 0.0
        self._later: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = 0
        self._turns = 0
        self.wall_offset = START
        self.faults: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Seconds since the history began."""
        return self._moment

    def wall(self) -> float:
        """What the host's clock on the wall shows; it may be set."""
        return self._moment + self.wall_offset

    def call_at(  # type: ignore[override] # typeshed has no TypeVarTuple here
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """As asyncio's own; of two that are due at the same time the first comes first."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._number += 1
        heapq.heappush(self._later, (when, self._number, handle))
        return handle

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """It goes when it is due."""

    def _run_once(self) -> None:
        """One turn, as asyncio's own, where nothing waits for the world outside.

        Raises:
            StalledError: nothing is due, ever; or the loop does not come to rest.
        """
        later, ready = self._later, self._ready  # type: ignore[attr-defined] # asyncio's own
        while later and later[0][2].cancelled():
            heapq.heappop(later)
        if not ready and not self._stopping:  # type: ignore[attr-defined] # as above
            self._jump()
        self._turns += 1
        if self._turns > WAKEUPS_MAX:
            message = f"the daemon does not come to rest: {WAKEUPS_MAX} turns of its loop"
            raise StalledError(message)
        while later and later[0][0] <= self._moment:
            ready.append(heapq.heappop(later)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _jump(self) -> None:
        """Let the time pass until something is due."""
        if not self._later:
            message = "everybody waits, and nothing is due any more"
            raise StalledError(message)
        self._moment = max(self._moment, self._later[0][0])

    def run_in_executor(  # type: ignore[override] # typeshed has no TypeVarTuple here
        self, _executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """What a thread would do, done by this one a moment later."""
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if future.done():
                return
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is the caller's
                if not future.done():
                    future.set_exception(error)
            else:
                # The daemon may have died in it.
                if not future.done():
                    future.set_result(result)

        self.call_later(THREAD_S, work)
        return future

    async def create_unix_connection(  # type: ignore[override] # of all its ways only this one
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], *, sock: Socket
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Drive a connection of the simulation."""
        protocol = protocol_factory()
        return sock.attach(protocol), protocol

    def add_signal_handler(  # type: ignore[override] # as above
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        """No signal ever comes."""

    def remove_signal_handler(self, sig: int) -> bool:
        """There is none."""
        return bool(sig)

    def _write_to_self(self) -> None:
        """Nobody else could wake it."""

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")


class VirtualTime(ModuleType):
    """The module ``time`` as the daemon sees it in a history."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__("time")
        self._loop = loop

    def time(self) -> float:
        """The wall clock."""
        return self._loop.wall()

    def monotonic(self) -> float:
        """The clock that is never set."""
        return self._loop.time()

    def clock_gettime(self, clock: int) -> float:
        """The clock that is never set, and counts on while the host sleeps; it never does."""
        assert clock == self.CLOCK_BOOTTIME
        return self._loop.time()


@contextmanager
def virtual_time(loop: VirtualLoop) -> Iterator[None]:
    """Every module of reactor sees the loop's clocks instead of the machine's."""
    virtual = VirtualTime(loop)
    users = [module for module in modules_of_reactor() if vars(module).get("time") is time]
    for module in users:
        vars(module)["time"] = virtual
    try:
        yield
    finally:
        for module in users:
            vars(module)["time"] = time
