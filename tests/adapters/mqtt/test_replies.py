"""Replies: one connection's, in order, bounded; nobody waits for them on a disk."""

import pytest

from reactor.adapters.mqtt import OutMessage, replies
from reactor.adapters.mqtt.replies import Replies
from tests.adapters.mqtt.support import BASE, rig, until
from tests.fakes.broker import Mosquitto, Subscriber


def reply(number: int, expiry_s: float | None = 60.0) -> OutMessage:
    """One of many."""
    return OutMessage(f"{BASE}/reply/x", str(number).encode(), retain=False, expiry_s=expiry_s)


def test_replies_go_in_order_and_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is refused; what waits when the connection ends is dropped; both count."""
    monkeypatch.setattr(replies, "REPLIES_MAX", 2)
    made = Replies()
    assert [made.put(reply(n), 100.0) for n in range(3)] == [True, True, False]
    first = made.take()
    assert first is not None
    assert (first.message.payload, first.expires, first.seq) == (b"0", 160.0, 0)
    assert made.put(reply(3, None), 100.0)
    made.clear()
    assert made.take() is None
    assert made.dropped == 3


@pytest.mark.asyncio
async def test_a_reply_is_published_while_there_is_a_connection(broker: Mosquitto) -> None:
    """With its expiry, not retained; without a connection it is refused."""
    setup = rig(broker.url)
    with Subscriber(broker.port, f"{BASE}/reply/#") as subscriber:
        async with setup.running() as publisher:
            assert not publisher.reply(reply(0))
            await until(lambda: publisher.connected)
            for number in range(1, 4):
                assert publisher.reply(reply(number))
            await subscriber.until(lambda: len(subscriber.messages) == 3)
    assert [message.payload for message in subscriber.messages] == [b"1", b"2", b"3"]
    assert all(message.expiry_s and message.expiry_s <= 60 for message in subscriber.messages)
    assert setup.outbox.done_seqs == []
