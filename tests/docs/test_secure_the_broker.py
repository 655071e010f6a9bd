"""The how-to about a broker with TLS and an ACL, done: its lines, the files of its example."""

import asyncio
import getpass
import itertools
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reactor.adapters.mqtt import MqttOptions, probe
from reactor.app.doctor.findings import State
from reactor.app.doctor.mqtt import examine_mqtt
from reactor.app.inbound import filters_of
from reactor.app.requests.kinds import Kind
from reactor.app.settings import HostSettings, Settings
from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings
from reactor.policyfile.check import load
from tests.app.house import House
from tests.app.test_daemon_requests import subscribed
from tests.docs.pages import blocks
from tests.fakes.broker import Mosquitto, Speaker, Subscriber, free_port
from tests.house.checkout import ROOT

PAGE = "docs/how-to/secure-the-broker.md"
EXAMPLE = ROOT / "examples" / "mosquitto-tls"
MAKE, BROKER, HOST, LOOK, ASK, ROTATE, RENEW = [
    block.text for block in blocks("sh") if block.page == PAGE
]

PRELUDE = f"""
sudo() {{ if [ "$1" = -u ]; then shift 2; fi; "$@"; }}
systemctl() {{ echo "systemctl $*"; }}
reactor() {{ {sys.executable} -m reactor "$@"; }}
mosquitto_rr() {{ printf '%s\\0' "$@" >calls; }}
"""
"""What the page takes for granted, as shell functions; Mosquitto's client writes down its words."""


@dataclass
class Site:
    """All that the page sets up, below a folder: the broker, its two doors, the host's files."""

    folder: Path
    passwords_at: int
    certificates_at: int
    broker: Mosquitto | None = None

    def do(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run lines of the page, with paths and names of the test."""
        return subprocess.run(
            ["bash", "-eu", "-c", PRELUDE + self.here(text)],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def here(self, text: str) -> str:
        """A text of the page or of the example as it is for this place."""
        for old, new in {
            "../examples/": f"{ROOT}/examples/",
            " examples/": f" {ROOT}/examples/",
            "/etc/mosquitto/conf.d": f"{self.folder}/broker",
            "/etc/mosquitto": f"{self.folder}/broker",
            "/etc/reactor": f"{self.folder}/host",
            "broker.example": "localhost",
            " -o mosquitto": "",
            " -o reactor": "",
            "8883": str(self.passwords_at),
            "8884": str(self.certificates_at),
        }.items():
            text = text.replace(old, new)
        return text

    def start(self) -> Mosquitto:
        """The broker, with the configuration that the page has put in its place."""
        installed = (self.folder / "broker" / "reactor.conf").read_text(encoding="utf-8")
        # What Debian's own mosquitto.conf says before it reads this one; here it is a test's.
        head = f"user {getpass.getuser()}\nlog_dest stderr\nlog_type all\npersistence false\n"
        text = head + self.here(installed)
        self.broker = Mosquitto(self.folder / "run", config=text, port=self.certificates_at)
        self.broker.start()
        return self.broker

    def settings(self) -> Settings:
        """Those of the example, with the paths of this place."""
        file = self.folder / "host" / "reactor.yaml"
        text = (EXAMPLE / "reactor.yaml").read_text(encoding="utf-8")
        file.write_text(self.here(text).replace("- rules", f"- {EXAMPLE}/rules"), encoding="utf-8")
        return load_settings(Flags(config=file), {})

    def options(self) -> MqttOptions:
        """How the host comes to the broker."""
        options = self.settings().mqtt_options()
        assert options is not None
        return options

    def password(self, user: str) -> str:
        """What was made for this user."""
        return (self.folder / "tls" / f"{user}.password").read_text(encoding="utf-8").strip()

    def door(self, user: str) -> dict[str, Any]:
        """How this user comes in: port, name and password, certificates."""
        trust = ssl.create_default_context(cafile=self.folder / "tls" / "ca.pem")
        if user.startswith("reactor-"):
            own = self.folder / "tls" / user
            trust.load_cert_chain(f"{own}.pem", f"{own}.key")
            return {"port": self.certificates_at, "tls": trust}
        password = self.password(user)
        return {
            "port": self.passwords_at,
            "username": user,
            "password": password,
            "tls": trust,
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page, followed to the restart of the broker and the files of the host; and a stranger."""
    made = Site(tmp_path_factory.mktemp("site"), free_port(), free_port())
    for name in ("broker", "run", "host"):
        (made.folder / name).mkdir()
    more = "cd tls\n../examples/mosquitto-tls/passwords stranger\ncd ..\n"
    for text in (MAKE, more, BROKER, HOST):
        done = made.do(text)
        assert done.returncode == 0, done.stderr
    made.start()
    assert made.broker is not None
    try:
        yield made
    finally:
        made.broker.kill()


def test_what_is_secret_is_for_its_owner_alone(site: Site) -> None:
    """Whatever the umask: keys, passwords and the broker's file; certificates are for everybody."""
    modes = {
        path.relative_to(site.folder): path.stat().st_mode & 0o777
        for place in ("tls", "broker/reactor", "host/tls")
        for path in (site.folder / place).iterdir()
    }
    open_ones = {str(path) for path, mode in modes.items() if mode & 0o077}
    assert open_ones == {f"tls/{n}.pem" for n in ("ca", "localhost", "reactor-host-1")}
    assert not [path for path in modes if path.suffix in {".csr", ".ext"} or path.name == "one"]
    lines = (site.folder / "tls" / "passwords").read_text(encoding="utf-8").splitlines()
    users = sorted(line.partition(":")[0] for line in lines)
    assert users == ["anna", "dashboard", "stranger", "tickets"]
    assert all(line.partition(":")[2].startswith("$") for line in lines)


@pytest.mark.parametrize(
    ("name", "purpose"), [("localhost", "sslserver"), ("reactor-host-1", "sslclient")]
)
def test_the_certificates_stand_the_strictest_look(site: Site, name: str, purpose: str) -> None:
    """As newer Pythons and OpenSSLs look at them; a server's is no client's."""
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "-purpose"]
    for one in ("sslserver", "sslclient"):
        command = [*verify, one, f"{name}.pem"]
        done = subprocess.run(command, cwd=site.folder / "tls", check=False, capture_output=True)
        assert (done.returncode == 0) == (one == purpose), done.stderr


