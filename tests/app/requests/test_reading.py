"""What a message orders or asks: topic and payload, or why it is nothing that is understood."""

import json

import pytest

from reactor.app.control.asks import (
    Ask,
    AskGuests,
    AskMarks,
    AskReadiness,
    AskRun,
    AskRuns,
    AskSilences,
    AskStatus,
    AskWhy,
    GiveOrder,
)
from reactor.app.messages import read_json
from reactor.app.requests.kinds import Kind
from reactor.app.requests.names import Names, Refused
from reactor.app.requests.reading import QUESTIONS, read_order, read_question, sender_of
from reactor.app.requests.routes import ROUTES
from reactor.core.inputs import Message
from reactor.core.orders import (
    AddSilence,
    Approve,
    CancelRun,
    ClearMark,
    EndInhibitions,
    ExpireSilence,
    HoldGuests,
    Order,
    ReleaseGuests,
    RunCommand,
    SetMark,
    StartRun,
    SwitchPolicy,
)
from tests.core.simulation import Host, document

HOST = Host([document("plain", "[{log: x}]")], guests=("web-1", "a b", "c d", "c/d")).connect()
HOST.order(SetMark("web-1", "disk", "#block12", "bad sector", "r"))
NAMES = Names(lambda: HOST.engine.world)


def message(topic: str, payload: str = "", **properties: str) -> Message:
    """One on a topic below the host's."""
    value, is_json = read_json(payload)
    return Message(
        f"reactor/h/{topic}", payload, topic, value, is_json=is_json, properties=properties
    )


@pytest.mark.parametrize(
    ("topic", "payload", "order"),
    [
        pytest.param("approve/k-1", "yes", Approve("k-1"), id="a word"),
        pytest.param("approve/k-1", " NO\n", Approve("k-1", yes=False), id="a loud word"),
        pytest.param(
            "approve/k-1",
            '{"do": "no", "comment": "c", "id": 7, "by": "anna", "sent_at": 1}',
            Approve("k-1", yes=False, comment="c"),
            id="with all that may stand beside it",
        ),
        pytest.param(
            "set/mark/web-1/disk/d0/bad",
            '{"do": "set", "reason": "r", "for": "1h30m"}',
            SetMark("web-1", "disk", "d0", "bad", "r", 5400.0),
            id="a mark for a time",
        ),
        pytest.param(
            "set/mark/a-b/guest/self/bad",
            "set",
            SetMark("a b", "guest", "self", "bad"),
            id="a guest by its slug",
        ),
        pytest.param(
            "set/mark/web-1/disk/block12/bad",
            '{"do": "set", "device": "#block12"}',
            SetMark("web-1", "disk", "#block12", "bad"),
            id="a device that a topic cannot hold",
        ),
        pytest.param(
            "set/mark/web-1/disk/block12/bad-sector",
            "clear",
            ClearMark("web-1", "disk", "#block12", "bad sector"),
            id="a mark by the slugs of its topic",
        ),
        pytest.param(
            "set/mark/web-1/disk/block12",
            '{"do": "clear", "device": "#block12"}',
            ClearMark("web-1", "disk", "#block12"),
            id="all marks of a device",
        ),
        pytest.param(
            "set/mark/web-9/disk/d0",
            "clear",
            ClearMark("web-9", "disk", "d0"),
            id="who is unknown is left to the engine",
        ),
        pytest.param(
            "set/silence",
            '{"do": "add", "policies": ["p*"], "for": "2h"}',
            AddSilence(("p*",), ("*",), 7200.0),
            id="a silence",
        ),
        pytest.param("set/silence/s-3", "expire", ExpireSilence("s-3"), id="its end"),
        pytest.param(
            "set/policy/plain",
            '{"do": "off", "for": "10m", "comment": "c"}',
            SwitchPolicy("plain", on=False, seconds=600.0, comment="c"),
            id="a policy off",
        ),
        pytest.param("set/policy/plain", "ON", SwitchPolicy("plain", on=True), id="and on"),
        pytest.param("set/hold", "on", HoldGuests(), id="the big red button"),
        pytest.param(
            "set/hold/web-1",
            '{"do": "on", "for": "2h", "comment": "c"}',
            HoldGuests("web-1", 7200.0, "c"),
            id="of one guest",
        ),
        pytest.param("set/hold", "off", ReleaseGuests(), id="released"),
        pytest.param("set/hold/a-b", "off", ReleaseGuests("a b"), id="one guest released"),
        pytest.param("set/inhibit/web-1", "off", EndInhibitions("web-1"), id="no more inhibited"),
        pytest.param("set/run/k-1", "cancel", CancelRun("k-1"), id="a run cancelled"),
        pytest.param(
            "set/trigger/plain/web-1",
            '{"do": "start", "data": {"device": "d"}}',
            StartRun("plain", "web-1", {"device": "d"}),
            id="a run started",
        ),
        pytest.param("cmd/web-1/stop", "", RunCommand("web-1", "stop"), id="a command alone"),
        pytest.param(
            "cmd/a-b/device_del",
            '{"arguments": {"id": "${x}"}, "timeout": "5m", "id": 7, "sent_at": 1}',
            RunCommand("a b", "device_del", {"id": "${x}"}, 300.0),
            id="with arguments, which are data",
        ),
    ],
)
def test_a_message_is_an_order(topic: str, payload: str, order: Order) -> None:
    """By its topic, and a word or a JSON object."""
    assert read_order(message(topic, payload), NAMES) == GiveOrder(order)


