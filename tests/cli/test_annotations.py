"""``reactor check -o github``: lines that GitHub Actions reads as marks on a change."""

import os
from pathlib import Path

import pytest

from reactor.cli.annotations import annotation
from reactor.cli.exits import Exit
from reactor.errors import Code, Place, Problem, Severity
from tests.cli.conftest import Call


@pytest.mark.parametrize(
    ("severity", "command"),
    [
        pytest.param(Severity.ERROR, "error", id="error"),
        pytest.param(Severity.WARNING, "warning", id="warning"),
        pytest.param(Severity.NOTE, "notice", id="note"),
    ],
)
def test_each_severity_has_its_command(severity: Severity, command: str) -> None:
    """A note is called a notice there."""
    problem = Problem(Place("a.yaml", 2, 3), Code.YAML, "it is wrong", "mend it", severity)
    line = f"::{command} file=a.yaml,line=2,col=3,title=R001::it is wrong%0Afix: mend it"
    assert annotation(problem) == line


def test_a_whole_file_has_no_line() -> None:
    """GitHub puts it to the file's head."""
    problem = Problem(Place("a.yaml"), Code.UNREADABLE, "it is gone", "look")
    assert annotation(problem) == "::error file=a.yaml,title=R011::it is gone%0Afix: look"


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        pytest.param("a,b:c.yaml", "a%2Cb%3Ac.yaml", id="signs of the format"),
        pytest.param("50%25.yaml", "50%2525.yaml", id="an escape of its own"),
        pytest.param("a\r\n::error::x", "a\\r\\n%3A%3Aerror%3A%3Ax", id="a line of its own"),
        pytest.param(os.fsdecode(b"\xff.yaml"), "\\udcff.yaml", id="no UTF-8"),
        pytest.param("{here}/rules/a.yaml", "rules/a.yaml", id="by its whole path"),
    ],
)
def test_the_name_of_a_file_ends_no_property(here: Path, file: str, shown: str) -> None:
    """Nor does it begin a command."""
    place = Place(file.replace("{here}", str(here)), 1, 1)
    problem = Problem(place, Code.YAML, "it is wrong", "mend it")
    assert annotation(problem).startswith(f"::error file={shown},line=1,col=1,title=R001::")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param("a, b: c", "a, b: c", id="signs that mean nothing in a sentence"),
        pytest.param("50%0A", "50%250A", id="an escape of its own"),
        pytest.param("a\n::stop-commands::x", "a\\n::stop-commands::x", id="a command of its own"),
        pytest.param("a\r\x1b[2J", "a\\r\\x1b[2J", id="controls"),
    ],
)
def test_a_sentence_stays_on_its_line(said: str, shown: str) -> None:
    """What stands in a policy never becomes a command to the runner."""
    problem = Problem(Place("a.yaml", 1, 1), Code.YAML, said, said)
    assert annotation(problem).endswith(f"::{shown}%0Afix: {shown}")
    assert "\n" not in annotation(problem)


def test_the_summary_ends_it(reactor: Call, here: Path) -> None:
    """For who reads the log of the job; the exit code fails the job."""
    (here / "a.yaml").write_text("policy: a\ndescription: d\nsteps: [{log: x}]\n", encoding="utf-8")
    assert reactor("check", "a.yaml", "-o", "github") == (
        Exit.FINDINGS,
        (
            "::error file=a.yaml,line=1,col=1,title=R006::the key `trigger` is missing"
            "%0Afix: add `trigger:`\n"
            "1 error; 0 sound policies in 1 file\n"
        ),
        "",
    )
