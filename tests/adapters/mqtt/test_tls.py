"""TLS with a real Mosquitto: certificates both ways, and each sentence that an operator reads."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from reactor.adapters.mqtt import MqttOptions
from reactor.adapters.mqtt.credentials import read_secrets
from reactor.app.broker_files import file_problems
from reactor.app.doctor.findings import State
from reactor.app.doctor.mqtt import examine_mqtt
from reactor.errors import BrokerError
from tests.adapters.mqtt.support import BASE, HOST, ParseOptions, rig, text, until
from tests.fakes.authority import Authority, openssl
from tests.fakes.broker import Mosquitto, TlsFiles

ACL = f"user reactor-{HOST}\ntopic readwrite {BASE}/#\n"
LET_IN = f"reactor-{HOST}"


@dataclass(frozen=True)
class Yard:
    """Brokers that speak TLS, and those who sign.

    ``strict`` lets in only who has a certificate of ``ours``, under the name that stands in it;
    ``stale`` has a certificate that has expired.
    """

    ours: Authority
    other: Authority
    plain: Mosquitto
    strict: Mosquitto
    stale: Mosquitto

    def owner(self, name: str, by: Authority | None = None, **more: str | int) -> ParseOptions:
        """The settings of somebody with a certificate."""
        cert, key = (by or self.ours).sign(name, **more)  # type: ignore[arg-type]
        return {"ca_file": self.ours.ca, "cert_file": cert, "key_file": key}


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """All of it, once for all tests here."""
    folder = tmp_path_factory.mktemp("tls")
    ours, other = Authority(folder / "ours").create(), Authority(folder / "other").create()
    cert, key = ours.sign("localhost")
    old = ours.sign("stale", days=-1, also="localhost")
    with ExitStack() as stack:

        def broker(name: str, files: TlsFiles, *extra: str) -> Mosquitto:
            place = folder / name
            place.mkdir()
            strict = {"acl": ACL, "users": {}} if files.require_client else {}
            made = Mosquitto(place, tls=files, extra=extra, **strict)  # type: ignore[arg-type]
            return stack.enter_context(made)

        yield Yard(
            ours,
            other,
            broker("plain", TlsFiles(ours.ca, cert, key)),
            broker(
                "strict",
                TlsFiles(ours.ca, cert, key, require_client=True),
                "use_identity_as_username true",
            ),
            broker("stale", TlsFiles(ours.ca, *old)),
        )


@dataclass(frozen=True)
class Case:
    """One thing that is wrong: the url, the settings, and what is to be read."""

    url: str
    settings: ParseOptions
    place: str
    problem: str
    fix: str


def at_strict(yard: Yard, settings: ParseOptions, problem: str, fix: str) -> Case:
    """A case at the broker that wants certificates."""
    return Case(yard.strict.url, settings, f"broker {yard.strict.url}", problem, fix)


def refused(yard: Yard, settings: ParseOptions, why: str, fix: str) -> Case:
    """The broker does not accept our certificate."""
    problem = f"it does not accept our certificate {settings['cert_file']}: {why}"
    return at_strict(yard, settings, problem, fix)


def not_trusted(url: str, settings: ParseOptions, why: str, fix: str) -> Case:
    """We do not accept the broker's."""
    problem = f"its TLS certificate is not accepted: {why}"
    return Case(url, settings, f"broker {url}", problem, fix)


def a_file(yard: Yard, settings: ParseOptions, name: str, why: str, fix: str) -> Case:
    """One of our files cannot be used."""
    place = f"{name} {settings[name]}"  # type: ignore[literal-required]
    return Case(yard.strict.url, settings, place, f"cannot be used: {why}", fix)


def other_ca(yard: Yard) -> Case:
    """Somebody signed it whom we do not trust."""
    why = "self-signed certificate in certificate chain"
    fix = "name the CA that signed it as ca_file"
    return not_trusted(yard.plain.url, {"ca_file": yard.other.ca}, why, fix)


def other_name(yard: Yard) -> Case:
    """The name in url is not in it."""
    return not_trusted(
        f"mqtts://127.0.0.1:{yard.plain.port}",
        {"ca_file": yard.ours.ca},
        "IP address mismatch, certificate is not valid for '127.0.0.1'",
        "write a name in url that stands in it, or make one for this name",
    )


def stale(yard: Yard) -> Case:
    """It has expired."""
    fix = "renew it at the broker, or set this host's clock"
    ours: ParseOptions = {"ca_file": yard.ours.ca}
    return not_trusted(yard.stale.url, ours, "certificate has expired", fix)


def no_certificate(yard: Yard) -> Case:
    """The broker wants one."""
    problem = "it lets nobody in without a client certificate"
    return at_strict(yard, {"ca_file": yard.ours.ca}, problem, "write cert_file and key_file")