@pytest.mark.parametrize(
    ("topic", "payload", "problem", "fix"),
    [
        pytest.param(
            "set/hold/",
            "on",
            "'set/hold/' is no topic of a request",
            "publish to set/hold or set/hold/<guest>",
            id="an empty level is not all guests",
        ),
        pytest.param(
            "set/mark/web-1/disk/d0/",
            "clear",
            "'set/mark/web-1/disk/d0/' is no topic of a request",
            "publish to set/mark/<guest>/<kind>/<id>/<as> or set/mark/<guest>/<kind>/<id>",
            id="an empty word is not all marks",
        ),
        pytest.param(
            "approve",
            "yes",
            "'approve' is no topic of a request",
            "publish to approve/<run>",
            id="a level is missing",
        ),
        pytest.param(
            "approve/k-1",
            "",
            "the payload is neither a word nor a JSON object",
            'send yes or no, or a JSON object such as {"do": "no", "comment": "not now"}',
            id="nothing",
        ),
        pytest.param(
            "approve/k-1",
            '{"do": yes}',
            "the payload is neither a word nor a JSON object",
            'send yes or no, or a JSON object such as {"do": "no", "comment": "not now"}',
            id="wrong JSON",
        ),
        pytest.param(
            "approve/k-1",
            "${1/0}",
            "the payload is neither a word nor a JSON object",
            'send yes or no, or a JSON object such as {"do": "no", "comment": "not now"}',
            id="a template",
        ),
        pytest.param(
            "approve/k-1",
            "maybe",
            "`do` is 'maybe', and it may be yes or no",
            'send {"do": "no", "comment": "not now"}',
            id="another word",
        ),
        pytest.param(
            "approve/k-1",
            '{"comment": "c"}',
            "the payload does not fit: Object missing required field `do`",
            'send {"do": "no", "comment": "not now"}',
            id="nothing to do",
        ),
        pytest.param(
            "set/run/k-1",
            '{"do": "cancel", "coment": "c"}',
            "the payload does not fit: Object contains unknown field `coment`",
            'send {"do": "cancel"}',
            id="a misspelt member",
        ),
        pytest.param(
            "set/run/k-1",
            '{"do": "cancel", "comment": 7}',
            "the payload does not fit: Expected `str`, got `int` - at `$.comment`",
            'send {"do": "cancel"}',
            id="a wrong type",
        ),
        pytest.param(
            "set/policy/plain",
            "off",
            "it does not say for how long",
            'say it: {"do": "off", "for": "2h"}',
            id="off without an end",
        ),
        pytest.param(
            "set/policy/plian",
            "off",
            "no policy is called 'plian'; did you mean 'plain'?",
            "`reactor status` lists them",
            id="no policy: its end is not asked for",
        ),
        pytest.param(
            "set/run/k-1",
            "cancle",
            "`do` is 'cancle', and it may be cancel; did you mean 'cancel'?",
            'send {"do": "cancel"}',
            id="a misspelt word",
        ),
        pytest.param(
            "set/run/k-1",
            '{"do": 7}',
            "the payload does not fit: Expected `str`, got `int` - at `$.do`",
            'send {"do": "cancel"}',
            id="a number for a word",
        ),
        pytest.param(
            "set/hold",
            '{"do": "on", "for": "2"}',
            "`for`: '2' has no unit: write 2s, 2m or 2h",
            "write such as 30m, 2h or 1d",
            id="a duration without a unit",
        ),
        pytest.param(
            "set/hold/c-d",
            "on",
            "2 guests are called 'c-d' in a topic: 'c d', 'c/d'",
            "give the guests names that differ in letters, digits, `.`, `_` and `-`",
            id="two guests with one slug",
        ),
        pytest.param(
            "set/mark/web-1/disk/d0/bad",
            '{"do": "set", "device": "d1"}',
            "`device` is 'd1', and the topic says 'd0'",
            "publish to the topic with 'd1', or leave `device` out",
            id="a device that the broker's ACL did not see",
        ),
        pytest.param(
            "cmd/web-1",
            "",
            "'cmd/web-1' is no topic of a request",
            "publish to cmd/<guest>/<command>",
            id="no command",
        ),
        pytest.param(
            "cmd/web-1/stop",
            "now",
            "the payload is no JSON object",
            "send a JSON object, or nothing",
            id="a command takes no word",
        ),
        pytest.param(
            "cmd/web-1/stop",
            '{"arguments": ["x"]}',
            "the payload does not fit: Expected `object`, got `array` - at `$.arguments`",
            'send {"arguments": {"device": "disk0"}}',
            id="arguments that have no names",
        ),
        pytest.param(
            "cmd/web-1/stop",
            '{"device": "disk0"}',
            "the payload does not fit: Object contains unknown field `device`",
            'send {"arguments": {"device": "disk0"}}',
            id="an argument in the wrong place",
        ),
        pytest.param(
            "cmd/web-1/stop",
            '{"timeout": "30"}',
            "`timeout`: '30' has no unit: write 30s, 30m or 30h",
            "write such as 30s or 5m",
            id="a time without a unit",
        ),
    ],
)
def test_what_is_no_order_says_why(topic: str, payload: str, problem: str, fix: str) -> None:
    """With what to send instead."""
    with pytest.raises(Refused) as caught:
        read_order(message(topic, payload), NAMES)
    assert (caught.value.problem, caught.value.fix) == (problem, fix)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.topic)
