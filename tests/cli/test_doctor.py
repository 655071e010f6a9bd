"""``reactor doctor``: what it shows, and its exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from reactor.app.control.answers import Status
from reactor.app.control.asks import AskGuests, AskStatus
from reactor.errors import ForbiddenError
from tests.cli.conftest import Call
from tests.fakes.broker import Mosquitto, free_port

pytestmark = pytest.mark.timeout(60)


NO_DAEMON = "start it (`reactor run`), or name its settings with -c or its journal with --journal"
STOPS = "j: it cannot be written: the disk is full. Nothing is done to any guest until it can"
ROOM = "make room on its disk, or mend what ails it: reactor goes on by itself"
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
    assert out.splitlines()[:4] == [
        f"warning   daemon: {here}/j.db.sock: the daemon does not run: nobody listens here",
        f"          fix: {NO_DAEMON}",
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


@pytest.mark.parametrize(
    ("problem", "code", "lines"),
    [
        pytest.param("", 0, ["ok        journal: j is written"], id="well"),
        pytest.param(
            "the disk is full",
            1,
            [
                f"problem   journal: {STOPS}",
                f"          fix: {ROOM}",
            ],
            id="its disk is full",
        ),
    ],
)
def test_a_daemon_that_runs_tells_how_its_journal_is(  # noqa: PLR0917 - one column each
    reactor: Call,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: str,
    code: int,
    lines: list[str],
) -> None:
    """A journal that cannot be written stops all that it does: nobody may call that well."""
    status = json.dumps({"daemon": DAEMON | {"journal_problem": problem}} | EMPTY).encode()
    monkeypatch.setattr(
        "reactor.cli.asking.Daemon.ask",
        lambda _self, what: b"[]" if isinstance(what, AskGuests) else status,
    )
    (here / "none").mkdir()
    found, out, _ = reactor("doctor", "-c", settings(here))
    assert found == code
    first, *rest = out.splitlines()
    assert first == "ok        daemon: process 1 runs, version 1"
    assert rest[: len(lines)] == lines


def test_a_journal_that_cannot_be_read_is_told_before_the_start(reactor: Call, here: Path) -> None:
    """Else the fix `start it` would lead to the next refusal."""
    (here / "none").mkdir()
    (here / "j.db").write_bytes(b"no journal" * 1000)
    code, out, _ = reactor("doctor", "-c", settings(here))
    assert code == 1
    assert out.splitlines()[2].startswith(f"problem   journal: {here}/j.db: ")


def test_a_daemon_that_may_not_be_asked_is_told(
    reactor: Call, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is tried all the same."""

    def ask(_self: object, _what: object) -> bytes:
        raise ForbiddenError("c.sock", "uid 7 may not ask", "ask as root")

    monkeypatch.setattr("reactor.cli.asking.Daemon.ask", ask)
    (here / "none").mkdir()
    code, out, _ = reactor("doctor", "-c", settings(here))
    assert (code, out.splitlines()[:2]) == (
        1,
        ["problem   daemon: c.sock: uid 7 may not ask", "          fix: ask as root"],
    )
    assert "discovery: " in out


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
