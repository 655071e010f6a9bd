"""A run as a time line: what started it, every step, every command, and how it ended.

Made from the journal alone, so that it can be told with and without the daemon.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from reactor.adapters.journal import (
    HistoryRow,
    IntentRow,
    OutcomeRow,
    Reader,
    RunRow,
    TraceRow,
)
from reactor.app.absences import Absence, absences
from reactor.app.control.answers import RunLine
from reactor.core.admission import Verdict
from reactor.core.foreign import UNREADABLE
from reactor.core.inputs import Happened
from reactor.core.run import Phase, Run
from reactor.core.text import render_duration, render_time

EVENT = "event"
COMMAND = "command"
AWAY = "away"
BEGUN = "begun"
WAITING = "waiting"

_LOOK_AT = 1000
"""Rows of the history among which the event that started a run is looked for."""

_REFUSALS_MAX = 100
"""Refusals of one instant among which that of a handler is looked for."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line: at ``path`` of the policy ``what`` happened, and why.

    ``path`` is empty for the event and for commands, which the guest sees, and for times in which
    reactor did not run; ``ended`` is when a command was answered.
    """

    at: float
    path: str
    what: str
    reason: str = ""
    values: Mapping[str, object] = {}
    ended: float | None = None


class Timeline(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run from its event to its end; ``waits`` is what it waits for while it is open."""

    run: RunLine
    entries: list[Entry]
    key: str = ""
    revision: str = ""
    waits: str = ""


def read_timeline(reader: Reader, run: str, down: Absence | None = None) -> Timeline | None:
    """The time line of a run; None when the journal knows no such run.

    Args:
        down: since when reactor does not run, where it does not: then no run goes on.

    Raises:
        JournalError: the journal cannot be read.
    """
    row = reader.run(run)
    if row is None:
        return None
    state = _decoded(reader.kept("run", run))
    traces = reader.traces(run)
    if is_handler(row):
        # A handler was never admitted: what the limit refused is what it is about.
        traces = _refused(reader, row) + traces
    event = _event(reader, row, traces) if state is None else _origin(state)
    away = _away(reader, row, down)
    found = timeline(row, state, traces, reader.intents(run), event, away)
    if down is None or row.ended is not None:
        return found
    still = "it stands still: the daemon does not run, and goes on with it when it is started"
    return msgspec.structs.replace(found, waits="; ".join(filter(None, (still, found.waits))))


def is_handler(row: RunRow) -> bool:
    """Whether it is a policy's ``on_limit``, and no run of a match."""
    return row.body == b"on_limit"


def timeline(  # noqa: PLR0913, PLR0917 - all that the journal holds of it
    row: RunRow,
    state: Run | None,
    traces: Iterable[TraceRow],
    intents: Iterable[tuple[IntentRow, OutcomeRow | None]],
    event: Entry | None,
    away: Iterable[Entry] = (),
) -> Timeline:
    """The time line of a run from what the journal holds of it.

    Args:
        state: the run itself, kept for as long as it is open.
        event: what started it, where it is known.
        away: when reactor did not run meanwhile.
    """
    entries = [] if event is None else [event]
    entries += [_trace(row) for row in traces]
    entries += [_command(intent, outcome) for intent, outcome in intents]
    entries += away
    # An intent is written down after the trace that it follows from.
    entries.sort(key=lambda entry: entry.at)
    return Timeline(
        run=run_line(row),
        entries=entries,
        key=state.key if state else "",
        revision=state.revision if state else "",
        waits=waits(state, entries) if state and row.ended is None else "",
    )


def run_line(row: RunRow) -> RunLine:
    """A run of the journal, as lists show it."""
    return RunLine(
        run=row.id,
        policy=row.policy,
        guest=row.guest,
        state=row.state,
        outcome=row.outcome,
        reason=row.error,
        admitted=row.admitted,
        started=row.started,
        ended=row.ended,
        role=row.body.decode(errors="replace") or "run",
    )


