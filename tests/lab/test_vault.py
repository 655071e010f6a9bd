"""The bounds of the dumps folder, on the dumps of a real QEMU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reactor.adapters.dump_folder import scan
from reactor.app.settings import DumpsSettings
from reactor.demo import bootcode
from reactor.demo.dumps import dump_problem
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from tests.lab.lab import Audit
from tests.lab.rig import Rig, rig

pytestmark = pytest.mark.asyncio

MIB = 1 << 20
MEMORY_MIB = 16

POLICY = """
policy: take
description: A dump for each panic.
arm: [{guest: preserve-on-panic}]
trigger: {event: GUEST_PANICKED}
mode: queued
steps:
  - guest: dump
    to: "${guest.name}-${run.id}.elf"
    format: elf
  - guest: reset
"""


def kept(host: Rig) -> list[str]:
    """The runs whose dumps are there, each with whether it is whole."""
    found = [each for each in scan(host.settings.dumps.folder) if each.exists]
    return [f"{each.card.run}{'' if each.card.done else ' partial'}" for each in found]


async def test_a_full_quota_costs_the_oldest_dump_and_no_other(lab: Lab, tmp_path: Path) -> None:
    """Of a guest that panics four times, in room for two dumps, the last two are left and whole."""
    dumps = DumpsSettings(tmp_path / "dumps", quota=3 * MEMORY_MIB * MIB)
    async with rig(lab, tmp_path, [POLICY], dumps=dumps) as host:
        boot = bootcode.guest_code(panics=4)
        guest = await lab.guest("web-1", GuestPlan(boot=boot, memory=f"{MEMORY_MIB}M"))
        audit = Audit(guest)
        await host.watches("web-1")
        await guest.run()
        assert await host.outcomes(4, within=60.0) == ["succeeded"] * 4
        await guest.up()
        assert audit.host_resets() == 4
        last = [run.id for run in host.ended()][-2:]
        await host.until("the dumps are in order", lambda: kept(host) == last)
        assert [dump_problem(path) for path in host.dumps()] == [None, None]
        listed = _listed(host)
        assert "2 dumps, " in listed
        assert all(run in listed for run in last)


async def test_a_dump_without_room_is_refused_before_it_runs(lab: Lab, tmp_path: Path) -> None:
    """QEMU is not asked, the guest stays as it panicked, and nothing is left in the folder."""
    disk = os.statvfs(tmp_path)
    dumps = DumpsSettings(tmp_path / "dumps", free=disk.f_bavail * disk.f_frsize + 10 * MIB)
    async with rig(lab, tmp_path, [POLICY], dumps=dumps) as host:
        guest = await lab.guest("web-1", GuestPlan(memory=f"{MEMORY_MIB}M"))
        await host.watches("web-1")
        await guest.run()
        assert await host.outcomes(1) == ["failed"]
        (run,) = host.ended()
        assert "less than dumps.free" in run.error
        assert await guest.control.status() == "guest-panicked"
        assert list((tmp_path / "dumps").iterdir()) == []


def _listed(host: Rig) -> str:
    """What ``reactor dumps`` prints beside the daemon."""
    file = host.folder / "r.yaml"
    settings = host.settings.dumps
    file.write_text(f"dumps: {{folder: '{settings.folder}', quota: '{settings.quota}B'}}\n")
    words = [sys.executable, "-m", "reactor", "dumps", "-c", str(file)]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
