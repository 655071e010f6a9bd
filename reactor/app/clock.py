"""The engine's clock: seconds since the epoch that never go back."""

import time


class Clock:
    """Wall time read once, then carried on by the monotonic clock.

    A wall clock that is set, by hand or by NTP, moves no deadline of a running
    daemon. After a restart ``floor`` keeps the clock from starting before the
    latest journaled time.
    """

    def __init__(self, floor: float = 0.0) -> None:
        self._offset = max(time.time(), floor) - time.monotonic()

    def now(self) -> float:
        """The present time, seconds since the epoch."""
        return self._offset + time.monotonic()

    def of_monotonic(self, at: float) -> float:
        """The engine's time at a moment of ``time.monotonic``."""
        return self._offset + at
