"""``mqtt`` triggers: which messages are a match of which guest, and what their senders hear."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.inputs import GuestForgotten, Message, Received
from reactor.core.policy import MessageTrigger, Policy, Selector
from tests.core.simulation import Host
from tests.core.triggers import condition, fired, misses, tree, with_triggers

TOPIC = "reactor/h1/request/web-1/dump"
WEB = Selector(names=("web*",))


def _policy(
    topic: str = "request/+/dump",
    guest: object = "${topic[3]}",
    where: str | None = None,
    *,
    name: str = "p",
    absolute: bool = False,
    max_age: float | None = None,
    payload: object = "${guest.name}",
) -> Policy:
    trigger = MessageTrigger(
        topic, tree(guest), condition(where) if where else None, absolute, max_age
    )
    return with_triggers(trigger, name=name, payload=payload, guests=WEB)


def _host(*policies: Policy, guests: tuple[str, ...] = ("web-1", "db-1")) -> Host:
    return Host(policies or [_policy()], guests=guests).connect()


def _message(topic: str = TOPIC, payload: str = "", **more: object) -> Message:
    below = topic.removeprefix("reactor/h1/")
    values = {"below": below if below != topic else "", **more}
    return Message(topic, payload, **values)  # type: ignore[arg-type]


def _send(host: Host, topic: str = TOPIC, payload: str = "", **more: object) -> Host:
    host.give(Received(_message(topic, payload, **more)))
    return host


@pytest.mark.parametrize(
    ("filter_", "absolute", "topic", "matches"),
    [
        pytest.param("request/+/dump", False, TOPIC, True, id="below prefix and host"),
        pytest.param("request/#", False, TOPIC, True, id="all below"),
        pytest.param("request/+", False, TOPIC, False, id="a level too many"),
        pytest.param("reactor/h1/request/+/dump", False, TOPIC, False, id="not absolute"),
        pytest.param("reactor/h1/request/+/dump", True, TOPIC, True, id="absolute"),
        pytest.param("request/+/dump", True, TOPIC, False, id="absolute means all of it"),
        pytest.param("#", False, "other/x/y/web-1", False, id="nothing below"),
        pytest.param("other/#", True, "other/x/y/web-1", True, id="absolute elsewhere"),
    ],
)
def test_which_topics_match(filter_: str, absolute: bool, topic: str, matches: bool) -> None:
    """A filter is below `<prefix>/<host>/`, or absolute; `topic` is always the whole one."""
    host = _host(_policy(filter_, absolute=absolute))
    assert fired(_send(host, topic)) == (["web-1"] if matches else [])
    assert misses(host) == []


def test_what_a_run_knows_of_its_message() -> None:
    """The message stays with the run, also over a restart."""
    payload = {
        "name": "${event.name}",
        "data": "${data}",
        "user": "${message.json.user}",
        "payload": "${message.payload}",
        "topic": "${message.topic}",
        "level": "${topic[4]}",
        "qos": "${message.qos}",
        "retain": "${message.retain}",
        "by": '${message.properties["by"]}',
    }
    host = _host(_policy(payload=payload))
    _send(
        host,
        payload='{"user": "anna"}',
        json={"user": "anna"},
        is_json=True,
        qos=1,
        properties={"by": "tool"},
    )
    assert fired(host) == [
        {
            "name": "REACTOR_MESSAGE",
            "data": {},
            "user": "anna",
            "payload": '{"user": "anna"}',
            "topic": TOPIC,
            "level": "dump",
            "qos": 1,
            "retain": False,
            "by": "tool",
        }
    ]


def test_a_payload_that_is_not_json_has_no_json() -> None:
    """`null` is JSON; no payload is none."""
    host = _host(_policy(payload="${has(message.json)}"))
    _send(host, payload="dump!")
    _send(host, payload="null", json=None, is_json=True)
    assert fired(host) == [False, True]


@pytest.mark.parametrize(
    ("where", "runs"),
    [
        pytest.param('message.json.user != ""', 1, id="true"),
        pytest.param('message.json.user == "ben"', 0, id="false"),
        pytest.param("message.json.nobody == 1", 0, id="it fails"),
        pytest.param('topic[4] == "dump" && guest.status == "running"', 1, id="topic and guest"),
        pytest.param("message.properties.size() == 0", 1, id="properties"),
    ],
)
def test_where_sees_the_message_and_the_guest(where: str, runs: int) -> None:
    """And a near miss says what it saw."""
    host = _host(_policy(where=where))
    _send(host, json={"user": "anna"}, is_json=True, response_topic="reactor/h1/reply/1")
    assert len(fired(host)) == runs
    assert [verdict for verdict, _ in misses(host)] == ["`where` is false"] * (1 - runs)


# ------------------------------------------------------------------ which guest


@pytest.mark.parametrize(
    ("guests", "level", "runs"),
    [
        pytest.param(("web-1",), "web-1", ["web-1"], id="its name"),
        pytest.param(("web 1",), "web-1", ["web 1"], id="the slug of its name"),
        pytest.param(("web 1", "web-1"), "web-1", ["web-1"], id="a name wins over a slug"),
        pytest.param(("web 1", "web:1"), "web-1", [], id="a slug of two"),
        pytest.param(("web-1",), "web-2", [], id="no such guest"),
        pytest.param(("db-1",), "db-1", [], id="not selected"),
    ],
)
def test_the_guest_by_name_or_slug(guests: tuple[str, ...], level: str, runs: list[str]) -> None:
    """A name that several slugs have is nobody's."""
    host = _host(guests=guests)
    assert fired(_send(host, f"reactor/h1/request/{level}/dump")) == runs


