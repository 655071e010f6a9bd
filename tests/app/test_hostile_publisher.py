"""Somebody who may publish everywhere below the host, and does his worst, all at once."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reactor.adapters.mqtt import Drop
from reactor.app.broker import Broker
from reactor.app.requests.kinds import Kind
from reactor.app.settings import MqttSettings
from tests.app.house import FakeGuest, House, said
from tests.app.test_daemon_requests import Operator, subscribed
from tests.fakes.broker import Mosquitto, Speaker, Subscriber

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(90)]

PANIC = """policy: panic
description: d
trigger: {event: GUEST_PANICKED}
steps:
  - guest: reset
  - publish: done/panic
"""
ECHO = """policy: echo
description: d
trigger: {mqtt: "echo/+", guest: "${topic[3]}"}
mode: parallel
max: 50
steps:
  - publish: heard
    payload: {text: "${message.payload}"}
"""
TEMPLATE = "${guest.name} ${1/0} $${x} {{ 7*7 }} $(reboot) `reboot`"

WORDS = ("availability", "guest/web-1/availability")


def worst(speaker: Speaker, stop: threading.Event) -> int:
    """All of it, again and again until told to stop; how many rounds."""
    rounds = 0
    fresh: dict[str, Any] = {"expiry_s": 30}
    while not stop.is_set():
        rounds += 1
        for topic in ("set/hold", "echo/web-1", "trigger/echo/web-1"):
            for number in range(60):
                speaker.say(f"reactor/h/{topic}", f"{number}", qos=0)
            speaker.say(f"reactor/h/{topic}", b"x" * 100_000)
            speaker.say(f"reactor/h/{topic}", b"x" * 300_000)
            speaker.say(f"reactor/h/{topic}", "", properties=[("k", "v" * 20_000)])
        for payload in ('{"do": 7}', "[" * 50_000, b"\xff\xfe", '{"do": "on", "sent_at": [1]}'):
            speaker.say("reactor/h/set/hold", payload)
        # Orders that would be taken, but for one thing each.
        order = json.dumps({"do": "on", "sent_at": time.time(), "comment": TEMPLATE})
        speaker.say("reactor/h/set/hold", order, retain=True)
        speaker.say("reactor/h/set/hold", order, response_topic="reactor/h/availability")
        speaker.say("reactor/h/set/hold", order, response_topic="factory/valve")
        speaker.say("reactor/h/set/hold", json.dumps({"do": "on", "sent_at": 1000}))
        speaker.say(
            "reactor/h/set/silence", '{"do": "add", "policies": ["*"], "for": "9h"}', **fresh
        )
        speaker.say("reactor/h/cmd/web-1/quit", "{}", **fresh)
        speaker.say("reactor/h/trigger/panic/web-1", "{}", **fresh)
        if rounds == 1:  # reactor says a word again ten times a minute, not more
            for topic in WORDS:
                speaker.say(f"reactor/h/{topic}", "offline", retain=True)
        speaker.say("reactor/h/guest/web-1/event/GUEST_PANICKED", '{"data": {}}')
    return rounds


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One without an ACL: the worst that there is."""
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest_asyncio.fixture
async def guest(house: House, shared: Mosquitto) -> AsyncIterator[FakeGuest]:
    """A guest of a host where holds, questions and approvals are taken."""
    allowed = (Kind.HOLD, Kind.ASK, Kind.APPROVE)
    house.settings = replace(house.settings, mqtt=MqttSettings(shared.url, allow=allowed))
    made = await house.policy(PANIC, ECHO).guest("web-1")
    await house.start("web-1")
    await subscribed(house)
    yield made


async def test_the_reaction_comes_the_operator_is_heard_and_nothing_else_is_done(
    house: House, guest: FakeGuest, shared: Mosquitto
) -> None:
    """Floods, giants, wrong types, template text, foreign response topics, forged words."""
    stop = threading.Event()
    made = house.daemon.broker
    assert made is not None
    dropped = made.inbound.inbox.counters.dropped
    with (
        Subscriber(shared.port, "#", qos=0) as heard,
        # What is heard without a promise the broker may drop in a flood.
        Subscriber(shared.port, "reactor/h/done/panic") as done,
        capture_logs() as lines,
        Speaker(shared.port) as attacker,
    ):
        operator = Operator(house, shared, heard)
        attack = asyncio.create_task(asyncio.to_thread(worst, attacker, stop))
        try:
            await house.until("the flood is there", lambda: bool(dropped), 30)
            guest.panic("GUEST_PANICKED")
            await house.until("the guest was reset", lambda: guest.resets == 1, 30)
            assert (await operator.ask("ask/status"))["ok"]
            await done.until(lambda: bool(said(done, "done/panic")), 30)
        finally:
            stop.set()
            rounds = await attack
        assert rounds
        attacker.say("reactor/h/echo/web-1", TEMPLATE)
        for word in WORDS:
            await heard.until(lambda word=word: said(heard, word)[-1:] == ["online"])  # type: ignore[misc]
        await house.rest()
    assert [one["event"] for one in lines if one["log_level"] == "error"] == []
    assert [row.policy for row in house.runs() if row.policy != "echo"] == ["panic"]
    assert not house.daemon.engine.world.restraints.holds
    assert not house.daemon.engine.world.restraints.silences
    assert "quit" not in [one.execute for one in guest.commands]
    nothing_more(made, dropped, heard)


def nothing_more(made: Broker, dropped: Mapping[Drop, int], heard: Subscriber) -> None:
    """What came of it at the broker, and in the counts."""
    assert heard.payloads("factory/valve") == []
    texts = {one["text"] for one in said(heard, "heard")}
    assert texts <= {TEMPLATE, *map(str, range(60))}
    assert {Drop.TOO_LARGE, Drop.PROPERTIES, Drop.TOO_MANY_THERE} <= dropped.keys()
    assert made.publisher.counters.reconnects == 0
