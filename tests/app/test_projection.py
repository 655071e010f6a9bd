"""Topics and payloads on MQTT, as the reference page has them."""

import json
import re
from typing import Any

import pytest

from reactor.adapters.journal import RunRow
from reactor.app.outgoing import Outgoing
from reactor.app.projection import Projection, instant, last_runs, payload_of, with_hex
from reactor.core.effect import (
    Effect,
    EventSeen,
    GuestChanged,
    Keep,
    MarkCleared,
    MarkSet,
    Publish,
    RunChanged,
)
from reactor.core.event import Event
from reactor.core.marks import SELF, Mark, MarkKind
from tests.core.simulation import document, policy

AT = 1_795_450_805.125
NOON = "2026-11-23T16:20:05.125000Z"
UUID = "a80e0e55-6c54-5c33-9f44-6ca15a6d04c2"
BASE = "reactor/host-1"

POLICY = policy(document("p", "[{log: x}]"))

BIG = 2**53
HOSTILE = "../a/+b #c$\u00e9"


def projection() -> Projection:
    """What a daemon on the host `host-1` makes messages with."""
    return Projection("reactor", "host-1", "0.1.0")


def guest(name: str = "web-1", **changes: Any) -> GuestChanged:  # noqa: ANN401 - any member
    """A guest that runs."""
    known: dict[str, Any] = {
        "status": "running",
        "since": AT,
        "connected": True,
        "uuid": UUID,
        "qemu_version": "7.2.22",
        "labels": {"tier": "prod"},
    }
    return GuestChanged(name, **(known | changes))


def mark(name: str = "web-1", kind: MarkKind = MarkKind.DISK, **changes: Any) -> Mark:  # noqa: ANN401
    """A disk that is not what it should be."""
    known: dict[str, Any] = {
        "id": "disk0",
        "word": "degraded",
        "reason": "bad read",
        "since": AT,
        "policy": "quorum-report-bad",
        "run": "k3v9a1-17",
    }
    return Mark(name, kind, **(known | changes))


def run(**changes: Any) -> RunChanged:  # noqa: ANN401
    """A run that is at its first step."""
    known: dict[str, Any] = {
        "run": "k3v9a1-17",
        "policy": "panic-dump-reset",
        "guest": "web-1",
        "state": "running",
        "word": "running",
        "step": "steps/0",
        "verb": "guest: dump",
        "started": AT,
    }
    return RunChanged(**(known | changes))


def retained(topic: str, body: object) -> Outgoing:
    """JSON that stays."""
    return Outgoing(f"{BASE}/{topic}", json.dumps(body).encode(), retain=True)


def emptied(topic: str) -> Outgoing:
    """Nothing stays there."""
    return Outgoing(f"{BASE}/{topic}", b"", retain=True, content_type="")


def said(message: Outgoing) -> Any:  # noqa: ANN401 - JSON
    """What the payload says."""
    return json.loads(message.payload)


def alike(one: Outgoing, other: Outgoing) -> bool:
    """Whether two messages are equal, JSON by its meaning."""
    strip = [
        Outgoing(m.topic, b"", m.qos, m.retain, m.expiry_s, m.content_type) for m in (one, other)
    ]
    return strip[0] == strip[1] and said(one) == said(other)


# ------------------------------------------------------------------ guests


def test_a_guest_has_a_state_and_a_word_for_its_link() -> None:
    """Both stay on the broker."""
    link, state = projection().messages(guest())
    assert link == Outgoing(
        f"{BASE}/guest/web-1/availability",
        b"online",
        qos=1,
        retain=True,
        expiry_s=None,
        content_type="text/plain; charset=utf-8",
    )
    assert (state.topic, state.qos, state.retain) == (f"{BASE}/guest/web-1/state", 1, True)
    assert (state.expiry_s, state.content_type) == (None, "application/json")
    assert said(state) == {
        "name": "web-1",
        "uuid": UUID,
        "kind": "vm",
        "status": "running",
        "since": NOON,
        "qemu_version": "7.2.22",
        "labels": {"tier": "prod"},
        "marks": [],
        "last_run": None,
    }


