"""``reactor hold``: the big red button."""

from typing import Annotated

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, SaidOutput, named, said
from reactor.cli.times import read_span
from reactor.cli.verbs import add_verb

Guest = Annotated[
    str | None, typer.Option("--guest", metavar="NAME", help="Only this guest; else all.")
]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help="Such as 2h; else until it is released."),
]
Comment = Annotated[
    str, typer.Option("--comment", metavar="TEXT", help="Why; everybody sees it with your name.")
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        hold,
        "reactor hold --comment 'what is going on?'",
        "reactor hold --guest web-1 --for 2h --comment 'disk swap'",
    )


def hold(  # noqa: PLR0913 - one parameter for each option
    *,
    guest: Guest = None,
    length: For = None,
    comment: Comment,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """Let no run begin and no further step change a guest.

    Until `reactor release` or the end of --for; it survives a restart of the daemon.
    """
    from reactor.core.orders import HoldGuests

    verb = "reactor hold"
    seconds = None if length is None else read_span(length, verb)
    order = HoldGuests(named(guest, verb), seconds, said(comment, verb))
    return Daemon(verb, config, journal).give(order, output)
