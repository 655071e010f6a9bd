"""The outbox as the MQTT side sees it: what waits, what is done, what was dropped."""

import asyncio
from collections.abc import Iterable

from reactor.adapters.journal.intake import Intake
from reactor.adapters.journal.reader import Reader
from reactor.adapters.journal.rows import OutboxMessage
from reactor.adapters.journal.writer import Writer


class Outbox:
    """Messages in the order in which they were journaled; which are dropped: ``ledger``.

    A pump reads with ``pending``, publishes, calls ``done`` when the broker
    has acknowledged, and sleeps in ``wait``. It keeps its own cursor, so that a
    message whose removal is still under way is not read twice; after a restart
    the cursor is 0, and what was not done comes again.
    """

    def __init__(self, reader: Reader, intake: Intake, writer: Writer) -> None:
        self._reader = reader
        self._intake = intake
        self._writer = writer

    async def pending(self, after: int, limit: int) -> list[OutboxMessage]:
        """At most ``limit`` messages with a number beyond ``after``, in their order.

        Those that were just journaled come from memory: no thread, no question to SQLite.

        Raises:
            JournalError: the disk failed, or the journal is closed.
        """
        recent = self._writer.tail.after(after, limit)
        if recent is not None and not self._intake.is_closed:
            return recent
        return await asyncio.to_thread(self._reader.outbox, after, limit)

    async def wait(self, after: int) -> None:
        """Returns as soon as a message beyond ``after`` has been journaled."""
        await self._writer.bell.wait(after)

    def done(self, seqs: Iterable[int], why: str = "") -> None:
        """The broker has these: they are removed with the next write, or 50 ms later.

        Without an fsync: a power cut may bring the last ones again.

        Args:
            why: the counter of those that were dropped unsent: ``expired``, ``denied``.
        """
        self._intake.done(seqs, why)

    def counters(self) -> dict[str, int]:
        """``waiting`` now, and those dropped in all lives of the daemon by reason."""
        ledger = self._writer.ledger
        return {"waiting": ledger.waiting, **ledger.dropped}
