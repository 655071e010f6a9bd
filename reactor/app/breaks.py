"""Which commands were decided before the monitor of their guest came or went."""

from collections import Counter
from collections.abc import Iterable

from reactor.app.calls import Deed, ToGuest, sent_to
from reactor.core.inputs import Connected, Disconnected

BREAK = Connected | Disconnected
"""A monitor came or went. Made once: a union in a call is made anew for each event."""


class Breaks:
    """Behind the line that is there by now may be another QEMU.

    A break counts from when it is heard of, whether it was handled yet or not.
    """

    def __init__(self) -> None:
        self._heard: Counter[str] = Counter()
        self._gone: set[str] = set()

    def heard(self, break_: Connected | Disconnected) -> None:
        """It stands in the line now."""
        self._heard[break_.guest] += 1

    def handled(self, break_: Connected | Disconnected, undone: Iterable[Deed]) -> None:
        """It is out of the line; ``undone`` was decided before it, and waits for the disk."""
        self._heard[break_.guest] -= 1
        if not self._heard[break_.guest]:
            del self._heard[break_.guest]
        self._gone |= sent_to(break_.guest, undone)

    def came_before(self, deed: Deed) -> bool:
        """Whether one came between this decision and now; asked once for each."""
        if deed.id in self._gone:
            self._gone.remove(deed.id)
            return True
        return isinstance(deed, ToGuest) and deed.guest in self._heard