FIXES = {
    "the message does not say which guest it is about": (
        "name a guest: `reactor guests` (over MQTT: ask/guests) lists them"
    ),
    "the policy is not for this guest": (
        "name a guest that the policy selects: its `guests` says which"
    ),
}


@pytest.mark.parametrize(
    ("guest", "topic", "verdict", "reason"),
    [
        pytest.param(
            "${topic[3]}",
            "reactor/h1/request/web-9/dump",
            "the message does not say which guest it is about",
            "no guest is called 'web-9'",
            id="unknown",
        ),
        pytest.param(
            "${topic[3]}",
            "reactor/h1/request/db-1/dump",
            "the policy is not for this guest",
            "p does not select db-1",
            id="not selected",
        ),
        pytest.param(
            "${message.json.guest}",
            TOPIC,
            "the message does not say which guest it is about",
            "`guest`: message has no member 'json'",
            id="it cannot be told",
        ),
        pytest.param(
            "${1.0 / 0.0}",
            TOPIC,
            "the message does not say which guest it is about",
            "`guest`: the number is infinite or not a number",
            id="no name at all",
        ),
    ],
)
def test_a_message_for_no_guest_is_refused_counted_and_answered(
    guest: str, topic: str, verdict: str, reason: str
) -> None:
    """Below `<prefix>/<host>/reply/`, with what its sender needs to find it again."""
    host = _host(_policy(guest=guest))
    _send(host, topic, response_topic="reactor/h1/reply/tool/1", correlation="c-1")
    assert host.published() == [
        (
            "reply/tool/1",
            {
                "ok": False,
                "error": f"{verdict}: {reason}",
                "fix": FIXES[verdict],
                "topic": topic,
                "correlation": "c-1",
            },
        )
    ]
    assert misses(host) == [(verdict, reason)]
    assert host.engine.world.triggers.dropped == {"messages for no guest": 1}


def test_a_guest_that_is_forgotten_is_none() -> None:
    """Though a run of it is open."""
    host = _host()
    world = host.engine.world
    world.guests["web-1"].forgotten = True
    _send(host)
    assert misses(host)[-1][1] == "no guest is called 'web-1'"
    host.give(GuestForgotten("web-1"))


@pytest.mark.parametrize(
    ("response", "below"),
    [
        pytest.param("", True, id="no answer is wanted"),
        pytest.param("reactor/h1/alert/critical", True, id="elsewhere"),
        pytest.param("reactor/h2/reply/x", True, id="another host"),
        pytest.param("reply/x", True, id="above"),
        pytest.param("reactor/h1/reply/+", True, id="a wildcard"),
        pytest.param("reactor/h1/reply/x", False, id="nobody knows the base"),
    ],
)
def test_a_reply_goes_nowhere_else(response: str, below: bool) -> None:
    """A sender must not have us write where it may not write itself."""
    host = _host(_policy("reactor/h1/request/#", absolute=True))
    more = {} if below else {"below": ""}
    _send(host, "reactor/h1/request/web-9/x", response_topic=response, **more)
    assert host.published() == []
    assert len(misses(host)) == 1


def test_without_a_broker_nobody_is_answered() -> None:
    """There is no way."""
    host = Host([_policy()], config=EngineConfig(host="h1", has_broker=False)).connect()
    _send(host, "reactor/h1/request/web-9/dump", response_topic="reactor/h1/reply/x")
    assert host.published() == []


