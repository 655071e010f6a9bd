"""What of a command or a request is secret, and stays out of journal and trace."""

from collections.abc import Mapping

HIDDEN = "***"
"""What stands in the place of a secret."""

_SECRET = frozenset({"password", "cookie", "input-data"})
_HMP = ("set_password", "change", "object_add")


def without_secrets(arguments: Mapping[str, object]) -> Mapping[str, object]:
    """The arguments as they may be kept; secrets at any depth are hidden.

    Source: QEMU's qapi/ui.json and qga/qapi-schema.json (``password``; ``input-data`` of a
    program in the guest), qapi/block-core.json (``cookie`` of disks that come over HTTP),
    qapi/qom.json (the objects ``secret`` and ``secret_keyring``: ``data`` is the secret itself,
    up to QEMU 5.2 inside of ``props``), hmp-commands.hx.
    """
    return _members(arguments, of_secret=False)


def request_shown(url: object, headers: object, body: object) -> Mapping[str, object]:
    """What may be told of a request that was not sent: no query, user, header or body."""
    way, scheme, rest = str(url).partition("://")
    place = rest.partition("?")[0].partition("#")[0]
    authority, slash, path = place.partition("/")
    told: dict[str, object] = {"url": f"{way}{scheme}{authority.rpartition('@')[2]}{slash}{path}"}
    if isinstance(headers, Mapping):
        told["headers"] = dict.fromkeys(headers, HIDDEN)
    if body is not None:
        told["json"] = HIDDEN
    return told


def _members(given: Mapping[str, object], *, of_secret: bool) -> dict[str, object]:
    of_secret = of_secret or str(given.get("qom-type", "")).startswith("secret")
    hidden = _SECRET | {"data"} if of_secret else _SECRET
    shown: dict[str, object] = {}
    for name, value in given.items():
        if name in hidden:
            shown[name] = HIDDEN
        elif name == "command-line":
            shown[name] = _line(value)
        else:
            shown[name] = _value(value, of_secret=of_secret and name == "props")
    return shown


def _value(value: object, *, of_secret: bool) -> object:
    if isinstance(value, Mapping):
        return _members(value, of_secret=of_secret)
    if isinstance(value, list | tuple):
        return [_value(one, of_secret=False) for one in value]
    return value


def _line(line: object) -> object:
    """A line for people's monitor, by its first word where the rest may be a secret."""
    words = line.split(None, 1) if isinstance(line, str) else []
    return f"{words[0]} {HIDDEN}" if words and words[0] in _HMP and words[1:] else line
