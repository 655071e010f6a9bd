"""Brokers that Mosquitto cannot play: old, mute, full, hostile, broken."""

import asyncio
import contextlib
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reactor.adapters.mqtt import Inbox, OutMessage
from reactor.adapters.mqtt.backlog import Job
from reactor.adapters.mqtt.link import connect
from tests.adapters.mqtt.scripted import (
    ACCEPT_V311,
    BAD_VERSION,
    Do,
    Published,
    ScriptedBroker,
    accept_all,
    accept_v5,
    disconnect,
    refuse_v5,
)
from tests.adapters.mqtt.support import AVAILABILITY, BASE, QUICK, Ear, rig, stays, text, until

pytestmark = pytest.mark.asyncio

LOG = "look into the broker's log if this goes on; reactor connects again by itself"


@pytest.mark.parametrize("refusal", [BAD_VERSION, refuse_v5(132)], ids=["as 3.1.1", "as 5"])
async def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1(refusal: bytes) -> None:
    """At once and without a word of trouble; what 3.1.1 does not know is left out."""
    broker = ScriptedBroker(connack=lambda version: refusal if version == 5 else ACCEPT_V311)
    async with broker.running():
        setup = rig(broker.url)
        setup.outbox.add(
            f"{BASE}/alert",
            b"x",
            properties={"a": "b"},
            content_type="text/plain",
            expiry_s=9.0,
            added=setup.clock,
        )
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
            assert publisher.protocol == "3.1.1"
            await publisher.close(1)
    assert broker.versions == [5, 4]
    assert [(message.topic, message.payload) for message in broker.published] == [
        (AVAILABILITY, b"online"),
        (f"{BASE}/alert", b"x"),
        (AVAILABILITY, b"offline"),
    ]
    assert setup.listener.troubles == []


async def test_a_broker_that_hangs_up_on_mqtt_5_is_tried_with_3_1_1_too() -> None:
    """After the second time; a broker that only restarts is not degraded by the first."""
    broker = ScriptedBroker(connack=lambda version: Do.CLOSE if version == 5 else ACCEPT_V311)
    async with broker.running():
        setup = rig(broker.url)
        async with setup.running() as publisher:
            await until(lambda: publisher.connected)
    assert broker.versions == [5, 5, 4]
    assert setup.listener.troubles == [
        text(
            f"broker {broker.url}",
            "the connection was closed without an answer",
            "check that this is an MQTT port, and write mqtts:// if it speaks TLS",
        )
    ]


@pytest.mark.parametrize(
    ("answer", "problem", "fix"),
    [
        pytest.param(b"\xf0\x00", "its answer is not MQTT", "correct the port in url",
                     id="not MQTT"),
        pytest.param(Do.NOTHING, "no answer",
                     "check host, port and the firewalls between here and there", id="mute"),
        pytest.param(refuse_v5(133), "it does not accept the client id 'reactor-h1'",
                     "write a client_id that the broker allows", id="client id"),
        pytest.param(refuse_v5(134), "it does not let anybody in without a user name",
                     "write username and password_file", id="credentials"),
        pytest.param(refuse_v5(136), "it is too busy to let us in", LOG, id="unavailable"),
        pytest.param(refuse_v5(137), "it is too busy to let us in", LOG, id="busy"),
        pytest.param(refuse_v5(138), "it refused the connection: banned", LOG, id="banned"),
        pytest.param(refuse_v5(154), "it does not keep retained messages",
                     "allow them in the broker: availability and state are retained",
                     id="no retained messages"),
        pytest.param(refuse_v5(155), "it does not take quality of service 1",
                     "allow it in the broker: reactor wants to know what arrived",
                     id="no acknowledgements"),
    ],
)  # fmt: skip
async def test_why_a_broker_does_not_let_us_in(answer: bytes | Do, problem: str, fix: str) -> None:
    """Each reason is a sentence of its own, told once however often it happens."""
    broker = ScriptedBroker(connack=lambda _version: answer)
    async with broker.running():
        setup = rig(broker.url, replace(QUICK, connect_s=0.1))
        async with setup.running() as publisher:
            await until(lambda: len(broker.versions) >= 3)
            await until(lambda: setup.listener.troubles)
            await publisher.close(1)
        await until(lambda: broker.open_connections == 0)
    assert setup.listener.log == ["trouble"]
    assert setup.listener.troubles == [text(f"broker {broker.url}", problem, fix)]


