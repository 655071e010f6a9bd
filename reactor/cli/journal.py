"""``reactor journal``: what the journal holds; a whole check, and a copy while it is in use."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, Said, SaidOutput, WholeOutput
from reactor.cli.exits import Exit
from reactor.cli.journal_shown import salvaged_lines, shown_figures
from reactor.cli.screen import Screen, to_json
from reactor.cli.tables import show_data
from reactor.cli.verbs import add_family, add_verb
from reactor.core.text import render_size

if TYPE_CHECKING:
    from reactor.adapters.journal import Figures

Damaged = Annotated[
    Path,
    typer.Argument(
        metavar="DAMAGED", readable=False, help="The damaged file, with its '-wal' beside it."
    ),
]
Target = Annotated[
    Path,
    typer.Argument(metavar="FILE", readable=False, help="Where the copy goes: a new file."),
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    family = add_family(
        app, journal_verb, "reactor journal", "reactor journal check", name="journal"
    )
    add_verb(family, check, "reactor journal check --journal /var/backups/journal.db")
    add_verb(
        family, salvage_verb, "reactor journal salvage damaged/journal.db saved.db", name="salvage"
    )
    add_verb(family, backup, "reactor journal backup /var/backups/journal-$(date +%F).db")


def journal_verb(
    context: typer.Context,
    *,
    config: Config = None,
    journal: JournalPath = None,
    output: WholeOutput = "table",
) -> int:
    """Tell how large the journal is and how far back it reaches.

    Whether or not the daemon runs. `check` reads all of it, `backup` copies it.
    """
    if context.invoked_subcommand is not None:
        return 0
    import msgspec

    daemon = Daemon("reactor journal", config, journal)
    path = daemon.settings.journal.path
    with daemon.reader() as reader:
        figures: Figures = reader.figures()
        identity = reader.identity()
    if output == "json":
        told = {"journal": str(path), "identity": identity}
        show_data(told | msgspec.to_builtins(figures), "json")
    else:
        Screen().line(f"{path} ({identity}): ", shown_figures(figures))
    return 0


def check(
    *, config: Config = None, journal: JournalPath = None, output: SaidOutput = "text"
) -> int:
    """Read the whole journal and tell what is damaged.

    It may be in use, and holds up nobody. Exit code 1: it is damaged.
    """
    from reactor.adapters.journal import findings

    daemon = Daemon("reactor journal check", config, journal)
    path = daemon.settings.journal.path
    with daemon.reader():
        found = findings(path)
    if output == "json":
        print(to_json({"journal": str(path), "findings": list(found)}))
    elif not found:
        Screen().line(f"{path}: ", ("sound", "green"))
    else:
        screen = Screen()
        screen.line(f"{path}: ", ("damaged", "red"))
        for line in found:
            screen.line(f"  {line}")
        fix = "put a backup in its place, or `reactor journal salvage` saves what can be read"
        screen.line(("  fix: ", "green"), fix)
    return Exit.FINDINGS if found else Exit.OK


def backup(
    target: Target,
    *,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """Copy the journal as it stands at one moment, also while it is in use.

    The copy is a journal of its own, for its owner only. An existing file is never touched.
    """
    from reactor.adapters.journal import back_up

    daemon = Daemon("reactor journal backup", config, journal)
    path = daemon.settings.journal.path
    with daemon.reader():
        size = back_up(path, target.absolute())
    return _tell_copy(target, size, output)


def salvage_verb(damaged: Damaged, target: Target, *, output: SaidOutput = "text") -> int:
    """Read what can be read of a damaged journal into a new one, and tell what is lost.

    The damaged file is only read. Exit code 1: something is lost.
    """
    import time

    import msgspec

    from reactor.adapters.journal import salvage
    from reactor.app.salvaging import unsound

    saved = salvage(damaged.absolute(), target.absolute(), now=time.time(), unsound=unsound)
    if output == "json":
        print(to_json({"saved": str(target)} | msgspec.to_builtins(saved)))
    else:
        screen = Screen()
        for line in salvaged_lines(saved):
            screen.line(line)
        screen.line(
            f"{target}: ", ("all of it was read", "green") if saved.whole else "what could be read"
        )
    return Exit.OK if saved.whole else Exit.FINDINGS


def _tell_copy(target: Path, size: int, output: Said) -> int:
    if output == "json":
        print(to_json({"copy": str(target), "size_bytes": size}))
    else:
        Screen().line(f"{target}: {render_size(size)}")
    return 0
