"""Broker, daemon and operator are restarted in every order; then all is as if nothing had been."""

import asyncio
import itertools
import json
import time
from dataclasses import replace

import pytest

from reactor.app.requests.kinds import Kind
from reactor.app.settings import MqttSettings
from tests.app.house import House, hears, said
from tests.app.test_daemon_requests import Operator, orders, subscribed
from tests.fakes.broker import Mosquitto, Subscriber

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

ECHO = (
    "policy: echo\ndescription: d\nmode: parallel\ntrigger: {mqtt: echo, guest: web-1}\n"
    "steps:\n  - publish: heard\n    payload: ['${message.payload}']\n"
)


async def works(house: House, broker: Mosquitto, name: str, before: int) -> None:
    """A new operator finds everything retained, starts one run, and gives one order."""
    await subscribed(house)
    with hears(broker) as heard:
        for topic, member in (("availability", None), ("guest/web-1/state", "web-1")):
            await heard.until(lambda topic=topic: bool(said(heard, topic)))  # type: ignore[misc]
            word = said(heard, topic)[-1]
            assert word == "online" if member is None else word["name"] == member
        await heard.until(lambda: said(heard, "guest/web-1/availability")[-1:] == ["online"])
        operator = Operator(house, broker, heard)
        await operator.say("echo", name)
        await heard.until(lambda: said(heard, "heard") == [[name]])
        body = json.dumps({"do": "set", "id": name, "sent_at": time.time()})
        await operator.say(
            f"set/mark/web-1/disk/d0/{name}", body, response_topic="reactor/h/reply/me"
        )
        assert (await operator.answer(name, "reply/me"))["ok"]
    await house.rest()
    assert len(orders(house)) == before + 1


async def again(house: House, broker: Mosquitto, heard: Subscriber, who: str) -> None:
    """Restart one of the three."""
    made = house.daemon.broker
    assert made is not None
    match who:
        case "broker":
            broker.kill()
            await house.until("it is away", lambda: not made.publisher.connected)
            broker.start()
            await house.until("it is back", lambda: made.publisher.connected)
        case "daemon":
            await house.stop()
            await house.start("web-1")
        case _:
            heard.stop()


@pytest.mark.parametrize(
    "order", list(itertools.permutations(("broker", "daemon", "client"))), ids=" ".join
)
async def test_after_restarts_in_any_order_everything_is_there_again(
    house: House, broker: Mosquitto, order: tuple[str, ...]
) -> None:
    """Words are retained, messages start runs once, orders are answered; nothing is done again."""
    mqtt = MqttSettings(broker.url, allow=(Kind.MARK,))
    house.settings = replace(house.settings, mqtt=mqtt)
    await house.guest("web-1")
    await house.policy(ECHO).start("web-1")
    await works(house, broker, "before", 0)
    # A retained order, which the broker brings again whenever somebody subscribes.
    heard = Subscriber(broker.port, "reactor/#", qos=0)
    heard.start()
    operator = Operator(house, broker, heard)
    late = json.dumps({"do": "set", "sent_at": time.time()})
    await operator.say("set/mark/web-1/disk/d0/late", late, retain=True)
    for who in order:
        await again(house, broker, heard, who)
    await works(house, broker, "after", 1)
    await asyncio.to_thread(heard.stop)
    assert [row.policy for row in house.runs()] == ["echo"] * 2
    marks = house.daemon.engine.world.marks.of("web-1")
    assert {mark.word for mark in marks} == {"before", "after"}
