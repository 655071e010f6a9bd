"""The names of all events, so that a misspelt one is found before it is waited for in vain.

Source: the QAPI schemas of QEMU 5.2, 7.2, 10.0, 10.2 and 11.1, what was removed
between them included; the engine's own are those of the reference of policies.
"""

from reactor.core.matching import named
from reactor.core.text import closest

_QEMU = (
    "ACPI_DEVICE_OST BALLOON_CHANGE BLOCK_EXPORT_DELETED BLOCK_IMAGE_CORRUPTED BLOCK_IO_ERROR"
    " BLOCK_JOB_CANCELLED BLOCK_JOB_COMPLETED BLOCK_JOB_ERROR BLOCK_JOB_PENDING BLOCK_JOB_READY"
    " BLOCK_WRITE_THRESHOLD COLO_EXIT CPU_POLARIZATION_CHANGE DEVICE_DELETED DEVICE_TRAY_MOVED"
    " DEVICE_UNPLUG_GUEST_ERROR DUMP_COMPLETED FAILOVER_NEGOTIATED GUEST_CRASHLOADED"
    " GUEST_PANICKED GUEST_PVSHUTDOWN HV_BALLOON_STATUS_REPORT JOB_STATUS_CHANGE"
    " MEMORY_DEVICE_SIZE_CHANGE MEMORY_FAILURE MEM_UNPLUG_ERROR MIGRATION MIGRATION_PASS"
    " NETDEV_STREAM_CONNECTED NETDEV_STREAM_DISCONNECTED NETDEV_VHOST_USER_CONNECTED"
    " NETDEV_VHOST_USER_DISCONNECTED NIC_RX_FILTER_CHANGED POWERDOWN PR_MANAGER_STATUS_CHANGED"
    " QUORUM_FAILURE QUORUM_REPORT_BAD RDMA_GID_STATUS_CHANGED RESET RESUME RTC_CHANGE"
    " SCLP_CPI_INFO_AVAILABLE SHUTDOWN SPICE_CONNECTED SPICE_DISCONNECTED SPICE_INITIALIZED"
    " SPICE_MIGRATE_COMPLETED STOP SUSPEND SUSPEND_DISK UNPLUG_PRIMARY VFIO_MIGRATION"
    " VFU_CLIENT_HANGUP VNC_CONNECTED VNC_DISCONNECTED VNC_INITIALIZED VSERPORT_CHANGE WAKEUP"
    " WATCHDOG"
)
_OWN = (
    "REACTOR_GUEST_CONNECTED REACTOR_GUEST_LOST REACTOR_RUN_FAILED REACTOR_RUN_LIMITED"
    " REACTOR_MARK_SET REACTOR_MARK_CLEARED REACTOR_POLICY_NOT_READY"
)

KNOWN_EVENTS = frozenset(f"{_QEMU} {_OWN}".split())
"""QEMU's and the engine's."""


def no_such_event(event: str) -> tuple[str, str] | None:
    """Problem and fix of a name that no QEMU sends; vendors' own begin with two underscores."""
    if event in KNOWN_EVENTS or event.startswith("__"):
        return None
    if any(named(known, (event,)) for known in KNOWN_EVENTS):
        return None
    guess = closest(event, KNOWN_EVENTS)
    fix = f"did you mean `{guess}`?" if guess else "look it up in QEMU's QMP reference"
    return f"no QEMU from 5.2 to 11.1 sends `{event}`", fix
