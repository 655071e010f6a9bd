"""The places that settings come from, as trees that are laid over each other.

A file, its ``conf.d``, the environment and the flags give one tree each, in
this order. Mappings are merged key by key; lists of files are added up; what
stands in the environment or in a flag takes the place of a whole list. Every
node keeps its place, so that a problem names the file or flag it is in.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reactor.adapters.qmp.address import UnixAddress, parse_address
from reactor.errors import Code, Place, Problem, SettingsError
from reactor.policyfile.chunks import MAX_BYTES, decode
from reactor.policyfile.nodes import Dictionary, Entry, Node, Scalar
from reactor.policyfile.nodes import Sequence as NodeList
from reactor.policyfile.reader import read

SYSTEM_FILE = Path("/etc/reactor/reactor.yaml")
STATE_FOLDER = Path("/var/lib/reactor")

_PREFIX = "REACTOR_"
_WILD = frozenset("*?[{")
_TOP = {"REACTOR_ENFORCEMENT": "enforcement"}


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None and empty where it says nothing."""

    config: Path | None = None
    rules: Sequence[Path] = ()
    qmp: Sequence[str] = ()
    mqtt: str | None = None
    journal: Path | None = None
    host: str | None = None
    audit: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """One tree; ``overrides``: its lists take the place of those below."""

    root: Dictionary
    overrides: bool = False


def find_file(flags: Flags, environment: Mapping[str, str]) -> tuple[Path | None, str]:
    """The settings file to use and who named it, for people; None where there is none.

    ``-c``, then ``$REACTOR_CONFIG``, then the first that exists of the
    system's and the user's. A command line that names guests of its own never
    takes up a file that nobody named: it might hold the guests of production.
    """
    if flags.config is not None:
        return flags.config, ""
    if named := environment.get("REACTOR_CONFIG"):
        return Path(named), " (named by $REACTOR_CONFIG)"
    if flags.qmp:
        return None, ""
    files = (SYSTEM_FILE, user_file(environment))
    return next((file for file in files if os.path.lexists(file)), None), ""


def user_file(environment: Mapping[str, str]) -> Path:
    """Where a user's own settings file is looked for."""
    folder = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return absolute(folder, Path("/"), environment) / "reactor" / "reactor.yaml"


def default_journal(file: Path | None, environment: Mapping[str, str]) -> Path:
    """The journal where the settings name none.

    The system's folder belongs to settings files; flags alone and a user's
    own file keep to the user's folder, so that they need no rights.
    """
    if file is not None and absolute(file, Path.cwd(), environment) != user_file(environment):
        return STATE_FOLDER / "journal.db"
    folder = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return absolute(folder, Path("/"), environment) / "reactor" / "journal.db"


def absolute(text: str | Path, folder: Path, environment: Mapping[str, str]) -> Path:
    """The path, from the folder where it is relative; ``~`` is the user's home."""
    path = str(text)
    if path == "~" or path.startswith("~/"):
        # Unlike Path.home() this is no error for a user without a home.
        home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111
        path = home + path[1:]
    # Not resolve(): a link in the path stays what the admin wrote.
    return Path(os.path.abspath(folder / path))  # noqa: PTH100


def read_files(file: Path, named_by: str) -> tuple[list[Layer], list[Problem], list[Path]]:
    """The trees of a settings file and of its ``conf.d``, the problems, and the files."""
    layers: list[Layer] = []
    problems: list[Problem] = []
    files = [file, *_drop_ins(file, problems)]
    for one in files:
        root, found = _read_file(one, named_by if one is file else "")
        problems += found
        if root is not None:
            layers.append(Layer(root))
    return layers, problems, files


def _drop_ins(file: Path, problems: list[Problem]) -> list[Path]:
    # Only beside the name that belongs to it: `-c try.yaml` means that one file.
    folder = file.parent / "conf.d"
    if file.name != "reactor.yaml" or not folder.is_dir():
        return []
    try:
        return sorted(path for path in folder.iterdir() if _is_drop_in(path))
    except OSError as error:
        problems.append(_unreadable(str(folder), error))
        return []


def _is_drop_in(path: Path) -> bool:
    return path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")


def _read_file(file: Path, named_by: str) -> tuple[Dictionary | None, list[Problem]]:
    name = str(file)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [_unreadable(name + named_by, error)]
    text, problems = decode(data, name)
    return (None, problems) if problems else _tree(text, name)


def _unreadable(name: str, error: OSError) -> Problem:
    match error:
        case FileNotFoundError():
            fix = "check the path; `reactor init` writes settings to begin with"
            return Problem(Place(name), Code.UNREADABLE, "there is no such settings file", fix)
        case IsADirectoryError():
            problem, fix = "this is a folder, not a settings file", "name the file in it"
        case PermissionError():
            problem, fix = "it must not be read", "let the user of reactor read it"
        case _:
            problem, fix = f"it cannot be read ({error.strerror})", "check the file system"
    return Problem(Place(name), Code.UNREADABLE, problem, fix)


