"""What happens while nobody listens is made up for at the connect, as the daemon would do it."""

import json
from collections.abc import Mapping, Sequence

import pytest

from reactor.core.subjects import RECOVERED
from tests.app.scenario.plays import logged

Told = tuple[str, Mapping[str, object]]

SLOT = {"slot": "0", "slot-type": "DIMM", "source": 3, "status": 1}
ENDED = {"type": "backup", "device": "j", "len": 9, "offset": 9, "speed": 0}
TRAY = {"device": "", "id": "cd0"}
IO = {"device": "", "node-name": "n", "action": "stop", "nospace": True}
READ = {"operation": "read", "reason": "EIO"}
PERIPHERAL = "/machine/peripheral"


def job(status: str) -> Told:
    """The job is in this status."""
    return "JOB_STATUS_CHANGE", {"id": "j", "status": status}


def error(action: str, *, whole: bool = True) -> Told:
    """The job met an error."""
    operation = {"operation": "read"} if whole else {}
    return "BLOCK_JOB_ERROR", {"device": "j", **operation, "action": action}


ALL: Mapping[str, Told] = {
    "a port": ("VSERPORT_CHANGE", {"id": "p", "open": True}),
    "a device": ("DEVICE_DELETED", {"device": "d", "path": f"{PERIPHERAL}/d"}),
    "memory": (
        "MEMORY_DEVICE_SIZE_CHANGE",
        {"id": "m", "size": 4096, "qom-path": f"{PERIPHERAL}/m"},
    ),
    "the balloon": ("BALLOON_CHANGE", {"actual": 4096}),
    "a slot": ("ACPI_DEVICE_OST", {"info": SLOT}),
    "a tray that opened": ("DEVICE_TRAY_MOVED", {**TRAY, "tray-open": True}),
    "a tray that closed": ("DEVICE_TRAY_MOVED", {**TRAY, "tray-open": False}),
    "an export": ("BLOCK_EXPORT_DELETED", {"id": "e"}),
    "a manager": ("PR_MANAGER_STATUS_CHANGED", {"id": "r", "connected": False}),
    "a job": job("running"),
}
"""Events of which a query shows everything."""

ROWS: Mapping[str, tuple[Sequence[Told], Sequence[Told]]] = {
    **{name: ([told], [told]) for name, told in ALL.items()},
    "a threshold": (
        [("BLOCK_WRITE_THRESHOLD", {"node-name": "n", "amount-exceeded": 5, "write-threshold": 4})],
        [("BLOCK_WRITE_THRESHOLD", {"node-name": "n", "write-threshold": 4})],
    ),
    "an image": (
        [("BLOCK_IMAGE_CORRUPTED", {"device": "", "node-name": "n", "msg": "x", "fatal": True})],
        [("BLOCK_IMAGE_CORRUPTED", {"node-name": "n"})],
    ),
    "a disk": ([("BLOCK_IO_ERROR", {**IO, **READ})], [("BLOCK_IO_ERROR", IO)]),
    "a disk that goes on": ([("BLOCK_IO_ERROR", {**IO, **READ, "action": "report"})], []),
    "a disk, and its guest": ([("BLOCK_IO_ERROR", {**IO, **READ}), ("RESUME", {})], []),
    "a job that is ready": (
        [("BLOCK_JOB_READY", {**ENDED, "type": "mirror"})],
        [("BLOCK_JOB_READY", {"type": "mirror", "device": "j"}), job("ready")],
    ),
    "a job that is pending": (
        [("BLOCK_JOB_PENDING", {"type": "backup", "id": "j"})],
        [("BLOCK_JOB_PENDING", {"type": "backup", "id": "j"}), job("pending")],
    ),
    "a job that stays": (
        [("BLOCK_JOB_COMPLETED", ENDED), job("concluded")],
        [("BLOCK_JOB_COMPLETED", ENDED), job("concluded")],
    ),
    "a job that stays, the other way round": (
        [job("concluded"), ("BLOCK_JOB_COMPLETED", ENDED)],
        [("BLOCK_JOB_COMPLETED", ENDED), job("concluded")],
    ),
    "a job that failed": (
        [("BLOCK_JOB_COMPLETED", {**ENDED, "error": "No space"}), job("concluded")],
        [("BLOCK_JOB_COMPLETED", {**ENDED, "error": "No space"}), job("concluded")],
    ),
    "a job that was cancelled": (
        [("BLOCK_JOB_CANCELLED", ENDED), job("concluded")],
        [("BLOCK_JOB_CANCELLED", ENDED), job("concluded")],
    ),
    "a job that is gone": ([("BLOCK_JOB_COMPLETED", ENDED)], []),
    "a job that went": ([job("concluded"), job("null")], []),
    "a job that stands still": (
        [error("stop"), job("paused")],
        [error("stop", whole=False), job("paused")],
    ),
    "a job that goes on": ([error("stop"), job("running")], [job("running")]),
    "a job that met an error": ([error("report")], []),
    "a migration": (
        [("MIGRATION", {"status": "active"}), ("MIGRATION_PASS", {"pass": 3})],
        [("MIGRATION_PASS", {"pass": 3}), ("MIGRATION", {"status": "active"})],
    ),
    "what no query tells": ([("QUORUM_FAILURE", {"reference": "d", "sector-num": 0})], []),
}
"""What happens while nobody listens, and what is told of it."""