def test_check_and_doctor_find_nothing_wrong(site: Site) -> None:
    """The lines of the page: the files can be used, and every topic is open both ways."""
    site.settings()
    done = site.do(LOOK.replace("doctor mqtt", "doctor mqtt -o json"))
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "no problems" in done.stdout
    findings = json.loads(done.stdout[done.stdout.index("[") :])
    wrong = [one for one in findings if one["state"] in {"warning", "problem"}]
    assert wrong == []
    assert sum(one["about"] == "subscribe" for one in findings) > 8


WRITES = {
    "reactor-host-1": (
        ["host-1/alert/critical", "host-1/guest/web-1/state", "host-1/reply/anna"],
        ["host-2/alert/critical", "host-2/availability", "other"],
    ),
    "dashboard": (
        ["host-1/ask/status", "host-2/ask/guests"],
        ["host-1/set/hold", "host-1/approve/r-1", "host-1/availability", "host-1/reply/anna"],
    ),
    "anna": (
        [
            *("host-1/ask/status", "host-1/set/hold", "host-1/approve/r-1"),
            *("host-1/set/mark/web-1/disk/d/bad", "host-2/trigger/p/web-1"),
        ],
        [
            *("host-1/availability", "host-1/guest/web-1/state", "host-1/reply/anna"),
            *("host-1/cmd/web-1/quit", "host-1/cmd/web-1/query-status", "host-1/run/r-1"),
        ],
    ),
    "tickets": (
        ["host-1/trigger/note-on-request/web-1"],
        ["host-1/trigger/other/web-1", "host-1/ask/status", "host-1/set/hold"],
    ),
    "stranger": ([], ["host-1/trigger/note-on-request/web-1", "host-1/ask/status", "x"]),
}
"""Below `reactor/`, of each user: what it may write, and what it may not."""


@pytest.mark.parametrize("user", WRITES)
def test_each_user_writes_what_it_may_and_no_more(site: Site, user: str) -> None:
    """The broker's own answer to each message; a user without a line may write nothing."""
    may, may_not = WRITES[user]
    with Speaker(**site.door(user)) as speaker:
        codes = {one: speaker.say(f"reactor/{one}", "?") for one in [*may, *may_not]}
    assert {one for one, code in codes.items() if code == 135} == set(may_not)


