"""The connection's life against a real Mosquitto: birth, will, farewell, announcements."""

import asyncio
import signal
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from reactor.adapters.mqtt import OutMessage
from tests.adapters.mqtt.support import AVAILABILITY, BASE, QUICK, rig, until
from tests.fakes.broker import Mosquitto, Received, Subscriber

pytestmark = pytest.mark.asyncio

CLOSED = (
    "{place}: it closed the connection\n"
    "  fix: look into the broker's log if this goes on; reactor connects again by itself"
)
HANGS = (
    "{place}: it does not answer any more\n"
    "  fix: check the broker and the network; reactor connects again by itself"
)
SILENT = "{place}: no answer\n  fix: check host, port and the firewalls between here and there"


def retained(port: int, count: int) -> dict[str, bytes]:
    """What the broker keeps, once it keeps ``count`` messages.

    One that is published while we subscribe comes as it is said, not as it is kept: then
    a look at what is kept is taken once more.
    """
    messages = _kept(port, count)
    if not all(message.retain for message in messages):
        messages = _kept(port, count)
    assert all(message.retain for message in messages)
    return {message.topic: message.payload for message in messages}


def _kept(port: int, count: int) -> list[Received]:
    with Subscriber(port) as subscriber:
        subscriber.wait_for(lambda: len(subscriber.messages) >= count)
    return subscriber.messages


async def test_online_is_retained_and_offline_follows_an_orderly_close(broker: Mosquitto) -> None:
    """A late subscriber reads online; close replaces it by offline, told once."""
    setup = rig(broker.url)
    async with setup.running() as publisher:
        await until(lambda: publisher.connected)
        assert publisher.protocol == "5"
        with Subscriber(broker.port) as subscriber:
            await subscriber.until(lambda: len(subscriber.messages) == 1)
            assert subscriber.messages[0].retain
            await publisher.close(2)
            assert not publisher.connected
            await subscriber.until(lambda: len(subscriber.messages) == 2)
    assert subscriber.payloads(AVAILABILITY) == [b"online", b"offline"]
    assert retained(broker.port, 1) == {AVAILABILITY: b"offline"}
    assert setup.listener.log == ["connected", "disconnected"]


async def test_the_last_will_says_offline_when_the_task_is_cancelled(broker: Mosquitto) -> None:
    """A publisher that is torn down does not say goodbye, the broker does it for it."""
    setup = rig(broker.url)
    with Subscriber(broker.port) as subscriber:
        async with setup.running() as publisher:
            await until(lambda: publisher.connected)
            await subscriber.until(lambda: len(subscriber.messages) == 1)
        await subscriber.until(lambda: len(subscriber.messages) == 2)
    assert subscriber.payloads(AVAILABILITY) == [b"online", b"offline"]
    assert retained(broker.port, 1) == {AVAILABILITY: b"offline"}


