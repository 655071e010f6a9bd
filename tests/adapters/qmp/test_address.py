"""Addresses as operators write them."""

import pytest

from reactor.adapters.qmp import parse_address
from reactor.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("/run/qemu/web-1.sock", "unix:/run/qemu/web-1.sock", id="a plain path"),
        pytest.param("unix:/run/q.sock", "unix:/run/q.sock", id="unix"),
        pytest.param("q.sock", "unix:q.sock", id="a relative path"),
        pytest.param("/run/a:4444", "unix:/run/a:4444", id="a slash makes it a path"),
        pytest.param("/run/a,b.sock", "unix:/run/a,b.sock", id="a comma in a path"),
        pytest.param("127.0.0.1:4444", "127.0.0.1:4444", id="host and port"),
        pytest.param("tcp:db:1", "db:1", id="QEMU's own spelling of TCP"),
        pytest.param("[::1]:65535", "[::1]:65535", id="IPv6"),
    ],
)
def test_an_address(text: str, canonical: str) -> None:
    """Every form is read, and written in one way."""
    assert str(parse_address(text)) == canonical


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(
            "",
            "monitor '': this is not an address\n"
            "  fix: write unix:/path/to/socket, a plain path, or host:port",
            id="nothing",
        ),
        pytest.param(
            "tcp:db",
            "monitor 'tcp:db': this is not an address\n"
            "  fix: write unix:/path/to/socket, a plain path, or host:port",
            id="TCP without a port",
        ),
        pytest.param(
            "db:0", "monitor db:0: 0 is not a port\n  fix: use a port from 1 to 65535", id="port 0"
        ),
        pytest.param(
            "db:65536",
            "monitor db:65536: 65536 is not a port\n  fix: use a port from 1 to 65535",
            id="a port too many",
        ),
        pytest.param(
            "unix:/run/q.sock,server=on,wait=off",
            "monitor unix:/run/q.sock,server=on,wait=off: "
            "QEMU's own options stand behind the path\n"
            "  fix: write unix:/run/q.sock",
            id="copied from QEMU's command line",
        ),
    ],
)
def test_what_is_not_an_address(text: str, error: str) -> None:
    """The error says how to write it."""
    with pytest.raises(SettingsError) as caught:
        parse_address(text)
    assert str(caught.value) == error
