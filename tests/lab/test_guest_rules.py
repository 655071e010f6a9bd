"""Shipped policies about hangs, crash kernels, dumps, broken memory and ends, on a real QEMU."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.app.settings import Discovery
from reactor.demo import bootcode
from reactor.demo.dumps import dump_problem
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from tests.fakes.broker import Mosquitto
from tests.lab import recipes
from tests.lab.lab import Audit
from tests.lab.rig import Rig, rig
from tests.lab.shipped import shipped

pytestmark = pytest.mark.asyncio

WELL = bootcode.guest_code(panics=0)

TIMER = 0x443
"""Where the ib700 watchdog is told its time; 15 is none at all."""

PVPANIC = 0x505
"""Where a kernel says 1: it panicked, or 2: it has, and its crash kernel works."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that hears the alerts."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as running:
        yield running


async def _says(guest: Guest, port: int, value: int) -> None:
    """Write to a port as the guest's own code would."""
    await guest.control.hmp(f"o /b {port:#x} {value}")


async def _told(host: Rig, topic: str, count: int = 1) -> list[dict[str, object]]:
    await host.until(f"{topic} is heard", lambda: len(host.heard(topic)) >= count)
    return host.heard(topic)


def _marks(host: Rig) -> list[tuple[str, str, str]]:
    return [(mark.kind, mark.id, mark.word) for mark in host.running.engine.world.marks]


async def _up(lab: Lab, host: Rig, *options: str) -> Guest:
    guest = await lab.guest("web-1", GuestPlan(boot=WELL, memory="32M", options=options))
    await host.watches("web-1")
    await guest.run()
    await guest.up()
    return guest


async def test_a_guest_that_hangs_is_dumped_and_reset(lab: Lab, tmp_path: Path) -> None:
    """QEMU stopped it: one dump, one reset, and it works again."""
    async with rig(lab, tmp_path, [shipped("watchdog.yaml")]) as host:
        guest = await _up(lab, host, "-device", "ib700", "-action", "watchdog=pause")
        audit = Audit(guest)
        await _says(guest, TIMER, 15)
        await audit.event("WATCHDOG", lambda data: data["action"] == "pause")
        assert await host.outcomes(1, "watchdog") == ["succeeded"]
        await guest.up(boots=2)
        assert audit.host_resets() == 1
        assert [dump_problem(path) for path in host.dumps()] == [None]


async def test_a_guest_that_hangs_on_gets_an_nmi_where_its_label_says_so(
    lab: Lab, tmp_path: Path
) -> None:
    """It panics at that, and the policy for panics brings it back."""
    texts = [shipped("watchdog.yaml"), shipped("guest-panic.yaml")]
    labelled = (Discovery(lab.pattern, labels={"on-watchdog": "nmi"}),)
    async with rig(lab, tmp_path, texts, discoveries=labelled) as host:
        guest = await _up(lab, host, "-device", "ib700", "-action", "watchdog=none")
        audit = Audit(guest)
        await _says(guest, TIMER, 15)
        assert await host.outcomes(1, "watchdog") == ["succeeded"]
        assert await host.outcomes(1, "panic-dump-reset") == ["succeeded"]
        await guest.up(boots=2)
        assert guest.panics == 1
        assert audit.host_resets() == 1


async def test_a_crash_kernel_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    """It resets its guest by itself: no dump of ours, no reset of ours, no mark behind it."""
    texts = [shipped("guest-crashloaded.yaml"), shipped("guest-panic.yaml")]
    async with rig(lab, tmp_path, texts) as host:
        boot = bootcode.guest_code(crash_kernel=True)
        guest = await lab.guest("web-1", GuestPlan(boot=boot))
        audit = Audit(guest)
        await host.watches("web-1")
        await guest.run()
        assert await host.outcomes(1, "guest-crashloaded") == ["succeeded"]
        assert (await host.outcomes(1, "guest-crashloaded-over"))[0] == "succeeded"
        await guest.up()
        assert (audit.host_resets(), host.dumps(), _marks(host)) == (0, [], [])


async def test_a_crash_kernel_that_panics_is_left_to_people(lab: Lab, tmp_path: Path) -> None:
    """The guest stays paused with its memory; the policy for panics is kept away."""
    texts = [shipped("guest-crashloaded.yaml"), shipped("guest-panic.yaml")]
    async with rig(lab, tmp_path, texts) as host:
        guest = await _up(lab, host)
        audit = Audit(guest)
        await _says(guest, PVPANIC, 2)
        await host.until(
            "the guest is marked", lambda: ("guest", "self", "crash-kernel") in _marks(host)
        )
        await _says(guest, PVPANIC, 1)
        await audit.reaches("guest-panicked")
        assert await host.outcomes(1, "guest-crashloaded-stuck") == ["succeeded"]
        assert host.ended("panic-dump-reset") == []
        assert (audit.host_resets(), host.dumps()) == (0, [])


async def test_dumps_of_somebody_else_are_told(lab: Lab, tmp_path: Path, broker: Mosquitto) -> None:
    """Their size, or QEMU's own words about the failure."""
    async with rig(lab, tmp_path, [shipped("dump-completed.yaml")], broker=broker) as host:
        guest = await _up(lab, host)
        done = await recipes.dump(guest, f"file:{tmp_path / 'dump'}", "elf")
        (good,) = await _told(host, "alert/info")
        assert good["bytes"] == done.data["result"]["completed"]
        await recipes.dump(guest, "file:/dev/full", "elf")
        (bad,) = await _told(host, "alert/warning")
        assert str(bad["error"]).endswith("No space left on device")


async def test_broken_memory_marks_the_host(lab: Lab, tmp_path: Path, broker: Mosquitto) -> None:
    """A machine check that the guest cannot take resets it: QEMU says so, people are called."""
    async with rig(lab, tmp_path, [shipped("memory-failure.yaml")], broker=broker) as host:
        guest = await _up(lab, host)
        # An uncorrected error of bank 1: without a handler the guest's processor gives up.
        await guest.control.hmp("mce 0 1 0xbe00000000000000 0x5 0 0")
        (call,) = await _told(host, "alert/critical")
        assert (call["recipient"], call["action"]) == ("guest", "reset")
        assert await host.outcomes(1, "memory-failure") == ["succeeded"]
        assert _marks(host) == [("host", "self", "bad-memory")]


async def test_a_crash_of_qemu_is_told_from_an_orderly_end(
    lab: Lab, tmp_path: Path, broker: Mosquitto
) -> None:
    """A kill -9 is a loss until QEMU is back; SIGTERM and quit are ends, each with its reason."""
    async with rig(lab, tmp_path, [shipped("guest-end.yaml")], broker=broker) as host:
        guest = await _up(lab, host)
        guest.kill9()
        (lost,) = await _told(host, "alert/critical")
        assert lost["text"] == "the QEMU of the guest is gone without a word"
        assert await host.outcomes(1, "guest-lost") == ["succeeded"]
        assert _marks(host) == [("guest", "self", "lost")]
        await guest.restart()
        assert await host.outcomes(1, "guest-back") == ["succeeded"]
        assert _marks(host) == []

        guest.process.send(signal.SIGTERM)
        (ended,) = await _told(host, "alert/warning")
        assert ended["reason"] == "host-signal"
        await guest.ended()
        assert len(host.heard("alert/critical")) == 1
