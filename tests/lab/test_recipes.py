"""Each recipe on a real QEMU: the event that it promises comes, and what follows is as said."""

import asyncio
import errno
from uuid import UUID

import pytest

from reactor.demo import bootcode
from reactor.demo.control import Control
from reactor.demo.disk import Fault
from reactor.demo.dumps import dump_is_valid, dump_problem
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from reactor.errors import GuestError, LostReply
from tests.lab import recipes
from tests.lab.lab import Audit, Fifo

pytestmark = pytest.mark.asyncio

PRESERVED = GuestPlan(preserved=True)
WELL = GuestPlan(boot=bootcode.guest_code(panics=0), preserved=True)


# ------------------------------------------------------------------- panics


async def test_a_guest_panics_once_and_comes_back_after_a_reset(lab: Lab) -> None:
    """It panics, QEMU keeps it, and one reset and one cont bring it up."""
    guest = await lab.guest(plan=PRESERVED)
    audit = Audit(guest)
    await guest.run()
    panicked = await audit.event("GUEST_PANICKED")
    assert panicked.data == {"action": "pause"}
    await audit.reaches("guest-panicked")
    assert guest.console == "P"

    await guest.control.command("system_reset")
    assert await guest.control.status() == "prelaunch"
    await guest.run()
    await guest.up()
    assert audit.story() == ["RESUME", "GUEST_PANICKED", "STOP", "RESET", "RESUME"]
    assert (audit.host_resets(), guest.boots, guest.panics) == (1, 1, 1)


@pytest.mark.parametrize(
    ("panics", "resets"),
    [
        pytest.param(2, 2, id="comes up after its last panic"),
        pytest.param(bootcode.EVERY_BOOT, 3, id="a crash loop has no last panic"),
    ],
)
async def test_a_guest_panics_as_often_as_it_is_told(lab: Lab, panics: int, resets: int) -> None:
    """Each of its panics needs a reset of its own, and only a finite number ends."""
    plan = GuestPlan(boot=bootcode.guest_code(panics=panics), preserved=True)
    guest = await lab.guest(plan=plan)
    for _ in range(resets):
        audit = Audit(guest)
        await guest.run()
        await audit.event("GUEST_PANICKED")
        await audit.reaches("guest-panicked")
        await guest.control.command("system_reset")
    audit = Audit(guest)
    await guest.run()
    if panics == bootcode.EVERY_BOOT:
        await audit.event("GUEST_PANICKED")
        assert (guest.boots, guest.panics) == (0, resets + 1)
    else:
        await guest.up()
        assert (guest.boots, guest.panics) == (1, panics)


async def test_a_guest_lives_for_some_ticks_before_it_panics(lab: Lab) -> None:
    """Eight ticks are 0.44 s; the panic comes after them, and not much later."""
    plan = GuestPlan(boot=bootcode.guest_code(delay_ticks=8), preserved=True)
    guest = await lab.guest(plan=plan)
    await guest.run()
    resumed = await guest.control.event("RESUME")
    panicked = await guest.control.event("GUEST_PANICKED")
    assert 7 * 0.055 < panicked.occurred - resumed.occurred < 3


async def test_a_guest_that_works_panics_when_it_is_told(lab: Lab) -> None:
    """It gives heartbeats, sends no event, and panics at an NMI."""
    guest = await lab.guest(plan=WELL)
    audit = Audit(guest)
    await guest.run()
    await guest.up()
    await guest.alive()
    assert audit.story() == ["RESUME"]
    await guest.panic()
    await audit.event("GUEST_PANICKED")
    assert (guest.boots, guest.panics) == (1, 1)


async def test_a_panicked_guest_that_is_continued_stays_dead(lab: Lab) -> None:
    """QEMU says running, and no heartbeat comes: cont alone proves nothing."""
    guest = await lab.guest(plan=PRESERVED)
    audit = Audit(guest)
    await guest.run()
    await audit.event("STOP")
    await guest.run()
    await audit.reaches("running")
    await audit.stays_without("GUEST_PANICKED", 0.2)
    assert guest.console == "P"


async def test_without_preservation_a_panic_ends_qemu(lab: Lab) -> None:
    """The event says poweroff, and QEMU is gone with exit code 0."""
    guest = await lab.guest()
    audit = Audit(guest)
    await guest.run()
    panicked = await audit.event("GUEST_PANICKED")
    assert panicked.data == {"action": "poweroff"}
    assert await guest.ended() == 0
    shutdown = await audit.event("SHUTDOWN")
    assert shutdown.data == {"guest": True, "reason": "guest-panic"}


