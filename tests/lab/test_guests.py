"""The lab itself: what it starts it ends, and what goes wrong it says."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from reactor.demo import bootcode, control
from reactor.demo.control import Control
from reactor.demo.guests import Guest, GuestPlan, StorageDaemon
from reactor.demo.lab import Lab
from reactor.demo.process import DemoError, find_program
from reactor.demo.waiting import until
from reactor.errors import GuestError, LostReply, MonitorError, ReactorError
from tests.lab.lab import Audit

pytestmark = pytest.mark.asyncio

WELL = GuestPlan(boot=bootcode.guest_code(panics=0), preserved=True)

PARENT = """
import asyncio, uvloop
from reactor.demo.lab import Lab

async def main():
    lab = Lab()
    guest = await lab.guest()
    print(guest.process.pid, lab.folder, flush=True)
    await asyncio.Event().wait()

uvloop.run(main())
"""


def exists(pid: int) -> bool:
    """Whether a QEMU runs under this id."""
    try:
        return Path(f"/proc/{pid}/comm").read_text("ascii").startswith("qemu-system")
    except OSError:
        return False


# ------------------------------------------------------------ begin and end


async def test_a_lab_leaves_neither_a_process_nor_a_file_behind() -> None:
    """Not even when what is done with it fails; a second close does no harm."""
    lab = Lab()

    async def start_and_fail() -> None:
        async with lab:
            started.append(await lab.guest())
            started.append(await lab.storage_daemon("storage", lab.disk("disk0")))
            raise ZeroDivisionError

    started: list[Guest | StorageDaemon] = []
    with pytest.raises(ZeroDivisionError):
        await start_and_fail()
    assert [emulator.process.exit_code for emulator in started] == [-9, -9]
    assert not lab.folder.exists()
    await started[0].close()


async def test_the_pattern_of_a_lab_finds_its_monitors_only(lab: Lab) -> None:
    """Its other sockets and files are not taken for a guest."""
    plan = GuestPlan(agent_port=True)
    guest = await lab.guest("web-1", plan, disk=lab.disk("disk0"))
    daemon = await lab.storage_daemon("storage", lab.disk("disk1"))
    found = sorted(Path(lab.pattern).parent.glob(Path(lab.pattern).name))
    assert found == [daemon.monitor, guest.monitor]
    assert guest.agent.is_socket()


async def test_a_guest_that_was_killed_starts_again_on_the_same_paths(lab: Lab) -> None:
    """Its monitor refuses in between; then it is another QEMU, which forgot its panic."""
    guest = await lab.guest(plan=GuestPlan(preserved=True))
    audit = Audit(guest)
    await guest.run()
    await audit.event("GUEST_PANICKED")
    first = guest.process.pid
    guest.kill9()
    assert await guest.ended() == -signal.SIGKILL
    with pytest.raises(MonitorError) as refused:
        await Control.connect("guest-1", guest.monitor)
    assert str(refused.value) == (
        f"{guest.monitor}: Connection refused\n  fix: start the guest first"
    )

    await guest.restart()
    assert guest.process.pid != first
    assert await guest.control.status() == "prelaunch"
    await guest.run()
    await guest.control.event("GUEST_PANICKED")
    daemon = await Control.connect("guest-1", guest.monitor)
    await daemon.close()


async def test_a_qemu_that_quits_takes_its_monitor_with_it(lab: Lab) -> None:
    """A graceful end has exit code 0, tells its reason, and removes the socket."""
    guest = await lab.guest()
    assert await guest.quit() == 0
    shutdown = await guest.control.event("SHUTDOWN")
    assert shutdown.data == {"guest": False, "reason": "host-qmp-quit"}
    assert not guest.monitor.exists()


async def test_a_guest_dies_with_the_process_that_started_it() -> None:
    """Kill a parent with -9: the kernel kills its QEMU; uvloop makes no difference."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        words = (await parent.stdout.readline()).split()
        pid, folder = int(words[0]), Path(os.fsdecode(words[1]))
        assert exists(pid)
    finally:
        parent.kill()
        await parent.wait()
    await until("QEMU is gone", lambda: not exists(pid))
    shutil.rmtree(folder)


async def test_ctrl_c_on_the_terminal_does_not_reach_a_guest(lab: Lab) -> None:
    """It is in a process group of its own."""
    guest = await lab.guest()
    assert os.getpgid(guest.process.pid) == guest.process.pid != os.getpgrp()


