"""The daemon, whole: messages from a real broker and schedules start policies."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from reactor.adapters.mqtt import Drop
from reactor.app import scheduling
from reactor.app.settings import MqttSettings
from tests.app.house import House, hears, said
from tests.fakes.broker import Extras, Mosquitto, Speaker

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(40)]

HEAD = "policy: {name}\ndescription: d\nmode: parallel\nmax: 1000\n"

STOP = HEAD.format(name="stop-it") + (
    "trigger: {mqtt: request/+/stop, guest: '${topic[3]}', where: message.json.user != ''}\n"
    "steps:\n"
    "  - qmp: stop\n"
    "  - publish: stopped\n"
    "    payload: {guest: '${guest.name}', by: '${message.json.user}'}\n"
)
ECHO = HEAD.format(name="echo") + (
    "trigger: {mqtt: echo, guest: web-1}\n"
    "steps:\n"
    "  - publish: heard\n"
    "    payload: ['${message.payload}']\n"
)
LOOP = HEAD.format(name="loop") + (
    "trigger: {mqtt: 'loop/#', guest: web-1}\nsteps:\n  - publish: loop/again\n    payload: again\n"
)
FRESH = HEAD.format(name="fresh") + (
    "trigger: {mqtt: fresh, guest: web-1, max_age: 60s}\nsteps:\n  - publish: was-fresh\n"
)
OTHER = HEAD.format(name="other") + (
    "trigger: {mqtt: other, guest: web-1}\nsteps:\n  - publish: other-heard\n"
)
TICKS = HEAD.format(name="ticks") + (
    "trigger: {every: 1s}\nsteps:\n  - publish: ticked\n    payload: '${guest.name}'\n"
)


@pytest.fixture
def speaker(broker: Mosquitto) -> Iterator[Speaker]:
    """Somebody who publishes."""
    with Speaker(broker.port) as made:
        yield made


async def listening(house: House, broker: Mosquitto, *guests: str) -> House:
    """The daemon, as soon as its subscriptions stand."""
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    for name in guests:
        await house.guest(name)
    await house.start(*guests)
    await subscribed(house)
    return house


async def subscribed(house: House) -> None:
    """Wait until the broker has answered to all subscriptions of the present policies."""
    made = house.daemon.broker
    assert made is not None
    publisher = made.publisher

    def is_subscribed() -> bool:
        link = publisher._link  # noqa: SLF001
        wanted = set(made.inbound.inbox.filters)
        return (
            link is not None and not link.asked and publisher._subscriber._standing == wanted  # noqa: SLF001
        )

    await house.until("the topics are subscribed", is_subscribed)


async def test_a_message_starts_a_policy(house: House, broker: Mosquitto, speaker: Speaker) -> None:
    """On the guest that the topic names, with what the payload says; others start nothing."""
    with hears(broker) as subscriber:
        await listening(house.policy(STOP), broker, "web-1", "web-2")
        speaker.say("reactor/h/request/web-2/stop", '{"user": "anna"}')
        speaker.say("reactor/h/request/web-1/stop", '{"user": ""}')
        speaker.say("reactor/h/request/web-1/stop", "now!")
        speaker.say("reactor/h/request/none/stop", '{"user": "anna"}')
        speaker.say("reactor/h/trigger/stop-it/web-1", '{"user": "bert"}')
        assert await house.outcomes(2) == [("stop-it", "succeeded")] * 2
        await subscriber.until(lambda: len(said(subscriber, "stopped")) == 2)
    assert said(subscriber, "stopped") == [
        {"guest": "web-2", "by": "anna"},
        {"guest": "web-1", "by": "bert"},
    ]
    await house.rest()
    assert len(house.history("message")) == 5
    misses = house.daemon.engine.near_misses("stop-it")
    assert len(misses) == 3


async def test_who_asks_for_an_answer_gets_one(
    house: House, broker: Mosquitto, speaker: Speaker
) -> None:
    """With its own correlation data, and only below the host's `reply`."""
    with hears(broker) as subscriber:
        await listening(house.policy(STOP), broker, "web-1")
        for topic in ("reactor/h/reply/me", "reactor/h/alert"):
            speaker.say(
                "reactor/h/trigger/stop-it/none",
                '{"user": "anna"}',
                response_topic=topic,
                correlation=b"\x00\x01",
            )
        await subscriber.until(lambda: bool(said(subscriber, "reply/me")))
        await house.rest()
    (reply,) = said(subscriber, "reply/me")
    assert reply["ok"] is False
    assert "none" in reply["error"]
    assert said(subscriber, "alert") == []


