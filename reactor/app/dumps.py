"""The folder of memory dumps: whether one may be written there, and what a failed one left."""

import asyncio
import os
import stat
from pathlib import Path

import structlog

from reactor.core.inputs import Answered, Refusal

log = structlog.get_logger("reactor")


class Dumps:
    """Answers for the folder ``settings.dumps.folder`` and the paths of ``dumps.allow``."""

    def __init__(self, folder: Path, allow: frozenset[str]) -> None:
        self._folder = folder
        self._allow = allow

    async def problem(self, path: str) -> str:
        """Why a dump must not be written to ``path``, or an empty string.

        The folder is made, 0700, where it is missing.
        """
        return await asyncio.to_thread(self._problem, Path(path))

    async def size(self, name: str, path: str) -> Answered:
        """What a dump has left at ``path``: its bytes, or null where there is nothing.

        ``name`` is the id of the question. An error says why it cannot be seen.
        """
        return await asyncio.to_thread(_size, name, Path(path))

    async def discard(self, path: str) -> None:
        """Remove what a failed dump left; only a plain file below the folder."""
        await asyncio.to_thread(self._discard, Path(path))

    def _problem(self, path: Path) -> str:
        try:
            if self._inside(path):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return self._parent_problem(path)
        except (OSError, ValueError) as error:
            return f"the dump path {path} cannot be used: {_why(error)}"
        if stat.S_ISREG(mode) or not self._allowed(path):
            return f"the dump target {path} exists already"
        return ""

    def _parent_problem(self, path: Path) -> str:
        parent = path.parent
        if not parent.is_dir():
            return f"the folder {parent} of the dump does not exist"
        if self._inside(path) and not self._is_ours(path):
            return f"the folder {parent} of the dump leads out of {self._folder}"
        return ""

    def _discard(self, path: Path) -> None:
        try:
            if self._is_ours(path) and stat.S_ISREG(os.lstat(path).st_mode):
                path.unlink()
                log.info("partial dump removed", path=str(path))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            log.warning("partial dump cannot be removed", path=str(path), reason=_why(error))

    def _inside(self, path: Path) -> bool:
        return _below(path, self._folder)

    def _is_ours(self, path: Path) -> bool:
        """Whether it is below the folder also where links and dots lead."""
        return self._inside(path) and _below(path.parent.resolve(), self._folder.resolve())

    def _allowed(self, path: Path) -> bool:
        return str(path) in self._allow


def _size(name: str, path: Path) -> Answered:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return Answered(name)
    except (OSError, ValueError) as error:
        return Answered(name, error=Refusal("Target", f"{path} cannot be seen: {_why(error)}"))
    if not stat.S_ISREG(found.st_mode):
        # A device or FIFO was there before the dump, and says nothing of it.
        return Answered(name, error=Refusal("Target", f"{path} is no plain file"))
    return Answered(name, result=found.st_size)


def _below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
