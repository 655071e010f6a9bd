"""A wait over a break of the monitor: what happened on a real QEMU meanwhile decides it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reactor.app.settings import Discovery, DumpsSettings, QmpSettings
from reactor.core.inputs import Operated
from reactor.core.orders import StartRun
from reactor.demo import bootcode
from reactor.demo.guests import AGENT_PORT, Guest, GuestPlan
from reactor.demo.lab import Lab
from tests.lab.cutting import Line
from tests.lab.lab import Audit, Fifo
from tests.lab.recipes import NOWHERE
from tests.lab.rig import Rig, rig

pytestmark = pytest.mark.asyncio

NODE = '{{"driver": "null-co", "node-name": "{}", "size": 16777216}}'
NODES = ("src", "mirrored", "dst", "over", "gone-to", "late-to")
PLAN = GuestPlan(
    boot=bootcode.guest_code(panics=0, agent_ticks=0),
    agent_port=True,
    options=(
        *(part for node in NODES for part in ("-blockdev", NODE.format(node))),
        *("-device", "virtio-scsi-pci,id=scsi0", "-device", "scsi-cd,id=cd0,bus=scsi0.0"),
        *("-device", "scsi-cd,id=cd1,bus=scsi0.0"),
    ),
)

KEPT = "data.device == 'kept'"
PORT = f"data.id == '{AGENT_PORT}'"
WAITS: Mapping[str, tuple[str, str, str]] = {
    "port-opened": ("VSERPORT_CHANGE", f"{PORT} && data.open", ""),
    "port-closes": ("VSERPORT_CHANGE", f"{PORT} && !data.open", ""),
    "job-kept": ("BLOCK_JOB_COMPLETED", KEPT, "has(data.error)"),
    "job-failed": ("BLOCK_JOB_COMPLETED", KEPT, "data.offset > 0"),
    "job-status": ("JOB_STATUS_CHANGE", "data.id == 'kept' && data.status == 'concluded'", ""),
    "job-ready": ("BLOCK_JOB_READY", "data.device == 'ready'", ""),
    "job-gone": ("BLOCK_JOB_COMPLETED", "data.device == 'gone'", ""),
    "job-late": ("BLOCK_JOB_COMPLETED", "data.device == 'late'", ""),
    "device-gone": ("DEVICE_DELETED", "data.device == 'cd1'", ""),
    "device-late": ("DEVICE_DELETED", "data.device == 'cd0'", ""),
    "no-query": ("QUORUM_REPORT_BAD", "true", ""),
}
"""Event, ``where`` and ``fail_when`` of the wait of each policy."""

DECIDED = {
    "port-opened": "succeeded",
    "job-kept": "succeeded",
    "job-failed": "failed",
    "job-status": "succeeded",
    "job-ready": "succeeded",
    # With auto-dismiss a job takes its end with it.
    "job-gone": "unknown",
    "device-gone": "succeeded",
    "no-query": "unknown",
}
"""How the runs end whose event came, or can have come, while the monitor was away."""

OPEN = {"job-late": "succeeded", "device-late": "succeeded", "port-closes": "succeeded"}
"""Those that go on waiting, because what they wait for can only come yet; it does."""


def _policy(name: str, step: Mapping[str, object]) -> str:
    policy = {
        "policy": name,
        "description": "Started by hand.",
        "trigger": {"event": "WAKEUP"},
        "steps": [step],
    }
    return json.dumps(policy)


def _waits(name: str, event: str, where: str, fail_when: str = "") -> str:
    wait = {"event": event, "where": where} | ({"fail_when": fail_when} if fail_when else {})
    return _policy(name, {"wait": wait})


async def _begin(host: Rig, *policies: str) -> None:
    """Start a run of each, and return when all of them wait for their event."""
    for policy in policies:
        host.running.dispatcher.submit(Operated(policy, "test", StartRun(policy, "web-1")))

    def waiting() -> bool:
        runs = host.running.engine.world.runs.values()
        waits = {run.policy for run in runs if run.cursor.armed == run.cursor.pc}
        return waits >= set(policies)

    await host.until("all of them wait", waiting)


async def _break(host: Rig, line: Line) -> None:
    """Cut the line, and return when reactor knows it."""
    await line.cut()
    guest = host.running.engine.world.guests["web-1"]
    await host.until("the monitor is away", lambda: not guest.connected)


def _outcomes(host: Rig) -> dict[str, str]:
    return {run.policy: run.outcome for run in host.ended()}


async def _has_ended(host: Rig, *policies: str) -> dict[str, str]:
    """How the runs of these policies ended, as soon as all have."""
    await host.until("they end", lambda: _outcomes(host).keys() >= set(policies), 30)
    return {policy: _outcomes(host)[policy] for policy in policies}


async def _job(guest: Guest, job: str, target: str, **arguments: object) -> None:
    backup = {"job-id": job, "device": "src", "target": target, "sync": "full", **arguments}
    await guest.control.command("blockdev-backup", backup)


async def _during_the_first_break(guest: Guest) -> None:
    """Let all happen that the first break hides."""
    control = guest.control
    await guest.run()
    await control.event("VSERPORT_CHANGE", lambda data: data["open"])
    for job, last in (("kept", "concluded"), ("ready", "ready"), ("gone", "null")):
        await control.command("block-job-set-speed", {"device": job, "speed": 0})
        await control.event("JOB_STATUS_CHANGE", {"id": job, "status": last}.__eq__)
    await control.command("device_del", {"id": "cd1"})
    await control.event("DEVICE_DELETED", lambda data: data.get("device") == "cd1")


async def _behind_the_first_break(guest: Guest) -> None:
    """Let that happen for which waits go on."""
    control = guest.control
    await control.command("block-job-set-speed", {"device": "late", "speed": 0})
    await control.command("device_del", {"id": "cd0"})
    await control.command("stop")
    await control.command("system_reset")  # closes the port


async def _breaks_over_jobs_ports_and_devices(host: Rig, line: Line, guest: Guest) -> None:
    slow = {"speed": 1}
    await _job(guest, "kept", "dst", **slow, **{"auto-dismiss": False})
    await _job(guest, "gone", "gone-to", **slow)
    await _job(guest, "late", "late-to", **slow, **{"auto-dismiss": False})
    mirror = {"job-id": "ready", "device": "mirrored", "target": "over", "sync": "full", **slow}
    await guest.control.command("blockdev-mirror", mirror)
    await _begin(host, *WAITS)
    await _break(host, line)
    await _during_the_first_break(guest)
    line.mend()
    assert await _has_ended(host, *DECIDED) == DECIDED
    waiting = {run.policy for run in host.running.engine.world.runs.values()}
    assert waiting == OPEN.keys()
    await _behind_the_first_break(guest)
    assert await _has_ended(host, *OPEN) == OPEN
    await guest.run()
    web = host.running.engine.world.guests["web-1"]
    await host.until("the port opens", lambda: web.facts.compared["ports"][AGENT_PORT] is True)


async def _break_over_a_dump(host: Rig, line: Line, fifo: Fifo) -> None:
    audit = Audit(line.guest)
    await _begin(host, "dump-own", "dump-other", "port-again")
    await fifo.begun()
    await _break(host, line)
    await fifo.drain()
    await audit.event("DUMP_COMPLETED")
    await audit.reaches("running")
    line.mend()
    decided = {"dump-own": "succeeded", "dump-other": "succeeded", "port-again": "unknown"}
    assert await _has_ended(host, *decided) == decided


async def _break_over_a_migration(host: Rig, line: Line) -> None:
    control = line.guest.control
    await control.command("migrate-set-parameters", {"max-bandwidth": 4096})
    await _begin(host, "migrate-own", "migrate-other")
    await _break(host, line)
    await control.command("migrate-set-parameters", {"max-bandwidth": 1 << 30})
    await Audit(line.guest).reaches("postmigrate")
    line.mend()
    decided = {"migrate-own": "succeeded", "migrate-other": "succeeded"}
    assert await _has_ended(host, *decided) == decided


async def test_waits_over_a_break_of_the_monitor(lab: Lab, tmp_path: Path) -> None:
    """What a query proves has come; what may come yet is waited for; the rest is unknown."""
    fifo = Fifo(tmp_path / "memory")
    guest = await lab.guest("web-1", PLAN)
    behind = lab.folder / "line"
    behind.mkdir()
    line = Line(behind / "web-1.sock", guest)
    await line.open()
    migrated = "data.status == 'completed'"
    policies = [
        *(_waits(name, *wait) for name, wait in WAITS.items()),
        _waits("port-again", *WAITS["port-opened"]),
        _policy("dump-own", {"guest": "dump", "to": str(tmp_path / "memory"), "format": "elf"}),
        _waits("dump-other", "DUMP_COMPLETED", "data.result.status == 'completed'"),
        _policy(
            "migrate-own",
            {
                "qmp": "migrate",
                "args": {"uri": NOWHERE},
                "wait": {"event": "MIGRATION", "where": migrated},
            },
        ),
        _waits("migrate-other", "MIGRATION", migrated),
    ]
    settings: dict[str, Any] = {
        "discoveries": (Discovery(str(behind / "*.sock")),),
        "dumps": DumpsSettings(tmp_path / "dumps", frozenset({str(tmp_path / "memory")})),
        "qmp": QmpSettings(frozenset({"migrate"})),
    }
    try:
        async with rig(lab, tmp_path, policies, **settings) as host:
            await host.watches("web-1")
            await _breaks_over_jobs_ports_and_devices(host, line, guest)
            await _break_over_a_dump(host, line, fifo)
            await _break_over_a_migration(host, line)
    finally:
        await line.close()
        fifo.close()
