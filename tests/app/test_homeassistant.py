"""What Home Assistant is told, and when it is told something new."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from reactor.app.homeassistant import disrupts
from reactor.app.outgoing import Outgoing
from reactor.app.projection import Projection
from reactor.core.effect import GuestChanged, MarkCleared, MarkSet
from reactor.core.marks import Mark, MarkKind
from reactor.core.policy import Policy
from tests.core.simulation import document, policy

UUID = "a80e0e55-6c54-5c33-9f44-6ca15a6d04c2"
TOPIC = f"homeassistant/device/reactor_host-1_{UUID}/config"
HOST_TOPIC = "homeassistant/device/reactor_host-1/config"
BY_MQTT = '{mqtt: x, guest: "${topic[2]}"}'


def made(*policies: Policy) -> Projection:
    """What a daemon on `host-1` makes messages with, with these policies."""
    projection = Projection("reactor", "host-1", "0.1.0", "homeassistant")
    projection.policies(policies, "r")
    return projection


def guest(name: str = "web-1", **changes: Any) -> GuestChanged:  # noqa: ANN401 - any member
    """A guest that runs."""
    known: dict[str, Any] = {"status": "running", "since": 1.0, "connected": True, "uuid": UUID}
    known |= {"qemu_version": "7.2.22"}
    return GuestChanged(name, **(known | {"labels": {"tier": "prod"}} | changes))


def disk(name: str = "disk0") -> Mark:
    """A mark on a disk of web-1."""
    return Mark("web-1", MarkKind.DISK, name, "degraded", "bad read", 1.0, "p", "r-1")


def announced(messages: Iterable[Outgoing]) -> dict[str, Any]:
    """The announcements among these messages, by topic; None for one that was taken away."""
    found = [message for message in messages if message.topic.startswith("homeassistant/")]
    assert all(message.retain and message.qos == 1 for message in found)
    return {m.topic: json.loads(m.payload) if m.payload else None for m in found}


def components(projection: Projection, name: str = TOPIC) -> Mapping[str, Any]:
    """The entities of a device as they were announced last."""
    found: Mapping[str, Any] = announced(projection.retained())[name]["components"]
    return found


def test_a_guest_is_a_device() -> None:
    """Named as the guest, known by its UUID, below the host, gone when its monitor is."""
    projection = made()
    told = announced(projection.messages(guest()))
    assert list(told) == [TOPIC]
    device = told[TOPIC]
    assert device["device"] == {
        "identifiers": [f"reactor_host-1_{UUID}"],
        "name": "web-1",
        "manufacturer": "QEMU",
        "model": "guest",
        "via_device": "reactor_host-1",
        "sw_version": "7.2.22",
    }
    assert device["availability"] == [
        {"topic": "reactor/host-1/availability"},
        {"topic": "reactor/host-1/guest/web-1/availability"},
    ]
    assert device["availability_mode"] == "all"
    names = {name: one["platform"] for name, one in device["components"].items()}
    assert names == {
        "monitor": "binary_sensor",
        "running": "binary_sensor",
        "problem": "binary_sensor",
        "status": "sensor",
        "last_run": "sensor",
        "event": "event",
    }
    ids = [one["unique_id"] for one in device["components"].values()]
    assert len(set(ids)) == len(ids)
    assert all(one.startswith(f"reactor_host-1_{UUID}_") for one in ids)


def test_whether_the_monitor_is_there_is_told_while_it_is_not() -> None:
    """Of the two words only the host's stands over this entity."""
    projection = made()
    projection.messages(guest())
    assert components(projection)["monitor"]["availability"] == [
        {"topic": "reactor/host-1/availability"}
    ]


@pytest.mark.parametrize(
    ("changes", "topic", "model"),
    [
        pytest.param({}, TOPIC, "guest", id="a guest"),
        pytest.param(
            {"uuid": ""}, "homeassistant/device/reactor_host-1_web-1/config", "guest", id="no UUID"
        ),
        pytest.param({"kind": "storage-daemon"}, TOPIC, "storage-daemon", id="a storage daemon"),
    ],
)
def test_each_kind_of_guest_has_its_topic(
    changes: Mapping[str, Any], topic: str, model: str
) -> None:
    """By its UUID, or by its name where QEMU was given none."""
    (told,) = announced(made().messages(guest(**changes))).items()
    assert (told[0], told[1]["device"]["model"]) == (topic, model)


def test_a_name_that_no_topic_can_have_becomes_one() -> None:
    """Home Assistant takes letters, digits, `_` and `-`."""
    name = "a.b/c \u00e9'"
    (topic,) = announced(made().messages(guest(name, uuid="")))
    assert topic == "homeassistant/device/reactor_host-1_a_b-c---/config"


def test_nothing_is_told_twice() -> None:
    """A guest whose state changes is the same device; a new version is told."""
    projection = made()
    projection.messages(guest())
    assert announced(projection.messages(guest(status="paused", connected=False))) == {}
    assert list(announced(projection.messages(guest(qemu_version="8.0")))) == [TOPIC]


def test_a_guest_is_announced_when_its_uuid_is_known() -> None:
    """Before the first connect nobody knows it, and it would be another device."""
    projection = made()
    unseen = guest(uuid="", qemu_version="", connected=False, status="disconnected")
    assert announced(projection.messages(unseen)) == {}
    assert announced(projection.policies([], "r")) == {}
    assert list(announced(projection.messages(guest()))) == [TOPIC]


