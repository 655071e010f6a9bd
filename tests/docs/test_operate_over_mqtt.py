"""The how-to about operating over MQTT, done line by line: its ACL, its settings, its commands."""

import argparse
import asyncio
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from reactor.adapters.control import Answer
from reactor.app.requests.kinds import Kind
from reactor.app.requests.reading import QUESTIONS
from reactor.app.requests.routes import ROUTES
from reactor.app.settings import HostSettings, MqttSettings
from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings
from reactor.core.orders import StartRun
from tests.app.house import House
from tests.app.test_daemon_requests import subscribed
from tests.docs.mqtt_schemas import SCHEMAS, schemas
from tests.docs.pages import blocks, page, section
from tests.fakes.broker import Mosquitto, Speaker, Subscriber

PAGE = "docs/how-to/operate-over-mqtt.md"
(ACL,) = [block.text for block in blocks("text") if block.page == PAGE]
(SETTINGS,) = [block.text for block in blocks("yaml") if block.page == PAGE]
LINES = [block.text for block in blocks("sh") if block.page == PAGE]

USERS = {"reactor-host-1": "r", "anna": "a", "dashboard": "d"}

RECORD = r"""
record() { printf '%s\0' "$@" >> "$CALLS"; printf '\n' >> "$CALLS"; }
mosquitto_pub() { record mosquitto_pub "$@"; }
mosquitto_rr() { record mosquitto_rr "$@"; }
cat() { echo a; }
"""
"""Shell functions in place of Mosquitto's clients: they write down what they were called with."""

STEPS = "steps:\n  - wait: {event: RESET, timeout: 1h}\n"
POLICIES = [
    "policy: panic-dump-reset\ndescription: d\napproval: {expires: 1h}\nmode: parallel\n"
    + ("trigger: {event: GUEST_PANICKED}\n" + STEPS),
    "policy: say-hello\ndescription: d\ntrigger: {event: WATCHDOG}\n" + STEPS,
]


def options(program: str) -> argparse.ArgumentParser:
    """What Mosquitto's clients understand, as far as the page uses it.

    Source: mosquitto_pub(1), mosquitto_rr(1).
    """
    parser = argparse.ArgumentParser(program, add_help=False, exit_on_error=False)
    for flag in ("-h", "-p", "--cafile", "-u", "-P", "-V"):
        parser.add_argument(flag)
    parser.add_argument("-q", type=int, choices=(0, 1, 2))
    parser.add_argument("-t", required=True)
    parser.add_argument("-m", required=True)
    parser.add_argument("-D", action="append", default=[], nargs="+")
    if program == "mosquitto_rr":
        parser.add_argument("-e", required=True)
        parser.add_argument("-W", type=int)
    return parser


def calls(folder: Path) -> list[tuple[str, argparse.Namespace]]:
    """What the commands of the page send, in its order, as bash reads them."""
    recorded = folder / "calls"
    script = RECORD + "\n".join(LINES)
    environment = os.environ | {"CALLS": str(recorded)}
    subprocess.run(["bash", "-eu", "-c", script], check=True, env=environment, timeout=20)
    found = []
    for line in recorded.read_text(encoding="utf-8").split("\0\n")[:-1]:
        program, *words = line.split("\0")
        found.append((program, options(program).parse_args(words)))
    return found


def extras(call: argparse.Namespace) -> dict[str, Any]:
    """The properties of a message."""
    found: dict[str, Any] = {"qos": call.q}
    for which, name, *value in call.D:
        assert which == "publish"
        if name == "user-property":
            found["properties"] = [*found.get("properties", []), tuple(value)]
        else:
            assert name == "message-expiry-interval"
            found["expiry_s"] = int(value[0])
    if getattr(call, "e", None):
        found["response_topic"] = call.e
    return found


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One with the ACL of the page."""
    with Mosquitto(tmp_path_factory.mktemp("broker"), users=USERS, acl=ACL) as started:
        yield started


@pytest_asyncio.fixture
async def house(tmp_path: Path, broker: Mosquitto) -> AsyncIterator[House]:
    """The host of the page, with its settings for MQTT."""
    password = tmp_path / "password"
    password.write_text("r")
    made = House(tmp_path, tmp_path)
    file = tmp_path / "reactor.yaml"
    file.write_text(SETTINGS, encoding="utf-8")
    loaded = load_settings(Flags(config=file), {}).mqtt
    assert loaded is not None
    assert set(loaded.kinds) == set(Kind)
    mqtt = MqttSettings(
        broker.url,
        username=loaded.username,
        password_file=password,
        allow=loaded.allow,
        commands=loaded.commands,
    )
    made.settings = replace(made.settings, host=HostSettings("host-1"), mqtt=mqtt)
    await made.policy(*POLICIES).guest("web-1")
    await made.start("web-1")
    await subscribed(made)
    yield made
    await made.clear()


@pytest.mark.asyncio
@pytest.mark.timeout(90)
async def test_every_line_of_the_page_does_what_it_says(
    house: House, broker: Mosquitto, tmp_path: Path
) -> None:
    """Anna's commands under the ACL of the page: each is answered, and each with yes."""
    runs: list[str] = []
    for policy in ("panic-dump-reset", "panic-dump-reset", "say-hello"):
        order = StartRun(policy, "web-1")
        reply = await house.daemon.orders.give("test", order)
        assert reply.ok, reply
        runs.append(str(reply.data["run"]))
    made = await asyncio.to_thread(calls, tmp_path)
    heard = Subscriber(broker.port, "reactor/host-1/reply/#", username="anna", password="a")  # noqa: S106
    with heard, Speaker(broker.port, username="anna", password="a") as anna:  # noqa: S106
        for number, (program, call) in enumerate(made, 1):
            assert (call.u, call.P, call.h) == ("anna", "a", "broker.example")
            assert (call.p, call.cafile) == ("8883", "tls/ca.pem")
            topic = call.t
            for example, run in zip(("k3v9a1-1", "k3v9a1-2", "k3v9a1-3"), runs, strict=True):
                topic = re.sub(f"{example}$", run, topic)
            anna.say(topic, call.m, **extras(call))
            await heard.until(lambda number=number: len(heard.messages) >= number)  # type: ignore[misc]
            message = heard.messages[number - 1]
            said = json.loads(message.payload)
            assert said["ok"], (topic, said)
            common = "common" if program == "mosquitto_pub" else "anna"
            assert message.topic == f"reactor/host-1/reply/{common}"
    assert len(made) > 15
    assert {
        restraint.guest for restraint in house.daemon.engine.world.restraints.holds.values()
    } == {""}


