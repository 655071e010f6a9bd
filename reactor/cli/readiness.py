"""``reactor readiness``: what policies lack on guests, before an event finds it out."""

from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, ListOutput, decode
from reactor.cli.exits import Exit
from reactor.cli.screen import Screen
from reactor.cli.tables import show_data, show_table
from reactor.cli.verbs import add_verb

if TYPE_CHECKING:
    from reactor.app.control.answers import Matrix

HEAD = ("POLICY", "GUEST", "STATE", "REASON")

PolicyGlob = Annotated[
    str, typer.Option("--policy", metavar="GLOB", help="Only the policies of these names.")
]
GuestGlob = Annotated[
    str, typer.Option("--guest", metavar="GLOB", help="Only the guests of these names.")
]
Whole = Annotated[
    bool,
    typer.Option("--all", help="Those too that lack nothing, or have nothing to watch."),
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        readiness,
        "reactor readiness",
        "reactor readiness --guest 'web-*' --all",
        "reactor readiness --policy panic-dump-reset -o jsonl",
    )


def readiness(  # noqa: PLR0913 - one parameter for each option
    *,
    policy: PolicyGlob = "*",
    guest: GuestGlob = "*",
    whole: Whole = False,
    config: Config = None,
    journal: JournalPath = None,
    output: ListOutput = "table",
) -> int:
    """Show what policies lack on guests, before an event comes.

    A policy is not ready, cannot fire or would fail: no panic device, a command that the
    QEMU of the guest does not know. Ends with exit code 1 where there is one.
    """
    from reactor.app.control.answers import Matrix
    from reactor.app.control.asks import AskReadiness

    answer = Daemon("reactor readiness", config, journal).ask(AskReadiness(policy, guest, whole))
    matrix = decode(answer, Matrix)
    if output == "table":
        _show(Screen(), matrix)
    else:
        found = decode(answer)
        show_data(found["rows"] if output == "jsonl" else found, output)
    return Exit.FINDINGS if any(row.is_hindered for row in matrix.rows) else Exit.OK


def _show(screen: Screen, found: "Matrix") -> None:
    if found.rows:
        rows = [(row.policy, row.guest, row.state, row.reason) for row in found.rows]
        show_table(screen, HEAD, rows)
    else:
        screen.line(("every policy can do all it says, as far as is known", "green"))
    if found.cut:
        screen.line(("and more: name policies or guests with --policy, --guest", "dim"))
