"""Fixtures with real QEMU guests; whatever a test starts ends with the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from reactor.demo.lab import Lab

_HERE = Path(__file__).parent

# A test is given up after this; most need less than a second.
_LIMIT_SECONDS = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked ``lab`` and has a limit of its own."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker("lab")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_LIMIT_SECONDS))


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    """An empty lab; its methods start guests and storage daemons.

    A program that is missing fails the test with the name of its Debian package.
    """
    async with Lab() as started:
        yield started
