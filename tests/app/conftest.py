"""What the tests of the application share."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.app.house import House
from tests.app.settings_files import Machine
from tests.fakes.broker import Mosquitto


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without any settings yet."""
    return Machine(tmp_path, monkeypatch)


@pytest.fixture
def run() -> Iterator[Path]:
    """A folder for sockets, with a path that is short enough for them."""
    with tempfile.TemporaryDirectory(prefix="rd", dir="/tmp") as folder:
        yield Path(folder)


@pytest_asyncio.fixture
async def house(tmp_path: Path, run: Path) -> AsyncIterator[House]:
    """A host whose daemon does not run yet."""
    made = House(tmp_path, run)
    yield made
    await made.clear()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real broker that forgets everything when it ends."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as broker:
        yield broker
