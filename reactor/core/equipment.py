"""What a guest has of the things without which some of QEMU's events never come.

A panic that no device reports is not heard of, whatever a policy says. What is looked at
here can be asked for cheaply and is certain; where a guest was not asked, or another kind
of machine may report in a way of its own, nothing is said.

Source: QEMU 7.2 and 11.1, hw/misc/pvpanic.c, target/i386/kvm/hyperv.c (``hv-crash``),
hw/watchdog/, hw/acpi/ich9_tco.c, hw/char/virtio-console.c (no event without an id),
hw/acpi/memory_hotplug.c, migration/migration.c; measured on 7.2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class Aspect(StrEnum):
    """What can be asked of a guest, each with queries of its own."""

    DEVICES = "devices"
    CAPABILITIES = "capabilities"
    NODES = "nodes"
    MEMORY = "memory"
    BALLOON = "balloon"
    DISPLAY = "display"


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a guest has; None where it was not asked or cannot tell.

    ``ports`` are the ids of its virtio-serial ports, ``thresholds`` whether a node of its
    disks has a write threshold, ``memory`` whether it has a memory device, ``resizable`` one
    that changes its size, ``display`` whether VNC is on.
    """

    panic: bool | None = None
    watchdog: bool | None = None
    ports: frozenset[str] | None = None
    migration_events: bool | None = None
    quorum: bool | None = None
    thresholds: bool | None = None
    memory: bool | None = None
    resizable: bool | None = None
    balloon: bool | None = None
    display: bool | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """Why an event cannot come.

    ``unseen``: what it tells of can happen all the same, and nobody hears of it. Else there
    is nothing that it could tell of.
    """

    text: str
    unseen: bool


NO_PANIC_DEVICE = Absence("no panic device (such as -device pvpanic)", unseen=True)
NO_WATCHDOG = Absence("no watchdog device (such as -device i6300esb)", unseen=True)
NO_MIGRATION_EVENTS = Absence("the migration capability `events` is off", unseen=True)
NO_PORT = Absence("no virtio-serial port has an id", unseen=False)
NO_QUORUM = Absence("no disk is a quorum", unseen=False)
NO_THRESHOLD = Absence("no disk has a write threshold", unseen=False)
NO_MEMORY_DEVICE = Absence("no memory device is plugged in", unseen=False)
NO_RESIZABLE = Absence("no memory device changes its size (virtio-mem)", unseen=False)
NO_BALLOON = Absence("no balloon device", unseen=False)
NO_DISPLAY = Absence("VNC is off", unseen=False)

PORT_EVENT = "VSERPORT_CHANGE"

_NEEDED: dict[str, tuple[Aspect, str, Absence]] = {
    "GUEST_PANICKED": (Aspect.DEVICES, "panic", NO_PANIC_DEVICE),
    "GUEST_CRASHLOADED": (Aspect.DEVICES, "panic", NO_PANIC_DEVICE),
    "GUEST_PVSHUTDOWN": (Aspect.DEVICES, "panic", NO_PANIC_DEVICE),
    "WATCHDOG": (Aspect.DEVICES, "watchdog", NO_WATCHDOG),
    PORT_EVENT: (Aspect.DEVICES, "ports", NO_PORT),
    "MIGRATION": (Aspect.CAPABILITIES, "migration_events", NO_MIGRATION_EVENTS),
    "MIGRATION_PASS": (Aspect.CAPABILITIES, "migration_events", NO_MIGRATION_EVENTS),
    "QUORUM_FAILURE": (Aspect.NODES, "quorum", NO_QUORUM),
    "QUORUM_REPORT_BAD": (Aspect.NODES, "quorum", NO_QUORUM),
    "BLOCK_WRITE_THRESHOLD": (Aspect.NODES, "thresholds", NO_THRESHOLD),
    "MEM_UNPLUG_ERROR": (Aspect.MEMORY, "memory", NO_MEMORY_DEVICE),
    "DEVICE_UNPLUG_GUEST_ERROR": (Aspect.MEMORY, "memory", NO_MEMORY_DEVICE),
    "MEMORY_DEVICE_SIZE_CHANGE": (Aspect.MEMORY, "resizable", NO_RESIZABLE),
    "BALLOON_CHANGE": (Aspect.BALLOON, "balloon", NO_BALLOON),
    "VNC_CONNECTED": (Aspect.DISPLAY, "display", NO_DISPLAY),
    "VNC_INITIALIZED": (Aspect.DISPLAY, "display", NO_DISPLAY),
    "VNC_DISCONNECTED": (Aspect.DISPLAY, "display", NO_DISPLAY),
}


def absence(event: str, ports: Iterable[str], equipment: Equipment) -> Absence | None:
    """Why this event cannot come from a guest that has this, or None where it can, or may.

    Args:
        ports: for VSERPORT_CHANGE, the ids of the ports that are meant; none: of any.
    """
    needed = _NEEDED.get(event)
    if needed is None:
        return None
    _, member, missing = needed
    found = getattr(equipment, member)
    if found is None:
        return None
    if event == PORT_EVENT:
        meant = sorted(ports)
        if not meant:
            return None if found else missing
        if found.isdisjoint(meant):
            named = " or ".join(meant)
            return Absence(f"no virtio-serial port has the id {named}", unseen=True)
        return None
    return None if found else missing


def aspects_of(events: Iterable[str]) -> frozenset[Aspect]:
    """What must be asked of a guest to know of these events, names or globs, whether they come."""
    patterns = tuple(events)
    return frozenset(
        aspect
        for name, (aspect, _, _) in _NEEDED.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    )
