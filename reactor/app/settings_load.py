"""Settings from their places to checked values, or every problem that they have."""

import glob
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from reactor.adapters.agent import parse_socket
from reactor.adapters.qmp.address import UnixAddress, parse_address
from reactor.app import settings_schema as written
from reactor.app.requests.kinds import Kind
from reactor.app.settings import (
    ControlSettings,
    Discovery,
    DumpsSettings,
    ExecSettings,
    HostSettings,
    JournalSettings,
    LimitsSettings,
    MqttSettings,
    NamedGuest,
    QmpSettings,
    Settings,
    SettingsFileError,
)
from reactor.app.settings_layers import (
    Flags,
    absolute,
    default_journal,
    find_file,
    merge,
    read_environment,
    read_files,
    read_flags,
)
from reactor.core.policy import Enforcement
from reactor.errors import Code, Place, Problem
from reactor.policyfile.findings import _Ground
from reactor.policyfile.nodes import Dictionary, Entry, Node, Scalar, Sequence


def load_settings(
    flags: Flags | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings that these flags and this environment (the process's when None) lead to.

    Nothing that they name is opened: no socket, policy, password or journal.

    Raises:
        SettingsFileError: with every problem of one pass.
    """
    flags = flags or Flags()
    environment = os.environ if environment is None else environment
    file, named_by = find_file(flags, environment)
    layers, problems, files = read_files(file, named_by) if file else ([], [], [])
    more, found = read_environment(environment)
    root, unbuilt = _without_unbuilt(merge([*layers, *more, *read_flags(flags)]))
    ground = _Ground(root)
    laid, misfits = _fit(root, ground)
    problems += [*found, *unbuilt, *misfits, *_twins(root)]
    if laid is None or problems:
        order = {str(one): number for number, one in enumerate(files)}
        problems.sort(key=lambda one: (order.get(one.place.file, len(order)), one.place))
        raise SettingsFileError(problems)
    builder = _Builder(ground, {str(one): one.parent for one in files}, environment)
    return builder.build(laid, default_journal(file, environment), tuple(files))


def _fit(root: Dictionary, ground: _Ground) -> tuple[written.File | None, list[Problem]]:
    """The tree as a model, or None, with everything that does not fit."""
    file = None
    problems: list[Problem] = []
    try:
        file = written.File.model_validate(ground.lay(root), context=ground)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            problems += ground.translate(details)
    return file, problems + ground.complaints


def _without_unbuilt(root: Dictionary) -> tuple[Dictionary, list[Problem]]:
    """The tree without the settings of later versions, and a problem for each of them."""
    problems: list[Problem] = []

    def below(node: Node, above: str) -> Node:
        match node:
            case Dictionary():
                return without(node, above)
            case Sequence(place, items):
                return Sequence(place, tuple(below(item, above) for item in items))
            case _:
                return node

    def without(node: Dictionary, above: str) -> Dictionary:
        kept = {}
        for key, entry in node.entries.items():
            name = f"{above}{key}"
            if name in written.LATER:
                sentence = f"`{name}` is part of the settings but not built yet"
                fix = written.LATER[name]
                problems.append(Problem(entry.key_place, Code.NOT_BUILT, sentence, fix, path=name))
            else:
                kept[key] = Entry(entry.key_place, below(entry.value, f"{name}."))
        return Dictionary(node.place, kept)

    return without(root, ""), problems


_ONCE = {
    "name": ("guest", "give it another name"),
    "discover": ("pattern", "keep one of them"),
    "agent": ("agent", "name each guest's own: a command must not reach another one"),
}
"""What may stand once only in all of ``guests``, how it is called, and how to mend it."""


def _twins(root: Dictionary) -> Iterator[Problem]:
    """Guests and patterns that stand twice: which of the two would count?"""
    first: dict[tuple[str, str], Place] = {}
    guests = root.get("guests")
    for number, guest in enumerate(guests.items if isinstance(guests, Sequence) else ()):
        for key, (what, fix) in _ONCE.items():
            node = guest.get(key) if isinstance(guest, Dictionary) else None
            if not isinstance(node, Scalar) or not isinstance(node.value, str):
                continue
            if key == "agent" and "{name}" in node.value:
                continue  # another one for each guest
            before = first.setdefault((key, node.value), node.place)
            if before is not node.place:
                problem = f"the {what} `{node.value}` stands twice, first at {before}"
                path = f"guests/{number}/{key}"
                yield Problem(node.place, Code.DUPLICATE_NAME, problem, fix, path=path)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Makes the values; ``folders`` says what the paths of a file are relative to."""

    ground: _Ground
    folders: Mapping[str, Path]
    environment: Mapping[str, str]

    def build(self, file: written.File, journal: Path, sources: tuple[Path, ...]) -> Settings:
        """All settings of the file, with the defaults of what it leaves out."""
        host = file.host or written.Host()
        entries = list(enumerate(file.guests))
        return Settings(
            host=HostSettings(host.name or socket.gethostname() or "localhost", host.labels or {}),
            journal=self._journal(file.journal or written.Journal(), journal),
            discoveries=tuple(
                Discovery(
                    self._pattern(guest.discover, index),
                    guest.labels or {},
                    self._agent(guest.agent, index),
                )
                for index, guest in entries
                if guest.discover is not None
            ),
            guests=tuple(
                NamedGuest(
                    guest.name,
                    self._address(guest.qmp, index),
                    guest.labels or {},
                    self._agent(guest.agent, index),
                )
                for index, guest in entries
                if guest.name is not None and guest.qmp is not None
            ),
            rules=tuple(self._path(text, "rules", i) for i, text in enumerate(file.rules)),
            mqtt=self._mqtt(file.mqtt) if file.mqtt else None,
            control=self._control(file.control) if file.control else ControlSettings(),
            qmp=QmpSettings(frozenset(file.qmp.allow if file.qmp else ())),
            exec=ExecSettings(frozenset(file.exec.allow if file.exec else ())),
            dumps=self._dumps(file.dumps) if file.dumps else DumpsSettings(),
            limits=_limits(file.limits) if file.limits else LimitsSettings(),
            enforcement=Enforcement(file.enforcement) if file.enforcement else None,
            sources=sources,
        )

    def _path(self, text: str, *keys: str | int) -> Path:
        """The absolute path that stands at these keys: its file's folder is where it begins."""
        file = self.ground.find(keys).node.place.file
        return absolute(text, self.folders.get(file, Path()), self.environment)

    def _pattern(self, text: str, index: int) -> str:
        path = text.removeprefix("unix:")
        if path.startswith(("/", "~/")):
            return str(absolute(path, Path(), self.environment))
        # The folder's own name may hold what would be a wildcard in a pattern.
        folder = self._path(".", "guests", index, "discover")
        return os.path.normpath(os.path.join(glob.escape(str(folder)), path))  # noqa: PTH118

    def _address(self, text: str, index: int) -> str:
        address = parse_address(text)
        if isinstance(address, UnixAddress):
            return f"unix:{self._path(address.path, 'guests', index, 'qmp')}"
        return str(address)

    def _agent(self, text: str | None, index: int) -> str | None:
        if text is None:
            return None
        return str(self._path(parse_socket(text), "guests", index, "agent"))

    def _mqtt(self, mqtt: written.Mqtt) -> MqttSettings:
        def path(key: str, text: str | None) -> Path | None:
            return None if text is None else self._path(text, "mqtt", key)

        return MqttSettings(
            url=mqtt.url,
            username=mqtt.username,
            password_file=path("password_file", mqtt.password_file),
            prefix=mqtt.prefix or "reactor",
            ca_file=path("ca_file", mqtt.ca_file),
            cert_file=path("cert_file", mqtt.cert_file),
            key_file=path("key_file", mqtt.key_file),
            client_id=mqtt.client_id,
            allow=tuple(Kind(word) for word in dict.fromkeys(mqtt.allow)),
            home_assistant=mqtt.home_assistant,
            commands=mqtt.commands,
        )

    def _journal(self, given: written.Journal, default: Path) -> JournalSettings:
        path = self._path(given.path, "journal", "path") if given.path else default
        fallback = JournalSettings(path)
        return JournalSettings(path, given.keep or fallback.keep, given.max or fallback.max)

    def _control(self, control: written.Control) -> ControlSettings:
        named = control.socket
        path = self._path(named, "control", "socket") if named else None
        return ControlSettings(path, control.group)

    def _dumps(self, dumps: written.Dumps) -> DumpsSettings:
        allowed = (self._path(text, "dumps", "allow", i) for i, text in enumerate(dumps.allow))
        folder = self._path(dumps.folder, "dumps", "folder") if dumps.folder else None
        default = DumpsSettings()
        return DumpsSettings(
            folder or default.folder,
            frozenset(map(str, allowed)),
            dumps.quota,
            dumps.keep,
            dumps.keep_last or default.keep_last,
            dumps.free,
        )


def _limits(limits: written.LimitsOf) -> LimitsSettings:
    return LimitsSettings(limits.reset or (), limits.dump or (), limits.destroy or ())
