"""Many monitors: a task each, one set of counters, commands by the guest's name."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Self

from reactor.adapters.qmp.address import parse_address
from reactor.adapters.qmp.commands import Then
from reactor.adapters.qmp.monitor import Monitor
from reactor.adapters.qmp.shared import Counters, Limits, Listener, Shared, nothing
from reactor.adapters.qmp.troubles import unsent
from reactor.errors import SettingsError


class Monitors:
    """Every monitor that is watched; use it inside a running loop.

    Args:
        listener: is told everything; see ``Listener`` for the order.
        rng: for the jitter of reconnects and the first command ids.
        compared: says which subjects a guest's connect is to ask for, see
            ``reactor.core.subjects``.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        limits: Limits | None = None,
        rng: Random | None = None,
        compared: Callable[[str], tuple[str, ...]] = nothing,
    ) -> None:
        chance = rng or Random()  # noqa: S311 - jitter
        self._shared = Shared(listener, limits or Limits(), chance, compared)
        self._gate = asyncio.Semaphore(self._shared.limits.connects)
        self._monitors: dict[str, Monitor] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def counters(self) -> Counters:
        """What was seen since the start, over all monitors."""
        return self._shared.counters

    def add(self, guest: str, address: str) -> None:
        """Watch a monitor from now on; it is connected as soon as it can be.

        Args:
            address: ``unix:/path``, a plain path, or ``host:port``.

        Raises:
            SettingsError: the address is none, the guest is watched already,
                or there are too many guests.
        """
        where = parse_address(address)
        if guest in self._monitors:
            raise SettingsError(
                f"guest {guest}, monitor {where}",
                "a guest of this name is watched already",
                "give every guest a name of its own",
            )
        if len(self._monitors) >= self._shared.limits.guests:
            raise SettingsError(
                f"guest {guest}, monitor {where}",
                f"{len(self._monitors)} guests are watched already, the most that is allowed",
                "watch fewer guests with this reactor",
            )
        monitor = Monitor(guest, where, self._shared, self._gate)
        self._monitors[guest] = monitor
        self._tasks[guest] = asyncio.create_task(monitor.run(), name=f"monitor {guest}")

    def remove(self, guest: str) -> None:
        """Watch it no more; ``on_disconnected`` is called before this returns.

        Commands that wait for a reply have an unknown outcome.
        """
        monitor = self._monitors.pop(guest, None)
        if monitor is None:
            return
        task = self._tasks.pop(guest)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        task.cancel()
        reason = "the guest is not watched any more"
        if monitor.stop(reason):
            self._shared.call(self._shared.listener.on_disconnected, guest, reason)

    def connected(self) -> list[str]:
        """The guests whose monitors take commands at this moment."""
        return [guest for guest, monitor in self._monitors.items() if monitor.connected]

    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        then: Then | None = None,
    ) -> asyncio.Future[object]:
        """The future of the reply; the bytes are on their way when this returns.

        The future gets what QEMU's ``return`` held, ``GuestError`` (QEMU said
        no) or ``LostReply`` (no reply within ``timeout`` seconds, or the
        connection died: outcome unknown). To cancel it is to look away: the
        command itself cannot be taken back.

        Args:
            then: called with the future as soon as it is done, before the events that
                QEMU sent after its reply.

        Raises:
            MonitorError: the command certainly was not sent.
        """
        monitor = self._monitors.get(guest)
        if monitor is None:
            raise unsent(
                guest, command, "there is no such guest", "add it to the guests of the settings"
            )
        return monitor.send(command, arguments, timeout, then)

    async def execute(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,  # noqa: ASYNC109 - the reply's own deadline: it ends in LostReply
    ) -> object:
        """What QEMU's ``return`` held.

        Raises:
            GuestError: QEMU said no.
            LostReply: it was sent, and no reply came: the outcome is unknown.
            MonitorError: it certainly was not sent.
        """
        return await self.send(guest, command, arguments, timeout=timeout)

    async def close(self) -> None:
        """Close every connection; the listener hears nothing of it.

        A guest is not lost because reactor stops: ``on_disconnected`` would
        fail runs that are to go on after a restart.
        """
        tasks = [*self._tasks.values(), *self._stopping]
        self._monitors.clear()
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_why: object) -> None:
        await self.close()
