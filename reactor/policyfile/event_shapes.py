"""What members the data of each event has, so that a misspelt one is found when it is loaded.

Source: the QAPI schemas of QEMU 5.2, 7.2, 10.0, 10.2 and 11.1, events that were removed
between them included; the engine's own are those of the reference of policies.
"""

import functools
from collections.abc import Iterable

from reactor.core.catalog import RENAMED
from reactor.core.cel_shapes import Kind, Member, Shape, merged
from reactor.core.matching import named
from reactor.policyfile.nodes import Dictionary, Scalar, items_of

_VALUES = {
    "$job": "amend|backup|commit|create|mirror|snapshot-delete|snapshot-load|snapshot-save|stream",
    "$cause": (
        "guest-panic|guest-reset|guest-shutdown|host-error|host-qmp-quit|host-qmp-system-reset"
        "|host-signal|host-ui|none|snapshot-load|subsystem-reset"
    ),
    "$family": "ipv4|ipv6|unix|unknown|vsock",
    "$onerror": "ignore|report|stop",
    "$panic": "pause|poweroff|run",
    "$operation": "read|write",
}

# `name=kind`, with `?` where it may be absent: optional, of one branch of a union, or not
# sent by the oldest of these versions. Values with `|` between them are all that there are.
_QEMU = """\
ACPI_DEVICE_OST info=map info.device?=text info.slot=text info.slot-type=CPU|DIMM
  info.source=int info.status=int
BALLOON_CHANGE actual=int
BLOCK_EXPORT_DELETED id=text
BLOCK_IMAGE_CORRUPTED device=text node-name?=text msg=text offset?=int size?=int fatal=bool
BLOCK_IO_ERROR qom-path?=text device=text node-name?=text operation=$operation
  action=$onerror nospace?=bool reason=text
BLOCK_JOB_CANCELLED type=$job device=text len=int offset=int speed=int
BLOCK_JOB_COMPLETED type=$job device=text len=int offset=int speed=int error?=text
BLOCK_JOB_ERROR device=text operation=$operation action=$onerror
BLOCK_JOB_PENDING type=$job id=text
BLOCK_JOB_READY type=$job device=text len=int offset=int speed=int
BLOCK_WRITE_THRESHOLD node-name=text amount-exceeded=int write-threshold=int
COLO_EXIT mode=none|primary|secondary reason=error|none|processing|request
CPU_POLARIZATION_CHANGE polarization=horizontal|vertical
DEVICE_DELETED device?=text path=text
DEVICE_TRAY_MOVED device=text id=text tray-open=bool
DEVICE_UNPLUG_GUEST_ERROR device?=text path=text
DUMP_COMPLETED result=map result.status=active|completed|failed|none result.completed=int
  result.total=int error?=text
FAILOVER_NEGOTIATED device-id=text
GUEST_CRASHLOADED action=$panic info?=map info.type=hyper-v|s390|sev|tdx info.arg1?=int
  info.arg2?=int info.arg3?=int info.arg4?=int info.arg5?=int info.core?=int
  info.psw-mask?=int info.psw-addr?=int
  info.reason?=disabled-wait|extint-loop|opint-loop|pgmint-loop|unknown info.error-code?=int
  info.message?=text info.gpa?=int info.set?=int info.code?=int
GUEST_PANICKED action=$panic info?=map info.type=hyper-v|s390|sev|tdx info.arg1?=int
  info.arg2?=int info.arg3?=int info.arg4?=int info.arg5?=int info.core?=int
  info.psw-mask?=int info.psw-addr?=int
  info.reason?=disabled-wait|extint-loop|opint-loop|pgmint-loop|unknown info.error-code?=int
  info.message?=text info.gpa?=int info.set?=int info.code?=int
GUEST_PVSHUTDOWN
HV_BALLOON_STATUS_REPORT committed=int available=int
JOB_STATUS_CHANGE id=text
  status=aborting|concluded|created|null|paused|pending|ready|running|standby|undefined|waiting
MEMORY_DEVICE_SIZE_CHANGE id?=text size=int qom-path?=text
MEMORY_FAILURE recipient=guest|hypervisor action=fatal|ignore|inject|reset flags=map
  flags.action-required=bool flags.recursive=bool
MEM_UNPLUG_ERROR device=text msg=text
MIGRATION
  status=active|cancelled|cancelling|colo|completed|device|failed|failing|none|postcopy-active|postcopy-device|postcopy-paused|postcopy-recover|postcopy-recover-setup|pre-switchover|setup|wait-unplug
MIGRATION_PASS pass=int
NETDEV_STREAM_CONNECTED netdev-id=text addr=map addr.type=fd|inet|unix|vsock addr.host?=text
  addr.port?=text addr.numeric?=bool addr.to?=int addr.ipv4?=bool addr.ipv6?=bool
  addr.keep-alive?=bool addr.keep-alive-count?=int addr.keep-alive-idle?=int
  addr.keep-alive-interval?=int addr.mptcp?=bool addr.path?=text addr.abstract?=bool
  addr.tight?=bool addr.cid?=text addr.str?=text
NETDEV_STREAM_DISCONNECTED netdev-id=text
NETDEV_VHOST_USER_CONNECTED netdev-id=text chardev-id=text
NETDEV_VHOST_USER_DISCONNECTED netdev-id=text
NIC_RX_FILTER_CHANGED name?=text path=text
POWERDOWN
PR_MANAGER_STATUS_CHANGED id=text connected=bool
QUORUM_FAILURE reference=text sector-num=int sectors-count=int
QUORUM_REPORT_BAD type=flush|read|write error?=text node-name=text sector-num=int
  sectors-count=int
RDMA_GID_STATUS_CHANGED netdev=text gid-status=bool subnet-prefix=int interface-id=int
RESET guest=bool reason=$cause
RESUME
RTC_CHANGE offset=int qom-path?=text
SCLP_CPI_INFO_AVAILABLE
SHUTDOWN guest=bool reason=$cause
SPICE_CONNECTED server=map server.host=text server.port=text server.family=$family
  client=map client.host=text client.port=text client.family=$family
SPICE_DISCONNECTED server=map server.host=text server.port=text server.family=$family
  client=map client.host=text client.port=text client.family=$family
SPICE_INITIALIZED server=map server.host=text server.port=text server.family=$family
  server.auth?=text client=map client.host=text client.port=text client.family=$family
  client.connection-id=int client.channel-type=int client.channel-id=int client.tls=bool
SPICE_MIGRATE_COMPLETED
STOP
SUSPEND
SUSPEND_DISK
UNPLUG_PRIMARY device-id=text
VFIO_MIGRATION device-id=text qom-path=text
  device-state=pre-copy|pre-copy-p2p|pre-copy-p2p-prepare|resuming|running|running-p2p|stop|stop-copy
VFU_CLIENT_HANGUP vfu-id=text vfu-qom-path=text dev-id=text dev-qom-path=text
VNC_CONNECTED server=map server.host=text server.service=text server.family=$family
  server.websocket=bool server.auth?=text client=map client.host=text client.service=text
  client.family=$family client.websocket=bool
VNC_DISCONNECTED server=map server.host=text server.service=text server.family=$family
  server.websocket=bool server.auth?=text client=map client.host=text client.service=text
  client.family=$family client.websocket=bool client.x509_dname?=text
  client.sasl_username?=text
VNC_INITIALIZED server=map server.host=text server.service=text server.family=$family
  server.websocket=bool server.auth?=text client=map client.host=text client.service=text
  client.family=$family client.websocket=bool client.x509_dname?=text
  client.sasl_username?=text
VSERPORT_CHANGE id=text open=bool
WAKEUP
WATCHDOG action=debug|inject-nmi|none|pause|poweroff|reset|shutdown
"""

