"""The journal's outbox as the publisher sees it."""

from pathlib import Path

import pytest

from reactor.adapters.journal import Batch, Journal, OutboxRow
from reactor.adapters.mqtt import Fate
from reactor.app.outbox import PAUSE_S, DropTeller, OutboxPort, Waiting
from reactor.core.inputs import Dropped
from reactor.demo.waiting import until

pytestmark = pytest.mark.asyncio

NOW = 1_800_000_000.0


async def test_rows_come_with_everything_that_mqtt_carries(tmp_path: Path) -> None:
    """In their order, after a number, with their age; what is done does not come again."""
    journal = Journal.open(tmp_path / "journal.db", now=lambda: NOW)
    try:
        rows = [
            OutboxRow(
                "a/b",
                b"1",
                2,
                retain=True,
                expiry_s=60.0,
                content_type="text/plain",
                properties={"from": "reactor"},
            ),
            OutboxRow("a/c", b"2"),
            OutboxRow("a/d", b"3"),
        ]
        await journal.commit(Batch(messages=rows))
        port = OutboxPort(journal.outbox)
        first, second = await port.pending(0, 2)
        assert first == Waiting(
            seq=first.seq,
            topic="a/b",
            payload=b"1",
            qos=2,
            retain=True,
            expiry_s=60.0,
            content_type="text/plain",
            properties={"from": "reactor"},
            added=NOW,
        )
        assert second == Waiting(
            seq=first.seq + 1,
            topic="a/c",
            payload=b"2",
            qos=1,
            retain=False,
            expiry_s=None,
            content_type="",
            properties={},
            added=NOW,
        )
        assert [row.topic for row in await port.pending(second.seq, 9)] == ["a/d"]
        port.done({first.seq: Fate.SENT, second.seq: Fate.EXPIRED})
        await until(
            "they are gone", lambda: [row.topic for row in journal.reader.outbox(0, 9)] == ["a/d"]
        )
        port.done({second.seq + 1: Fate.DENIED})
        gone = {"superseded": 0, "evicted": 0, "refused": 0, "expired": 1, "denied": 1}
        await until("counted", lambda: journal.outbox.counters() == {"waiting": 0, **gone})
    finally:
        await journal.close()


LOOKS = [
    # so many dropped since the last look, the time, whether the broker is away, what is told
    (0, 0.0, False, []),
    (1, 1.0, False, [1]),
    (1, PAUSE_S, False, []),
    (0, 1.0 + PAUSE_S, False, [2]),
    (0, 500.0, False, []),
    (1, 501.0, True, [3]),
    (1, 901.0, True, []),
    (0, 902.0, False, [4]),
    (1, 903.0, True, []),
    (0, 902.0 + PAUSE_S, True, [5]),
]


async def test_drops_are_told_at_the_first_of_an_outage_and_after_it(tmp_path: Path) -> None:
    """Then once a minute at most; what was told before is not told again."""
    journal = Journal.open(tmp_path / "journal.db", now=lambda: NOW)
    told: list[int] = []
    away, clock = [False], [0.0]

    def submit(dropped: Dropped) -> None:
        told.append(dropped.expired)

    teller = DropTeller(journal.outbox, submit, lambda: not away[0], lambda: clock[0])
    total = 0
    try:
        for dropped, clock[0], away[0], expected in LOOKS:
            total += dropped
            await journal.commit(Batch(messages=[OutboxRow("t", b"")] * dropped))
            journal.outbox.done([row.seq for row in journal.reader.outbox(0, 9)], "expired")
            wanted = total
            await until("counted", lambda: journal.outbox.counters()["expired"] == wanted)  # noqa: B023 - waited for at once
            teller.look()
            assert told == expected
            told.clear()
    finally:
        await journal.close()