async def test_a_retained_message_starts_nothing(
    house: House, broker: Mosquitto, speaker: Speaker
) -> None:
    """Neither one that was there before us, nor one that is published while we listen."""
    speaker.say("reactor/h/echo", "before", retain=True)
    with hears(broker) as subscriber:
        await listening(house.policy(ECHO), broker, "web-1")
        speaker.say("reactor/h/echo", "meanwhile", retain=True)
        speaker.say("reactor/h/echo", "now")
        await subscriber.until(lambda: said(subscriber, "heard") == [["now"]])
        await house.rest()
    (row,) = [row for row in house.history("message") if b"meanwhile" in row.body]
    assert json.loads(row.body)["message"]["retain"] is True
    (miss,) = house.daemon.engine.near_misses("echo")
    assert "retained" in miss.verdict


@pytest.mark.parametrize(
    ("payload", "extras", "runs"),
    [
        pytest.param("{}", {}, 0, id="says nothing"),
        pytest.param('{"sent_at": 1000}', {}, 0, id="old"),
        pytest.param('{"sent_at": "yesterday"}', {}, 0, id="no time"),
        pytest.param("{}", {"expiry_s": 60}, 1, id="an expiry"),
    ],
)
async def test_a_message_has_to_say_how_old_it_is(
    house: House, broker: Mosquitto, payload: str, extras: Extras, runs: int
) -> None:
    """Where the policy demands it."""
    await listening(house.policy(FRESH, ECHO), broker, "web-1")
    with Speaker(broker.port) as speaker:
        speaker.say("reactor/h/fresh", payload, **extras)
        speaker.say("reactor/h/echo", "last")
    await house.outcomes(1 + runs)
    await house.rest()
    assert [row.policy for row in house.runs()].count("fresh") == runs


async def test_a_policy_that_publishes_what_it_is_triggered_by_is_no_loop(
    house: House, broker: Mosquitto, speaker: Speaker
) -> None:
    """A broker that speaks MQTT 5 does not send us what we publish."""
    with hears(broker) as subscriber:
        await listening(house.policy(LOOP, ECHO), broker, "web-1")
        speaker.say("reactor/h/loop", "go")
        await subscriber.until(lambda: said(subscriber, "loop/again") == ["again"])
        speaker.say("reactor/h/echo", "last")
        await house.outcomes(2)
        await house.rest()
    assert [row.policy for row in house.runs()] == ["loop", "echo"]


async def test_after_a_restart_of_the_broker_messages_are_heard_again(
    house: House, broker: Mosquitto
) -> None:
    """Without a reload."""
    await listening(house.policy(ECHO), broker, "web-1")
    made = house.daemon.broker
    assert made is not None
    broker.kill()
    await house.until("it is away", lambda: not made.publisher.connected)
    broker.start()
    await subscribed(house)
    with Speaker(broker.port) as speaker:
        speaker.say("reactor/h/echo", "again")
    assert await house.outcomes(1) == [("echo", "succeeded")]


async def test_a_reload_changes_what_is_heard(
    house: House, broker: Mosquitto, speaker: Speaker
) -> None:
    """The topics of new policies, and no longer those of old ones."""
    await listening(house.policy(ECHO), broker, "web-1")
    (house.rules / "echo.yaml").unlink()
    house.policy(OTHER)
    assert await house.daemon.rules.reload()
    await subscribed(house)
    speaker.say("reactor/h/echo", "not any more")
    speaker.say("reactor/h/other", "")
    assert await house.outcomes(1) == [("other", "succeeded")]
    assert len(house.history("message")) == 1


async def test_without_such_triggers_nothing_is_subscribed(house: House, broker: Mosquitto) -> None:
    """A broker that allows us to publish only need not allow more."""
    await listening(house.policy(TICKS), broker, "web-1")
    assert "SUBSCRIBE" not in broker.log


HOSTILE = [
    b"",
    b"\x00\xff\xfe",
    b"[" * 60_000,
    b"[" * 30_000 + b"]" * 30_000,
    b'{"user": "' + b"x" * 60_000 + b'"}',
    b"9" * 60_000,
    b'{"user": 1' + b"0" * 400 + b"}",
    b"x" * 65_537,
    b"x" * 1_000_000,
    b'"\\ud800"',
    b'{"user": {"$where": "1"}}',
    "\N{RIGHT-TO-LEFT OVERRIDE}\x00\x1b[2J".encode(),
]


