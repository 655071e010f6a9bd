"""Certificates as OpenSSL makes them, read; and what is said of files in good time."""

import contextlib
import datetime as dt
import ssl
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.adapters.mqtt import MqttOptions
from reactor.adapters.mqtt.certificate import read_certificates
from reactor.adapters.mqtt.credentials import SOON_S, Doubt, doubts
from tests.fakes.authority import Authority, openssl

DAY = 86_400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that signs for a few days."""
    return Authority(tmp_path_factory.mktemp("tls") / "ours").create()


def shown(file: Path) -> tuple[float, float]:
    """From when to when it holds, as the program says."""
    command = ["openssl", "x509", "-in", str(file), "-noout", "-dates"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    begins, ends = (line.partition("=")[2] for line in said.splitlines())
    return float(ssl.cert_time_to_seconds(begins)), float(ssl.cert_time_to_seconds(ends))


@pytest.mark.parametrize("days", [-1, 2, 20_000], ids=["over", "short", "after 2050"])
def test_a_certificate_says_whose_it_is_and_how_long_it_holds(
    authority: Authority, days: int
) -> None:
    """As OpenSSL reads it; from 2050 on its times have another form."""
    cert, _ = authority.sign(f"host-{days}", days=days)
    (read,) = read_certificates(cert.read_bytes())
    assert read.name == f"host-{days}"
    assert (read.begins, read.ends) == shown(cert)


def test_a_certificate_without_a_common_name(authority: Authority) -> None:
    """And with text before it, as `openssl x509 -text` writes it."""
    make = ("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "x.key", "-out", "x.pem")
    openssl(authority.folder, *make, "-subj", "/O=Some house/OU=Pumps")
    text = b"Certificate:\n    Data:\n" + (authority.folder / "x.pem").read_bytes()
    assert [one.name for one in read_certificates(text)] == [""]


@pytest.mark.parametrize(
    "pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate(pem: bytes) -> None:
    """Is a ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        read_certificates(pem)


@given(st.data())
def test_a_damaged_certificate_is_read_or_refused(data: st.DataObject) -> None:
    """Wherever it is cut, and whatever byte of it is changed."""
    der = bytearray(SAMPLE)
    place = data.draw(st.integers(0, len(der) - 1))
    der[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(der)))
    pem = ssl.DER_cert_to_PEM_cert(bytes(der[:cut]))
    with contextlib.suppress(ValueError):
        assert len(read_certificates(pem.encode())) == 1


def _sample() -> bytes:
    """A certificate's structure with the least in it, as DER."""

    def tlv(tag: int, *parts: bytes) -> bytes:
        content = b"".join(parts)
        return bytes([tag, len(content)]) + content

    times = tlv(0x30, tlv(0x17, b"260101000000Z"), tlv(0x18, b"20510101000000Z"))
    name = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\x04\x03"), tlv(12, b"me"))))
    body = tlv(0x30, tlv(2, b"\x01"), tlv(0x30), tlv(0x30), times, name)
    return tlv(0x30, body, tlv(0x30), tlv(3, b"\0"))


SAMPLE = _sample()


def test_a_certificate_of_the_first_version() -> None:
    """It has no version number; before 2050 a year has two digits, with any other tag none."""
    (read,) = read_certificates(ssl.DER_cert_to_PEM_cert(SAMPLE).encode())
    assert read.name == "me"
    assert read.begins == dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()
    assert read.ends == dt.datetime(2051, 1, 1, tzinfo=dt.UTC).timestamp()
    before = SAMPLE.replace(b"260101000000Z", b"990101000000Z")
    (read,) = read_certificates(ssl.DER_cert_to_PEM_cert(before).encode())
    assert read.begins == dt.datetime(1999, 1, 1, tzinfo=dt.UTC).timestamp()
    with pytest.raises(ValueError, match="a damaged certificate"):
        read_certificates(ssl.DER_cert_to_PEM_cert(SAMPLE.replace(b"\x17\r", b"\x16\r")).encode())


RENEW = "renew it, or set this host's clock"


@pytest.mark.parametrize(
    ("left", "problem"),
    [
        pytest.param(-1.0, "has expired", id="a second too late"),
        pytest.param(0.0, "expires on", id="now"),
        pytest.param(SOON_S, "expires on", id="two weeks"),
        pytest.param(SOON_S + 1, "", id="a second more"),
        pytest.param(40 * DAY, "", id="as it was made"),
        pytest.param(40 * DAY + 1, "is not valid yet", id="a second too early"),
    ],
)
def test_a_certificate_is_spoken_of_two_weeks_before_it_ends(
    authority: Authority, left: float, problem: str
) -> None:
    """Each day until it is renewed, and by whatever clock the host has."""
    cert, key = authority.sign("host", days=40)
    key.chmod(0o600)
    options = MqttOptions.parse("mqtts://b", host="h", cert_file=cert, key_file=key)
    (read,) = read_certificates(cert.read_bytes())
    assert read.ends - read.begins == 40 * DAY
    if problem == "expires on":
        problem += f" {dt.datetime.fromtimestamp(read.ends, dt.UTC).date()}"
    expected = [Doubt("cert_file", cert, problem, RENEW)] if problem else []
    assert doubts(options, read.ends - left) == expected


def test_of_several_authorities_one_that_holds_is_enough(authority: Authority) -> None:
    """A bundle keeps old ones for a while."""
    bundle = authority.folder / "bundle.pem"
    old, _ = authority.sign("old", days=-1)
    bundle.write_bytes(old.read_bytes() + authority.ca.read_bytes())
    options = MqttOptions.parse("mqtts://b", host="h", ca_file=bundle)
    (read,) = read_certificates(authority.ca.read_bytes())
    assert doubts(options, read.begins + DAY) == []
    assert [one.text for one in doubts(options, read.ends + 1)] == [f"{bundle} has expired"]


@pytest.mark.parametrize(
    ("mode", "is_open"),
    [(0o600, False), (0o640, False), (0o644, True), (0o604, True)],
    ids=["owner", "group", "everybody", "others"],
)
def test_a_secret_that_everybody_can_read_is_told(
    authority: Authority, tmp_path: Path, mode: int, is_open: bool
) -> None:
    """Password and key, also a key that stands in cert_file; a certificate is no secret."""
    cert, key = authority.sign("host", days=40)
    password, both = tmp_path / "password", tmp_path / "both.pem"
    password.write_text("x\n")
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    cert.chmod(0o644)
    for file in (password, both, key):
        file.chmod(mode)
    begins = read_certificates(cert.read_bytes())[0].begins
    found = []
    for files in ({"cert_file": cert, "key_file": key}, {"cert_file": both}):
        options = MqttOptions.parse(
            "mqtts://u@b",
            host="h",
            password_file=password,
            **files,  # type: ignore[arg-type]
        )
        found += [(one.path, one.problem) for one in doubts(options, begins + DAY)]
    wrong = "can be read by everybody on this host"
    told = [(one, wrong) for one in (password, key, password, both)]
    assert found == (told if is_open else [])


def test_an_empty_password_file_is_told(tmp_path: Path) -> None:
    """A line's end is no password; what is missing or no file is the connect's to tell."""
    password = tmp_path / "password"
    options = MqttOptions.parse("mqtt://u@b", host="h", password_file=password)
    assert doubts(options, 0.0) == []
    password.write_text("\r\n")
    password.chmod(0o600)
    assert doubts(options, 0.0) == [
        Doubt("password_file", password, "is empty", "write the password into it")
    ]
    password.unlink()
    password.mkdir()
    assert doubts(options, 0.0) == []
