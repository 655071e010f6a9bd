"""``reactor guests``: every guest with its monitor, status, marks and runs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, ListOutput, decode
from reactor.cli.screen import Screen
from reactor.cli.tables import show_data, show_table
from reactor.cli.verbs import add_verb

if TYPE_CHECKING:
    from reactor.app.control.answers import GuestLine

HEAD = (
    "GUEST",
    "STATUS",
    "QEMU",
    "POLICIES",
    "NOT READY",
    "LACKING",
    "RUNS",
    "MARKS",
    "LABELS",
    "NOTE",
)


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        guests,
        "reactor guests",
        "reactor guests -o jsonl | jq 'select(.connected | not)'",
    )


def guests(
    *, config: Config = None, journal: JournalPath = None, output: ListOutput = "table"
) -> int:
    """List the guests, with their status, marks and open runs."""
    from reactor.app.control.answers import GuestLine
    from reactor.app.control.asks import AskGuests

    answer = Daemon("reactor guests", config, journal).ask(AskGuests())
    if output != "table":
        show_data(decode(answer), output)
        return 0
    show_table(Screen(), HEAD, map(_row, decode(answer, list[GuestLine])))
    return 0


def _row(guest: "GuestLine") -> tuple[str, ...]:
    return (
        guest.guest,
        guest.status,
        guest.qemu or "-",
        str(guest.policies),
        str(guest.not_ready),
        str(guest.lacking),
        str(guest.runs),
        str(guest.marks),
        _labels(guest.labels),
        guest.trouble or guest.hold,
    )


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{label}={value}" for label, value in sorted(labels.items())) or "-"