def test_the_word_is_said_again_only_when_the_link_changed() -> None:
    """Another status is another state and nothing else."""
    made = projection()
    made.messages(guest())
    assert [m.topic for m in made.messages(guest(status="paused"))] == [f"{BASE}/guest/web-1/state"]
    link, state = made.messages(guest(status="disconnected", connected=False))
    assert (link.topic, link.payload) == (f"{BASE}/guest/web-1/availability", b"offline")
    assert said(state)["status"] == "disconnected"


def test_a_guest_that_is_gone_leaves_empty_topics() -> None:
    """Nobody sees it any more, also after a reconnect of the broker."""
    made = projection()
    made.messages(guest())
    assert made.messages(guest(connected=False, gone=True)) == [
        emptied("guest/web-1/availability"),
        emptied("guest/web-1/state"),
    ]
    assert made.retained() == []
    assert made.messages(guest("never-seen", gone=True)) == [
        emptied("guest/never-seen/availability"),
        emptied("guest/never-seen/state"),
    ]


@pytest.mark.parametrize(
    ("name", "level"),
    [
        pytest.param("web-1", "web-1", id="a plain one stays"),
        pytest.param("a/b", "a-b", id="a slash would be a level"),
        pytest.param("+", "x[0-9a-f]{8}", id="a wildcard alone"),
        pytest.param("#", "x[0-9a-f]{8}", id="the other wildcard"),
        pytest.param("a+#", "a--", id="wildcards inside"),
        pytest.param("two words", "two-words", id="a space"),
        pytest.param("$SYS", "SYS", id="the broker's own tree"),
        pytest.param("..", "x[0-9a-f]{8}", id="dots"),
        pytest.param("\u00e9\n", "x[0-9a-f]{8}", id="no ASCII at all"),
    ],
)
def test_a_hostile_name_is_one_harmless_level(name: str, level: str) -> None:
    """The name as it is stands in the payload."""
    made = projection()
    _, state = made.messages(guest(name))
    found = re.fullmatch(f"{BASE}/guest/({level})/state", state.topic)
    assert found is not None
    assert said(state)["name"] == name
    event = made.event(Event("STOP", name, received=AT))
    assert event.topic == f"{BASE}/guest/{found[1]}/event/STOP"
    assert said(event)["source"] == f"/host-1/{name}"


def test_a_hostile_host_is_one_harmless_level() -> None:
    """In the topic; the events have it as it is."""
    made = Projection("lab", "a/#", "1")
    message = made.event(Event("STOP", "g", received=AT))
    assert message.topic == "lab/a--/guest/g/event/STOP"
    assert said(message)["source"] == "/a/#/g"


def test_guests_with_one_slug_are_told_apart_by_their_payloads() -> None:
    """They share topics; when one goes, the other one's state is said again."""
    made = projection()
    (_, first), (_, second) = made.messages(guest("a b")), made.messages(guest("a/b", uuid="u"))
    assert first.topic == second.topic
    assert (said(first)["name"], said(second)["name"]) == ("a b", "a/b")
    assert (said(first)["uuid"], said(second)["uuid"]) == (UUID, "u")
    link, state = made.messages(guest("a/b", gone=True))
    assert (link.topic, link.payload) == (f"{BASE}/guest/a-b/availability", b"online")
    assert state == first
    assert made.messages(guest("a b", gone=True)) == [
        emptied("guest/a-b/availability"),
        emptied("guest/a-b/state"),
    ]


# ------------------------------------------------------------------- marks


