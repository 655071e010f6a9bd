"""The complete set-ups in examples/ are accepted as they are, and start."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reactor.app.preflight import not_permitted
from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings
from reactor.errors import Severity
from reactor.policyfile.check import load
from tests.docs.pages import page, quoted
from tests.house.checkout import ROOT

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/reactor.yaml"))


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_is_accepted_with_its_own_settings(folder: Path) -> None:
    """No error and no warning, and the settings permit what the policies do; a note may stand."""
    settings = load_settings(Flags(config=folder / "reactor.yaml"), {})
    loaded = load(settings.rules)
    allowed = not_permitted(loaded.policies, settings)
    problems = [p for p in (*loaded.problems, *allowed) if p.severity is not Severity.NOTE]
    assert [str(problem) for problem in problems] == []
    assert loaded.policies


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_names_its_files(folder: Path) -> None:
    """The README of each says what every file is for."""
    names = quoted(page(f"{folder.relative_to(ROOT)}/README.md"))
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.yaml")} - names == set()


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_starts_and_stops(folder: Path) -> None:
    """With its own settings, its paths below a folder of the test: ready, then a clean end."""
    with tempfile.TemporaryDirectory(prefix="reactor-") as place:
        command = [sys.executable, "-m", "reactor", "run", "-c", str(folder / "reactor.yaml")]
        flags = ["--qmp", f"{place}/*.sock", "--journal", f"{place}/journal.db"]
        with subprocess.Popen(
            [*command, *flags, "--log-format", "json"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "REACTOR_DUMPS__FOLDER": f"{place}/dumps"},
        ) as daemon:
            assert daemon.stderr is not None
            told = []
            for line in daemon.stderr:
                told.append(line)
                if '"ready"' in line:
                    daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(15) == 0, told
    assert '"stopped"' in told[-1]
    assert not [line for line in told if '"error"' in line]
