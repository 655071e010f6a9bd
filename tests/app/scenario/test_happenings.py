"""An event of a test moves the simulated guest as QEMU would have moved."""

import pytest

from reactor.app.scenario.qemu import Traits
from reactor.policyfile.policy_tests import Answering
from tests.app.scenario.guests import Bench


@pytest.mark.parametrize(
    ("name", "data", "told", "status"),
    [
        pytest.param("GUEST_PANICKED", {"action": "pause"}, ["STOP"], "guest-panicked", id="panic"),
        pytest.param("GUEST_PANICKED", {"action": "run"}, [], "running", id="panic, run on"),
        pytest.param("BLOCK_IO_ERROR", {"action": "stop"}, ["STOP"], "io-error", id="I/O error"),
        pytest.param("BLOCK_IO_ERROR", {"action": "report"}, [], "running", id="reported only"),
        pytest.param("WATCHDOG", {"action": "pause"}, ["STOP"], "watchdog", id="watchdog"),
        pytest.param("WATCHDOG", {"action": "none"}, [], "running", id="watchdog, nothing"),
        pytest.param("WATCHDOG", {"action": "shutdown"}, ["POWERDOWN"], "running", id="button"),
        pytest.param("STOP", {}, [], "paused", id="stop"),
        pytest.param("RESUME", {}, [], "running", id="resume of a guest that runs"),
        pytest.param("SUSPEND", {}, [], "suspended", id="suspend"),
        pytest.param("RESET", {"guest": True}, [], "running", id="reset"),
        pytest.param("MIGRATION", {"status": "active"}, [], "running", id="migration"),
        pytest.param("MIGRATION_PASS", {"pass": 3}, [], "running", id="pass"),
        pytest.param("DEVICE_DELETED", {"device": "d"}, [], "running", id="moves nothing"),
    ],
)
def test_moves(name: str, data: dict[str, object], told: list[str], status: str) -> None:
    """The event, what comes with it, and the state that `query-status` then answers."""
    bench = Bench()
    bench.happen(name, data)
    bench.run(0.05)
    assert (bench.names(), bench.qemu.status) == ([name, *told], status)


@pytest.mark.parametrize(
    ("name", "data", "before", "told", "status"),
    [
        pytest.param("RESUME", {}, "paused", ["RESUME"], "running", id="resume"),
        pytest.param("STOP", {}, "guest-panicked", ["STOP"], "guest-panicked", id="stop"),
        pytest.param("WAKEUP", {}, "suspended", ["WAKEUP"], "running", id="wakeup"),
        pytest.param("RESET", {}, "guest-panicked", ["RESET"], "prelaunch", id="reset"),
        pytest.param(
            "GUEST_PANICKED",
            {"action": "pause"},
            "guest-panicked",
            ["GUEST_PANICKED"],
            "guest-panicked",
            id="a panic where nothing ran",
        ),
        pytest.param(
            "MIGRATION",
            {"status": "completed"},
            "paused",
            ["MIGRATION"],
            "postmigrate",
            id="migrated while it stood still",
        ),
    ],
)
def test_moves_of_a_guest_that_stands_still(
    name: str, data: dict[str, object], before: str, told: list[str], status: str
) -> None:
    """STOP comes only where something ran."""
    bench = Bench(before)
    bench.happen(name, data)
    assert (bench.names(), bench.qemu.status) == (told, status)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        pytest.param(
            "GUEST_PANICKED", {"action": "poweroff"}, ["GUEST_PANICKED", "SHUTDOWN"], id="panic"
        ),
        pytest.param("SHUTDOWN", {"guest": True}, ["SHUTDOWN"], id="shutdown"),
        pytest.param("WATCHDOG", {"action": "poweroff"}, ["WATCHDOG"], id="no SHUTDOWN on 7.2"),
    ],
)
def test_ends(name: str, data: dict[str, object], told: list[str]) -> None:
    """QEMU ends, as it does by itself."""
    bench = Bench()
    bench.happen(name, data)
    bench.run(0.1)
    assert (bench.names(), bench.ended) == (told, "the connection was closed")