@pytest.mark.parametrize(
    ("packet", "problem", "fix"),
    [
        pytest.param(disconnect(142), "another client with the client id 'reactor-h1' took the "
                     "connection over", "stop the other daemon, or give each its own host name or "
                     "client_id", id="taken over"),
        pytest.param(disconnect(139), "it closed the connection", LOG, id="shutting down"),
        pytest.param(disconnect(152), "it ended the connection: administrative action", LOG,
                     id="thrown out"),
        pytest.param(b"\xff\xff\xff\xff\xff\xff", "it sent something that is not MQTT", LOG,
                     id="garbage"),
    ],
)  # fmt: skip
async def test_why_a_connection_ended(packet: bytes, problem: str, fix: str) -> None:
    """MQTT 5 brokers say why they end a connection, and we say it on; once."""
    broker = ScriptedBroker(puback=lambda message: packet if message.connection <= 2 else 0)
    async with broker.running():
        setup = rig(broker.url)
        async with setup.running() as publisher:
            await until(lambda: len(broker.versions) == 3 and publisher.connected)
    assert setup.listener.troubles == [text(f"broker {broker.url}", problem, fix)]


async def test_a_row_is_done_only_when_it_is_acknowledged() -> None:
    """A connection lost in between: the row stays in the outbox and is sent again."""
    answers = list[int | Do]([Do.NOTHING, Do.CLOSE, Do.CLOSE, 0, 0])
    broker = ScriptedBroker(
        puback=lambda message: 0 if message.topic == AVAILABILITY else answers.pop(0)
    )
    async with broker.running():
        setup = rig(broker.url)
        setup.outbox.add(f"{BASE}/a", b"1")
        setup.outbox.add(f"{BASE}/b", b"2")
        async with setup.running() as publisher:
            await until(lambda: len(broker.versions) == 2)
            assert setup.outbox.done_seqs == []
            await until(lambda: not setup.outbox.rows)
    rows = [message for message in broker.published if message.topic != AVAILABILITY]
    assert [(row.connection, row.payload) for row in rows] == [
        *[(1, b"1"), (1, b"2")],
        *[(2, b"1")],  # nothing went through before: one at a time now
        *[(3, b"1"), (3, b"2")],
    ]
    assert (publisher.counters.retried, publisher.counters.published) == (3, 2)


@pytest.mark.parametrize("what", ["rows", "state"])
@pytest.mark.parametrize(
    ("receive_maximum", "in_flight"), [(None, 100), (101, 100), (100, 100), (7, 7)]
)
async def test_never_more_in_flight_than_the_window_and_the_broker_allow(
    receive_maximum: int | None, in_flight: int, what: str
) -> None:
    """A broker that acknowledges nothing gets a window full of messages, and then no more."""
    broker = ScriptedBroker(
        connack=lambda _version: accept_v5(receive_maximum=receive_maximum),
        puback=lambda message: 0 if message.topic == AVAILABILITY else Do.NOTHING,
    )
    async with broker.running():
        setup = rig(broker.url)
        for number in range(300):
            if what == "rows":
                setup.outbox.add(f"{BASE}/{number}", b"x")
            else:
                setup.state.append(OutMessage(f"{BASE}/{number}", b"x"))
        async with setup.running() as publisher:
            await until(lambda: len(broker.published) >= 1 + in_flight)
            publisher.nudge()
            await stays(lambda: len(broker.published) == 1 + in_flight)


async def test_of_one_topic_only_one_row_is_in_flight() -> None:
    """The others of the topic wait, other topics do not."""
    broker = ScriptedBroker(
        puback=lambda message: 0 if message.topic == AVAILABILITY else Do.NOTHING
    )
    async with broker.running():
        setup = rig(broker.url)
        for number in range(30):
            setup.outbox.add(f"{BASE}/{number % 3}", b"%d" % number)
        async with setup.running() as publisher:
            await until(lambda: len(broker.published) >= 4)
            publisher.nudge()
            await stays(lambda: len(broker.published) == 4)
    assert [message.payload for message in broker.published[1:]] == [b"0", b"1", b"2"]


async def test_the_announcement_goes_before_the_first_row() -> None:
    """Online, then the state of 300 guests, then the outbox."""
    broker = ScriptedBroker(connack=lambda _version: accept_v5(receive_maximum=7))
    async with broker.running():
        setup = rig(broker.url)
        setup.state = [OutMessage(f"{BASE}/guest/{number}/state", b"x") for number in range(300)]
        setup.outbox.add(f"{BASE}/alert", b"x")
        async with setup.running():
            await until(lambda: not setup.outbox.rows)
    topics = [message.topic for message in broker.published]
    assert topics == [AVAILABILITY, *(message.topic for message in setup.state), f"{BASE}/alert"]


