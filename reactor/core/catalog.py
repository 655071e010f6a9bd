"""What is known of commands and events: effect, permission, idempotence, run states.

The functions that begin with ``agent`` speak of the commands of the QEMU guest agent,
all others of QMP.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reactor.core import catalog_agent, catalog_commands

STORAGE_DAEMON = "storage-daemon"
DISCONNECTED = "disconnected"
CONNECTED = "REACTOR_GUEST_CONNECTED"
"""The engine's own event: a monitor is ready."""


@dataclass(frozen=True, slots=True)
class OtherName:
    """Another name of an event; they are one where its data has ``member``."""

    name: str
    member: str


RENAMED: Mapping[str, OtherName] = {
    "MEM_UNPLUG_ERROR": OtherName("DEVICE_UNPLUG_GUEST_ERROR", "device"),
    "DEVICE_UNPLUG_GUEST_ERROR": OtherName("MEM_UNPLUG_ERROR", "device"),
}
"""Events that QEMU sends under an old and a new name, one after the other.

Source: QEMU docs/about/deprecated.rst, MEM_UNPLUG_ERROR (since 6.2); where both are sent
they come within one call of the device's code.
"""

RENAMED_WITHIN = 2.0
"""Seconds within which the same failure under both names counts once."""


class EffectClass(StrEnum):
    """How much a command can do; the order of the members is the order of power."""

    READ = "read"
    ADJUST = "adjust"
    DISRUPT = "disrupt"
    DESTROY = "destroy"
    ESCAPE = "escape"


_CLASSES: Mapping[str, EffectClass] = {
    name: effect
    for effect, names in (
        (EffectClass.READ, catalog_commands.READ),
        (EffectClass.ADJUST, catalog_commands.ADJUST),
        (EffectClass.DISRUPT, catalog_commands.DISRUPT),
        (EffectClass.DESTROY, catalog_commands.DESTROY),
        (EffectClass.ESCAPE, catalog_commands.ESCAPE),
    )
    for name in names
}

_AGENT_CLASSES: Mapping[str, EffectClass] = {
    name: effect
    for effect, names in (
        (EffectClass.READ, catalog_agent.READ),
        (EffectClass.ADJUST, catalog_agent.ADJUST),
        (EffectClass.DISRUPT, catalog_agent.DISRUPT),
        (EffectClass.DESTROY, catalog_agent.DESTROY),
        (EffectClass.ESCAPE, catalog_agent.ESCAPE),
    )
    for name in names
}

# Commands that destroy, write files of the host, start programs or open doors.
_NEEDS_ALLOW = (
    "quit human-monitor-command transaction qom-set add-fd getfd add_client "
    "blockdev-add blockdev-del blockdev-create blockdev-reopen blockdev-snapshot* "
    "blockdev-change-medium blockdev-remove-medium change change-backing-file block-commit "
    "block-dirty-bitmap-clear block-dirty-bitmap-remove "
    "drive-* chardev-* object-add object-del device_add device_del netdev_add netdev_del "
    "memsave pmemsave screendump dumpdtb dump-skeys snapshot-* replay-* "
    "nbd-server-start block-export-add migrate-incoming migrate-recover migrate-continue "
    "xen-* x-* yank"
).split()

_FAMILIES = tuple(word.removesuffix("*") for word in _NEEDS_ALLOW if word.endswith("*"))
_ALLOWED_ONLY = frozenset(
    name for name in _CLASSES if name in _NEEDS_ALLOW or name.startswith(_FAMILIES)
)

# Sent twice they leave what they leave when sent once. `cont` is not among them:
# the guest may have panicked again in between, and would run on as a dead kernel.
_IDEMPOTENT = frozenset(
    "set-action migrate-set-capabilities migrate-set-parameters stop balloon "
    "block-job-set-speed block_set_io_throttle set_link watchdog-set-action "
    "block-set-write-threshold block_resize set_password change-vnc-password announce-self "
    "block-dirty-bitmap-enable block-dirty-bitmap-disable rtc-reset-reinjection".split()
)

_LIMITED_AS = {"system_reset": "reset", "dump-guest-memory": "dump", "quit": "destroy"}


