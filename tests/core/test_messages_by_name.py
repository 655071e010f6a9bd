"""A message on ``trigger/<policy>/<guest>`` starts the policy that it names."""

from typing import Any

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Log, Publish
from reactor.core.inputs import Message, Received
from tests.core.simulation import Host

BASE = "reactor/h1/"
HEAD = "description: d\nmode: parallel\nmax: 100\n"
STEPS = "steps: [{publish: fired, payload: '${run.policy} ${guest.name} ${message.payload}'}]\n"

ASKS = f"policy: asks\n{HEAD}trigger: {{mqtt: request/+, guest: '${{topic[3]}}'}}\n{STEPS}"
GUARDED = (
    f"policy: guarded\n{HEAD}trigger:\n"
    "  - {event: RESET}\n"
    "  - {mqtt: first, guest: web-1, where: message.payload == 'please', max_age: 1m}\n"
    "  - {mqtt: second, guest: web-1}\n"
    f"{STEPS}"
)
SELECTS = (
    f"policy: selects\n{HEAD}guests: {{name: 'db-*'}}\ntrigger: {{mqtt: x, guest: web-1}}\n{STEPS}"
)
LITERAL = f"policy: literal\n{HEAD}trigger: {{mqtt: trigger/literal/+, guest: db-1}}\n{STEPS}"
EVENTS = (
    f"policy: events\n{HEAD}trigger: {{event: RESET}}\n{STEPS.replace(' ${message.payload}', '')}"
)


def host() -> Host:
    """Guests, one with a name that is no slug, and the policies above."""
    policies = [ASKS, GUARDED, SELECTS, LITERAL, EVENTS]
    guests = ("web-1", "db-1", "web 2")
    return Host(policies, guests, EngineConfig(host="h1", has_broker=True)).connect()


def hear(host: Host, below: str, payload: str = "x", **more: Any) -> list[Any]:  # noqa: ANN401
    """What is published after a message on a topic below the host's."""
    before = len(host.published())
    message = Message(BASE + below, payload, below, **more)
    host.give(Received(message))
    host.run(1.0)
    return [payload for _, payload in host.published()[before:]]


@pytest.mark.parametrize(
    ("below", "fired"),
    [
        pytest.param("request/web-1", ["asks web-1 x"], id="by the trigger's own topic"),
        pytest.param("trigger/asks/web-1", ["asks web-1 x"], id="by the policy's name"),
        pytest.param("trigger/asks/db-1", ["asks db-1 x"], id="the topic names the guest"),
        pytest.param("trigger/asks/web-2", ["asks web 2 x"], id="or its slug"),
        pytest.param("trigger/asks/web 2", ["asks web 2 x"], id="or its name"),
        pytest.param("trigger/selects/db-1", ["selects db-1 x"], id="a guest that is selected"),
        pytest.param("trigger/literal/web-1", ["literal db-1 x"], id="a trigger on that topic"),
        pytest.param("trigger/selects/web-1", [], id="a guest that is not selected"),
        pytest.param("trigger/asks/none", [], id="no guest of that name"),
        pytest.param("trigger/asks/", [], id="an empty name"),
        pytest.param("trigger/asks", [], id="no guest at all"),
        pytest.param("trigger/asks/web-1/more", [], id="a level too many"),
        pytest.param("trigger/events/web-1", [], id="a policy without such a trigger"),
        pytest.param("trigger/nobody/web-1", [], id="no policy of that name"),
        pytest.param("trigger//web-1", [], id="an empty policy"),
        pytest.param("other/asks/web-1", [], id="another word"),
    ],
)
def test_a_policy_is_started_by_its_name(below: str, fired: list[str]) -> None:
    """On the guest that the topic names, whatever the topic of its own trigger."""
    assert hear(host(), below) == fired


@pytest.mark.parametrize(
    ("payload", "age", "fired"),
    [
        pytest.param("please", 0.0, ["guarded web-1 please"], id="all holds"),
        pytest.param("please", 61.0, [], id="too old"),
        pytest.param("now", 0.0, [], id="where is false"),
    ],
)
def test_what_the_first_trigger_demands_holds_here_too(
    payload: str, age: float, fired: list[str]
) -> None:
    """The name of a policy opens no door that its trigger keeps shut."""
    desk = host()
    assert hear(desk, "trigger/guarded/web-1", payload, sent_at=desk.now - age) == fired


