"""Problems with the line that they are about."""

import io
from pathlib import Path

import pytest

from reactor.cli.problems import show_problems
from reactor.cli.screen import Screen
from reactor.errors import Code, Place, Problem, Severity


def shown(problem: Problem) -> list[str]:
    """The lines that a program would read."""
    stream = io.StringIO()
    show_problems([problem], Screen(stream))
    return stream.getvalue().splitlines()


def at(line: int, column: int, file: str = "a.yaml") -> Problem:
    """A problem there."""
    return Problem(Place(file, line, column), Code.YAML, "it is wrong", "mend it")


LONG = "x" * 200


@pytest.mark.parametrize(
    ("text", "place", "excerpt"),
    [
        pytest.param("abc\n", (1, 1), ["    1 | abc", "      | ^"], id="at the first character"),
        pytest.param("abc\n", (1, 3), ["    1 | abc", "      |   ^"], id="at the last character"),
        pytest.param("abc\n", (1, 4), ["    1 | abc", "      |    ^"], id="behind it"),
        pytest.param("a\n\nb\n", (3, 1), ["    3 | b", "      | ^"], id="further down"),
        pytest.param("a\n \n", (2, 1), [], id="in a blank line"),
        pytest.param("a\n", (9, 1), [], id="behind the file"),
        pytest.param("a\n", (0, 0), [], id="in the file as a whole"),
        pytest.param("a\tbc\n", (1, 4), ["    1 | a\\tbc", "      |     ^"], id="behind a tab"),
        pytest.param(
            "a\x1b[2Jb\n",
            (1, 6),
            ["    1 | a\\x1b[2Jb", "      |         ^"],
            id="behind an escape",
        ),
        pytest.param(
            "東京b\n", (1, 3), ["    1 | 東京b", "      |     ^"], id="behind wide letters"
        ),
        pytest.param(
            "e\u0301b\n", (1, 3), ["    1 | e\u0301b", "      |  ^"], id="behind a lone accent"
        ),
        pytest.param(
            "\ufeffab\r\n", (1, 2), ["    1 | ab", "      |  ^"], id="as Windows writes it"
        ),
        pytest.param(
            LONG, (1, 5), [f"    1 | {LONG[:110]}...", "      |     ^"], id="early in a long line"
        ),
        pytest.param(
            LONG,
            (1, 200),
            [f"    1 | ...{LONG[129:]}", "      | " + " " * 73 + "^"],
            id="late in a long line",
        ),
        pytest.param(
            "url: mqtt://me:secret@host\n",
            (1, 6),
            ["    1 | url: mqtt://me:***@host", "      |      ^"],
            id="a password is not repeated",
        ),
    ],
)
def test_the_line_is_shown_with_a_caret(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    place: tuple[int, int],
    excerpt: list[str],
) -> None:
    """Between the problem and its fix."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_bytes(text.encode())
    first, *between, last = shown(at(*place))
    assert first.endswith(": R001 it is wrong")
    assert between == excerpt
    assert last == "  fix: mend it"


def test_a_file_that_cannot_be_read_costs_only_the_excerpt() -> None:
    """Places are made by flags and variables, too."""
    assert shown(at(1, 1, "/no/such/file")) == [
        "/no/such/file:1:1: R001 it is wrong",
        "  fix: mend it",
    ]
    assert shown(at(1, 1, "a\0b")) == ["a\\x00b:1:1: R001 it is wrong", "  fix: mend it"]


@pytest.mark.parametrize(
    ("severity", "word"),
    [
        pytest.param(Severity.ERROR, "", id="error"),
        pytest.param(Severity.WARNING, "warning: ", id="warning"),
        pytest.param(Severity.NOTE, "note: ", id="note"),
    ],
)
def test_only_what_is_no_error_is_called_by_its_kind(severity: Severity, word: str) -> None:
    """Behind the code, so that the beginning of the line stays as tools know it."""
    problem = Problem(Place("a"), Code.LATE_WAIT, "so it is", "look", severity)
    assert shown(problem) == [f"a: R020 {word}so it is", "  fix: look"]
