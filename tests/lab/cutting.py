"""A line between reactor and a monitor that breaks at a command of the test's choice."""

import asyncio
import contextlib
import json
from pathlib import Path

from reactor.demo.guests import Guest


class Line:
    """A socket that passes everything on to a guest's monitor, until it breaks once.

    Args:
        socket: where reactor finds the monitor.
        command: at which it breaks, the first time that it comes by.
        arrives: whether QEMU still gets and obeys it; of what QEMU then says nothing is
            passed on.
    """

    def __init__(self, socket: Path, guest: Guest, command: str, *, arrives: bool) -> None:
        self.broken = asyncio.Event()
        self._socket = socket
        self._guest = guest
        self._command = command
        self._arrives = arrives
        self._obeyed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._socket)

    async def close(self) -> None:
        """Break for good."""
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        with contextlib.suppress(OSError):
            qemu, to_qemu = await asyncio.open_unix_connection(self._guest.monitor)
            try:
                await self._pass(reader, writer, qemu, to_qemu)
            finally:
                to_qemu.close()
        writer.close()
        self._passing.discard(task)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        qemu: asyncio.StreamReader,
        to_qemu: asyncio.StreamWriter,
    ) -> None:
        back = asyncio.create_task(self._pass_back(qemu, writer))
        there = asyncio.create_task(self._pass_there(reader, to_qemu))
        try:
            await asyncio.wait((back, there), return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.cancel()
            there.cancel()
            await asyncio.gather(back, there, return_exceptions=True)

    async def _pass_there(
        self, reader: asyncio.StreamReader, to_qemu: asyncio.StreamWriter
    ) -> None:
        while line := await reader.readline():
            if not self.broken.is_set() and json.loads(line).get("execute") == self._command:
                self.broken.set()
                if not self._arrives:
                    self._obeyed.set()
                    return
                to_qemu.write(line)
                await self._obeyed.wait()
                return
            to_qemu.write(line)

    async def _pass_back(self, qemu: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await qemu.readline():
            if self.broken.is_set() and not self._obeyed.is_set():
                # Whatever comes behind the command gets lost; its reply comes last of it.
                if "return" in json.loads(line):
                    self._obeyed.set()
                continue
            writer.write(line)