WRITES = """
policy: p
description: Writes down what it is told.
mode: parallel
trigger: {event: [EVENTS, QUORUM_FAILURE]}
steps: [{log: '${event.name} ${event.synthetic} ${data}'}]
""".replace("EVENTS", ", ".join(sorted(RECOVERED)))


def _told(test: str) -> list[tuple[float, bool, Told]]:
    """When it was logged, whether it was made up for, and what."""
    found = []
    for line in logged(WRITES, test):
        at, _, name, made, data = line.split(" ", 4)
        found.append((float(at), made == "true", (name, json.loads(data))))
    return found


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        pytest.param("{at: 1s, disconnect: g}", "{at: 61s, connect: g}", id="a break"),
        pytest.param("{at: 1s, restart: 60s}", "{at: 70s, restart: 1s}", id="a restart"),
    ],
)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_happened_meanwhile_is_told_at_the_connect(
    row: tuple[Sequence[Told], Sequence[Told]], before: str, behind: str
) -> None:
    """Once, and no more of it than a real QEMU would show."""
    happened, told = row
    events = [f"{{at: 20s, event: {name}, data: {json.dumps(data)}}}" for name, data in happened]
    again = ["{at: 80s, disconnect: g}", "{at: 81s, connect: g}"]
    test = "timeline:\n" + "".join(f"  - {entry}\n" for entry in (before, *events, behind, *again))
    assert _told(test) == [(61.0, True, one) for one in told]


def test_every_event_that_a_subject_proves_is_tried() -> None:
    """What the run state proves is tried with the engine."""
    assert {name for _, told in ROWS.values() for name, _ in told} == RECOVERED


def test_a_port_that_was_open_already_is_no_news() -> None:
    """`ports` is what the stored snapshot says."""
    test = (
        "guests: {g: {ports: {p: true, q: true}}}\n"
        "timeline:\n"
        "  - {at: 1s, disconnect: g}\n"
        "  - {at: 2s, event: VSERPORT_CHANGE, data: {id: q, open: false}}\n"
        "  - {at: 3s, connect: g}\n"
    )
    assert _told(test) == [(3.0, True, ("VSERPORT_CHANGE", {"id": "q", "open": False}))]


def test_another_qemu_has_no_past() -> None:
    """After a crash it is compared with nothing; what it does then is told."""
    test = (
        "timeline:\n"
        "  - {at: 1s, crash: g}\n"
        "  - {at: 2s, connect: g}\n"
        "  - {at: 3s, disconnect: g}\n"
        "  - {at: 4s, event: DEVICE_DELETED, data: {device: d, path: /p}}\n"
        "  - {at: 5s, connect: g}\n"
    )
    assert _told(test) == [(5.0, True, ALL["a device"])]
