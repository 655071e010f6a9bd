"""``reactor events``: what the journal holds, and what comes in."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.exits import NotRunningError, RefusedError, UsageError
from reactor.cli.screen import Lines, Screen, reader_left, to_json
from reactor.cli.verbs import add_verb
from reactor.errors import JournalError

if TYPE_CHECKING:
    from reactor.adapters.journal import HistoryRow, Reader
    from reactor.app.known import Unknown
    from reactor.core.event import Event

PAGE = 5000
"""Rows of the journal that are read at once."""

_REFUSED = "refused"
"""The kind of their rows, as ``reactor.app.refusals`` has it, which takes long to import."""

POLL_S = 0.2
"""Seconds between two looks for new rows."""

Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes in.")]
JournalPath = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="PATH",
        readable=False,
        help="The journal; else that of the settings.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", metavar="FILE", readable=False, help="The settings file."),
]
Guest = Annotated[
    str | None, typer.Option("--guest", metavar="NAME", help="Only this guest; a name or a glob.")
]
Name = Annotated[
    str | None,
    typer.Option("--event", metavar="NAME", help="Only these events; a name or a quoted glob."),
]
Number = Annotated[
    int, typer.Option("-n", "--lines", min=0, metavar="N", help="How many of the latest to show.")
]
Refused = Annotated[
    bool, typer.Option("--refused", help="Requests that were refused, in place of events.")
]
Output = Annotated[Lines, typer.Option("-o", "--output", help="For people or for programs.")]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        events,
        "reactor events -f",
        "reactor events --guest 'web-*' --event 'BLOCK_*' -n 100",
        "reactor events -f -o jsonl | jq .data",
        "reactor events --refused --guest web-1",
    )


def events(  # noqa: PLR0913 - one parameter for each option
    *,
    follow: Follow = False,
    journal: JournalPath = None,
    config: Config = None,
    guest: Guest = None,
    event: Name = None,
    lines: Number = 20,
    refused: Refused = False,
    output: Output = "text",
) -> int:
    """Show the latest events of the guests.

    As QEMU sent them; from the journal, whether or not the daemon runs. With --refused: the
    orders, questions and messages that were not carried out, and why.
    """
    if follow and output == "json":
        fix = "write `-o jsonl`: one JSON object a line"
        raise UsageError("reactor events", "`-o json` is a list, and -f has no end", fix)
    path = journal or path_of_settings(config)
    reader = open_journal(path)
    try:
        wanted = _filter(guest, event, refused=refused)
        recent, last = _recent(reader, wanted, lines)
        # A request may name a guest that nobody has: that is why it was refused.
        if not refused and not recent and lines and (wrong := _unknown(reader, guest, event)):
            if not follow:
                raise RefusedError("reactor events", wrong.problem, wrong.fix)
            # It may yet come.
            text = f"{wrong.problem}; {wrong.fix}, or wait for it"
            Screen(sys.stderr).line(("note: ", "yellow"), text)
        _show(recent, output)
        if follow:
            _follow(reader, wanted, last, output)
    finally:
        reader.close()
    return 0


def path_of_settings(config: Path | None) -> Path:
    """Where the settings say that the journal is."""
    from reactor.app.settings_layers import Flags
    from reactor.app.settings_load import load_settings

    return load_settings(Flags(config=config)).journal.path


def open_journal(path: Path) -> "Reader":
    """The journal, to be read whether or not a daemon writes it.

    Raises:
        NotRunningError: there is none.
        JournalError: it cannot be read.
    """
    from reactor.adapters.journal import Reader

    try:
        path.stat()
    except FileNotFoundError:
        fix = "start the daemon first (`reactor run`), or name its journal with --journal or -c"
        raise NotRunningError(path, "there is no journal here", fix) from None
    except OSError as error:
        problem = f"the journal cannot be read: {error.strerror}"
        fix = "run this as the user that runs the daemon"
        raise JournalError(path, problem, fix) from None
    return Reader(path)


def _filter(
    guest: str | None, name: str | None, *, refused: bool
) -> Callable[["HistoryRow"], bool]:
    kinds = {_REFUSED} if refused else {"event", "made"}

    def wanted(row: "HistoryRow") -> bool:
        return (
            row.kind in kinds
            and (guest is None or fnmatchcase(row.guest, guest))
            and (name is None or fnmatchcase(row.name, name))
        )

    return wanted


def _unknown(reader: "Reader", guest: str | None, event: str | None) -> "Unknown | None":
    """The name or glob that fits nothing that there is: a typo, most likely."""
    from reactor.app.known import NAMES_MAX, Unknown, instead
    from reactor.policyfile.event_shapes import known_events

    _, guests = reader.names(NAMES_MAX + 1)
    if guest is not None and not any(fnmatchcase(name, guest) for name in guests):
        problem = f"the journal knows no guest {guest!r}"
        return Unknown(problem, instead("guest", guest, guests))
    if event is not None and not any(fnmatchcase(name, event) for name in known_events()):
        return Unknown(f"no event is called {event!r}", instead("event", event, known_events()))
    return None


def _recent(
    reader: "Reader", wanted: Callable[["HistoryRow"], bool], number: int
) -> tuple[deque["HistoryRow"], int]:
    """The latest rows that are wanted, and the number of the journal's newest row."""
    last = upper = reader.last()
    first = next((row.seq for row in reader.history(0, 1)), last + 1)
    found: deque[HistoryRow] = deque()
    while upper >= first and len(found) < number:
        # Backwards: what is asked for is nearly always near the end.
        lower = max(first - 1, upper - PAGE)
        rows = reader.history(lower, upper - lower)
        found.extendleft(row for row in reversed(rows) if row.seq <= upper and wanted(row))
        upper = lower
    while len(found) > number:
        found.popleft()
    return found, last


