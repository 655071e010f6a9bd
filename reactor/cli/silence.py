"""``reactor silence``: silences that stand; ``add`` makes one, ``expire`` ends one."""

from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.asking import (
    Comment,
    Config,
    Daemon,
    JournalPath,
    ListOutput,
    SaidOutput,
    decode,
    named,
    said,
)
from reactor.cli.screen import Screen
from reactor.cli.tables import show_data, show_table
from reactor.cli.times import read_span, shown_time
from reactor.cli.verbs import add_family, add_verb

if TYPE_CHECKING:
    from reactor.core.restraints import Silence

HEAD = ("SILENCE", "POLICIES", "GUESTS", "SINCE", "UNTIL", "BY", "COMMENT")

Policies = Annotated[
    list[str], typer.Argument(metavar="POLICY...", help="Policies, by name or quoted glob.")
]
Guests = Annotated[
    list[str] | None,
    typer.Option("--guest", metavar="NAME", help="A guest or quoted glob; else all. Repeatable."),
]
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="How long, such as 2h.")]
Name = Annotated[str, typer.Argument(metavar="SILENCE", help="The silence's id, such as s-3.")]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    family = add_family(
        app,
        silence,
        "reactor silence",
        "reactor silence add 'panic-*' --guest 'web-*' --for 2h --comment 'kernel upgrade'",
        "reactor silence expire s-3",
    )
    add_verb(
        family,
        add,
        "reactor silence add panic-dump-reset --guest web-1 --for 30m --comment 'kernel tests'",
        "reactor silence add '*' --for 2h --comment maintenance",
    )
    add_verb(family, list_silences, "reactor silence list -o json", name="list")
    add_verb(family, expire, "reactor silence expire s-3")


def silence(
    context: typer.Context,
    *,
    config: Config = None,
    journal: JournalPath = None,
    output: ListOutput = "table",
) -> int:
    """List the silences that stand; `add` one, `expire` one.

    Under a silence new runs are refused; those that are open go on.
    """
    if context.invoked_subcommand is not None:
        return 0
    return list_silences(config=config, journal=journal, output=output)


def list_silences(
    *, config: Config = None, journal: JournalPath = None, output: ListOutput = "table"
) -> int:
    """List the silences that stand, the one that ends first in front."""
    from reactor.app.control.asks import AskSilences
    from reactor.core.restraints import Silence

    answer = Daemon("reactor silence list", config, journal).ask(AskSilences())
    if output != "table":
        show_data(decode(answer), output)
        return 0
    show_table(Screen(), HEAD, map(_row, decode(answer, list[Silence])))
    return 0


def add(  # noqa: PLR0913 - one parameter for each option
    policies: Policies,
    *,
    guests: Guests = None,
    length: For,
    comment: Comment,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """Refuse new runs of some policies on some guests for a time."""
    from reactor.core.orders import AddSilence

    verb = "reactor silence add"
    seconds = read_span(length, verb)
    whom = tuple(named(guest, verb) for guest in guests or ["*"])
    order = AddSilence(tuple(policies), whom, seconds, said(comment, verb))
    return Daemon(verb, config, journal).give(order, output)


def expire(
    name: Name, *, config: Config = None, journal: JournalPath = None, output: SaidOutput = "text"
) -> int:
    """End a silence now."""
    from reactor.core.orders import ExpireSilence

    return Daemon("reactor silence expire", config, journal).give(ExpireSilence(name), output)


def _row(one: "Silence") -> tuple[str, ...]:
    return (
        one.id,
        " ".join(one.policies),
        " ".join(one.guests),
        shown_time(one.since),
        shown_time(one.until),
        one.who,
        one.comment,
    )
