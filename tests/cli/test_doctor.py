"""``reactor doctor``: what it shows, and its exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from reactor.app.control.answers import Status
from reactor.app.control.asks import AskGuests, AskStatus
from tests.cli.conftest import Call
from tests.fakes.broker import Mosquitto, free_port

pytestmark = pytest.mark.timeout(60)


START = "start a guest with -qmp unix:PATH,server=on,wait=off there, or correct the pattern"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One that lets everybody in."""
    with Mosquitto(tmp_path_factory.mktemp("broker")) as started:
        yield started


def settings(here: Path, *lines: str) -> Path:
    """A settings file with a monitor that is not there."""
    file = here / "try.yaml"
    text = ["journal: {path: j.db}", "host: {name: h}", "guests: [{discover: 'none/*.sock'}]"]
    file.write_text("\n".join([*text, *lines]) + "\n", encoding="utf-8")
    return file


def test_all_of_it(reactor: Call, here: Path, broker: Mosquitto) -> None:
    """Monitors and broker; a problem is exit code 1, and each line says how to mend it."""
    (here / "none").mkdir()
    file = settings(here, f"mqtt: {{url: '{broker.url}', allow: [set/hold], home_assistant: ha}}")
    code, out, _ = reactor("doctor", "-c", file)
    assert code == 0
    assert out.splitlines()[:2] == [
        f"warning   discovery: {here}/none/*.sock: no socket matches",
        f"          fix: {START}",
    ]
    assert "ok        version: the broker speaks MQTT 5" in out
    assert "ok        subscribe: reactor/h/set/hold/#" in out
    assert "ok        publish: ha/device/reactor-doctor/config" in out
    assert "untested  subscribe: ha/status" in out


def test_without_a_broker_the_monitors_are_all(reactor: Call, here: Path) -> None:
    """What is not configured is not looked at; but who asks for it is told."""
    file = settings(here)
    code, out, _ = reactor("doctor", "-c", file)
    assert (code, "problem" in out, "connect" in out) == (1, True, False)
    code, _, err = reactor("doctor", "mqtt", "-c", file)
    assert (code, "the settings name no broker" in err) == (2, True)


def test_a_broker_that_is_not_there_is_exit_code_4(reactor: Call, here: Path) -> None:
    """As for every verb that cannot connect."""
    file = settings(here, f"mqtt: {{url: 'mqtt://127.0.0.1:{free_port()}'}}")
    code, out, _ = reactor("doctor", "mqtt", "-c", file)
    assert code == 4
    assert "nothing listens there" in out


def test_the_doctor_for_programs(
    reactor: Call, here: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of objects; what the daemon says of itself is asked for."""
    asked = []

    def ask(_self: object, what: object) -> bytes:
        asked.append(type(what))
        return b"[]" if isinstance(what, AskGuests) else STATUS

    monkeypatch.setattr("reactor.cli.asking.Daemon.ask", ask)
    rules = here / "p.yaml"
    rules.write_text(
        "policy: p\ndescription: d\ntrigger: {mqtt: request, guest: web-1}\nsteps: [{log: x}]\n",
        encoding="utf-8",
    )
    file = settings(here, f"mqtt: {{url: '{broker.url}'}}", "rules: [p.yaml]")
    code, out, _ = reactor("doctor", "mqtt", "-c", file, "-o", "json")
    assert code == 0
    found = json.loads(out)
    assert all({"about", "state", "text"} <= set(one) for one in found)
    heard = [one["text"] for one in found if one["about"] == "subscribe"]
    assert heard == ["reactor/h/request", "reactor/h/trigger/+/+"]
    (one,) = [one for one in found if one["about"] == "availability"]
    assert one["state"] == "warning"
    code, out, _ = reactor("doctor", "qmp", "-c", file, "-o", "json")
    assert [one["about"] for one in json.loads(out)] == ["discovery", "discovery"]
    assert set(asked) == {AskGuests, AskStatus}


DAEMON = {
    "version": "1", "pid": 1, "host": "h", "since": 1.0, "now": 2.0, "journal": "j",
    "journal_problem": "", "broker": "connected", "broker_url": "", "policies": 0,
    "policy_problems": 0, "audit": False, "waiting": {}, "dropped": {},
}  # fmt: skip
# All other members are lists and counts: none of them matters here.
EMPTY: dict[str, object] = {
    field.name: 0 if field.type is int else []
    for field in msgspec.structs.fields(Status)
    if field.name != "daemon"
}
STATUS = json.dumps({"daemon": DAEMON} | EMPTY).encode()
