"""Times and lengths of time as operators write and read them."""

import time
from datetime import UTC, datetime, timedelta

from reactor.cli.exits import UsageError
from reactor.core.text import parse_duration, render_duration

AHEAD_S = 60.0
"""Seconds by which the clock of who asks may be behind the one that a time was read from."""

_FORMS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_FORMS_OF_TODAY = ("%H:%M:%S.%f", "%H:%M:%S", "%H:%M")

_HOW = "write 2026-01-31T12:00:00Z, '2026-01-31 12:00', 12:00 (here) or 10m (ago)"


def shown_time(at: float | None) -> str:
    """The time as people here read it, to the millisecond; ``-`` for none."""
    if at is None:
        return "-"
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    return f"{whole}.{int(at % 1 * 1000):03}"


def shown_age(at: float | None, now: float) -> str:
    """How long ago, in whole seconds beyond the first one; ``-`` for no time."""
    if at is None:
        return "-"
    age = now - at
    return render_duration(round(age, 3) if age < 1 else round(age))


def shown_length(seconds: float) -> str:
    """A length of time as people read it: to the millisecond below ten seconds, then to seconds."""
    return render_duration(round(seconds, 3) if abs(seconds) < 10 else round(seconds))


def read_time(text: str, place: str, now: float) -> float:
    """The time that somebody means, seconds since the epoch.

    An hour that is yet to come is that of yesterday: after midnight who writes 23:50 means
    the evening before.

    Raises:
        UsageError: it is none, or yet to come.
    """
    found = _read(text, place, now)
    if found > now + AHEAD_S:
        raise UsageError(place, f"{text!r} is yet to come", "write a time that has been")
    return found


def _read(text: str, place: str, now: float) -> float:
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is not None:
        return moment.astimezone(UTC).timestamp()
    for form in _FORMS:
        if (found := _parsed(text.replace("T", " "), form)) is not None:
            return found.timestamp()
    today = datetime.fromtimestamp(now)  # noqa: DTZ006 - in the time zone of who asks
    for form in _FORMS_OF_TODAY:
        if (found := _parsed(text, form)) is not None:
            at = datetime.combine(today.date(), found.time())
            is_to_come = at > today + timedelta(seconds=AHEAD_S)
            return (at - timedelta(days=is_to_come)).timestamp()
    raise UsageError(place, f"{text!r} is no time", _HOW)


def read_length(text: str, place: str) -> float:
    """Seconds of a length of time such as ``2h``.

    Raises:
        UsageError: it is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(place, str(error), "write such as 30m, 2h or 1d") from None


def read_span(text: str, place: str) -> float:
    """Seconds for which something shall stand, such as ``2h``.

    Raises:
        UsageError: it is none, or it would be over at once.
    """
    seconds = read_length(text, place)
    if seconds <= 0:
        raise UsageError(place, f"{text!r} would be over at once", "write such as 30m, 2h or 1d")
    return seconds


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - in the time zone of who asks
    except ValueError:
        return None
