"""A door between the daemon and the broker, open only while somebody at the broker listens.

The way to the broker can end without a word: what is sent from then on arrives nowhere, is never
acknowledged, and is in flight when the daemon is killed. Over loopback alone a message is
acknowledged within a millisecond, and hardly a kill ever meets one that is not.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Self

_CHUNK: Final = 1 << 16


class Relay:
    """A TCP port that leads to another one while it is ``open``.

    A broker that was started again has nobody who listens until the subscriber is back; what the
    daemon would deliver meanwhile goes to nobody, and rightly so. With the door closed until the
    subscriber is there, a message that does not arrive was lost by the daemon.

    Args:
        target: the broker's port.
        carries: how many bytes the next link takes to the broker.
    """

    def __init__(self, target: int, carries: Callable[[], float]) -> None:
        self._target = target
        self._carries = carries
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self.open = True
        self.port = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._join(reader, writer)
        finally:
            self._links.discard(task)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            return
        theirs, to_them = await asyncio.open_connection("127.0.0.1", self._target)
        ways = [
            asyncio.create_task(_copy(reader, to_them, self._carries()), name="to the broker"),
            asyncio.create_task(_copy(theirs, writer), name="from the broker"),
        ]
        try:
            # One end that goes takes the other with it, as one wire would.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            to_them.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.cancel()
        if self._links:
            await asyncio.wait(self._links)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: float = float("inf")
) -> None:
    """Hand on what comes; what would be beyond so many bytes is read and arrives nowhere."""
    carried = 0
    with contextlib.suppress(OSError):
        while octets := await reader.read(_CHUNK):
            carried += len(octets)
            if carried <= most:
                writer.write(octets)
                await writer.drain()
