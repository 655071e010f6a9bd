"""The daemon, whole: QMP commands that come over a real broker, and what is answered."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reactor.adapters.control import ask
from reactor.app.control.asks import GiveOrder
from reactor.app.requests.kinds import Kind
from reactor.app.settings import MqttSettings
from reactor.core.config import EngineConfig
from reactor.core.orders import HoldGuests, StartRun
from tests.app.house import House, hears
from tests.app.test_daemon_requests import Operator, orders, subscribed
from tests.fakes.broker import Mosquitto, Speaker
from tests.fakes.qmp_server import SILENT, Refuse

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(90)]

COMMANDS = ("query-*", "stop", "cont", "system_reset", "quit", "dump-guest-memory")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all tests here."""
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest_asyncio.fixture
async def operator(house: House, shared: Mosquitto) -> AsyncIterator[Operator]:
    """An operator of a host that takes some commands, and questions."""
    mqtt = MqttSettings(shared.url, allow=(Kind.ASK, Kind.HOLD), commands=COMMANDS)
    house.settings = replace(house.settings, mqtt=mqtt)
    await house.guest("web-1")
    with hears(shared) as heard:
        await house.start("web-1")
        await subscribed(house)
        yield Operator(house, shared, heard)


async def test_commands_are_sent_and_answered(house: House, operator: Operator) -> None:
    """What QEMU returns, what it refuses, and where all of it is found afterwards."""
    guest = house.monitors[0]
    guest.answers["query-block"] = [{"device": "${guest.name}", "size": 2**60}]
    guest.answers["stop"] = Refuse("not now", "DeviceNotActive")
    block = await operator.ask("cmd/web-1/query-block")
    run = block["data"]["run"]
    assert block == {
        "ok": True,
        "text": "query-block on web-1: done",
        "data": {
            "run": run,
            "return": [{"device": "${guest.name}", "size": 2**60, "size_hex": hex(2**60)}],
        },
        "topic": "reactor/h/cmd/web-1/query-block",
        "id": "n-1",
    }
    refused = await operator.ask("cmd/web-1/stop", timeout="5s")
    assert refused["error"] == "stop: DeviceNotActive: not now"
    assert (refused["data"]["class"], refused["data"]["desc"]) == ("DeviceNotActive", "not now")
    assert (await operator.ask("cmd/web-1/cont"))["ok"]
    shown = (await operator.ask(f"ask/run/{run}"))["data"]
    assert shown["run"]["policy"] == "cmd/query-block"
    runs = (await operator.ask("ask/runs"))["data"]
    assert [(one["policy"], one["outcome"]) for one in runs] == [
        ("cmd/cont", "succeeded"),
        ("cmd/stop", "failed"),
        ("cmd/query-block", "succeeded"),
    ]
    assert {order.who for order in orders(house)} == {"mqtt (says 'anna')"}
    assert (await operator.ask("ask/guests"))["data"][0]["guest"] == "web-1"


async def test_every_refusal_of_a_command_is_answered(house: House, operator: Operator) -> None:
    """Nothing of it reaches the guest; all of it is counted and told in the log."""
    guest = house.monitors[0]
    refused: dict[str, tuple[dict[str, Any], str]] = {
        "cmd/web-9/stop": ({}, "no guest is called 'web-9'"),
        "cmd/web-1/stpo": ({}, "no QEMU that reactor knows has a command 'stpo'"),
        "cmd/web-1/query-sttus": ({}, "no QEMU that reactor knows has a command 'query-sttus'"),
        "cmd/web-1/quit": ({}, "refused: quit is not in the settings' qmp.allow"),
        "cmd/web-1/stop": ({"arguments": {"now": 1}}, "QEMU 7.2.22 would refuse it: `stop` takes"),
        "cmd/web-1/cont": ({"argument": {}}, "the payload does not fit: Object contains unknown"),
        "cmd/web-1": ({}, "'cmd/web-1' is no topic of a request"),
        "cmd/web-1/system_reset": ({"sent_at": time.time() - 90}, "it is 1m"),
        "cmd/web-1/dump-guest-memory": (
            {"arguments": {"paging": False, "protocol": "file:/etc/${guest.name}"}},
            "dump-guest-memory on web-1 is not sent: run ",
        ),
    }
    before = len(guest.commands)
    with capture_logs() as lines:
        for topic, (payload, error) in refused.items():
            reply = await operator.ask(topic, **payload)
            assert (reply["ok"], reply["error"][: len(error)]) == (False, error)
            assert reply["fix"]
        body = json.dumps({"id": "twice", "sent_at": time.time()})
        await operator.say("cmd/web-1/query-status", body)
        assert (await operator.answer("twice", "reply/common"))["ok"]
        await operator.say("cmd/web-1/query-status", body, response_topic="reactor/h/reply/2")
        again = await operator.answer("twice", "reply/2")
        assert again["error"] == "a request of that id was here before"
        await operator.say("cmd/web-1/stop", body.replace("twice", "kept"), retain=True)
        await operator.say("cmd/web-1/stop", "", expiry_s=30, response_topic="reactor/h/alert/x")
        await operator.say("cmd/web-1/stop", b"\xff\xfe", expiry_s=30)
        status = (await operator.ask("ask/status"))["data"]
    dropped = {k: n for k, n in status["daemon"]["dropped"].items() if k.startswith("requests")}
    assert dropped == {
        "requests: it cannot be carried out": 6,
        "requests: it is not understood": 2,
        "requests: it is too old, or does not say how old it is": 1,
        "requests: a request of that id was here before": 1,
        "requests: the message was retained: nobody sends it now": 1,
        "requests: the response topic is not below reply/": 1,
        "requests: the payload is not UTF-8": 1,
    }
    assert len([line for line in lines if line["event"] == "request refused"]) == len(dropped)
    sent = [one.execute for one in list(guest.commands)[before:]]
    assert not {"stop", "quit", "cont", "system_reset", "dump-guest-memory"} & set(sent)


