"""The journal's outbox as the publisher sees it."""

from pathlib import Path

import pytest

from reactor.adapters.journal import Batch, Journal, OutboxRow
from reactor.app.outbox import OutboxPort, Waiting
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
        port.done([first.seq, second.seq])
        await until(
            "they are gone", lambda: [row.topic for row in journal.reader.outbox(0, 9)] == ["a/d"]
        )
    finally:
        await journal.close()
