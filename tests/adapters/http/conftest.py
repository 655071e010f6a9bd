"""Both loops for every test here, and a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import pytest_asyncio
import uvloop

from reactor.adapters.http import HttpClient
from tests.fakes.web import Server


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Everything must work on the plain loop and on uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def server() -> Iterator[Server]:
    """Without TLS."""
    with Server() as started:
        yield started


@pytest_asyncio.fixture
async def client() -> AsyncIterator[HttpClient]:
    """With the limits of the daemon."""
    client = HttpClient("reactor/0")
    yield client
    await client.close()
