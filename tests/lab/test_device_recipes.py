"""Recipes for migrations, an agent's port and memory devices, each proved on a real QEMU."""

import pytest

from reactor.demo import bootcode
from reactor.demo.guests import AGENT_PORT, GuestPlan
from reactor.demo.lab import Lab
from tests.lab import recipes

pytestmark = pytest.mark.asyncio


async def test_a_migration_tells_its_passes_once_it_is_asked_to(lab: Lab) -> None:
    """Passes count from 1 and go on while the guest writes faster than the link."""
    guest = await lab.guest(plan=GuestPlan(boot=bootcode.dirtying_code()))
    control = guest.control
    await guest.run()
    await guest.booted()
    await recipes.tell_migration(guest)
    # Half a second for what the guest writes in 10 ms: it wins, however busy the host is.
    await recipes.migrate(guest, bytes_per_second=1 << 20)
    await control.event("MIGRATION_PASS", lambda data: data["pass"] == 2)
    passes = [event.data["pass"] for event in control.events("MIGRATION_PASS")]
    assert passes == [1, 2]
    await control.command("migrate_cancel")
    # QEMU 7.2 calls about one in three cancelled migrations failed.
    await control.event("MIGRATION", lambda data: data["status"] in {"cancelled", "failed"})
    assert await control.status() == "running"


async def test_a_guest_opens_the_port_of_its_agent(lab: Lab) -> None:
    """VSERPORT_CHANGE says open once, and a reset closes the port until it is up again.

    The guest is paused first: within a second QEMU would tell only the reopening.
    """
    boot = bootcode.guest_code(panics=0, agent_ticks=0)
    guest = await lab.guest(plan=GuestPlan(boot=boot, agent_port=True))
    await guest.run()
    opened = await guest.control.event("VSERPORT_CHANGE")
    assert opened.data == {"id": AGENT_PORT, "open": True}
    await guest.control.command("stop")
    await guest.control.command("system_reset")
    await guest.control.event("VSERPORT_CHANGE", lambda data: not data["open"])


async def test_a_port_that_flaps_is_told_at_most_once_a_second(lab: Lab) -> None:
    """QEMU holds changes back: an event may be older than its arrival."""
    boot = bootcode.guest_code(panics=0, agent_ticks=5)
    guest = await lab.guest(plan=GuestPlan(boot=boot, agent_port=True))
    await guest.run()
    first = await guest.control.event("VSERPORT_CHANGE")
    second = await guest.control.event("VSERPORT_CHANGE", after=first.number)
    assert second.arrived - first.arrived > 0.9


async def test_memory_that_cannot_be_unplugged_is_told_twice(lab: Lab) -> None:
    """QEMU 7.2 sends the deprecated event, then the one that took its place."""
    guest = await lab.guest(plan=recipes.memory_plan(bootcode.unplug_code(ejects=True)))
    await recipes.plug_memory(guest, "dimm1")
    await recipes.unplug_memory(guest, "dimm1")
    await recipes.break_unplugging(guest)
    await guest.run()
    failed = await guest.control.event("MEM_UNPLUG_ERROR")
    assert failed.data["device"] == "dimm1"
    also = await guest.control.event("DEVICE_UNPLUG_GUEST_ERROR")
    assert also.data == {"device": "dimm1", "path": "/machine/peripheral/dimm1"}


async def test_memory_is_given_back(lab: Lab) -> None:
    """A guest that obeys makes DEVICE_DELETED come."""
    guest = await lab.guest(plan=recipes.memory_plan(bootcode.unplug_code(ejects=True)))
    await recipes.plug_memory(guest, "dimm1")
    await recipes.unplug_memory(guest, "dimm1")
    await guest.run()
    await guest.control.event("DEVICE_DELETED", lambda data: data.get("device") == "dimm1")


async def test_a_guest_refuses_to_give_memory_back(lab: Lab) -> None:
    """On x86 a refusal is ACPI_DEVICE_OST with a status that is not 0, and nothing else."""
    guest = await lab.guest(plan=recipes.memory_plan(bootcode.unplug_code(ejects=False)))
    await recipes.plug_memory(guest, "dimm1")
    await recipes.unplug_memory(guest, "dimm1")
    await guest.run()
    refused = await guest.control.event("ACPI_DEVICE_OST")
    assert refused.data["info"]["device"] == "dimm1"
    assert (refused.data["info"]["source"], refused.data["info"]["status"]) == (3, 1)
    assert guest.control.events("MEM_UNPLUG_ERROR") == []
