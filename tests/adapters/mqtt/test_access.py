"""Who is let in: passwords from files, TLS, client certificates."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.adapters.mqtt.support import QUICK, rig, text, until
from tests.fakes.broker import Mosquitto, TlsFiles

pytestmark = pytest.mark.asyncio

SAY_WHO = "correct username, or the password in password_file: it is read at every connect"


@dataclass(frozen=True)
class Authority:
    """A CA of its own in a folder, which signs what it is asked to."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The CA's own certificate."""
        return self.folder / "ca.pem"

    def create(self) -> "Authority":
        """Itself, with a key and a certificate."""
        self.folder.mkdir()
        self._openssl("req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem",
                      "-subj", f"/CN={self.folder.name}")  # fmt: skip
        return self

    def sign(self, name: str) -> tuple[Path, Path]:
        """A certificate for ``name``, and its key."""
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{name}\n", encoding="utf-8")
        self._openssl("req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr",
                      "-subj", f"/CN={name}")  # fmt: skip
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-out", f"{name}.pem", "-days", "2",
                      "-extfile", extensions.name)  # fmt: skip
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=10
        )


_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA that the broker's certificate comes from."""
    return Authority(tmp_path_factory.mktemp("tls") / "ours").create()


@pytest.fixture
def tls_broker(tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    """A broker that speaks TLS as ``localhost`` and wants no client certificate."""
    cert, key = authority.sign("localhost")
    with Mosquitto(tmp_path, tls=TlsFiles(authority.ca, cert, key)) as broker:
        yield broker


async def test_a_wrong_password_is_told_and_a_corrected_file_needs_no_restart(
    tmp_path: Path,
) -> None:
    """The password is read again at every connect, without its line end."""
    password = tmp_path / "password"
    password.write_text("wrong\n")
    with Mosquitto(tmp_path, users={"reactor": "right"}) as broker:
        setup = rig(broker.url, username="reactor", password_file=password)
        async with setup.running() as publisher:
            await until(lambda: setup.listener.troubles)
            password.write_text("right\r\n")
            await until(lambda: publisher.connected)
    assert setup.listener.troubles == [
        text(
            f"broker {broker.url}",
            "it does not let the user 'reactor' in with this password",
            SAY_WHO,
        )
    ]


async def test_a_password_file_that_vanishes_is_told_and_asked_for_again(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """The daemon goes on, and connects when the file is back."""
    password = tmp_path / "password"
    password.write_text("x")
    setup = rig(broker.url, username="reactor", password_file=password)
    password.unlink()
    async with setup.running() as publisher:
        await until(lambda: setup.listener.troubles)
        password.write_text("x")
        await until(lambda: publisher.connected)
    assert setup.listener.troubles == [
        text(
            f"password_file {password}",
            "cannot be used: No such file or directory",
            "mend it, or correct password_file",
        )
    ]


async def test_a_broker_that_knows_its_clients_wants_a_name(tmp_path: Path) -> None:
    """Without a user in the settings the fix is to write one."""
    with Mosquitto(tmp_path, users={"reactor": "right"}) as broker:
        setup = rig(broker.url)
        async with setup.running():
            await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"broker {broker.url}",
            "it does not let anybody in without a user name",
            "write username and password_file",
        )
    ]


async def test_tls_with_the_right_ca(tls_broker: Mosquitto, authority: Authority) -> None:
    """The certificate is checked against ca_file and the host's name, and 500 kB come through."""
    setup = rig(tls_broker.url, ca_file=authority.ca)
    for number in range(50):
        setup.outbox.add(f"t/{number}", b"x" * 10_000)
    async with setup.running() as publisher:
        await until(lambda: not setup.outbox.rows)
        await publisher.close(2)
    assert publisher.counters.published == 50
    assert setup.listener.log == ["connected", "disconnected"]


async def test_tls_with_an_unknown_ca(tls_broker: Mosquitto, tmp_path: Path) -> None:
    """A certificate that nobody we trust has signed is refused with OpenSSL's reason."""
    other = Authority(tmp_path / "other").create()
    setup = rig(tls_broker.url, ca_file=other.ca)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"broker {tls_broker.url}",
            "its TLS certificate is not accepted: self-signed certificate in certificate chain",
            "name the CA that signed it as ca_file, and use the name that stands in it",
        )
    ]