def foreign(yard: Yard) -> Case:
    """The broker does not know who signed ours."""
    why = "the broker does not know the CA that signed it"
    fix = "have it signed by the CA that the broker names as cafile"
    return refused(yard, yard.owner("foreign", yard.other), why, fix)


def expired(yard: Yard) -> Case:
    """Ours has expired."""
    return refused(yard, yard.owner("expired", days=-1), "it has expired", "renew it")


def for_servers(yard: Yard) -> Case:
    """Ours says that it is a server's."""
    settings = yard.owner("server", usage="serverAuth")
    return refused(yard, settings, "it is none for clients", "make one for clients (clientAuth)")


def encrypted(yard: Yard) -> Case:
    """Nobody is there who could type its passphrase."""
    settings = yard.owner("encrypted")
    key = yard.ours.folder / "locked.key"
    protect = ("pkey", "-in", "encrypted.key", "-aes256", "-passout", "pass:x", "-out", key.name)
    openssl(key.parent, *protect)
    settings["key_file"] = key
    fix = f"write it without a passphrase: openssl pkey -in {key} -out FILE, and chmod 600 FILE"
    return a_file(yard, settings, "key_file", "the key in it is encrypted", fix)


def another_key(yard: Yard) -> Case:
    """Certificate and key of two names."""
    settings = yard.owner("one")
    settings["key_file"] = yard.owner("two")["key_file"]
    fix = "mend it, or correct cert_file"
    return a_file(yard, settings, "cert_file", "key values mismatch", fix)


def missing(name: str) -> Callable[[Yard], Case]:
    """A file that is not there."""

    def make(yard: Yard) -> Case:
        settings = yard.owner(f"without-{name}") | {name: yard.ours.folder / "none"}
        fix = f"create it and let reactor's user read it, or correct {name}"
        return a_file(yard, settings, name, "No such file or directory", fix)  # type: ignore[arg-type]

    return make


def folder(yard: Yard) -> Case:
    """A folder where a file is meant."""
    settings: ParseOptions = {"ca_file": yard.ours.folder}
    return a_file(yard, settings, "ca_file", "it is not a file", "correct ca_file")


def nonsense(yard: Yard) -> Case:
    """A file that holds no certificate."""
    file = yard.ours.folder / "nonsense.pem"
    file.write_text("nonsense")
    fix = "mend it, or correct ca_file"
    return a_file(yard, {"ca_file": file}, "ca_file", "no certificate or crl found", fix)


