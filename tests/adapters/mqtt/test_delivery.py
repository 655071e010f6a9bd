"""What becomes of the outbox's rows at a real Mosquitto."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pytest
import uvloop

from reactor.adapters.mqtt import Limits
from reactor.errors import JournalError
from tests.adapters.mqtt.support import BASE, QUICK, Rig, rig, until
from tests.fakes.broker import Mosquitto, Received, Subscriber

LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]


def in_order(payloads: list[bytes]) -> bool:
    """Whether numbers never go back; the same one twice in a row is no sin."""
    numbers = [int(payload) for payload in payloads]
    return all(late >= early for early, late in itertools.pairwise(numbers))


@pytest.mark.asyncio
async def test_a_row_arrives_as_it_was_written(broker: Mosquitto) -> None:
    """Payload, qos, what is left of the expiry, content type and properties."""
    setup = rig(broker.url)
    setup.outbox.add(
        f"{BASE}/guest/db-1/event/GUEST_PANICKED",
        b"{}",
        expiry_s=3600.0,
        added=setup.clock - 600.5,
        content_type="application/cloudevents+json",
        properties={"run": "17", "policy": "guest-panic"},
    )
    setup.outbox.add(f"{BASE}/plain", b"", qos=0)
    with Subscriber(broker.port, f"{BASE}/#") as subscriber:
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
            await subscriber.until(lambda: len(subscriber.messages) == 3)
    assert subscriber.messages[1:3] == [
        Received(
            f"{BASE}/guest/db-1/event/GUEST_PANICKED",
            b"{}",
            qos=1,
            retain=False,
            expiry_s=3000,
            content_type="application/cloudevents+json",
            properties={"run": "17", "policy": "guest-panic"},
        ),
        Received(f"{BASE}/plain", b"", qos=0, retain=False),
    ]
    assert sorted(setup.outbox.done_seqs) == [1, 2]
    assert publisher.counters.published == 2


@pytest.mark.asyncio
async def test_an_empty_retained_row_takes_the_retained_message_away(broker: Mosquitto) -> None:
    """A mark that was cleared is gone from the broker too."""
    setup = rig(broker.url)
    topic = f"{BASE}/guest/db-1/mark/disk/disk0/degraded"
    setup.outbox.add(topic, b"set", retain=True)
    async with setup.running() as publisher:
        await until(lambda: not setup.outbox.rows)
        with Subscriber(broker.port, topic) as before:
            await before.until(lambda: before.payloads(topic) == [b"set"])
        setup.outbox.add(topic, b"", retain=True)
        setup.outbox.add(f"{BASE}/last", b"x", retain=True)
        publisher.nudge()
        await until(lambda: not setup.outbox.rows)
        with Subscriber(broker.port, f"{BASE}/#") as after:
            await after.until(lambda: len(after.messages) == 2)
    assert after.payloads(topic) == []


@pytest.mark.asyncio
async def test_a_nudge_publishes_at_once(broker: Mosquitto) -> None:
    """An idle publisher sleeps until it is told of new rows, and then reads them."""
    setup = rig(broker.url)
    async with setup.running() as publisher:
        await until(lambda: publisher.connected and setup.outbox.reads == 1)
        for number in range(3):
            setup.outbox.add(f"{BASE}/alert", b"%d" % number)
            publisher.nudge()
            await until(lambda: not setup.outbox.rows)
    assert publisher.counters.published == 3


@pytest.mark.asyncio
async def test_expired_rows_are_dropped_and_counted(broker: Mosquitto) -> None:
    """At its expiry a row is of no use any more; one without expiry goes out however old."""
    setup = rig(broker.url)
    old = setup.clock - 100
    for name, expiry in [("before", 99.9), ("at", 100.0), ("after", 100.1), ("never", None)]:
        setup.outbox.add(f"{BASE}/{name}", b"x", expiry_s=expiry, added=old)
    with Subscriber(broker.port, f"{BASE}/#") as subscriber:
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
            await subscriber.until(lambda: len(subscriber.messages) == 3)
    assert [message.topic for message in subscriber.messages[1:3]] == [
        f"{BASE}/after",
        f"{BASE}/never",
    ]
    assert subscriber.messages[1].expiry_s == 1
    assert (publisher.counters.expired, publisher.counters.published) == (2, 2)


@pytest.mark.asyncio
async def test_close_publishes_what_waits_before_it_says_offline(broker: Mosquitto) -> None:
    """500 rows that were added just before close all arrive, then offline."""
    setup = rig(broker.url)
    with Subscriber(broker.port, f"{BASE}/#") as subscriber:
        async with setup.running() as publisher:
            await until(lambda: publisher.connected)
            for number in range(500):
                setup.outbox.add(f"{BASE}/t{number % 7}", b"%d" % number)
            publisher.nudge()
            await publisher.close(3)
            assert not setup.outbox.rows
            await subscriber.until(lambda: len(subscriber.messages) == 502)
    assert subscriber.messages[-1].payload == b"offline"


@pytest.mark.parametrize("new_loop", LOOPS)
def test_nothing_is_lost_when_the_broker_is_killed(
    tmp_path: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """SIGKILL in the middle of 400 rows, the same port again: all arrive, in order per topic."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_kill_in_the_middle(tmp_path))


class Reader(TypedDict):
    """Who listens."""

    username: str
    password: str


READER: Reader = {"username": "reader", "password": "r"}