def test_the_example_of_a_route_is_understood(route: object) -> None:
    """It is what who sent nonsense is told to send."""
    assert isinstance(route, type(ROUTES[0]))
    topic = route.topic.replace("<guest>", "web-1").replace("<kind>", "disk")
    assert isinstance(read_order(message(topic, route.example), NAMES), GiveOrder)
    assert route.topic.startswith(route.kind)


def test_every_kind_but_questions_has_a_route() -> None:
    """A word of the settings that nothing answers to would be a lie."""
    assert {route.kind for route in ROUTES} == set(Kind) - {Kind.ASK}


@pytest.mark.parametrize(
    ("topic", "payload", "ask"),
    [
        pytest.param("ask/status", "", AskStatus(), id="status"),
        pytest.param("ask/guests", '{"id": "7", "by": "anna"}', AskGuests(), id="who asks"),
        pytest.param("ask/marks", "", AskMarks(), id="all marks"),
        pytest.param("ask/marks/a-b", "", AskMarks("a b"), id="marks of a guest"),
        pytest.param("ask/silences", "{}", AskSilences(), id="silences"),
        pytest.param(
            "ask/readiness", '{"policy": "p*"}', AskReadiness(policy="p*"), id="readiness"
        ),
        pytest.param(
            "ask/runs",
            '{"only_open": true, "limit": 5}',
            AskRuns(only_open=True, limit=5),
            id="runs",
        ),
        pytest.param("ask/run/k-1", "", AskRun("k-1"), id="a run"),
        pytest.param("ask/run", '{"run": "k-1"}', AskRun("k-1"), id="a run by the payload"),
        pytest.param("ask/why/p/web-1", '{"at": 5}', AskWhy("p", "web-1", 5.0), id="why"),
    ],
)
def test_a_message_is_a_question(topic: str, payload: str, ask: Ask) -> None:
    """The same as the control socket is asked."""
    assert read_question(message(topic, payload), NAMES) == ask


