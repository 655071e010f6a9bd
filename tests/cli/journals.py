"""Journals for the tests of the verbs that read them."""

import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from reactor.adapters.journal import InputRow, Journal
from reactor.core.event import Event
from reactor.core.inputs import Connected, Facts, Happened, Input

AT = 1_800_000_000.25
"""When the first event came: 2027-01-15T08:00:00.25Z."""


def event(name: str, guest: str = "web-1", **members: object) -> Event:
    """An event of that time; ``members`` are those of ``Event``."""
    return msgspec.structs.replace(Event(name, guest, time=AT - 0.25, received=AT), **members)


def row(input_: Input, at: float = AT) -> InputRow:
    """The row that the daemon writes."""
    match input_:
        case Happened(happened):
            return InputRow(at, happened.guest, "event", happened.name, msgspec.json.encode(input_))
        case Connected(guest):
            return InputRow(at, guest, "connected", "", msgspec.json.encode(input_))
        case _:
            raise AssertionError(input_)


def write_rows(path: Path, rows: Iterable[InputRow]) -> None:
    """Put these behind what the journal holds."""
    journal = Journal.open(path, now=time.time)
    try:
        journal.lazily(list(rows))
    finally:
        journal.close_now()


def write_events(path: Path, *events: Event) -> None:
    """Put these behind what the journal holds, the first after a row that is no event."""
    link = row(Connected("web-1", "epoch", Facts()))
    write_rows(path, [link, *(row(Happened(one)) for one in events)])
