"""What of a command or a request is secret, and stays out of journal and trace."""

from collections.abc import Mapping

HIDDEN = "***"
"""What stands in the place of a secret."""

_SECRET = frozenset({"password", "cookie", "input-data"})
_HMP = (("set_password",), ("object_add",), ("change", "vnc"))
"""What begins a line for people's monitor that ends in a secret."""


def without_secrets(arguments: Mapping[str, object]) -> Mapping[str, object]:
    """The arguments as they may be kept; secrets at any depth are hidden.

    Source: QEMU's qapi/ui.json and qga/qapi-schema.json (``password``; ``input-data`` of a
    program in the guest), qapi/block-core.json (``cookie`` of disks that come over HTTP),
    qapi/qom.json (the objects ``secret`` and ``secret_keyring``: ``data`` is the secret itself,
    up to QEMU 5.2 inside of ``props``), hmp-commands.hx.
    """
    return _members(arguments, HIDDEN, of_secret=False)


def holds_secrets(arguments: Mapping[str, object]) -> bool:
    """Whether a secret stands in the arguments, or stood there before it was hidden."""
    return _members(arguments, object(), of_secret=False) != arguments


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


def _members(given: Mapping[str, object], mask: object, *, of_secret: bool) -> dict[str, object]:
    of_secret = of_secret or str(given.get("qom-type", "")).startswith("secret")
    hidden = _SECRET | {"data"} if of_secret else _SECRET
    if given.get("property") in {"data", "password"}:
        hidden = hidden | {"value"}  # qom-set on such an object
    shown: dict[str, object] = {}
    for name, value in given.items():
        if name in hidden:
            shown[name] = mask
        elif name == "command-line":
            shown[name] = _line(value, mask)
        else:
            shown[name] = _value(value, mask, of_secret=of_secret and name == "props")
    return shown


def _value(value: object, mask: object, *, of_secret: bool) -> object:
    if isinstance(value, Mapping):
        return _members(value, mask, of_secret=of_secret)
    if isinstance(value, list | tuple):
        return [_value(one, mask, of_secret=False) for one in value]
    return value


def _line(line: object, mask: object) -> object:
    """A line for people's monitor, by its first words where the rest may be a secret."""
    words = line.split() if isinstance(line, str) else []
    for head in _HMP:
        if tuple(words[: len(head)]) == head and words[len(head) :]:
            return f"{' '.join(head)} {mask}"
    return line
