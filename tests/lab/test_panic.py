"""GUEST_PANICKED on a real QEMU: dumped, reset once, running again; and what goes wrong."""

import asyncio
from pathlib import Path

import pytest

from reactor.app.settings import DumpsSettings
from reactor.demo import bootcode
from reactor.demo.dumps import dump_problem
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from tests.fakes.broker import Mosquitto
from tests.lab.lab import HOST_RESET, Audit, Fifo
from tests.lab.rig import rig

pytestmark = pytest.mark.asyncio

PANIC = "panic-dump-reset"

HEAD = """
policy: free
description: the runbook without limits
arm: [{guest: preserve-on-panic}]
trigger: {event: GUEST_PANICKED}
if: guest.status == "guest-panicked"
mode: queued
"""

FREE = (
    HEAD
    + """
steps:
  - guest: dump
    to: "${guest.name}-${run.id}.kdump"
    format: kdump-zlib
  - guest: reset
"""
)


def _to(target: object, more: str = "") -> str:
    return (
        HEAD
        + f"""
steps:
  - guest: dump
    to: {target}
    format: elf
{more}
  - guest: reset
on_failure:
  - mark: {{guest: self, as: not-recovered, reason: "${{run.outcome}}: ${{run.error}}"}}
"""
    )


async def test_the_shipped_policy_brings_a_guest_back(lab: Lab, tmp_path: Path) -> None:
    """A whole dump, exactly one reset, the guest works; QEMU was armed by reactor alone."""
    with Mosquitto(_folder(tmp_path)) as broker:
        async with rig(lab, tmp_path, broker=broker) as host:
            guest = await lab.guest("web-1", GuestPlan(memory="32M"))
            audit = Audit(guest)
            await host.watches("web-1")
            await guest.run()
            assert await host.outcomes(1, PANIC) == ["succeeded"]
            await guest.up()
            assert await guest.control.status() == "running"
            assert audit.host_resets() == 1
            assert [dump_problem(path) for path in host.dumps()] == [None]
            await host.until("the alert arrives", lambda: bool(host.heard("alert/info")))
            events = host.heard("guest/web-1/event/GUEST_PANICKED")
            assert [event["data"] for event in events] == [{"action": "pause"}]
            assert events[0]["type"] == "org.qemu.qmp.GUEST_PANICKED"
            resets = host.heard("guest/web-1/event/RESET")
            assert {event["own"] for event in resets} == {True}


async def test_a_failed_dump_is_followed_by_no_reset(lab: Lab, tmp_path: Path) -> None:
    """/dev/full: QEMU says failed, on_failure runs, the guest stays as it is."""
    dumps = DumpsSettings(tmp_path / "dumps", frozenset({"/dev/full"}))
    async with rig(lab, tmp_path, [_to("/dev/full")], dumps=dumps) as host:
        guest = await lab.guest("web-1")
        audit = Audit(guest)
        await host.watches("web-1")
        await guest.run()
        assert await host.outcomes(1) == ["failed"]
        assert host.ended()[0].error.startswith("the dump failed: ")
        marks = list(host.running.engine.world.marks)
        assert [mark.word for mark in marks] == ["not-recovered"]
        assert await guest.control.status() == "guest-panicked"
        assert audit.host_resets() == 0


async def test_a_guest_that_panics_again_right_after_its_reset(lab: Lab, tmp_path: Path) -> None:
    """The second panic comes while the first run may still be open; it is not swallowed."""
    async with rig(lab, tmp_path, [FREE]) as host:
        guest = await lab.guest("web-1", GuestPlan(boot=bootcode.guest_code(panics=3)))
        audit = Audit(guest)
        await host.watches("web-1")
        await guest.run()
        await guest.up(within=30)
        await host.until("all runs end", lambda: not host.running.engine.world.runs)
        assert guest.panics == 3
        assert audit.host_resets() == 3
        assert [run.outcome for run in host.ended()].count("succeeded") == 3
        assert len(host.dumps()) == 3


async def test_a_crash_loop_ends_after_three_resets(lab: Lab, tmp_path: Path) -> None:
    """The shipped policy leaves the guest paused and calls people once."""
    with Mosquitto(_folder(tmp_path)) as broker:
        async with rig(lab, tmp_path, broker=broker) as host:
            plan = GuestPlan(boot=bootcode.guest_code(panics=bootcode.EVERY_BOOT))
            guest = await lab.guest("web-1", plan)
            audit = Audit(guest)
            await host.watches("web-1")
            await guest.run()
            await host.until("people are called", lambda: bool(host.heard("alert/critical")), 30)
            assert await host.outcomes(3, PANIC) == ["succeeded"] * 3
            assert audit.host_resets() == 3
            assert await guest.control.status() == "guest-panicked"
            assert len(host.heard("alert/critical")) == 1


