"""The commands that the documents tell people to type."""

import os
import re
import subprocess
import sys

import pytest

from scripts.check import LAB, Check, Report, run
from tests.house.checkout import ROOT, modules, name_of, texts

TARGETS = [
    "help",
    "setup",
    "demo",
    "check",
    "test",
    "lab",
    "service",
    "fuzz",
    "simulate",
    "kill-loop",
    "bench",
    "soak",
    "differ",
    "home-assistant",
    "editor",
    "node-red",
    "pins",
    "clean",
]

NAMED = re.compile(r"(?:`|^\s*\$? ?)make ([a-z]+(?:-[a-z]+)*)", re.MULTILINE)


def make(*arguments: str) -> str:
    """What make prints; without the flags of a make that this test runs below."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout


def test_make_alone_lists_every_target() -> None:
    """Whoever types `make` learns what there is, each with a sentence."""
    listed = re.findall(r"^  make ([\w-]+) +\S.*", make(), flags=re.MULTILINE)
    assert listed == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_can_be_made(target: str) -> None:
    """Make knows how, from its file alone."""
    assert make("--dry-run", target)


def test_documents_name_only_targets_that_exist() -> None:
    """Nobody is told to type `make` with a target that is not there."""
    named = {
        (name, target)
        for name, text in texts()
        if name.endswith(".md")
        for target in NAMED.findall(text)
    }
    assert named
    assert {(name, target) for name, target in named if target not in TARGETS} == set()


def test_ci_runs_make_test_and_nothing_else() -> None:
    """What CI runs is what everybody can run."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK), name_of(script)
    commands = script.read_text(encoding="utf-8").splitlines()
    assert commands == [
        "#!/usr/bin/env bash",
        "set -euo pipefail",
        'cd "$(dirname "$0")/.."',
        "make test",
    ]


def test_the_lab_is_run_in_every_folder_that_has_a_test_of_it() -> None:
    """A test that is marked ``lab`` elsewhere would run in no check."""
    mark = "mark." + "lab"  # in two parts: else this file would hold it
    marked = {name for name, text in modules("tests") if mark in text}
    assert marked
    assert {name for name in marked if not name.startswith(LAB)} == set()


def python(code: str) -> tuple[str, ...]:
    """A command that runs this code."""
    return (sys.executable, "-c", code)


def test_a_check_that_fails_shows_its_output_and_how_to_run_it_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The last lines name the one that failed; the one that passed is quiet."""
    report = Report()
    report.add(run(Check("good", python("print('noise')")), live=False))
    report.add(run(Check("bad", ("sh", "-c", "echo broken; exit 3")), live=False))
    assert report.close() == 1
    printed = re.sub(r"\d+\.\d s", "N s", capsys.readouterr().out)
    assert printed == (
        "ok   good (N s)\n"
        "broken\n"
        "FAIL bad (N s)\n"
        "\n"
        "check: 1 passed, 1 failed\n"
        "  bad: sh -c 'echo broken; exit 3'\n"
    )


def test_when_all_checks_pass_the_exit_code_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """The summary counts them."""
    report = Report()
    report.add(run(Check("good", python("")), live=False))
    assert report.close() == 0
    assert capsys.readouterr().out.endswith("\ncheck: 1 passed, 0 failed\n")


@pytest.mark.parametrize(
    ("check", "output"),
    [
        pytest.param(
            Check("slow", python("import time; time.sleep(20)"), limit=0.2),
            "still running after 0 s, so it was ended\n",
            id="hangs",
        ),
        pytest.param(
            Check("gone", ("no-such-tool",)),
            "no-such-tool: No such file or directory\n  fix: make setup\n",
            id="is not installed",
        ),
    ],
)
def test_a_check_that_cannot_end_by_itself_has_failed(check: Check, output: str) -> None:
    """It costs its own result, not the run of the others."""
    result = run(check, live=False)
    assert (result.code, result.output) == (1, output)