def test_a_guest_with_another_uuid_is_another_device() -> None:
    """The one before is taken away."""
    projection = made()
    projection.messages(guest(uuid=""))
    told = announced(projection.messages(guest()))
    assert told.pop("homeassistant/device/reactor_host-1_web-1/config") is None
    assert list(told) == [TOPIC]


def test_a_guest_that_is_gone_is_taken_away() -> None:
    """And is not announced again."""
    projection = made()
    projection.messages(guest())
    assert announced(projection.messages(guest(gone=True))) == {TOPIC: None}
    assert list(announced(projection.retained())) == [HOST_TOPIC]
    assert announced(projection.messages(guest(gone=True))) == {}


def test_of_two_names_that_look_the_same_one_stays() -> None:
    """The topic is taken away with the last of them."""
    projection = made()
    projection.messages(guest("a b", uuid=""))
    projection.messages(guest("a/b", uuid=""))
    assert announced(projection.messages(guest("a b", uuid="", gone=True))) == {}
    told = announced(projection.messages(guest("a/b", uuid="", gone=True)))
    assert told == {"homeassistant/device/reactor_host-1_a-b/config": None}


def test_a_disk_is_shown_from_its_first_mark_on() -> None:
    """Also when the mark is gone again: that is what one wants to see."""
    projection = made()
    projection.messages(guest())
    told = announced(projection.messages(MarkSet(disk())))
    assert told[TOPIC]["components"]["disk_disk0"]["device_class"] == "problem"
    assert announced(projection.messages(MarkSet(disk()))) == {}
    assert announced(projection.messages(MarkCleared(disk()))) == {}
    assert "disk_disk0" in components(projection)
    other = Mark("web-1", MarkKind.GUEST, "self", "x", "y", 1.0, "p", "r-1")
    assert announced(projection.messages(MarkSet(other))) == {}


def test_a_mark_of_an_earlier_life_shows_its_disk() -> None:
    """It was set before this daemon began."""
    projection = made()
    projection.adopt([disk()])
    projection.messages(guest())
    assert "disk_disk0" in components(projection)


def test_the_name_of_a_disk_is_data() -> None:
    """It cannot end the text that it stands in."""
    projection = made()
    projection.messages(guest())
    projection.messages(MarkSet(disk("a' or '\\b")))
    template = next(
        one["value_template"] for name, one in components(projection).items() if "disk_" in name
    )
    assert r"selectattr('id', 'eq', 'a\' or \'\\b')" in template


def test_a_policy_that_messages_start_has_a_button() -> None:
    """On the guests that it selects; it says who pressed it and when."""
    text = document("p", "[{log: x}]", BY_MQTT, "guests: {labels: {tier: prod}}\n")
    projection = made(policy(text), policy(document("by-event", "[{log: x}]")))
    projection.messages(guest())
    projection.messages(guest("test-1", uuid="", labels={}))
    assert components(projection)["start_p"] == {
        "platform": "button",
        "name": "p",
        "command_topic": "reactor/host-1/trigger/p/web-1",
        "command_template": '{"user": "Home Assistant", "sent_at": {{ now().timestamp() }}}',
        "retain": False,
        "enabled_by_default": True,
        "unique_id": f"reactor_host-1_{UUID}_start_p",
    }
    there = {*components(projection), *components(projection, TOPIC.replace(UUID, "test-1"))}
    assert "start_by-event" not in there
    assert "start_p" not in components(projection, TOPIC.replace(UUID, "test-1"))


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        pytest.param("[{log: x}]", False, id="words"),
        pytest.param("[{guest: dump, to: x, format: elf}]", False, id="a dump"),
        pytest.param("[{guest: resume}]", False, id="let go on"),
        pytest.param("[{qmp: query-status}]", False, id="a query"),
        pytest.param("[{guest: reset}]", True, id="a reset"),
        pytest.param("[{guest: destroy}]", True, id="the end"),
        pytest.param("[{qmp: system_reset}]", True, id="a raw reset"),
        pytest.param("[{qmp: __com.example_x}]", True, id="a command that nobody knows"),
        pytest.param("[{choose: [{default: [{guest: reset}]}]}]", True, id="inside of another"),
    ],
)
def test_what_can_do_harm_is_not_enabled_by_itself(steps: str, *, wanted: bool) -> None:
    """A button that resets a guest must be asked for."""
    assert disrupts(policy(document("p", steps, BY_MQTT))) is wanted


def test_the_policies_stand_at_the_host() -> None:
    """Each with its last run; they change with a reload, and only then."""
    projection = made()
    told = announced(projection.policies([policy(document("p", "[{log: x}]"))], "r"))
    assert list(told) == [HOST_TOPIC]
    found = told[HOST_TOPIC]["components"]
    assert found["policy_p"]["state_topic"] == "reactor/host-1/policy/p/last"
    assert found["connected"]["availability"] == []
    assert announced(projection.policies([policy(document("p", "[{log: x}]"))], "r")) == {}


def test_without_home_assistant_nobody_is_told() -> None:
    """It is asked for by a setting."""
    projection = Projection("reactor", "host-1", "0.1.0")
    projection.policies([], "r")
    projection.messages(guest())
    projection.messages(MarkSet(disk()))
    assert announced(projection.retained()) == {}
