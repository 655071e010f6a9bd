"""Who is told that a message was dropped unread, and how often."""

import json
from typing import Any

import pytest

from reactor.adapters.mqtt import Drop, OutMessage
from reactor.app.requests.turned_away import TurnedAway
from reactor.core.topics import CORRELATION
from tests.adapters.mqtt.test_sender import packed

BASE = "reactor/h"
MINE = f"{BASE}/reply/me"
TOPIC = f"{BASE}/set/hold"


class Scene:
    """A clock that the test moves, and a broker that is there or not."""

    def __init__(self) -> None:
        self.now = 0.0
        self.listens = True
        self.said: list[OutMessage] = []
        self.away = TurnedAway(BASE, self._publish, lambda: self.now)

    def _publish(self, message: OutMessage) -> bool:
        self.said.append(message)
        return self.listens

    def drop(self, reason: Drop = Drop.TOO_LARGE, **members: Any) -> None:  # noqa: ANN401
        """A message with these properties."""
        self.away.tell(reason, TOPIC, packed(**members))


@pytest.fixture
def scene() -> Scene:
    """A new one."""
    return Scene()


@pytest.mark.parametrize(
    ("reason", "error", "fix"),
    [
        (Drop.TOO_LARGE, "its payload is too large", "send at most 65536 bytes"),
        (
            Drop.TOO_MANY_THERE,
            "too many messages of one topic tree in a short time",
            "wait a moment, and send it again",
        ),
        (Drop.TOO_MANY, "too many messages in a short time", "wait a moment, and send it again"),
    ],
)
def test_who_asks_for_an_answer_gets_one(scene: Scene, reason: Drop, error: str, fix: str) -> None:
    """By which it knows its message again."""
    scene.drop(reason, ResponseTopic=MINE, CorrelationData=b"\0\1", UserProperty=[("id", "7")])
    (message,) = scene.said
    assert (message.topic, dict(message.properties)) == (MINE, {CORRELATION: "AAE="})
    assert json.loads(message.payload) == {
        "ok": False,
        "error": f"the message was dropped unread: {error}",
        "fix": fix,
        "topic": TOPIC,
        "id": "7",
        "correlation": "AAE=",
    }


@pytest.mark.parametrize(
    ("reason", "members"),
    [
        pytest.param(Drop.TOO_LARGE, {}, id="nobody"),
        pytest.param(Drop.TOO_LARGE, {"ContentType": "x"}, id="nobody who wants an answer"),
        pytest.param(Drop.TOO_LARGE, {"ResponseTopic": f"{BASE}/alert/x"}, id="somebody else"),
        pytest.param(Drop.TOO_LARGE, {"ResponseTopic": f"{MINE}/#"}, id="no topic"),
        pytest.param(Drop.UNWANTED, {"ResponseTopic": MINE}, id="not for us"),
        pytest.param(Drop.RETAINED, {"ResponseTopic": MINE}, id="retained"),
    ],
)
def test_nobody_else_does(scene: Scene, reason: Drop, members: dict[str, Any]) -> None:
    """As with every request; nor where the properties cannot be read."""
    scene.drop(reason, **members)
    scene.away.tell(Drop.TOO_LARGE, TOPIC, b"\x08\x00\x09x")
    assert scene.said == []
    assert scene.away.unanswered == 0


def test_a_flood_is_not_answered_by_a_flood(scene: Scene) -> None:
    """Ten at once, then one a second; the others are counted."""
    for _ in range(15):
        scene.drop(ResponseTopic=MINE)
    assert (len(scene.said), scene.away.unanswered) == (10, 5)
    scene.now = 0.9
    scene.drop(ResponseTopic=MINE)
    assert len(scene.said) == 10
    scene.now = 1.0
    scene.drop(ResponseTopic=MINE)
    scene.drop(ResponseTopic=MINE)
    assert (len(scene.said), scene.away.unanswered) == (11, 7)


def test_a_flood_is_not_even_read(scene: Scene) -> None:
    """A hundred at once, then a hundred a second."""
    for _ in range(100):
        scene.drop(ContentType="x")
    scene.drop(ResponseTopic=MINE)
    assert scene.said == []
    scene.now = 0.01
    scene.drop(ResponseTopic=MINE)
    assert len(scene.said) == 1


def test_an_answer_that_nobody_gets_is_counted(scene: Scene) -> None:
    """The connection was lost meanwhile."""
    scene.listens = False
    scene.drop(ResponseTopic=MINE)
    assert scene.away.unanswered == 1