async def test_hostile_messages_do_no_harm(
    house: House, broker: Mosquitto, speaker: Speaker
) -> None:
    """Giants, bytes, JSON without end; the next sound one is heard, and the guest untouched."""
    await listening(house.policy(STOP, ECHO), broker, "web-1")
    with capture_logs() as lines:
        for payload in HOSTILE:
            speaker.say("reactor/h/request/web-1/stop", payload)
            speaker.say("reactor/h/echo", payload)
            speaker.say("reactor/h/trigger/stop-it/web-1", payload)
        speaker.say("reactor/h/echo", "${guest.name} ${1/0} {{ x }}")
        # All that is text is echoed; two have a user, strange as they are, and came on two topics.
        texts = len(HOSTILE) - 3
        outcomes = await house.outcomes(texts + 1 + 4)
        await house.rest()
    assert not [line for line in lines if line["log_level"] == "error"]
    assert sorted(outcomes) == (
        [("echo", "succeeded")] * (texts + 1) + [("stop-it", "succeeded")] * 4
    )
    made = house.daemon.broker
    assert made is not None
    assert made.publisher.counters.reconnects == 0
    assert made.inbound.inbox.counters.dropped[Drop.TOO_LARGE] == 3
    assert made.inbound.dropped == {
        "its payload is too large": 3,
        "its payload is not UTF-8": 3,
    }
    told = {line["reason"] for line in lines if line["event"] == "message dropped"}
    assert told == {"its payload is too large", "its payload is not UTF-8"}


async def test_text_that_looks_like_a_template_stays_text(
    house: House, broker: Mosquitto, speaker: Speaker
) -> None:
    """Nothing that comes in is rendered."""
    text = "${guest.name} ${1/0} $${x}"
    with hears(broker) as subscriber:
        await listening(house.policy(ECHO), broker, "web-1")
        speaker.say("reactor/h/echo", text)
        await subscriber.until(lambda: bool(said(subscriber, "heard")))
    assert said(subscriber, "heard") == [[text]]


async def test_a_flood_of_messages_holds_up_no_event(
    house: House, broker: Mosquitto, speaker: Speaker
) -> None:
    """What is beyond the rate is dropped and told; the daemon goes on."""
    await listening(house.policy(ECHO), broker, "web-1")
    with capture_logs() as lines:
        for number in range(2000):
            speaker.say("reactor/h/echo", str(number), qos=0)
        speaker.say("reactor/h/nobody-asks", "")
        made = house.daemon.broker
        assert made is not None
        counters = made.inbound.inbox.counters
        await house.until(
            "all came in",
            lambda: counters.received + counters.dropped.get(Drop.TOO_MANY_THERE, 0) == 2000,
        )
        await house.outcomes(counters.received)
    assert counters.received >= 100
    assert counters.dropped[Drop.TOO_MANY_THERE] > 500
    told = [line for line in lines if line["event"] == "message dropped"]
    assert [line["reason"] for line in told] == [
        "too many messages of one topic tree in a short time"
    ]


# --------------------------------------------------------------- schedules


def fired_at(house: House) -> list[float]:
    """The times of the firings in the journal."""
    return [json.loads(row.body)["at"] for row in house.history("fired")]


async def fires(house: House, count: int) -> None:
    """Wait for so many firings."""
    await house.until(f"{count} firings", lambda: len(fired_at(house)) >= count)


async def test_a_schedule_starts_a_run_for_each_connected_guest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, and each firing stands in the journal."""
    monkeypatch.setattr(scheduling, "SETTLE_LEAST_S", 0.1)
    for name in ("web-1", "web-2"):
        await house.guest(name)
    await house.policy(TICKS).start("web-1", "web-2")
    await house.outcomes(4)
    await house.stop()
    rows = house.runs_on_disk()
    assert {row.guest for row in rows} == {"web-1", "web-2"}
    assert {row.outcome for row in rows if row.ended} == {"succeeded"}


async def test_a_restart_fires_nothing_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The times of the firings, of both lives together, are all different."""
    monkeypatch.setattr(scheduling, "SETTLE_LEAST_S", 0.1)
    await house.guest("web-1")
    house.policy(TICKS.replace("{every: 1s}", "{every: 1s, catch_up: 1h}"))
    await house.start("web-1")
    await fires(house, 2)
    await house.stop()
    await house.start("web-1")
    await fires(house, 5)
    times = fired_at(house)
    assert times == sorted(set(times))


async def test_a_reload_keeps_a_schedule_that_did_not_change(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifteen reloads in a second and a half: it goes on firing, no time of it twice."""
    monkeypatch.setattr(scheduling, "SETTLE_LEAST_S", 0.1)
    await house.guest("web-1")
    await house.policy(TICKS, OTHER).start("web-1")
    await fires(house, 1)
    for number in range(15):
        house.policy(OTHER.replace("description: d", f"description: d{number}"))
        assert await house.daemon.rules.reload()
        await asyncio.sleep(0.1)
    await fires(house, 3)
    times = fired_at(house)
    assert times == sorted(set(times))


async def test_a_reload_brings_a_schedule_and_takes_it_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins to fire, and ends."""
    monkeypatch.setattr(scheduling, "SETTLE_LEAST_S", 0.1)
    await house.guest("web-1")
    await house.policy(OTHER).start("web-1")
    house.policy(TICKS)
    assert await house.daemon.rules.reload()
    await fires(house, 1)
    (house.rules / "ticks.yaml").unlink()
    assert await house.daemon.rules.reload()
    assert house.daemon.scheduling.schedules.next(0.0) is None
