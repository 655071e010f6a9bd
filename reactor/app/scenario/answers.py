"""Which of the answers that a test gives to a command is its turn."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from reactor.policyfile.policy_tests import Answering, Answerings

BY_DEFAULT = Answering()


class Answerer:
    """The answers of a test, used up in order; beyond them the simulation's own."""

    def __init__(self, answerings: Answerings) -> None:
        self._answerings = dict(answerings)
        self._used: dict[tuple[str, int], int] = {}

    def change(self, answerings: Answerings) -> None:
        """From now on these commands are answered so."""
        for name, answers in answerings.items():
            self._answerings[name] = answers
            self._used = {key: count for key, count in self._used.items() if key[0] != name}

    def take(self, *names: str) -> Answering:
        """The answer to this command; of several names the first that is spoken of.

        The last name may be matched by a glob of the test (URLs).
        """
        for name in (*names, *self._globs(names)):
            for place, answering in enumerate(self._answerings.get(name, ())):
                used = self._used.get((name, place), 0)
                if answering.times is None or used < answering.times:
                    self._used[name, place] = used + 1
                    return answering
        return BY_DEFAULT

    def _globs(self, names: Iterable[str]) -> list[str]:
        return [
            pattern
            for pattern in self._answerings
            if any(pattern not in names and fnmatchcase(name, pattern) for name in names)
        ]