_OWN = """\
REACTOR_GUEST_CONNECTED epoch=any first=bool
REACTOR_GUEST_LOST reason=text
REACTOR_MARK_CLEARED kind=text id=text as=text reason=text
REACTOR_MARK_SET kind=text id=text as=text reason=text
REACTOR_POLICY_NOT_READY policy=text reason=text
REACTOR_RUN_FAILED policy=text run=text step=text error=text outcome=text
REACTOR_RUN_LIMITED policy=text limit=text scope=text
"""

_KINDS = {
    "any": Kind.ANY,
    "bool": Kind.TRUTH,
    "int": Kind.WHOLE,
    "map": Kind.MAP,
    "text": Kind.TEXT,
}


def _shapes(table: str) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for line in table.replace("\n  ", " ").splitlines():
        event, *members = line.split()
        found[event] = Shape(event, dict(map(_member, members)))
    return found


def _member(text: str) -> tuple[str, Member]:
    name, _, kind = text.partition("=")
    path = name.removesuffix("?").replace("-", "_")
    optional = name.endswith("?")
    if kind in _KINDS:
        return path, Member(frozenset({_KINDS[kind]}), optional=optional)
    values = frozenset(_VALUES.get(kind, kind).split("|"))
    return path, Member(frozenset({Kind.TEXT}), values, optional)


SHAPES = _shapes(_QEMU + _OWN)
"""The data of each event that QEMU or the engine sends, by its name."""


@functools.cache
def shape_of(events: tuple[str, ...]) -> Shape | None:
    """The data of an event that these names and globs mean; None where it may be any.

    A vendor's own event may have any data, and a glob may mean one.
    """
    found: dict[str, Shape] = {}
    for pattern in events:
        meant = [name for name in SHAPES if named(name, (pattern,))]
        if not meant or pattern.startswith(("*", "?", "[", "_")):
            return None
        for name in meant:
            found[name] = SHAPES[name]
            if name in RENAMED:
                other = RENAMED[name].name
                found[other] = SHAPES[other]
    return merged(found.values())


def either(shapes: Iterable[Shape | None]) -> Shape | None:
    """The data of what has one of these shapes; None where one of them may be any."""
    known = list(shapes)
    sound = [shape for shape in known if shape is not None]
    return merged(sound) if sound and len(sound) == len(known) else None


def data_of(node: Dictionary) -> Shape | None:
    """The data of the events that a trigger, a second event or a wait names."""
    events = [item for item, _ in items_of(node.get("event"), "")]
    if not events or not all(isinstance(item, Scalar) for item in events):
        return None
    return shape_of(tuple(str(item.value) for item in events if isinstance(item, Scalar)))


_NO_EVENT = Shape("what is no event of a guest", {})


def data_of_trigger(node: Dictionary) -> Shape | None:
    """What `data` is behind a trigger: empty where it is no event."""
    return data_of(node) if "event" in node.entries else _NO_EVENT
