"""The linters' own settings: each rule of the house finds the fault that it is there for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.checkout import ROOT

BIN = Path(sys.executable).parent
SKELETON = {
    "__init__.py": "",
    "errors.py": "",
    "core/__init__.py": "",
    "core/engine.py": "import msgspec\nimport reactor.errors\n",
    "qapi/__init__.py": "import msgspec\nimport reactor.core.engine\n",
    "policyfile/__init__.py": "import yaml\nimport reactor.qapi\n",
    "adapters/__init__.py": "",
    "adapters/mqtt.py": "import asyncio\nimport reactor.core.engine\n",
    "adapters/qmp.py": "import asyncio\nimport reactor.errors\n",
    "app/__init__.py": "import reactor.adapters.mqtt\nimport reactor.policyfile\n",
    "cli/__init__.py": "import reactor.app\n",
}
"""The smallest package that has every layer and breaks no rule."""


def layers(folder: Path, changed: dict[str, str]) -> str:
    """What import-linter prints about the skeleton with these files changed."""
    for name, text in {**SKELETON, **changed}.items():
        path = folder / "reactor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return subprocess.run(
        [BIN / "lint-imports", "--no-logo", "--no-cache", "--config", ROOT / "pyproject.toml"],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    ).stdout


def test_the_intended_imports_break_no_rule(tmp_path: Path) -> None:
    """What the architecture wants is allowed."""
    assert "Contracts: 3 kept, 0 broken." in layers(tmp_path, {})


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        pytest.param(
            "core/engine.py",
            "import reactor.qapi",
            "reactor.core.engine -> reactor.qapi",
            id="core that knows the schema",
        ),
        pytest.param(
            "core/engine.py", "import asyncio", "reactor.core.engine -> asyncio", id="core with I/O"
        ),
        pytest.param(
            "core/engine.py", "import time", "reactor.core.engine -> time", id="core with a clock"
        ),
        pytest.param(
            "core/engine.py",
            "import reactor.adapters.mqtt",
            "reactor.core.engine -> reactor.adapters.mqtt",
            id="core upwards",
        ),
        pytest.param(
            "errors.py",
            "import reactor.core.engine",
            "reactor.errors -> reactor.core.engine",
            id="errors upwards",
        ),
        pytest.param(
            "adapters/mqtt.py",
            "import reactor.adapters.qmp",
            "reactor.adapters.mqtt -> reactor.adapters.qmp",
            id="adapters that know each other",
        ),
        pytest.param(
            "adapters/mqtt.py",
            "import reactor.policyfile",
            "reactor.adapters.mqtt -> reactor.policyfile",
            id="adapter that reads policies",
        ),
        pytest.param(
            "app/__init__.py", "import reactor.cli", "reactor.app -> reactor.cli", id="app upwards"
        ),
        pytest.param("new/__init__.py", "", "reactor.new", id="a package outside the layers"),
    ],
)
def test_an_import_against_the_architecture_is_found(
    tmp_path: Path, file: str, line: str, found: str
) -> None:
    """The report names the import, or the package that has no layer."""
    printed = layers(tmp_path, {file: f"{line}\n"})
    assert found in printed
    assert "0 broken" not in printed


@pytest.mark.parametrize(
    ("file", "code", "found"),
    [
        pytest.param("reactor/core/x.py", "time.time()", True, id="clock in the core"),
        pytest.param("reactor/core/x.py", "datetime.datetime.now()", True, id="date in the core"),
        pytest.param("reactor/core/x.py", "uuid.uuid4()", True, id="identity in the core"),
        pytest.param("reactor/core/x.py", "random.random()", True, id="chance in the core"),
        pytest.param(
            "reactor/policyfile/x.py", "os.getenv('A')", True, id="settings in the reader"
        ),
        pytest.param("reactor/adapters/x.py", "time.time()", False, id="clock in an adapter"),
        pytest.param("reactor/app/x.py", "time.monotonic()", False, id="clock in the daemon"),
    ],
)
def test_time_and_chance_are_banned_where_everything_is_an_argument(
    file: str, code: str, *, found: bool
) -> None:
    """Ruff refuses them in the pure packages and nowhere else."""
    printed = subprocess.run(
        [BIN / "ruff", "check", "--select=TID251", "--stdin-filename", ROOT / file, "-"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        input=f"import {code.partition('.')[0]}\n\n{code}\n",
    ).stdout
    assert ("TID251" in printed) is found
