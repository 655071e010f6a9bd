"""Monitors of a real QEMU and of its real storage daemon."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from reactor.adapters.qmp import Limits, Monitors
from reactor.core.inputs import Facts
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from reactor.errors import GuestError, LostReply
from tests.adapters.qmp.scene import Disconnected, Happened, Recorder, Scene, chance, eventually

pytestmark = [pytest.mark.asyncio, pytest.mark.lab]

PANICS = GuestPlan(preserved=True)


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    """An empty lab."""
    async with Lab() as started:
        yield started


@pytest_asyncio.fixture
async def watch(lab: Lab) -> AsyncIterator[Scene]:
    """Monitors that look into the lab's folder."""
    recorder = Recorder()
    limits = Limits(greeting_s=0.5)
    async with Monitors(recorder, limits=limits, rng=chance()) as monitors:
        yield Scene(lab.folder, monitors, recorder)


async def freeze(guest: Guest) -> None:
    """Return when QEMU stands still: a signal takes a moment."""
    stat = Path(f"/proc/{guest.process.pid}/stat")
    guest.freeze()
    await eventually(lambda: stat.read_text("ascii").rpartition(")")[2].split()[0] == "T")


async def test_a_guest_that_panics(lab: Lab, watch: Scene) -> None:
    """Facts before its first instruction, then its events in QEMU's order and time."""
    guest = await lab.guest("web-1", PANICS)
    watch.monitors.add("web-1", str(guest.monitor))
    await eventually(watch.monitors.connected)
    connected = watch.recorder.connected()
    assert re.fullmatch(r"\d+\.\d+\.\d+", connected.facts.qemu_version)
    assert connected.facts == Facts(
        kind="vm",
        status="prelaunch",
        uuid=str(guest.uuid),
        qemu_version=connected.facts.qemu_version,
        memory_bytes=16 << 20,
        migrating=False,
        dump="none",
    )
    assert await watch.monitors.execute("web-1", "cont", {}, timeout=5) == {}
    await eventually(lambda: len(watch.recorder.names) == 3)
    assert watch.recorder.names == ["RESUME", "GUEST_PANICKED", "STOP"]
    panic = watch.recorder.entries[2]
    assert isinstance(panic, Happened)
    assert panic.data == {"action": "pause"}
    assert abs(panic.time - time.time()) < 5
    status = await watch.monitors.execute("web-1", "query-status", {}, timeout=5)
    assert isinstance(status, dict)
    assert status["status"] == "guest-panicked"


async def test_a_reply_of_200_kb_and_a_refusal(lab: Lab, watch: Scene) -> None:
    """The schema is one line; an unknown command is refused in QEMU's words."""
    guest = await lab.guest("web-1", PANICS)
    watch.monitors.add("web-1", str(guest.monitor))
    await eventually(watch.monitors.connected)
    schema = await watch.monitors.execute("web-1", "query-qmp-schema", {}, timeout=10)
    assert isinstance(schema, list)
    assert len(schema) > 1000
    with pytest.raises(GuestError) as caught:
        await watch.monitors.execute("web-1", "nonsense", {}, timeout=5)
    assert str(caught.value) == (
        "guest web-1, command nonsense: CommandNotFound: The command nonsense has not been found\n"
        "  fix: look the command up with `reactor docs`; nothing was changed"
    )


async def test_as_many_commands_at_once_as_are_allowed(lab: Lab, watch: Scene) -> None:
    """QEMU reads some at a time; all are answered."""
    guest = await lab.guest("web-1", PANICS)
    watch.monitors.add("web-1", str(guest.monitor))
    await eventually(watch.monitors.connected)
    replies = [
        watch.monitors.send("web-1", "query-status", {}, timeout=10)
        for _ in range(Limits().commands)
    ]
    answers = await asyncio.gather(*replies)
    assert all(isinstance(a, dict) and a["status"] == "prelaunch" for a in answers)


