"""What probes ask, on a real QEMU: each command is `not done` before it was sent, then `done`."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from reactor.core.disk_probes import ALL
from reactor.core.inputs import Answered, Facts, Refusal
from reactor.core.intent import intent_of
from reactor.core.probes import Ask, Finding, Seen, Verdict
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from reactor.errors import MonitorError

pytestmark = pytest.mark.asyncio

Arguments = Mapping[str, object]

CD = GuestPlan(
    options=(
        "-device", "ide-cd,id=cd0",
        "-blockdev", "driver=null-co,node-name=m0,size=1048576,read-only=on",
        "-blockdev", "driver=null-co,node-name=d0,size=1048576",
        "-device", "virtio-blk-pci,drive=d0",
    )
)  # fmt: skip


def _commands(folder: Path) -> list[tuple[str, Arguments, bool]]:
    """Commands, their arguments, and whether they are looked at; in an order that works."""
    export = {"id": "e1", "type": "nbd", "node-name": "d0"}
    file = {"driver": "file", "filename": str(folder / "made.raw"), "size": 1024}
    server = {"addr": {"type": "unix", "data": {"path": str(folder / "nbd")}}}
    overlay = {"node-name": "d0", "snapshot-file": str(folder / "over"), "format": "qcow2"}
    null = {"driver": "null-co", "node-name": "n1"}
    return [
        ("blockdev-open-tray", {"id": "cd0"}, True),
        ("blockdev-insert-medium", {"id": "cd0", "node-name": "m0"}, True),
        ("blockdev-close-tray", {"id": "cd0"}, True),
        ("eject", {"id": "cd0"}, True),
        ("blockdev-insert-medium", {"id": "cd0", "node-name": "m0"}, False),
        ("blockdev-remove-medium", {"id": "cd0"}, True),
        ("blockdev-add", null, True),
        ("blockdev-del", {"node-name": "n1"}, True),
        ("block-dirty-bitmap-add", {"node": "d0", "name": "b0"}, True),
        ("block-dirty-bitmap-remove", {"node": "d0", "name": "b0"}, True),
        ("object-add", {"qom-type": "iothread", "id": "io1"}, True),
        ("object-del", {"id": "io1"}, True),
        ("chardev-add", {"id": "c1", "backend": {"type": "null", "data": {}}}, True),
        ("chardev-remove", {"id": "c1"}, True),
        ("nbd-server-start", server, False),
        ("nbd-server-add", {"device": "d0", "name": "e0"}, True),
        ("nbd-server-remove", {"name": "e0"}, True),
        ("block-export-add", export, True),
        ("block-export-del", {"id": "e1"}, True),
        ("device_add", {"driver": "virtio-rng-pci", "id": "rng1"}, True),
        ("blockdev-create", {"job-id": "k1", "options": file}, True),
        ("blockdev-snapshot-sync", {**overlay, "snapshot-node-name": "s0"}, True),
    ]


async def _verdict(guest: Guest, command: str, arguments: Arguments) -> Verdict:
    """What the probe of this command finds now."""
    intent = intent_of("r.1", command, arguments, status="prelaunch", facts=Facts(), now=1.0)
    seen = Seen(intent, frozenset(), "prelaunch", "none", "")
    found = ALL[command].decide(seen)
    if isinstance(found, Ask):
        try:
            proof = Answered("r.2", await guest.control.command(found.command, found.arguments))
        except MonitorError as error:
            proof = Answered("r.2", error=Refusal("GenericError", str(error)))
        found = ALL[command].decide(Seen(intent, frozenset(), "prelaunch", "none", "", "", proof))
    assert isinstance(found, Finding)
    return found.verdict


async def test_a_probe_tells_a_command_that_was_done_from_one_that_was_not(
    lab: Lab, tmp_path: Path
) -> None:
    """By what QEMU answers to the query, before and behind it."""
    guest = await lab.guest(plan=CD)
    told = []
    for command, arguments, is_probed in _commands(tmp_path):
        if is_probed:
            before = await _verdict(guest, command, arguments)
            await guest.control.command(command, arguments)
            told.append((command, before.value, (await _verdict(guest, command, arguments)).value))
        else:
            await guest.control.command(command, arguments)
    assert told == [
        (command, "not done", "done") for command, _, probed in _commands(tmp_path) if probed
    ]
