"""What the tests of the application share."""

from pathlib import Path

import pytest

from tests.app.settings_files import Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without any settings yet."""
    return Machine(tmp_path, monkeypatch)
