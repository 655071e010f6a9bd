"""Recordings: the journal's inputs and runs as JSON lines, one object a line.

The first line is the header, ``{"recording": 1, "journal": ...}``; every other one has
``at`` (seconds since the epoch) and either ``input`` or ``run``.
"""

from collections.abc import Iterator

import msgspec

from reactor.adapters.journal import HistoryRow, Reader
from reactor.core.inputs import Input

VERSION = 1
PAGE = 5000

REPLAYED = frozenset(
    {"event", "connected", "disconnected", "guest", "fired", "message", "operator"}
)
"""The kinds of rows that a replay takes in; answers and ticks are made anew."""


class Header(msgspec.Struct, frozen=True):
    """The first line; ``recording`` is the version of the format."""

    recording: int
    journal: str = ""


class Ran(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run that was: ``at`` is its admission, ``commands`` what it sent, at these ``times``."""

    at: float
    policy: str
    guest: str
    run: str = ""
    outcome: str = ""
    error: str = ""
    commands: tuple[str, ...] = ()
    times: tuple[float, ...] = ()


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a recording: an ``input`` of the engine, or a ``run`` that was."""

    at: float
    input: Input | None = None
    run: Ran | None = None


def input_of(row: HistoryRow) -> Input | None:
    """The input of a row of the history; None when a replay has no use for it.

    Raises:
        msgspec.MsgspecError: another version of reactor wrote it differently.
    """
    if row.kind not in REPLAYED:
        return None
    input_: Input = msgspec.json.decode(row.body, type=Input)
    return input_


def history(
    reader: Reader, since: float, until: float, guest: str | None = None, name: str | None = None
) -> Iterator[HistoryRow]:
    """The journal's rows of that time in their order, read page by page; of one event, or all."""
    after = reader.before(since)
    while rows := reader.history(after, PAGE, name=name):
        for row in rows:
            if row.at > until:
                return
            if row.at >= since and (guest is None or row.guest in {"", guest}):
                yield row
        after = rows[-1].seq


def runs_of(reader: Reader, since: float, until: float) -> list[Ran]:
    """The runs that were admitted in that time and have ended, the oldest first."""
    found = []
    for row in reader.runs(1_000_000):
        at = row.admitted if row.admitted is not None else row.started
        if row.ended is None or at is None or not since <= at <= until or row.body != b"run":
            continue
        sent = [intent for intent, _ in reader.intents(row.id)]
        commands, times = tuple(one.command for one in sent), tuple(one.at for one in sent)
        ran = Ran(at, row.policy, row.guest, row.id, row.outcome, row.error, commands, times)
        found.append(ran)
    return sorted(found, key=lambda ran: ran.at)


def lines(reader: Reader, since: float, until: float, guest: str | None = None) -> Iterator[bytes]:
    """The recording of that time, line by line, with its line ends."""
    encoder = msgspec.json.Encoder()
    yield encoder.encode(Header(VERSION, reader.identity())) + b"\n"
    # The runs first: an operator's order names one of them.
    for ran in runs_of(reader, since, until):
        if guest in {None, ran.guest}:
            yield encoder.encode(Line(ran.at, run=ran)) + b"\n"
    for row in history(reader, since, until, guest):
        if (line := line_of(row)) is not None:
            yield line


def line_of(row: HistoryRow) -> bytes | None:
    """The line of one row, with its line end; None when a replay has no use for it."""
    input_ = input_of(row)
    return None if input_ is None else msgspec.json.encode(Line(row.at, input_)) + b"\n"
