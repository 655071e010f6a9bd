"""The connection's life against a real Mosquitto: birth, will, farewell, announcements."""


import pytest

from tests.adapters.mqtt.support import AVAILABILITY, rig, until
from tests.fakes.broker import Mosquitto, Subscriber

pytestmark = pytest.mark.asyncio


async def test_online_is_retained_and_offline_follows_an_orderly_close(broker: Mosquitto) -> None:
    """A late subscriber reads online; close replaces it by offline."""
    setup = rig(broker.url)
    async with setup.running() as publisher:
        await until(lambda: publisher.connected)
        assert publisher.protocol == "5"
        with Subscriber(broker.port) as subscriber:
            await subscriber.until(lambda: len(subscriber.messages) >= 1)
            assert subscriber.messages[0].retain
            await publisher.close(2)
            await subscriber.until(lambda: len(subscriber.messages) >= 2)
    assert subscriber.payloads(AVAILABILITY) == [b"online", b"offline"]
    with Subscriber(broker.port) as late:
        await late.until(lambda: len(late.messages) >= 1)
    assert late.payloads(AVAILABILITY) == [b"offline"]
    assert setup.listener.log == ["connected", "disconnected"]
