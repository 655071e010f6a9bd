"""A record word for word: its inputs and its answers, through the policies that were in force.

The same inputs give the same effects: what differs then is the engine.
"""

from collections.abc import Callable, Iterable, Sequence

from reactor.app.records import Asking, Rulebook
from reactor.app.replay.recording import Line
from reactor.core.effect import Effect, Keep
from reactor.core.engine import Engine
from reactor.core.inputs import Answered, Input
from reactor.core.policy import Policy


class ExactPlayer:
    """Plays the lines of a record that begins at the beginning.

    ``unasked`` counts answers of the record to what was not asked now: 0 for the engine
    that made it.

    Args:
        identity: of the journal; ids of runs begin with it.
        of_book: the policies of then.
        watch: sees every effect with its time.
    """

    def __init__(
        self,
        identity: str,
        of_book: Callable[[Rulebook], Sequence[Policy]],
        watch: Callable[[float, Effect], None],
    ) -> None:
        self._identity, self._of_book, self._watch = identity, of_book, watch
        self._engine: Engine | None = None
        self._kept: dict[tuple[str, str], bytes] = {}
        self._ever: dict[str, Policy] = {}
        self._asked: set[str] = set()
        self.inputs = 0
        self.unasked = 0

    @property
    def open_runs(self) -> int:
        """Runs that have not ended."""
        return 0 if self._engine is None else len(self._engine.world.runs)

    def play(self, lines: Iterable[Line]) -> None:
        """Play them all; nothing goes on behind the last."""
        for line in lines:
            self.inputs += 1
            if line.policies is not None:
                self._in_force(line.policies, line.at)
            elif line.input is not None and self._engine is not None:
                self._count_unasked(line.input)
                self._take(line.at, self._engine.handle(line.input, line.at))

    def _in_force(self, book: Rulebook, at: float) -> None:
        policies = self._of_book(book)
        self._ever.update((policy.revision, policy) for policy in policies)
        if self._engine is not None and not book.starts:
            self._take(at, self._engine.load(policies, at))
            return
        # By key, as SQLite gives them back.
        rows = [Keep(kind, key, value) for (kind, key), value in sorted(self._kept.items())]
        self._asked.clear()
        self._engine = Engine(book.config, self._identity)
        self._take(at, self._engine.load(policies, at))
        self._take(at, self._engine.restore(rows, self._ever, at))

    def _count_unasked(self, input_: Input) -> None:
        if isinstance(input_, Answered):
            self.unasked += input_.id not in self._asked
            self._asked.discard(input_.id)

    def _take(self, at: float, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._watch(at, effect)
            if isinstance(effect, Keep):
                if effect.value is None:
                    self._kept.pop((effect.kind, effect.key), None)
                else:
                    self._kept[effect.kind, effect.key] = effect.value
            elif isinstance(effect, Asking):
                self._asked.add(effect.id)
