"""What policies lack on real guests, told before any event."""

from pathlib import Path

import pytest

from reactor.app.control.readiness import matrix
from reactor.app.lacks import looking
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from reactor.policyfile.lacks import NO_AGENT
from reactor.qapi.types import Schema
from tests.lab.rig import Rig, rig

pytestmark = pytest.mark.asyncio

NAMES = {
    "panic": "event: GUEST_PANICKED",
    "hang": "event: WATCHDOG",
    "migration": "event: MIGRATION",
    "port": 'event: VSERPORT_CHANGE\n  where: data.id == "agent"',
    "quorum": 'event: "QUORUM_*"',
    "threshold": "event: BLOCK_WRITE_THRESHOLD",
    "unplug": "event: MEM_UNPLUG_ERROR",
    "balloon": "event: BALLOON_CHANGE",
    "screen": "event: VNC_CONNECTED",
}

POLICIES = [
    *(
        f"policy: {name}\ndescription: d\ntrigger:\n  {trigger}\nsteps: [{{log: x}}]\n"
        for name, trigger in NAMES.items()
    ),
    """
policy: commands
description: d
trigger: {event: STOP}
steps:
  - guest: reboot
  - qmp: dump-skeys
    args: {filename: /tmp/x}
  - qmp: query-status
""",
    """
policy: newer
description: d
trigger: {event: BLOCK_IO_ERROR, where: data.qom_path == "/machine/peripheral/d"}
steps: [{log: x}]
""",
    """
policy: either
description: d
trigger: {event: BLOCK_IO_ERROR, where: data.device == "d" || data.qom_path == "/d"}
steps: [{check: data.qom_path == "/d"}]
""",
]


def states(on: Rig, guest: str) -> dict[str, str]:
    """What is said of each policy on a guest."""
    daemon = on.running
    rows = matrix(daemon.engine.world, daemon.looker.judge, "*", guest, whole=True).rows
    found: dict[str, str] = {}
    for row in rows:
        said = f"{row.state}: {row.reason}" if row.reason else row.state
        found[row.policy] = "; ".join(filter(None, [found.get(row.policy, ""), said]))
    return found


NO_MEMBER = "BLOCK_IO_ERROR has no member `qom_path`"


def has_member(schema: Schema, event: str, member: str) -> bool:
    """Whether this QEMU sends it with the event."""
    return member in schema.record(schema.events[event].data).members


BARE = {
    "panic": "cannot fire: no panic device (such as -device pvpanic)",
    "hang": "cannot fire: no watchdog device (such as -device i6300esb)",
    "migration": "cannot fire: the migration capability `events` is off",
    "port": "cannot fire: no virtio-serial port has the id agent",
    "quorum": "nothing to watch: no disk is a quorum",
    "threshold": "nothing to watch: no disk has a write threshold",
    "unplug": "nothing to watch: no memory device is plugged in",
    "balloon": "nothing to watch: no balloon device",
    "screen": "nothing to watch: VNC is off",
}

FULL = {
    **dict.fromkeys(("panic", "hang", "port", "balloon", "unplug"), "ready"),
    "migration": BARE["migration"],
    "quorum": BARE["quorum"],
    "screen": BARE["screen"],
}

STORAGE = {
    "panic": "nothing to watch: a storage daemon sends no GUEST_PANICKED",
    "port": "nothing to watch: no virtio-serial port has the id agent",
    "quorum": "ready",
    "threshold": "ready",
}

DEVICES = (
    *("-m", "16M,slots=1,maxmem=64M", "-object", "memory-backend-ram,id=m,size=16M"),
    *("-device", "pc-dimm,id=dimm,memdev=m"),
    *("-device", "i6300esb", "-device", "virtio-balloon-pci"),
)


async def test_what_guests_lack_is_known_before_the_event(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without devices, a storage daemon, changes by us; one schema for one build."""
    monkeypatch.setattr(looking, "SETTLE_S", 0.05)
    await lab.guest("bare", GuestPlan(panic_device=False))
    await lab.guest("twin", GuestPlan(panic_device=False))
    await lab.guest("full", GuestPlan(agent_port=True, options=DEVICES))
    storage = await lab.storage_daemon("storage", lab.disk("disk0"))
    threshold = {"node-name": "disk0", "write-threshold": 4096}
    await storage.control.command("block-set-write-threshold", threshold)
    async with rig(lab, tmp_path, POLICIES) as on:
        names = {"bare", "twin", "full", "storage"}
        looker = on.running.looker
        await on.until("all were looked at", lambda: looker.standings.keys() == names)
        assert looker.schemas.asked == 2  # of the emulator, and of the storage daemon
        for guest, expected in (("bare", BARE), ("full", FULL), ("storage", STORAGE)):
            found = states(on, guest)
            assert {policy: found[policy] for policy in expected} == expected
        assert states(on, "bare") == states(on, "twin")
        schema = looker.standings["bare"].schema
        assert schema is not None
        if "dump-skeys" not in schema.commands:  # a build of all machines may have it
            assert "no command dump-skeys" in states(on, "bare")["commands"]
        assert f"fails: steps/0: {NO_AGENT}" in states(on, "bare")["commands"]
        if not has_member(schema, "BLOCK_IO_ERROR", "qom-path"):  # QEMU 11.1 has it
            said = f"QEMU {looker.standings['bare'].qemu}: {NO_MEMBER}"
            assert states(on, "bare")["newer"] == f"cannot fire: {said}"
            read = f"cannot read: trigger/where: {said}"
            assert states(on, "bare")["either"] == f"fails: steps/0/check: {said}; {read}"
        capabilities = {"capabilities": [{"capability": "events", "state": True}]}
        await on.running.send("full", "migrate-set-capabilities", capabilities, timeout=10)
        await on.until("it was looked at again", lambda: states(on, "full")["migration"] == "ready")