@pytest.mark.parametrize(
    ("refusals", "published", "refused", "retried"), [(1, 2, 0, 1), (2, 2, 0, 2), (9, 1, 1, 2)]
)
async def test_a_broker_over_its_quota_is_asked_again(
    refusals: int, published: int, refused: int, retried: int
) -> None:
    """A quota passes; after the third time the row is given up, so that it blocks nobody."""
    asked: Counter[str] = Counter()

    def puback(message: Published) -> int:
        asked[message.topic] += 1
        over = message.topic == f"{BASE}/over" and asked[message.topic] <= refusals
        return 151 if over else 0

    broker = ScriptedBroker(puback=puback)
    async with broker.running():
        setup = rig(broker.url, replace(QUICK, retry_s=0.02))
        setup.outbox.add(f"{BASE}/over", b"1")
        setup.outbox.add(f"{BASE}/other", b"2")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
    counters = publisher.counters
    assert (counters.published, counters.refused, counters.retried) == (published, refused, retried)
    told = text(
        f"broker {broker.url}",
        "a message on 'reactor/h1/over' was refused and dropped: quota exceeded",
        "look into the broker's log",
    )
    assert setup.listener.troubles == refused * [told]


async def test_refused_state_is_told_and_does_not_stop_the_rest() -> None:
    """A user name that may not write: also ``online`` and the state, each reason told once."""
    broker = ScriptedBroker(puback=lambda message: 0 if message.topic == f"{BASE}/run/1" else 135)
    async with broker.running():
        setup = rig(broker.url)
        setup.state = [OutMessage(f"{BASE}/info", b"x")]
        setup.outbox.add(f"{BASE}/run/1", b"x")
        async with setup.running() as publisher:
            assert publisher.protocol is None
            await until(lambda: not setup.outbox.rows)
    assert (publisher.counters.published, publisher.counters.refused) == (1, 2)
    assert setup.listener.troubles == [
        text(
            f"broker {broker.url}",
            "a message on 'reactor/h1/availability' was refused and dropped: not authorized",
            "allow clients without a user name to write reactor/h1/# in the broker's ACL",
        )
    ]


async def test_close_returns_although_the_outbox_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """A second after its time at the latest, and the log says so."""
    broker = ScriptedBroker()
    async with broker.running():
        setup = rig(broker.url)
        async with setup.running() as publisher:
            await until(lambda: setup.outbox.reads)
            setup.outbox.gate.clear()
            publisher.nudge()
            await until(lambda: setup.outbox.reads == 2)
            started = asyncio.get_running_loop().time()
            await publisher.close(0.1)
            assert asyncio.get_running_loop().time() - started < 1.5
    assert caplog.messages == ["publisher did not stop in time"]


async def test_a_message_that_a_3_1_1_broker_hangs_up_on_is_given_up() -> None:
    """It has no words for "too large": the row that breaks three connections alone goes."""
    broker = ScriptedBroker(
        connack=lambda version: BAD_VERSION if version == 5 else ACCEPT_V311,
        puback=lambda message: Do.CLOSE if len(message.payload) > 50 else 0,
    )
    async with broker.running():
        setup = rig(broker.url)
        for number in range(20):
            setup.outbox.add(f"{BASE}/{number % 4}", b"x" * (100 if number == 6 else 1))
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
    assert (publisher.counters.refused, publisher.counters.published) == (1, 19)
    given_up = text(
        f"broker {broker.url}",
        "a message on 'reactor/h1/2' was refused and dropped: the connection broke 3 times "
        "while only this message was under way",
        "look into the broker's log: the message may be too large for it",
    )
    assert given_up in setup.listener.troubles


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(disconnect(142), id="another daemon has our client id"),
        pytest.param(Do.NOTHING, id="it has stopped answering"),
    ],
)
async def test_no_row_is_given_up_for_what_is_the_brokers_own(answer: bytes | Do) -> None:
    """Who says "taken over" has nothing against the row; who refuses a row hangs up, or says so."""

    def puback(message: Published) -> int | bytes | Do:
        fails = message.topic != AVAILABILITY and message.connection <= 6
        return answer if fails else 0

    broker = ScriptedBroker(puback=puback)
    async with broker.running():
        setup = rig(broker.url, replace(QUICK, ack_s=0.2))
        setup.outbox.add(f"{BASE}/alert", b"x")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
    assert (publisher.counters.published, publisher.counters.refused) == (1, 0)


async def test_a_topic_that_mqtt_cannot_carry_is_refused_here() -> None:
    """Mosquitto would end the connection for it, again and again."""
    broker = ScriptedBroker(connack=accept_all)
    async with broker.running():
        setup = rig(broker.url)
        setup.outbox.add(f"{BASE}/a+b", b"x")
        setup.outbox.add(f"{BASE}/good", b"x")
        async with setup.running() as publisher:
            await until(lambda: not setup.outbox.rows)
    assert (publisher.counters.published, publisher.counters.refused) == (1, 1)
    assert setup.listener.troubles == [
        text(
            f"broker {broker.url}",
            "a message on 'reactor/h1/a+b' was refused and dropped: this is not a topic",
            "write a topic without wildcards",
        )
    ]


