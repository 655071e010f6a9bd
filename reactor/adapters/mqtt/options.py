"""Where the broker is and who we are there, checked before anything connects."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict, Unpack
from urllib.parse import SplitResult, unquote, urlsplit

from reactor.errors import SettingsError

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_NOT_IN_A_TOPIC = re.compile(r"[+#\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Host, port and whether TLS is spoken there."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        """The address as a URL, without the user."""
        scheme = "mqtts" if self.tls else "mqtt"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether what is sent there never leaves this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Details(TypedDict, total=False):
    """The settings that have a default, see ``MqttOptions``."""

    prefix: str
    password_file: Path | None
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    keepalive: int


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Everything the publisher has to know of the broker; ``parse`` makes and checks it.

    The password itself is not kept: all files are read at every connect, so that a
    changed one needs no restart, and one that is missing does not keep the daemon from
    its guests. ``keepalive`` is seconds between pings.
    """

    address: BrokerAddress
    host: str
    client_id: str
    username: str | None = None
    prefix: str = "reactor"
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive: int = 30

    @property
    def base(self) -> str:
        """``<prefix>/<host>``: what all our topics begin with."""
        return f"{self.prefix}/{self.host}"

    @property
    def availability(self) -> str:
        """The topic of ``online`` and ``offline``."""
        return f"{self.base}/availability"

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        host: str,
        place: object = "mqtt",
        client_id: str | None = None,
        username: str | None = None,
        **details: Unpack[Details],
    ) -> Self:
        """The options, when every setting is right.

        Args:
            url: ``mqtt://[user@]host[:port]``, or ``mqtts://`` for TLS.
            host: this host's name, one level of a topic.
            place: where the settings stand, for the error.
            client_id: ``reactor-<host>`` when None; unique at the broker.

        Raises:
            SettingsError: the first setting that is wrong, with its fix.
        """
        parts = _split(place, url)
        options = cls(
            address=_address(place, parts, url),
            host=host,
            client_id=f"reactor-{host}" if client_id is None else client_id,
            username=_user(place, parts, username),
            **details,
        )
        _check(place, options)
        return options


def _check(place: object, options: MqttOptions) -> None:
    """Everything that is wrong with more than the url."""
    _check_level(place, "host name", options.host, several=False)
    _check_level(place, "prefix", options.prefix, several=True)
    if not 1 <= options.keepalive <= 65535:
        raise SettingsError(
            place,
            f"keepalive is {options.keepalive}",
            "write a number of seconds from 1 to 65535",
        )
    if options.username is None and options.password_file is not None:
        raise SettingsError(
            place, "password_file is given without a user", "write username as well"
        )
    tls_files = {
        "ca_file": options.ca_file,
        "cert_file": options.cert_file,
        "key_file": options.key_file,
    }
    _check_tls_files(place, options.address, tls_files)


def parse_levels(text: str) -> str:
    """The text, when it can be the first levels of a topic.

    Raises:
        SettingsError: it cannot.
    """
    _check_level("mqtt", "prefix", text, several=True)
    return text


def _check_level(place: object, name: str, text: str, *, several: bool) -> None:
    """Refuse what cannot stand in a topic."""
    problem = ""
    if not text:
        problem = f"the {name} is empty"
    elif _NOT_IN_A_TOPIC.search(text):
        problem = f"the {name} {text!r} has a wildcard or a control character"
    elif text.startswith("$"):
        problem = f"the {name} {text!r} begins with '$', which belongs to the broker"
    elif several and "" in text.split("/"):
        problem = f"the {name} {text!r} has a slash too many"
    elif not several and "/" in text:
        problem = f"the {name} {text!r} has a slash"
    if problem:
        fix = "write words, with single slashes between them" if several else "write one word"
        raise SettingsError(place, problem, fix)


def _split(place: object, url: str) -> SplitResult:
    """The URL in its parts; what it may not have is refused here."""
    form = "write mqtt://host:port, or mqtts://host:port for TLS"
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        raise SettingsError(place, f"url {url!r} is not an address", form) from None
    if password is not None:
        # Never print it: the text goes into logs and onto terminals.
        raise SettingsError(
            place,
            "the url holds a password, which everybody who lists processes or settings can read",
            "put the password into a file of its own and name it as password_file",
        )
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SettingsError(place, f"url {url!r} is not an address", form)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise SettingsError(place, f"url {url!r} has more than host and port", form)
    return parts


def _address(place: object, parts: SplitResult, url: str) -> BrokerAddress:
    """Host and port, with the scheme's own port where none is given."""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise SettingsError(
            place, f"url {url!r} has a wrong port", "write a port from 1 to 65535, or none"
        )
    name = parts.hostname or ""
    return BrokerAddress(name, port or _PORTS[parts.scheme], parts.scheme == "mqtts")


def _user(place: object, parts: SplitResult, username: str | None) -> str | None:
    """The user's name, from wherever it is given."""
    in_url = None if parts.username is None else unquote(parts.username)
    if in_url and username and in_url != username:
        raise SettingsError(
            place,
            f"the url names the user {in_url!r}, and username is {username!r}",
            "keep one of them",
        )
    return username or in_url or None


def _check_tls_files(
    place: object, address: BrokerAddress, files: Mapping[str, Path | None]
) -> None:
    """Files for TLS make sense with TLS only, and a key only with its certificate."""
    given = [name for name, path in files.items() if path is not None]
    if given and not address.tls:
        raise SettingsError(
            place,
            f"{given[0]} is given, and the url does not use TLS",
            "write mqtts:// in the url, or leave the file out",
        )
    if "key_file" in given and "cert_file" not in given:
        raise SettingsError(
            place,
            "key_file is given without cert_file",
            "write cert_file as well: the certificate that belongs to the key",
        )
