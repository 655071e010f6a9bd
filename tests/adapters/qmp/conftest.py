"""Both loops for every test here, fake monitors, and short paths for sockets."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from reactor.adapters.qmp import Limits, Monitors
from tests.adapters.qmp.scene import Recorder, Scene, chance


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Everything must work on the plain loop and on uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="rq-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest_asyncio.fixture
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Monitors with quick reconnects, a recorder, and fakes that are closed in the end."""
    recorder = Recorder()
    limits = Limits(first_delay_s=0.01, last_delay_s=0.02, greeting_s=0.3, facts_s=0.5)
    async with Monitors(recorder, limits=limits, rng=chance()) as monitors:
        scene = Scene(folder, monitors, recorder)
        yield scene
    await scene.close()