def test_a_retained_message_starts_nothing() -> None:
    """And its sender is not answered: it is long gone."""
    desk = host()
    reply = f"{BASE}reply/me"
    assert hear(desk, "trigger/asks/web-1", retain=True, response_topic=reply) == []
    assert hear(desk, "trigger/nobody/web-1", retain=True, response_topic=reply) == []


@pytest.mark.parametrize(
    ("below", "error", "fix"),
    [
        pytest.param(
            "trigger/nobody/web-1",
            "no policy with an `mqtt` trigger is called 'nobody'",
            "`reactor status` (over MQTT: ask/status) lists the policies",
            id="no policy",
        ),
        pytest.param(
            "trigger/asks/none",
            "the message does not say which guest it is about: no guest is called 'none'",
            "name a guest: `reactor guests` (over MQTT: ask/guests) lists them",
            id="no guest",
        ),
    ],
)
def test_the_sender_hears_why_nothing_happens(below: str, error: str, fix: str) -> None:
    """With its correlation data, as bytes and in the payload, where it asked for an answer."""
    desk = host()
    (reply,) = hear(desk, below, response_topic=f"{BASE}reply/me", correlation="AAE=")
    assert reply == {
        "ok": False,
        "error": error,
        "fix": fix,
        "topic": BASE + below,
        "correlation": "AAE=",
    }
    sent = desk.seen(Publish)[-1]
    assert isinstance(sent, Publish)
    assert (sent.topic, sent.properties) == ("reply/me", {"correlation-data": "AAE="})
    (plain,) = hear(desk, below, response_topic=f"{BASE}reply/me")
    assert plain == {"ok": False, "error": error, "fix": fix, "topic": BASE + below}
    bare = desk.seen(Publish)[-1]
    assert isinstance(bare, Publish)
    assert bare.properties == {}
    for elsewhere in ("", "reply/me", f"{BASE}alert/critical", "reactor/h2/reply/me"):
        assert hear(desk, below, response_topic=elsewhere) == []


@pytest.mark.parametrize(
    ("json", "properties", "name"),
    [
        pytest.param({"id": "7"}, {}, "7", id="in the payload"),
        pytest.param({"id": 7}, {"id": "8"}, "7", id="the payload before the property"),
        pytest.param({}, {"id": "8"}, "8", id="as a property"),
        pytest.param([1], {"id": "8"}, "8", id="a payload that is no object"),
        pytest.param({"id": "x" * 300}, {}, "x" * 255 + "…", id="cut where it is long"),
        pytest.param({"id": True}, {}, "", id="no id"),
        pytest.param({"id": ["x"]}, {}, "", id="nor this"),
    ],
)
def test_a_sender_that_cannot_name_a_topic_is_answered_by_its_id(
    json: object, properties: dict[str, str], name: str
) -> None:
    """On one topic for all, where it spoke to a policy by its name; else it is told nothing."""
    desk = host()
    below = "trigger/nobody/web-1"
    more: dict[str, Any] = {"json": json, "is_json": True, "properties": properties}
    heard = hear(desk, below, **more)
    assert [reply.get("id") for reply in heard] == ([name] if name else [])
    (there,) = hear(desk, below, response_topic=f"{BASE}reply/me", **more)
    assert there.get("id", "") == name
    assert hear(desk, "request/none", **more) == []
    topics = [sent.topic for sent in desk.seen(Publish) if isinstance(sent, Publish)]
    assert topics == (["reply/common"] if name else []) + ["reply/me"]


def test_a_policy_that_is_not_there_is_told_and_counted() -> None:
    """In the log, in a trace, and in the count of what was dropped."""
    desk = host()
    hear(desk, "trigger/nobody/web-1")
    hear(desk, "trigger/nobody/web-2")
    (trace,) = desk.traces("no such policy")
    assert (trace.policy, trace.guest, trace.path) == ("nobody", "web-1", "trigger")
    assert trace.values == {"event": "REACTOR_MESSAGE"}  # by which `why` names it
    assert trace.reason == "no policy with an `mqtt` trigger is called 'nobody'"
    (line,) = [e.text for _, e in desk.effects if isinstance(e, Log)]
    assert line == (
        "on 'reactor/h1/trigger/nobody/web-1': no policy with an `mqtt` trigger is called 'nobody'"
    )
    assert desk.engine.world.triggers.dropped["messages for no policy"] == 2