def effect_of(command: str) -> EffectClass:
    """How much this command can do; a command that nobody knows counts as ``escape``."""
    return _CLASSES.get(command, EffectClass.ESCAPE)


def is_known(command: str) -> bool:
    """Whether some QEMU from 5.2 to 11.1 has this command."""
    return command in _CLASSES


def known_commands() -> frozenset[str]:
    """The names of all commands, for did-you-mean."""
    return frozenset(_CLASSES)


def changes(command: str) -> bool:
    """Whether a step with this command must hold the guest."""
    return effect_of(command) is not EffectClass.READ


def moves_guest(command: str) -> bool:
    """Whether STOP, RESUME, POWERDOWN or SHUTDOWN may be an effect of this command."""
    return command in {"cont", "system_wakeup"} or effect_of(command) not in {
        EffectClass.READ,
        EffectClass.ADJUST,
    }


def migrates(command: str) -> bool:
    """Whether the command is about migrations, which a storage daemon does not know."""
    return command.startswith("migrate")


def needs_allow(command: str, arguments: Mapping[str, object] | None = None) -> bool:
    """Whether ``settings.qmp.allow`` must name this command before it goes out.

    ``migrate`` needs it only where its ``uri`` starts a program or writes a
    file; an ``uri`` that is not known yet (``arguments`` None) does not count.
    """
    if command == "migrate":
        uri = str((arguments or {}).get("uri", ""))
        channels = (arguments or {}).get("channels")
        return uri.startswith(("exec:", "file:")) or channels is not None
    return not is_known(command) or command in _ALLOWED_ONLY


def is_idempotent(command: str) -> bool:
    """Whether the command may be sent again when its reply was lost."""
    return command in _IDEMPOTENT or (
        effect_of(command) is EffectClass.READ and not needs_allow(command)
    )


def limited_as(command: str) -> str | None:
    """Under which name of ``settings.limits`` this command counts: reset, dump, destroy."""
    return _LIMITED_AS.get(command)


def written_files(command: str, arguments: Mapping[str, object]) -> list[str]:
    """The files of the host that QEMU would write, besides those of a dump and of disks."""
    name = arguments.get("filename")
    found = [name] if command in _WRITES_FILENAME else []
    if command == "migrate":
        uri = str(arguments.get("uri", ""))
        if uri.startswith(_TO_FILE):
            found.append(uri.removeprefix(_TO_FILE).partition(",offset=")[0])
        channels = arguments.get("channels")
        rows = channels if isinstance(channels, list) else []
        ways = [row.get("addr") for row in rows if isinstance(row, Mapping)]
        found += [way.get("filename") for way in ways if isinstance(way, Mapping)]
    return [name for name in found if isinstance(name, str)]


_TO_FILE = "file:"
_WRITES_FILENAME = frozenset(
    "memsave pmemsave screendump dump-skeys dumpdtb xen-save-devices-state".split()
)


def agent_commands() -> frozenset[str]:
    """The names of all commands that some guest agent has."""
    return frozenset(_AGENT_CLASSES)


def agent_effect_of(command: str) -> EffectClass:
    """How much this command can do to the guest; one that nobody knows counts as ``escape``."""
    return _AGENT_CLASSES.get(command, EffectClass.ESCAPE)


def agent_changes(command: str) -> bool:
    """Whether a step with this command must hold the guest."""
    return agent_effect_of(command) is not EffectClass.READ


def agent_replies(command: str) -> bool:
    """Whether a success is answered; without a reply the command is done once it is sent."""
    return command not in catalog_agent.SILENT


def agent_is_idempotent(command: str) -> bool:
    """Whether the command may be sent again when its reply was lost."""
    return command in catalog_agent.IDEMPOTENT


def deadly_arguments(command: str, arguments: Mapping[str, object]) -> str | None:
    """Why these schema-valid arguments would kill QEMU, or None.

    Source: measured on 7.2 and 11.1.3 (assertion ``bs_queue != NULL``).
    """
    if command == "blockdev-reopen" and arguments.get("options") == []:
        return "blockdev-reopen with empty options aborts QEMU"
    return None
