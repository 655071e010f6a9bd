"""Messages on their way to the engine: what is asked for, what is lost and told."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from reactor.adapters.journal import Batch, InputRow
from reactor.adapters.mqtt import Drop, Incoming
from reactor.app import inbound as module
from reactor.app import seen
from reactor.app.inbound import Inbound, Loss, filters_of
from reactor.core.inputs import Received
from reactor.core.policy import EventTrigger, MessageTrigger, Policy, Trigger
from reactor.errors import Place
from tests.adapters.journal.support import opened

BASE = "reactor/h"


def policy(name: str, *triggers: Trigger) -> Policy:
    """A policy with these triggers."""
    return Policy(name, "d", triggers, (), "r", "", Place("p", 1, 1))


def asks(topic: str, *, absolute: bool = False) -> MessageTrigger:
    """A trigger for this topic."""
    return MessageTrigger(topic, "web-1", absolute=absolute)


class Scene:
    """A clock that the test moves, and an engine with or without room."""

    def __init__(self) -> None:
        self.now = 0.0
        self.room = True
        self.got: list[str] = []
        self.ahead = 0.0
        self.sent_at: list[float | None] = []
        self.inbound = Inbound(self._take, BASE, lambda: self.ahead, lambda: self.now)

    def _take(self, received: Received) -> bool:
        self.sent_at.append(received.message.sent_at)
        if self.room:
            self.got.append(received.message.payload)
        return self.room

    def hear(self, payload: bytes, name: str | None = None) -> None:
        """A message, with an id or without."""
        properties = () if name is None else (("id", name),)
        self.inbound.on_message(Incoming("a", payload, properties=properties))


@pytest.fixture
def scene() -> Scene:
    """A new one."""
    return Scene()


@pytest.mark.parametrize(
    ("payload", "retain", "heard"),
    [
        pytest.param(b"", True, 0, id="it takes away what the broker kept"),
        pytest.param(b"x", True, 1, id="retained: the engine refuses it"),
        pytest.param(b"", False, 1, id="empty: a trigger may want just that"),
    ],
)
def test_what_only_clears_the_brokers_memory_is_no_message(
    scene: Scene, payload: bytes, retain: bool, heard: int
) -> None:
    """An operator who takes an old order away does not give one: nothing is counted."""
    scene.inbound.on_message(Incoming("a", payload, retain=retain))
    assert (len(scene.got), scene.inbound.dropped) == (heard, {})


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        pytest.param([policy("p", EventTrigger(("RESET",)))], [], id="nobody asks"),
        pytest.param(
            [policy("p", asks("b/+"), EventTrigger(("RESET",))), policy("q", asks("b/+"))],
            ["reactor/h/b/+", "reactor/h/trigger/+/+"],
            id="below the host",
        ),
        pytest.param(
            [policy("p", asks("/b", absolute=True))],
            ["/b", "reactor/h/trigger/+/+"],
            id="as it stands",
        ),
    ],
)
def test_topics_are_asked_for_as_the_triggers_say(
    policies: list[Policy], expected: list[str]
) -> None:
    """And the one that starts a policy by its name; nothing where no policy listens."""
    assert filters_of(policies, BASE) == expected
    assert Scene().inbound.filters(policies) == expected


def test_topics_have_a_bound(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond it is told."""
    monkeypatch.setattr(module, "FILTERS_MAX", 2)
    with capture_logs() as lines:
        found = scene.inbound.filters([policy("p", asks("a"), asks("b"), asks("c"))])
    assert found == ["reactor/h/a", "reactor/h/b"]
    assert [(line["event"], line["refused"], line["bound"]) for line in lines] == [
        ("topics refused", 2, 2)
    ]


def test_a_message_is_handed_over(scene: Scene) -> None:
    """As it is; the same again is another one."""
    scene.hear(b"x")
    scene.hear(b"x")
    assert scene.got == ["x", "x"]
    assert scene.inbound.lost == {}