def test_a_mark_has_a_topic_of_its_own_and_stands_in_the_state() -> None:
    """Both are told when it is set."""
    made = projection()
    made.messages(guest())
    message, state = made.messages(MarkSet(mark()))
    assert alike(
        message,
        retained(
            "guest/web-1/mark/disk/disk0/degraded",
            {
                "guest": "web-1",
                "kind": "disk",
                "id": "disk0",
                "as": "degraded",
                "reason": "bad read",
                "since": NOON,
                "expires": None,
                "by": {"policy": "quorum-report-bad", "run": "k3v9a1-17"},
            },
        ),
    )
    assert state.topic == f"{BASE}/guest/web-1/state"
    assert said(state)["marks"] == [
        {"kind": "disk", "id": "disk0", "as": "degraded", "reason": "bad read"}
    ]


def test_a_mark_that_expires_says_when() -> None:
    """On the guest itself its id is `self`."""
    expiring = mark(kind=MarkKind.GUEST, id=SELF, word="not-recovered", expires=AT + 60)
    (message,) = projection().messages(MarkSet(expiring))
    assert message.topic == f"{BASE}/guest/web-1/mark/guest/self/not-recovered"
    assert said(message)["expires"] == "2026-11-23T16:21:05.125000Z"


def test_a_cleared_mark_is_an_empty_payload_that_stays() -> None:
    """It leaves the state too; only that guest's."""
    made = projection()
    made.messages(guest())
    made.messages(MarkSet(mark()))
    made.messages(MarkSet(mark("db-1")))
    gone, state = made.messages(MarkCleared(mark()))
    assert gone == emptied("guest/web-1/mark/disk/disk0/degraded")
    assert said(state)["marks"] == []
    assert [m.topic for m in made.retained()[2:]] == [f"{BASE}/guest/db-1/mark/disk/disk0/degraded"]


def test_marks_with_one_slug_do_not_clear_each_other() -> None:
    """Their ids stand in the payloads; the last one that goes empties the topic."""
    made = projection()
    made.messages(MarkSet(mark(id="a b")))
    made.messages(MarkSet(mark(id="a/b")))
    (still,) = made.messages(MarkCleared(mark(id="a/b")))
    assert still.topic == f"{BASE}/guest/web-1/mark/disk/a-b/degraded"
    assert said(still)["id"] == "a b"
    assert made.messages(MarkCleared(mark(id="a b"))) == [
        emptied("guest/web-1/mark/disk/a-b/degraded")
    ]
    assert made.messages(MarkCleared(mark(id="a b"))) == [
        emptied("guest/web-1/mark/disk/a-b/degraded")
    ]


def test_a_hostile_mark_stays_below_its_guest() -> None:
    """What a guest can choose, such as a disk's name, makes no level and no wildcard."""
    (message,) = projection().messages(MarkSet(mark(id=HOSTILE, word="+/#")))
    topic = message.topic.removeprefix(f"{BASE}/guest/web-1/mark/disk/")
    assert len(topic.split("/")) == 2
    assert not set("+#$ \u00e9") & set(topic)
    assert (said(message)["id"], said(message)["as"]) == (HOSTILE, "+/#")


# ------------------------------------------------------------------ events


def test_an_event_is_a_cloud_event() -> None:
    """With QEMU's data as it is, reactor's own members, and an end after an hour."""
    made = projection()
    made.messages(guest())
    happened = Event("GUEST_PANICKED", "web-1", {"action": "pause"}, AT - 1, AT, own=True)
    message = made.event(happened)
    assert message == Outgoing(
        f"{BASE}/guest/web-1/event/GUEST_PANICKED",
        message.payload,
        qos=1,
        retain=False,
        expiry_s=3600.0,
        content_type="application/cloudevents+json",
    )
    assert said(message) == {
        "specversion": "1.0",
        "id": "host-1/1795450805.125000/1",
        "source": "/host-1/web-1",
        "type": "org.qemu.qmp.GUEST_PANICKED",
        "time": "2026-11-23T16:20:04.125000Z",
        "datacontenttype": "application/json",
        "received": NOON,
        "synthetic": False,
        "own": True,
        "uuid": UUID,
        "data": {"action": "pause"},
    }