def waits(run: Run, entries: Sequence[Entry] = ()) -> str:
    """What an open run does now, and until when it may.

    Args:
        entries: its time line, which tells the step and what it waits for.
    """
    cursor = run.cursor
    parts = [run.phase.value]
    if run.cancelled:
        parts.append(f"it ends as soon as its command in flight is answered: {run.cancelled}")
    if run.phase is Phase.WAITING_APPROVAL:
        asked = f" ({run.ask})" if run.ask else ""
        parts.append(f"`reactor approve {run.id}` answers it{asked}")
    if run.phase in {Phase.RUNNING, Phase.HANDLING}:
        parts += _at_step(run, entries)
        if cursor.attempt > 1:
            parts.append(f"attempt {cursor.attempt}")
        if cursor.deadline is not None:
            parts.append(f"the step has until {render_time(cursor.deadline)}")
        if run.deadline is not None:
            parts.append(f"the run has until {render_time(run.deadline)}")
    return "; ".join(parts)


def _at_step(run: Run, entries: Sequence[Entry]) -> list[str]:
    """The step where it stands, why it waits, and until when at most."""
    step = next((one for one in reversed(entries) if one.path), None)
    if step is None or step.what not in {BEGUN, WAITING}:
        return []
    text = f"{step.path} {step.reason}" if step.what == BEGUN else f"{step.path}: {step.reason}"
    limit = run.cursor.limit
    return [text if limit is None else f"{text}, until {render_time(limit)} at most"]


def _away(reader: Reader, row: RunRow, down: Absence | None) -> list[Entry]:
    """The times in which reactor did not run while the run was open."""
    begin = row.admitted or row.started
    if begin is None:
        return []
    upto = (
        reader.last() if row.ended is None else reader.before(math.nextafter(row.ended, math.inf))
    )
    found = absences(reader, reader.before(begin), upto)
    if down is not None and row.ended is None:
        found.append(down)
    return [Entry(one.since, "", AWAY, one.sentence) for one in found]


def _decoded(kept: bytes | None) -> Run | None:
    if kept is None:
        return None
    try:
        return msgspec.json.decode(kept, type=Run)
    except UNREADABLE:  # another version of reactor wrote it
        return None


def _origin(run: Run) -> Entry:
    """What started an open run is kept with it."""
    event = run.origin.event
    return Entry(event.received or run.admitted, "", EVENT, event.name, event.data)


def _event(reader: Reader, row: RunRow, traces: Sequence[TraceRow]) -> Entry | None:
    """What started a run that has ended: the latest event of that name before its admission.

    A match may wait to be admitted, for quiet or for an arm. None when it is not in the
    history, or not near: a schedule, a state that lasted.
    """
    if not traces:
        return None
    admitted = traces[0].trace
    name = str(admitted.values.get("event") or admitted.reason.partition(" ")[0])
    upto = reader.before(math.nextafter(admitted.at, math.inf))
    after = max(0, upto - _LOOK_AT)
    rows = reader.history(after, _LOOK_AT, guest=row.guest, name=name, upto=upto)
    return _entry_of(rows[-1]) if rows else None


def _refused(reader: Reader, row: RunRow) -> list[TraceRow]:
    """The refusal that a handler is about; its event is named in it."""
    if row.admitted is None:
        return []
    found = reader.refusals(row.policy, row.guest, row.admitted, row.admitted, _REFUSALS_MAX)
    return [one for one in found if one.trace.verdict == Verdict.LIMITED.value][:1]


def _entry_of(row: HistoryRow) -> Entry | None:
    try:
        event = msgspec.json.decode(row.body, type=Happened).event
    except UNREADABLE:
        return None
    return Entry(row.at, "", EVENT, event.name, event.data)


def _trace(row: TraceRow) -> Entry:
    trace = row.trace
    return Entry(trace.at, trace.path, trace.verdict, trace.reason, trace.values)


def _command(intent: IntentRow, outcome: OutcomeRow | None) -> Entry:
    """A command, with its arguments and how it ended."""
    text = intent.arguments.decode(errors="replace")
    what = intent.command if text in {"", "{}"} else f"{intent.command} {text}"
    if outcome is None:
        return Entry(intent.at, "", COMMAND, f"{what}: no answer yet")
    detail = outcome.detail.decode(errors="replace")
    took = render_duration(max(0.0, outcome.at - intent.at))
    end = f"{outcome.outcome} after {took}" + (f": {detail}" if detail else "")
    return Entry(intent.at, "", COMMAND, f"{what}: {end}", ended=outcome.at)
