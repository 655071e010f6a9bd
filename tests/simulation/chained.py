"""Batches that rest on one another are written in their order: none before one that it rests on."""

from collections import deque
from collections.abc import Iterable, Iterator

from reactor.adapters.journal.rows import Batch


class Chained:
    """What one daemon posted and the disk does not have yet, in its order.

    A batch that is posted once more keeps its place.
    """

    def __init__(self) -> None:
        self._waiting: deque[Batch] = deque()

    def posted(self, batch: Batch) -> None:
        """A batch that rests on all that were posted before."""
        if not any(one is batch for one in self._waiting):
            self._waiting.append(batch)

    def written(self, batches: Iterable[Batch]) -> Iterator[str]:
        """What is wrong with the disk having these now, in words."""
        for batch in batches:
            if not any(one is batch for one in self._waiting):
                continue  # nobody said that it rests on anything
            ahead = 0
            while self._waiting[0] is not batch:
                self._waiting.rotate(-1)
                ahead += 1
            self._waiting.popleft()
            self._waiting.rotate(ahead)
            if ahead:
                yield f"a batch was written although {ahead} that it rests on are not on the disk"
