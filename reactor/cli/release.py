"""``reactor release``: the end of a hold."""

from typing import Annotated

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, SaidOutput, named
from reactor.cli.exits import UsageError
from reactor.cli.hold import Guest
from reactor.cli.verbs import add_verb

Inhibited = Annotated[
    bool,
    typer.Option("--inhibited", help="What policies inhibit on the guest ends, instead of a hold."),
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        release,
        "reactor release",
        "reactor release --guest web-1",
        "reactor release --guest db-1 --inhibited",
    )


def release(
    *,
    guest: Guest = None,
    inhibited: Inhibited = False,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """End a hold: runs that waited for it go on.

    Without --guest that of all; a guest that has a hold of its own stays held. With --inhibited
    no hold ends, but what policies inhibit on the guest.
    """
    from reactor.core.orders import EndInhibitions, ReleaseGuests

    verb = "reactor release"
    name = named(guest, verb)
    if inhibited and not name:
        raise UsageError(verb, "--inhibited is about one guest", "name it with --guest")
    order = EndInhibitions(name) if inhibited else ReleaseGuests(name)
    return Daemon(verb, config, journal).give(order, output)
