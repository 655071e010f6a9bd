"""``reactor record``: the journal as JSON lines that replay reads."""

import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from reactor.cli.events import open_journal, path_of_settings
from reactor.cli.exits import RefusedError
from reactor.cli.moments import parse_moment
from reactor.cli.screen import reader_left
from reactor.cli.verbs import add_verb

if TYPE_CHECKING:
    from reactor.adapters.journal import Reader
    from reactor.app.replay.writing import Recorder

POLL_S = 0.2
"""Seconds between two looks for new rows."""

_PLACE = "reactor record"

JournalPath = Annotated[
    Path | None,
    typer.Option(
        "--journal", metavar="PATH", readable=False, help="The journal; else that of the settings."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", metavar="FILE", readable=False, help="The settings file."),
]
Guest = Annotated[
    str | None, typer.Option("--guest", metavar="NAME", help="Only this guest; a name or a glob.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From then on: a time, or 7d ago.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Up to then.")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes in.")]
To = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="A new file; else standard output."),
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        record,
        "reactor record --since 7d -o week.jsonl",
        "reactor record -f --guest web-1 > web-1.jsonl",
    )


def record(  # noqa: PLR0913 - one parameter for each option
    *,
    journal: JournalPath = None,
    config: Config = None,
    guest: Guest = None,
    since: Since = None,
    until: Until = None,
    follow: Follow = False,
    output: To = None,
) -> int:
    """Write what happened as JSON lines.

    Inputs, policies, commands and runs, from the journal, whether or not the daemon runs.
    `reactor replay` reads them, on any machine.
    """
    from reactor.app.replay.writing import Part, Recorder

    start = 0.0 if since is None else parse_moment(since, place=_PLACE)
    end = float("inf") if until is None else parse_moment(until, place=_PLACE)
    reader = open_journal(journal or path_of_settings(config))
    try:
        if guest is not None and not follow:
            _demand(reader, guest)
        stream = sys.stdout.buffer if output is None else _new(output)
        try:
            recorder = Recorder(reader, stream.write, Part(start, end, guest))
            recorder.write()
            if follow:
                _follow(recorder, stream)
            stream.flush()
        finally:
            if output is not None:
                stream.close()
    finally:
        reader.close()
    return 0


def _demand(reader: "Reader", guest: str) -> None:
    """Refuse a name that the journal does not know: a record without its guest is of no use."""
    from reactor.app.known import NAMES_MAX, instead

    _, guests = reader.names(NAMES_MAX + 1)
    if not any(fnmatchcase(name, guest) for name in guests):
        problem = f"the journal knows no guest {guest!r}"
        raise RefusedError(_PLACE, problem, instead("guest", guest, guests))


def _new(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except OSError as error:
        problem = f"it cannot be written: {error.strerror}"
        raise RefusedError(path, problem, "name a file that does not exist yet") from None


def _follow(recorder: "Recorder", stream: BinaryIO) -> None:
    """Write what comes in, until Ctrl-C, the end of the time, or nobody reads any more."""
    while not recorder.is_over(time.time()):
        stream.flush()
        if not recorder.write_more():
            if reader_left():
                return
            time.sleep(POLL_S)
