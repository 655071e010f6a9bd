"""Moments as operators write them: a time, or how long ago."""

import time
from datetime import datetime

from reactor.cli.exits import UsageError
from reactor.core.text import parse_duration

FIX = "write 2026-01-31, '2026-01-31 12:00', 2026-01-31T12:00:00Z, or how long ago: 30m, 7d"


def parse_moment(text: str, *, place: str, now: float | None = None) -> float:
    """Seconds since the epoch; a time without a zone is one of this machine's.

    Raises:
        UsageError: it is no moment.
    """
    try:
        return (time.time() if now is None else now) - parse_duration(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(place, f"`{text}` is no moment", FIX) from None


def show_moment(at: float) -> str:
    """The moment as a person of this machine reads it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