def _follow(
    reader: "Reader", wanted: Callable[["HistoryRow"], bool], after: int, output: Lines
) -> None:
    """Show what comes in, until somebody presses Ctrl-C or nobody reads any more."""
    while True:
        rows = reader.history(after, PAGE)
        if rows:
            after = rows[-1].seq
            _show(filter(wanted, rows), output)
        elif reader_left():
            return
        else:
            time.sleep(POLL_S)


def _show(rows: Iterable["HistoryRow"], output: Lines) -> None:
    screen = Screen()
    match output:
        case "text":
            for row in rows:
                _show_line(row, screen)
        case "jsonl":
            for row in rows:
                print(to_json(_as_data(row)))
        case "json":
            print(to_json([_as_data(row) for row in rows], indent=2))
    screen.flush()


def _show_line(row: "HistoryRow", screen: Screen) -> None:
    data = _said(row)
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.at))
    at += f".{int(row.at % 1 * 1000):03}"
    screen.line((at, "dim"), "  ", (row.guest, "bold"), "  ", (row.name, "cyan"), "  ", data)


def _said(row: "HistoryRow") -> str:
    """What there is to be told of it."""
    if row.kind == _REFUSED:
        from reactor.app.refusals import refused_of

        refused = refused_of(row)
        return "(it cannot be read)" if refused is None else refused.sentence
    event = _event(row)
    data = "(its data cannot be read)" if event is None else to_json(event.data)
    return f"{data} (own)" if event is not None and event.own else data


def _as_data(row: "HistoryRow") -> dict[str, object]:
    from reactor.app.projection import instant

    if row.kind == _REFUSED:
        return _as_refused(row)
    event = _event(row)
    return {
        "seq": row.seq,
        "guest": row.guest,
        "name": row.name,
        "received": instant(row.at),
        "time": instant(event.time) if event else None,
        "own": event.own if event else None,
        "synthetic": event.synthetic if event else None,
        "data": event.data if event else None,
    }


def _as_refused(row: "HistoryRow") -> dict[str, object]:
    import msgspec

    from reactor.app.projection import instant
    from reactor.app.refusals import refused_of

    refused = refused_of(row)
    told: dict[str, object] = {} if refused is None else msgspec.to_builtins(refused)
    told |= {"seq": row.seq, "guest": row.guest, "what": row.name, "at": instant(row.at)}
    return told


def _event(row: "HistoryRow") -> "Event | None":
    """The event of a row; None when another version of reactor wrote it differently."""
    import msgspec

    from reactor.core.inputs import Happened

    try:
        return msgspec.json.decode(row.body, type=Happened).event
    except msgspec.MsgspecError:
        return None
