"""What the journal holds about a policy and a guest around a time; every method reads only."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from reactor.adapters.journal import REFUSED, HistoryRow, Reader, RunRow
from reactor.app.absences import Absence
from reactor.app.refusals import Refused, refused_of
from reactor.app.timeline import is_handler
from reactor.core.effect import Trace
from reactor.core.event import Event
from reactor.core.foreign import UNREADABLE
from reactor.core.inputs import (
    Connected,
    Disconnected,
    GuestKnown,
    Happened,
    Message,
    Missed,
    Received,
)
from reactor.core.message_telling import MESSAGE_EVENT
from reactor.core.text import clip

EVENTS_MAX = 2000
"""Events that are looked at, the nearest to the time that is asked about."""

MESSAGES_MAX = 200
"""Messages that are looked at; each may hold 64 KiB."""

REFUSALS_MAX = 500

REFUSED_LOOKED = 5000
"""Refused requests, about whomever, that are looked through."""

REFUSED_SHOWN = 20
"""Refused requests that are told, the latest."""

RUNS_MAX = 50

BACK_MAX = 200_000
"""Rows of the history among which the guest's last connect and labels are looked for."""

MESSAGE = "message"
"""What the history calls a message that came over MQTT."""

TEXTS_MAX = 20
"""Changes of a policy in the time that is looked at."""

_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of the guest, and when it was handled; of a message the message itself too."""

    at: float
    event: Event
    message: Message | None = None


@dataclass(slots=True)
class Record:
    """What was recorded from ``begin`` to ``end``.

    ``admitted`` is by which trace each run began; ``handlers`` are the policy's ``on_limit``, by
    when the limit refused, and are no runs of a match. ``labels`` are those that the guest was
    last known with, None where that is not known; ``monitor`` is what was last said of its
    monitor before ``end``. ``fired`` is when schedules of the policy were due, ``missed`` when
    the engine heard that events of the guest had been dropped, and how many of each name.
    ``refused`` are requests about the policy or the guest that were not carried out.
    ``absences`` are the times in which reactor did not run. ``cut``: there were more events
    than are looked at.
    """

    begin: float
    end: float
    events: list[Seen] = field(default_factory=list)
    messages: list[Seen] = field(default_factory=list)
    refusals: list[Trace] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    admitted: dict[str, Trace] = field(default_factory=dict)
    handlers: dict[float | None, RunRow] = field(default_factory=dict)
    fired: list[float] = field(default_factory=list)
    missed: list[tuple[float, Mapping[str, int]]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    labels: Mapping[str, str] | None = None
    monitor: tuple[float, Connected | Disconnected] | None = None
    absences: list[Absence] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A revision of the policy; ``since`` is when it came into force, None if not known.

    ``source`` None: there was no such policy at that time.
    """

    revision: str
    source: str | None
    since: float | None


def gather(  # noqa: PLR0913 - what is looked for
    reader: Reader,
    policy: str,
    guest: str,
    at: float,
    span: tuple[float, float],
    *,
    messages: bool = False,
) -> Record:
    """All that the journal holds of them in the span of time, the nearest to ``at``.

    Args:
        messages: look for those that came over MQTT too, about whatever guest.

    Raises:
        JournalError: the journal cannot be read.
    """
    begin, end = span
    record = Record(begin, end)
    first, last = reader.before(begin), reader.before(math.nextafter(end, math.inf))
    middle = min(max(reader.before(at), first), last)
    record.cut = middle - first > BACK_MAX
    first = max(first, middle - BACK_MAX)
    around = (first, middle, last)
    record.events = _around(reader, record, guest, None, around, EVENTS_MAX)
    if messages:
        record.messages = _around(reader, record, "", MESSAGE, around, MESSAGES_MAX)
    rows = reader.history(first, REFUSALS_MAX, guest="", name=policy, kind="fired", upto=last)
    record.fired = [row.at for row in rows]
    rows = reader.history(first, REFUSALS_MAX, guest=guest, kind="missed", upto=last)
    record.missed = [told for row in rows if (told := _missed(row)) is not None]
    record.refused = _refused(reader, policy, guest, first, last)
    found = reader.refusals(policy, guest, begin, end, REFUSALS_MAX)
    record.refusals = [row.trace for row in found]
    _find_runs(reader, record, policy, guest)
    _look_back(reader, guest, last, record)
    return record


