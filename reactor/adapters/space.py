"""How much room is left on a file system, asked so that one that hangs holds up nobody."""

import asyncio
import contextlib
import os
import threading
from dataclasses import dataclass, field

from reactor.core.effect import AskFree
from reactor.core.inputs import Answered, Refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """``at_once`` questions are open, those to a file system that hangs included."""

    at_once: int = 16
    answer_s: float = 5.0


@dataclass(slots=True)
class FreeSpace:
    """Answers questions for free space; use it inside a running loop."""

    limits: Limits = field(default_factory=Limits)
    _open: int = 0

    async def ask(self, question: AskFree) -> Answered:
        """The bytes that a program without privileges may still write there, or why not.

        A path that does not exist is an error: the room of the folder above it
        would be that of another disk when something is not mounted.
        """
        path = question.path
        if not path.startswith("/"):
            return _error(question, f"the path {path!r} must be absolute")
        if self._open >= self.limits.at_once:
            return _error(question, f"{self._open} file systems do not answer")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int | str] = loop.create_future()
        # A thread of its own: in a pool the one that hangs would be missed by others,
        # and a pool is waited for at the end of the process.
        thread = threading.Thread(target=self._look, args=(path, loop, answer), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            return _error(question, f"the free space of {path} cannot be asked: {error}")
        self._open += 1
        done, _ = await asyncio.wait([answer], timeout=self.limits.answer_s)
        if not done:
            problem = f"the file system of {path} did not answer in {self.limits.answer_s:g} s"
            return _error(question, problem)
        found = answer.result()
        if isinstance(found, str):
            return _error(question, f"the free space of {path} cannot be told: {found}")
        return Answered(question.id, result=found)

    def _look(
        self, path: str, loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[int | str]"
    ) -> None:
        try:
            found = os.statvfs(path)
            told: int | str = found.f_bavail * found.f_frsize
        except (OSError, ValueError) as error:
            told = (isinstance(error, OSError) and error.strerror) or str(error)
        with contextlib.suppress(RuntimeError):  # the loop is over, nobody waits any more
            loop.call_soon_threadsafe(self._tell, answer, told)

    def _tell(self, answer: "asyncio.Future[int | str]", told: int | str) -> None:
        self._open -= 1
        if not answer.done():
            answer.set_result(told)


def _error(question: AskFree, problem: str) -> Answered:
    return Answered(question.id, error=Refusal("Space", problem))