async def test_tls_with_another_name(tls_broker: Mosquitto, authority: Authority) -> None:
    """The name in url must be the one in the certificate."""
    setup = rig(f"mqtts://127.0.0.1:{tls_broker.port}", ca_file=authority.ca)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"broker mqtts://127.0.0.1:{tls_broker.port}",
            "its TLS certificate is not accepted: IP address mismatch, certificate is not valid "
            "for '127.0.0.1'",
            "name the CA that signed it as ca_file, and use the name that stands in it",
        )
    ]


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


async def test_a_port_with_tls_spoken_to_without_it(tls_broker: Mosquitto) -> None:
    """The broker hangs up; the fix names TLS."""
    url = f"mqtt://127.0.0.1:{tls_broker.port}"
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


async def test_a_client_certificate_lets_us_in(tmp_path: Path, authority: Authority) -> None:
    """A broker that requires one knows us by it, without a user."""
    cert, key = authority.sign("localhost")
    own_cert, own_key = authority.sign("reactor")
    files = TlsFiles(authority.ca, cert, key, require_client=True)
    with Mosquitto(tmp_path, tls=files) as broker:
        setup = rig(broker.url, ca_file=authority.ca, cert_file=own_cert, key_file=own_key)
        async with setup.running() as publisher:
            await until(lambda: publisher.connected)
            await publisher.close(1)
        without = rig(broker.url, ca_file=authority.ca)
        async with without.running():
            await until(lambda: without.listener.troubles)
    assert setup.listener.troubles == []
    assert not without.listener.log.count("connected")


async def test_a_key_that_does_not_fit_is_told(authority: Authority, tls_broker: Mosquitto) -> None:
    """Certificate and key of two different names."""
    cert, _ = authority.sign("one")
    _, key = authority.sign("two")
    setup = rig(tls_broker.url, ca_file=authority.ca, cert_file=cert, key_file=key)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"cert_file {cert}",
            "cannot be used: key values mismatch",
            "mend it, or correct cert_file",
        )
    ]


@pytest.mark.parametrize("host", ["broker.invalid", "x" * 64 + ".example"])
async def test_a_name_that_cannot_be_resolved(host: str) -> None:
    """``.invalid`` never exists, and no part of a name may be longer than 63 letters."""
    setup = rig(f"mqtt://{host}")
    async with setup.running():
        await until(lambda: setup.listener.troubles, within_s=15)
    assert setup.listener.troubles == [
        text(
            f"broker mqtt://{host}:1883",
            f"the name '{host}' cannot be resolved",
            "correct url in the settings, or the name service",
        )
    ]


async def test_a_password_file_that_is_no_text(tmp_path: Path, broker: Mosquitto) -> None:
    """A password that is not UTF-8 cannot be sent."""
    password = tmp_path / "password"
    password.write_bytes(b"\xff\xfe")
    setup = rig(broker.url, username="reactor", password_file=password)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"password_file {password}",
            "cannot be used: 'utf-8' codec can't decode byte 0xff in position 0: "
            "invalid start byte",
            "mend it, or correct password_file",
        )
    ]


async def test_a_ca_file_that_is_no_certificate(tmp_path: Path) -> None:
    """The file is there, so that the settings were taken."""
    ca = tmp_path / "ca.pem"
    ca.write_text("nonsense")
    setup = rig("mqtts://127.0.0.1:1", ca_file=ca)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"ca_file {ca}",
            "cannot be used: no certificate or crl found",
            "mend it, or correct ca_file",
        )
    ]


async def test_a_file_system_that_hangs_is_told(tmp_path: Path) -> None:
    """A pipe without a writer hangs as a dead network share does; the loop goes on."""
    password = tmp_path / "password"
    password.write_text("x")
    setup = rig(
        "mqtt://127.0.0.1:1",
        replace(QUICK, connect_s=0.1),
        username="reactor",
        password_file=password,
    )
    password.unlink()
    os.mkfifo(password)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
        await asyncio.to_thread(password.write_text, "let the thread go")
    assert setup.listener.troubles[0] == text(
        "broker mqtt://127.0.0.1:1",
        "the files of the password and of TLS cannot be read in time",
        "keep them on a local file system",
    )
