"""A line between reactor and a monitor that breaks at a command, or by a test's hand."""

import asyncio
import contextlib
import json
from pathlib import Path

from reactor.demo.guests import Guest

# query-qmp-schema is one line of 207 kB on QEMU 7.2.
_LINE_BYTES = 16 << 20


class Line:
    """A socket that passes everything on to a guest's monitor, until it breaks once.

    Args:
        socket: where reactor finds the monitor.
        command: at which it breaks, the first time that it comes by; empty: at none.
        arrives: whether QEMU still gets and obeys it; of what QEMU then says nothing is
            passed on.
        hangs: whether the line stays there then, without a word, until it is cut.
    """

    def __init__(
        self,
        socket: Path,
        guest: Guest,
        command: str = "",
        *,
        arrives: bool = True,
        hangs: bool = False,
    ) -> None:
        self.broken = asyncio.Event()
        self._socket = socket
        self.guest = guest
        self._command = command
        self._arrives = arrives
        self._hangs = hangs
        self._id: object = None
        self._obeyed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._cut = asyncio.Event()

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._socket)

    async def close(self) -> None:
        """Break for good."""
        if self._server is not None:
            self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Break now; whoever connects until `mend` is turned away."""
        self._cut.set()
        await asyncio.gather(*self._passing)

    def mend(self) -> None:
        """Pass everything on again, on the next connection."""
        self._cut.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._cut.is_set():
            writer.close()
            return
        self._passing.add(task)
        try:
            with contextlib.suppress(OSError):
                qemu, to_qemu = await asyncio.open_unix_connection(
                    self.guest.monitor, limit=_LINE_BYTES
                )
                try:
                    await self._pass(reader, writer, qemu, to_qemu)
                finally:
                    to_qemu.close()
        finally:
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
        cut = asyncio.create_task(self._cut.wait())
        tasks = (back, there, cut)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_there(
        self, reader: asyncio.StreamReader, to_qemu: asyncio.StreamWriter
    ) -> None:
        while line := await reader.readline():
            asked = json.loads(line)
            if not self.broken.is_set() and asked.get("execute") == self._command:
                self._id = asked.get("id")
                self.broken.set()
                if not self._arrives:
                    self._obeyed.set()
                    return
                to_qemu.write(line)
                await self._obeyed.wait()
                if self._hangs:
                    await self._cut.wait()
                return
            to_qemu.write(line)

    async def _pass_back(self, qemu: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await qemu.readline():
            if self.broken.is_set() and not self._obeyed.is_set():
                # Whatever comes behind the command gets lost; its reply comes last of it. One
                # to an earlier question says nothing: QEMU drops what it has not obeyed yet.
                said = json.loads(line)
                if "return" in said and said.get("id") == self._id:
                    self._obeyed.set()
                continue
            writer.write(line)