def test_no_two_events_have_one_id() -> None:
    """Also when they came in the same moment."""
    made = projection()
    event = Event("STOP", "web-1", received=AT)
    ids = [said(made.event(event))["id"] for _ in range(3)]
    ids.append(said(made.messages(EventSeen(event))[0])["id"])
    assert len(set(ids)) == 4


def test_an_event_of_reactors_own_is_told_the_same_way() -> None:
    """With the same type prefix; a guest that nobody knows has no uuid."""
    seen = Event("REACTOR_GUEST_LOST", "web-1", {"reason": "x"}, AT, AT, synthetic=True)
    (message,) = projection().messages(EventSeen(seen))
    assert message.topic == f"{BASE}/guest/web-1/event/REACTOR_GUEST_LOST"
    body = said(message)
    assert body["type"] == "org.qemu.qmp.REACTOR_GUEST_LOST"
    assert (body["synthetic"], body["own"], body["uuid"]) == (True, False, "")


@pytest.mark.parametrize(
    ("at", "text"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(0.0, "1970-01-01T00:00:00Z", id="the beginning"),
        pytest.param(-1.000001, None, id="QEMU's clock failed"),
        pytest.param(253_402_300_799.0, "9999-12-31T23:59:59Z", id="the last second"),
        pytest.param(253_402_300_800.0, None, id="after the last second"),
        pytest.param(1e300, None, id="a number that is no time"),
        pytest.param(float("nan"), None, id="no number"),
    ],
)
def test_a_time_is_utc_or_null(at: float | None, text: str | None) -> None:
    """A wrong stamp from outside ends nothing."""
    assert instant(at) == text
    body = said(projection().event(Event("STOP", "web-1", time=at or 0.0, received=AT)))
    assert body["time"] == (text or (None if at is not None else "1970-01-01T00:00:00Z"))


# --------------------------------------------------------------- big numbers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"a": BIG}, {"a": BIG}, id="JavaScript can hold it"),
        pytest.param({"a": -BIG}, {"a": -BIG}, id="below zero too"),
        pytest.param({"a": BIG + 1}, {"a": BIG + 1, "a_hex": "0x20000000000001"}, id="one more"),
        pytest.param({"a": -BIG - 1}, {"a": -BIG - 1, "a_hex": "-0x20000000000001"}, id="less"),
        pytest.param(
            {"a": {"b": [{"c": 2**64 - 1}]}},
            {"a": {"b": [{"c": 2**64 - 1, "c_hex": "0xffffffffffffffff"}]}},
            id="nested, and in a list",
        ),
        pytest.param(
            {"a": True, "b": 1e300, "c": None}, {"a": True, "b": 1e300, "c": None}, id="other"
        ),
        pytest.param(
            {"a": 2**60, "a_hex": "mine"}, {"a": 2**60, "a_hex": "mine"}, id="the data's own name"
        ),
        pytest.param(
            {"a_hex": "mine", "a": 2**60}, {"a_hex": "mine", "a": 2**60}, id="in any order"
        ),
        pytest.param([2**60], [2**60], id="without a name there is no second member"),
        pytest.param({1: (2**60,)}, {"1": [2**60]}, id="keys are text, tuples are lists"),
    ],
)
def test_big_integers_have_a_second_member(value: object, expected: object) -> None:
    """As hexadecimal text beside the number, at any depth."""
    assert with_hex(value) == expected


def test_the_panic_data_of_a_guest_survives_javascript() -> None:
    """Hyper-V hands over five addresses."""
    info = {"type": "hyper-v", "arg1": 2**64 - 1, "arg2": 0}
    body = said(projection().event(Event("GUEST_PANICKED", "web-1", {"info": info}, AT, AT)))
    assert body["data"]["info"] == info | {"arg1_hex": "0xffffffffffffffff"}


