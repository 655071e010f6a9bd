"""The shipped policy for memory that a guest does not give back, on a real QEMU."""

from pathlib import Path

import pytest

from reactor.app.settings import Discovery, QmpSettings
from reactor.core.admission import Verdict
from reactor.demo import bootcode
from reactor.demo.guests import Guest
from reactor.demo.lab import Lab
from tests.lab import recipes
from tests.lab.lab import Audit
from tests.lab.rig import Rig, rig
from tests.lab.shipped import shipped

pytestmark = pytest.mark.asyncio

POLICY = "memory-unplug"
RETRIES = {"on-unplug": "retry"}
ALLOWED = QmpSettings(frozenset({"device_del", "object-del"}))
SHORTER = {
    "delay: 30s": "delay: 2s",
    "backoff: [2m, 10m]": "backoff: [3s, 5s]",
}
QUICK = {"delay: 30s": "delay: 100ms", "backoff: [2m, 10m]": "backoff: [100ms, 100ms]"}


def _retried(lab: Lab) -> tuple[Discovery, ...]:
    """The guests of the lab, with the label that asks for the policy."""
    return (Discovery(lab.pattern, RETRIES),)


async def _asked(lab: Lab, host: Rig, *, ejects: bool) -> Guest:
    """A guest that was asked for its memory and has not run since, watched by reactor."""
    guest = await lab.guest("web-1", recipes.memory_plan(bootcode.unplug_code(ejects=ejects)))
    await recipes.plug_memory(guest, "dimm1")
    await host.watches("web-1")
    await recipes.unplug_memory(guest, "dimm1")
    return guest


async def _devices(guest: Guest) -> list[str]:
    return [m["data"]["id"] for m in await guest.control.command("query-memory-devices")]


async def _backends(guest: Guest) -> list[str]:
    objects = await guest.control.command("qom-list", {"path": "/objects"})
    return [o["name"] for o in objects if o["type"].startswith("child<memory-backend")]


def _marks(host: Rig) -> list[tuple[str, str, str]]:
    return [(mark.kind, mark.id, mark.word) for mark in host.running.engine.world.marks]


async def test_an_unplug_that_failed_inside_qemu_is_done_at_a_later_request(
    lab: Lab, tmp_path: Path
) -> None:
    """Two events are one run; when QEMU can do it the memory and its backend go."""
    texts = [shipped("memory-unplug.yaml", SHORTER)]
    async with rig(lab, tmp_path, texts, qmp=ALLOWED, discoveries=_retried(lab)) as host:
        guest = await _asked(lab, host, ejects=True)
        audit = Audit(guest)
        await recipes.break_unplugging(guest)
        await guest.run()
        await audit.event("MEM_UNPLUG_ERROR")
        await audit.event("DEVICE_UNPLUG_GUEST_ERROR")
        await recipes.mend_unplugging(guest)
        assert await host.outcomes(1, POLICY) == ["succeeded"]
        assert [run.policy for run in host.runs()] == [POLICY]
        assert await _devices(guest) == []
        assert (await _backends(guest)).count("dimm1-backend") == 0
        assert _marks(host) == []


async def test_a_guest_that_refuses_is_asked_three_times(lab: Lab, tmp_path: Path) -> None:
    """Its system says no by ACPI each time; then the memory is marked, and keeps its backend."""
    texts = [shipped("memory-unplug.yaml", QUICK)]
    async with rig(lab, tmp_path, texts, qmp=ALLOWED, discoveries=_retried(lab)) as host:
        guest = await _asked(lab, host, ejects=False)
        audit = Audit(guest)
        await guest.run()
        assert await host.outcomes(1, POLICY) == ["failed"]
        assert host.ended(POLICY)[0].error.startswith(
            "3 rounds were not enough: ACPI_DEVICE_OST came"
        )
        await host.until(
            "one refusal before the run, and one for each request",
            lambda: len(audit.events("ACPI_DEVICE_OST")) == 4,
        )
        assert await _devices(guest) == ["dimm1"]
        assert "dimm1-backend" in await _backends(guest)
        assert _marks(host) == [("memory", "dimm1", "stuck")]

        # While the mark stands the refusal of somebody else's request starts nothing.
        await recipes.unplug_memory(guest, "dimm1")
        near = host.running.engine.world.near
        await host.until(
            "reactor refuses it",
            lambda: any(one.verdict == Verdict.INHIBITED for one in near[POLICY]),
        )
        assert len(host.runs()) == 1


async def test_without_permission_nothing_is_taken_away(lab: Lab, tmp_path: Path) -> None:
    """The default settings forbid both commands: the mark says which, people are called."""
    async with rig(
        lab, tmp_path, [shipped("memory-unplug.yaml", QUICK)], discoveries=_retried(lab)
    ) as host:
        guest = await _asked(lab, host, ejects=False)
        audit = Audit(guest)
        await guest.run()
        assert await host.outcomes(1, POLICY) == ["failed"]
        assert "device_del" in host.ended(POLICY)[0].error
        assert len(audit.events("ACPI_DEVICE_OST")) == 1
        assert await _devices(guest) == ["dimm1"]
        assert _marks(host) == [("memory", "dimm1", "stuck")]
