"""What the doctor finds at a real broker: rights that are denied in silence, both ways."""

import asyncio
import functools
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiomqtt import ProtocolVersion

from reactor.adapters.mqtt import Inbox, Limits, MqttOptions, probe
from reactor.adapters.mqtt.link import V5, V311, connect
from reactor.app.doctor.findings import Finding, State
from reactor.app.doctor.mqtt import OUT, WORDS, Examined, examine_mqtt, worst
from reactor.app.inbound import Loss
from reactor.app.settings import MqttSettings
from reactor.errors import BrokerError
from tests.adapters.mqtt.support import Ear
from tests.app.house import House, hears, said
from tests.app.test_daemon_requests import subscribed
from tests.fakes.broker import Mosquitto, Speaker, Subscriber

pytestmark = pytest.mark.timeout(60)

ACL = """
user all
topic readwrite reactor/h/#

user writes
topic write reactor/h/#

user mute
topic readwrite reactor/h/#
topic deny reactor/h/availability
topic deny reactor/h/info
topic write homeassistant/#

user deaf
topic readwrite reactor/h/#
topic deny reactor/h/set/#

user nothing
topic read x
"""
FILTERS = [
    "reactor/h/trigger/+/+",
    "reactor/h/set/hold/#",
    "reactor/h/request/+/dump",
    "factory/#",
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all tests here, with users of different rights; the password is their name."""
    users = {name: name for name in ("all", "writes", "deaf", "mute", "nothing")}
    with Mosquitto(tmp_path_factory.mktemp("broker"), users=users, acl=ACL) as broker:
        yield broker


def options(broker: Mosquitto, user: str, folder: Path, password: str | None = None) -> MqttOptions:
    """As this user."""
    file = folder / "password"
    file.write_text(user if password is None else password)
    file.chmod(0o600)
    return MqttOptions.parse(broker.url, host="h", username=user, password_file=file)


async def examined(made: MqttOptions, daemon: str | None = None) -> Examined:
    """What is found."""
    return await examine_mqtt(made, FILTERS, daemon=daemon)


def states(found: Examined, about: str) -> list[tuple[State, str]]:
    """Of all findings of one kind: the state and the beginning of the sentence."""
    return [(one.state, one.text.partition(":")[0]) for one in found.findings if one.about == about]


SAID = [f"reactor/h/{topic}" for topic in WORDS]
PUBLISHED = [f"reactor/h/{topic}" for topic in OUT]
UNTRIED = [(State.UNTESTED, topic) for topic in SAID]


@pytest.mark.asyncio
async def test_a_broker_that_allows_all_is_well(shared: Mosquitto, tmp_path: Path) -> None:
    """Every tree has its echo, both ways; where a probe could reach others none is sent."""
    with hears(shared, "all") as heard:
        found = await examined(options(shared, "all", tmp_path))
    assert found.connected
    assert states(found, "publish") == [(State.OK, topic) for topic in SAID + PUBLISHED]
    assert states(found, "subscribe") == [
        (State.UNTESTED, "factory/#"),
        (State.OK, "reactor/h/request/+/dump"),
        (State.OK, "reactor/h/set/hold/#"),
        (State.OK, "reactor/h/trigger/+/+"),
    ]
    assert {one.about for one in found.findings} == {
        "connect", "version", *BOUNDS, "availability", "publish", "subscribe",
    }  # fmt: skip
    # What is retained is left from the daemon of another test.
    probes = [message for message in heard.messages if message.payload.startswith(probe.MARK)]
    assert not [message for message in probes if message.retain]
    others = [one for one in heard.messages if not one.retain and one not in probes]
    assert {(one.topic, one.payload) for one in others} <= {(topic, b"") for topic in SAID} | {
        (one.topic, one.payload) for one in heard.messages if one.retain
    }
    assert worst(found.findings) is State.UNTESTED


@pytest.mark.asyncio
async def test_no_right_to_write_is_found(shared: Mosquitto, tmp_path: Path) -> None:
    """The broker says so in MQTT 5; each topic is named, with the ACL's line."""
    found = await examined(options(shared, "nothing", tmp_path))
    wrong = [(State.PROBLEM, topic) for topic in PUBLISHED]
    assert states(found, "publish") == UNTRIED + wrong
    (fix,) = {one.fix for one in found.findings if one.state is State.PROBLEM}
    assert fix == "allow the user 'nothing' to write reactor/h/# in the broker's ACL"
    # Whether it is heard cannot be tried by who may not write.
    assert {state for state, _ in states(found, "subscribe")} == {State.UNTESTED}


@pytest.mark.parametrize("user", ["nothing", "writes"])
@pytest.mark.asyncio
async def test_the_silence_of_an_old_broker_is_found(
    shared: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """MQTT 3.1.1 acknowledges what it denies: the missing echo tells."""
    old = functools.partial(connect, version=V311)
    monkeypatch.setattr(probe, "connect", old)
    monkeypatch.setattr(probe, "ECHO_S", 0.5)
    found = await examined(options(shared, user, tmp_path))
    assert states(found, "publish") == UNTRIED + [(State.PROBLEM, topic) for topic in PUBLISHED]
    assert [state for state, _ in states(found, "version")] == [State.WARNING]
    assert all("never came" in one.text for one in found.findings if one.state is State.PROBLEM)


@pytest.mark.asyncio
async def test_who_may_write_and_not_read_publishes_well_and_hears_nothing(
    shared: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With MQTT 5 the two are told from each other."""
    monkeypatch.setattr(probe, "ECHO_S", 0.5)
    found = await examined(options(shared, "writes", tmp_path))
    assert states(found, "publish") == UNTRIED + [(State.OK, topic) for topic in PUBLISHED]
    assert states(found, "subscribe") == [
        (State.UNTESTED, "factory/#"),
        (State.PROBLEM, "reactor/h/request/+/dump"),
        (State.PROBLEM, "reactor/h/set/hold/#"),
        (State.PROBLEM, "reactor/h/trigger/+/+"),
    ]
    fixes = [one.fix for one in found.findings if one.state is State.PROBLEM]
    assert (
        fixes[0] == "allow the user 'writes' to read reactor/h/request/+/dump in the broker's ACL"
    )


@pytest.mark.parametrize("version", [V5, V311])
@pytest.mark.asyncio
async def test_a_word_that_may_not_be_said_is_found(
    shared: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: ProtocolVersion
) -> None:
    """Availability and info have no tree of their own: a daemon nobody would know of."""
    monkeypatch.setattr(probe, "connect", functools.partial(connect, version=version))
    monkeypatch.setattr(probe, "ECHO_S", 1.0)
    found = await examined(options(shared, "mute", tmp_path))
    denied = [(State.PROBLEM, topic) for topic in SAID]
    assert states(found, "publish") == denied + [(State.OK, topic) for topic in PUBLISHED]


@pytest.mark.asyncio
async def test_whether_home_assistant_can_be_told_is_found(
    shared: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its topics are outside of ours, so the ACL has a line of its own for them."""
    monkeypatch.setattr(probe, "ECHO_S", 0.5)
    found = {}
    for user in ("all", "mute"):
        made = options(shared, user, tmp_path)
        seen = await examine_mqtt(made, [], daemon=None, discovery="homeassistant")
        (found[user],) = [one for one in seen.findings if "homeassistant/" in one.text]
    topic = "homeassistant/device/reactor-doctor/config"
    assert found["mute"] == Finding("publish", State.OK, f"{topic}: taken; it may not be read back")
    assert (found["all"].state, found["all"].fix) == (
        State.PROBLEM,
        "allow the user 'all' to write homeassistant/device/+/config in the broker's ACL",
    )


def told(heard: Subscriber, topics: Collection[str]) -> list[tuple[str, str, bool]]:
    """What was heard on these topics, and whether it was retained."""
    return [
        (one.topic, one.payload.decode(), one.retain)
        for one in heard.messages
        if one.topic in topics
    ]


@pytest.mark.asyncio
async def test_what_stands_there_is_said_once_more(shared: Mosquitto, tmp_path: Path) -> None:
    """The same bytes, not retained; who runs is `online` even where nothing can be read."""
    info = '{"version":"1","policies":0,"revision":"0123456789ab"}'
    kept = {"reactor/h/availability": "offline", "reactor/h/info": info}
    with Speaker(shared.port, username="all", password="all") as speaker:  # noqa: S106
        for topic, payload in kept.items():
            speaker.say(topic, payload, retain=True)
        with hears(shared, "all") as heard:
            await examined(options(shared, "all", tmp_path))
            await examined(options(shared, "writes", tmp_path), "connected")
            await asyncio.to_thread(heard.wait_for, lambda: len(told(heard, kept)) == 5)
        for topic in kept:
            speaker.say(topic, "", retain=True)
    again = [(*said, False) for said in kept.items()]
    assert told(heard, kept)[2:] == [*again, ("reactor/h/availability", "online", False)]


@pytest.mark.asyncio
async def test_one_tree_that_is_denied_is_found_among_the_others(
    shared: Mosquitto, tmp_path: Path
) -> None:
    """Mosquitto grants the subscription, and then delivers nothing."""
    found = await examined(options(shared, "deaf", tmp_path))
    wrong = [one for one in found.findings if one.state is not State.OK]
    assert [(one.about, one.state, one.text.partition(":")[0]) for one in wrong] == [
        ("subscribe", State.UNTESTED, "factory/#"),
        ("subscribe", State.UNTESTED, "reactor/h/set/hold/#"),
    ]


@pytest.mark.asyncio
async def test_who_is_not_let_in_is_told_why(shared: Mosquitto, tmp_path: Path) -> None:
    """And what could be found without the broker is told beside it."""
    made = options(shared, "all", tmp_path, "wrong")
    assert made.password_file is not None
    made.password_file.chmod(0o644)
    found = await examined(made)
    assert not found.connected
    assert [(one.about, one.state) for one in found.findings] == [
        ("password_file", State.WARNING),
        ("connect", State.PROBLEM),
    ]
    assert (
        found.findings[0].fix
        == f"chmod 600 {made.password_file}, and let it belong to reactor's user"
    )
    assert "this password" in found.findings[1].text


@pytest.mark.asyncio
async def test_what_is_not_safe_is_told(tmp_path: Path) -> None:
    """In the clear over a net, and without a name; a file that is not there is the connect's."""
    made = MqttOptions.parse("mqtt://192.0.2.1:1", host="h")
    made = replace(made, key_file=tmp_path / "none")

    async def refuses(*_args: object, **_more: object) -> object:
        raise BrokerError("b", "p", "f")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reactor.app.doctor.mqtt.visit", refuses)
        found = await examined(made)
    assert [(one.about, one.state) for one in found.findings] == [
        ("tls", State.WARNING),
        ("user", State.WARNING),
        ("connect", State.PROBLEM),
    ]


@pytest.mark.parametrize(
    ("kept", "daemon", "state"),
    [
        pytest.param("", None, State.OK, id="a new host"),
        pytest.param("offline", None, State.OK, id="it was stopped"),
        pytest.param("online", "connected", State.OK, id="it runs"),
        pytest.param("offline", "away", State.OK, id="it lost the link"),
        pytest.param("online", None, State.WARNING, id="another daemon has this host's name"),
        pytest.param("offline", "connected", State.WARNING, id="somebody forged it"),
        pytest.param("", "connected", State.WARNING, id="retained messages are not kept"),
    ],
)
@pytest.mark.asyncio
async def test_availability_is_held_against_the_daemon(
    shared: Mosquitto, tmp_path: Path, kept: str, daemon: str | None, state: State
) -> None:
    """What the broker keeps as our own word is not always our own."""
    with Speaker(shared.port, username="all", password="all") as speaker:  # noqa: S106
        speaker.say("reactor/h/availability", kept, retain=True)
        found = await examined(options(shared, "all", tmp_path), daemon)
        speaker.say("reactor/h/availability", "", retain=True)
    (one,) = [one for one in found.findings if one.about == "availability"]
    assert one.state is state
    assert bool(one.fix) == (state is State.WARNING)


async def lets_a_daemon_in(made: MqttOptions) -> bool:
    """Whether a client with a last will may come, as the findings say."""
    inbox = Inbox(Ear(), time.monotonic)
    try:
        link = await connect(made, Limits(), asyncio.Event().set, inbox)
    except BrokerError:
        return False
    await link.close(1.0)
    return True


LARGE = "max_packet_size 524288"
BOUNDS = ("retain", "qos", "packet size")


@pytest.mark.parametrize(
    ("extra", "found_as"),
    [
        pytest.param([LARGE], [State.OK, State.OK, State.OK], id="just large enough"),
        pytest.param(
            ["max_packet_size 524287", "max_qos 1"],
            [State.OK, State.OK, State.WARNING],
            id="an event may be too large",
        ),
        pytest.param(
            ["max_packet_size 16384"], [State.OK, State.OK, State.WARNING], id="states just fit"
        ),
        pytest.param(
            ["retain_available false", "max_packet_size 16383"],
            [State.PROBLEM, State.OK, State.PROBLEM],
            id="nothing is kept, and states may not fit",
        ),
        pytest.param(
            ["max_qos 0", "max_packet_size 60"],
            [State.OK, State.PROBLEM, State.PROBLEM],
            id="nothing is acknowledged, and not even a probe fits",
        ),
    ],
)
@pytest.mark.asyncio
async def test_what_the_broker_does_not_take_is_found(
    tmp_path: Path, extra: list[str], found_as: list[State], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what it says when it lets us in; each trouble comes with what to do."""
    monkeypatch.setattr(probe, "ECHO_S", 1.0)
    with Mosquitto(tmp_path, extra=extra) as broker:
        made = MqttOptions.parse(broker.url, host="h")
        found = await examined(made)
        lets_in = await lets_a_daemon_in(made)
    assert found.connected
    bounds = [one for one in found.findings if one.about in BOUNDS]
    assert [one.about for one in bounds] == list(BOUNDS)
    assert [one.state for one in bounds] == found_as
    assert all(bool(one.fix) == (one.state is not State.OK) for one in bounds)
    assert lets_in == (State.PROBLEM not in found_as[:2])
    sent = {state for state, topic in states(found, "publish") if topic not in SAID}
    assert sent == ({State.PROBLEM} if "max_packet_size 60" in extra else {State.OK})


@pytest.mark.asyncio
async def test_a_daemon_that_runs_is_not_disturbed(
    house: House, shared: Mosquitto, tmp_path: Path
) -> None:
    """Probes start nothing, whatever the policies: the daemon knows them, and counts them."""
    policy = (
        "policy: echo\ndescription: d\ntrigger: {mqtt: 'any/#', guest: web-1}\n"
        "steps:\n  - publish: heard\n"
    )
    made = options(shared, "all", tmp_path)
    mqtt = MqttSettings(shared.url, username="all", password_file=made.password_file)
    house.settings = replace(house.settings, mqtt=mqtt)
    await house.guest("web-1")
    with hears(shared, "all") as heard:
        await house.policy(policy).start("web-1")
        await subscribed(house)
        found = await examine_mqtt(
            made, ["reactor/h/any/#", "reactor/h/trigger/+/+"], daemon="connected"
        )
        broker = house.daemon.broker
        assert broker is not None
        await house.until("the probes came", lambda: broker.inbound.lost.get(Loss.PROBE, 0) == 2)
        assert broker.publisher.counters.reconnects == 0
        await asyncio.to_thread(heard.wait_for, lambda: bool(heard.messages))
    assert worst(found.findings) is State.OK
    assert house.runs() == []
    assert set(said(heard, "availability")) == {"online"}
    assert len({str(info) for info in said(heard, "info")}) == 1
    assert broker.own_words.overwritten == 0


def test_the_worst_state_counts() -> None:
    """In the order of alarm; nothing found is well."""
    found = [Finding("a", state, "t") for state in (State.WARNING, State.OK, State.UNTESTED)]
    assert worst(found) is State.WARNING
    assert worst([]) is State.OK
