"""The journal's outbox as the MQTT publisher sees it."""

from collections.abc import Mapping, Sequence

import msgspec

from reactor.adapters.journal import Outbox


class Waiting(msgspec.Struct, frozen=True):
    """A message that waits for the broker; times as the publisher counts them."""

    seq: int
    topic: str
    payload: bytes
    qos: int
    retain: bool
    expiry_s: float | None
    content_type: str
    properties: Mapping[str, str]
    added: float


class OutboxPort:
    """Reads the journal's outbox, and tells it what is through."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def pending(self, after: int, limit: int) -> Sequence[Waiting]:
        """The next messages after a number, in their order."""
        return [
            Waiting(
                row.seq,
                row.topic,
                row.payload,
                row.qos,
                row.retain,
                None if row.expires is None else row.expires - row.at,
                row.content_type,
                row.properties,
                row.at,
            )
            for row in await self._outbox.pending(after, limit)
        ]

    def done(self, seqs: Sequence[int]) -> None:
        """These need not be sent again."""
        self._outbox.done(seqs)
