"""When reactor itself did not run: from the last that one life of it wrote to its next start."""

import math
from typing import NamedTuple

import msgspec

from reactor.adapters.journal import HistoryRow, Reader
from reactor.app.records import POLICIES, STOPPED, Rulebook
from reactor.core.foreign import UNREADABLE
from reactor.core.text import render_time

STARTS_MAX = 1000
"""Loads of the policies among which starts are looked for; each start is one."""

BACK_MAX = 200_000
"""Rows of the history that are looked through for them."""

_ENDED = "it was killed, or its host went down"


class Absence(NamedTuple):
    """A time without a daemon.

    ``since`` is the last that the journal holds of the one before; ``until`` None: none was
    started. ``stopped``: it ended in order.
    """

    since: float
    until: float | None
    stopped: bool

    def covers(self, at: float) -> bool:
        """Whether reactor did not run at that time."""
        return self.since <= at and (self.until is None or at < self.until)

    @property
    def sentence(self) -> str:
        """From when to when, and how it ended."""
        if self.until is None:
            # A copy of a journal may be looked at, too: its daemon may well run elsewhere.
            return f"no daemon runs with this journal: {self.last}"
        how = "it was stopped" if self.stopped else _ENDED
        since, until = render_time(self.since), render_time(self.until)
        return f"reactor did not run from {since} to {until}: {how}"

    @property
    def last(self) -> str:
        """How the daemon before it ended, and when, as far as its journal tells."""
        since = render_time(self.since)
        if self.stopped:
            return f"it was stopped at {since}"
        return f"the last in its journal is of {since}"


def absences(reader: Reader, after: int, upto: int) -> list[Absence]:
    """Those of which the start that ended them is a row beyond ``after``, up to ``upto``.

    Raises:
        JournalError: the journal cannot be read.
    """
    after = max(after, upto - BACK_MAX)
    found = []
    for row in reader.history(after, STARTS_MAX, kind=POLICIES, upto=upto):
        # What the earlier life wrote last; nothing where it was removed, or this is the first.
        last = reader.history(row.seq - 2, 1, upto=row.seq - 1) if _starts(row) else []
        if last:
            found.append(Absence(last[0].at, row.at, last[0].kind == STOPPED))
    return found


def within(reader: Reader, begin: float, end: float, down: Absence | None) -> list[Absence]:
    """Those that a span of time met; ``down`` is the one that goes on, where there is one.

    Raises:
        JournalError: the journal cannot be read.
    """
    first, last = reader.before(begin), reader.before(math.nextafter(end, math.inf))
    # One that goes on behind the span ends with the row behind it.
    found = absences(reader, first, last + 1)
    if down is not None and down.since <= end:
        found.append(down)
    return found


def standing(reader: Reader) -> Absence | None:
    """The one that goes on, where reactor does not run; None where it never ran.

    Raises:
        JournalError: the journal cannot be read.
    """
    last = reader.history(reader.last() - 1, 1)
    return Absence(last[0].at, None, last[0].kind == STOPPED) if last else None


def _starts(row: HistoryRow) -> bool:
    try:
        return msgspec.json.decode(row.body, type=Rulebook).starts
    except UNREADABLE:  # another version of reactor wrote it
        return False
