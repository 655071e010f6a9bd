"""A control server that keeps all that it is told, and those who ask it."""

import asyncio
import json
import os
import pwd
from pathlib import Path
from typing import Any

from reactor.adapters.control import Answer, ControlServer, ask
from reactor.adapters.control.server import Bounds, Handler

ME = f"uid {os.getuid()} ({pwd.getpwuid(os.getuid()).pw_name})"


class Desk:
    """A server that answers with who asked and what; everything that it is told is kept."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "control.sock"
        self.forbidden: list[tuple[str, int]] = []
        self.failures: list[tuple[str, BaseException]] = []
        self.asked: list[str] = []
        self.answer: Handler = self._echo
        self.servers: list[ControlServer] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def _echo(self, who: str, body: bytes) -> Answer:
        self.asked.append(body.decode())
        return Answer(text=f"{who} asks {body.decode()}")

    async def start(
        self, *, group: str | None = None, bounds: Bounds | None = None
    ) -> ControlServer:
        """A server on this desk's path."""

        async def answer(who: str, body: bytes) -> Answer:
            return await self.answer(who, body)

        server = ControlServer(self.path, answer, self, group=group, bounds=bounds)
        self.servers.append(server)
        await server.start()
        return server

    def on_forbidden(self, who: str, pid: int) -> None:
        """Keep it."""
        self.forbidden.append((who, pid))

    def on_failure(self, who: str, error: BaseException) -> None:
        """Keep it."""
        self.failures.append((who, error))

    async def ask(self, body: bytes = b'{"type":"who"}') -> Answer:
        """As this user, by the client."""
        return await asyncio.to_thread(ask, self.path, body, within_s=10.0)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """By hand."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        self.writers.append(writer)
        return reader, writer

    async def clear(self) -> None:
        """Leave nothing behind."""
        for writer in self.writers:
            writer.close()
        for server in self.servers:
            await server.close()


async def lines(reader: asyncio.StreamReader) -> list[dict[str, Any]]:
    """Everything that is still to come."""
    async with asyncio.timeout(10):
        try:
            data = await reader.read()
        except ConnectionResetError:
            return []
    return [json.loads(line) for line in data.splitlines()]
