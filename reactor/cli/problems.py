"""Problems as people read them: place, code, sentence, the source line with a caret, the fix."""

import re
from collections.abc import Iterable
from unicodedata import combining, east_asian_width

from reactor.app.printable import printable
from reactor.cli.files_shown import Texts
from reactor.cli.screen import Screen
from reactor.errors import Problem, Severity

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "cyan"}
_WIDTH = 110
_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^@\s]+@")
_BEFORE = 70  # of a long line, this much is shown in front of the place


def show_problems(problems: Iterable[Problem], screen: Screen, texts: Texts | None = None) -> None:
    """Print each with the line that it is about, where that line can be read."""
    texts = texts or Texts()
    for problem in problems:
        _show(problem, screen, texts.line(problem.place))


def _show(problem: Problem, screen: Screen, line: str) -> None:
    style = _STYLES[problem.severity]
    word = "" if problem.severity is Severity.ERROR else f"{problem.severity.value}: "
    code = (f"{problem.code.value} ", style)
    screen.line((str(problem.place), "bold"), ": ", code, (word, style), problem.problem)
    if line.strip():
        source, at = _window(line, problem.place.column)
        screen.line(f"{problem.place.line:5} | {source}")
        screen.line(" " * 5 + " | " + " " * _cells(source[:at]), ("^", style))
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


def _cells(text: str) -> int:
    """How many characters of a terminal the text is wide."""
    if text.isascii():
        return len(text)
    wide = sum(east_asian_width(char) in {"W", "F"} for char in text)
    return len(text) + wide - sum(combining(char) > 0 for char in text)


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