@pytest.mark.parametrize(
    ("ahead", "sent_at"),
    [
        pytest.param(0.9, 1000.0, id="the clocks differ by nothing that matters"),
        pytest.param(3600.0, 4600.0, id="the wall clock was set back by an hour"),
        pytest.param(-600.0, 400.0, id="the host slept for ten minutes"),
    ],
)
def test_the_age_of_a_message_is_right_whatever_became_of_the_wall_clock(
    scene: Scene, ahead: float, sent_at: float
) -> None:
    """Its time is told by the engine's clock, by which the age is reckoned."""
    scene.ahead = ahead
    scene.hear(b'{"sent_at": 1000}')
    scene.hear(b"{}")
    assert scene.sent_at == [sent_at, None]


@pytest.mark.parametrize(
    ("later", "again"),
    [
        pytest.param(0.0, False, id="at once"),
        pytest.param(599.0, False, id="within ten minutes"),
        pytest.param(600.0, True, id="after ten minutes"),
    ],
)
def test_a_message_with_an_id_counts_once(scene: Scene, later: float, *, again: bool) -> None:
    """For ten minutes; others with other ids count, and those without any."""
    scene.hear(b"x", "1")
    scene.hear(b"y", "2")
    scene.now = later
    scene.hear(b"x", "1")
    scene.hear(b"z", "3")
    assert scene.got == ["x", "y", *(["x"] if again else []), "z"]
    assert scene.inbound.lost == ({} if again else {Loss.REPEATED: 1})


def test_ids_have_a_bound(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr(seen, "IDS_MAX", 2)
    for name in ("1", "2", "3", "1", "3"):
        scene.hear(name.encode(), name)
    assert scene.got == ["1", "2", "3", "1"]


@pytest.mark.asyncio
async def test_of_many_messages_before_a_restart_the_latest_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender repeats what it said last; as many are known as before the restart."""
    monkeypatch.setattr(module, "IDS_MAX", 2)
    async with opened(tmp_path / "journal.db") as journal:
        kinds = ["operator", *(["message"] * 5)]
        rows = [InputRow(900.0 + at, "", kind, "t", b"") for at, kind in enumerate(kinds)]
        await journal.commit(Batch(inputs=[InputRow(100.0, "", "message", "t", b""), *rows]))
        found = module.earlier_messages(journal.reader, 1000.0)
    assert [(row.kind, row.at) for row in found] == [
        ("operator", 900.0),
        ("message", 904.0),
        ("message", 905.0),
    ]


def test_a_message_that_found_no_room_may_come_again(scene: Scene) -> None:
    """Its id is not remembered: nobody has seen it."""
    scene.room = False
    scene.hear(b"x", "1")
    scene.room = True
    scene.hear(b"x", "1")
    assert scene.got == ["x"]
    assert scene.inbound.lost == {Loss.NO_ROOM: 1}


def test_a_payload_that_is_no_text_is_lost(scene: Scene) -> None:
    """And counted."""
    scene.hear(b"\xff")
    assert scene.got == []
    assert scene.inbound.lost == {Loss.NOT_TEXT: 1}


def test_what_is_lost_is_told_at_once_and_then_once_a_minute(scene: Scene) -> None:
    """For each reason; the line says how many came since the one before."""

    def told() -> list[Any]:
        found = [(line["reason"], line["topic"], line["more"]) for line in lines]
        assert {(line["event"], line["log_level"]) for line in lines} <= {
            ("message dropped", "warning")
        }
        lines.clear()
        return found

    with capture_logs() as lines:
        scene.hear(b"\xff")
        scene.inbound.on_dropped(Drop.TOO_MANY, "b", b"")
        assert told() == [
            ("its payload is not UTF-8", "a", 0),
            ("too many messages in a short time", "b", 0),
        ]
        scene.now = 59.9
        for _ in range(3):
            scene.inbound.on_dropped(Drop.TOO_MANY, "b", b"")
        assert told() == []
        scene.now = 60.0
        scene.inbound.on_dropped(Drop.TOO_MANY, "c", b"")
        assert told() == [("too many messages in a short time", "c", 3)]
        scene.now = 120.0
        scene.inbound.on_dropped(Drop.TOO_MANY, "d", b"")
        assert told() == [("too many messages in a short time", "d", 0)]