def test_a_message_that_another_policy_takes_is_no_error() -> None:
    """Each has guests of its own; only a message that nobody takes is answered."""
    databases = with_triggers(
        MessageTrigger("request/+/dump", tree("${topic[3]}")),
        name="databases",
        guests=Selector(names=("db-*",)),
    )
    host = _host(_policy(), databases)
    _send(host, response_topic="reactor/h1/reply/1")
    assert host.published() == [("fired", "web-1")]
    assert len(misses(host, "databases")) == 1
    _send(host, "reactor/h1/request/x/dump", response_topic="reactor/h1/reply/1")
    assert [topic for topic, _ in host.published()] == ["fired", "reply/1"]


# ------------------------------------------------------------------ old messages


def test_a_retained_message_is_dropped() -> None:
    """It would come again at every reconnect: counted, a near miss, and no answer."""
    host = _host()
    _send(host, retain=True, response_topic="reactor/h1/reply/1")
    assert host.published() == []
    assert misses(host) == [("the message was retained: nobody sends it now", TOPIC)]
    assert host.engine.world.triggers.dropped == {"retained messages": 1}


@pytest.mark.parametrize(
    ("age", "expires", "reason"),
    [
        pytest.param(
            None,
            None,
            "it has neither `sent_at` nor an expiry, and may be 1m old at most",
            id="neither",
        ),
        pytest.param(0.0, None, "", id="just sent"),
        pytest.param(60.0, None, "", id="just young enough"),
        pytest.param(60.5, None, "it is 1m500ms old, and may be 1m old at most", id="too old"),
        pytest.param(-60.0, None, "", id="a clock that is ahead a little"),
        pytest.param(
            -61.0, None, "it was sent 1m1s from now: a clock is wrong", id="a clock that is wrong"
        ),
        pytest.param(None, 5.0, "", id="it expires"),
        pytest.param(None, 0.0, "it has expired", id="it has expired"),
        pytest.param(100.0, 5.0, "it is 1m40s old, and may be 1m old at most", id="both count"),
    ],
)
def test_max_age(age: float | None, expires: float | None, reason: str) -> None:
    """A message that was queued for somebody who was away is not for now."""
    host = _host(_policy(max_age=60.0))
    sent = None if age is None else host.now - age
    _send(host, sent_at=sent, expires=expires, response_topic="reactor/h1/reply/1")
    if reason:
        verdict = "the message is too old, or does not say how old it is"
        assert misses(host) == [(verdict, reason)]
        ((topic, answer),) = host.published()
        assert isinstance(answer, dict)
        assert (topic, answer["fix"]) == (
            "reply/1",
            "say `sent_at`, the time now (seconds since 1970, or RFC 3339), or an expiry",
        )
        assert host.engine.world.triggers.dropped == {"old messages": 1}
    else:
        assert fired(host) == ["web-1"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        pytest.param(
            1_795_450_805_000, " in seconds since 1970: it looks like milliseconds", id="ms"
        ),
        pytest.param(
            "1795450805000.5", " in seconds since 1970: it looks like milliseconds", id="text"
        ),
        pytest.param(
            1_795_450_805_000_000, " in seconds since 1970: it looks like microseconds", id="us"
        ),
        pytest.param(
            1_795_450_805_000_000_000, " in seconds since 1970: it looks like nanoseconds", id="ns"
        ),
        pytest.param(
            "yesterday", ": say seconds since 1970, or RFC 3339 with its zone", id="a word"
        ),
        pytest.param(
            "2026-11-28T20:00", ": say seconds since 1970, or RFC 3339 with its zone", id="no zone"
        ),
        pytest.param(
            "1234567890123x", ": say seconds since 1970, or RFC 3339 with its zone", id="x"
        ),
        pytest.param([], ": say seconds since 1970, or RFC 3339 with its zone", id="no text"),
    ],
)
def test_a_time_that_is_none_is_not_called_missing(told: object, reason: str) -> None:
    """It stands there: what is wrong is the unit, or the form."""
    for said in ({"json": {"sent_at": told}}, {"properties": {"sent_at": str(told)}}):
        host = _host(_policy(max_age=60.0))
        _send(host, **said)
        assert misses(host)[0][1] == f"`sent_at` is {told}, which is no time{reason}"


def test_without_max_age_any_age_will_do() -> None:
    """As the policy says nothing of it."""
    host = _host()
    assert fired(_send(host, sent_at=1.0)) == ["web-1"]


def test_the_time_of_the_event_is_when_it_was_sent() -> None:
    """As far as the sender says."""
    host = _host(_policy(payload="${event.time < event.received}"))
    _send(host, sent_at=host.now - 5)
    _send(host)
    assert fired(host) == [True, False]
