"""docs/reference/mqtt.md shows what the projection makes: topics, members, retention, expiry."""

import json
import re
from collections.abc import Mapping

import msgspec
import pytest

from reactor.adapters.control import Answer
from reactor.adapters.journal import Limits
from reactor.adapters.journal.ledger import COUNTERS, SPARE
from reactor.adapters.mqtt import InLimits
from reactor.adapters.mqtt.subscriber import GIVEN_UP_S
from reactor.app import depth, dispatcher, outbox, seen
from reactor.app.outgoing import Outgoing
from reactor.app.projection import Projection, payload_of
from reactor.app.requests import reception, replying
from reactor.core import by_hand, command_ends, messages, operator_commands
from reactor.core.config import EngineConfig
from reactor.core.drops import DROPPED_EVENT
from reactor.core.effect import (
    Effect,
    EventSeen,
    GuestChanged,
    MarkCleared,
    MarkSet,
    Publish,
    RunChanged,
)
from reactor.core.event import Event
from reactor.core.inputs import Dropped, Message, Received
from reactor.core.marks import Mark, MarkKind
from reactor.core.orders import RunCommand
from tests.app.published import SCHEMA, wrong
from tests.core.simulation import Host
from tests.docs.pages import blocks, page, quoted, section
from tests.fakes import broker

PAGE = page("docs/reference/mqtt.md")

GUEST = GuestChanged("web-1", "running", 1.0, connected=True, labels={"tier": "prod"})
MARK = Mark("web-1", MarkKind.DISK, "disk0", "degraded", "bad read", 1.0, "p", "k3v9a1-17")
RUN = RunChanged("k3v9a1-17", "p", "web-1", "running", word="running", started=1.0)
ENDED = msgspec.structs.replace(RUN, word="ended", outcome="succeeded", ended=2.0)


def projection() -> Projection:
    """One that knows a guest and a mark."""
    made = Projection("reactor", "host-1", "0.1.0")
    made.messages(GUEST)
    made.messages(MarkSet(MARK))
    return made


def made_of(effect: Effect) -> list[Outgoing]:
    """The messages of one effect."""
    return projection().messages(effect)


def replied() -> Outgoing:
    """What is answered to a question that has nothing to be known by."""
    asked = Message("reactor/host-1/ask/marks", "", "ask/marks")
    said = replying.reply_message("reactor/host-1/reply/anna", asked, "", Answer())
    return Outgoing(said.topic, said.payload, expiry_s=said.expiry_s)


DROPPED = Event(DROPPED_EVENT, "", {"lost": 1}, 1.0, 1.0)
EVENT = Event("GUEST_PANICKED", "web-1", {"action": "pause"}, 1.0, 1.0)
MESSAGES: Mapping[str, Outgoing] = {
    "<prefix>/<host>/info": projection().policies([], "1b2f8c04d1a7")[0],
    "<prefix>/<host>/guest/<guest>/availability": Projection("reactor", "host-1", "1").messages(
        GUEST
    )[0],
    "<prefix>/<host>/guest/<guest>/state": made_of(GUEST)[-1],
    "<prefix>/<host>/guest/<guest>/event/<EVENT>": projection().event(EVENT),
    "<prefix>/<host>/event/<EVENT>": made_of(EventSeen(DROPPED))[0],
    "<prefix>/<host>/guest/<guest>/mark/<kind>/<id>/<as>": made_of(MarkSet(MARK))[0],
    "<prefix>/<host>/run/<run>": made_of(RUN)[0],
    "<prefix>/<host>/policy/<policy>/last": made_of(ENDED)[1],
    "<prefix>/<host>/reply/<name>": replied(),
    "<prefix>/<host>/<topic>": made_of(Publish("alert/critical", {"a": 1}))[0],
}
NAMES = {
    "<prefix>": "reactor",
    "<host>": "host-1",
    "<guest>": "web-1",
    "<EVENT>": "GUEST_PANICKED",
    "<kind>": "disk",
    "<id>": "disk0",
    "<as>": "degraded",
    "<run>": "k3v9a1-17",
    "<policy>": "p",
    "<name>": "anna",
    "<topic>": "alert/critical",
}
OUT = PAGE[: PAGE.index("\n## ")]
ROWS = {
    row[0]: row
    for row in (
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in OUT.splitlines()
        if line.startswith("| `<prefix>")
    )
}


@pytest.mark.parametrize("topic", MESSAGES)
def test_every_message_has_its_row(topic: str) -> None:
    """The topic is made as the row says, and kept and expired as the row says."""
    message = MESSAGES[topic]
    _, _, retained, expires = ROWS[topic]
    names = NAMES | ({} if "<guest>" in topic else {"<EVENT>": DROPPED_EVENT})
    spelled = re.sub(r"<\w+>", lambda name: names[name[0]], topic)
    assert message.topic == spelled
    assert message.qos == 1
    if topic != "<prefix>/<host>/<topic>":
        assert message.retain is (retained == "yes")
    assert expires == {None: "", 60.0: "60 s", 3600.0: "1 h", 86_400.0: "24 h"}[message.expiry_s]


