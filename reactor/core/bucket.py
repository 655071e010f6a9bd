"""How often something may happen: a token for each time, and some saved for a burst."""


class Bucket:
    """So many tokens a second, at most so many saved; full at the beginning."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether there was a token; ``now`` is in seconds, and gives none when it goes back."""
        gained = max(0.0, now - self._at) * self._rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
