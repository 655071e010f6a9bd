"""Ports, devices and memory: what of a guest's hardware is compared over a break.

Source: seen on QEMU 7.2; the QAPI schemas of 7.2 and 11.1; hw/char/virtio-console.c.
"""

from collections.abc import Iterator, Mapping

from reactor.core.subject import (
    Answers,
    Proved,
    Query,
    Snapshot,
    Subject,
    Told,
    rows,
    text,
)

PERIPHERAL = "/machine/peripheral"

_CHILDREN = Query("qom-list", "qom-list", {"path": PERIPHERAL})
_CHARDEVS = Query("query-chardev", "query-chardev")

PORTS_MAX = 128
"""Ports of virtio-serial that are asked for their character device, each with a query."""

_PORT = "child<virtserialport>"


def _ports(answers: Answers) -> list[str]:
    found = [text(row, "name") for row in rows(answers.get("qom-list")) if row.get("type") == _PORT]
    return found[:PORTS_MAX]


def _ask_ports(answers: Answers) -> Iterator[Query]:
    ports = _ports(answers)
    for port in ports:
        arguments = {"path": f"{PERIPHERAL}/{port}", "property": "chardev"}
        yield Query(f"qom-get {port}", "qom-get", arguments)
    if ports:
        # Last of all: what happens until then is in its answer.
        yield _CHARDEVS


def _read_ports(answers: Answers) -> Snapshot:
    """Which ports are open; of one without a character device nothing can be known."""
    open_ = {
        text(row, "label"): row.get("frontend-open") for row in rows(answers.get(_CHARDEVS.name))
    }
    behind = {port: answers.get(f"qom-get {port}") for port in _ports(answers)}
    found = {port: open_.get(label) for port, label in behind.items() if isinstance(label, str)}
    return {port: state for port, state in found.items() if isinstance(state, bool)}


def _port_told(data: Mapping[str, object]) -> Told | None:
    port, state = text(data, "id"), data.get("open")
    return (port, state) if port and isinstance(state, bool) else None


def _port_proved(port: str, before: object, after: object) -> Iterator[Proved]:
    # A port begins closed, and QEMU says nothing of one that is unplugged while it is open.
    if after is not None and bool(before) is not after:
        yield "VSERPORT_CHANGE", {"id": port, "open": after}


def _port_awaited(port: str, state: object) -> Iterator[Proved]:
    yield "VSERPORT_CHANGE", {"id": port, "open": not state}


PORTS = Subject(
    name="ports",
    events=("VSERPORT_CHANGE",),
    queries=(_CHILDREN,),
    more=_ask_ports,
    read=_read_ports,
    told={"VSERPORT_CHANGE": _port_told},
    proved=_port_proved,
    awaited=_port_awaited,
    limited=True,
)
"""A port of virtio-serial, by the id of its device.

Its character device is open at the frontend exactly while the guest has it open. A
``virtconsole`` sends the event too, but its character device is open always.
"""


def _read_devices(answers: Answers) -> Snapshot:
    found = rows(answers.get(_CHILDREN.name))
    return {text(row, "name"): True for row in found if text(row, "type").startswith("child<")}


def _device_told(data: Mapping[str, object]) -> Told | None:
    device = text(data, "device")
    return (device, None) if device else None


def _device_proved(device: str, _before: object, after: object) -> Iterator[Proved]:
    if after is None:
        yield "DEVICE_DELETED", {"device": device, "path": f"{PERIPHERAL}/{device}"}


DEVICES = Subject(
    name="devices",
    events=("DEVICE_DELETED",),
    queries=(_CHILDREN,),
    read=_read_devices,
    told={"DEVICE_DELETED": _device_told},
    proved=_device_proved,
    changed_by=("device_add",),
)
"""Devices that have an id. QEMU tells of none that is plugged: one that somebody else plugged
behind our connect is not known to be there."""


def _read_memory(answers: Answers) -> Snapshot:
    """The sizes of the memory devices whose size their guest decides (virtio-mem)."""
    found = (row.get("data") for row in rows(answers.get("query-memory-devices")))
    sizes = [data for data in found if isinstance(data, dict) and "requested-size" in data]
    return {text(data, "id"): data.get("size") for data in sizes if text(data, "id")}


def _memory_told(data: Mapping[str, object]) -> Told | None:
    device = text(data, "id")
    return (device, data.get("size")) if device else None


def _memory_proved(device: str, before: object, after: object) -> Iterator[Proved]:
    # A new one has nothing plugged.
    if after is not None and after != (before or 0):
        path = f"{PERIPHERAL}/{device}"
        yield "MEMORY_DEVICE_SIZE_CHANGE", {"id": device, "size": after, "qom-path": path}


MEMORY = Subject(
    name="memory",
    events=("MEMORY_DEVICE_SIZE_CHANGE",),
    queries=(Query("query-memory-devices", "query-memory-devices"),),
    read=_read_memory,
    told={"MEMORY_DEVICE_SIZE_CHANGE": _memory_told},
    proved=_memory_proved,
    limited=True,
)


def _read_balloon(answers: Answers) -> Snapshot:
    found = answers.get("query-balloon")
    return {"actual": found["actual"]} if isinstance(found, dict) and "actual" in found else {}


def _balloon_told(data: Mapping[str, object]) -> Told | None:
    return "actual", data.get("actual")


def _balloon_proved(_key: str, before: object, after: object) -> Iterator[Proved]:
    if before is not None and after is not None:
        yield "BALLOON_CHANGE", {"actual": after}


BALLOON = Subject(
    name="balloon",
    events=("BALLOON_CHANGE",),
    queries=(Query("query-balloon", "query-balloon"),),
    read=_read_balloon,
    told={"BALLOON_CHANGE": _balloon_told},
    proved=_balloon_proved,
    limited=True,
)


def _slot(info: Mapping[str, object]) -> str:
    return f"{text(info, 'slot-type')} {text(info, 'slot')}"


def _read_slots(answers: Answers) -> Snapshot:
    """What was said of each slot; one of which nothing was said yet is none."""
    found = rows(answers.get("query-acpi-ospm-status"))
    return {_slot(row): row for row in found if row.get("source") or row.get("status")}


def _slot_told(data: Mapping[str, object]) -> Told | None:
    info = data.get("info")
    return (_slot(info), info) if isinstance(info, dict) else None


def _slot_proved(_key: str, _before: object, after: object) -> Iterator[Proved]:
    if after is not None:
        yield "ACPI_DEVICE_OST", {"info": after}


SLOTS = Subject(
    name="slots",
    events=("ACPI_DEVICE_OST",),
    queries=(Query("query-acpi-ospm-status", "query-acpi-ospm-status"),),
    read=_read_slots,
    told={"ACPI_DEVICE_OST": _slot_told},
    proved=_slot_proved,
)
"""What a guest's firmware said last of each slot for memory or a CPU."""
