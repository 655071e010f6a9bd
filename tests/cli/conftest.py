"""A command line that meets nothing of this machine: no settings, no variables, no terminal."""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from reactor.app import settings_layers
from reactor.cli.program import run_program

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty; home and /etc are empty as well."""
    for variable in list(os.environ):
        if variable.startswith(("REACTOR_", "XDG_")) or variable == "NO_COLOR":
            monkeypatch.delenv(variable)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(settings_layers, "SYSTEM_FILE", tmp_path / "etc" / "reactor.yaml")
    return folder


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """The log of the tests themselves is left alone."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    structlog.reset_defaults()


@pytest.fixture
def reactor(capsys: pytest.CaptureFixture[str]) -> Call:
    """Carries out a command line: exit code, standard output, standard error."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run_program([str(word) for word in words])
        gc.unfreeze()  # what a program leaves as it is when it ends, tests collect
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call
