"""Which events the steps of known policies wait for, by name."""

from reactor.core.matching import PLANS_KEPT, named
from reactor.core.ops import AwaitEvent
from reactor.core.program import Program


class Awaited:
    """The names and globs of all the waits of some programs, on whatever guest."""

    __slots__ = ("_answers", "_patterns")

    def __init__(self) -> None:
        self._patterns: dict[str, None] = {}
        self._answers: dict[str, bool] = {}

    def add(self, program: Program) -> None:
        """Know the waits of this program too."""
        for op in program.ops:
            if isinstance(op, AwaitEvent):
                self._patterns.update(dict.fromkeys(op.wait.events))
        self._answers.clear()

    def has(self, name: str) -> bool:
        """Whether a step of a program waits for events of this name."""
        answer = self._answers.get(name)
        if answer is None:
            answer = named(name, self._patterns)
            if len(self._answers) < PLANS_KEPT:
                self._answers[name] = answer
        return answer
