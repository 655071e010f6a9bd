"""The service's life under a real systemd: it starts, serves, dies, hangs, reloads, stops."""

import re
import time

import pytest

from reactor.demo.dumps import dump_problem
from tests.service import howto
from tests.service.service import DUMPS, ETC, Service

STOP_S = 20.0
BIN = "/opt/reactor/.venv/bin"


@pytest.mark.asyncio
async def test_a_guest_that_panics_is_dumped_and_comes_back(service: Service) -> None:
    """By the hardened service; the dump is QEMU's own."""
    async with service.guest() as served:
        served.watched()
        await served.panic()
        await served.is_back()
        (dump,) = service.dumps(served.name)
        assert dump_problem(dump) is None
        assert service.machine.rights(f"{DUMPS}/{dump.name}") == "qemu qmp 0400"


@pytest.mark.asyncio
async def test_it_comes_back_after_a_kill_and_goes_on(service: Service) -> None:
    """A guest that panics while it is away is seen to."""
    async with service.guest() as served:
        served.watched()
        restarts = int(service.show("NRestarts"))
        # Stopped first, so that it cannot hear of the panic.
        service.machine.call("systemctl", "kill", "-s", "STOP", "reactor")
        await served.panic()
        service.machine.call("systemctl", "kill", "-s", "KILL", "reactor")
        service.comes_back(restarts)
        await served.is_back()
        assert len(service.dumps(served.name)) == 1


def test_a_daemon_that_lives_is_left_alone_and_one_that_hangs_is_started_again(
    service: Service,
) -> None:
    """In the time of the watchdog, here a shorter one; where it hung stands in the log."""
    service.change("WatchdogSec=3")
    service.machine.call("systemctl", "restart", "reactor")
    restarts, first = int(service.show("NRestarts")), service.show("MainPID")
    since, before = int(service.show("ActiveEnterTimestampMonotonic")), service.machine.now()

    def has_lived() -> bool:
        assert service.show("MainPID") == first
        return int(service.show("WatchdogTimestampMonotonic")) > since + 1_500_000

    service.machine.until("it gives signs of life", has_lived)
    service.machine.call("systemctl", "kill", "-s", "STOP", "reactor")
    service.comes_back(restarts)
    lines = service.machine.log("reactor", after=before)
    assert "reactor.service: Watchdog timeout (limit 3s)!" in lines
    assert "Fatal Python error: Aborted" in lines
    assert any('File "/opt/reactor/reactor/' in line for line in lines)


def test_a_reload_takes_new_policies_over(service: Service) -> None:
    """And leaves the old ones in force when one is wrong, which the status says."""
    machine, first = service.machine, service.show("MainPID")
    file = machine.path(f"{ETC}/rules/mine.yaml")
    try:
        before = machine.now()
        file.write_text("policy: mine\n")
        machine.call("systemctl", "reload", "reactor")
        service.says("rules not reloaded: the old ones stay in force", before)
        machine.until("it is active again", lambda: service.state == "active")
        assert "the rules have 3 errors" in service.show("StatusText")
    finally:
        file.unlink()
    before = machine.now()
    machine.call("systemctl", "reload", "reactor")
    service.says('"rules reloaded"', before)
    machine.until("it is well", lambda: "the rules" not in service.show("StatusText"))
    assert service.show("MainPID") == first


def test_it_stops_in_time_and_is_ready_when_the_start_returns(service: Service) -> None:
    """It stops by itself, with the journal closed; `systemctl start` waits until it serves."""
    machine, before, began = service.machine, service.machine.now(), time.monotonic()
    machine.call("systemctl", "stop", "reactor")
    assert time.monotonic() - began < STOP_S
    assert (service.state, service.show("Result")) == ("inactive", "success")
    assert any('"stopped"' in line for line in machine.log("reactor", after=before))
    before = machine.now()
    machine.call("systemctl", "start", "reactor")
    assert service.state == "active"
    assert any('"ready"' in line for line in machine.log("reactor", after=before))
    status = r"watches (no guest|\d+ of \d+ guests?), 1 policy; the broker is away"
    assert re.fullmatch(status, service.show("StatusText"))


def test_wrong_settings_fail_the_start_and_are_not_tried_again(service: Service) -> None:
    """Whoever starts it sees that, and the log says what is wrong."""
    machine, before = service.machine, service.machine.now()
    service.settings("gusts: []\n")
    assert machine.call("systemctl", "restart", "reactor", check=False).returncode != 0
    assert (service.state, service.show("ExecMainStatus")) == ("failed", "2")
    lines = machine.log("reactor", after=before)
    assert any("gusts" in line for line in lines)
    assert not any("Scheduled restart job" in line for line in lines)


def test_what_it_writes_is_where_the_page_says_and_nobody_elses(service: Service) -> None:
    """Owner, group and mode of each."""
    assert {path: service.machine.rights(path) for path in WRITTEN} == WRITTEN


WRITTEN = {
    "/etc/reactor": "root root 0755",
    "/run/qemu": "root qmp 2770",
    "/var/lib/reactor": "reactor qmp 0700",
    "/var/lib/reactor/journal.db": "reactor qmp 0600",
    DUMPS: "root qmp 2770",
}


def test_it_starts_with_the_machine(service: Service) -> None:
    """The folder of the monitors is there again, too."""
    before = service.machine.path("/var/lib/reactor/journal.db").stat().st_ino
    service.machine.power_off()
    service.machine.boot()
    assert service.state == "active"
    assert service.machine.rights("/run/qemu") == "root qmp 2770"
    assert service.machine.path("/var/lib/reactor/journal.db").stat().st_ino == before


def test_a_group_may_ask_it(service: Service) -> None:
    """With what the page adds for that to the settings and to the unit."""
    settings, lines = howto.for_a_group()
    service.settings(howto.settings() + settings)
    service.change(lines)
    service.machine.call("systemctl", "restart", "reactor")
    assert service.machine.rights("/run/reactor") == "reactor qmp 0750"
    asked = f"setpriv --reuid qemu --regid qmp --clear-groups {BIN}/reactor status"
    assert "on machine, process " in service.machine.shell(asked)


def test_the_journal_is_copied_before_an_upgrade(service: Service) -> None:
    """By the line of the page, while it serves."""
    backup = howto.commands("journal backup").replace("reactor journal", f"{BIN}/reactor journal")
    service.machine.shell(backup)
    found = service.machine.path("/var/backups/reactor-journal.db")
    assert found.stat().st_size > 0
    found.unlink()