def _tree(text: str, name: str) -> tuple[Dictionary | None, list[Problem]]:
    reading = read(text, name)
    problems = list(reading.problems)
    roots = [document.root for document in reading.documents]
    if len(roots) > 1:
        place = reading.documents[1].place
        problem = "settings are one document, this is a second one"
        problems.append(Problem(place, Code.WRONG_VALUE, problem, "put all keys into one document"))
    root = roots[0] if roots else Dictionary(Place(name), {})
    if isinstance(root, Dictionary):
        return root, problems
    if not problems:
        problem, fix = "settings are a mapping of keys", "write them as `key: value`"
        problems.append(Problem(root.place, Code.WRONG_VALUE, problem, fix))
    return None, problems


def read_environment(environment: Mapping[str, str]) -> tuple[list[Layer], list[Problem]]:
    """``REACTOR_MQTT__URL`` as ``mqtt.url``, and ``REACTOR_ENFORCEMENT``; values are YAML.

    Other variables are not settings: service managers and containers make up
    names such as ``REACTOR_PORT``. An empty value counts as not set.
    """
    layers: list[Layer] = []
    problems: list[Problem] = []
    for variable in sorted(environment):
        keys = _keys(variable)
        if not keys or not environment[variable].strip():
            continue
        place = Place(f"${variable}")
        reading = read(environment[variable], place.file)
        problems += reading.problems
        if len(reading.documents) == 1:
            layers.append(_layer(place, keys, reading.documents[0].root))
    return layers, problems


def _keys(variable: str) -> list[str]:
    if variable in _TOP:
        return [_TOP[variable]]
    section, separator, key = variable.removeprefix(_PREFIX).partition("__")
    is_setting = variable.startswith(_PREFIX) and separator and section and key
    return [section.lower(), key.lower()] if is_setting else []


def read_flags(flags: Flags) -> list[Layer]:
    """A tree for each flag that was given."""
    values: list[tuple[str, list[str], Node | None]] = [
        ("--rules", ["rules"], _list("--rules", map(str, flags.rules))),
        ("--qmp", ["guests"], _monitors(flags.qmp)),
        ("--mqtt", ["mqtt", "url"], _text("--mqtt", flags.mqtt)),
        ("--journal", ["journal", "path"], _text("--journal", flags.journal)),
        ("--host", ["host", "name"], _text("--host", flags.host)),
        ("--audit", ["enforcement"], _text("--audit", "audit" if flags.audit else None)),
    ]
    return [_layer(Place(flag), keys, node) for flag, keys, node in values if node is not None]


def _text(flag: str, value: str | Path | None) -> Node | None:
    place = Place(flag)
    return None if value is None else Scalar(place, place, str(value), "'")


def _list(flag: str, values: Iterator[str]) -> Node | None:
    items = tuple(Scalar(Place(flag), Place(flag), value, "'") for value in values)
    return NodeList(Place(flag), items) if items else None


def _monitors(texts: Sequence[str]) -> Node | None:
    """An entry of ``guests`` for each ``--qmp``."""
    items = []
    for text in texts:
        place = Place(f"--qmp {text}")
        is_pattern = not _WILD.isdisjoint(text)
        written = {"discover": text} if is_pattern else {"name": _name_of(text), "qmp": text}
        entries = {
            key: Entry(place, Scalar(place, place, value, "'")) for key, value in written.items()
        }
        items.append(Dictionary(place, entries))
    return NodeList(Place("--qmp"), tuple(items)) if items else None


def _name_of(address: str) -> str:
    """A socket's guest is called like its file, as discovery does it; else like its address."""
    try:
        parsed = parse_address(address)
    except SettingsError:
        return address  # what is wrong with it is said where addresses are checked
    return Path(parsed.path).stem if isinstance(parsed, UnixAddress) else str(parsed)


def _layer(place: Place, keys: Sequence[str], node: Node) -> Layer:
    *outer, last = keys
    root = Dictionary(place, {last: Entry(place, node)})
    for key in reversed(outer):
        root = Dictionary(place, {key: Entry(place, root)})
    return Layer(root, overrides=True)


def merge(layers: Sequence[Layer]) -> Dictionary:
    """All trees as one; of two values that are no mapping and no list the later one stands."""
    root = Dictionary(Place("settings"), {})
    for layer in layers:
        root = _merged(root, layer.root, overrides=layer.overrides)
    return root


def _merged(below: Dictionary, above: Dictionary, *, overrides: bool) -> Dictionary:
    entries = dict(below.entries)
    for key, entry in above.entries.items():
        old = entries[key].value if key in entries else None
        value = entry.value
        if isinstance(old, Dictionary) and isinstance(value, Dictionary):
            value = _merged(old, value, overrides=overrides)
        elif isinstance(old, NodeList) and isinstance(value, NodeList) and not overrides:
            value = NodeList(value.place, old.items + value.items)
        entries[key] = Entry(entry.key_place, value)
    return Dictionary(above.place, entries)
