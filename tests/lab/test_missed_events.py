"""What changes on a real QEMU while reactor is not there is told at the next connect."""

import errno
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reactor.demo import bootcode
from reactor.demo.guests import AGENT_PORT, Guest, GuestPlan
from reactor.demo.lab import Lab
from tests.lab.lab import Audit
from tests.lab.rig import rig
from tests.lab.test_storage_rules import failing_disk

pytestmark = pytest.mark.asyncio

KEEPER = """
policy: keeper
description: Writes down what it is told.
mode: parallel
max: 100
trigger:
  event: [VSERPORT_CHANGE, JOB_STATUS_CHANGE, "BLOCK_JOB_*", DEVICE_DELETED, DEVICE_TRAY_MOVED,
    BLOCK_WRITE_THRESHOLD, BALLOON_CHANGE, BLOCK_EXPORT_DELETED]
steps:
  - log: '${event.name} ${event.synthetic} ${data}'
"""

NODE = '{{"driver": "null-co", "node-name": "{}", "size": 16777216, "read-zeroes": true}}'
PLAN = GuestPlan(
    boot=bootcode.guest_code(panics=0, agent_ticks=0),
    agent_port=True,
    options=(
        *("-blockdev", NODE.format("src"), "-blockdev", NODE.format("dst")),
        *("-device", "virtio-scsi-pci,id=scsi0", "-device", "scsi-cd,id=cd0,bus=scsi0.0"),
        *("-device", "scsi-cd,id=cd1,bus=scsi0.0", "-device", "virtio-balloon-pci,id=balloon0"),
    ),
)

Told = tuple[str, bool, Mapping[str, object]]


def _told(logs: Sequence[Mapping[str, object]]) -> list[Told]:
    """What the policy said: name, whether it was made up for, and data."""
    said = [str(log["text"]).split(" ", 2) for log in logs if log["event"] == "policy says"]
    return [(name, made == "true", json.loads(data)) for name, made, data in said]


async def _changes(guest: Guest) -> None:
    """Let a port open, a tray too, a device go, a job end and another be cancelled."""
    control = guest.control
    await guest.run()
    await control.event("VSERPORT_CHANGE", lambda data: data["open"])
    await control.command("blockdev-open-tray", {"id": "cd0"})
    await control.command("device_del", {"id": "cd1"})
    job = {"device": "src", "target": "dst", "sync": "full", "auto-dismiss": False}
    await control.command("blockdev-backup", {"job-id": "kept", **job})
    await control.event("JOB_STATUS_CHANGE", lambda data: data["status"] == "concluded")
    cancelled = {"job-id": "slow", **job, "speed": 1000}
    await control.command("blockdev-backup", cancelled)
    await control.command("job-cancel", {"id": "slow"})
    await control.event("BLOCK_JOB_CANCELLED")
    await control.event("DEVICE_DELETED")


ENDED = {"type": "backup", "speed": 0, "len": 16 << 20, "offset": 16 << 20}
MISSED: list[Told] = [
    ("VSERPORT_CHANGE", True, {"id": AGENT_PORT, "open": True}),
    ("DEVICE_TRAY_MOVED", True, {"device": "", "id": "cd0", "tray-open": True}),
    ("DEVICE_DELETED", True, {"device": "cd1", "path": "/machine/peripheral/cd1"}),
    ("JOB_STATUS_CHANGE", True, {"id": "kept", "status": "concluded"}),
    ("JOB_STATUS_CHANGE", True, {"id": "slow", "status": "concluded"}),
    ("BLOCK_JOB_COMPLETED", True, {"device": "kept", **ENDED}),
    ("BLOCK_WRITE_THRESHOLD", True, {"node-name": "src", "write-threshold": 4096}),
]


async def test_what_changed_while_reactor_was_stopped(lab: Lab, tmp_path: Path) -> None:
    """It is told once, with what is proved of it; what reactor saw itself is not told again."""
    guest = await lab.guest("web-1", PLAN)
    threshold = {"node-name": "src", "write-threshold": 4096}
    await guest.control.command("block-set-write-threshold", threshold)
    with capture_logs() as logs:
        async with rig(lab, tmp_path, [KEEPER]) as host:
            await host.watches("web-1")
            await host.stop()
            await _changes(guest)
            await guest.control.command(
                "block-set-write-threshold", {"node-name": "src", "write-threshold": 0}
            )
            await host.start()
            await host.until("all is told", lambda: len(_told(logs)) > len(MISSED))
            told = _told(logs)
            (cancelled,) = [one for one in told if one[0] == "BLOCK_JOB_CANCELLED"]
            assert cancelled[1:] == (True, {**cancelled[2], "device": "slow", "type": "backup"})
            assert "error" not in cancelled[2]
            told.remove(cancelled)
            assert sorted(told, key=str) == sorted(MISSED, key=str)

            await guest.control.command("stop")
            await guest.control.command("system_reset")
            closed = ("VSERPORT_CHANGE", False, {"id": AGENT_PORT, "open": False})
            await host.until("the port closes", lambda: closed in _told(logs))
            await host.stop()
            before = _told(logs)
            await host.start()
            await host.until("something is told", lambda: len(_told(logs)) > len(before))
            # The reset closed the tray too, and QEMU said nothing of it.
            assert _told(logs)[len(before) :] == [
                ("DEVICE_TRAY_MOVED", True, {"device": "", "id": "cd0", "tray-open": False})
            ]


ERRORS = """
policy: errors
description: Writes down which disk failed.
mode: parallel
trigger: {event: BLOCK_IO_ERROR}
steps: [{log: '${guest.name} ${event.synthetic} ${data}'}]
"""
DRIVE = (
    "driver=blkdebug,image.driver=null-co,image.read-zeroes=on,image.size=67108864,"
    "inject-error.0.event=none,inject-error.0.iotype=read,inject-error.0.errno=28"
)
NAMED = GuestPlan(
    boot=bootcode.guest_code(panics=0, reads_disk=True),
    options=(
        *("-drive", f"if=none,id=drive0,rerror=stop,werror=stop,{DRIVE}"),
        *("-device", "ide-hd,drive=drive0,cyls=130,heads=16,secs=63"),
    ),
)
"""A disk as of old: with the name of a drive, its node has one that QEMU made up."""


async def test_a_disk_that_failed_while_reactor_was_stopped(lab: Lab, tmp_path: Path) -> None:
    """By its node, or by its drive as well: nothing is told that QEMU did not say itself."""
    guests = {
        "node-1": await lab.guest("node-1", failing_disk("stop", [{"errno": errno.EIO}])),
        "drive-1": await lab.guest("drive-1", NAMED),
    }
    audits = {name: Audit(guest) for name, guest in guests.items()}
    with capture_logs() as logs:
        async with rig(lab, tmp_path, [ERRORS]) as host:
            await host.watches(*guests)
            await host.stop()
            for name, guest in guests.items():
                await guest.run()
                await audits[name].reaches("io-error")
            await host.start()
            await host.until("both are told", lambda: len(_told(logs)) >= len(guests))
            told = {name: (made, data) for name, made, data in _told(logs)}
    assert len(_told(logs)) == len(guests)
    for name, device, nospace in (("node-1", "", False), ("drive-1", "drive0", True)):
        real = (await audits[name].event("BLOCK_IO_ERROR")).data
        made, data = told[name]
        members = ("device", "node-name", "action", "nospace")
        assert (made, data) == (True, {member: real[member] for member in members})
        assert (data["device"], data["nospace"]) == (device, nospace)
