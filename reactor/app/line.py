"""The line of inputs before the engine: in their order, bounded, and fair to every guest.

A guest has a few inputs in the line; what it sends beyond them waits behind its
own. So the order is that of arrival until one guest floods, and then that of
arrival for each guest: the others wait for a few of its inputs, never for all.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from reactor.core.event import Event
from reactor.core.inputs import Fired, Happened, Input
from reactor.core.policy import Policy

REASON = "too many inputs wait"

log = structlog.get_logger("reactor")


class Adoption(msgspec.Struct, frozen=True):
    """New policies, in the same line as the inputs: what is kept keeps its order."""

    policies: Sequence[Policy]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many inputs may wait.

    In the ``line``, ``ahead`` of them of one guest; ``behind`` it, ``guest`` of
    them of one guest. Beyond them events and firings are dropped, answers never. An event that
    nobody would miss is dropped from half of them on, so that a flood of such
    events leaves room for those that somebody waits for.
    """

    line: int = 100_000
    ahead: int = 100
    behind: int = 100_000
    guest: int = 50_000


class Line:
    """Inputs that wait, each with the time at which it came.

    ``dropped`` counts those that were not taken in, ``missed`` those of them that a
    policy, a step or a guest's state may have needed. Each flood is told at its
    beginning and its end.

    Args:
        matters: whether anybody would miss an event.
    """

    def __init__(self, matters: Callable[[Event], bool], bounds: Bounds) -> None:
        self._matters = matters
        self._bounds = bounds
        self._line: deque[tuple[float, str, Input | Adoption]] = deque()
        self._ahead: dict[str, int] = {}
        self._behind: dict[str, deque[tuple[float, Input | Adoption]]] = {}
        self._waiting_behind = 0
        self._dropping: dict[str, int] = {}
        self._latest = 0.0
        self.dropped = 0
        self.missed = 0

    def __len__(self) -> int:
        return len(self._line) + self._waiting_behind

    @property
    def ahead(self) -> int:
        """How many stand in the line itself: so many come before what came just now."""
        return len(self._line)

    def put(self, at: float, input_: Input | Adoption, guest: str = "") -> None:
        """Let an input in, if there is room for it; one of no guest stands in the line at once."""
        number = self._ahead.get(guest, 0)
        if number >= self._bounds.ahead:
            self._stand_back(at, input_, guest)
            return
        if len(self._line) >= self._bounds.line // 2 and self._refuses(
            input_, guest, len(self._line), self._bounds.line
        ):
            return
        if guest:
            self._ahead[guest] = number + 1
        self._line.append((at, guest, input_))

    def take(self) -> tuple[float, Input | Adoption]:
        """The next input, and when it came: never before the one that was taken last."""
        at, guest, input_ = self._line.popleft()
        if guest:
            self._follow(guest)
        if at > self._latest:  # noqa: PLR1730 - max() would be a dear call on the hot path
            self._latest = at
        return self._latest, input_

    def tell_ends(self) -> None:
        """Say which floods are over: of each guest, when none of its inputs stands back."""
        if not self._dropping:
            return
        for guest, count in list(self._dropping.items()):
            if guest not in self._behind and len(self._line) <= self._bounds.line // 4:
                log.warning("events are taken in again", **_named(guest), dropped=count)
                del self._dropping[guest]

    def _follow(self, guest: str) -> None:
        behind = self._behind.get(guest)
        if behind is not None:
            at, input_ = behind.popleft()
            self._waiting_behind -= 1
            self._line.append((at, guest, input_))
            if not behind:
                del self._behind[guest]
        elif (left := self._ahead[guest] - 1) > 0:
            self._ahead[guest] = left
        else:
            del self._ahead[guest]

    def _stand_back(self, at: float, input_: Input | Adoption, guest: str) -> None:
        bounds, own = self._bounds, self._behind.get(guest)
        if self._refuses(input_, guest, 0 if own is None else len(own), bounds.guest):
            return
        if self._refuses(input_, guest, self._waiting_behind, bounds.behind):
            return
        if own is None:
            own = self._behind[guest] = deque()
        own.append((at, input_))
        self._waiting_behind += 1

    def _refuses(self, input_: Input | Adoption, guest: str, waiting: int, bound: int) -> bool:
        """Whether there is no room for it: then it is counted, and the first of a flood told."""
        if waiting < bound // 2 or not isinstance(input_, Happened | Fired):
            return False
        missed = isinstance(input_, Fired) or self._matters(input_.event)
        if missed and waiting < bound:
            return False
        self.dropped += 1
        self.missed += missed
        if guest not in self._dropping:
            log.error("events dropped", **_named(guest), reason=REASON, waiting=waiting)
        self._dropping[guest] = self._dropping.get(guest, 0) + 1
        return True


def _named(guest: str) -> dict[str, str]:
    return {"guest": guest} if guest else {}
