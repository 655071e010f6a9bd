"""The line of inputs before the engine: in their order, bounded, and fair to every guest.

The order is that of arrival as long as few inputs wait. Of a guest that floods a
few stand in the line, and what it sends beyond them waits behind its own: the
others wait for those few, never for all. When very many guests have the same to
say, such as that they panicked, whoever has something else to say is heard in turn
with them. In every case the inputs of one guest keep their order.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from reactor.core.event import Event
from reactor.core.inputs import (
    Answered,
    Connected,
    Disconnected,
    Dropped,
    Fired,
    GuestForgotten,
    GuestKnown,
    Happened,
    Input,
    Operated,
    Received,
    Ticked,
)
from reactor.core.policy import Policy

SHORT_TURNS = 4
"""Inputs of the short line that come before one of the long line."""

REASON = "too many inputs wait"

log = structlog.get_logger("reactor")


class Adoption(msgspec.Struct, frozen=True):
    """New policies, in the same line as the inputs: what is kept keeps its order."""

    policies: Sequence[Policy]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many inputs may wait.

    In the ``line``, ``ahead`` of them of one guest; ``behind`` it, ``guest`` of
    them of one guest, and ``bytes`` of what they say. A line of ``long`` is
    long; then answers, and inputs of which fewer than ``few`` of the same kind
    wait, stand in a short one.

    Beyond the first bounds events and firings are dropped, answers never. An
    event that nobody would miss is dropped from half of them on, so that a flood
    of such events leaves room for those that somebody waits for.
    """

    line: int = 100_000
    ahead: int = 100
    behind: int = 100_000
    guest: int = 50_000
    bytes: int = 64 << 20
    long: int = 200
    few: int = 100


_Place = tuple[float, str, str, Input | Adoption]
"""When it came, its guest, its kind where that is counted, and the input."""


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
        self._line: deque[_Place] = deque()
        self._short: deque[_Place] = deque()
        self._in_short: set[str] = set()
        self._kinds: dict[str, int] = {}
        self._turn = 0
        self._ahead: dict[str, int] = {}
        self._behind: dict[str, deque[tuple[float, int, Input | Adoption]]] = {}
        self._waiting_behind = 0
        self._bytes = 0
        self._dropping: dict[str, int] = {}
        self._latest = 0.0
        self.dropped = 0
        self.missed = 0

    def __len__(self) -> int:
        return len(self._line) + len(self._short) + self._waiting_behind

    @property
    def ahead(self) -> int:
        """How many stand in line, and do not wait behind their like."""
        return len(self._line) + len(self._short)

    def put(self, at: float, input_: Input | Adoption, guest: str = "") -> None:
        """Let an input in, if there is room for it; one of no guest stands in the line at once."""
        number = self._ahead.get(guest, 0)
        if number >= self._bounds.ahead:
            self._stand_back(at, input_, guest)
            return
        waiting = len(self._line) + len(self._short)
        if waiting >= self._bounds.line // 2 and self._refuses(
            input_, guest, waiting, self._bounds.line
        ):
            return
        if guest:
            self._ahead[guest] = number + 1
        if waiting < self._bounds.long and not self._in_short:
            self._line.append((at, guest, "", input_))
        else:
            self._stand(at, input_, guest)

    def take(self) -> tuple[float, Input | Adoption]:
        """The next input, and when it came: never before the one that was taken last."""
        # Some of the short line for one of the long one: neither holds up the other.
        if self._short and (self._turn < SHORT_TURNS or not self._line):
            self._turn += 1
            at, guest, kind, input_ = self._short.popleft()
        else:
            self._turn = 0
            at, guest, kind, input_ = self._line.popleft()
        if kind:
            self._uncount(kind)
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
            if guest not in self._behind and self.ahead <= self._bounds.line // 4:
                log.warning("events are taken in again", **_named(guest), dropped=count)
                del self._dropping[guest]

    def _follow(self, guest: str) -> None:
        behind = self._behind.get(guest)
        if behind is not None:
            at, size, input_ = behind.popleft()
            self._waiting_behind -= 1
            self._bytes -= size
            self._stand(at, input_, guest)
            if not behind:
                del self._behind[guest]
        elif (left := self._ahead[guest] - 1) > 0:
            self._ahead[guest] = left
        else:
            del self._ahead[guest]
            self._in_short.discard(guest)

    def _stand(self, at: float, input_: Input | Adoption, guest: str) -> None:
        """Let it stand in one of the two lines: all of one guest stand in the same."""
        if guest in self._in_short:
            self._short.append((at, guest, "", input_))
        elif len(self._line) < self._bounds.long or not guest:
            self._line.append((at, guest, "", input_))
        else:
            kind, same = _kind_of(input_), 0
            if kind:
                same = self._kinds.get(kind, 0)
                self._kinds[kind] = same + 1
            line = self._line
            if same < self._bounds.few and self._ahead[guest] == 1:
                self._in_short.add(guest)
                line = self._short
            line.append((at, guest, kind, input_))

    def _uncount(self, kind: str) -> None:
        left = self._kinds[kind] - 1
        if left:
            self._kinds[kind] = left
        else:
            del self._kinds[kind]

    def _stand_back(self, at: float, input_: Input | Adoption, guest: str) -> None:
        bounds, own = self._bounds, self._behind.get(guest)
        if self._refuses(input_, guest, 0 if own is None else len(own), bounds.guest):
            return
        if self._refuses(input_, guest, self._waiting_behind, bounds.behind):
            return
        size = len(msgspec.json.encode(input_)) if isinstance(input_, Happened) else 0
        if self._refuses(input_, guest, self._bytes + size, bounds.bytes):
            return
        if own is None:
            own = self._behind[guest] = deque()
        own.append((at, size, input_))
        self._waiting_behind += 1
        self._bytes += size

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


def _kind_of(input_: Input | Adoption) -> str:
    """Of what there may be very many; empty for an answer: what we asked for is bounded."""
    if isinstance(input_, Answered):
        return ""
    return input_.event.name if isinstance(input_, Happened) else type(input_).__name__


def _named(guest: str) -> dict[str, str]:
    return {"guest": guest} if guest else {}


def guest_of(input_: Input, asked: Mapping[str, tuple[str, str]]) -> str:
    """The guest among whose inputs it keeps its order, empty for the host.

    Args:
        asked: by the id of an effect, which guest is asked.
    """
    match input_:
        case Happened(event):
            return event.guest
        case Answered():
            return asked.get(input_.id, ("", ""))[0]
        case GuestKnown() | GuestForgotten() | Connected() | Disconnected():
            return input_.guest
        case Fired() | Received() | Operated() | Dropped() | Ticked():
            return ""