WORDS = {"availability", "guest/<guest>/availability"}
"""Topics of text as it stands; the host's own is the publisher's."""


@pytest.mark.parametrize("topic", SCHEMA["properties"].keys() - WORDS)
def test_a_message_is_as_its_schema_says(topic: str) -> None:
    """Of every topic, and no other one would be: not one with a member more or less."""
    sent = MESSAGES[f"<prefix>/<host>/{topic}"]
    body = json.loads(sent.payload)
    assert published(sent, body) == []
    assert published(sent, {**body, "more": 1}) != []
    for name in body:
        assert published(sent, {key: body[key] for key in body if key != name}) != []


def published(message: Outgoing, body: object) -> list[str]:
    """What is wrong with this body on the message's topic."""
    said = broker.Received(message.topic, json.dumps(body).encode(), 1, retain=False)
    return wrong([said], "reactor/host-1")


def test_every_json_that_is_published_has_a_schema() -> None:
    """But what steps say themselves."""
    with_schema = {f"<prefix>/<host>/{topic}" for topic in SCHEMA["properties"]}
    as_json = {topic for topic, message in MESSAGES.items() if "json" in message.content_type}
    assert as_json - {"<prefix>/<host>/<topic>"} == with_schema - {
        f"<prefix>/<host>/{topic}" for topic in WORDS
    }


@pytest.mark.parametrize("topic", ["availability", "guest/web-1/availability"])
@pytest.mark.parametrize(
    ("payload", "fits"),
    [("online", True), ("offline", True), ("ONLINE", False), ('"online"', False), ("{}", False)],
)
def test_availability_is_one_of_two_words(topic: str, payload: str, fits: bool) -> None:
    """As they stand, for the host and for a guest."""
    said = broker.Received(f"reactor/host-1/{topic}", payload.encode(), 1, retain=False)
    assert (wrong([said], "reactor/host-1") == []) is fits


def test_there_is_no_row_too_many() -> None:
    """The page promises nothing that is never sent; availability is the publisher's own."""
    assert set(ROWS) == {*MESSAGES, "<prefix>/<host>/availability"}


@pytest.mark.parametrize(
    ("heading", "topic"),
    [
        pytest.param("Info", "<prefix>/<host>/info", id="info"),
        pytest.param("State of a guest", "<prefix>/<host>/guest/<guest>/state", id="state"),
        pytest.param("Events", "<prefix>/<host>/guest/<guest>/event/<EVENT>", id="event"),
        pytest.param("Marks", "<prefix>/<host>/guest/<guest>/mark/<kind>/<id>/<as>", id="mark"),
        pytest.param("Runs", "<prefix>/<host>/run/<run>", id="run"),
        pytest.param("Runs", "<prefix>/<host>/policy/<policy>/last", id="last run"),
    ],
)
def test_the_example_has_the_members_of_the_message(heading: str, topic: str) -> None:
    """The JSON of the section has exactly the members, and names the content type."""
    message = MESSAGES[topic]
    text = section(PAGE, heading)
    shown = next(msgspec.json.decode(block.text) for block in blocks("json") if block.text in text)
    sent = msgspec.json.decode(message.payload)
    assert list(shown) == list(sent)
    assert message.content_type in quoted(text)
    for member in ("marks", "by"):
        if member in sent:
            shown_part, part = shown[member], sent[member]
            assert set(shown_part[0] if member == "marks" else shown_part) == set(
                part[0] if member == "marks" else part
            )


@pytest.mark.parametrize(
    ("effect", "topics"),
    [
        pytest.param(
            GuestChanged("web-1", "disconnected", 1.0, connected=False, gone=True),
            ["availability", "state"],
            id="a guest that is gone",
        ),
        pytest.param(MarkCleared(MARK), ["degraded"], id="a mark that is gone"),
    ],
)
def test_what_is_gone_gets_an_empty_retained_payload(effect: Effect, topics: list[str]) -> None:
    """As the page says; a cleared mark is followed by the guest's new state."""
    gone = [message for message in made_of(effect) if not message.payload]
    assert [message.topic.rpartition("/")[2] for message in gone] == topics
    assert all(message.retain for message in gone)


