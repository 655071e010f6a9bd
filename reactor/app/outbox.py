"""The journal's outbox as the MQTT publisher sees it, and who tells what it dropped."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from reactor.adapters.journal import Outbox
from reactor.adapters.mqtt import Fate
from reactor.core.inputs import Dropped

LOOK_S = 5.0
"""Seconds between two looks at what the outbox has dropped."""

PAUSE_S = 60.0
"""Seconds between two tellings, while it goes on dropping."""


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

    def done(self, fates: Mapping[int, Fate]) -> None:
        """These need not be sent again; what was not sent is counted."""
        for fate in Fate:
            if seqs := [seq for seq, one in fates.items() if one is fate]:
                self._outbox.done(seqs, "" if fate is Fate.SENT else fate.value)


class DropTeller:
    """Tells the engine what the outbox has dropped: at the first of an outage, and after it.

    Args:
        submit: takes the counters; the engine knows which of that it was told before.
        is_connected: whether the broker is there.
        clock: seconds that only go on.
    """

    def __init__(
        self,
        outbox: Outbox,
        submit: Callable[[Dropped], None],
        is_connected: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._submit = submit
        self._is_connected = is_connected
        self._clock = clock
        self._told = Dropped()
        self._next = 0.0
        self._is_silent = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Tell what is new, where it is time for that."""
        is_connected = self._is_connected()
        if is_connected:
            self._is_silent = False
        counters = self._outbox.counters()
        dropped = Dropped(**{name: counters[name] for name in Dropped.__struct_fields__})
        if dropped == self._told or self._is_silent or self._clock() < self._next:
            return
        # One message for a whole outage: they would fill an outbox that is full already.
        self._is_silent = not is_connected
        self._told = dropped
        self._next = self._clock() + (PAUSE_S if is_connected else 0.0)
        self._submit(dropped)