@pytest.mark.asyncio
@pytest.mark.timeout(60)
async def test_the_acl_of_the_page_lets_nobody_do_more(house: House, broker: Mosquitto) -> None:
    """The dashboard presses the button and cannot release a guest's hold; nobody else can."""
    hears = Subscriber(broker.port, "reactor/#", username="dashboard", password="d")  # noqa: S106
    fresh = {"expiry_s": 30, "response_topic": "reactor/host-1/reply/d"}
    with hears, Speaker(broker.port, username="dashboard", password="d") as dashboard:  # noqa: S106
        dashboard.say("reactor/host-1/set/hold/web-1", "on", **fresh)  # type: ignore[arg-type]
        dashboard.say("reactor/host-1/availability", "offline", retain=True)
        dashboard.say("reactor/host-1/reply/d", '{"ok": true}')
        dashboard.say("reactor/host-1/set/hold", "on", **fresh)  # type: ignore[arg-type]
        await hears.until(lambda: bool(hears.payloads("reactor/host-1/reply/d")))
    (reply,) = hears.payloads("reactor/host-1/reply/d")
    assert json.loads(reply)["data"] == {"guest": ""}
    assert b"offline" not in hears.payloads("reactor/host-1/availability")
    assert list(house.daemon.engine.world.restraints.holds) == [""]


# ------------------------------------------------------------- the reference

REFERENCE = section(page("docs/reference/mqtt.md"), "Orders and questions")
ROWS = [
    [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")]
    for line in REFERENCE.splitlines()
    if re.match(r"\| `(approve|set|ask|cmd)", line)
]


def test_every_order_has_its_row() -> None:
    """With the kind that allows it, what it can do, and all its members."""
    shown = {row[0][0]: row for row in ROWS if row[1] != ["ask"]}
    assert set(shown) == {route.topic for route in ROUTES}
    for route in ROUTES:
        _, kind, words, members, _ = shown[route.topic]
        fields = {field.encode_name: field for field in msgspec.structs.fields(route.form)}
        assert kind == ["mqtt.commands" if route.kind is Kind.COMMAND else route.kind]
        assert words == (list(fields.pop("do").type.__args__) if "do" in fields else [])
        own = fields.keys() - {"id", "sent_at", "by"}
        assert set(members) - {"off"} == own


def test_every_question_has_its_row() -> None:
    """With its topic's levels and its further members."""
    topics = {topic: row for row in ROWS if row[1] == ["ask"] for topic in row[0]}
    for name, (ask, levels, _) in QUESTIONS.items():
        topic = "/".join(["ask", name, *(f"<{level}>" for level in levels)])
        members = {field.name for field in msgspec.structs.fields(ask)} - set(levels)
        assert set(topics[topic][3]) == members


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_example_of_a_question_fits_its_schema(name: str) -> None:
    """And a member more does not."""
    made = schemas()
    validator = Draft202012Validator({"$defs": made["$defs"], **made["properties"][f"ask/{name}"]})
    example = {**json.loads(QUESTIONS[name].example), "by": "anna", "sent_at": 1}
    assert validator.is_valid(example)
    assert not validator.is_valid({**example, "more": 1})


def test_the_schemas_beside_the_page_are_those_of_the_code() -> None:
    """`python -m tests.docs.mqtt_schemas` writes them anew."""
    made = json.loads(json.dumps(schemas()))
    assert json.loads(SCHEMAS.read_text(encoding="utf-8")) == made


def test_the_answer_of_the_page_has_the_members_that_are_sent() -> None:
    """As they are made of an answer, and of a command's end."""
    shown = [b for b in blocks("json") if b.text in REFERENCE]
    assert len(shown) == 2
    for block in shown:
        assert set(json.loads(block.text)) == {"ok", "text", "data", "topic", "id"}
    assert set(Answer.__struct_fields__) >= {"text", "data", "fix"}
