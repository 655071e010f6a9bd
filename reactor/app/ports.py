"""What the dispatcher needs of the world: somebody who sends, somewhere to write."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from reactor.adapters.journal import Batch, InputRow


class Commands(Protocol):
    """Who sends QMP commands."""

    def send(
        self, guest: str, command: str, arguments: Mapping[str, object], *, timeout: float
    ) -> asyncio.Future[object]:
        """The future of the command's return value; the command is on its way.

        It gets GuestError or LostReply when there is none.

        Raises:
            ReactorError: the command certainly was not sent.
        """
        ...


class JournalPort(Protocol):
    """Where inputs and intents become durable."""

    async def commit(self, batch: Batch) -> None:
        """Return when the batch is on disk."""
        ...

    def lazily(self, rows: list[InputRow]) -> None:
        """Write these some time soon."""
        ...
