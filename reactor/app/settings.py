"""What the admin of a host decides: checked values, whatever file or flag they came from."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reactor.adapters.mqtt.options import MqttOptions
from reactor.app.requests.kinds import Kind
from reactor.core.config import EngineConfig
from reactor.core.policy import Enforcement, Limit
from reactor.core.text import slug
from reactor.errors import Problem, SettingsError


class SettingsFileError(SettingsError):
    """Settings that cannot be used; carries every problem of one pass."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.place, first.problem, first.fix)

    def __str__(self) -> str:
        """All the problems, two lines each."""
        return "\n".join(map(str, self.problems))


@dataclass(frozen=True, slots=True)
class Discovery:
    """Guests that are found by their sockets; ``discover`` is an absolute pattern.

    ``agent`` is the absolute path of the guest agent's socket, with ``{name}`` for the
    guest's name; None where none is named.
    """

    discover: str
    labels: Mapping[str, str] = field(default_factory=dict)
    agent: str | None = None

    def agent_of(self, guest: str) -> str | None:
        """Where this guest's agent is reached."""
        return self.agent and self.agent.replace("{name}", guest)


@dataclass(frozen=True, slots=True)
class NamedGuest:
    """One guest; ``qmp`` is ``unix:/absolute/path`` or ``host:port``, ``agent`` a path."""

    name: str
    qmp: str
    labels: Mapping[str, str] = field(default_factory=dict)
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """The broker; its files are absolute paths that nobody has opened yet.

    ``allow``: what may be ordered and asked over it; ``commands``: which QMP commands may
    be sent by hand.
    """

    url: str
    username: str | None = None
    password_file: Path | None = None
    prefix: str = "reactor"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    client_id: str | None = None
    allow: tuple[Kind, ...] = ()
    home_assistant: str | None = None
    commands: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds of requests that are taken over it."""
        return (*self.allow, Kind.COMMAND) if self.commands else self.allow


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """Where the journal is, how long (seconds) and how much (bytes) of the past it keeps."""

    path: Path
    keep: float = 90 * 86_400.0
    max: int = 10 << 30


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where operators ask the daemon; ``socket`` None: beside the journal.

    ``group``: whose members may ask, beside root and the daemon's own user.
    """

    socket: Path | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class HostSettings:
    """This machine, as policies and topics name it."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QmpSettings:
    """Commands that need a permission and have it."""

    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ExecSettings:
    """Programs that policies may start, by their absolute paths."""

    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DumpsSettings:
    """Where memory dumps may be written; ``allow`` are single paths beside the folder.

    ``quota`` and ``free`` are bytes, ``keep`` seconds, None: without a bound. ``keep_last``
    dumps of each guest never are too old.
    """

    folder: Path = Path("/var/crash")
    allow: frozenset[str] = frozenset()
    quota: int | None = None
    keep: float | None = None
    keep_last: int = 1
    free: int | None = None


@dataclass(frozen=True, slots=True)
class LimitsSettings:
    """Limits over all policies, by the command that goes out."""

    reset: tuple[Limit, ...] = ()
    dump: tuple[Limit, ...] = ()
    destroy: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one daemon; every path is absolute.

    ``sources`` are the settings files that were read, in their order; none
    when everything came from flags and the environment.
    """

    host: HostSettings
    journal: JournalSettings
    discoveries: tuple[Discovery, ...] = ()
    guests: tuple[NamedGuest, ...] = ()
    rules: tuple[Path, ...] = ()
    mqtt: MqttSettings | None = None
    control: ControlSettings = ControlSettings()
    qmp: QmpSettings = QmpSettings()
    exec: ExecSettings = ExecSettings()
    dumps: DumpsSettings = DumpsSettings()
    limits: LimitsSettings = LimitsSettings()
    enforcement: Enforcement | None = None
    sources: tuple[Path, ...] = ()

    @property
    def control_socket(self) -> Path:
        """Where the daemon listens for operators.

        Beside the journal by default, as its lock is: whoever finds the journal finds the
        daemon, and two daemons never want the same place.
        """
        if self.control.socket is not None:
            return self.control.socket
        # Resolved, because the daemon resolves it too: by a link the same socket is meant.
        return Path(f"{os.path.realpath(self.journal.path)}.sock")

    def engine_config(self) -> EngineConfig:
        """The part that the engine decides by."""
        limits = {
            "reset": self.limits.reset,
            "dump": self.limits.dump,
            "destroy": self.limits.destroy,
        }
        return EngineConfig(
            host=self.host.name,
            host_labels=self.host.labels,
            allow=self.qmp.allow,
            commands=frozenset(self.mqtt.commands if self.mqtt else ()),
            dumps_folder=str(self.dumps.folder),
            dumps_allow=self.dumps.allow,
            exec_allow=self.exec.allow,
            limits={kind: found for kind, found in limits.items() if found},
            enforcement=self.enforcement,
            has_broker=self.mqtt is not None,
        )

    def mqtt_options(self) -> MqttOptions | None:
        """What the link to the broker needs; None without a broker.

        Raises:
            SettingsError: a value is wrong. Files are not looked at: the connect does.
        """
        if self.mqtt is None:
            return None
        mqtt = self.mqtt
        return MqttOptions.parse(
            mqtt.url,
            # Topics are made of the slug, so the last will must be too.
            host=slug(self.host.name),
            place=f"{self.sources[0]}: mqtt" if self.sources else "mqtt",
            prefix=mqtt.prefix,
            client_id=mqtt.client_id,
            username=mqtt.username,
            password_file=mqtt.password_file,
            ca_file=mqtt.ca_file,
            cert_file=mqtt.cert_file,
            key_file=mqtt.key_file,
        )
