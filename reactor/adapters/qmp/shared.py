"""What all monitors of one pool share: limits, counters, and who listens."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import ParamSpec, Protocol

from reactor.core.inputs import Facts
from reactor.errors import ReactorError

P = ParamSpec("P")


class Listener(Protocol):
    """Who is told; every method is called on the loop, returns soon and does not raise.

    For one guest the order is: ``on_connected``, its events, ``on_disconnected``.
    """

    def on_connected(self, guest: str, epoch: str, facts: Facts) -> None:
        """Greeting, capabilities and facts are in; commands go through from now on."""

    def on_disconnected(self, guest: str, reason: str) -> None:
        """A monitor that was connected is not any more; ``reason`` is for people."""

    def on_event(
        self,
        guest: str,
        name: str,
        data: dict[str, object],
        qemu_time: float,
        foretold: bool = False,
    ) -> None:
        """QEMU sent an event; ``qemu_time`` is its own stamp, seconds since the epoch.

        ``foretold``: it came about before the facts of ``on_connected`` were told.
        """

    def on_trouble(self, guest: str, error: ReactorError) -> None:
        """A monitor cannot be used; told once for each change of the reason."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one monitor, or of the pool where it says so; times in seconds.

    ``commands`` counts those without a reply, given up ones too: QEMU still
    has them. ``line_bytes`` is the longest line, ``event_bytes`` the longest that
    is an event: those come unasked. ``write_bytes`` is what may wait because QEMU does not read.
    ``events_held`` may arrive before the facts are in, the latest are kept. ``connects`` are under
    way at once in the whole pool, ``guests`` are in it.
    """

    line_bytes: int = 64 * 1024 * 1024
    event_bytes: int = 256 * 1024
    write_bytes: int = 16 * 1024 * 1024
    commands: int = 256
    events_held: int = 1000
    connects: int = 64
    guests: int = 10_000
    connect_s: float = 3.0
    greeting_s: float = 3.0
    facts_s: float = 5.0
    first_delay_s: float = 0.1
    last_delay_s: float = 5.0


@dataclass(slots=True)
class Counters:
    """What the monitors of a pool have seen since its start.

    ``dropped`` are events that found their buffer full or whose monitor died
    before the facts were in; ``garbage`` are lines that were not QMP or too
    long; ``late`` are replies that nobody waited for any more; ``unsent`` are
    commands refused because too many waited already.
    """

    events: int = 0
    commands: int = 0
    connects: int = 0
    reconnects: int = 0
    dropped: int = 0
    garbage: int = 0
    late: int = 0
    unsent: int = 0


def nothing(_guest: str) -> tuple[str, ...]:
    """Nothing is compared."""
    return ()


@dataclass(slots=True)
class Shared:
    """Handed to every monitor of a pool; ``buffer`` is for ``BufferedWire``.

    ``compared`` says by guest what its connect is to ask for besides the facts.
    """

    listener: Listener
    limits: Limits
    rng: Random
    compared: Callable[[str], tuple[str, ...]] = nothing
    counters: Counters = field(default_factory=Counters)
    buffer: bytearray = field(default_factory=lambda: bytearray(256 * 1024), repr=False)

    def call(self, callback: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether a listener's method went well; what it raised goes to the loop's handler.

        One method that fails must not end the task of a monitor.
        """
        try:
            callback(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - handed on, with its trace
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"a listener of monitors failed in {callback}", "exception": error}
            )
            return False
        return True
