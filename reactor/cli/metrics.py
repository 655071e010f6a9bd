"""``reactor metrics``: figures for a monitoring system, in the text format of Prometheus."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, decode
from reactor.cli.exits import Exit, RefusedError
from reactor.cli.verbs import add_verb
from reactor.errors import NoDaemonError

_MODE = 0o644

To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="FILE",
        readable=False,
        help="Write them to this file instead, which is replaced as a whole.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        metrics,
        "reactor metrics",
        "reactor metrics --to /var/lib/prometheus/node-exporter/reactor.prom",
    )


def metrics(*, config: Config = None, journal: JournalPath = None, to: To = None) -> int:
    """Print the daemon's figures as Prometheus reads them.

    Without a daemon they are `reactor_up 0`, and the exit code is 5.
    """
    from reactor.app.control.asks import AskMetrics
    from reactor.app.metrics.collect import collect_nothing
    from reactor.app.metrics.text import render

    daemon = Daemon("reactor metrics", config, journal)
    try:
        text: str = decode(daemon.ask(AskMetrics()), str)
    except NoDaemonError:
        _tell(render(collect_nothing()), to)
        raise
    _tell(text, to)
    return Exit.OK


def _tell(text: str, to: Path | None) -> None:
    if to is None:
        print(text, end="")
        return
    try:
        _replace(to.absolute(), text)
    except OSError as error:
        problem = f"the file cannot be written: {error.strerror}"
        raise RefusedError(
            to, problem, "name a file in a folder that this user may write"
        ) from None


def _replace(path: Path, text: str) -> None:
    """The file holds this text, or what it held before: its reader never sees a part of it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            # Its reader is another user as a rule; there is nothing secret in it.
            os.fchmod(file.fileno(), _MODE)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
