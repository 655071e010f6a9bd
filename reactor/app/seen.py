"""Which messages were here before, by the ids that their senders gave them."""

from collections import OrderedDict
from collections.abc import Callable

IDS_MAX = 10_000
ID_KEPT_S = 600.0
"""Seconds for which an id is remembered: a sender that lost its link repeats itself by then."""


class Seen:
    """Remembers the latest ids, for a time.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ids: OrderedDict[str, float] = OrderedDict()

    def knows(self, name: str) -> bool:
        """Whether a message of this id was remembered a short while ago."""
        at = self._ids.get(name)
        return at is not None and self._clock() < at + ID_KEPT_S

    def remember(self, name: str, ago: float = 0.0) -> None:
        """A message of this id is here, or was here so many seconds ago."""
        self._ids.pop(name, None)
        if len(self._ids) >= IDS_MAX:
            self._ids.popitem(last=False)
        self._ids[name] = self._clock() - ago