def test_a_panic_that_powers_off_ends_qemu_despite_no_shutdown() -> None:
    """The action of the event is what QEMU did."""
    bench = Bench(traits=Traits(actions={"shutdown": "pause"}))
    bench.happen("GUEST_PANICKED", {"action": "poweroff"})
    assert bench.run(0.1).ended == "the connection was closed"


def test_a_completed_migration_stops_the_guest_first() -> None:
    """STOP precedes the end."""
    bench = Bench()
    bench.happen("MIGRATION", {"status": "completed"})
    assert (bench.names(), bench.qemu.status) == (["STOP", "MIGRATION"], "postmigrate")


def test_a_watchdog_that_resets() -> None:
    """The reset is told as the guest's."""
    bench = Bench()
    bench.happen("WATCHDOG", {"action": "reset"})
    assert bench.told[1].data == {"guest": True, "reason": "guest-reset"}


def test_resets_of_a_test_have_no_echo() -> None:
    """The firmware's own are the test's business."""
    bench = Bench()
    bench.happen("RESET", {"guest": True, "reason": "guest-reset"})
    assert bench.run(60).names() == ["RESET"]


def test_a_reset_closes_the_ports_that_were_open() -> None:
    """VSERPORT_CHANGE comes before RESET, for open ports only."""
    bench = Bench()
    bench.happen("VSERPORT_CHANGE", {"id": "agent", "open": True})
    bench.happen("VSERPORT_CHANGE", {"id": "other", "open": False})
    bench.run(2).names()
    bench.command("system_reset")
    assert bench.names() == ["VSERPORT_CHANGE", "RESET"]
    bench.run(2).names()
    bench.command("system_reset")
    assert bench.names() == ["RESET"]


@pytest.mark.parametrize(
    ("data", "dump"),
    [
        pytest.param({"result": {"status": "failed"}}, "failed", id="it failed"),
        pytest.param({"result": {"status": "completed"}}, "completed", id="it went well"),
        pytest.param({}, "none", id="it says nothing"),
    ],
)
def test_a_dump_of_somebody_else(data: dict[str, object], dump: str) -> None:
    """`query-dump` knows of it afterwards."""
    bench = Bench()
    bench.happen("DUMP_COMPLETED", data)
    assert bench.qemu.dump == dump


def test_passes_of_a_migration_that_somebody_else_began() -> None:
    """`query-migrate` says that one is running, and how far it is."""
    bench = Bench()
    bench.happen("MIGRATION_PASS", {"pass": 4})
    bench.happen("MIGRATION_PASS", {"pass": "?"})
    assert bench.qemu.migration.is_running
    assert bench.result("query-migrate") == {
        "status": "active",
        "ram": {"total": 512 << 20, "remaining": 32 << 20, "dirty-sync-count": 4},
    }


def test_a_first_pass_without_a_number() -> None:
    """It says that a migration runs, and no more."""
    bench = Bench()
    bench.happen("MIGRATION_PASS", {})
    assert bench.result("query-migrate") == {"status": "active"}


def test_a_ready_job_of_somebody_else_can_be_completed() -> None:
    """It is known from then on, and ends as any other."""
    bench = Bench()
    bench.happen("BLOCK_JOB_READY", {"device": "m", "type": "mirror"})
    known = {"id": "m", "type": "mirror", "status": "ready", "current-progress": 0}
    assert bench.result("query-jobs") == [known]
    bench.run(0.1).names()
    bench.command("job-complete", {"id": "m"})
    assert "BLOCK_JOB_COMPLETED" in bench.names()
    assert bench.result("query-jobs") == []


def test_a_job_may_fail_when_it_is_completed() -> None:
    """The command is accepted, and the end of the job has an error."""
    bench = Bench(answers={"job-complete": Answering(breaks="no room")})
    bench.happen("BLOCK_JOB_READY", {"device": "m", "type": "mirror"})
    assert bench.command("job-complete", {"id": "m"}) == "ok"
    ends = [event.data for event in bench.told if event.name == "BLOCK_JOB_COMPLETED"]
    assert [end["error"] for end in ends] == ["no room"]
