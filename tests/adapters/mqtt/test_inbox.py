"""What comes in from a real Mosquitto, with MQTT 5 and with 3.1.1."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from reactor.adapters.mqtt import Drop, Incoming, InLimits, Publisher
from reactor.adapters.mqtt import publisher as module
from reactor.adapters.mqtt.link import V311
from tests.adapters.mqtt.support import AVAILABILITY, BASE, Rig, rig, stays, until
from tests.fakes.broker import Mosquitto, Speaker

pytestmark = pytest.mark.asyncio


@pytest.fixture
def speaker(broker: Mosquitto) -> Iterator[Speaker]:
    """Somebody who publishes."""
    with Speaker(broker.port) as made:
        yield made


def listening(broker: Mosquitto, *filters: str, limits: InLimits | None = None) -> Rig:
    """A publisher that subscribes to these filters."""
    made = rig(broker.url)
    made.filters = filters
    if limits is not None:
        made.in_limits = limits
    return made


@contextlib.asynccontextmanager
async def heard_by(setup: Rig) -> AsyncIterator[Publisher]:
    """The publisher, as soon as its subscriptions stand."""
    async with setup.running() as publisher:
        await subscribed(publisher)
        yield publisher


async def subscribed(publisher: Publisher) -> None:
    """Wait until the broker has answered to every subscription."""
    await until(lambda: publisher.connected)
    link = publisher._link  # noqa: SLF001
    assert link is not None
    await until(lambda: not link.asked and not link.grants)


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both protocols; the older one as if the broker had refused the newer."""
    if request.param == "3.1.1":
        monkeypatch.setattr(module, "V5", V311)
    return str(request.param)


async def test_what_is_asked_for_is_heard_and_nothing_else(
    broker: Mosquitto, speaker: Speaker, protocol: str
) -> None:
    """In the order in which it was published, whatever the bytes."""
    setup = listening(broker, f"{BASE}/request/+", "other/#")
    async with heard_by(setup) as publisher:
        assert publisher.connected
        assert f" as reactor-h1 (p{'5' if protocol == '5' else '2'}," in broker.log
        for topic, payload in (
            (f"{BASE}/request/web-1", b"\x00\xff"),
            (f"{BASE}/request", b"no"),
            (f"{BASE}/request/web-1/dump", b"no"),
            ("other", b""),
            ("other/a/b", "ü".encode()),
        ):
            speaker.say(topic, payload)
        await until(lambda: len(setup.ear.heard) == 3)
    assert [(m.topic, m.payload, m.qos, m.retain) for m in setup.ear.heard] == [
        (f"{BASE}/request/web-1", b"\x00\xff", 1, False),
        ("other", b"", 1, False),
        ("other/a/b", "ü".encode(), 1, False),
    ]


async def test_everything_that_mqtt_5_says_of_a_message_is_passed_on(
    broker: Mosquitto, speaker: Speaker
) -> None:
    """Expiry, user properties in their order, who wants an answer."""
    setup = listening(broker, "a")
    async with heard_by(setup):
        speaker.say(
            "a",
            b"x",
            qos=0,
            expiry_s=60,
            response_topic="reply/me",
            correlation=b"\x00\x01",
            properties=[("k", "1"), ("k", "2")],
        )
        await until(lambda: setup.ear.heard)
    (message,) = setup.ear.heard
    assert message.expires is not None
    assert 55 <= message.expires <= 60
    assert message == Incoming(
        "a",
        b"x",
        expires=message.expires,
        properties=(("k", "1"), ("k", "2")),
        response_topic="reply/me",
        correlation=b"\x00\x01",
    )


async def test_a_retained_message_does_not_come_when_topics_are_subscribed(
    broker: Mosquitto, speaker: Speaker, protocol: str
) -> None:
    """MQTT 5: not at all. 3.1.1: it says that it is an old one."""
    speaker.say("a", b"old", retain=True)
    setup = listening(broker, "a")
    async with heard_by(setup):
        speaker.say("a", b"new")
        await until(lambda: b"new" in setup.ear.payloads)
    found = [(m.payload, m.retain) for m in setup.ear.heard]
    assert found == ([] if protocol == "5" else [(b"old", True)]) + [(b"new", False)]


async def test_a_message_that_is_published_to_be_retained_says_so_at_once(
    broker: Mosquitto, speaker: Speaker
) -> None:
    """MQTT 5: so that it is dropped the first time already, not only after a reconnect."""
    setup = listening(broker, "a")
    async with heard_by(setup):
        speaker.say("a", b"x", retain=True)
        await until(lambda: setup.ear.heard)
    assert setup.ear.heard[0].retain


async def test_what_we_publish_ourselves_does_not_come_back(
    broker: Mosquitto, speaker: Speaker
) -> None:
    """MQTT 5: a policy that publishes what it is triggered by is no loop."""
    setup = listening(broker, "a", AVAILABILITY)
    async with heard_by(setup) as publisher:
        setup.outbox.add("a", b"ours")
        publisher.nudge()
        await until(lambda: not setup.outbox.rows)
        speaker.say("a", b"theirs")
        await until(lambda: setup.ear.heard)
        assert setup.ear.payloads == [b"theirs"]


@pytest.mark.usefixtures("protocol")
async def test_overlapping_filters_bring_a_message_once(
    broker: Mosquitto, speaker: Speaker
) -> None:
    """And what only the wider filter of both matches is not heard."""
    setup = listening(broker, "a/+/c", "a/b/+", "a/b/c")
    async with heard_by(setup) as publisher:
        inbox = publisher._inbox  # noqa: SLF001
        assert inbox.filters == ("a/+/+",)
        for topic in ("a/b/c", "a/x/x", "a/b/x", "a/x/c"):
            speaker.say(topic, topic.encode())
        await until(lambda: len(setup.ear.heard) >= 3)
        await until(lambda: inbox.counters.dropped == {Drop.UNWANTED: 1})
    assert setup.ear.payloads == [b"a/b/c", b"a/b/x", b"a/x/c"]
    assert setup.ear.dropped == []
    assert inbox.counters.received == 3


