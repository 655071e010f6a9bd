"""A QEMU program with two monitors: a socket for the daemon, and a control connection of ours."""

import os
import re
import signal
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Final

from reactor.demo.control import Control
from reactor.demo.process import DemoError, Process
from reactor.errors import LostReply, MonitorError

# A comma would start another QEMU option, a slash another folder.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# sun_path has 108 bytes, the last of them is 0 (unix(7)).
_SOCKET_PATH_BYTES: Final = 107


class Emulator(ABC):
    """One QEMU program of the lab, which can be killed and started again on the same paths.

    Attributes:
        program: its name, one of `DEBIAN_PACKAGES`.
        monitor_option: how it calls the option that makes a character device a monitor.
        name: the file name of its monitor without ``.sock``, as the daemon names guests.
        monitor: the QMP socket for the daemon; QEMU makes it and, at a graceful end, removes it.
        files: the folder for its boot sector, console and output.
    """

    program: str
    monitor_option: str

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.monitor = folder / f"{name}.sock"
        self.files = folder / f"{name}.files"
        self._process: Process | None = None
        self._control: Control | None = None
        if not _NAME.fullmatch(name):
            raise DemoError(
                f"guest {name!r}",
                "this name cannot stand in a QEMU option",
                "use letters, digits, dots, dashes and underscores",
            )
        if len(os.fsencode(self.monitor)) > _SOCKET_PATH_BYTES:
            raise DemoError(
                self.monitor,
                f"a unix socket's path has at most {_SOCKET_PATH_BYTES} bytes",
                "set TMPDIR to a folder with a shorter name",
            )

    @abstractmethod
    def options(self) -> list[str]:
        """What stands on the command line after the two monitors."""

    @property
    def process(self) -> Process:
        """The process that runs now, or ran last."""
        if self._process is None:
            raise DemoError(f"guest {self.name}", "it was never started", "await start() first")
        return self._process

    @property
    def control(self) -> Control:
        """Our own QMP connection, from before the first event to the end of QEMU."""
        if self._control is None:
            raise DemoError(f"guest {self.name}", "it was never started", "await start() first")
        return self._control

    async def start(self, within: float = 20.0) -> None:
        """Return when both monitors exist and ours is negotiated.

        Raises:
            DemoError: the program is not installed, or it ended instead; then the
                problem is its last line of output.
        """
        self.files.mkdir(mode=0o700, exist_ok=True)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                arguments = [*self._monitors(theirs.fileno()), *self.options()]
                output = self.files / "output.txt"
                self._process = Process(self.program, arguments, output, [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        try:
            self._control = await Control.over(self.name, ours, within)
        except BaseException as error:
            self.process.send(signal.SIGKILL)
            await self.process.ended()
            if isinstance(error, MonitorError):
                raise self._not_started() from None
            raise

    def _monitors(self, descriptor: int) -> list[str]:
        """Both monitors, ours last: once it speaks, the daemon's socket is there.

        Ours is a connected descriptor: no path to poll for, no event can be missed, and
        nobody else can take it.
        """
        return [
            *("--chardev", f"socket,id=reactor,path={self.monitor},server=on,wait=off"),
            *("--chardev", f"socket,id=control,fd={descriptor}"),
            *(self.monitor_option, "chardev=reactor,mode=control"),
            *(self.monitor_option, "chardev=control,mode=control"),
        ]

    def _not_started(self) -> DemoError:
        return DemoError(
            f"guest {self.name}",
            f"{self.program} did not start: {self.process.last_words()}",
            f"try it by hand: {self.process.command_line()}",
        )

    def kill9(self) -> None:
        """Kill QEMU without a warning; its socket file stays behind, as it would in life."""
        self.process.send(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process (SIGSTOP): its monitors stand, and answer nothing."""
        self.process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.process.send(signal.SIGCONT)

    async def quit(self) -> int:
        """End QEMU gracefully (QMP ``quit``); its exit code."""
        with suppress(LostReply):  # it may be gone before its reply is read
            await self.control.command("quit")
        return await self.ended()

    async def ended(self, within: float = 10.0) -> int:
        """Its exit code, once it has ended by itself or by a signal.

        Raises:
            DemoError: it still runs after ``within`` seconds.
        """
        code = await self.process.ended(within)
        await self.control.lost(within)
        return code

    async def close(self) -> None:
        """Kill it if it runs, and give back what it held; a second time does nothing."""
        if self._process is not None:
            self.kill9()
            await self._process.ended()
        if self._control is not None:
            await self._control.close()

    async def restart(self) -> None:
        """Kill it and start it again on the same paths: another QEMU, with another pid."""
        await self.close()
        await self.start()