async def test_fifty_guests_start_and_panic_together(lab: Lab) -> None:
    """All are up, and at one word all of them panic within a second of each other."""
    guests = await lab.fleet(50, WELL)
    await asyncio.gather(*(guest.run() for guest in guests))
    await asyncio.gather(*(guest.up(within=30) for guest in guests))
    await asyncio.gather(*(guest.panic() for guest in guests))
    events = await asyncio.gather(*(g.control.event("GUEST_PANICKED") for g in guests))
    moments = [event.occurred for event in events]
    assert max(moments) - min(moments) < 1
    assert {guest.panics for guest in guests} == {1}
    assert max(guest.process.rss_bytes() for guest in guests) < 64 << 20


# ------------------------------------------------------- what goes wrong, said


@pytest.mark.parametrize(
    ("start", "text"),
    [
        pytest.param(
            lambda lab: lab.guest(),
            "qemu-system-x86_64: this program is not installed\n"
            "  fix: install it, on Debian: apt install qemu-system-x86",
            id="no qemu",
        ),
        pytest.param(
            lambda lab: lab.storage_daemon("storage"),
            "qemu-storage-daemon: this program is not installed\n"
            "  fix: install it, on Debian: apt install qemu-system-common",
            id="no storage daemon",
        ),
        pytest.param(
            lambda lab: lab.fleet(3),
            "qemu-system-x86_64: this program is not installed\n"
            "  fix: install it, on Debian: apt install qemu-system-x86",
            id="no qemu for a fleet: one sentence",
        ),
    ],
)
async def test_a_missing_program_is_named_with_its_package(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, start: object, text: str
) -> None:
    """The sentence tells what to install."""
    monkeypatch.setenv("PATH", str(lab.folder))
    assert callable(start)
    with pytest.raises(DemoError) as error:
        await start(lab)
    assert str(error.value) == text


async def test_a_broker_is_found_where_debian_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users have no /usr/sbin on their PATH."""
    monkeypatch.setenv("PATH", "/usr/bin")
    assert find_program("mosquitto") == "/usr/sbin/mosquitto"


async def test_a_qemu_that_does_not_start_says_why(lab: Lab) -> None:
    """The problem is QEMU's last line, the fix a command line to try."""
    with pytest.raises(DemoError) as error:
        await lab.guest(plan=GuestPlan(machine="abacus"))
    place, problem, fix = error.value.place, error.value.problem, error.value.fix
    assert place == "guest guest-1"
    assert problem == (
        "qemu-system-x86_64 did not start: Use -machine help to list supported machines"
    )
    assert fix.startswith("try it by hand: /")
    assert " -M abacus " in fix


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(
            "a,b",
            "guest 'a,b': this name cannot stand in a QEMU option\n"
            "  fix: use letters, digits, dots, dashes and underscores",
            id="a comma",
        ),
        pytest.param(
            "../up",
            "guest '../up': this name cannot stand in a QEMU option\n"
            "  fix: use letters, digits, dots, dashes and underscores",
            id="another folder",
        ),
    ],
)
async def test_a_name_that_qemu_would_misread_is_refused(lab: Lab, name: str, text: str) -> None:
    """Before anything is started."""
    with pytest.raises(DemoError) as error:
        await lab.guest(name)
    assert str(error.value) == text


@pytest.mark.parametrize("excess", [0, 1], ids=["at the limit", "one byte beyond"])
async def test_a_socket_path_has_at_most_107_bytes(lab: Lab, excess: int) -> None:
    """One byte more and QEMU could not make it; the sentence comes first."""
    name = "x" * (107 + excess - len(str(lab.folder)) - len("/.sock"))
    if not excess:
        guest = await lab.guest(name)
        assert len(str(guest.monitor)) == 107
        return
    with pytest.raises(DemoError) as error:
        await lab.guest(name)
    assert str(error.value) == (
        f"{lab.folder}/{name}.sock: a unix socket's path has at most 107 bytes\n"
        "  fix: set TMPDIR to a folder with a shorter name"
    )


async def test_what_never_started_cannot_be_used(lab: Lab) -> None:
    """Both of its halves say so."""
    guest = Guest("guest-1", lab.folder, GuestPlan())
    text = "guest guest-1: it was never started\n  fix: await start() first"
    with pytest.raises(DemoError) as error:
        _ = guest.process
    assert str(error.value) == text
    with pytest.raises(DemoError) as error:
        _ = guest.control
    assert str(error.value) == text
    with pytest.raises(DemoError) as error:
        await guest.read_disk()
    assert str(error.value) == "guest guest-1: it has no disk\n  fix: give it one"