def _refused(reader: Reader, policy: str, guest: str, first: int, last: int) -> list[Refused]:
    """The requests about them that were refused between two rows, the latest ones."""
    rows = reader.history(first, REFUSED_LOOKED, kind=REFUSED, upto=last)
    found = [one for row in rows if (one := refused_of(row)) is not None]
    return [one for one in found if one.concerns(policy, guest)][-REFUSED_SHOWN:]


def _find_runs(reader: Reader, record: Record, policy: str, guest: str) -> None:
    """Find the runs of that time, each with the trace by which it began, and the handlers."""
    span = (record.begin, record.end)
    record.runs = reader.runs(RUNS_MAX, policy=policy, guest=guest, within=span)[::-1]
    for run in record.runs:
        if is_handler(run):
            record.handlers[run.admitted] = run
        elif traces := reader.traces(run.id):
            record.admitted[run.id] = traces[0].trace


def texts_of(reader: Reader, policy: str, begin: float, end: float) -> list[Text]:
    """The policy as it was in force in that time, one text behind the other.

    Where nobody knows which was in force, the newest one that is known. Empty: the journal
    never saw a policy of that name.
    """
    first = reader.in_force(policy, begin)
    forces = [first] if first else []
    forces += reader.came_into_force(policy, begin, end, TEXTS_MAX)
    texts = []
    for force in forces:
        if not force.revision:
            texts.append(Text("", None, force.at))
        elif found := reader.revision(force.revision):
            texts.append(Text(found.revision, found.source, force.at))
    if not texts and (newest := reader.newest(policy)):
        texts.append(Text(newest.revision, newest.source, None))
    return texts


def text_at(texts: Sequence[Text], at: float) -> Text | None:
    """The one that was in force at that time, or else the first that came behind it."""
    before = [text for text in texts if text.since is None or text.since <= at]
    return before[-1] if before else next(iter(texts), None)


def _around(  # noqa: PLR0913, PLR0917 - which rows
    reader: Reader,
    record: Record,
    guest: str,
    kind: str | None,
    rows: tuple[int, int, int],
    most: int,
) -> list[Seen]:
    """What happened from the first to the last row, as much before the middle one as behind."""
    first, middle, last = rows
    before = list(_newest(reader, guest, first, middle, most // 2, kind))
    after = reader.history(middle, most // 2, guest=guest, kind=kind, upto=last)
    record.cut |= most // 2 in {len(before), len(after)}
    return [seen for row in before[::-1] + after if (seen := _seen(row)) is not None]


def _newest(  # noqa: PLR0913, PLR0917 - which rows
    reader: Reader, guest: str, lower: int, upper: int, enough: int, kind: str | None = None
) -> Iterator[HistoryRow]:
    """Rows of a guest from the number ``upper`` back to ``lower``, the newest first."""
    given = 0
    while upper > lower and given < enough:
        start = max(lower, upper - _PAGE)
        rows = reader.history(start, _PAGE, guest=guest, kind=kind, upto=upper)
        for row in reversed(rows):
            if given == enough:
                return
            given += 1
            yield row
        upper = start


def _seen(row: HistoryRow) -> Seen | None:
    try:
        if row.kind in {"event", "made"}:
            return Seen(row.at, msgspec.json.decode(row.body, type=Happened).event)
        if row.kind == MESSAGE:
            message = msgspec.json.decode(row.body, type=Received).message
            payload = clip(message.payload)
            data = {"topic": message.topic, "payload": payload}
            return Seen(row.at, Event(MESSAGE_EVENT, "", data, row.at, row.at), message)
    except UNREADABLE:  # another version of reactor wrote it
        return None
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


def _missed(row: HistoryRow) -> tuple[float, Mapping[str, int]] | None:
    try:
        return row.at, msgspec.json.decode(row.body, type=Missed).events
    except UNREADABLE:
        return None


def _monitor(row: HistoryRow) -> tuple[float, Connected | Disconnected] | None:
    try:
        return row.at, msgspec.json.decode(row.body, type=Connected | Disconnected)
    except UNREADABLE:
        return None