async def test_the_last_will_says_offline_when_the_process_is_killed(broker: Mosquitto) -> None:
    """SIGKILL leaves nobody to say goodbye."""
    program = textwrap.dedent(f"""
        import asyncio
        from tests.adapters.mqtt.support import rig

        async def main() -> None:
            async with rig({broker.url!r}).running():
                await asyncio.Event().wait()

        asyncio.run(main())
    """)
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=root)
    try:
        with Subscriber(broker.port) as subscriber:
            await subscriber.until(lambda: subscriber.payloads(AVAILABILITY) == [b"online"])
            process.send_signal(signal.SIGKILL)
            await subscriber.until(lambda: len(subscriber.messages) == 2)
        assert subscriber.payloads(AVAILABILITY) == [b"online", b"offline"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_state_is_announced_again_to_a_broker_that_lost_it(broker: Mosquitto) -> None:
    """After its restart a broker without a memory has the state as it is now."""
    setup = rig(broker.url)
    setup.state = [
        OutMessage(f"{BASE}/info", b"version 1"),
        OutMessage(f"{BASE}/guest/db-1/state", b"running"),
    ]
    async with setup.running() as publisher:
        await until(lambda: publisher.connected)
        before = await asyncio.to_thread(retained, broker.port, 3)
        broker.kill()
        await until(lambda: not publisher.connected)
        setup.state[1] = OutMessage(f"{BASE}/guest/db-1/state", b"paused")
        broker.start()
        await until(lambda: publisher.connected)
        after = await asyncio.to_thread(retained, broker.port, 3)
    info = {AVAILABILITY: b"online", f"{BASE}/info": b"version 1"}
    assert before == info | {f"{BASE}/guest/db-1/state": b"running"}
    assert after == info | {f"{BASE}/guest/db-1/state": b"paused"}
    assert publisher.counters.reconnects == 1


async def test_a_broker_that_is_away_is_told_once_for_each_change_of_the_reason(
    broker: Mosquitto,
) -> None:
    """Lost, then nobody there (many attempts, one word), then back; then the same again."""
    setup = rig(broker.url)
    place = f"broker {broker.url}"
    lost = CLOSED.format(place=place)
    away = (
        f"{place}: nothing listens there\n  fix: start the broker, or correct url in the settings"
    )
    async with setup.running() as publisher:
        await until(lambda: publisher.connected)
        broker.kill()
        await until(lambda: setup.listener.troubles == [lost, away])
        failures = publisher._losses._failures  # noqa: SLF001 - attempts have no other trace
        await until(lambda: publisher._losses._failures >= failures + 3)  # noqa: SLF001
        assert setup.listener.troubles == [lost, away]
        broker.start()
        await until(lambda: publisher.connected)
        broker.kill()
        # The same loss so soon after the first is no news; that it is away again is.
        await until(lambda: setup.listener.troubles == [lost, away, away])
    assert setup.listener.log == [
        *["connected", "disconnected", "trouble", "trouble"],
        *["connected", "disconnected", "trouble"],
    ]


async def test_two_daemons_with_one_client_id_say_so(broker: Mosquitto) -> None:
    """Each throws the other out; after three times both name the likely cause, once."""
    one, two = rig(broker.url), rig(broker.url)
    place = f"broker {broker.url}"
    thrown_out = (
        f"{place}: it closed 3 connections in a short time; perhaps another client has our "
        "client id 'reactor-h1'\n"
        "  fix: stop the other daemon, or give each its own host name or client_id; else look "
        "into the broker's log"
    )
    texts = [CLOSED.format(place=place), thrown_out]
    async with one.running() as first:
        await until(lambda: first.connected)
        async with two.running():
            await until(lambda: one.listener.log.count("connected") >= 5)
            await until(lambda: two.listener.log.count("connected") >= 5)
    assert one.listener.troubles == texts
    assert two.listener.troubles == texts


async def test_a_broker_that_hangs_is_left_and_found_again(broker: Mosquitto) -> None:
    """No acknowledgement in time ends the connection; the row goes out when it is back."""
    setup = rig(broker.url, replace(QUICK, ack_s=0.2, connect_s=0.2))
    async with setup.running() as publisher:
        await until(lambda: publisher.connected)
        with Subscriber(broker.port, f"{BASE}/alert") as subscriber:
            broker.freeze()
            setup.outbox.add(f"{BASE}/alert", b"help")
            publisher.nudge()
            await until(lambda: len(setup.listener.troubles) == 2)
            assert not publisher.connected
            broker.thaw()
            await until(lambda: not setup.outbox.rows)
            await subscriber.until(lambda: len(subscriber.messages) >= 1)
    place = f"broker {broker.url}"
    assert setup.listener.troubles == [HANGS.format(place=place), SILENT.format(place=place)]
    assert publisher.counters.retried == 1


@pytest.mark.parametrize("state", ["never connected", "connected"])
async def test_close_returns_in_time(broker: Mosquitto, state: str) -> None:
    """Whatever the link does: a broker that hangs cannot hold the daemon up."""
    setup = rig(broker.url)
    if state == "never connected":
        broker.freeze()
    async with setup.running() as publisher:
        if state == "connected":
            await until(lambda: publisher.connected)
            broker.freeze()
        else:
            await until(lambda: publisher._connecting is not None)  # noqa: SLF001
        setup.outbox.add(f"{BASE}/alert", b"help")
        publisher.nudge()
        loop = asyncio.get_running_loop()
        started = loop.time()
        await publisher.close(0.3)
        assert loop.time() - started < 1
    assert len(setup.outbox.rows) == 1
