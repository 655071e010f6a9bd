"""What a simulated QEMU has besides its guest: disks, devices, memory; what of it QEMU shows.

Its events keep it current, so that a connect of the monitor finds what happened while nobody
listened, as `reactor.core.subjects` asks for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor.core.subjects_devices import PERIPHERAL

_Data = Mapping[str, object]
Drive = tuple[str, str]
"""The name of a drive, and that of its node or device."""


@dataclass
class Belongings:
    """Ports, devices and so on by their names.

    ``failed`` are disks that stopped the guest, and whether for want of room; ``memory`` are
    the sizes of the devices whose size the guest decides.
    """

    ports: dict[str, bool] = field(default_factory=dict)
    devices: dict[str, None] = field(default_factory=dict)
    thresholds: dict[str, int] = field(default_factory=dict)
    corrupt: dict[str, None] = field(default_factory=dict)
    failed: dict[Drive, bool] = field(default_factory=dict)
    trays: dict[Drive, bool] = field(default_factory=dict)
    exports: dict[str, None] = field(default_factory=dict)
    managers: dict[str, bool] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    slots: dict[Drive, _Data] = field(default_factory=dict)
    balloon: int | None = None

    def foresee(self, event: str, data: _Data) -> None:
        """Have from the start what this event will be about."""
        match event:
            case "VSERPORT_CHANGE":
                self.ports.setdefault(_text(data, "id"), False)  # a port begins closed
            case "DEVICE_DELETED":
                self.devices.setdefault(_text(data, "device"))
            case "BLOCK_EXPORT_DELETED":
                self.exports.setdefault(_text(data, "id"))
            case "BLOCK_WRITE_THRESHOLD":
                self.thresholds.setdefault(
                    _text(data, "node-name"), _whole(data, "write-threshold")
                )
            case "DEVICE_TRAY_MOVED":
                drive = _text(data, "device"), _text(data, "id")
                self.trays.setdefault(drive, data.get("tray-open") is False)
            case "PR_MANAGER_STATUS_CHANGED":
                self.managers.setdefault(_text(data, "id"), data.get("connected") is False)
            case _:
                pass

    def note(self, event: str, data: _Data) -> None:
        """What QEMU tells has come about."""
        self._note_disks(event, data)
        match event:
            case "VSERPORT_CHANGE":
                self.ports[_text(data, "id")] = data.get("open") is True
            case "DEVICE_DELETED":
                self.devices.pop(_text(data, "device"), None)
            case "MEMORY_DEVICE_SIZE_CHANGE":
                self.memory[_text(data, "id")] = _whole(data, "size")
            case "BALLOON_CHANGE":
                self.balloon = _whole(data, "actual")
            case "ACPI_DEVICE_OST" if isinstance(info := data.get("info"), Mapping):
                self.slots[_text(info, "slot-type"), _text(info, "slot")] = info
            case _:
                pass

    def _note_disks(self, event: str, data: _Data) -> None:
        match event:
            case "BLOCK_WRITE_THRESHOLD":
                self.thresholds[_text(data, "node-name")] = 0
            case "BLOCK_IMAGE_CORRUPTED":
                self.corrupt[_text(data, "node-name")] = None
            case "BLOCK_IO_ERROR" if data.get("action") == "stop":
                disk = _text(data, "device"), _text(data, "node-name")
                self.failed.setdefault(disk, data.get("nospace") is True)
            case "RESUME":
                self.failed.clear()
            case "DEVICE_TRAY_MOVED":
                drive = _text(data, "device"), _text(data, "id")
                self.trays[drive] = data.get("tray-open") is True
            case "BLOCK_EXPORT_DELETED":
                self.exports.pop(_text(data, "id"), None)
            case "PR_MANAGER_STATUS_CHANGED":
                self.managers[_text(data, "id")] = data.get("connected") is True
            case _:
                pass

    def obey(self, command: str, arguments: _Data) -> None:
        """Take what a command adds, and QEMU tells no event of."""
        match command:
            case "device_add" | "device_del":
                # What is to go is there; the guest decides when it goes.
                self.devices.setdefault(_text(arguments, "id"))
            case "block-set-write-threshold":
                node = _text(arguments, "node-name")
                self.thresholds[node] = _whole(arguments, "write-threshold")
            case "block-export-add":
                self.exports.setdefault(_text(arguments, "id"))
            case "nbd-server-add":
                name = _text(arguments, "name") or _text(arguments, "device")
                self.exports.setdefault(name)
            case _:
                pass

    def answer(  # noqa: C901 - one case for each query
        self, command: str, arguments: _Data
    ) -> object:
        """What a query shows of all this; None where it asks for something else."""
        match command:
            case "qom-list" if arguments.get("path") == PERIPHERAL:
                ports = [{"name": port, "type": "child<virtserialport>"} for port in self.ports]
                others = [name for name in self.devices if name not in self.ports]
                return ports + [{"name": name, "type": "child<device>"} for name in others]
            case "qom-get" if arguments.get("property") == "chardev":
                return f"char-{_text(arguments, 'path').rpartition('/')[2]}"
            case "query-chardev":
                return [
                    {"label": f"char-{port}", "filename": "socket", "frontend-open": is_open}
                    for port, is_open in self.ports.items()
                ]
            case "query-named-block-nodes":
                return [self._node(node) for node in {**self.thresholds, **self.corrupt}]
            case "query-block":
                return [*self._drives(), *self._disks()]
            case "query-block-exports":
                return [{"id": export, "type": "nbd"} for export in self.exports]
            case "query-pr-managers":
                return [{"id": name, "connected": there} for name, there in self.managers.items()]
            case "query-memory-devices":
                sizes = self.memory.items()
                devices = [{"id": name, "size": n, "requested-size": n} for name, n in sizes]
                return [{"type": "virtio-mem", "data": device} for device in devices]
            case "query-acpi-ospm-status":
                return list(self.slots.values())
            case _:
                return None

    def _node(self, node: str) -> _Data:
        image = {"format-specific": {"type": "qcow2", "data": {"corrupt": node in self.corrupt}}}
        return {
            "node-name": node,
            "write_threshold": self.thresholds.get(node, 0),
            "image": image,
        }

    def _drives(self) -> list[_Data]:
        return [
            {"device": device, "qdev": qdev, "tray_open": is_open, "removable": True}
            for (device, qdev), is_open in self.trays.items()
        ]

    def _disks(self) -> list[_Data]:
        return [
            {
                "device": device,
                "io-status": "nospace" if no_room else "failed",
                **({"inserted": {"node-name": node}} if node else {}),
            }
            for (device, node), no_room in self.failed.items()
        ]


def _text(data: _Data, member: str) -> str:
    return str(data.get(member) or "")


def _whole(data: _Data, member: str) -> int:
    value = data.get(member)
    return value if isinstance(value, int) else 0
