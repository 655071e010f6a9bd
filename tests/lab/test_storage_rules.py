"""The shipped policies for disks on a real QEMU: errors, thin disks, jobs, damaged images."""

import errno
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from reactor.app.settings import Discovery
from reactor.demo import bootcode
from reactor.demo.control import Control
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from tests.fakes.broker import Mosquitto
from tests.lab.lab import Audit
from tests.lab.rig import Rig, rig
from tests.lab.shipped import shipped

pytestmark = pytest.mark.asyncio

IO_ERROR = shipped(
    "block-io-error.yaml",
    {
        "delay: 10s": "delay: 100ms",
        "backoff: [30s, 2m, 5m, 10m, 15m]": "backoff: [100ms, 200ms, 300ms, 400ms, 500ms]",
        "for: 20s, timeout: 25s": "for: 1s, timeout: 5s",
        "for: 1m": "for: 1s",
    },
)
"""Each try takes seconds instead of minutes: six of them all the same."""


def failing_disk(policy: str, rules: Sequence[dict[str, object]]) -> GuestPlan:
    """A guest that reads its disk at every heartbeat; reads fail by these rules of blkdebug.

    Args:
        policy: of QEMU at an error of the disk: ``stop`` or ``report``.
    """
    disk = {
        "driver": "blkdebug",
        "node-name": "d0",
        "inject-error": [{"event": "none", "iotype": "read", **rule} for rule in rules],
        "image": {"driver": "null-co", "read-zeroes": True, "size": 64 << 20},
    }
    # With a geometry of its own, or QEMU would guess one by reading the disk before the start.
    geometry = "cyls=130,heads=16,secs=63"
    device = f"ide-hd,drive=d0,id=disk0,{geometry},rerror={policy},werror={policy}"
    return GuestPlan(
        boot=bootcode.guest_code(panics=0, reads_disk=True),
        options=("-blockdev", json.dumps(disk), "-device", device),
    )


def broker(tmp_path: Path) -> Mosquitto:
    """A broker with a folder of its own."""
    folder = tmp_path / "broker"
    folder.mkdir()
    return Mosquitto(folder)


def marks(host: Rig) -> list[tuple[str, str, str]]:
    """Kind, id and word of all marks."""
    return [(mark.kind, mark.id, mark.word) for mark in host.running.engine.world.marks]


async def test_a_disk_that_has_room_again_lets_its_guest_go_on(lab: Lab, tmp_path: Path) -> None:
    """Told and marked at the first error; the second try succeeds, and the mark goes."""
    no_room: dict[str, object] = {"errno": errno.ENOSPC, "once": True}
    with broker(tmp_path) as mosquitto:
        async with rig(lab, tmp_path, [IO_ERROR], broker=mosquitto) as host:
            guest = await lab.guest("web-1", failing_disk("stop", [no_room]))
            audit = Audit(guest)
            await host.watches("web-1")
            await guest.run()
            assert await host.outcomes(1, "block-io-error") == ["succeeded"]
            assert await host.outcomes(1, "block-io-error-over") == ["succeeded"]
            await guest.alive()
            assert await guest.control.status() == "running"
            assert marks(host) == []
            # The test's own cont, and one of the policy.
            assert audit.story().count("RESUME") == 2
            await host.until("people are told", lambda: bool(host.heard("alert/info")))
            (alert,) = host.heard("alert/warning")
            assert (alert["disk"], alert["nospace"]) == ("d0", True)
            assert host.heard("alert/critical") == []


async def test_a_disk_that_stays_broken_gets_six_tries_and_no_more(
    lab: Lab, tmp_path: Path
) -> None:
    """Six `cont`, however many errors QEMU reports; then the guest is left and people called."""
    with broker(tmp_path) as mosquitto:
        async with rig(lab, tmp_path, [IO_ERROR], broker=mosquitto) as host:
            guest = await lab.guest("web-1", failing_disk("stop", [{"errno": errno.EIO}]))
            audit = Audit(guest)
            await host.watches("web-1")
            await guest.run()
            assert await host.outcomes(1, "block-io-error") == ["failed"]
            await host.until("people are called", lambda: bool(host.heard("alert/critical")))
            (called,) = host.heard("alert/critical")
            assert (called["disk"], called["status"]) == ("d0", "io-error")
            assert audit.story().count("RESUME") == 1 + 6
            assert await guest.control.status() == "io-error"
            assert marks(host) == [("guest", "self", "io-error")]


