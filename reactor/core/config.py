"""What the settings tell the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor.core.policy import Enforcement, Limit


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The part of the settings that decides; the rest belongs to the adapters.

    Args:
        host: the host's name, as in topics and in ``host.name``.
        allow: QMP commands that destroy or reach the host and may go out.
        commands: QMP commands that may be sent by hand; globs stand for reading ones.
        dumps_folder: absolute path; ``guest: dump`` writes below it only,
            unless a path stands in ``dumps_allow``.
        exec_allow: absolute paths of the programs that ``exec`` may start.
        limits: over ALL policies, by ``reset``, ``dump``, ``destroy``.
        enforcement: caps every policy; None leaves each its own.
    """

    host: str = "localhost"
    host_labels: Mapping[str, str] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    dumps_folder: str = "/var/crash"
    dumps_allow: frozenset[str] = frozenset()
    exec_allow: frozenset[str] = frozenset()
    limits: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)
    enforcement: Enforcement | None = None
    has_broker: bool = True
