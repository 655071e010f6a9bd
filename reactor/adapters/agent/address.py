"""Where a guest's agent is reached, as the operator writes it."""

import re

from reactor.errors import SettingsError

_HOST_PORT = re.compile(r"(?:tcp:)?(?:\[[^\]]+\]|[^/:\s]+):\d{1,5}")


def parse_socket(text: str) -> str:
    """The path in ``unix:/path`` or a plain path.

    Raises:
        SettingsError: the text is no path, or QEMU's options stand behind it.
    """
    path = text.removeprefix("unix:")
    if not path or "\0" in path or _HOST_PORT.fullmatch(text):
        fix = "write unix:/path/to/socket, or a plain path"
        raise SettingsError(f"agent {text!r}", "this is not a unix socket", fix)
    if "," in path and path.partition(",")[2].startswith(("server", "wait", "reconnect")):
        fix = f"write unix:{path.partition(',')[0]}"
        raise SettingsError(f"agent {text}", "QEMU's own options stand behind the path", fix)
    return path
