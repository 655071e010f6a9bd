"""A journal as the lines of a recording: read page by page, beside a daemon that writes."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from reactor import __version__
from reactor.adapters.journal import HistoryRow, IntentRow, OutcomeRow, Reader, RunRow
from reactor.app.records import POLICIES, STOPPED, Rulebook
from reactor.app.replay.recording import VERSION, Head, Line, Ran, Sent, Text
from reactor.core.inputs import Disconnected, GuestForgotten, Input, Ticked

PAGE = 5000
"""Rows that are read at once."""

INPUTS = frozenset(
    "event connected disconnected guest missed fired message operator answered tick".split()
)
"""The kinds of rows that are inputs; the others say what was in force, or are made anew."""

_TICKED = Ticked()
_Row = TypeVar("_Row")
_input = msgspec.json.Decoder(Input).decode
_rulebook = msgspec.json.Decoder(Rulebook).decode


def head(reader: Reader, *, whole: bool) -> Head:
    """The head of a recording of this journal; ``whole`` where nothing is left out of it."""
    first = reader.history(0, 1)
    begins = bool(first) and first[0].seq == 1 and first[0].kind == POLICIES
    begins = begins and not reader.removed_upto()
    return Head(VERSION, reader.identity(), __version__, whole and begins)


def line_of(row: HistoryRow) -> Line | None:
    """The line of one row of the history; None when a replay has no use for it.

    Raises:
        msgspec.MsgspecError: another version of reactor wrote it differently.
    """
    if row.kind == POLICIES:
        return Line(row.at, policies=_rulebook(row.body))
    if row.kind == STOPPED:
        return Line(row.at, stopped=True)
    if row.kind == "tick":
        return Line(row.at, _TICKED)
    if row.kind not in INPUTS:
        return None
    if row.kind == "answered":
        return Line(row.at, _input(row.body), row.guest, row.name)
    return Line(row.at, _input(row.body))


def history(
    reader: Reader, after: int, upto: int, *, since: float = 0.0, until: float = float("inf")
) -> Iterator[HistoryRow]:
    """The rows of the history of that time, in their order."""
    while after < upto and (rows := reader.history(after, PAGE, upto=upto)):
        for row in rows:
            if row.at > until:
                return
            if row.at >= since:
                yield row
        after = rows[-1].seq


def preamble(reader: Reader, upto: int, at: float) -> Iterator[Line]:
    """How things stood after that row, as lines of ``at``: policies, guests, their monitors."""
    kinds = (POLICIES, "guest", "connected", "disconnected")
    latest: dict[tuple[str, str], Line] = {}
    for row in reader.latest_of_guests(kinds, upto):
        kind = "monitor" if row.kind in {"connected", "disconnected"} else row.kind
        line = line_of(row)
        if line is not None:
            # In the order in which they came: a guest that was forgotten has no monitor.
            latest.pop((kind, row.guest), None)
            latest[kind, row.guest] = line
    for (_, guest), line in latest.items():
        known = latest.get(("guest", guest))
        is_gone = known is not None and isinstance(known.input, GuestForgotten)
        if not is_gone and not isinstance(line.input, Disconnected):
            yield replace(line, at=at)


def standing(reader: Reader, upto: int) -> Iterator[Line]:
    """How things stood where retention cut the history off; nothing where it did not."""
    rows = reader.history(upto, 1) if upto else []
    if rows:
        yield from preamble(reader, upto, rows[0].at)


def texts(reader: Reader, after: int = 0) -> Iterator[tuple[int, Line]]:
    """The texts of all policies that ever were in force, each behind its number."""
    for number, found in _all(reader.revisions, after):
        yield number, Line(0.0, text=Text(found.policy, found.revision, found.source))


def sent(reader: Reader, after: int = 0) -> Iterator[tuple[int, Line]]:
    """All commands, in the order in which they were announced, each behind its number."""
    for number, (intent, outcome) in _all(reader.deeds, after):
        yield number, _sent_line(intent, outcome)


def ran(reader: Reader, after: int = 0) -> Iterator[tuple[int, Line]]:
    """All runs, in the order in which they began, each behind its number."""
    for number, run in _all(reader.runs_from, after):
        if run.body in {b"run", b""}:
            yield number, ran_line(reader, run)


def _all(
    ask: Callable[[int, int], Sequence[tuple[int, _Row]]], after: int
) -> Iterator[tuple[int, _Row]]:
    while page := ask(after, PAGE):
        yield from page
        after, _ = page[-1]


def sent_of(reader: Reader, run: str, name: str) -> Line | None:
    """One command of a run; None when there is none of that id."""
    for intent, outcome in reader.intents(run):
        if intent.id == name:
            return _sent_line(intent, outcome)
    return None


def _sent_line(intent: IntentRow, outcome: OutcomeRow | None) -> Line:
    detail = outcome.detail.decode(errors="replace") if outcome and outcome.detail else ""
    one = Sent(
        intent.id,
        intent.guest,
        intent.command,
        intent.run,
        outcome.outcome if outcome else "",
        detail,
        outcome.at if outcome else None,
    )
    return Line(intent.at, sent=one)


def ran_line(reader: Reader, run: RunRow) -> Line:
    """A run, with the steps that it began and the commands that it sent, in their order."""
    traces = [row.trace for row in reader.traces(run.id)]
    times = [run.admitted, traces[0].at if traces else None, run.started, run.ended]
    at = next((time for time in times if time is not None), 0.0)
    one = Ran(
        at,
        run.policy,
        run.guest,
        run.id,
        run.outcome if run.ended is not None else "",
        run.error,
        tuple(trace.reason for trace in traces if trace.verdict == "begun"),
        tuple(intent.command for intent, _ in reader.intents(run.id)),
    )
    return Line(at, run=one)
