"""``reactor docs``: what is known of an event, a command or a verb."""

from typing import Annotated

import typer

from reactor.cli.asking import WholeOutput
from reactor.cli.exits import RefusedError
from reactor.cli.screen import Screen, to_json
from reactor.cli.tables import show_table
from reactor.cli.verbs import add_verb


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        docs,
        "reactor docs GUEST_PANICKED",
        "reactor docs block-commit",
        "reactor docs guest: reset",
        "reactor docs 'BLOCK_JOB_*'          # what there is",
        "reactor docs panic                  # what has that in its name",
        "reactor docs device_del -o json | jq -r .example",
    )


def docs(
    *,
    name: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]",
            help="An event, a command or a verb of a guest; a glob or a part of a name lists them.",
        ),
    ] = None,
    output: WholeOutput = "table",
) -> int:
    """Say what is known of an event, a command or a verb.

    With a policy as an example.
    """
    from reactor.app.catalogue.looking import entry_of

    asked = " ".join(name or ["*"])
    if (entry := entry_of(asked)) is None:
        return _list(asked, output)
    if output == "json":
        import msgspec

        print(to_json(msgspec.to_builtins(entry), indent=2))
    else:
        from reactor.cli.docs_shown import show_entry

        show_entry(entry, Screen())
    return 0


def _list(pattern: str, output: str) -> int:
    """All names that fit, or have it in them.

    Raises:
        RefusedError: none does.
    """
    from reactor.app.catalogue.looking import fitting, guess

    found = fitting(pattern)
    if not found:
        meant = guess(pattern)
        fix = f"did you mean `{meant}`?" if meant else "`reactor docs` lists what is known"
        raise RefusedError("reactor docs", f"nobody knows `{pattern}`", fix)
    if output == "json":
        rows = [{"name": name, "meaning": meaning} for name, meaning in found.items()]
        print(to_json(rows, indent=2))
    else:
        show_table(Screen(), ("NAME", "MEANING"), found.items())
    return 0