async def test_topics_are_subscribed_again_after_the_broker_was_away(broker: Mosquitto) -> None:
    """By the same publisher, without a word from anybody."""
    setup = listening(broker, "a")
    async with heard_by(setup) as publisher:
        broker.kill()
        await until(lambda: not publisher.connected)
        broker.start()
        await subscribed(publisher)
        with Speaker(broker.port) as speaker:
            speaker.say("a", b"after")
        await until(lambda: setup.ear.heard)
    assert setup.ear.payloads == [b"after"]


async def test_what_is_published_while_we_are_away_is_not_heard(
    broker: Mosquitto, speaker: Speaker
) -> None:
    """The broker keeps no session for us: a late command is worse than none."""
    setup = listening(broker, "a")
    async with heard_by(setup):
        pass
    speaker.say("a", b"missed")
    async with heard_by(setup):
        speaker.say("a", b"heard")
        await until(lambda: setup.ear.heard)
    assert setup.ear.payloads == [b"heard"]


async def test_a_reload_changes_what_is_subscribed(broker: Mosquitto, speaker: Speaker) -> None:
    """What stays is not touched, what goes is not heard, what is new is."""
    setup = listening(broker, "stays", "goes", "narrow/a")
    async with heard_by(setup) as publisher:
        publisher.ask_for(["stays", "comes", "narrow/+"])
        await until(lambda: b"comes" in b"".join(_subscribed_in(broker)))
        await subscribed(publisher)
        for topic in ("goes", "stays", "comes", "narrow/a", "narrow/b"):
            speaker.say(topic, topic.encode())
        await until(lambda: b"narrow/b" in setup.ear.payloads)
        publisher.ask_for([])
        await until(lambda: "narrow/+" not in publisher._subscriber._standing)  # noqa: SLF001
        speaker.say("stays", b"not any more")
        await stays(lambda: b"not any more" not in setup.ear.payloads)
    assert setup.ear.payloads == [b"stays", b"comes", b"narrow/a", b"narrow/b"]
    log = broker.log
    assert log.count("\tstays (QoS 1)") == 1
    assert publisher.counters.reconnects == 0


def _subscribed_in(broker: Mosquitto) -> list[bytes]:
    """The lines of the broker's log that tell of a subscription."""
    return [line.encode() for line in broker.log.splitlines() if "(QoS 1)" in line]


async def test_hostile_messages_are_dropped_counted_and_told(
    broker: Mosquitto, speaker: Speaker
) -> None:
    """Giants and heaps of properties; what is between them is heard, the connection stays."""
    setup = listening(broker, "a", limits=InLimits(payload=1000, properties=100, packet=100_000))
    async with heard_by(setup) as publisher:
        speaker.say("a", b"x" * 1000)
        speaker.say("a", b"x" * 1001, correlation=b"who")
        speaker.say("a", b"x" * 99_000, qos=0)
        speaker.say("a", b"x" * 1001, correlation=b"who", retain=True)
        speaker.say("a", b"properties", properties=[("k", "v" * 100)])
        # The broker keeps back what is larger than we announced.
        speaker.say("a", b"x" * 200_000)
        speaker.say("a", b"last")
        await until(lambda: b"last" in setup.ear.payloads)
        inbox = publisher._inbox  # noqa: SLF001
    assert setup.ear.payloads == [b"x" * 1000, b"last"]
    assert setup.ear.dropped == [
        (Drop.TOO_LARGE, "a"),
        (Drop.TOO_LARGE, "a"),
        (Drop.TOO_LARGE, "a"),
        (Drop.PROPERTIES, "a"),
    ]
    # Of the first, packed; of no other: it had none, was retained, or had too many.
    assert setup.ear.properties == [b"\x09\x00\x03who", b"", b"", b""]
    assert inbox.counters.dropped == {Drop.TOO_LARGE: 3, Drop.PROPERTIES: 1}
    assert publisher.counters.reconnects == 0


async def test_what_is_dropped_is_acknowledged(broker: Mosquitto, speaker: Speaker) -> None:
    """Otherwise the broker would stop at the twentieth message without an answer."""
    setup = listening(broker, "a", limits=InLimits(payload=10))
    async with heard_by(setup):
        for _ in range(60):
            speaker.say("a", b"x" * 11)
        speaker.say("a", b"last")
        await until(lambda: setup.ear.payloads == [b"last"])
    assert len(setup.ear.dropped) == 60


async def test_a_flood_is_cut_to_the_rate(broker: Mosquitto, speaker: Speaker) -> None:
    """The burst comes in; we go on publishing meanwhile."""
    setup = listening(broker, "a", limits=InLimits(rate=0.001, burst=5, tree_burst=1000))
    async with heard_by(setup) as publisher:
        for number in range(300):
            speaker.say("a", str(number).encode(), qos=0)
        speaker.say("a", b"last")
        setup.outbox.add(f"{BASE}/alert", b"help")
        publisher.nudge()
        await until(lambda: not setup.outbox.rows)
        await until(lambda: len(setup.ear.dropped) == 296)
    assert setup.ear.payloads == [b"0", b"1", b"2", b"3", b"4"]
    assert {reason for reason, _ in setup.ear.dropped} == {Drop.TOO_MANY}
