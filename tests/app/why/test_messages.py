"""Why then, of messages: a recorded message is looked at again as an event is."""

from pathlib import Path
from typing import Any

import pytest

from reactor.adapters.journal import Reader
from reactor.app.records import input_row
from reactor.app.why import record as record_module
from reactor.app.why.asking import recent, why_at
from reactor.app.why.reasons import Why
from reactor.core.effect import Trace
from reactor.core.inputs import Message, Received
from tests.app.why.test_past import AT, HOST, Book, decided, told
from tests.core.simulation import document, policy

STALE = "the message is too old, or does not say how old it is"
RETAINED = "the message was retained: nobody sends it now"
OTHERS = "the policy is not for this guest"

ASKS = "{mqtt: request/+/dump, guest: '${topic[3]}'"


class Post(Book):
    """A journal with messages."""

    def asks(self, more: str = "}", guests: str = "") -> "Post":
        """The policy comes into force, and web-1 is known."""
        self.loaded(document("p", "[{log: x}]", ASKS + more, more=guests)).known(tier="db")
        return self

    def message(self, after: float, below: str = "request/web-1/dump", **more: Any) -> "Post":  # noqa: ANN401
        """A message on a topic below the host's."""
        values = {"payload": "x", "below": below, **more}
        self.rows(input_row(AT + after, Received(Message(f"reactor/h1/{below}", **values))))
        return self


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """Nothing is written yet."""
    return Post(tmp_path / "journal.db")


def of_web_1(why: Why) -> list[tuple[float, str, str, bool]]:
    """When, what, why, and whether it was looked at again."""
    return [(m.at - AT, m.verdict, m.reason, m.evaluated) for m in why.moments]


@pytest.mark.parametrize(
    ("more", "message", "verdict", "reason"),
    [
        pytest.param("}", {}, "it fits", "", id="it fits"),
        pytest.param("}", {"retain": True}, RETAINED, "reactor/h1/request/web-1/dump", id="kept"),
        pytest.param(
            ", max_age: 60s}",
            {"sent_at": AT - 99},
            STALE,
            "it is 1m40s old, and may be 1m old at most",
            id="too old",
        ),
        pytest.param(", max_age: 60s}", {"sent_at": AT}, "it fits", "", id="young enough"),
        pytest.param(
            ", where: message.json.user != ''}",
            {},
            "`where` is false",
            "`message.json.user != ''`: message has no member 'json'",
            id="where is false",
        ),
        pytest.param(
            ", where: message.json.user != ''}",
            {"json": {"user": "anna"}, "is_json": True},
            "it fits",
            "",
            id="where holds",
        ),
        pytest.param(
            ", where: guest.labels.tier == 'db'}", {}, "it fits", "", id="labels are known"
        ),
        pytest.param(
            ", where: guest.status == 'paused'}",
            {},
            "it cannot be told",
            "`guest.status == 'paused'` reads guest.status, which is not kept",
            id="the status of then",
        ),
        pytest.param("}", {"below": "trigger/p/web-1"}, "it fits", "", id="by the policy's name"),
    ],
)
def test_a_message_is_looked_at_again(
    post: Post, more: str, message: dict[str, Any], verdict: str, reason: str
) -> None:
    """In the order in which the engine decides, with its topic and payload beside it."""
    why = post.asks(more).message(1, **message).why()
    assert of_web_1(why) == [(1.0, verdict, reason, True)]
    (moment,) = why.moments
    below = message.get("below", "request/web-1/dump")
    assert (moment.event, moment.path) == ("REACTOR_MESSAGE", "trigger")
    assert moment.data == {"topic": f"reactor/h1/{below}", "payload": "x"}


@pytest.mark.parametrize(
    "below",
    [
        pytest.param("request/web-2/dump", id="of another guest"),
        pytest.param("request/web-1/stop", id="on another topic"),
        pytest.param("trigger/q/web-1", id="for another policy"),
        pytest.param("trigger/p/web-2", id="for another guest, by name"),
    ],
)
def test_what_is_not_about_it_is_not_told(post: Post, below: str) -> None:
    """Its own are enough."""
    why = post.asks().message(1, below).why()
    assert why.moments == []
    assert why.verdict == "it did not run: nothing came that its trigger waits for"
    (found,) = told(why, "messages")
    assert found[1].startswith("it waits for messages on request/+/dump; 1 came over MQTT in that")