async def test_what_was_refused_is_found_afterwards(house: House, operator: Operator) -> None:
    """Orders over MQTT and by the socket, messages that were dropped, policies that are not."""
    await operator.ask("cmd/web-1/quit")
    await operator.ask("set/hold/web-1", do="up")
    await operator.ask("ask/why/cmd/stop/web-1")
    await operator.say("cmd/web-1/stop", b"x" * 100_000)
    await operator.ask("cmd/web-7/stop")
    for order in (StartRun("nope", "web-1"), HoldGuests("web-1")):
        body = msgspec.json.encode(GiveOrder(order))
        await asyncio.to_thread(ask, house.settings.control_socket, body)
    await house.until("all is written", lambda: len(house.history("refused")) == 6)

    async def refused(policy: str, guest: str) -> list[tuple[str, str, str]]:
        why = (await operator.ask("ask/why", policy=policy, guest=guest))["data"]
        return [(one["what"], one["who"], one["reason"]) for one in why.get("refused", ())]

    anna = "mqtt (says 'anna')"
    hold = ("set/hold/web-1", anna, "`do` is 'up', and it may be on or off")
    no_quit = "refused: quit is not in the settings' qmp.allow"
    assert await refused("cmd/quit", "web-1") == [("cmd/web-1/quit", anna, no_quit), hold]
    large = ("cmd/web-1/stop", "mqtt", "its payload is too large")
    assert await refused("cmd/stop", "web-1") == [hold, large]
    assert await refused("cmd/stop", "web-7") == [
        ("cmd/web-7/stop", anna, "no guest is called 'web-7'; did you mean 'web-1'?")
    ]
    ((what, who, reason),) = [one for one in await refused("nope", "web-1") if one != hold]
    assert (what, reason) == ("start-run", "no policy is called 'nope'")
    assert who.startswith("uid ")


async def test_an_old_client_sends_a_command(
    house: House, operator: Operator, shared: Mosquitto
) -> None:
    """MQTT 3.1.1 has no response topic: who gives an id is answered on the common one."""
    assert house.monitors
    body = json.dumps({"id": 7, "sent_at": time.time()})

    def publish() -> None:
        with Speaker(shared.port, old=True) as speaker:
            speaker.say("reactor/h/cmd/web-1/query-status", body)

    await asyncio.to_thread(publish)
    reply = await operator.answer("7", "reply/common")
    assert reply["data"]["return"]["status"] == "running"


async def test_who_sent_a_command_is_told_by_the_next_life(
    house: House, operator: Operator
) -> None:
    """The daemon went between the sending and the answer: it is found out, and told once."""
    guest = house.monitors[0]
    guest.answers["stop"] = SILENT
    body = json.dumps({"id": "lost", "sent_at": time.time()})
    await operator.say("cmd/web-1/stop", body, response_topic="reactor/h/reply/me")
    await house.until("it is sent", lambda: any(c.execute == "stop" for c in guest.commands))
    await house.stop()
    guest.answers["stop"] = {}
    await house.start("web-1")
    reply = await operator.answer("lost", "reply/me")
    assert (reply["ok"], reply["text"]) == (True, "stop on web-1: done")
    await house.rest()
    assert [row.outcome for row in house.runs()] == ["succeeded"]
    assert [c.execute for c in guest.commands].count("stop") == 2


async def test_nothing_is_sent_by_default(house: House, shared: Mosquitto) -> None:
    """Not even subscribed."""
    house.settings = replace(house.settings, mqtt=MqttSettings(shared.url, allow=(Kind.ASK,)))
    await house.start()
    await subscribed(house)
    made = house.daemon.broker
    assert made is not None
    assert not [one for one in made.inbound.inbox.filters if "cmd" in one]
    assert EngineConfig().commands == frozenset()