CASES = [
    pytest.param(other_ca, id="a CA that we do not know"),
    pytest.param(other_name, id="another name"),
    pytest.param(stale, id="the broker's has expired"),
    pytest.param(no_certificate, id="no client certificate"),
    pytest.param(foreign, id="a CA that the broker does not know"),
    pytest.param(expired, id="ours has expired"),
    pytest.param(for_servers, id="ours is a server's"),
    pytest.param(encrypted, id="an encrypted key"),
    pytest.param(another_key, id="another's key"),
    pytest.param(missing("ca_file"), id="no ca_file"),
    pytest.param(missing("cert_file"), id="no cert_file"),
    pytest.param(missing("key_file"), id="no key_file"),
    pytest.param(folder, id="a folder"),
    pytest.param(nonsense, id="no certificate in it"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("make", CASES)
async def test_what_is_wrong_is_said_in_the_log_and_by_the_doctor_and_by_check(
    yard: Yard, make: Callable[[Yard], Case]
) -> None:
    """In the same words, with what to do about it; of files, check knows without the broker."""
    case = make(yard)
    said = text(case.place, case.problem, case.fix)
    setup = rig(case.url, **case.settings)
    async with setup.running():
        await until(lambda: said in setup.listener.troubles, 20)
    examined = await examine_mqtt(setup.options, [], daemon=None)
    (connect,) = [one for one in examined.findings if one.about == "connect"]
    assert (connect.state, connect.text) == (State.PROBLEM, f"{case.place}: {case.problem}")
    assert connect.fix == case.fix
    checked = [(one.problem, one.fix) for one in file_problems(setup.options, "reactor.yaml")]
    is_file = not case.place.startswith("broker")
    assert ((f"{case.place} {case.problem}", case.fix) in checked) == is_file


@pytest.mark.asyncio
async def test_the_right_ca_is_enough_where_no_certificate_is_asked_for(yard: Yard) -> None:
    """The broker's is checked against ca_file and the host's name, and 500 kB come through."""
    setup = rig(yard.plain.url, ca_file=yard.ours.ca)
    for number in range(50):
        setup.outbox.add(f"t/{number}", b"x" * 10_000)
    async with setup.running() as publisher:
        await until(lambda: not setup.outbox.rows, 20)
        await publisher.close(2)
    assert publisher.counters.published == 50
    assert setup.listener.log == ["connected", "disconnected"]


@pytest.mark.asyncio
async def test_the_name_in_the_certificate_is_the_user(yard: Yard) -> None:
    """Its ACL holds for us without a username, and another's name may not write here."""
    setup = rig(yard.strict.url, **yard.owner(LET_IN))
    setup.outbox.add(f"{BASE}/alert", b"help")
    async with setup.running():
        await until(lambda: not setup.outbox.rows, 20)
    assert setup.listener.troubles == []
    anna = rig(yard.strict.url, **yard.owner("anna"))
    found = await examine_mqtt(anna.options, [], daemon=None)
    fixes = {one.fix for one in found.findings if one.state is State.PROBLEM}
    cert = anna.options.cert_file
    assert fixes == {f"allow the owner of {cert} to write {BASE}/# in the broker's ACL"}


@pytest.mark.asyncio
async def test_a_broker_that_knows_the_certificate_and_not_the_name(
    yard: Yard, tmp_path: Path
) -> None:
    """Where the name in it is no user the fix is not to write a password only."""
    cert, key = yard.ours.sign("localhost")
    files = TlsFiles(yard.ours.ca, cert, key, require_client=True)
    with Mosquitto(tmp_path, tls=files, users={"anna": "a"}) as broker:
        setup = rig(broker.url, **yard.owner("nobody"))
        async with setup.running():
            await until(lambda: setup.listener.troubles, 20)
    assert setup.listener.troubles == [
        text(
            f"broker {broker.url}",
            f"it does not let the owner of {setup.options.cert_file} in",
            "give that name to a user of the broker, or write username and password_file",
        )
    ]


@pytest.mark.asyncio
async def test_a_renewed_certificate_needs_no_restart(yard: Yard, tmp_path: Path) -> None:
    """The files are read at every connect: the one that has expired is replaced while it runs."""
    old, new = yard.owner("reactor-old", days=-1), yard.owner(LET_IN)
    mine: ParseOptions = {
        "ca_file": yard.ours.ca,
        "cert_file": tmp_path / "cert.pem",
        "key_file": tmp_path / "key.pem",
    }

    def take(settings: ParseOptions) -> None:
        for name in ("cert_file", "key_file"):
            shutil.copy(str(settings[name]), str(mine[name]))

    take(old)
    setup = rig(yard.strict.url, **mine)
    async with setup.running() as publisher:
        await until(lambda: setup.listener.troubles, 20)
        assert "it has expired" in setup.listener.troubles[0]
        take(new)
        await until(lambda: publisher.connected, 20)


@pytest.mark.asyncio
async def test_tls_to_a_port_without_it(broker: Mosquitto) -> None:
    """A broker that does not understand the hello hangs up."""
    url = f"mqtts://127.0.0.1:{broker.port}"
    setup = rig(url)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"broker {url}",
            "TLS cannot be agreed on: it hung up",
            "check that this port speaks TLS (8883 as a rule), or write mqtt:// without it",
        )
    ]


@pytest.mark.asyncio
async def test_a_port_with_tls_spoken_to_without_it(yard: Yard) -> None:
    """The broker hangs up; the fix names TLS."""
    url = f"mqtt://127.0.0.1:{yard.plain.port}"
    setup = rig(url)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"broker {url}",
            "the connection was closed without an answer",
            "check that this is an MQTT port, and write mqtts:// if it speaks TLS",
        )
    ]


def test_what_tls_says_is_kept_also_when_we_write_too_late(yard: Yard) -> None:
    """The broker refuses us and hangs up before our first byte: its reason is read all the same."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*yard.ours.sign("localhost"))
    server.load_verify_locations(yard.ours.ca)
    server.verify_mode = ssl.CERT_REQUIRED
    options = MqttOptions.parse("mqtts://localhost", host=HOST, ca_file=yard.ours.ca)
    secrets = read_secrets(options)
    assert secrets.tls is not None
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(10)
        far.settimeout(10)

        async def shake() -> tuple[object, object]:
            def client() -> ssl.SSLSocket:
                assert secrets.tls is not None
                return secrets.tls.wrap_socket(near, server_hostname="localhost")

            def broker() -> None:
                server.wrap_socket(far, server_side=True)

            return await asyncio.gather(
                asyncio.to_thread(client), asyncio.to_thread(broker), return_exceptions=True
            )

        client, refusal = asyncio.run(shake())
        assert isinstance(refusal, ssl.SSLError)
        assert isinstance(client, ssl.SSLSocket)
        with client, pytest.raises(OSError, match=r"pipe|EOF|closed|reset"):
            client.send(b"CONNECT")
    assert secrets.alerts == ["TLSV13_ALERT_CERTIFICATE_REQUIRED"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied")])
def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    """As the kernel says it."""
    file = tmp_path / "password"
    file.write_text("x")

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    options = MqttOptions.parse("mqtt://broker", host=HOST, username="u", password_file=file)
    with pytest.raises(BrokerError) as caught:
        read_secrets(options)
    assert str(caught.value) == text(
        f"password_file {file}",
        "cannot be used: Permission denied",
        "create it and let reactor's user read it, or correct password_file",
    )