async def test_a_process_that_does_not_end_is_reported(lab: Lab) -> None:
    """Waiting has a limit, and so has waiting for its monitor."""
    guest = await lab.guest()
    with pytest.raises(DemoError) as still:
        await guest.ended(within=0.05)
    assert str(still.value) == (
        f"process {guest.process.pid} (qemu-system-x86_64): it still runs after 0.05 s\n"
        "  fix: look at what it waits for, or kill it"
    )
    with pytest.raises(MonitorError) as stands:
        await guest.control.lost(within=0.05)
    assert str(stands.value) == (
        "monitor of guest-1: it still stands after 0.05 s\n  fix: look at why QEMU has not ended"
    )


async def test_a_dead_guest_gives_no_heartbeat(lab: Lab) -> None:
    """Waiting for one ends with the sentence that did not come true."""
    guest = await lab.guest()
    with pytest.raises(DemoError) as error:
        await guest.alive(within=0.05)
    assert str(error.value) == (
        "guest guest-1 gives a heartbeat: this did not happen within 0.05 s\n"
        "  fix: read the lab's output files"
    )


# ------------------------------------------------------------------ control


async def test_a_monitor_that_somebody_holds_gives_no_greeting(lab: Lab) -> None:
    """The second client waits; as soon as the first leaves there is room for it."""
    guest = await lab.guest()
    holder = await Control.connect("holder", guest.monitor)
    with pytest.raises(MonitorError) as error:
        await Control.connect("guest-1", guest.monitor, within=0.1)
    assert str(error.value) == (
        "monitor of guest-1: no greeting within 0.1 s\n"
        "  fix: another client holds this monitor, or QEMU hangs"
    )
    await holder.close()
    second = await Control.connect("guest-1", guest.monitor)
    assert second.greeting["version"]["qemu"]["major"] >= 7
    await second.close()


async def test_a_frozen_qemu_answers_after_it_was_thawed(lab: Lab) -> None:
    """The command's outcome is unknown while it is frozen."""
    guest = await lab.guest()
    guest.freeze()
    with pytest.raises(LostReply) as error:
        await guest.control.command("query-name", within=0.1)
    assert str(error.value) == (
        "guest guest-1, command query-name: no reply within 0.1 s\n"
        "  fix: find out what the guest did before you send it again"
    )
    guest.thaw()
    assert await guest.control.status() == "prelaunch"


async def test_what_qemu_refuses_is_an_error_in_its_own_words(lab: Lab) -> None:
    """Class and description are QEMU's."""
    guest = await lab.guest()
    with pytest.raises(GuestError) as error:
        await guest.control.command("make-coffee")
    assert (error.value.error_class, error.value.description) == (
        "CommandNotFound",
        "The command make-coffee has not been found",
    )


async def test_an_event_that_does_not_come_is_reported_with_those_that_did(lab: Lab) -> None:
    """So that a failed test tells the story."""
    guest = await lab.guest(plan=WELL)
    with pytest.raises(MonitorError) as error:
        await guest.control.event("STOP", within=0.05)
    assert error.value.problem == "no such STOP within 0.05 s; what came: nothing"
    await guest.run()
    with pytest.raises(MonitorError) as error:
        await guest.control.event("STOP", within=0.05)
    assert error.value.problem == "no such STOP within 0.05 s; what came: RESUME"


async def test_nobody_waits_for_a_monitor_that_has_ended(lab: Lab) -> None:
    """Events that came before can still be read."""
    guest = await lab.guest()
    await guest.run()
    waiting = asyncio.create_task(guest.control.event("NEVER"))
    await guest.control.event("RESUME")
    guest.kill9()
    text = "monitor of guest-1: the connection has ended\n  fix: start the guest again"
    for attempt in (waiting, guest.control.command("cont"), guest.control.event("NEVER")):
        with pytest.raises(ReactorError) as error:
            await attempt
        assert str(error.value) == text
    assert (await guest.control.event("RESUME")).number == 1


async def test_the_history_is_bounded_and_counts_what_it_drops(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest events stay, and keep their numbers."""
    monkeypatch.setattr(control, "HISTORY", 3)
    guest = await lab.guest()
    for command in ("cont", "stop", "cont", "stop", "cont"):
        await guest.control.command(command)
    kept = [(event.number, event.name) for event in guest.control.events()]
    assert kept == [(3, "RESUME"), (4, "STOP"), (5, "RESUME")]
    assert (guest.control.seen, guest.control.dropped) == (5, 2)


async def test_something_that_is_no_monitor_ends_before_its_greeting() -> None:
    """A peer that hangs up is not waited for."""
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(MonitorError) as error:
        await Control.over("guest-1", ours)
    assert error.value.problem == "the connection has ended"
