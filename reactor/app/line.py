"""The line of inputs before the engine: in their order, bounded, and fair to every guest.

The order is that of arrival as long as few inputs wait. Of a guest that floods a
few stand in the line, and what it sends beyond them waits behind its own: the
others wait for those few, never for all. When very many guests have the same to
say, such as that they panicked, the line is parted in three, that are heard in turn:
who has something else to say, what was answered, and the crowd. In every case the
inputs of one guest keep their order.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from reactor.app.records import Asked
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
    Missed,
    Operated,
    Received,
    Ticked,
)
from reactor.core.policy import Policy

TURNS = 4
"""Inputs of a shorter line that come before one of the longer lines."""

REASON = "too many inputs wait"

NAMES = 100
"""Names of dropped events that are told of one guest at once; the rest is told as OTHERS."""

OTHERS = "others"

log = structlog.get_logger("reactor")


class Adoption(msgspec.Struct, frozen=True):
    """New policies, in the same line as the inputs: what is kept keeps its order."""

    policies: Sequence[Policy]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many inputs may wait.

    In the ``line``, ``ahead`` of them of one guest; ``behind`` it, ``guest`` of
    them of one guest, and ``bytes`` of what they say. A line of ``long`` is
    parted: answers, and inputs of which fewer than ``few`` of the same kind
    wait, stand in lines of their own.

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
        self._answers: deque[_Place] = deque()
        self._rare: deque[_Place] = deque()
        self._apart: dict[str, deque[_Place]] = {}
        self._is_parted = False
        self._kinds: Counter[str] = Counter()
        self._turn = self._rare_turn = 0
        self._ahead: dict[str, int] = {}
        self._behind: dict[str, deque[tuple[float, int, Input | Adoption]]] = {}
        self._waiting_behind = 0
        self._bytes = 0
        self._dropping: dict[str, int] = {}
        self._missing: dict[str, Counter[str]] = {}
        self._latest = 0.0
        self.dropped = 0
        self.missed = 0

    def __len__(self) -> int:
        return self.ahead + self._waiting_behind

    @property
    def ahead(self) -> int:
        """How many stand in line, and do not wait behind their like."""
        return len(self._line) + len(self._answers) + len(self._rare)

    def put(self, at: float, input_: Input | Adoption, guest: str = "") -> None:
        """Let an input in, if there is room for it; one of no guest stands in the line at once."""
        number = self._ahead.get(guest, 0)
        if number >= self._bounds.ahead:
            self._stand_back(at, input_, guest)
            return
        waiting = len(self._line) + len(self._answers) + len(self._rare)
        if waiting >= self._bounds.line // 2 and self._refuses(
            input_, guest, waiting, self._bounds.line
        ):
            return
        if guest:
            self._ahead[guest] = number + 1
        if waiting < self._bounds.long and not self._is_parted:
            self._line.append((at, guest, "", input_))
        else:
            self._stand(at, input_, guest)

    def take(self) -> tuple[float, Input | Adoption]:
        """The next input, and when it came: never before the one that was taken last."""
        line = self._next() if self._is_parted else self._line
        at, guest, kind, input_ = line.popleft()
        if kind:
            self._uncount(kind)
        if guest:
            self._follow(guest)
        if self._missing and isinstance(input_, Missed):
            input_ = Missed(guest, self._missing.pop(guest))
        if at > self._latest:  # noqa: PLR1730 - max() would be a dear call on the hot path
            self._latest = at
        return self._latest, input_

    def _next(self) -> deque[_Place]:
        """Some of a shorter line for one of the longer ones: none holds up another."""
        if self._rare and (self._rare_turn < TURNS or not (self._answers or self._line)):
            self._rare_turn += 1
            return self._rare
        self._rare_turn = 0
        if self._answers and (self._turn < TURNS or not self._line):
            self._turn += 1
            return self._answers
        self._turn = 0
        return self._line

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
            if self._is_parted:
                self._apart.pop(guest, None)
                self._is_parted = bool(self._apart) or len(self._line) >= self._bounds.long // 2

    def _uncount(self, kind: str) -> None:
        left = self._kinds[kind] - 1
        if left > 0:
            self._kinds[kind] = left
        else:
            del self._kinds[kind]

    def _stand(self, at: float, input_: Input | Adoption, guest: str) -> None:
        """Let it stand in one of the lines: all of one guest stand in the same."""
        if not self._is_parted:
            if len(self._line) < self._bounds.long:
                self._line.append((at, guest, "", input_))
                return
            self._part()
        line = self._apart.get(guest)
        if line is not None:
            line.append((at, guest, "", input_))
            return
        kind = _kind_of(input_) if guest else ""
        if guest and self._ahead[guest] == 1 and self._kinds[kind] < self._bounds.few:
            line = self._apart[guest] = self._rare if kind else self._answers
        if kind:
            self._kinds[kind] += 1
        (self._line if line is None else line).append((at, guest, kind, input_))

    def _part(self) -> None:
        """Take those out of the line who say what few say."""
        places = [
            (at, guest, _kind_of(input_) if guest else "", input_)
            for at, guest, _, input_ in self._line
        ]
        self._is_parted = True
        self._kinds = Counter(kind for _, _, kind, _ in places if kind)
        crowd = {guest for _, guest, kind, _ in places if self._kinds[kind] >= self._bounds.few}
        self._line = deque(place for place in places if not place[1] or place[1] in crowd)
        for place in places:
            if (guest := place[1]) and guest not in crowd:
                own = self._rare if place[2] else self._answers
                self._apart.setdefault(guest, own).append(place)

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
        if missed and guest and isinstance(input_, Happened):
            self._miss(input_.event, guest)
        return True

    def _miss(self, event: Event, guest: str) -> None:
        """Let the engine know of it, in the place of the first that it has not heard of yet.

        What is dropped before it hears of that is told with it: QEMU is asked behind all of them.
        """
        missing = self._missing.get(guest)
        if missing is None:
            missing = self._missing[guest] = Counter()
            self.put(event.received, Missed(guest, {}), guest)
        name = event.name if event.name in missing or len(missing) < NAMES else OTHERS
        missing[name] += 1


def _kind_of(input_: Input | Adoption) -> str:
    """Of what there may be very many; empty for an answer: what we asked for is bounded."""
    if isinstance(input_, Answered):
        return ""
    return input_.event.name if isinstance(input_, Happened) else type(input_).__name__


def _named(guest: str) -> dict[str, str]:
    return {"guest": guest} if guest else {}


_NOT_ASKED = Asked()


def guest_of(input_: Input, asked: Mapping[str, Asked]) -> str:
    """The guest among whose inputs it keeps its order, empty for the host.

    Args:
        asked: by the id of an effect, which guest is asked.
    """
    match input_:
        case Happened(event):
            return event.guest
        case Answered():
            return asked.get(input_.id, _NOT_ASKED).guest
        case GuestKnown() | GuestForgotten() | Connected() | Disconnected() | Missed():
            return input_.guest
        case Fired() | Received() | Operated() | Dropped() | Ticked():
            return ""
