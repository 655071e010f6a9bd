"""Child processes of the lab: found, started, waited for, and never left behind."""

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reactor.errors import ReactorError

DEBIAN_PACKAGES: Final = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-storage-daemon": "qemu-system-common",
    "mosquitto": "mosquitto",
    "qemu-ga": "qemu-guest-agent",
    "setpriv": "util-linux",
}
"""The programs that the lab needs, and the Debian 12 package of each."""


class DemoError(ReactorError):
    """The lab cannot do what it was asked to: a program is missing, or QEMU did not start."""


def find_program(name: str) -> str:
    """The path of a program of `DEBIAN_PACKAGES`.

    Raises:
        DemoError: it is not on PATH; the fix names the package.
    """
    # Debian keeps brokers in /usr/sbin, which is not on every user's PATH.
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        raise DemoError(
            name,
            "this program is not installed",
            f"install it, on Debian: apt install {DEBIAN_PACKAGES[name]}",
        )
    return path


class Process:
    """One child in a process group of its own, so that Ctrl-C on the terminal does not reach it.

    The kernel kills it when the THREAD that started it ends, however it ends (`setpriv
    --pdeathsig`; prctl(2)): start children from a thread that lives as long as they may,
    such as the main thread. Unlike a preexec function this runs no Python between fork and
    exec, so it is safe with threads.

    Args:
        program: a name of `DEBIAN_PACKAGES`.
        output: the file that gets its standard output and error.
        pass_fds: descriptors that it inherits, under the same numbers.
    """

    def __init__(
        self, program: str, arguments: Sequence[str], output: Path, pass_fds: Sequence[int] = ()
    ) -> None:
        self.program = program
        self.output = output
        self.command = [find_program(program), *arguments]
        with output.open("wb") as sink:
            self._child = subprocess.Popen(
                [find_program("setpriv"), "--pdeathsig", "KILL", "--", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(pass_fds),
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """The process id: setpriv becomes the program, the id stays."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._child.poll()

    def send(self, number: signal.Signals) -> None:
        """Deliver a signal, if it still runs; nobody else can have its id, it is our child."""
        self._child.send_signal(number)

    async def ended(self, within: float = 5.0) -> int:
        """Its exit code, as soon as it has ended.

        Raises:
            DemoError: it still runs after ``within`` seconds.
        """
        if self.exit_code is None:
            await self._wait(within)
        return self._child.wait()

    async def _wait(self, within: float) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        descriptor = os.pidfd_open(self.pid)
        loop.add_reader(descriptor, over.set)
        try:
            async with asyncio.timeout(within):
                await over.wait()
        except TimeoutError:
            raise DemoError(
                f"process {self.pid} ({self.program})",
                f"it still runs after {within:g} s",
                "look at what it waits for, or kill it",
            ) from None
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def rss_bytes(self) -> int:
        """The memory that it occupies now, code and shared pages included (proc(5), statm)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def last_words(self) -> str:
        """The last line that it printed, or its exit code when it printed nothing."""
        lines = self.output.read_text("utf-8", "replace").split("\n")
        printed = [line for line in lines if line.strip()]
        return printed[-1] if printed else f"exit code {self.exit_code}, no output"

    def command_line(self) -> str:
        """What a person can paste into a shell to start it by hand."""
        return shlex.join(self.command)
