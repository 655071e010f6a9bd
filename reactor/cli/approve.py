"""``reactor approve``: the answer to a run that waits for one."""

from typing import Annotated

import typer

from reactor.cli.asking import Comment, Config, Daemon, JournalPath, SaidOutput
from reactor.cli.verbs import add_verb

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id; `reactor runs --open` shows it.")
]
No = Annotated[bool, typer.Option("--no", help="Refuse it: the run is cancelled.")]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        approve,
        "reactor approve k3v9a1-17",
        "reactor approve k3v9a1-17 --no --comment 'not during business hours'",
    )


def approve(  # noqa: PLR0913 - one parameter for each option
    run: RunName,
    *,
    no: No = False,
    comment: Comment = "",
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """Let a run go on that waits for approval, or refuse it."""
    from reactor.core.orders import Approve

    order = Approve(run, not no, comment)
    return Daemon("reactor approve", config, journal).give(order, output)
