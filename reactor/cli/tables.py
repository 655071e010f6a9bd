"""Lists as tables for people, and as JSON for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

from reactor.app.printable import printable
from reactor.cli.screen import Part, Screen, to_json

GAP = "  "

STYLES = {
    "succeeded": "green",
    "failed": "red",
    "timed-out": "red",
    "unknown": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "not ready": "red",
    "cannot fire": "red",
    "fails": "red",
    "away": "red",
    "ready": "green",
    "nothing to watch": "dim",
    "disconnected": "red",
}
"""How a word looks on a terminal with colours, wherever it stands in a table."""


def show_table(screen: Screen, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell; the last one is never padded."""
    # As it will be printed: an escape is longer than what it stands for.
    cells = [tuple(map(printable, row)) for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for number, row in enumerate(cells):
        parts: list[Part] = []
        last = max((column for column, text in enumerate(row) if text), default=0)
        for column, text in enumerate(row[: last + 1]):
            padded = text if column == last else text.ljust(widths[column]) + GAP
            style = "bold" if number == 0 else STYLES.get(text, "")
            parts.append((padded, style))
        screen.line(*parts)


def show_data(data: Any, output: str) -> None:  # noqa: ANN401 - whatever can be JSON
    """Print a list as one JSON document, or as one object a line."""
    if output == "jsonl":
        for row in data:
            print(to_json(row))
    else:
        print(to_json(data, indent=2))