async def test_preservation_can_be_switched_on_while_qemu_runs(lab: Lab) -> None:
    """After set-action the panic pauses the guest, as with the command line option."""
    guest = await lab.guest()
    audit = Audit(guest)
    await guest.control.command("set-action", {"panic": "pause"})
    await guest.run()
    assert (await audit.event("GUEST_PANICKED")).data == {"action": "pause"}
    await audit.reaches("guest-panicked")


async def test_a_crash_kernel_reboots_the_guest_by_itself(lab: Lab) -> None:
    """GUEST_CRASHLOADED comes instead of a panic, then the guest's own reset."""
    plan = GuestPlan(boot=bootcode.guest_code(crash_kernel=True), preserved=True)
    guest = await lab.guest(plan=plan)
    audit = Audit(guest)
    await guest.run()
    crashed = await audit.event("GUEST_CRASHLOADED")
    assert crashed.data == {"action": "run"}
    await guest.up()
    assert audit.story() == ["RESUME", "GUEST_CRASHLOADED"]
    assert audit.host_resets() == 0
    assert [event for event in audit.events("RESET") if event.number > crashed.number]


async def test_a_guest_has_the_name_and_uuid_of_its_plan(lab: Lab) -> None:
    """Both are what QEMU answers to the daemon's monitor, which is free for it."""
    guest = await lab.guest("web-1")
    daemon = await Control.connect("web-1", guest.monitor)
    try:
        assert await daemon.command("query-name") == {"name": "web-1"}
        uuid = await daemon.command("query-uuid")
        assert UUID(uuid["UUID"]) == guest.uuid
    finally:
        await daemon.close()


# ------------------------------------------------------------------- quorum


async def test_a_spoilt_copy_is_reported_and_the_read_succeeds(lab: Lab) -> None:
    """A storage daemon with no guest tells which copy lost; a healed disk is quiet again."""
    disk = lab.disk("disk0")
    daemon = await lab.storage_daemon("storage", disk)
    assert await daemon.read_disk("disk0") is None
    assert daemon.control.events("QUORUM_REPORT_BAD") == []

    disk.spoil(1)
    assert await daemon.read_disk("disk0") is None
    bad = await daemon.control.event("QUORUM_REPORT_BAD")
    assert bad.data == {
        "node-name": "disk0-copy1",
        "sector-num": 0,
        "sectors-count": 128,
        "type": "read",
    }
    assert [disk.good(copy) for copy in range(3)] == [True, False, True]

    disk.heal(1)
    assert await daemon.read_disk("disk0") is None
    assert len(daemon.control.events("QUORUM_REPORT_BAD")) == 1


async def test_two_spoilt_copies_fail_the_quorum(lab: Lab) -> None:
    """No two copies agree: the read fails, and the event names the whole disk."""
    disk = lab.disk("disk0")
    daemon = await lab.storage_daemon("storage", disk)
    disk.spoil(1, 2)
    assert await daemon.read_disk("disk0") == "Input/output error"
    failed = await daemon.control.event("QUORUM_FAILURE")
    assert failed.data == {"reference": "disk0", "sector-num": 0, "sectors-count": 128}


async def test_a_copy_with_read_errors_is_reported_with_its_error(lab: Lab) -> None:
    """An I/O error has an error text, a copy that differs has none."""
    disk = lab.disk("disk0", faults={2: Fault("read", errno.EIO)})
    daemon = await lab.storage_daemon("storage", disk)
    assert await daemon.read_disk("disk0") is None
    bad = await daemon.control.event("QUORUM_REPORT_BAD")
    assert (bad.data["node-name"], bad.data["error"]) == ("disk0-copy2", "Input/output error")


async def test_a_disk_that_repairs_itself_is_good_after_one_report(lab: Lab) -> None:
    """QEMU rewrites the copy that lost the vote."""
    disk = lab.disk("disk0", repairs=True)
    daemon = await lab.storage_daemon("storage", disk)
    disk.spoil(0)
    assert await daemon.read_disk("disk0") is None
    await daemon.control.event("QUORUM_REPORT_BAD")
    assert disk.good(0)


async def test_the_disk_of_a_paused_guest_can_be_read(lab: Lab) -> None:
    """The same reports come from a guest's monitor, although no guest code ran."""
    disk = lab.disk("disk0")
    guest = await lab.guest(plan=PRESERVED, disk=disk)
    disk.spoil(1, sector=2)
    await guest.read_disk(offset=1024, length=1024)
    bad = await guest.control.event("QUORUM_REPORT_BAD")
    assert (bad.data["node-name"], bad.data["sector-num"]) == ("disk0-copy1", 2)

    disk.spoil(2, sector=2)
    await guest.read_disk(offset=1024)
    failed = await guest.control.event("QUORUM_FAILURE")
    assert failed.data["reference"] == "disk0"


