"""How much room is left on a file system, asked so that one that hangs holds up nobody."""

import asyncio
import os
from dataclasses import dataclass, field

from reactor.adapters.filesystem.aside import begun
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
        try:
            answer = begun(_look, path)
        except RuntimeError as error:
            return _error(question, f"the free space of {path} cannot be asked: {error}")
        self._open += 1
        answer.add_done_callback(self._ended)
        done, _ = await asyncio.wait([answer], timeout=self.limits.answer_s)
        if not done:
            problem = f"the file system of {path} did not answer in {self.limits.answer_s:g} s"
            return _error(question, problem)
        try:
            return Answered(question.id, result=answer.result())
        except (OSError, ValueError) as error:
            why = (isinstance(error, OSError) and error.strerror) or str(error)
            return _error(question, f"the free space of {path} cannot be told: {why}")

    def _ended(self, answer: asyncio.Future[int]) -> None:
        self._open -= 1
        answer.exception()  # who asked may have gone: it counts as looked at


def _look(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _error(question: AskFree, problem: str) -> Answered:
    return Answered(question.id, error=Refusal("Space", problem))