@contextlib.contextmanager
def full_listener() -> Iterator[socket.socket]:
    """A listener whose queue is full: connect() hangs, as it does behind a firewall."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            yield listener


def hangs_in_connect(port: int) -> bool:
    """Whether somebody has sent a SYN to the port and has no answer (proc(5), /proc/net/tcp)."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return any(line.split()[2:4] == [f"0100007F:{port:04X}", "02"] for line in lines)


async def test_a_connect_that_hangs_is_told() -> None:
    """TCP gets as long as the connect may take, not as long as the system would wait."""
    with full_listener() as listener:
        url = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
        setup = rig(url, replace(QUICK, connect_s=0.1))
        async with setup.running():
            await until(lambda: setup.listener.troubles, within_s=1)
    assert setup.listener.troubles == [
        text(
            f"broker {url}",
            "no answer",
            "check host, port and the firewalls between here and there",
        )
    ]


async def test_a_connect_that_is_given_up_never_reaches_the_broker() -> None:
    """The thread that connects cannot be stopped, but what it opens too late is closed."""
    with full_listener() as listener:
        port = listener.getsockname()[1]
        setup = rig(f"mqtt://127.0.0.1:{port}")
        async with setup.running() as publisher:
            await until(lambda: hangs_in_connect(port))
            await publisher.close(0.1)
        late = await asyncio.to_thread(_accept_two, listener)
    assert late == b""
    assert setup.listener.log == []


def _accept_two(listener: socket.socket) -> bytes:
    """What the second connection says before its end."""
    listener.settimeout(5)
    first, _ = listener.accept()
    second, _ = listener.accept()
    with first, second:
        second.settimeout(5)
        return second.recv(100)


async def test_a_socket_closed_right_after_a_publish_is_not_watched() -> None:
    """Its number may be another connection's in the next turn of the loop."""
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda _loop, context: complaints.append(str(context)))
    async with ScriptedBroker().running() as broker:
        inbox = Inbox(Ear(), time.monotonic)
        link = await connect(rig(broker.url).options, QUICK, lambda: None, inbox)
        link.publish(Job(OutMessage("a", b"x")), None)
        link.abort()
        await until(lambda: not broker.open_connections)
    assert complaints == []


async def test_why_a_message_was_refused_is_told_again_after_a_reconnect() -> None:
    """Once for each connection: the operator may have changed the ACL in between."""

    def puback(message: Published) -> int | Do:
        if message.topic == f"{BASE}/end":
            return Do.CLOSE if message.connection == 1 else 0
        return 135 if message.topic == f"{BASE}/info" else 0

    async with ScriptedBroker(puback=puback).running() as broker:
        setup = rig(broker.url)
        setup.state = [OutMessage(f"{BASE}/info", b"x"), OutMessage(f"{BASE}/info", b"y")]
        setup.outbox.add(f"{BASE}/end", b"x")
        async with setup.running():
            await until(lambda: not setup.outbox.rows)
    refused, closed, again = setup.listener.troubles
    assert "refused" in refused
    assert refused == again
    assert "closed" in closed


async def test_a_loss_long_after_the_last_one_is_told_again() -> None:
    """And three of them far apart are no reason to suspect another daemon."""
    broker = ScriptedBroker(puback=lambda message: Do.CLOSE if message.connection <= 4 else 0)
    async with broker.running():
        setup = rig(broker.url, replace(QUICK, recent_s=0.001))
        async with setup.running():
            await until(lambda: len(broker.versions) == 5)
    assert setup.listener.troubles == 4 * [
        text(f"broker {broker.url}", "it closed the connection", LOG)
    ]


async def test_close_says_offline_although_the_rows_do_not_get_through() -> None:
    """A quarter of the time is kept for it; the rows stay in the outbox."""
    broker = ScriptedBroker(
        puback=lambda message: 0 if message.topic == AVAILABILITY else Do.NOTHING
    )
    async with broker.running():
        setup = rig(broker.url)
        setup.outbox.add(f"{BASE}/alert", b"x")
        async with setup.running() as publisher:
            await until(lambda: len(broker.published) == 2)
            await publisher.close(0.4)
        await until(lambda: not broker.open_connections)
    assert broker.published[-1].payload == b"offline"
    assert broker.farewells == 1
    assert list(setup.outbox.rows) == [1]


async def test_a_reset_in_the_middle_of_a_burst_leaves_no_writer_behind() -> None:
    """The loop must not watch a descriptor that is another connection's by now."""
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda _loop, context: complaints.append(str(context)))
    connections = 0

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readexactly(2)
        writer.write(accept_v5())
        sock = writer.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    async with server:
        setup = rig(f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for number in range(200):
            setup.outbox.add(f"{BASE}/{number}", b"x" * 10_000)
        async with setup.running():
            await until(lambda: connections >= 8)
    assert complaints == []
    assert len(setup.outbox.rows) == 200
