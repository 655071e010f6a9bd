"""Brokers that deny, hang up on or garble what is subscribed."""

import asyncio
from dataclasses import replace

import pytest

from reactor.adapters.mqtt import Drop
from reactor.adapters.mqtt import subscriber as module
from tests.adapters.mqtt.scripted import Do, ScriptedBroker, accept_v5
from tests.adapters.mqtt.support import QUICK, Rig, rig, text, until

pytestmark = pytest.mark.asyncio


def listening(broker: ScriptedBroker, *filters: str) -> Rig:
    """A publisher that subscribes to these filters, and has a row to publish."""
    made = rig(broker.url)
    made.filters = filters
    made.outbox.add("alert", b"help")
    return made


@pytest.mark.parametrize(
    ("code", "problem", "fix"),
    [
        pytest.param(
            135,
            "not authorized",
            "allow clients without a user name to read b in the broker's ACL",
            id="not authorized",
        ),
        pytest.param(
            128, "unspecified error", "look into the broker's log", id="3.1.1 has no other word"
        ),
    ],
)
async def test_a_denied_topic_is_told_once_and_the_others_are_heard(
    code: int, problem: str, fix: str
) -> None:
    """Publishing goes on; on the same connection it is not asked again."""
    broker = ScriptedBroker(suback=lambda filters: [code if one in "bc" else 1 for one in filters])
    async with broker.running():
        setup = listening(broker, "a", "b", "c")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
            await until(lambda: setup.listener.troubles)
            publisher.ask_for(["a", "b", "c", "d"])
            await until(lambda: len(broker.subscribed) == 2)
            broker.send(b"\x30\x05\x00\x01a\x00x")
            await until(lambda: setup.ear.heard)
    assert broker.subscribed == [["a", "b", "c"], ["d"]]
    place = f"broker {broker.url}"
    assert setup.listener.troubles == [text(place, f"nothing is heard on 'b': {problem}", fix)]


async def test_many_filters_are_sent_in_portions() -> None:
    """No packet grows with the number of policies."""
    broker = ScriptedBroker()
    filters = [f"a/{number:03}" for number in range(250)]
    async with broker.running():
        setup = listening(broker, *filters)
        async with setup.running():
            await until(lambda: len(broker.subscribed) == 3)
            await until(lambda: not setup.outbox.rows)
    assert [len(one) for one in broker.subscribed] == [100, 100, 50]
    assert [one for portion in broker.subscribed for one in portion] == filters


