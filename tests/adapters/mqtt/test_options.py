"""The settings of the broker: what they mean, and every way to get them wrong."""

from pathlib import Path
from typing import Unpack

import pytest

from reactor.adapters.mqtt import BrokerAddress, MqttOptions
from reactor.errors import SettingsError
from tests.adapters.mqtt.support import ParseOptions, text

FORM = "write mqtt://host:port, or mqtts://host:port for TLS"
PORT = "write a port from 1 to 65535, or none"
WORDS = "write words, with single slashes between them"
WORD = "write one word"


def parse(
    url: str = "mqtt://broker", host: str = "h1", **more: Unpack[ParseOptions]
) -> MqttOptions:
    """The options, with the place that the settings file gives."""
    return MqttOptions.parse(url, host=host, place="reactor.yaml:3:7", **more)


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("mqtt://broker", BrokerAddress("broker", 1883, tls=False), "mqtt://broker:1883"),
        ("mqtts://broker/", BrokerAddress("broker", 8883, tls=True), "mqtts://broker:8883"),
        ("MQTT://Broker:1", BrokerAddress("broker", 1, tls=False), "mqtt://broker:1"),
        ("mqtt://u@[::1]:99", BrokerAddress("::1", 99, tls=False), "mqtt://[::1]:99"),
    ],
)
def test_an_address(url: str, address: BrokerAddress, shown: str) -> None:
    """Host, port (the scheme's own when none is given) and TLS; the user is not shown."""
    assert parse(url).address == address
    assert str(address) == shown


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True),
     ("10.0.0.1", False), ("broker", False), ("localhost.example", False)],
)  # fmt: skip
def test_loopback(host: str, loopback: bool) -> None:
    """Whether the traffic stays on this machine."""
    assert BrokerAddress(host, 1883, tls=False).loopback is loopback


def test_defaults_and_topics() -> None:
    """The client id carries the host, and so do all topics."""
    options = parse("mqtt://reac%40tor@broker", prefix="site/reactor")
    assert (options.client_id, options.keepalive) == ("reactor-h1", 30)
    assert options.username == "reac@tor"
    assert options.base == "site/reactor/h1"
    assert options.availability == "site/reactor/h1/availability"
    assert parse(client_id="mine").client_id == "mine"
    assert parse("mqtt://u@broker", username="u").username == "u"


@pytest.mark.parametrize(
    ("url", "problem", "fix"),
    [
        ("broker", "url 'broker' is not an address", FORM),
        ("broker:1883", "url 'broker:1883' is not an address", FORM),
        ("http://broker", "url 'http://broker' is not an address", FORM),
        ("mqtt://", "url 'mqtt://' is not an address", FORM),
        ("mqtt://[::1", "url 'mqtt://[::1' is not an address", FORM),
        ("mqtt://broker/x", "url 'mqtt://broker/x' has more than host and port", FORM),
        ("mqtt://broker?x=1", "url 'mqtt://broker?x=1' has more than host and port", FORM),
        ("mqtt://broker:0", "url 'mqtt://broker:0' has a wrong port", PORT),
        ("mqtt://broker:65536", "url 'mqtt://broker:65536' has a wrong port", PORT),
        ("mqtt://broker:x", "url 'mqtt://broker:x' has a wrong port", PORT),
        (
            "mqtt://user:s3cret@broker",
            "the url holds a password, which everybody who lists processes or settings can read",
            "put the password into a file of its own and name it as password_file",
        ),
    ],
)
def test_a_wrong_url(url: str, problem: str, fix: str) -> None:
    """The text shows the url, but never a password."""
    with pytest.raises(SettingsError) as caught:
        parse(url)
    assert str(caught.value) == text("reactor.yaml:3:7", problem, fix)


@pytest.mark.parametrize("prefix", ["reactor", "a/b", "Ünicode", "with space"])
def test_a_prefix_that_is_taken(prefix: str) -> None:
    """One level or more, in any language."""
    assert parse(prefix=prefix).base == f"{prefix}/h1"


@pytest.mark.parametrize(
    ("prefix", "problem"),
    [
        ("", "the prefix is empty"),
        ("/reactor", "the prefix '/reactor' has a slash too many"),
        ("reactor/", "the prefix 'reactor/' has a slash too many"),
        ("a//b", "the prefix 'a//b' has a slash too many"),
        ("a/+", "the prefix 'a/+' has a wildcard or a control character"),
        ("a/#", "the prefix 'a/#' has a wildcard or a control character"),
        ("a\0b", "the prefix 'a\\x00b' has a wildcard or a control character"),
        ("$SYS", "the prefix '$SYS' begins with '$', which belongs to the broker"),
    ],
)
def test_a_wrong_prefix(prefix: str, problem: str) -> None:
    """What cannot begin a topic."""
    with pytest.raises(SettingsError) as caught:
        parse(prefix=prefix)
    assert str(caught.value) == text("reactor.yaml:3:7", problem, WORDS)


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("", "the host name is empty"),
        ("a/b", "the host name 'a/b' has a slash"),
        ("a+", "the host name 'a+' has a wildcard or a control character"),
    ],
)
def test_a_wrong_host_name(host: str, problem: str) -> None:
    """It is one level of every topic."""
    with pytest.raises(SettingsError) as caught:
        parse(host=host)
    assert str(caught.value) == text("reactor.yaml:3:7", problem, WORD)


@pytest.mark.parametrize("keepalive", [1, 65535])
def test_a_keepalive_that_is_taken(keepalive: int) -> None:
    """Both ends of the range."""
    assert parse(keepalive=keepalive).keepalive == keepalive


@pytest.mark.parametrize("keepalive", [0, 65536, -1])
def test_a_wrong_keepalive(keepalive: int) -> None:
    """One step outside the range, and below zero."""
    with pytest.raises(SettingsError) as caught:
        parse(keepalive=keepalive)
    assert str(caught.value) == text(
        "reactor.yaml:3:7",
        f"keepalive is {keepalive}",
        "write a number of seconds from 1 to 65535",
    )


def test_two_users() -> None:
    """The url and username must not contradict each other."""
    with pytest.raises(SettingsError) as caught:
        parse("mqtt://one@broker", username="two")
    assert str(caught.value) == text(
        "reactor.yaml:3:7",
        "the url names the user 'one', and username is 'two'",
        "keep one of them",
    )


def test_a_password_without_a_user(tmp_path: Path) -> None:
    """MQTT 3.1.1 has no form for it."""
    password = tmp_path / "password"
    password.write_text("x")
    with pytest.raises(SettingsError) as caught:
        parse(password_file=password)
    assert str(caught.value) == text(
        "reactor.yaml:3:7", "password_file is given without a user", "write username as well"
    )


def test_tls_files_without_tls(tmp_path: Path) -> None:
    """They would be ignored, which nobody wants."""
    with pytest.raises(SettingsError) as caught:
        parse(ca_file=tmp_path / "ca.pem")
    assert str(caught.value) == text(
        "reactor.yaml:3:7",
        "ca_file is given, and the url does not use TLS",
        "write mqtts:// in the url, or leave the file out",
    )


def test_a_key_without_its_certificate(tmp_path: Path) -> None:
    """A key alone proves nothing."""
    with pytest.raises(SettingsError) as caught:
        parse("mqtts://broker", key_file=tmp_path / "key.pem")
    assert str(caught.value) == text(
        "reactor.yaml:3:7",
        "key_file is given without cert_file",
        "write cert_file as well: the certificate that belongs to the key",
    )
