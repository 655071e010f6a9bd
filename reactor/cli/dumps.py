"""``reactor dumps``: the memory dumps that reactor had made, and the bounds of their folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, ListOutput
from reactor.cli.exits import RefusedError
from reactor.cli.screen import Screen
from reactor.cli.tables import show_data, show_table
from reactor.cli.times import shown_time
from reactor.cli.verbs import add_verb
from reactor.core.text import render_duration, render_size

if TYPE_CHECKING:
    from reactor.adapters.dump_folder import Found
    from reactor.app.settings import DumpsSettings

HEAD = ("GUEST", "TAKEN", "SIZE", "FORMAT", "STATE", "RUN", "POLICY", "FILE")


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(app, dumps, "reactor dumps", "reactor dumps -o jsonl | jq -r 'select(.whole) | .file'")


def dumps(
    *, config: Config = None, journal: JournalPath = None, output: ListOutput = "table"
) -> int:
    """List the memory dumps that reactor had made.

    The oldest first, then the folder's bounds. From the folder itself, whether or not the daemon
    runs. A dump is partial until its run has seen it whole.
    """
    from reactor.adapters.dump_folder import others, scan

    settings = Daemon("reactor dumps", config, journal).settings.dumps
    _demand(settings.folder)
    found = [each for each in scan(settings.folder) if each.exists]
    if output != "table":
        show_data([_data(each) for each in found], output)
        return 0
    screen = Screen()
    show_table(screen, HEAD, map(_row, found))
    screen.line()
    screen.line(_bounds(settings, found))
    if count := others(settings.folder):
        screen.line((_of_others(count), "dim"))
    return 0


def _of_others(count: int) -> str:
    if count == 1:
        return "one file there was not made by reactor: it leaves it alone"
    return f"{count} files there were not made by reactor: it leaves them alone"


def _demand(folder: Path) -> None:
    """Refuse what would be shown as empty, or as made by others."""
    from reactor.adapters.dump_folder import hidden_card

    fix = "run this as the user that runs the daemon"
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
        raise RefusedError(folder, "the folder cannot be read", fix)
    if card := hidden_card(folder):
        raise RefusedError(card, "this card of a dump cannot be read", fix)


def _taken(found: "Found") -> float:
    return found.card.done or found.card.asked


def _data(found: "Found") -> dict[str, object]:
    from reactor.adapters.dump_folder import format_of

    card = found.card
    return {
        "guest": card.guest,
        "taken": _taken(found),
        "size_bytes": found.size_bytes,
        "format": format_of(found.path),
        "whole": card.done is not None,
        "run": card.run,
        "policy": card.policy,
        "file": str(found.path),
    }


def _row(found: "Found") -> tuple[str, ...]:
    from reactor.adapters.dump_folder import format_of

    card = found.card
    return (
        card.guest,
        shown_time(_taken(found)),
        render_size(found.size_bytes),
        format_of(found.path) or "-",
        "partial" if card.done is None else "whole",
        card.run,
        card.policy,
        str(found.path),
    )


def _bounds(settings: "DumpsSettings", found: "list[Found]") -> str:
    """What is used of what may be, as one line."""
    size = sum(each.size_bytes for each in found)
    used = render_size(size)
    quota = "no quota" if settings.quota is None else f"quota {render_size(settings.quota)}"
    text = f"{settings.folder}: {len(found)} dumps, {used}; {quota}"
    if settings.quota is not None and size > settings.quota:
        text += " (they are more: the newest of each guest stay, and no other is begun)"
    if settings.keep is not None:
        text += f"; kept for {render_duration(settings.keep)}"
        text += f", the last {settings.keep_last} of each guest for longer"
    try:
        disk = os.statvfs(settings.folder)
    except OSError:
        return text
    text += f"; {render_size(disk.f_bavail * disk.f_frsize)} free"
    if settings.free is not None:
        text += f", {render_size(settings.free)} must stay so"
    return text
