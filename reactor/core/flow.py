"""What an operation says to the machine that performs it."""

from dataclasses import dataclass
from enum import Enum

from reactor.core.run import Outcome


class Simple(Enum):
    """Go on with the next operation, or wait to be woken."""

    NEXT = "next"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Jump:
    """Go on at another operation of the same step."""

    to: int


@dataclass(frozen=True, slots=True)
class Skip:
    """The step is not for now: go on behind its end."""

    to: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The step failed; ``unknown`` when its command may or may not have been done.

    ``step`` names the step inside it at which it failed.
    """

    reason: str
    unknown: bool = False
    step: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The step ends its section, whatever follows; ``step`` names the one inside it that does."""

    outcome: Outcome
    reason: str
    step: str = ""


Flow = Simple | Jump | Skip | Failed | Ended
NEXT = Simple.NEXT
BLOCK = Simple.BLOCK
