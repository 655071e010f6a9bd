"""What the journal holds about a policy and a guest around a time; every method reads only."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from reactor.adapters.journal import HistoryRow, Reader, Revision, RunRow
from reactor.app.foreign import UNREADABLE
from reactor.app.timeline import is_handler
from reactor.core.effect import Trace
from reactor.core.event import Event
from reactor.core.inputs import Connected, Disconnected, GuestKnown, Happened

EVENTS_MAX = 2000
"""Events that are looked at, the nearest to the time that is asked about."""

REFUSALS_MAX = 500
RUNS_MAX = 50

BACK_MAX = 200_000
"""Rows of the history among which the guest's last connect and labels are looked for."""

_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of the guest, and when it was handled."""

    at: float
    event: Event


@dataclass(slots=True)
class Record:
    """What was recorded from ``begin`` to ``end``.

    ``admitted`` is by which trace each run began; ``handlers`` are the policy's ``on_limit``, by
    when the limit refused, and are no runs of a match. ``labels`` are those that the guest was
    last known with, None where that is not known; ``monitor`` is what was last said of its
    monitor before ``end``. ``fired`` is when schedules of the policy were due. ``cut``:
    there were more events than are looked at.
    """

    begin: float
    end: float
    events: list[Seen] = field(default_factory=list)
    refusals: list[Trace] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    admitted: dict[str, Trace] = field(default_factory=dict)
    handlers: dict[float | None, RunRow] = field(default_factory=dict)
    fired: list[float] = field(default_factory=list)
    labels: Mapping[str, str] | None = None
    monitor: tuple[float, Connected | Disconnected] | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A revision of the policy; ``since`` is when it came into force, None if not known.

    ``source`` None: there was no such policy at that time.
    """

    revision: str
    source: str | None
    since: float | None


def gather(reader: Reader, policy: str, guest: str, at: float, span: tuple[float, float]) -> Record:
    """All that the journal holds of them in the span of time, the nearest to ``at``.

    Raises:
        JournalError: the journal cannot be read.
    """
    begin, end = span
    record = Record(begin, end)
    first, last = reader.before(begin), reader.before(math.nextafter(end, math.inf))
    middle = min(max(reader.before(at), first), last)
    record.cut = middle - first > BACK_MAX
    first = max(first, middle - BACK_MAX)
    before = list(_newest(reader, guest, first, middle, EVENTS_MAX // 2))
    after = reader.history(middle, EVENTS_MAX // 2, guest=guest, upto=last)
    record.cut |= EVENTS_MAX // 2 in {len(before), len(after)}
    rows = before[::-1] + after
    record.events = [seen for row in rows if (seen := _seen(row)) is not None]
    record.fired = [
        row.at
        for row in reader.history(first, REFUSALS_MAX, guest="", name=policy, upto=last)
        if row.kind == "fired"
    ]
    found = reader.refusals(policy, guest, begin, end, REFUSALS_MAX)
    record.refusals = [row.trace for row in found]
    record.runs = reader.runs(RUNS_MAX, policy=policy, guest=guest, within=span)[::-1]
    for run in record.runs:
        if is_handler(run):
            record.handlers[run.admitted] = run
        elif traces := reader.traces(run.id):
            record.admitted[run.id] = traces[0].trace
    _look_back(reader, guest, last, record)
    return record


def text_of(reader: Reader, policy: str, at: float, end: float) -> Text | None:
    """The policy as it was in force at that time, or else the newest one that is known.

    Where none was in force yet, the one that came until ``end``.

    None: the journal never saw a policy of that name.
    """
    force = reader.in_force(policy, at) or reader.in_force(policy, end)
    if force is not None and not force.revision:
        return Text("", None, force.at)
    found: Revision | None = None
    if force is not None:
        found = reader.revision(force.revision)
    since = force.at if force is not None and found is not None else None
    found = found or reader.newest(policy)
    return None if found is None else Text(found.revision, found.source, since)


def _newest(
    reader: Reader, guest: str, lower: int, upper: int, enough: int
) -> Iterator[HistoryRow]:
    """Rows of a guest from the number ``upper`` back to ``lower``, the newest first."""
    given = 0
    while upper > lower and given < enough:
        start = max(lower, upper - _PAGE)
        rows = reader.history(start, _PAGE, guest=guest, upto=upper)
        for row in reversed(rows):
            if given == enough:
                return
            given += 1
            yield row
        upper = start


def _seen(row: HistoryRow) -> Seen | None:
    if row.kind not in {"event", "made"}:
        return None
    try:
        return Seen(row.at, msgspec.json.decode(row.body, type=Happened).event)
    except UNREADABLE:  # another version of reactor wrote it
        return None


def _look_back(reader: Reader, guest: str, last: int, record: Record) -> None:
    """Find the guest's last labels, and what was last said of its monitor."""
    lowest = max(0, last - BACK_MAX)
    for row in _newest(reader, guest, lowest, last, BACK_MAX):
        if row.kind == "guest" and record.labels is None:
            record.labels = _labels(row.body)
        elif row.kind in {"connected", "disconnected"} and record.monitor is None:
            record.monitor = _monitor(row)
        if record.labels is not None and record.monitor is not None:
            return


def _labels(body: bytes) -> Mapping[str, str] | None:
    try:
        return msgspec.json.decode(body, type=GuestKnown).labels
    except UNREADABLE:  # it says that the guest was forgotten
        return None


def _monitor(row: HistoryRow) -> tuple[float, Connected | Disconnected] | None:
    try:
        return row.at, msgspec.json.decode(row.body, type=Connected | Disconnected)
    except UNREADABLE:
        return None
