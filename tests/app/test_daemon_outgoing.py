"""The daemon, whole: what it says with MQTT 5, it says with 3.1.1 too, as far as that has words."""

import socket
from collections.abc import Callable
from dataclasses import replace

import pytest

from reactor.adapters.mqtt import Inbox, Limits, MqttOptions
from reactor.adapters.mqtt.link import V311, Link, connect
from reactor.app.settings import MqttSettings
from tests.app.house import House, hears, said
from tests.fakes.broker import Mosquitto, Received

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

SAYS = """policy: says
description: d
trigger: {event: RTC_CHANGE}
steps:
  - publish: kept
    retain: true
    payload: {guest: '${guest.name}', offset: '${data.offset}'}
    properties: {site: 'rack ${guest.name}'}
  - publish: word
    payload: 'ON'
    qos: 0
  - publish: bell
    qos: 2
  - mark: {guest: self, as: seen, reason: r}
"""


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both; the older one as if the broker had refused the newer."""

    async def refused(
        options: MqttOptions, limits: Limits, changed: Callable[[], None], inbox: Inbox, _: object
    ) -> Link:
        return await connect(options, limits, changed, inbox, V311)

    if request.param == "3.1.1":
        monkeypatch.setattr("reactor.adapters.mqtt.publisher.connect", refused)
    return str(request.param)


def extras(message: Received) -> tuple[str | None, bool, dict[str, str]]:
    """What only MQTT 5 has: a content type, whether it expires, user properties."""
    return message.content_type, message.expiry_s is not None, dict(message.properties)


async def test_what_is_said_in_both_protocols(
    house: House, broker: Mosquitto, protocol: str
) -> None:
    """Topics, payloads and retention are the same; content type, expiry and properties are 5's."""
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    guest = await house.guest()
    with hears(broker) as heard:
        await house.policy(SAYS).start("web-1")
        guest.event("RTC_CHANGE", {"offset": 2**53 + 1, "qom-path": "/rtc"})
        await house.until("the run is told", lambda: bool(said(heard, "policy/says/last")))
        await house.until("all is told", lambda: bool(said(heard, "bell") and said(heard, "word")))
        messages = {m.topic.removeprefix("reactor/h/"): m for m in heard.messages}
        (event,) = said(heard, "guest/web-1/event/RTC_CHANGE")
    made = house.daemon.broker
    assert made is not None
    assert made.publisher.protocol == protocol
    assert event["data"] == {
        "offset": 2**53 + 1,
        "offset_hex": "0x20000000000001",
        "qom-path": "/rtc",
    }
    assert said(heard, "kept") == [
        {"guest": "web-1", "offset": 2**53 + 1, "offset_hex": "0x20000000000001"}
    ]
    assert (said(heard, "word"), said(heard, "bell")) == (["ON"], [""])
    json, text = "application/json", "text/plain; charset=utf-8"
    (run,) = {topic for topic in messages if topic.startswith("run/")}
    expected = {
        "kept": (json, False, {"site": "rack web-1"}),
        "word": (text, False, {}),
        "bell": (None, False, {}),
        "guest/web-1/event/RTC_CHANGE": ("application/cloudevents+json", True, {}),
        "guest/web-1/state": (json, False, {}),
        run: (json, True, {}),
    }
    for topic, wanted in expected.items():
        assert extras(messages[topic]) == (wanted if protocol == "5" else (None, False, {})), topic
    with hears(broker) as late:
        await late.until(lambda: bool(said(late, "policy/says/last")))
        kept = {m.topic.removeprefix("reactor/h/") for m in late.messages if m.retain}
    assert kept == {
        "availability", "info", "guest/web-1/availability", "guest/web-1/state", "kept",
        "guest/web-1/mark/guest/self/seen", "policy/says/last",
    }  # fmt: skip


async def test_the_last_will_and_the_word_at_the_end(
    house: House, broker: Mosquitto, protocol: str
) -> None:
    """A link that breaks is `offline` by the broker's hand, a clean end by ours; retained."""
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    with hears(broker) as heard:
        await house.start()
        made = house.daemon.broker
        assert made is not None
        await house.until("it is there", lambda: said(heard, "availability") == ["online"])
        assert made.publisher.protocol == protocol
        link = made.publisher._link  # noqa: SLF001 - to cut it off
        assert link is not None
        sock = link._wire._client.socket()  # noqa: SLF001
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        words = ["online", "offline", "online"]
        await house.until("it is back", lambda: said(heard, "availability") == words, 30.0)
        await house.stop()
        await heard.until(lambda: said(heard, "availability") == [*words, "offline"])
    with hears(broker) as late:
        await late.until(lambda: said(late, "availability") == ["offline"])
        assert [m.retain for m in late.messages if m.topic.endswith("h/availability")] == [True]