def fresh(ear: Subscriber) -> list[str]:
    """The topics of what was said since it listens."""
    return [one.topic for one in list(ear.messages) if not one.retain]


def test_each_user_reads_what_it_may_and_no_more(site: Site) -> None:
    """Two read everything, the program its own answers, the host its own topics, one nothing."""
    topics = ["host-1/alert/critical", "host-1/reply/anna", "host-1/reply/tickets"]
    with ExitStack() as stack:
        ears = {
            user: stack.enter_context(Subscriber(topic="reactor/#", qos=0, **site.door(user)))
            for user in WRITES
        }
        with Speaker(**site.door("reactor-host-1")) as host:
            for topic in topics:
                host.say(f"reactor/{topic}", "!")
        for user in ("reactor-host-1", "dashboard", "anna"):
            ears[user].wait_for(lambda user=user: len(fresh(ears[user])) == len(topics))  # type: ignore[misc]
        ears["tickets"].wait_for(lambda: bool(fresh(ears["tickets"])))
    heard = {user: fresh(ear) for user, ear in ears.items()}
    everything = [f"reactor/{topic}" for topic in topics]
    assert heard == {
        "reactor-host-1": everything,
        "dashboard": everything,
        "anna": everything,
        "tickets": ["reactor/host-1/reply/tickets"],
        "stranger": [],
    }


def refused(site: Site, **door: Any) -> str:  # noqa: ANN401 - as the clients take them
    """Why nobody comes in there."""
    door = {"tls": ssl.create_default_context(cafile=site.folder / "tls" / "ca.pem"), **door}
    with (
        pytest.raises((AssertionError, OSError, RuntimeError)) as caught,
        Speaker(**door) as speaker,
    ):
        speaker.say("reactor/host-1/ask/status", "")
    return str(caught.value)


def test_nobody_else_comes_in(site: Site) -> None:
    """Without TLS, a name, the right password, a certificate, or with one of another CA."""
    at = site.passwords_at
    refused(site, port=at, tls=None)
    refused(site, port=at)
    refused(site, port=at, username="anna", password="wrong")  # noqa: S106
    refused(site, port=at, username="reactor-host-1", password="")
    refused(site, port=site.certificates_at)
    refused(site, port=site.certificates_at, username="anna", password=site.password("anna"))


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_a_host_with_its_certificate_is_operated_by_those_who_may(
    site: Site, tmp_path: Path
) -> None:
    """Anna's order and the ticket program's run are answered; what others order never comes."""
    settings = site.settings()
    assert settings.mqtt is not None
    assert set(settings.mqtt.allow) == set(Kind) - {Kind.COMMAND}
    house = House(tmp_path, tmp_path)
    house.settings = replace(
        house.settings, host=HostSettings("host-1"), mqtt=settings.mqtt, rules=settings.rules
    )
    await house.guest("web-1")
    await house.start("web-1")
    try:
        await subscribed(house)
        await asyncio.to_thread(operate, site)
        holds = house.daemon.engine.world.restraints.holds
        assert list(holds) == ["web-1"]
        found = await examine_mqtt(site.options(), filters(settings), daemon="connected")
        assert [one for one in found.findings if one.state is State.PROBLEM] == []
    finally:
        await house.clear()


def operate(site: Site) -> None:
    """What users do; it blocks."""
    fresh: dict[str, Any] = {"expiry_s": 30}
    with (
        Subscriber(topic="reactor/host-1/#", qos=0, **site.door("dashboard")) as heard,
        Speaker(**site.door("dashboard")) as dashboard,
        Speaker(**site.door("tickets")) as tickets,
        Speaker(**site.door("anna")) as anna,
    ):
        dashboard.say("reactor/host-1/set/hold", "on", **fresh)
        tickets.say("reactor/host-1/set/hold", "on", **fresh)
        note = json.dumps({"text": "disk swap"})
        tickets.say("reactor/host-1/trigger/note-on-request/web-1", note, **fresh)
        heard.wait_for(lambda: bool(heard.payloads("reactor/host-1/note/web-1")))
        (said,) = heard.payloads("reactor/host-1/note/web-1")
        assert json.loads(said)["text"] == "disk swap"
        answer = "reactor/host-1/reply/anna"
        anna.say("reactor/host-1/set/hold/web-1", "on", response_topic=answer, **fresh)
        heard.wait_for(lambda: bool(heard.payloads(answer)))
        assert json.loads(heard.payloads(answer)[0])["ok"]


