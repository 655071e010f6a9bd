"""``reactor demo``: the story of a guest that panics, told by the real daemon."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from reactor.cli.verbs import add_verb

Keep = Annotated[
    Path | None,
    typer.Option(
        "--keep",
        metavar="FOLDER",
        help="Keep the dump, the journal and the logs there; else they are removed.",
    ),
]
Telling = Annotated[
    Literal["text", "jsonl"], typer.Option("-o", "--output", help="For people or for programs.")
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        demo,
        "reactor demo",
        "reactor demo --keep /tmp/reactor-demo -o jsonl",
    )


def demo(keep: Keep = None, output: Telling = "text") -> int:
    """See a real guest panic and come back.

    And a disk's copy go bad; the shipped policies react, and every step is told. Needs QEMU and
    Mosquitto on this machine; nothing outside its own folder is touched.
    """
    import asyncio

    from reactor.demo.story import main

    return asyncio.run(main(keep, output))
