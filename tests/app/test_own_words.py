"""Our own retained words, when somebody else overwrites them."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from reactor.adapters.mqtt import Incoming, OutMessage
from reactor.app.own_words import SAID_AGAIN, WITHIN_S, OwnWords
from reactor.app.requests.kinds import Kind
from reactor.app.settings import MqttSettings
from tests.app.house import House, hears, said
from tests.app.test_daemon_requests import subscribed
from tests.fakes.broker import Mosquitto, Speaker

HOST = "r/h/availability"
WEB = "r/h/guest/web-1/availability"


class Scene:
    """A broker link that keeps what is said, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.is_old = False
        self.said: list[OutMessage] = []
        words = [OutMessage(WEB, b"offline"), OutMessage("r/h/info", b"{}")]
        self.own = OwnWords("r/h", lambda: words, self._say, lambda: self.is_old, lambda: self.now)

    def _say(self, message: OutMessage) -> bool:
        self.said.append(message)
        return True

    def hear(self, topic: str, payload: bytes, **more: Any) -> None:  # noqa: ANN401
        """Somebody publishes it."""
        self.own.on_message(Incoming(topic, payload, **more))


@pytest.fixture
def scene() -> Scene:
    """A new one."""
    return Scene()


@pytest.mark.parametrize(
    ("topic", "payload", "old", "retain", "again"),
    [
        pytest.param(HOST, b"offline", False, True, True, id="the host is said to be gone"),
        pytest.param(HOST, b"", False, True, True, id="the host's word is taken away"),
        pytest.param(HOST, b"online", False, True, False, id="it is right"),
        pytest.param(WEB, b"online", False, False, True, id="a guest is said to be there"),
        pytest.param(WEB, b"offline", False, False, False, id="the guest's word is right"),
        pytest.param(
            "r/h/guest/no/availability", b"x", False, False, False, id="nobody's word at all"
        ),
        pytest.param(HOST, b"offline", True, False, True, id="an old protocol"),
        pytest.param(HOST, b"offline", True, True, False, id="the last will of an earlier life"),
        pytest.param(WEB, b"online", True, False, False, id="our own word, late"),
    ],
)
def test_an_overwritten_word_is_said_again(  # noqa: PLR0917
    scene: Scene, topic: str, payload: bytes, old: bool, retain: bool, again: bool
) -> None:
    """Retained, counted, and told with who may be the cause."""
    scene.is_old = old
    with capture_logs() as lines:
        scene.hear(topic, payload, retain=retain)
    expected = [OutMessage(topic, b"online" if topic == HOST else b"offline")] if again else []
    assert scene.said == expected
    assert scene.own.overwritten == len(lines) == len(expected)
    assert all(message.retain for message in scene.said)


def test_a_quarrel_has_a_bound(scene: Scene) -> None:
    """Ten times a minute; everything is counted."""
    for at in (0.0, WITHIN_S - 0.1, WITHIN_S):
        scene.now = at
        for _ in range(2 * SAID_AGAIN):
            scene.hear(HOST, b"offline")
    assert len(scene.said) == 2 * SAID_AGAIN
    assert scene.own.overwritten == 6 * SAID_AGAIN


def test_only_the_topics_of_availability_are_watched(scene: Scene) -> None:
    """Whole topics, below the host's own."""
    topics = [HOST, WEB, "r/h/guest/web-1/state", "r/x/availability", "r/h/guest/a/b/availability"]
    assert [topic for topic in topics if scene.own.takes(topic)] == [HOST, WEB]


@pytest.mark.asyncio
@pytest.mark.timeout(60)
async def test_a_forged_word_does_not_stand(house: House, broker: Mosquitto) -> None:
    """Whoever looks at the broker afterwards reads the truth; so does who asks `status`."""
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url, allow=(Kind.ASK,)))
    await house.guest("web-1")
    await house.start("web-1")
    await subscribed(house)
    made = house.daemon.broker
    assert made is not None
    topics = ("availability", "guest/web-1/availability")
    with hears(broker) as subscriber:
        await subscriber.until(lambda: all(said(subscriber, topic) for topic in topics))
        with Speaker(broker.port) as speaker:
            for topic in topics:
                speaker.say(f"reactor/h/{topic}", "offline", retain=True)
        await house.until("both are noticed", lambda: made.own_words.overwritten == 2)
        for topic in topics:
            await subscriber.until(
                lambda topic=topic: (
                    "offline" in said(subscriber, topic)  # type: ignore[misc]
                    and said(subscriber, topic)[-1] == "online"
                )
            )
    with hears(broker) as later:
        await later.until(lambda: all(said(later, topic) for topic in topics))
    assert [said(later, topic) for topic in topics] == [["online"], ["online"]]