def filters(settings: Settings) -> Sequence[str]:
    """What the daemon subscribes to."""
    assert settings.mqtt is not None
    orders = [f"reactor/host-1/{kind}/#" for kind in settings.mqtt.allow]
    return [*filters_of(load(settings.rules).policies, "reactor/host-1"), *orders]


@dataclass
class Acl:
    """The broker's ACL, changed for a while."""

    site: Site

    def put(self, text: str, *, may_alert: bool) -> None:
        """This text from now on; the broker has read it when it judges by it."""
        (self.site.folder / "broker" / "reactor" / "acl").write_text(text, encoding="utf-8")
        assert self.site.broker is not None
        self.site.broker.reload()
        with Speaker(**self.site.door("reactor-host-1")) as host:
            wait_until(lambda: (host.say("reactor/host-1/alert/x", "") < 128) is may_alert)


def wait_until(true: Callable[[], bool]) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.asyncio
async def test_the_doctor_finds_each_topic_that_the_acl_denies(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alerts that go out into nothing, holds that are never heard: the broker itself is silent."""
    monkeypatch.setattr(probe, "ECHO_S", 1.0)
    text = (EXAMPLE / "acl").read_text(encoding="utf-8")
    mine = "topic readwrite reactor/host-1/#\n"
    denies = f"{mine}topic deny reactor/host-1/alert/#\ntopic deny reactor/host-1/set/hold/#\n"
    acl, settings = Acl(site), site.settings()
    await asyncio.to_thread(acl.put, text.replace(mine, denies), may_alert=False)
    try:
        found = await examine_mqtt(site.options(), filters(settings), daemon=None)
    finally:
        await asyncio.to_thread(acl.put, text, may_alert=True)
    owner = f"the owner of {site.folder}/host/tls/reactor-host-1.pem"
    assert [
        (one.state, one.about, one.text.partition(":")[0], one.fix)
        for one in found.findings
        if one.state is State.PROBLEM or "set/hold" in one.text
    ] == [
        (
            State.PROBLEM,
            "publish",
            "reactor/host-1/alert/reactor-doctor/probe",
            f"allow {owner} to write reactor/host-1/# in the broker's ACL",
        ),
        (
            State.UNTESTED,
            "subscribe",
            "reactor/host-1/set/hold/#",
            "publish as an operator, and see what comes",
        ),
    ]


def test_a_new_password_counts_and_the_old_one_is_thrown_out(site: Site) -> None:
    """The lines of the page; reactor and everybody else stay where they are."""
    old = site.door("anna")
    with Subscriber(topic="x", **old) as anna, Subscriber(topic="x", **site.door("tickets")) as he:
        done = site.do(ROTATE)
        assert done.returncode == 0, done.stderr
        assert "systemctl reload mosquitto" in done.stdout
        assert site.broker is not None
        site.broker.reload()
        wait_until(lambda: not anna.connected)
        assert he.connected
        assert he.subscriptions == 1
    refused(site, **old)
    with Speaker(**site.door("anna")) as again:
        assert again.say("reactor/host-1/ask/status", "") < 128


@pytest.mark.asyncio
async def test_a_renewed_certificate_lets_the_host_in(site: Site) -> None:
    """The lines of the page make another one, and put it in place of the old."""
    file = site.folder / "host" / "tls" / "reactor-host-1.pem"
    before = file.read_bytes()
    done = await asyncio.to_thread(site.do, RENEW)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() != before
    assert (site.folder / "tls" / "localhost.pem").stat().st_mtime < file.stat().st_mtime
    found = await examine_mqtt(site.options(), [], daemon=None)
    assert found.connected


def test_the_line_for_an_operator_asks_for_the_status(site: Site) -> None:
    """With the door, the CA and the password that were made."""
    done = site.do(ASK)
    assert done.returncode == 0, done.stderr
    words = (site.folder / "calls").read_text(encoding="utf-8").split("\0")[:-1]
    said = dict(itertools.pairwise(words))
    assert (said["-h"], said["-p"]) == ("localhost", str(site.passwords_at))
    assert (said["-u"], said["-P"]) == ("anna", site.password("anna"))
    assert (site.folder / said["--cafile"]).is_file()
    assert said["-e"] == "reactor/host-1/reply/anna"
    assert said["-t"] == "reactor/host-1/ask/status"