async def test_an_error_that_the_guest_is_told_of_is_marked_and_told(
    lab: Lab, tmp_path: Path
) -> None:
    """It reads on and fails on; one alert, and nothing is sent to it."""
    with broker(tmp_path) as mosquitto:
        async with rig(lab, tmp_path, [IO_ERROR], broker=mosquitto) as host:
            guest = await lab.guest("web-1", failing_disk("report", [{"errno": errno.EIO}]))
            audit = Audit(guest)
            await host.watches("web-1")
            await guest.run()
            assert await host.outcomes(1, "block-io-error-reported") == ["succeeded"]
            topic = "guest/web-1/event/BLOCK_IO_ERROR"
            await host.until("further errors are reported", lambda: len(host.heard(topic)) > 3)
            await host.until("people are told", lambda: bool(host.heard("alert/warning")))
            (alert,) = host.heard("alert/warning")
            assert (alert["disk"], alert["action"]) == ("d0", "report")
            assert marks(host) == [("disk", "d0", "io-error")]
            assert set(audit.story()) == {"RESUME", "BLOCK_IO_ERROR"}
            assert len(host.ended()) == 1


# ---------------------------------------------------------- thin disks

THRESHOLD = shipped("block-write-threshold.yaml", {"delay: 1m": "delay: 100ms"})
THIN = GuestPlan(options=("-blockdev", "driver=null-co,node-name=thin,size=16777216"))


async def threshold(control: Control, node: str) -> int:
    """The threshold that is set on a node; 0 is none."""
    found = await control.command("query-named-block-nodes", {"flat": True})
    return int(next(n["write_threshold"] for n in found if n["node-name"] == node))


async def test_a_thin_disk_is_told_at_every_step(lab: Lab, tmp_path: Path) -> None:
    """QEMU forgets a threshold that was passed; the policy sets the next one, and it works."""
    labelled = (Discovery(lab.pattern, {"thin-step-mib": "1"}),)
    with broker(tmp_path) as mosquitto:
        async with rig(lab, tmp_path, [THRESHOLD], broker=mosquitto, discoveries=labelled) as host:
            guest = await lab.guest("web-1", THIN)
            await host.watches("web-1")
            first = {"node-name": "thin", "write-threshold": 65536}
            await guest.control.command("block-set-write-threshold", first)
            await guest.control.hmp('qemu-io thin "write 65536 4096"')
            assert await host.outcomes(1, "block-write-threshold") == ["succeeded"]
            second = 65536 + 4096 + (1 << 20)
            assert await threshold(guest.control, "thin") == second
            await guest.control.hmp(f'qemu-io thin "write {second} 512"')
            assert await host.outcomes(2, "block-write-threshold") == ["succeeded"] * 2
            assert await threshold(guest.control, "thin") == second + 512 + (1 << 20)
            await host.until("people are told", lambda: len(host.heard("alert/warning")) == 2)
            told = [(one["disk"], one["threshold"]) for one in host.heard("alert/warning")]
            assert told == [("thin", 65536), ("thin", second)]
            assert marks(host) == [("disk", "thin", "filling")]


# --------------------------------------------------------- block jobs

JOBS = shipped("block-jobs.yaml")


async def test_a_backup_that_failed_is_told_as_one(lab: Lab, tmp_path: Path) -> None:
    """QEMU says BLOCK_JOB_COMPLETED of both: the one that can be read, and the one that cannot."""
    with broker(tmp_path) as mosquitto:
        async with rig(lab, tmp_path, [JOBS], broker=mosquitto) as host:
            disk = lab.disk("disk0")
            store = await lab.storage_daemon("store-1", disk)
            await host.watches("store-1")
            assert await store.read_disk("disk0") is None
            assert await host.outcomes(1, "block-job-ended") == ["succeeded"]
            disk.spoil(1, 2)
            assert await store.read_disk("disk0") == "Input/output error"
            assert await host.outcomes(2, "block-job-ended") == ["succeeded"] * 2
            await host.until("both are told", lambda: len(host.heard("alert/warning")) == 2)
            (well,) = host.heard("alert/info")
            assert (well["job"], well["text"]) == ("read-disk0", "a block job is complete")
            during, ended = host.heard("alert/warning")
            assert (during["action"], during["operation"]) == ("report", "read")
            assert (ended["text"], ended["error"]) == ("a block job failed", "Input/output error")