@pytest.mark.parametrize(
    ("topic", "payload", "problem"),
    [
        pytest.param("ask", "", "'ask' is no question", id="nothing"),
        pytest.param("ask/order", "{}", "'ask/order' is no question", id="an order is none"),
        pytest.param("ask/status/x", "", "'ask/status/x' is no topic of this question", id="level"),
        pytest.param("ask/run/", "", "'ask/run/' is no topic of this question", id="empty level"),
        pytest.param("ask/runs", "all", "the payload is no JSON object", id="a word"),
        pytest.param(
            "ask/runs", '{"guset": "a"}', "'guset' is no member of this question", id="misspelt"
        ),
        pytest.param(
            "ask/runs",
            '{"limit": -1}',
            "the question does not fit: Expected `int` >= 0 - at `$.limit`",
            id="a wrong number",
        ),
    ],
)
def test_what_is_no_question_says_why(topic: str, payload: str, problem: str) -> None:
    """And never reaches the daemon."""
    with pytest.raises(Refused) as caught:
        read_question(message(topic, payload), NAMES)
    assert caught.value.problem == problem
    assert caught.value.fix


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_example_of_a_question_is_understood(name: str) -> None:
    """It is what who asked nonsense is told to ask."""
    asked = read_question(message(f"ask/{name}", QUESTIONS[name].example), NAMES)
    assert asked.__struct_config__.tag == name


def test_every_question_can_be_asked() -> None:
    """All but orders, which have topics of their own, and figures, which no message carries."""
    kinds = {ask.__struct_config__.tag for ask in Ask.__args__}
    assert set(QUESTIONS) == kinds - {"order", "metrics"}


@pytest.mark.parametrize(
    ("payload", "properties", "who", "name"),
    [
        pytest.param("yes", {}, "mqtt", "", id="nobody says anything"),
        pytest.param(
            '{"by": "anna", "id": 7}',
            {"by": "ben", "id": "8"},
            "mqtt (says 'anna')",
            "7",
            id="the payload before the properties",
        ),
        pytest.param("yes", {"by": "ben", "id": "8"}, "mqtt (says 'ben')", "8", id="properties"),
        pytest.param(
            json.dumps({"by": "uid 0\x1b[2J\n" + "x" * 200}),
            {},
            "mqtt (says '" + repr("uid 0\x1b[2J\n")[1:-1] + "x" * 90 + "')",
            "",
            id="codes for the terminal",
        ),
        pytest.param('{"by": ["x"], "id": true}', {}, "mqtt", "", id="wrong types"),
    ],
)
def test_who_asks_is_no_more_than_they_say(
    payload: str, properties: dict[str, str], who: str, name: str
) -> None:
    """And it can never look like somebody of the control socket."""
    sender = sender_of(message("approve/k-1", payload, **properties))
    assert (sender.who, sender.id) == (who, name)
