"""The daemon, whole: Home Assistant is told of its guests, again when it was started anew."""

import json
from dataclasses import replace

import pytest

from reactor.app import broker as broker_module
from reactor.app.settings import MqttSettings
from tests.app.house import House
from tests.fakes.broker import Mosquitto, Speaker, Subscriber

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(40)]

HOST = "homeassistant/device/reactor_h/config"
BUTTON = (
    "policy: press\ndescription: d\n"
    "trigger: {mqtt: x, guest: web-1, where: message.json.user != ''}\n"
    "steps:\n  - publish: pressed\n    payload: '${message.json.user}'\n"
)


async def test_home_assistant_is_told_and_told_again(
    house: House, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a connect, when it says that it is online, not for a retained word; gone with the guest.

    What a button says starts the policy.
    """
    monkeypatch.setattr(broker_module, "GREET_S", 0.01)
    house.policy(BUTTON)
    mqtt = MqttSettings(broker.url, home_assistant="homeassistant")
    house.settings = replace(house.settings, mqtt=mqtt)
    await house.guest("web-1")
    with Subscriber(broker.port, qos=0) as heard, Speaker(broker.port) as speaker:
        speaker.say("homeassistant/status", "online", retain=True)
        await house.start("web-1")

        def topics() -> list[str]:
            return [m.topic for m in heard.messages if m.topic.startswith("homeassistant/device/")]

        await heard.until(lambda: any(topic != HOST for topic in topics()) and HOST in topics())
        (guest,) = {topic for topic in topics() if topic != HOST}
        button = json.loads(heard.payloads(guest)[-1])["components"]["start_press"]
        speaker.say(button["command_topic"], '{"user": "Home Assistant", "sent_at": 1}')
        await heard.until(lambda: heard.payloads("reactor/h/pressed") == [b"Home Assistant"])
        before = len(topics())
        speaker.say("homeassistant/status", "offline")
        speaker.say("homeassistant/status", "online")
        await heard.until(lambda: len(topics()) == before + 2)
        assert set(topics()[before:]) == {HOST, guest}