def test_a_message_that_says_no_guest_is_nobodys(post: Post) -> None:
    """Where the trigger's `guest` has no value."""
    trigger = "{mqtt: x, guest: '${message.json.guest}'}"
    post.loaded(document("p", "[{log: x}]", trigger)).known()
    assert post.message(1, "x").why().moments == []


def test_a_guest_by_its_slug(post: Post) -> None:
    """As the engine finds it."""
    post.asks().message(1).known("web 1")
    why = post.asked(lambda reader: _why(reader, "web 1"))
    assert [moment.verdict for moment in why.moments] == ["it fits"]


def test_a_guest_that_the_policy_does_not_select(post: Post) -> None:
    """By what is known of its labels; the reason is in the policy's words."""
    why = post.asks(guests="guests: {labels: {tier: web}}\n").message(1).why()
    ((_, verdict, reason, _),) = of_web_1(why)
    assert (verdict, reason.endswith("its label `tier` is 'db', not `web`")) == (OTHERS, True)


def test_a_guest_that_nobody_knows(post: Post) -> None:
    """A message for it is told all the same."""
    post.asks().message(1, "request/web-9/dump")
    why = post.asked(lambda reader: _why(reader, "web-9"))
    verdict = "the message does not say which guest it is about"
    assert [(m.verdict, m.reason) for m in why.moments] == [(verdict, "no guest is called 'web-9'")]


def test_what_was_decided_then_is_not_guessed_again(post: Post) -> None:
    """A run or a near miss of the same message stands for it."""
    post.asks().message(1).message(2, retain=True).ran(1)
    post.batches[-1].traces[0] = Trace(
        AT + 1, "p", "web-1", "trigger", "admitted", "REACTOR_MESSAGE", "r-1"
    )
    near = [Trace(AT + 2, "p", "web-1", "trigger", RETAINED, "t", "", {"event": "REACTOR_MESSAGE"})]
    made = policy(document("p", "[{log: x}]", ASKS + "}"))
    why = post.asked(
        lambda reader: recent(
            reader, Why("p", "web-1", ""), policy=made, near=near, now=AT + 9, labels={}, host=HOST
        )
    )
    assert decided(why.moments) == [(1.0, "admitted", False), (2.0, RETAINED, False)]
    assert [moment.data["payload"] for moment in why.moments] == ["x", "x"]


def test_a_guest_that_the_daemon_does_not_know(post: Post) -> None:
    """Asked of now: the messages for it are looked at, too."""
    made = policy(document("p", "[{log: x}]", ASKS + "}"))
    post.asks().message(1, "request/web-9/dump")
    why = post.asked(
        lambda reader: recent(
            reader, Why("p", "web-9", ""), policy=made, near=[], now=AT + 9, labels=None, host=HOST
        )
    )
    assert [moment.reason for moment in why.moments] == ["no guest is called 'web-9'"]


def test_a_flood_is_cut_to_what_is_near(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of them before the time, half behind it; long payloads are cut."""
    monkeypatch.setattr(record_module, "MESSAGES_MAX", 4)
    post.asks()
    for number in range(-5, 5):
        post.message(number, payload="y" * 1000)
    why = post.why()
    assert [m.at - AT for m in why.moments] == [-2.0, -1.0, 0.0, 1.0]
    assert all(len(str(moment.data["payload"])) == 200 for moment in why.moments)


def test_messages_are_no_matter_where_no_trigger_hears_them(post: Post) -> None:
    """They are not even read."""
    post.loaded(document("p", "[{log: x}]", "{event: GO}")).known()
    post.message(1)
    why = post.why()
    assert (why.moments, told(why, "messages")) == ([], [])


def _why(reader: Reader, guest: str) -> Why:
    return why_at(reader, "p", guest, at=AT, around=60.0, host=HOST)