def test_data_without_end_is_cut() -> None:
    """Deeper than any real event: encoding it would end the daemon."""
    deep: object = 1
    for _ in range(5000):
        deep = {"a": [deep]}
    body = projection().event(Event("STOP", "web-1", {"deep": deep}, AT, AT)).payload
    assert 0 < len(body) < 2000


# -------------------------------------------------------------------- runs


def test_a_run_is_told_at_every_change() -> None:
    """For a day, and not retained."""
    (message,) = projection().messages(run())
    assert message == Outgoing(
        f"{BASE}/run/k3v9a1-17", message.payload, expiry_s=86_400.0, retain=False
    )
    assert said(message) == {
        "run": "k3v9a1-17",
        "policy": "panic-dump-reset",
        "guest": "web-1",
        "role": "run",
        "state": "running",
        "ask": None,
        "step": "steps/0",
        "verb": "guest: dump",
        "outcome": None,
        "error": None,
        "started": NOON,
        "ended": None,
    }


def test_the_last_run_of_a_policy_stays() -> None:
    """In the same shape."""
    ended = run(state="ended", step="", outcome="failed", error="no room", ended=AT + 1)
    message, last = projection().messages(ended)
    assert last == Outgoing(
        f"{BASE}/policy/panic-dump-reset/last", message.payload, retain=True, expiry_s=None
    )
    assert said(last)["outcome"] == "failed"
    assert said(last)["error"] == "no room"
    assert said(last)["ended"] == "2026-11-23T16:20:06.125000Z"


def test_the_last_run_of_a_guest_stands_in_its_state() -> None:
    """Whichever policy it was of; none, as long as there was none."""
    made = projection()
    (_, state) = made.messages(guest())
    assert said(state)["last_run"] is None
    ended = run(state="ended", outcome="failed", error="no room", ended=AT + 1)
    (*_, state) = made.messages(ended)
    assert state.topic == f"{BASE}/guest/web-1/state"
    assert said(state)["last_run"] == {
        "run": "k3v9a1-17",
        "policy": "panic-dump-reset",
        "outcome": "failed",
        "error": "no room",
        "ended": "2026-11-23T16:20:06.125000Z",
    }


def test_the_last_runs_are_known_after_a_restart() -> None:
    """Of runs that ended; the handler of a refused match is none."""

    def row(name: str, guest: str, body: bytes = b"run", ended: float | None = AT) -> RunRow:
        return RunRow(name, "p", guest, "ended", "succeeded", ended=ended, body=body)

    rows = [
        row("r-5", "web-1", ended=None),
        row("r-4", "web-1", body=b"on_limit"),
        row("r-3", "web-1"),
        row("r-2", "db-1"),
        row("r-1", "web-1"),
    ]
    made = projection()
    made.adopt([], last_runs(rows))
    (_, web), (_, db) = made.messages(guest()), made.messages(guest("db-1"))
    assert (said(web)["last_run"]["run"], said(db)["last_run"]["run"]) == ("r-3", "r-2")


def test_the_handler_of_a_refused_match_is_nobodys_last_run() -> None:
    """It is told as a run and leaves what stays alone."""
    ended = run(role="on_limit", state="ended", outcome="succeeded", ended=AT + 1)
    (message,) = projection().messages(ended)
    assert message.topic == f"{BASE}/run/k3v9a1-17"
    assert said(message)["role"] == "on_limit"


# ----------------------------------------------------------------- publish


