"""Which commands the settings may let others send by hand, and over which connections."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from reactor.adapters.mqtt.options import MqttOptions
from reactor.core import catalog
from reactor.core.by_hand import is_glob
from reactor.core.text import closest
from reactor.policyfile.schema_base import Complaint
from reactor.policyfile.values import wrong

COMMANDS = "commands"
"""The key below ``mqtt``."""


def check_command(text: str) -> str:
    """The entry itself: a command's full name, or a glob of commands that only read.

    Raises:
        PydanticCustomError: it is misspelt, or stands for more than its author may mean.
    """
    if is_glob(text):
        _check_glob(text)
        return text
    guess = closest(text, catalog.known_commands())
    # Vendors' commands begin with `__`, and no QEMU that we know has them.
    if guess and not catalog.is_known(text) and not text.startswith("__"):
        raise wrong(f"no QEMU has a command `{text}`", f"did you mean `{guess}`?")
    return text


def _check_glob(text: str) -> None:
    found = sorted(name for name in catalog.known_commands() if fnmatchcase(name, text))
    changing = next(filter(catalog.changes, found), None)
    if changing is not None:
        problem = f"`{text}` would also allow `{changing}`, which changes a guest"
        raise wrong(problem, "name commands that change something in full, one by one")
    if not found:
        raise wrong(f"no command fits `{text}`", "write such as `query-*`, or a command's name")


def connection_complaints(
    data: Mapping[str, object], options: MqttOptions | None
) -> Iterator[Complaint]:
    """Why nobody may send commands over this connection; ``options`` None: it is none at all."""
    if not data.get(COMMANDS) or options is None:
        return
    address = options.address
    if not address.tls and not address.loopback:
        problem = f"commands may not come over a plain connection: {address} is not this machine"
        yield Complaint(COMMANDS, problem, "write `mqtts://` in `url`, or take `commands` out")
    if options.username is None and options.cert_file is None:
        problem = "commands may not come to an anonymous client: nobody could keep others out"
        fix = "give reactor a user of its own: `username` and `password_file`, or `cert_file`"
        yield Complaint(COMMANDS, problem, fix)


def permission_complaints(data: Mapping[str, object]) -> Iterator[Complaint]:
    """Commands of ``mqtt.commands`` that would be refused all the same, of a whole file."""
    allowed = _texts(_below(data, "qmp", "allow"))
    for place, name in enumerate(_texts(_below(data, "mqtt", COMMANDS))):
        if catalog.is_known(name) and catalog.needs_allow(name) and name not in allowed:
            problem = f"`{name}` is dangerous, and `qmp.allow` does not name it"
            fix = f"add `{name}` to `qmp.allow` too, or take it out here"
            yield Complaint(("mqtt", COMMANDS, place), problem, fix)


def _below(data: Mapping[str, object], section: str, key: str) -> object:
    found = data.get(section)
    return found.get(key) if isinstance(found, Mapping) else None


def _texts(value: object) -> Sequence[str]:
    """The texts of a list, each at its place; what is none is told elsewhere."""
    return [str(one) for one in value] if isinstance(value, list | tuple) else []