async def test_a_broker_that_hangs_up_on_a_subscription_still_gets_what_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After three broken connections nothing is subscribed for a while; then it is tried again."""
    monkeypatch.setattr(module, "GIVEN_UP_S", 0.3)
    broker = ScriptedBroker(suback=lambda _filters: Do.CLOSE)
    async with broker.running():
        setup = listening(broker, "a")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
            assert len(broker.subscribed) == 3
            broker.suback = lambda filters: [1] * len(filters)
            loop = asyncio.get_running_loop()
            end = loop.time() + 5
            while len(broker.subscribed) == 3 and loop.time() < end:
                publisher.nudge()
                await asyncio.sleep(0.01)
            await until(lambda: len(broker.subscribed) == 4)
    place = f"broker {broker.url}"
    told = text(
        place,
        "the connection broke 3 times while topics were subscribed; for ten minutes nothing is "
        "subscribed, and no message starts a policy",
        "allow clients without a user name to subscribe to the topics of the `mqtt` triggers, or "
        "take these out",
    )
    assert setup.listener.troubles.count(told) == 1


async def test_connections_that_break_later_are_not_blamed_on_subscriptions() -> None:
    """Three hang-ups with two answers between them are no pattern."""
    hang_ups = iter([True, True, False, True, True, False])
    broker = ScriptedBroker(
        suback=lambda filters: Do.CLOSE if next(hang_ups) else [1] * len(filters)
    )
    async with broker.running():
        setup = listening(broker, "a")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
            broker.send(b"\xe0\x02\x8b\x00")  # DISCONNECT: shutting down
            await until(lambda: len(broker.subscribed) == 6)
            await until(lambda: publisher.connected)
    assert not [one for one in setup.listener.troubles if "subscribed" in one]


async def test_a_broker_that_does_not_answer_to_a_subscription_counts_as_hanging() -> None:
    """The connection is given up, as for a message without an answer."""
    broker = ScriptedBroker(suback=lambda _filters: Do.NOTHING)
    async with broker.running():
        setup = listening(broker, "a")
        setup.limits = replace(QUICK, ack_s=0.2)
        async with setup.running():
            await until(lambda: setup.listener.troubles)
    assert "it does not answer any more" in setup.listener.troubles[0]


async def test_an_answer_to_nothing_is_no_matter() -> None:
    """A SUBACK with a number that we never used."""
    broker = ScriptedBroker()
    async with broker.running():
        setup = listening(broker)
        async with setup.running():
            await until(lambda: not setup.outbox.rows)
            broker.send(b"\x90\x04\x00\x07\x00\x01")
            setup.outbox.add("alert", b"more")
            setup.filters = ()
            await until(lambda: broker.open_connections == 1)
    assert setup.listener.troubles == []


@pytest.mark.parametrize(
    ("packet", "drop"),
    [
        pytest.param(b"\x30\x05\x00\x01\xff\x00x", (Drop.TOPIC, "\ufffd"), id="topic"),
        pytest.param(b"\x30\x04\x00\x00\x00x", None, id="no topic"),
        pytest.param(b"\x30\x05\x00\x01b\x00x", None, id="a topic that nobody asked for"),
    ],
)
async def test_what_was_not_asked_for_is_dropped(
    packet: bytes, drop: tuple[Drop, str] | None
) -> None:
    """From a broker that sends what it likes."""
    broker = ScriptedBroker()
    async with broker.running():
        setup = listening(broker, "a")
        async with setup.running() as publisher:
            await until(lambda: broker.subscribed)
            broker.send(packet + b"\x30\x05\x00\x01a\x00y")
            await until(lambda: setup.ear.heard)
            assert publisher.connected
    assert setup.ear.payloads == [b"y"]
    assert setup.ear.dropped == ([drop] if drop else [])


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x30\x01\x00", id="cut off in the length"),
        pytest.param(b"\x30\x03\x00\x09a", id="cut off in the topic"),
        pytest.param(b"\x32\x04\x00\x01a\x00", id="cut off in the packet id"),
        pytest.param(b"\x30\x05\x00\x01a\x20x", id="properties longer than the packet"),
        pytest.param(b"\x30\x0b\x00\x01a\x07\x26\x00\x02\xff\xfe\x00\x00", id="not UTF-8"),
        pytest.param(b"\x30\x06\x00\x01a\x01\x7fx", id="a property that does not exist"),
    ],
)
async def test_what_is_no_mqtt_ends_the_connection(packet: bytes) -> None:
    """And the next one works."""
    broker = ScriptedBroker(connack=lambda _version: accept_v5())
    async with broker.running():
        setup = listening(broker, "a")
        async with setup.running() as publisher:
            await until(lambda: broker.subscribed)
            broker.send(packet)
            await until(lambda: len(broker.subscribed) == 2)
            broker.send(b"\x30\x05\x00\x01a\x00y")
            await until(lambda: setup.ear.heard)
            assert publisher.counters.reconnects == 1
    assert "not MQTT" in setup.listener.troubles[0]


async def test_quality_two_is_left_to_the_library() -> None:
    """We ask for one at most; what comes with two is heard once it is released."""
    broker = ScriptedBroker()
    async with broker.running():
        setup = listening(broker, "a")
        async with setup.running():
            await until(lambda: broker.subscribed)
            broker.send(b"\x34\x07\x00\x01a\x00\x05\x00x")
            broker.send(b"\x62\x02\x00\x05")
            await until(lambda: setup.ear.heard)
    assert setup.ear.payloads == [b"x"]
