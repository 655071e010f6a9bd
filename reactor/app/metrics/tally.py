"""What is counted beside the engine, from the start of the daemon."""

from collections import Counter
from typing import Final

from reactor.core.effect import RunChanged, Trace

KEYS_MAX: Final = 10_000
"""Different keys of one counter; what comes beyond them counts as ``OTHER``."""

NAMES_MAX: Final = 500
"""Different names of events: QEMU has some 60, but what is at the other end decides."""

OTHER: Final = "other"


class Tally:
    """Counters that only grow.

    Attributes:
        events: how many events came, by name.
        runs: how many runs ended, by policy and outcome; handlers of refused matches are none.
        seconds: how long these took from their start, by policy, with how many that are.
        refused: how many matches were refused in a way that a trace tells, by policy and verdict.
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.runs: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[str, tuple[int, float]] = {}
        self.refused: Counter[tuple[str, str]] = Counter()

    def event(self, name: str) -> None:
        """One came."""
        known = name in self.events or len(self.events) < NAMES_MAX
        self.events[name if known else OTHER] += 1

    def run(self, run: RunChanged) -> None:
        """A run has changed; one that ended counts."""
        if run.ended is None or run.role != "run":
            return
        _count(self.runs, run.policy, run.outcome)
        if run.started is None:
            return
        policy = run.policy
        if policy not in self.seconds and len(self.seconds) >= KEYS_MAX:
            policy = OTHER
        number, seconds = self.seconds.get(policy, (0, 0.0))
        self.seconds[policy] = number + 1, seconds + max(0.0, run.ended - run.started)

    def trace(self, trace: Trace) -> None:
        """Something was decided; what became no run counts."""
        if not trace.run:
            _count(self.refused, trace.policy, trace.verdict)


def _count(counter: Counter[tuple[str, str]], policy: str, word: str) -> None:
    key = policy, word
    counter[key if key in counter or len(counter) < KEYS_MAX else (OTHER, OTHER)] += 1
