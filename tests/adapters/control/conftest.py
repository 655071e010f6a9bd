"""A folder for control sockets, and a server that does not listen yet."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.adapters.control.support import Desk

# Only root can become somebody else.
collect_ignore = [] if os.getuid() == 0 else ["test_other_users.py"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="rc", dir="/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest_asyncio.fixture
async def desk(folder: Path) -> AsyncIterator[Desk]:
    """Nobody listens yet."""
    made = Desk(folder)
    yield made
    await made.clear()