async def test_qemu_killed_while_the_dump_runs_and_started_again(lab: Lab, tmp_path: Path) -> None:
    """Another life of QEMU is another incident: the outcome is unknown, nothing is reset."""
    fifo = Fifo(tmp_path / "hang")
    dumps = DumpsSettings(tmp_path / "dumps", frozenset({str(tmp_path / "hang")}))
    async with rig(lab, tmp_path, [_to(tmp_path / "hang")], dumps=dumps) as host:
        guest = await lab.guest("web-1")
        await host.watches("web-1")
        await guest.run()
        await fifo.begun()
        guest.kill9()
        await guest.ended()
        await guest.restart()
        audit = Audit(guest)
        assert await host.outcomes(1) == ["unknown"]
        assert "QEMU was restarted" in host.ended()[0].error
        assert audit.host_resets() == 0
        assert [mark.word for mark in host.running.engine.world.marks] == ["not-recovered"]
    fifo.close()


async def test_qemu_killed_between_the_dump_and_the_reset(lab: Lab, tmp_path: Path) -> None:
    """The guest that was started anew works, and is left in peace."""
    text = FREE.replace("- guest: reset", "- delay: 2s\n  - guest: reset")
    async with rig(lab, tmp_path, [text]) as host:
        guest = await lab.guest("web-1", GuestPlan(boot=bootcode.guest_code(panics=0)))
        await host.watches("web-1")
        await guest.run()
        await guest.up()
        await guest.panic()
        world = host.running.engine.world

        def steps() -> list[str]:
            return [world.options_of(run).path for run in world.runs.values()]

        await host.until("it is between them", lambda: steps() == ["steps/1"])
        await guest.restart()
        audit = Audit(guest)
        await guest.run()
        assert await host.outcomes(1) == ["failed"]
        assert host.ended()[0].error.startswith("refused: QEMU was restarted since this run began")
        assert audit.host_resets() == 0
        await guest.alive()


async def test_qemu_killed_and_never_back(lab: Lab, tmp_path: Path) -> None:
    """The wait stands still and its timeout runs; then the run fails and says so."""
    fifo = Fifo(tmp_path / "hang")
    dumps = DumpsSettings(tmp_path / "dumps", frozenset({str(tmp_path / "hang")}))
    text = _to(tmp_path / "hang", "    timeout: 3s")
    lost = "policy: lost\ndescription: d\ntrigger: {event: REACTOR_GUEST_LOST}\nsteps: [{log: x}]\n"
    async with rig(lab, tmp_path, [text, lost], dumps=dumps) as host:
        guest = await lab.guest("web-1")
        await host.watches("web-1")
        await guest.run()
        await fifo.begun()
        guest.kill9()
        assert await host.outcomes(1, "free") == ["failed"]
        assert host.ended("free")[0].error == "the step did not end within 3s"
        assert await host.outcomes(1, "lost") == ["succeeded"]
    fifo.close()


@pytest.mark.timeout(120)
async def test_fifty_guests_panic_at_once_under_the_shipped_policy(
    lab: Lab, tmp_path: Path
) -> None:
    """Exactly 5 are dumped and reset, 45 stay guest-panicked, one alert."""
    with Mosquitto(_folder(tmp_path)) as broker:
        async with rig(lab, tmp_path, broker=broker) as host:
            guests = await lab.fleet(50)
            await host.watches(*(guest.name for guest in guests), within=60)
            await asyncio.gather(*(guest.run() for guest in guests))
            await host.until(
                "all have panicked", lambda: all(guest.panics == 1 for guest in guests), 60
            )
            assert await host.outcomes(5, PANIC, within=60) == ["succeeded"] * 5
            await host.until("all is quiet", lambda: not host.running.engine.world.runs)
            states = [await guest.control.status() for guest in guests]
            assert states.count("running") == 5
            assert states.count("guest-panicked") == 45
            assert _resets(guests) == 5
            assert len(host.dumps()) == 5
            assert len(host.heard("alert/critical")) == 1


@pytest.mark.timeout(180)
async def test_fifty_guests_panic_at_once_without_limits(lab: Lab, tmp_path: Path) -> None:
    """All 50 run again, each after exactly one reset."""
    async with rig(lab, tmp_path, [FREE]) as host:
        guests = await lab.fleet(50)
        await host.watches(*(guest.name for guest in guests), within=60)
        await asyncio.gather(*(guest.run() for guest in guests))
        await asyncio.gather(*(guest.up(within=120) for guest in guests))
        await host.until("all is quiet", lambda: not host.running.engine.world.runs, 60)
        assert [run.outcome for run in host.ended()].count("succeeded") == 50
        assert _resets(guests) == 50
        assert [dump_problem(path) for path in host.dumps()] == [None] * 50


def _resets(guests: list[Guest]) -> int:
    return sum(
        event.data["reason"] == HOST_RESET
        for guest in guests
        for event in guest.control.events("RESET")
    )


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "broker"
    folder.mkdir()
    return folder
