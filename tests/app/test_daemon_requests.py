"""The daemon, whole: orders and questions over a real broker, as an operator gives them."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reactor.app.requests.kinds import Kind
from reactor.app.settings import MqttSettings
from reactor.core.inputs import Operated
from tests.app.house import House, hears, said
from tests.fakes.broker import Mosquitto, Speaker, Subscriber

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ASKED = """policy: asked
description: d
trigger: {event: GUEST_PANICKED}
approval: {expires: 1h}
steps:
  - publish: done/asked
"""
SLOW = """policy: slow
description: d
trigger: {event: WATCHDOG}
steps:
  - wait: {event: RESET, timeout: 1h}
"""


class Operator:
    """Somebody with an MQTT client: each request has an id, a time, and a place for its answer."""

    def __init__(self, house: House, broker: Mosquitto, heard: Subscriber) -> None:
        self._house = house
        self._broker = broker
        self._heard = heard
        self._numbers = itertools.count(1)

    async def ask(self, topic: str, **payload: Any) -> Any:  # noqa: ANN401 - JSON
        """What is answered to a request below the host's topics."""
        name = f"n-{next(self._numbers)}"
        body = json.dumps({"id": name, "by": "anna", "sent_at": time.time()} | payload)
        await self.say(topic, body, response_topic="reactor/h/reply/me")
        return await self.answer(name, "reply/me")

    async def say(self, topic: str, body: str | bytes, **extras: Any) -> None:  # noqa: ANN401
        """One message."""

        def publish() -> None:
            with Speaker(self._broker.port) as speaker:
                speaker.say(f"reactor/h/{topic}", body, **extras)

        await asyncio.to_thread(publish)

    async def answer(self, name: str, topic: str) -> Any:  # noqa: ANN401 - JSON
        """The one answer to the request of this id."""

        def mine() -> list[Any]:
            return [one for one in said(self._heard, topic) if one.get("id") == name]

        await self._heard.until(lambda: bool(mine()))
        (reply,) = mine()
        return reply


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all tests here."""
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest_asyncio.fixture
async def operator(house: House, shared: Mosquitto) -> AsyncIterator[Operator]:
    """An operator of a host that takes every kind of request."""
    allowed = MqttSettings(shared.url, allow=tuple(Kind))
    house.settings = replace(house.settings, mqtt=allowed)
    house.policy(ASKED, SLOW)
    for name in ("web-1", "web-2"):
        await house.guest(name)
    with hears(shared) as heard:
        await house.start("web-1", "web-2")
        await subscribed(house)
        yield Operator(house, shared, heard)


async def subscribed(house: House) -> None:
    """Wait until the broker has answered to all subscriptions."""
    made = house.daemon.broker
    assert made is not None

    def is_subscribed() -> bool:
        link = made.publisher._link  # noqa: SLF001
        return link is not None and not link.asked and bool(made.inbound.inbox.filters)

    await house.until("the topics are subscribed", is_subscribed)


def orders(house: House) -> list[Operated]:
    """The orders in the journal."""
    return [msgspec.json.decode(row.body, type=Operated) for row in house.history("operator")]


async def test_an_operator_does_everything_over_mqtt(house: House, operator: Operator) -> None:
    """What each order does is seen in what is answered to a question; all is in the journal."""
    mark = await operator.ask("set/mark/web-1/disk/d0/bad", do="set", reason="smoke")
    assert mark["ok"], mark
    assert [m["word"] for m in (await operator.ask("ask/marks/web-1"))["data"]] == ["bad"]
    assert (await operator.ask("set/mark/web-1/disk/d0/bad", do="clear"))["ok"]
    silence = await operator.ask(
        "set/silence", **{"do": "add", "policies": ["nope"], "for": "2h", "comment": "c"}
    )
    name = silence["data"]["silence"]
    assert [one["id"] for one in (await operator.ask("ask/silences"))["data"]] == [name]
    assert (await operator.ask(f"set/silence/{name}", do="expire"))["ok"]
    assert (await operator.ask("set/policy/slow", **{"do": "off", "for": "2h"}))["ok"]
    refused = await operator.ask("set/trigger/slow/web-1", do="start")
    assert (refused["ok"], "silenced" in refused["error"]) == (False, True)
    assert (await operator.ask("set/policy/slow", do="on"))["ok"]
    assert (await operator.ask("set/hold/web-2", do="on", comment="c"))["ok"]
    status = (await operator.ask("ask/status"))["data"]
    assert [hold["guest"] for hold in status["holds"]] == ["web-2"]
    assert (await operator.ask("set/hold/web-2", do="off"))["ok"]
    nothing = await operator.ask("set/inhibit/web-1", do="off")
    assert nothing["text"] == "no policy inhibits anything on web-1"
    assert {order.who for order in orders(house)} == {"mqtt (says 'anna')"}
    assert len({order.id for order in orders(house)}) == len(orders(house)) == 10


async def test_an_operator_directs_runs_over_mqtt(house: House, operator: Operator) -> None:
    """Starts, cancels, approves and refuses them, and asks what became of them."""
    started = await operator.ask("set/trigger/slow/web-1", do="start")
    run = started["data"]["run"]
    cancelled = await operator.ask(f"set/run/{run}", do="cancel", comment="enough")
    assert cancelled["ok"], cancelled
    for word, outcome in (("yes", "succeeded"), ("no", "cancelled")):
        asked = (await operator.ask("set/trigger/asked/web-1", do="start"))["data"]["run"]
        assert (await operator.ask(f"approve/{asked}", do=word))["ok"]
        await house.rest()
        shown = (await operator.ask(f"ask/run/{asked}"))["data"]
        assert shown["run"]["outcome"] == outcome
    why = (await operator.ask("ask/why/slow/web-1"))["data"]
    assert why["policy"] == "slow"
    assert len(orders(house)) == 6


async def test_what_cannot_be_done_is_answered_and_counted(
    house: House, operator: Operator
) -> None:
    """Unknown names, wrong words, wrong JSON, old and repeated requests; the daemon goes on."""
    with capture_logs() as lines:
        unknown: dict[str, tuple[dict[str, Any], str]] = {
            "approve/x-1": ({"do": "yes"}, "no run is called 'x-1'"),
            "set/mark/web-9/disk/d/x": ({"do": "set"}, "no guest is called 'web-9'"),
            "set/mark/web-1/dsk/d/x": ({"do": "set"}, "'dsk' is no kind of mark"),
            "set/policy/nope": ({"do": "on"}, "no policy is called 'nope'"),
            "set/hold": ({"do": "on", "for": 7}, "the payload does not fit: Expected `str | null`"),
            "set/silence/s-9": ({"do": "expire"}, "no silence 's-9' stands"),
            "ask/nothing": ({}, "'ask/nothing' is no question"),
            "ask/run/x-1": ({}, "no run is called 'x-1'"),
            "set/run/x-1": ({"do": "cancel", "sent_at": 5}, "it is "),
        }
        for topic, (payload, error) in unknown.items():
            reply = await operator.ask(topic, **payload)
            assert (reply["ok"], reply["error"][: len(error)]) == (False, error)
            assert reply["fix"]
        # The second one is heard and refused, and answered under the same id.
        body = json.dumps({"do": "on", "id": "twice", "sent_at": time.time()})
        await operator.say("set/hold", body)
        assert (await operator.answer("twice", "reply/common"))["ok"]
        await operator.say("set/hold", body, properties=[("x", "y")])
        await operator.say("set/hold", body, retain=True)
        await operator.say("set/hold", '{"do": on}', response_topic="reactor/h/reply/x")
        await operator.say("set/hold", "on", expiry_s=30, response_topic="reactor/h/alert/x")
        status = (await operator.ask("ask/status"))["data"]
    dropped = {k: n for k, n in status["daemon"]["dropped"].items() if k.startswith("requests")}
    assert dropped == {
        "requests: it cannot be carried out": 6,
        "requests: it is not understood": 3,
        "requests: it is too old, or does not say how old it is": 1,
        "requests: a request of that id was here before": 1,
        "requests: the message was retained: nobody sends it now": 1,
        "requests: the response topic is not below reply/": 1,
    }
    assert len([line for line in lines if line["event"] == "request refused"]) == len(dropped)
    assert len(house.daemon.engine.world.restraints.holds) == 1


async def test_an_old_client_is_answered_too(
    house: House, operator: Operator, shared: Mosquitto
) -> None:
    """MQTT 3.1.1 has neither response topic nor expiry: an id and a time in the payload do."""
    body = json.dumps({"do": "on", "id": "old-1", "sent_at": time.time(), "by": "ben"})

    def publish() -> None:
        with Speaker(shared.port, old=True) as speaker:
            speaker.say("reactor/h/set/hold", body)

    await asyncio.to_thread(publish)
    assert (await operator.answer("old-1", "reply/common"))["ok"]
    (order,) = orders(house)
    assert order.who == "mqtt (says 'ben')"


async def test_after_a_restart_a_repeated_order_is_known(house: House, operator: Operator) -> None:
    """Its sender lost the link before the answer came, and says it again."""
    body = json.dumps({"do": "start", "id": "once", "sent_at": time.time()})
    await operator.say("set/trigger/slow/web-1", body)
    assert (await operator.answer("once", "reply/common"))["ok"]
    await house.stop()
    await house.start("web-1", "web-2")
    await subscribed(house)
    await operator.say("set/trigger/slow/web-1", body, response_topic="reactor/h/reply/again")
    again = await operator.answer("once", "reply/again")
    assert again["error"] == "a request of that id was here before"
    assert len(orders(house)) == 1


async def test_nothing_is_heard_that_the_settings_do_not_allow(
    house: House, shared: Mosquitto
) -> None:
    """By default nothing at all, and else just what they name."""
    house.settings = replace(house.settings, mqtt=MqttSettings(shared.url, allow=(Kind.HOLD,)))
    await house.policy(SLOW).start()
    await subscribed(house)
    made = house.daemon.broker
    assert made is not None
    assert made.inbound.inbox.filters == (
        "reactor/h/availability",
        "reactor/h/guest/+/availability",
        "reactor/h/set/hold/#",
    )
    assert MqttSettings(shared.url).allow == ()


async def test_a_flood_of_orders_keeps_out_no_approval(house: House, operator: Operator) -> None:
    """Each kind has a rate of its own; what is beyond it is dropped and counted."""

    def flood() -> None:
        with Speaker(operator._broker.port) as speaker:  # noqa: SLF001
            for _ in range(300):
                speaker.say("reactor/h/set/hold", "nonsense", qos=0)
            speaker.say(
                "reactor/h/set/hold",
                b"x" * 100_000,
                response_topic="reactor/h/reply/large",
                properties=[("id", "9")],
            )

    run = (await operator.ask("set/trigger/asked/web-1", do="start"))["data"]["run"]
    await asyncio.to_thread(flood)
    assert (await operator.ask(f"approve/{run}", do="yes"))["ok"]
    made = house.daemon.broker
    assert made is not None
    await house.until(
        "all is judged",
        lambda: (
            "its payload is too large" in made.inbound.dropped
            and sum(made.inbound.dropped.values()) + sum(made.requests.refused.values()) >= 300
            if made.requests
            else False
        ),
    )
    assert made.inbound.dropped["too many messages of one topic tree in a short time"] > 100
    answer = await operator.answer("9", "reply/large")
    assert answer["error"] == "the message was dropped unread: its payload is too large"
    assert house.daemon.engine.world.restraints.holds == {}
