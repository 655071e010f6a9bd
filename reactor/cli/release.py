"""``reactor release``: the end of a hold."""

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, SaidOutput, named
from reactor.cli.hold import Guest
from reactor.cli.verbs import add_verb


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(app, release, "reactor release", "reactor release --guest web-1")


def release(
    *,
    guest: Guest = None,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """End a hold: runs that waited for it go on.

    Without --guest that of all; a guest that has a hold of its own stays held.
    """
    from reactor.core.orders import ReleaseGuests

    verb = "reactor release"
    order = ReleaseGuests(named(guest, verb))
    return Daemon(verb, config, journal).give(order, output)
