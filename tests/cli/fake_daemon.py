"""A daemon that answers what the test wants, in a thread, as the verbs block."""

import asyncio
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from reactor.adapters.control import Answer, Code, ControlServer
from reactor.app.control.asks import Ask, GiveOrder
from reactor.core.orders import Order

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeDaemon:
    """Keeps what it was asked, and gives the answer that the test put there."""

    def __init__(self, path: Path) -> None:
        self.asked: list[Any] = []
        self.answer = Answer()
        self._path = path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def says(self, data: object) -> None:
        """Answer every question with this."""
        self.answer = Answer(data=msgspec.Raw(msgspec.json.encode(data)))

    def replies(self, text: str, *, ok: bool = True, **data: object) -> None:
        """Reply so to every order."""
        code = Code.DONE if ok else Code.REFUSED
        self.answer = Answer(code, text, "", msgspec.Raw(msgspec.json.encode(data)))

    @property
    def order(self) -> Order:
        """The one order that was given."""
        (given,) = self.asked
        assert isinstance(given, GiveOrder)
        return given.order

    def on_forbidden(self, who: str, pid: int) -> None:
        """Nobody is."""
        raise AssertionError(who, pid)

    def on_failure(self, who: str, error: BaseException) -> None:
        """Nothing fails."""
        raise AssertionError(who, error)

    async def _handle(self, _who: str, body: bytes) -> Answer:
        self.asked.append(msgspec.json.decode(body, type=Ask))
        return self.answer

    @contextmanager
    def running(self) -> "Iterator[FakeDaemon]":
        """It listens."""
        self._thread.start()
        server = ControlServer(self._path, self._handle, self)
        asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(10)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(server.close(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()
