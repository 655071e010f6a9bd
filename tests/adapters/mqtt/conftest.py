"""A broker of its own for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.broker import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that lets everybody in and keeps nothing over a restart."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as mosquitto:
        yield mosquitto