@pytest.mark.parametrize(
    ("value", "payload", "kind"),
    [
        pytest.param("ON", b"ON", "text/plain; charset=utf-8", id="text"),
        pytest.param(None, b"", "", id="null"),
        pytest.param(7, b"7", "application/json", id="number"),
        pytest.param(
            {"n": 2**53 + 1},
            b'{"n":9007199254740993,"n_hex":"0x20000000000001"}',
            "application/json",
            id="a number that JavaScript rounds",
        ),
    ],
)
def test_a_payload_goes_out_as_the_table_says(value: object, payload: bytes, kind: str) -> None:
    """Text as it stands, null as nothing, everything else as JSON."""
    assert payload_of(value) == (payload, kind)
    assert kind in quoted(section(PAGE, "The payload of a publish step")) | {""}


def test_what_is_said_of_drops_is_the_codes() -> None:
    """Bounds, reasons, members and places: whoever changes one finds the page."""
    text = re.sub(r"\s+", " ", section(PAGE, "When the outbox is full"))
    assert f"{SPARE} places are kept for it" in text
    assert f"within {outbox.LOOK_S:g} seconds" in text
    assert outbox.PAUSE_S == 60.0
    assert "once a minute" in text
    assert f"{Limits().outbox_rows:,} messages" in section(PAGE, "What is promised")
    assert set(COUNTERS) <= quoted(text)
    (shown,) = [block.text for block in blocks("json") if '"lost"' in block.text]
    host = Host([])
    host.give(Dropped(1, 1, 1, 1, 1))
    (event,) = [e.event for _, e in host.effects if isinstance(e, EventSeen)]
    numbers = msgspec.json.decode(shown)
    assert list(numbers) == list(event.data)
    assert numbers["lost"] == sum(numbers.values()) - numbers["lost"] - numbers["superseded"]


# ------------------------------------------------------------------- in

IN = section(PAGE, "In")
LIMITS = InLimits()
ASKS = """
policy: dump-on-request
description: d
trigger: {mqtt: request/+/dump, guest: "${topic[3]}"}
steps: [{log: x}]
"""


@pytest.mark.parametrize(
    "sentence",
    [
        f"of more than {LIMITS.payload >> 10} KiB",
        f"more than {LIMITS.properties >> 10} KiB of properties",
        f"packets of more than {LIMITS.packet >> 10} KiB",
        f"beyond {LIMITS.rate:g} a second ({LIMITS.burst} at once",
        f"beyond {LIMITS.retained_rate:g} a second ({LIMITS.retained_burst} at once)",
        f"beyond {LIMITS.tree_rate:g} a second ({LIMITS.tree_burst} at once",
        f"beyond {LIMITS.order_rate:g} a second ({LIMITS.order_burst} at once)",
        f"within {seen.ID_KEPT_S / 60:g} minutes",
        f"{dispatcher.MESSAGES_MAX_BYTES >> 20} MiB of messages",
        f"more than {depth.DEPTH_MAX} levels",
    ],
)
def test_a_bound_is_the_codes(sentence: str) -> None:
    """Whoever changes one finds the page."""
    assert sentence in re.sub(r"\s+", " ", IN)


@pytest.mark.parametrize(
    "sentence",
    [
        f"expiry of at most {reception.AGE_MAX_S:g} s",
        f"within {seen.ID_KEPT_S / 60:g} minutes",
        f"At most {reception.UNDER_WAY_MAX} requests",
        f"expires after {replying.EXPIRY_S:g} s",
        f"reply/{messages.COMMON}`",
        f"waits {command_ends.REPLY_EXPIRY_S / 60:g} minutes for a connection",
        f"more than {command_ends.RETURN_MAX >> 10} KiB",
        f"at most {operator_commands.TIMEOUT_MAX / 60:g}m",
        f"(else {RunCommand('', '').timeout:g}s",
        f"{by_hand.AT_ONCE} of one command on a guest, {operator_commands.OPEN_MAX} in all",
    ],
)
def test_a_bound_of_orders_is_the_codes(sentence: str) -> None:
    """Whoever changes one finds the page."""
    assert sentence in re.sub(r"\s+", " ", section(PAGE, "Orders and questions"))


def test_nothing_is_subscribed_for_ten_minutes() -> None:
    """After a broker hung up three times."""
    assert "for ten minutes" in re.sub(r"\s+", " ", IN)
    assert GIVEN_UP_S == 600.0


def test_the_reply_of_the_page_is_what_is_sent() -> None:
    """For that message, member by member."""
    (block,) = [block for block in blocks("json") if '"ok": false' in block.text]
    shown = msgspec.json.decode(block.text)
    host = Host([ASKS], ["web-1"], EngineConfig(host="host-1", has_broker=True)).connect()
    topic = "reactor/host-1/trigger/dump-on-request/web-9"
    below = topic.removeprefix("reactor/host-1/")
    asked = Message(topic, "", below, response_topic="reactor/host-1/reply/me", correlation="AAE=")
    host.give(Received(asked))
    assert host.published() == [("reply/me", shown)]
