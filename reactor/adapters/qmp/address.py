"""Where a monitor listens, as the operator writes it."""

import re
from dataclasses import dataclass

from reactor.errors import SettingsError

_HOST_PORT = re.compile(r"(?:tcp:)?(?P<host>\[[^\]]+\]|[^/:\s]+):(?P<port>\d{1,5})")

_FORMS = "write unix:/path/to/socket, a plain path, or host:port"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A unix socket by its path."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A TCP port on a host; ``host`` without the brackets of IPv6."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


Address = UnixAddress | TcpAddress


def parse_address(text: str) -> Address:
    """The address in ``unix:/path``, a plain path, ``host:port`` or ``tcp:host:port``.

    What holds no slash and ends in a port is TCP, everything else a path.

    Raises:
        SettingsError: the text is none of these.
    """
    if match := _HOST_PORT.fullmatch(text):
        return _tcp(text, match["host"].strip("[]"), int(match["port"]))
    path = text.removeprefix("unix:")
    if "," in path and path.partition(",")[2].startswith(("server", "wait", "reconnect")):
        raise SettingsError(
            f"monitor {text}",
            "QEMU's own options stand behind the path",
            f"write unix:{path.partition(',')[0]}",
        )
    if not path or "\0" in path or path.startswith("tcp:"):
        raise SettingsError(f"monitor {text!r}", "this is not an address", _FORMS)
    return UnixAddress(path)


def _tcp(text: str, host: str, port: int) -> TcpAddress:
    if not 0 < port < 65536:
        raise SettingsError(
            f"monitor {text}", f"{port} is not a port", "use a port from 1 to 65535"
        )
    return TcpAddress(host, port)
