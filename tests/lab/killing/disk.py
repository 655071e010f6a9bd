"""A disk that fills up under the journal, and has room again."""

import contextlib
import os
import resource
import subprocess
from pathlib import Path
from typing import Final, Self

from tests.lab.killing.program import Program

_MIB: Final = 16
_NO_LIMIT: Final = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class Disk:
    """A small file system of its own for root (ENOSPC, as in life); else RLIMIT_FSIZE (EFBIG).

    The limit is the daemon's alone, lets no file grow, and is taken away again while it runs. A
    life that starts meanwhile has none: with a limit only the life that runs finds no room.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"
        self.mounted = False
        self.full = False

    @property
    def how(self) -> str:
        """Which of the two it is, for people."""
        return "tmpfs" if self.mounted else "RLIMIT_FSIZE"

    def fill(self, program: Program) -> None:
        """Not a byte more fits."""
        self.full = True
        if self.mounted:
            with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
        else:
            _limit(program.pid, (0, resource.RLIM_INFINITY))

    def empty(self, program: Program) -> None:
        """There is room again."""
        if self.mounted:
            self._ballast.unlink(missing_ok=True)
        else:
            _limit(program.pid, _NO_LIMIT)
        self.full = False

    def __enter__(self) -> Self:
        options = f"size={_MIB}m,mode=0700"
        self.mounted = (
            os.geteuid() == 0
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._folder)],
                check=False,
                capture_output=True,
            ).returncode
        )
        return self

    def __exit__(self, *_error: object) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=True)


def _limit(pid: int | None, limit: tuple[int, int]) -> None:
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
