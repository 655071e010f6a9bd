"""The steps of the language on a real QEMU: verbs, branches, rounds, and what was missed."""

from pathlib import Path

import pytest

from reactor.app.settings import QmpSettings
from reactor.core.effect import Trace
from reactor.demo import bootcode
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from tests.lab.lab import Audit
from tests.lab.rig import Rig, rig

pytestmark = pytest.mark.asyncio

WELL = GuestPlan(boot=bootcode.guest_code(panics=0), preserved=True)
ALLOWED = QmpSettings(frozenset({"quit"}))


def policy(steps: str, trigger: str = "{event: REACTOR_GUEST_CONNECTED}") -> str:
    """A policy with these steps."""
    return f"policy: p\ndescription: d\ntrigger: {trigger}\nsteps:\n{steps}"


def traces(host: Rig) -> list[Trace]:
    """What the first run was decided by."""
    (run, *_) = host.runs()
    return [row.trace for row in host.running.journal.reader.traces(run.id)]


async def test_a_guest_that_waits_for_its_start_is_started(lab: Lab, tmp_path: Path) -> None:
    """`-S`: QEMU is in prelaunch; one `cont`, and it runs a second later."""
    guest = await lab.guest("web-1", WELL)
    audit = Audit(guest)
    async with rig(lab, tmp_path, [policy("  - guest: start\n")]) as host:
        assert await host.outcomes(1) == ["succeeded"]
        assert await guest.control.status() == "running"
        assert audit.story() == ["RESUME"]


async def test_branches_rounds_and_ways(lab: Lab, tmp_path: Path) -> None:
    """Side by side: one pauses the guest, the other looks in rounds until it stands still."""
    steps = """
  - guest: start
  - parallel:
      - - guest: pause
      - - repeat: {times: 100, backoff: [100ms], until: guest.status == "paused"}
          steps:
            - qmp: query-status
              save: seen
  - choose:
      - when: guest.status == "paused" && steps.seen.ok
        steps: [{guest: resume}]
      - default: [{fail: the guest does not stand still}]
  - wait: {stays: guest.status == "running", for: 500ms, timeout: 10s}
"""
    guest = await lab.guest("web-1", WELL)
    audit = Audit(guest)
    async with rig(lab, tmp_path, [policy(steps)]) as host:
        assert await host.outcomes(1) == ["succeeded"]
        assert audit.story() == ["RESUME", "STOP", "RESUME"]
        taken = [trace.path for trace in traces(host) if trace.verdict == "taken"]
        assert taken == ["steps/2/choose/0"]


async def test_a_guest_is_destroyed_and_knows_why(lab: Lab, tmp_path: Path) -> None:
    """QEMU ends at `quit`; the run is no failure although the monitor went."""
    guest = await lab.guest("web-1", WELL)
    async with rig(lab, tmp_path, [policy("  - guest: destroy\n")], qmp=ALLOWED) as host:
        assert await host.outcomes(1) == ["succeeded"]
        await guest.process.ended()
        assert guest.process.exit_code == 0


async def test_destroy_without_the_permission_sends_nothing(lab: Lab, tmp_path: Path) -> None:
    """`qmp.allow` does not name `quit`."""
    guest = await lab.guest("web-1", WELL)
    async with rig(lab, tmp_path, [policy("  - guest: destroy\n")]) as host:
        assert await host.outcomes(1) == ["failed"]
        assert await guest.control.status() == "prelaunch"


async def test_a_guest_that_hears_an_nmi(lab: Lab, tmp_path: Path) -> None:
    """This one panics at it, once it works."""
    wait = "  - parallel:\n      - - wait: {event: GUEST_PANICKED, timeout: 10s}\n"
    steps = wait + "      - - guest: inject-nmi\n"
    guest = await lab.guest("web-1", WELL)
    await guest.run()
    await guest.up()
    async with rig(lab, tmp_path, [policy(steps, "{event: RESUME}")]) as host:
        await host.watches("web-1")
        await guest.control.command("stop")
        await guest.control.command("cont")
        assert await host.outcomes(1) == ["succeeded"]
        assert await guest.control.status() == "guest-panicked"


async def test_a_panic_that_nobody_saw_is_made_up_for(lab: Lab, tmp_path: Path) -> None:
    """The guest panicked before reactor was there: dumped, reset once, running again."""
    guest = await lab.guest("web-1", GuestPlan(preserved=True))
    audit = Audit(guest)
    await guest.run()
    await audit.reaches("guest-panicked")
    async with rig(lab, tmp_path) as host:
        assert await host.outcomes(1, "panic-dump-reset") == ["succeeded"]
        await guest.up()
        assert audit.host_resets() == 1
        made = [
            event
            for event in host.running.journal.reader.history(0, 1000, name="GUEST_PANICKED")
            if event.kind == "made"
        ]
        assert len(made) == 1
        assert len(host.dumps()) == 1


async def test_a_panic_during_a_restart_is_made_up_for_once(lab: Lab, tmp_path: Path) -> None:
    """The daemon was away; after it came back there is one dump and one reset."""
    guest = await lab.guest("web-1", GuestPlan(boot=bootcode.guest_code(panics=0), preserved=True))
    audit = Audit(guest)
    async with rig(lab, tmp_path) as host:
        await host.watches("web-1")
        await guest.run()
        await guest.up()
        await host.stop()
        await guest.panic()
        await audit.reaches("guest-panicked")
        await host.start()
        assert await host.outcomes(1, "panic-dump-reset") == ["succeeded"]
        await host.stop()
        await host.start()
        await host.watches("web-1")
        assert (audit.host_resets(), len(host.dumps())) == (1, 1)
        assert await guest.control.status() == "running"