async def test_a_mirror_is_completed_where_a_label_says_so(lab: Lab, tmp_path: Path) -> None:
    """The job of that name ends; another one waits on, and people are told of both."""
    labelled = (Discovery(lab.pattern, {"complete-jobs": "move-*"}),)
    with broker(tmp_path) as mosquitto:
        async with rig(lab, tmp_path, [JOBS], broker=mosquitto, discoveries=labelled) as host:
            disks = [lab.disk("disk0"), lab.disk("disk1")]
            store = await lab.storage_daemon("store-1", *disks)
            await host.watches("store-1")
            for job, disk in zip(["keep-1", "move-1"], disks, strict=True):
                target = f"{disk.name}-nowhere"
                begun = {"job-id": job, "device": disk.name, "target": target, "sync": "full"}
                await store.control.command("blockdev-mirror", begun)
            assert await host.outcomes(2, "block-job-ready") == ["succeeded"] * 2
            assert await host.outcomes(1, "block-job-ended") == ["succeeded"]
            await host.until("all is told", lambda: len(host.heard("alert/info")) == 3)
            assert {(one["job"], one["text"]) for one in host.heard("alert/info")} == {
                ("keep-1", "a block job is ready, it waits for job-complete"),
                ("move-1", "a block job is ready, it is completed now"),
                ("move-1", "a block job is complete"),
            }
            jobs = await store.control.command("query-jobs")
            assert [(job["id"], job["status"]) for job in jobs] == [("keep-1", "ready")]


# ------------------------------------------------------ damaged images


async def create(control: Control, job: str, options: dict[str, object]) -> None:
    """Let QEMU make an image file, or a format in it."""
    await control.command("blockdev-create", {"job-id": job, "options": options})
    ended = {"id": job, "status": "concluded"}
    await control.event("JOB_STATUS_CHANGE", lambda data: data == ended)
    await control.command("job-dismiss", {"id": job})


async def damaged_image(control: Control, path: Path) -> None:
    """A qcow2 image as the node ``disk`` whose first block is said to lie in a table.

    Source: QEMU docs/interop/qcow2.txt: the offset of the L1 table stands at byte 40 of the
    header, an L1 entry points to an L2 table, an L2 entry to the data.
    """
    await create(control, "file", {"driver": "file", "filename": str(path), "size": 0})
    file = {"driver": "file", "filename": str(path)}
    await control.command("blockdev-add", {**file, "node-name": "raw"})
    await create(control, "format", {"driver": "qcow2", "file": "raw", "size": 1 << 20})
    await control.command("blockdev-del", {"node-name": "raw"})
    image = {"driver": "qcow2", "node-name": "disk", "file": file}
    await control.command("blockdev-add", image)
    await control.hmp('qemu-io disk "write 0 64k"')
    await control.command("blockdev-del", {"node-name": "disk"})
    with path.open("r+b") as octets:
        octets.seek(40)
        (l1_table,) = struct.unpack(">Q", octets.read(8))
        octets.seek(l1_table)
        l2_table = struct.unpack(">Q", octets.read(8))[0] & 0x00FF_FFFF_FFFF_FE00
        octets.seek(l2_table)
        octets.write(struct.pack(">Q", (1 << 63) | l2_table))
    await control.command("blockdev-add", image)


async def test_a_damaged_image_is_marked_and_people_are_called(lab: Lab, tmp_path: Path) -> None:
    """A write that would hit the image's own tables closes the image for good."""
    with broker(tmp_path) as mosquitto:
        async with rig(lab, tmp_path, [shipped("image-corrupted.yaml")], broker=mosquitto) as host:
            guest = await lab.guest("web-1")
            await host.watches("web-1")
            await damaged_image(guest.control, lab.folder / "disk.qcow2")
            await guest.control.hmp('qemu-io disk "write 0 512"')
            assert await host.outcomes(1, "image-corrupted") == ["succeeded"]
            assert marks(host) == [("disk", "disk", "corrupted")]
            await host.until("people are called", lambda: bool(host.heard("alert/critical")))
            (called,) = host.heard("alert/critical")
            assert (called["disk"], called["fatal"]) == ("disk", True)
