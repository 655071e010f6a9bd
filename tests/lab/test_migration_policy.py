"""The shipped ladder for migrations that get nowhere, on a real QEMU whose guest never rests."""

from pathlib import Path

import pytest

from reactor.demo import bootcode
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from tests.lab import recipes
from tests.lab.lab import Audit
from tests.lab.rig import Rig, rig
from tests.lab.shipped import shipped

pytestmark = pytest.mark.asyncio

POLICY = "migration-ladder"
SLOW = 1 << 20
"""Bytes per second: the guest writes 512 KiB faster than that, so each pass takes half a second."""


async def _migrating(lab: Lab, host: Rig, *capabilities: str) -> Guest:
    """A guest whose migration can never end by itself; reactor has armed it before."""
    guest = await lab.guest("web-1", GuestPlan(boot=bootcode.dirtying_code()))
    await host.watches("web-1")
    await guest.run()
    await guest.booted()
    able = [{"capability": name, "state": True} for name in capabilities]
    await guest.control.command("migrate-set-capabilities", {"capabilities": able})
    await recipes.migrate(guest, bytes_per_second=SLOW)
    return guest


async def _parameter(guest: Guest, name: str) -> int:
    return int((await guest.control.command("query-migrate-parameters"))[name])


async def test_the_ladder_brings_a_migration_to_its_end(lab: Lab, tmp_path: Path) -> None:
    """More bandwidth at the fourth pass and a longer pause at the next are enough."""
    async with rig(lab, tmp_path, [shipped("migration-ladder.yaml")]) as host:
        guest = await _migrating(lab, host)
        audit = Audit(guest)
        await audit.event("MIGRATION", lambda data: data["status"] == "completed", within=40)
        assert await host.outcomes(1, POLICY) == ["succeeded"]
        assert max(event.data["pass"] for event in audit.events("MIGRATION_PASS")) >= 5
        assert await _parameter(guest, "max-bandwidth") == 4 * SLOW
        assert await _parameter(guest, "downtime-limit") == 1000
        assert await guest.control.status() == "postmigrate"
        assert list(host.running.engine.world.marks) == []


async def test_the_last_rung_leaves_the_guest_where_it_is(lab: Lab, tmp_path: Path) -> None:
    """A pause that is too short helps nothing, nor does slowing the guest down: it is cancelled."""
    texts = [shipped("migration-ladder.yaml", {"downtime-limit: 1000": "downtime-limit: 2"})]
    async with rig(lab, tmp_path, texts) as host:
        guest = await _migrating(lab, host, "auto-converge")
        audit = Audit(guest)
        # QEMU 7.2 calls about one in three cancelled migrations failed.
        over = {"cancelled", "failed"}
        await audit.event("MIGRATION", lambda data: data["status"] in over, within=40)
        assert await host.outcomes(1, POLICY) == ["succeeded"]
        passes = [event.data["pass"] for event in audit.events("MIGRATION_PASS")]
        assert max(passes) >= 7  # passes 4 to 7: bandwidth, downtime, throttle, the end
        assert await _parameter(guest, "cpu-throttle-increment") == 30
        assert await guest.control.status() == "running"
        assert list(host.running.engine.world.marks) == []
