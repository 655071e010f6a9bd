"""The shipped policies for disks on a real QEMU: errors, thin disks, jobs, damaged images."""

import errno
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from reactor.demo import bootcode
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
