"""Disks: what of their nodes, trays and exports is compared over a break.

Source: seen on QEMU 7.2; the QAPI schemas of 7.2 and 11.1.
"""

from collections.abc import Iterator, Mapping

from reactor.core.subject import Answers, Proved, Query, Snapshot, Subject, Told, rows, text

_NODES = Query("query-named-block-nodes", "query-named-block-nodes", {"flat": True})
_DRIVES = Query("query-block", "query-block")


def _read_thresholds(answers: Answers) -> Snapshot:
    found = rows(answers.get(_NODES.name))
    return {text(row, "node-name"): row.get("write_threshold", 0) for row in found}


def _threshold_told(data: Mapping[str, object]) -> Told | None:
    node = text(data, "node-name")
    return (node, None) if node else None


def _threshold_proved(node: str, before: object, after: object) -> Iterator[Proved]:
    if before and after == 0:
        yield "BLOCK_WRITE_THRESHOLD", {"node-name": node, "write-threshold": before}


THRESHOLDS = Subject(
    name="thresholds",
    events=("BLOCK_WRITE_THRESHOLD",),
    queries=(_NODES,),
    read=_read_thresholds,
    told={"BLOCK_WRITE_THRESHOLD": _threshold_told},
    proved=_threshold_proved,
    changed_by=("block-set-write-threshold",),
    idle=0,
)
"""The threshold of each node; QEMU takes one away when it is passed, and whoever set it can."""


def _read_images(answers: Answers) -> Snapshot:
    return {
        text(row, "node-name"): True
        for row in rows(answers.get(_NODES.name))
        if _member(row, "image", "format-specific", "data", "corrupt") is True
    }


def _member(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _image_told(data: Mapping[str, object]) -> Told | None:
    node = text(data, "node-name")
    return (node, True) if node else None


def _image_proved(node: str, _before: object, after: object) -> Iterator[Proved]:
    if after is not None:
        yield "BLOCK_IMAGE_CORRUPTED", {"node-name": node}


IMAGES = Subject(
    name="images",
    events=("BLOCK_IMAGE_CORRUPTED",),
    queries=(_NODES,),
    read=_read_images,
    told={"BLOCK_IMAGE_CORRUPTED": _image_told},
    proved=_image_proved,
)
"""Images of qcow2 that are marked as corrupt."""


def _drive(device: object, name: object) -> str:
    """The name of a drive and that of its device or node; a drive's has no slash."""
    return f"{device or ''}/{name or ''}"


def _read_trays(answers: Answers) -> Snapshot:
    found = [row for row in rows(answers.get(_DRIVES.name)) if "tray_open" in row]
    return {_drive(row.get("device"), row.get("qdev")): row["tray_open"] for row in found}


def _tray_told(data: Mapping[str, object]) -> Told | None:
    return _drive(data.get("device"), data.get("id")), data.get("tray-open")


def _tray_proved(drive: str, before: object, after: object) -> Iterator[Proved]:
    if before is not None and after is not None:
        device, _, name = drive.partition("/")
        yield "DEVICE_TRAY_MOVED", {"device": device, "id": name, "tray-open": after}


def _tray_awaited(drive: str, state: object) -> Iterator[Proved]:
    yield from _tray_proved(drive, state, not state)


TRAYS = Subject(
    name="trays",
    events=("DEVICE_TRAY_MOVED",),
    queries=(_DRIVES,),
    read=_read_trays,
    told={"DEVICE_TRAY_MOVED": _tray_told},
    proved=_tray_proved,
    awaited=_tray_awaited,
)


IO_ERROR = "BLOCK_IO_ERROR"


def _read_io_errors(answers: Answers) -> Snapshot:
    """The disks that failed since the guest was let go last, and stopped it."""
    found = [row for row in rows(answers.get(_DRIVES.name)) if row.get("io-status") in _FAILED]
    return {_disk(row): {"nospace": row["io-status"] == "nospace"} for row in found}


_FAILED = ("failed", "nospace")


def _disk(row: Mapping[str, object]) -> str:
    medium = row.get("inserted")
    return _drive(row.get("device"), medium.get("node-name") if isinstance(medium, dict) else "")


def _io_error_told(data: Mapping[str, object]) -> Told | None:
    if data.get("action") != "stop":
        return None  # the guest goes on, and nothing is to be seen of it
    nospace = data.get("nospace") is True
    return _drive(data.get("device"), data.get("node-name")), {"nospace": nospace}


def _io_error_proved(disk: str, before: object, after: object) -> Iterator[Proved]:
    # One that fails in another way before the guest goes on has sent two events, and shows one.
    if isinstance(after, dict) and before is None:
        device, _, node = disk.partition("/")
        named = {"device": device} | ({"node-name": node} if node else {})
        yield IO_ERROR, {**named, "action": "stop", **after}


IO_ERRORS = Subject(
    name="io-errors",
    events=(IO_ERROR,),
    queries=(_DRIVES,),
    read=_read_io_errors,
    told={IO_ERROR: _io_error_told, "RESUME": lambda _data: (None, None)},
    proved=_io_error_proved,
)
"""Disks that failed and stopped their guest, by drive and node; `cont` makes all of them well.

Source: QEMU 7.2, blk_error_action and qmp_cont; only the first error of a disk is kept.
"""


def _read_exports(answers: Answers) -> Snapshot:
    return {text(row, "id"): True for row in rows(answers.get("query-block-exports"))}


def _export_told(data: Mapping[str, object]) -> Told | None:
    return text(data, "id"), None


def _export_proved(export: str, _before: object, after: object) -> Iterator[Proved]:
    if after is None:
        yield "BLOCK_EXPORT_DELETED", {"id": export}


EXPORTS = Subject(
    name="exports",
    events=("BLOCK_EXPORT_DELETED",),
    queries=(Query("query-block-exports", "query-block-exports"),),
    read=_read_exports,
    told={"BLOCK_EXPORT_DELETED": _export_told},
    proved=_export_proved,
    changed_by=("block-export-add", "nbd-server-add"),
)
"""QEMU tells of none that is added: one that somebody else added behind our connect is not
known to be there."""


def _read_managers(answers: Answers) -> Snapshot:
    found = rows(answers.get("query-pr-managers"))
    return {text(row, "id"): row.get("connected") for row in found}


def _manager_told(data: Mapping[str, object]) -> Told | None:
    return text(data, "id"), data.get("connected")


def _manager_proved(manager: str, before: object, after: object) -> Iterator[Proved]:
    if before is not None and after is not None:
        yield "PR_MANAGER_STATUS_CHANGED", {"id": manager, "connected": after}


def _manager_awaited(manager: str, state: object) -> Iterator[Proved]:
    yield from _manager_proved(manager, state, not state)


MANAGERS = Subject(
    name="pr-managers",
    events=("PR_MANAGER_STATUS_CHANGED",),
    queries=(Query("query-pr-managers", "query-pr-managers"),),
    read=_read_managers,
    told={"PR_MANAGER_STATUS_CHANGED": _manager_told},
    proved=_manager_proved,
    awaited=_manager_awaited,
)
