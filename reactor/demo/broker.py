"""A real Mosquitto on a free loopback port, for as long as the demo lasts."""

import asyncio
import signal
import socket
from pathlib import Path

from reactor.demo.process import DemoError, Process
from reactor.demo.waiting import until_async

_START_S = 5.0


class Broker:
    """``start`` it, use ``url``, ``close`` it; its files lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: Process | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return when it takes connections.

        Raises:
            DemoError: it is not installed, or it did not start.
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = self._folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        )
        self._process = Process("mosquitto", ["-c", str(config)], self._folder / "mosquitto.log")
        try:
            await until_async("mosquitto answers", self._answers, _START_S)
        except DemoError:
            raise DemoError(
                f"mosquitto on port {self.port}",
                f"it did not start: {self._process.last_words()}",
                f"try it by hand: {self._process.command_line()}",
            ) from None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def close(self) -> None:
        """End it."""
        if self._process is not None and self._process.exit_code is None:
            self._process.send(signal.SIGTERM)
            await self._process.ended()