async def test_a_guest_that_reads_its_disk_notices_by_itself(lab: Lab) -> None:
    """It works on through one bad copy, and sees read errors at two."""
    disk = lab.disk("disk0")
    boot = bootcode.guest_code(panics=0, reads_disk=True)
    guest = await lab.guest(plan=GuestPlan(boot=boot), disk=disk)
    await guest.run()
    await guest.up()
    disk.spoil(0)
    bad = await guest.control.event("QUORUM_REPORT_BAD")
    assert bad.data["node-name"] == "disk0-copy0"
    await guest.alive()
    assert guest.failed_reads == 0

    disk.spoil(1)
    await guest.control.event("QUORUM_FAILURE")
    await guest.alive()
    assert guest.failed_reads > 0


# -------------------------------------------------------------------- dumps


@pytest.mark.parametrize("dump_format", ["elf", "kdump-zlib"])
async def test_a_dump_is_complete(lab: Lab, dump_format: str) -> None:
    """QEMU says completed, the file is whole, and without its last byte it is not."""
    guest = await lab.guest()
    path = lab.folder / "dump"
    completed = await recipes.dump(guest, f"file:{path}", dump_format)
    assert completed.data["result"]["status"] == "completed"
    assert "error" not in completed.data
    assert dump_is_valid(path)

    cut = lab.folder / "cut"
    cut.write_bytes(path.read_bytes()[:-1])
    assert (dump_problem(cut) or "").startswith("it is cut off: ")


@pytest.mark.parametrize(
    ("dump_format", "error"),
    [
        ("elf", "dump: failed to write elf header: No space left on device"),
        ("kdump-zlib", "dump: failed to write start flat header"),
    ],
)
async def test_a_dump_to_a_full_disk_fails_with_an_event(
    lab: Lab, dump_format: str, error: str
) -> None:
    """DUMP_COMPLETED comes for a failed dump, too, and tells its error."""
    guest = await lab.guest()
    completed = await recipes.dump(guest, "file:/dev/full", dump_format)
    assert completed.data["result"]["status"] == "failed"
    assert completed.data["error"] == error


async def test_a_dump_that_cannot_be_opened_is_refused_without_an_event(lab: Lab) -> None:
    """The command itself fails."""
    guest = await lab.guest()
    with pytest.raises(GuestError, match="No such file or directory"):
        await recipes.start_dump(guest, f"file:{lab.folder}/nowhere/dump")
    assert guest.control.events() == []


async def test_a_dump_hangs_until_it_is_read(lab: Lab) -> None:
    """It stays active while the test does nothing, and completes once the test reads."""
    guest = await lab.guest()
    fifo = Fifo(lab.folder / "fifo")
    try:
        await recipes.start_dump(guest, fifo.target, "elf")
        progress = await guest.control.command("query-dump")
        assert progress["status"] == "active"
        with pytest.raises(GuestError, match="There is a dump in process, please wait"):
            await guest.run()
        assert guest.control.events("DUMP_COMPLETED") == []
        taken = await fifo.drain()
    finally:
        fifo.close()
    completed = await guest.control.event("DUMP_COMPLETED")
    assert completed.data["result"]["status"] == "completed"
    assert taken > completed.data["result"]["completed"] == 17039360


async def test_a_dump_whose_reader_goes_away_fails(lab: Lab) -> None:
    """A hanging dump can be made to fail at a moment that the test chooses."""
    guest = await lab.guest()
    fifo = Fifo(lab.folder / "fifo")
    await recipes.start_dump(guest, fifo.target, "elf")
    fifo.close()
    completed = await guest.control.event("DUMP_COMPLETED")
    assert completed.data["result"]["status"] == "failed"
    assert completed.data["error"].endswith("Broken pipe")


async def test_qemu_killed_during_a_dump_leaves_a_dump_that_is_not_whole(lab: Lab) -> None:
    """The command that is under way loses its reply, and the monitor ends."""
    guest = await lab.guest()
    fifo = Fifo(lab.folder / "fifo")
    try:
        # Not detached: QEMU answers nobody until the dump has ended.
        arguments = {"paging": False, "protocol": fifo.target}
        answer = asyncio.create_task(guest.control.command("dump-guest-memory", arguments))
        await fifo.begun()
        guest.kill9()
        with pytest.raises(LostReply, match="the monitor died before it replied"):
            await answer
        assert await guest.ended() == -9
    finally:
        fifo.close()
