"""Near misses: why an event did not start a run, told only to who asks."""

from dataclasses import dataclass

from reactor.core.admission import Verdict
from reactor.core.effect import Trace
from reactor.core.expr import Answer


@dataclass(slots=True)
class Miss:
    """A refusal whose sentence is made when it is read: most never are.

    ``told`` is the sentence, or the answer of the condition that did not hold.
    """

    at: float
    policy: str
    guest: str
    path: str
    verdict: Verdict
    event: str
    told: Answer | str = ""

    def trace(self) -> Trace:
        """The refusal as a trace has it."""
        told = self.told
        return Trace(
            self.at,
            self.policy,
            self.guest,
            self.path,
            self.verdict.value,
            told if isinstance(told, str) else told.reason,
            "",
            {"event": self.event},
        )
