"""What tests need beside `reactor.demo.lab`: the auditor, and a dump that hangs on demand."""

import asyncio
import fcntl
import os
import sys
import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from reactor.demo.control import Control, Json, Seen, anything
from reactor.demo.guests import Guest
from reactor.demo.waiting import until, until_async
from reactor.errors import MonitorError

HOST_RESET: Final = "host-qmp-system-reset"
"""The ``reason`` of the RESET that a ``system_reset`` makes; the firmware adds its own."""


class Audit:
    """What happened to one guest from now on, told by a monitor that the daemon cannot touch.

    Attributes:
        mark: the number of the last event that came before the audit.
    """

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.mark = guest.control.seen

    @property
    def control(self) -> Control:
        """The auditor's own connection; another one after the guest was restarted."""
        return self.guest.control

    def events(self, name: str | None = None) -> list[Seen]:
        """The events since the audit began, of one name or of all."""
        return self.control.events(name, after=self.mark)

    def story(self) -> list[str]:
        """The names of the events in order, without the resets that the firmware does itself."""
        return [event.name for event in self.events() if not _by_firmware(event)]

    def host_resets(self) -> int:
        """How often somebody sent ``system_reset``."""
        return sum(event.data["reason"] == HOST_RESET for event in self.events("RESET"))

    async def event(
        self,
        name: str,
        where: Callable[[Mapping[str, Json]], bool] = anything,
        within: float = 10.0,
    ) -> Seen:
        """The first such event since the audit began, waited for if need be."""
        return await self.control.event(name, where, after=self.mark, within=within)

    async def reaches(self, status: str, within: float = 10.0) -> None:
        """Return when the guest has that run state; QEMU is asked again and again."""

        async def there() -> bool:
            return await self.control.status() == status

        await until_async(f"guest {self.guest.name} becomes {status}", there, within)

    async def stays_without(self, name: str, seconds: float) -> None:
        """Fail as soon as such an event comes; return after so many quiet seconds."""
        try:
            event = await self.control.event(name, after=self.control.seen, within=seconds)
        except MonitorError:
            return
        raise AssertionError(f"guest {self.guest.name}: {event}")


def _by_firmware(event: Seen) -> bool:
    return event.name == "RESET" and event.data["guest"]


class Fifo:
    """A target for ``dump-guest-memory`` that takes 64 KiB, and then nothing until it is read.

    QEMU's dump stays ``active`` as long as the test likes.
    """

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self.target = f"file:{path}"
        # Opened before QEMU opens it to write, which would wait for a reader.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def begun(self, within: float = 10.0) -> None:
        """Return when the dump writes; it cannot get beyond what a pipe holds."""
        await until("the dump writes to its FIFO", lambda: self._held() > 0, within)

    def _held(self) -> int:
        held = fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4))
        return int.from_bytes(held, sys.byteorder)

    async def drain(self, within: float = 10.0) -> int:
        """Read until the writer closes its end, and give back how many bytes there were."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[int] = loop.create_future()
        taken = 0

        def take() -> None:
            nonlocal taken
            octets = os.read(self._descriptor, 1 << 20)
            taken += len(octets)
            if not octets:
                loop.remove_reader(self._descriptor)
                ended.set_result(taken)

        loop.add_reader(self._descriptor, take)
        try:
            async with asyncio.timeout(within):
                return await ended
        finally:
            loop.remove_reader(self._descriptor)

    def close(self) -> None:
        """Go away: a dump that still runs fails with ``Broken pipe``."""
        os.close(self._descriptor)