@pytest.mark.parametrize(
    ("value", "payload", "kind"),
    [
        pytest.param("ON", b"ON", "text/plain; charset=utf-8", id="text as it stands"),
        pytest.param("", b"", "text/plain; charset=utf-8", id="empty text"),
        pytest.param("\u00e9", b"\xc3\xa9", "text/plain; charset=utf-8", id="UTF-8"),
        pytest.param("\ud800", b"?", "text/plain; charset=utf-8", id="half a character"),
        pytest.param('{"a"', b'{"a"', "text/plain; charset=utf-8", id="text that looks like JSON"),
        pytest.param(None, b"", "", id="null is nothing"),
        pytest.param(7, b"7", "application/json", id="a number"),
        pytest.param(True, b"true", "application/json", id="a truth"),
        pytest.param(
            {"a": [1, 2**60]}, b'{"a":[1,1152921504606846976]}', "application/json", id="compact"
        ),
        pytest.param(
            {"a": 2**53 + 1},
            b'{"a":9007199254740993,"a_hex":"0x20000000000001"}',
            "application/json",
            id="with the second member",
        ),
        pytest.param({"a": 2**80}, None, "application/json", id="more than 64 bits"),
    ],
)
def test_a_payload_goes_out_by_its_type(value: object, payload: bytes | None, kind: str) -> None:
    """Text stays text, nothing stays nothing, all the rest is JSON."""
    found = payload_of(value)
    assert found[1] == kind
    assert payload is None or found[0] == payload


def test_a_publish_step_stands_below_the_host() -> None:
    """With everything that the step says."""
    step = Publish("alert/critical", {"a": 1}, 2, retain=True, properties={"k": "v"}, run="r-1")
    assert projection().messages(step) == [
        Outgoing(
            f"{BASE}/alert/critical",
            b'{"a":1}',
            qos=2,
            retain=True,
            content_type="application/json",
            properties={"k": "v"},
        )
    ]


def test_an_absolute_topic_is_taken_as_it_is() -> None:
    """For consumers with a tree of their own."""
    (message,) = projection().messages(Publish("home/light", "ON", absolute=True))
    assert (message.topic, message.payload, message.retain) == ("home/light", b"ON", False)


def test_an_effect_that_is_nobodys_business_is_not_told() -> None:
    """State that the engine keeps."""
    effect: Effect = Keep("number", "run", b"1")
    assert projection().messages(effect) == []


# -------------------------------------------------------------- a reconnect


def test_info_says_what_is_loaded() -> None:
    """And stays."""
    (message,) = projection().policies([POLICY, POLICY], "1b2f8c04d1a7")
    assert alike(
        message,
        retained("info", {"version": "0.1.0", "policies": 2, "revision": "1b2f8c04d1a7"}),
    )


def test_everything_that_stays_is_announced_again() -> None:
    """Info, each guest's link and state, each mark; as it is now, nothing that is gone."""
    made = projection()
    assert made.retained() == []
    made.policies([POLICY], "r")
    for name in ("web-1", "db-1", "gone"):
        made.messages(guest(name))
    made.messages(guest("db-1", connected=False, status="disconnected"))
    made.messages(guest("gone", gone=True))
    made.messages(MarkSet(mark()))
    made.messages(MarkSet(mark(id="disk1")))
    made.messages(MarkSet(mark(id="disk1", reason="worse")))
    made.messages(MarkCleared(mark()))
    made.messages(run(ended=AT))
    messages = made.retained()
    assert all(message.retain for message in messages)
    assert [m.topic.removeprefix(BASE) for m in messages] == [
        "/info",
        "/guest/web-1/availability",
        "/guest/web-1/state",
        "/guest/db-1/availability",
        "/guest/db-1/state",
        "/guest/web-1/mark/disk/disk1/degraded",
    ]
    assert messages[3].payload == b"offline"
    assert [m["reason"] for m in said(messages[2])["marks"]] == ["worse"]
    assert said(messages[5])["reason"] == "worse"


def test_marks_of_an_earlier_life_are_announced() -> None:
    """They stand in the state of their guest as soon as it is there."""
    made = projection()
    made.adopt([mark(), mark("db-1")])
    assert [m.topic for m in made.retained()] == [
        f"{BASE}/guest/web-1/mark/disk/disk0/degraded",
        f"{BASE}/guest/db-1/mark/disk/disk0/degraded",
    ]
    _, state = made.messages(guest())
    assert len(said(state)["marks"]) == 1
