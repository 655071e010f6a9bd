"""Problems as people read them: place, code, sentence, the source line with a caret, the fix."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from reactor.app.printable import printable
from reactor.cli.screen import Screen
from reactor.errors import Problem, Severity

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "cyan"}
_WIDTH = 110
_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^@\s]+@")
_BEFORE = 70  # of a long line, this much is shown in front of the place


def show_problems(problems: Iterable[Problem], screen: Screen) -> None:
    """Print each with the line that it is about, where that line can be read."""
    read = cache(_lines)
    for problem in problems:
        _show(problem, screen, read(problem.place.file) if problem.place.line else [])


def _show(problem: Problem, screen: Screen, lines: list[str]) -> None:
    style = _STYLES[problem.severity]
    word = "" if problem.severity is Severity.ERROR else f"{problem.severity.value}: "
    code = (f"{problem.code.value} ", style)
    screen.line((str(problem.place), "bold"), ": ", code, (word, style), problem.problem)
    number, column = problem.place.line, problem.place.column
    if 0 < number <= len(lines) and lines[number - 1].strip():
        source, at = _window(lines[number - 1], column)
        screen.line(f"{number:5} | {source}")
        screen.line(" " * 5 + " | " + " " * at, ("^", style))
    screen.line(("  fix: ", "green"), problem.fix)


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a line around the column (from 1), and where the column is in it (from 0)."""
    # Output ends up in tickets and logs of CI.
    line = _PASSWORD.sub(r"\1:***@", line)
    at = len(printable(line[: max(column - 1, 0)]))
    line = printable(line)
    if len(line) <= _WIDTH:
        return line, min(at, len(line))
    start = max(0, at - _BEFORE)
    head = "..." if start else ""
    tail = "..." if start + _WIDTH < len(line) else ""
    return head + line[start : start + _WIDTH] + tail, at - start + len(head)


def _lines(file: str) -> list[str]:
    try:
        text = Path(file).read_bytes().decode("utf-8", "replace")
    except (OSError, ValueError):
        return []  # the problem is told all the same
    return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


def as_data(problem: Problem) -> dict[str, object]:
    """The problem as ``-o json`` shows it."""
    return {
        "file": problem.place.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "code": problem.code.value,
        "severity": problem.severity.value,
        "message": problem.problem,
        "fix": problem.fix,
        "path": problem.path,
    }