async def _kill_in_the_middle(tmp_path: Path) -> None:
    # The publisher must not be back before the subscriber is, or what it sends
    # has nobody to go to: a wrong password keeps it out for so long.
    password = tmp_path / "password"
    password.write_text("right\n")
    folder = tmp_path / "broker"
    folder.mkdir()
    with (
        Mosquitto(folder, users={"reactor": "right", "reader": "r"}) as broker,
        Subscriber(broker.port, f"{BASE}/t/#", qos=0, **READER) as subscriber,
    ):
        setup = rig(broker.url, username="reactor", password_file=password)
        for number in range(400):
            setup.outbox.add(f"{BASE}/t/{number % 5}", b"%d" % number)
        async with setup.running() as publisher:
            await until(lambda: len(setup.outbox.done_seqs) >= 100)
            broker.kill()
            password.write_text("wrong")
            assert 100 <= len(setup.outbox.done_seqs) < 400
            await until(lambda: not publisher.connected)
            broker.start()
            await subscriber.until(lambda: subscriber.subscriptions == 2)
            password.write_text("right\n")
            await until(lambda: not setup.outbox.rows)
            await subscriber.until(lambda: len({m.payload for m in subscriber.messages}) == 400)
    assert sorted(setup.outbox.done_seqs) == list(range(1, 401))
    for topic in range(5):
        assert in_order(subscriber.payloads(f"{BASE}/t/{topic}"))
    assert publisher.counters.published == 400
    assert 0 < publisher.counters.retried <= 20


ACL = "user reactor\ntopic write reactor/h1/availability\ntopic write reactor/h1/run/#\n"


@pytest.mark.asyncio
async def test_a_denied_message_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    """MQTT 5 says that an ACL denies: counted, told once, and the next row goes out."""
    password = tmp_path / "password"
    password.write_text("pw")
    users = {"reactor": "pw"}
    with Mosquitto(tmp_path, users=users, acl=ACL) as broker:
        setup = rig(broker.url, username="reactor", password_file=password)
        for number in range(3):
            setup.outbox.add(f"{BASE}/alert/critical", b"%d" % number)
        setup.outbox.add(f"{BASE}/run/1", b"x")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
    assert (publisher.counters.refused, publisher.counters.published) == (3, 1)
    text = (
        f"broker {broker.url}: a message on 'reactor/h1/alert/critical' was refused and dropped: "
        "not authorized\n"
        "  fix: allow the user 'reactor' to write reactor/h1/# in the broker's ACL"
    )
    assert setup.listener.troubles == [text]
    assert setup.listener.log == ["connected", "trouble", "disconnected"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("spare", "published"), [(1, 2), (0, 2), (-1, 1)])
async def test_the_largest_packet_that_the_broker_announced_still_goes(
    tmp_path: Path, spare: int, published: int
) -> None:
    """One byte more is refused here, before the broker would end the connection for it."""
    with Mosquitto(tmp_path, extra=["max_packet_size 1000"]) as broker:
        setup = rig(broker.url)
        setup.outbox.add(f"{BASE}/large", b"x" * (976 - spare), properties={})
        setup.outbox.add(f"{BASE}/small", b"x")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
    assert publisher.counters.published == published
    assert publisher.counters.reconnects == 0
    text = (
        f"broker {broker.url}: a message on 'reactor/h1/large' was refused and dropped: "
        "it needs 1001 bytes, and the broker takes 1000\n"
        "  fix: raise the broker's limit, or publish less"
    )
    assert setup.listener.troubles == ([text] if published == 1 else [])


@pytest.mark.asyncio
async def test_a_message_that_ends_every_connection_is_given_up(tmp_path: Path) -> None:
    """Mosquitto answers a message over its limit with a code that no PUBACK may have."""
    with Mosquitto(tmp_path, extra=["message_size_limit 1000"]) as broker:
        setup = rig(broker.url)
        setup.outbox.add(f"{BASE}/before", b"x")
        setup.outbox.add(f"{BASE}/large", b"x" * 1001)
        setup.outbox.add(f"{BASE}/after", b"x")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
    assert (publisher.counters.refused, publisher.counters.published) == (1, 2)
    place = f"broker {broker.url}"
    garbled = (
        f"{place}: it sent something that is not MQTT\n"
        "  fix: look into the broker's log if this goes on; reactor connects again by itself"
    )
    given_up = (
        f"{place}: a message on 'reactor/h1/large' was refused and dropped: the connection "
        "broke 3 times while only this message was under way\n"
        "  fix: look into the broker's log: the message may be too large for it"
    )
    assert setup.listener.troubles == [garbled, given_up]


@pytest.mark.asyncio
async def test_an_outbox_that_cannot_be_read_is_asked_again(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk stops neither the link nor the publisher; the log says so once."""
    setup = Rig(rig(broker.url).options, Limits(retry_s=0.05, first_delay_s=0.05))
    setup.outbox.add(f"{BASE}/alert", b"x")
    setup.outbox.error = JournalError("journal", "the disk is full", "make room")
    async with setup.running() as publisher:
        await until(lambda: setup.outbox.reads >= 3)
        assert publisher.connected
        setup.outbox.error = None
        await until(lambda: not setup.outbox.rows)
    assert [record.message for record in caplog.records] == ["outbox cannot be read"]


@pytest.mark.asyncio
async def test_memory_is_bounded_however_much_waits(broker: Mosquitto) -> None:
    """Never more rows are held than the look-ahead, and all arrive."""
    setup = Rig(rig(broker.url).options, Limits(lookahead=50, window=10))
    held = []
    for number in range(1000):
        setup.outbox.add(f"{BASE}/t{number % 3}", b"%d" % number)
    async with setup.running() as publisher:
        while setup.outbox.rows:
            held.append(publisher._rows._held)  # noqa: SLF001 - memory has no other trace
            await asyncio.sleep(0)
    assert max(held) <= 50
    assert QUICK.lookahead == 1000
    assert sorted(setup.outbox.done_seqs) == list(range(1, 1001))