async def test_a_monitor_that_somebody_else_holds(lab: Lab, watch: Scene) -> None:
    """The first waits for a greeting, later ones do not even get that far; all recover."""
    guest = await lab.guest("web-1", PANICS)
    _reader, writer = await asyncio.open_unix_connection(str(guest.monitor))
    for name in ("a", "b", "c", "d"):
        watch.monitors.add(name, str(guest.monitor))
    await eventually(lambda: len(watch.recorder.troubles) == 4)
    problems = {text.split(": ")[1].split("\n")[0] for text in watch.recorder.troubles}
    assert problems == {
        "another client holds this monitor, and others wait for it",
        "another client holds this monitor (no greeting within 0.5 s), or QEMU hangs",
    }
    for name in ("b", "c", "d"):
        watch.monitors.remove(name)
    writer.close()
    await eventually(watch.monitors.connected)


async def test_qemu_killed_in_the_middle_of_a_command(lab: Lab, watch: Scene) -> None:
    """Outcome unknown, disconnected with a reason, then nobody listens."""
    guest = await lab.guest("web-1", PANICS)
    watch.monitors.add("web-1", str(guest.monitor))
    await eventually(watch.monitors.connected)
    await freeze(guest)
    reply = watch.monitors.send("web-1", "system_reset", {}, timeout=10)
    guest.kill9()
    with pytest.raises(LostReply) as caught:
        await reply
    assert str(caught.value) == (
        "guest web-1, command system_reset: sent, but no reply: QEMU died, or was killed\n"
        "  fix: the outcome is unknown: look at the guest's state before it is sent again"
    )
    await eventually(lambda: watch.recorder.troubles)
    assert watch.recorder.entries[1] == Disconnected("web-1", "QEMU died, or was killed")
    assert "\n".join(watch.recorder.troubles) == (
        f"guest web-1, monitor unix:{guest.monitor}: nobody listens on this socket: QEMU has "
        "ended and left the file behind\n"
        "  fix: start the guest; reactor connects as soon as QEMU listens again"
    )


async def test_a_qemu_that_hangs(lab: Lab, watch: Scene) -> None:
    """It looks like a monitor that somebody holds, and is connected when it goes on."""
    guest = await lab.guest("web-1", PANICS)
    await freeze(guest)
    watch.monitors.add("web-1", str(guest.monitor))
    await eventually(lambda: watch.recorder.troubles)
    guest.thaw()
    await eventually(watch.monitors.connected)
    assert watch.recorder.story == ["trouble", "connected"]


@pytest.mark.parametrize("transport", ["unix", "tcp"])
async def test_another_qemu_is_another_epoch(lab: Lab, watch: Scene, transport: str) -> None:
    """Reconnects keep the epoch, a restart on the same address changes it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("-qmp", f"tcp:127.0.0.1:{port},server=on,wait=off")
    guest = await lab.guest("web-1", GuestPlan(preserved=True, options=options))
    address = str(guest.monitor) if transport == "unix" else f"127.0.0.1:{port}"
    watch.monitors.add("web-1", address)
    await eventually(watch.monitors.connected)
    watch.monitors.remove("web-1")
    watch.monitors.add("web-1", address)
    await eventually(watch.monitors.connected)
    await guest.restart()
    await eventually(lambda: watch.recorder.story.count("connected") == 3, limit_s=10)
    first, second, third = (watch.recorder.connected(number).epoch for number in range(3))
    assert first == second != third


async def test_a_storage_daemon(lab: Lab, watch: Scene) -> None:
    """A monitor like any other, without a guest."""
    daemon = await lab.storage_daemon("storage")
    watch.monitors.add("storage", str(daemon.monitor))
    await eventually(watch.monitors.connected)
    facts = watch.recorder.connected().facts
    assert facts == Facts(kind="storage-daemon", status="none", qemu_version=facts.qemu_version)
    assert await watch.monitors.execute("storage", "query-block-exports", {}, timeout=5) == []


async def test_a_monitor_in_pretty_print(lab: Lab, watch: Scene) -> None:
    """QEMU can be told to write one message over several lines: the fix says how not to."""
    path = lab.folder / "pretty.sock"
    options = ("-qmp-pretty", f"unix:{path},server=on,wait=off")
    await lab.guest("web-1", GuestPlan(preserved=True, options=options))
    watch.monitors.add("web-1", str(path))
    await eventually(lambda: watch.recorder.troubles)
    assert "\n".join(watch.recorder.troubles) == (
        f"guest web-1, monitor unix:{path}: this monitor writes one message over several lines\n"
        "  fix: start QEMU with -qmp instead of -qmp-pretty, or without pretty=on"
    )
