"""What a simulated QEMU answers and does, beyond run states."""

from collections.abc import Mapping

import pytest

from reactor.app.scenario.qemu import Traits
from reactor.core.inputs import Refusal
from reactor.policyfile.policy_tests import Answering, Follow
from tests.app.scenario.guests import Bench

_DUMP = {"paging": False, "protocol": "file:/tmp/x", "detach": True}
_EVENTS_ON = {"capabilities": [{"capability": "events", "state": True}]}


def test_a_dump_ends_before_the_guest_runs() -> None:
    """`save-vm` outlasts DUMP_COMPLETED: a reset in between aborts QEMU, as in 15 of 15 tries."""
    bench = Bench(answers={"dump-guest-memory": Answering(takes=20.0)})
    assert bench.command("dump-guest-memory", _DUMP) == "ok"
    assert bench.names() == ["STOP"]
    bench.run(19.9)
    assert bench.result("query-dump") == {"status": "active", "completed": 0, "total": 512 << 20}
    assert bench.run(0.1).names() == ["DUMP_COMPLETED"]
    assert bench.qemu.status == "save-vm"
    assert bench.run(0.06).names() == ["RESUME"]
    assert bench.qemu.is_running


def test_a_dump_that_breaks_says_so_in_its_event() -> None:
    """DUMP_COMPLETED comes for failed dumps, too."""
    bench = Bench("guest-panicked", answers={"dump-guest-memory": Answering(breaks="disk full")})
    bench.command("dump-guest-memory", _DUMP)
    bench.run(2)
    (event,) = bench.told
    assert event.data == {
        "result": {"total": 512 << 20, "status": "failed", "completed": 0},
        "error": "disk full",
    }


def test_a_dump_that_is_not_detached_blocks_every_answer() -> None:
    """QEMU's loop stands still until it is over."""
    bench = Bench(answers={"dump-guest-memory": Answering(takes=5.0)})
    assert bench.command("dump-guest-memory", _DUMP | {"detach": False}) == ""
    bench.run(1)
    assert bench.command("query-status") == ""
    bench.run(5)
    answered = {"status": "running", "running": True, "singlestep": False}
    assert bench.replies == [{}, answered]
    assert bench.names() == ["STOP", "DUMP_COMPLETED", "RESUME"]


@pytest.mark.parametrize(
    ("answering", "events", "ended"),
    [
        pytest.param(Answering(), ["POWERDOWN", "SHUTDOWN"], True, id="it obeys"),
        pytest.param(Answering(obeys=False), ["POWERDOWN"], False, id="it does not"),
        pytest.param(Answering(takes=100.0), ["POWERDOWN"], False, id="it takes its time"),
    ],
)
def test_the_power_button(answering: Answering, events: list[str], ended: bool) -> None:
    """POWERDOWN says nothing about the guest; one that obeys ends QEMU."""
    bench = Bench(answers={"system_powerdown": answering})
    bench.command("system_powerdown")
    assert bench.run(60).names() == events
    assert bool(bench.ended) is ended


def test_a_guest_that_was_stopped_meanwhile_cannot_obey() -> None:
    """A button that was pressed before a stop does nothing."""
    bench = Bench()
    bench.command("system_powerdown")
    bench.command("stop")
    assert bench.run(60).names() == ["POWERDOWN", "STOP"]


def test_no_shutdown_keeps_qemu() -> None:
    """`-no-shutdown`, as libvirt starts it: SHUTDOWN, STOP, and the state `shutdown`."""
    bench = Bench(traits=Traits(actions={"shutdown": "pause"}))
    bench.command("system_powerdown")
    assert bench.run(60).names() == ["POWERDOWN", "SHUTDOWN", "STOP"]
    assert (bench.qemu.status, bench.ended) == ("shutdown", "")


def test_no_reboot_ends_qemu_at_a_reset() -> None:
    """With `set-action reboot=shutdown` a reset is the end."""
    bench = Bench()
    bench.command("set-action", {"reboot": "shutdown"})
    bench.command("system_reset")
    assert bench.run(1).names() == ["SHUTDOWN"]
    assert bench.ended == "the connection was closed"


def test_quit() -> None:
    """SHUTDOWN, then the reply, then the end."""
    bench = Bench()
    assert bench.command("quit") == "ok"
    assert bench.told[0].data == {"guest": False, "reason": "host-qmp-quit"}
    assert bench.run(1).ended == "the connection was closed"


def test_a_dead_qemu_does_nothing_more() -> None:
    """Neither what was to come nor a second end."""
    bench = Bench(answers={"device_del": Answering(takes=1.0)})
    bench.command("device_del", {"id": "d"})
    bench.happen("QUORUM_FAILURE", {"reference": "a"})
    bench.happen("QUORUM_FAILURE", {"reference": "b"})
    bench.qemu.end("killed")
    bench.qemu.end("killed again")
    assert bench.run(5).names() == ["QUORUM_FAILURE"]
    assert bench.ended == "killed"


@pytest.mark.parametrize(
    ("answering", "version", "events"),
    [
        pytest.param(Answering(), "7.2.22", ["DEVICE_DELETED"], id="given back"),
        pytest.param(Answering(obeys=False), "7.2.22", [], id="ignored"),
        pytest.param(
            Answering(refuses=True),
            "7.2.22",
            ["MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR"],
            id="refused: two events up to 9.0",
        ),
        pytest.param(
            Answering(refuses=True), "9.1.0", ["DEVICE_UNPLUG_GUEST_ERROR"], id="one from 9.1"
        ),
    ],
)
def test_unplugging(answering: Answering, version: str, events: list[str]) -> None:
    """`device_del` is answered well whatever the guest makes of it."""
    bench = Bench(traits=Traits(version=version), answers={"device_del": answering})
    assert bench.command("device_del", {"id": "dimm1"}) == "ok"
    bench.run(10)
    assert all(event.data["device"] == "dimm1" for event in bench.told)
    assert bench.names() == events


def test_a_sleeping_guest_is_woken() -> None:
    """`cont` does nothing to it, `system_wakeup` does."""
    bench = Bench()
    bench.happen("SUSPEND")
    assert bench.command("cont") == "ok"
    assert bench.qemu.status == "suspended"
    assert bench.command("system_wakeup") == "ok"
    assert bench.names() == ["SUSPEND", "WAKEUP"]
    assert bench.qemu.is_running


def test_a_migration_is_silent_without_its_capability() -> None:
    """STOP is all that is told."""
    bench = Bench()
    bench.command("migrate", {"uri": "tcp:b:1"})
    assert bench.run(30).names() == ["STOP"]
    assert bench.qemu.status == "postmigrate"


@pytest.mark.parametrize(
    ("version", "first"), [pytest.param("7.2", 1, id="7.2"), pytest.param("11.1.3", 2, id="11.1")]
)
def test_a_migration_that_is_told(version: str, first: int) -> None:
    """Passes, the STOP before the last of them, the end; 11.1 counts from 2."""
    bench = Bench(traits=Traits(version=version))
    more = {"capability": "xbzrle", "state": True}
    bench.command("migrate-set-capabilities", {"capabilities": [*_EVENTS_ON["capabilities"], more]})
    bench.command("migrate", {"uri": "tcp:b:1"})
    bench.run(1)
    assert bench.command("migrate-set-capabilities", _EVENTS_ON) == (
        "There's a migration process in progress"
    )
    assert bench.result("query-migrate") == {
        "status": "active",
        "ram": {"total": 512 << 20, "remaining": 256 << 20, "dirty-sync-count": 1},
    }
    bench.run(30)
    passes = [event.data["pass"] for event in bench.told if event.name == "MIGRATION_PASS"]
    assert passes == [first, first + 1]
    told = [event.data.get("status", event.name) for event in bench.told]
    assert told == [
        "setup", "MIGRATION_PASS", "active", "STOP", "MIGRATION_PASS", "completed"
    ]  # fmt: skip
    assert bench.result("query-migrate-capabilities") == [{"capability": "events", "state": True}]


def test_a_migration_that_fails_leaves_the_guest_running() -> None:
    """The reply had said nothing of it."""
    bench = Bench(answers={"migrate": Answering(breaks="no route")})
    assert bench.command("migrate", {"uri": "tcp:b:1"}) == "ok"
    bench.run(30)
    assert bench.qemu.is_running
    assert bench.result("query-migrate") == {
        "status": "failed",
        "error-desc": "no route",
        "ram": {"total": 512 << 20, "remaining": 256 << 20, "dirty-sync-count": 1},
    }


def test_a_cancelled_migration_is_over() -> None:
    """The guest runs on, and the next migration has an end of its own."""
    bench = Bench(answers={"migrate": Answering(takes=10.0)})
    bench.command("migrate", {"uri": "tcp:b:1"})
    bench.run(5)
    bench.command("migrate_cancel")
    assert bench.command("migrate_cancel") == "ok"
    bench.command("migrate", {"uri": "tcp:b:1"})
    bench.run(6)
    assert bench.qemu.is_running
    bench.run(4)
    assert bench.qemu.status == "postmigrate"


@pytest.mark.parametrize(
    ("between", "ended"),
    [
        pytest.param(["system_reset"], "QEMU was aborted (SIGABRT)", id="reset only"),
        pytest.param(["system_reset", "cont"], "", id="reset, and let go"),
    ],
)
def test_a_second_migration(between: list[str], ended: str) -> None:
    """Behind a reset QEMU aborts: its disks were given away, and not taken back."""
    bench = Bench()
    for command in ("migrate", *between, "migrate"):
        assert bench.command(command) == "ok"
        bench.run(30)
    assert bench.ended == ended


def test_a_guest_that_is_handed_over_is_not_let_go() -> None:
    """`cont` in `finish-migrate` is refused."""
    bench = Bench("finish-migrate")
    assert bench.command("cont") == "Migration is not finalized yet"


def test_parameters_are_kept() -> None:
    """Also while a migration runs."""
    bench = Bench()
    bench.command("migrate", {"uri": "tcp:b:1"})
    assert bench.command("migrate-set-parameters", {"max-bandwidth": 7}) == "ok"
    assert bench.result("query-migrate-parameters") == {"max-bandwidth": 7}


def _told(bench: Bench) -> list[object]:
    told = [event.data.get("status", event.name) for event in bench.told]
    bench.told.clear()
    return told


_MIRROR = {"job-id": "m", "device": "d", "target": "t", "sync": "full"}


def test_a_mirror_waits_to_be_completed() -> None:
    """Created, running, ready; completed when somebody says so: in the order of a real QEMU."""
    bench = Bench()
    assert bench.command("blockdev-mirror", _MIRROR) == "ok"
    assert bench.command("blockdev-mirror", _MIRROR) == "Job ID 'm' already in use"
    assert bench.command("job-complete", {"id": "m"}) == (
        "Job 'm' in state 'running' cannot accept command verb 'complete'"
    )
    assert _told(bench.run(10)) == ["created", "running", "ready", "BLOCK_JOB_READY"]
    assert bench.result("query-block-jobs") == [
        {"device": "m", "type": "mirror", "status": "ready", "ready": True,
         "offset": 1 << 30, "len": 1 << 30, "speed": 0, "io-status": "ok"}
    ]  # fmt: skip
    assert bench.command("block-job-complete", {"device": "m"}) == "ok"
    assert _told(bench) == ["waiting", "pending", "BLOCK_JOB_COMPLETED", "concluded", "null"]
    assert bench.result("query-jobs") == []


def test_a_job_that_breaks_is_aborted() -> None:
    """BLOCK_JOB_COMPLETED carries the error."""
    bench = Bench(answers={"blockdev-backup": Answering(breaks="Input/output error")})
    bench.command("blockdev-backup", {"job-id": "b", "auto-dismiss": False})
    bench.run(10)
    completed = [event.data for event in bench.told if event.name == "BLOCK_JOB_COMPLETED"]
    assert completed[0]["error"] == "Input/output error"
    assert _told(bench) == [
        "created", "running", "BLOCK_JOB_ERROR", "aborting", "BLOCK_JOB_COMPLETED", "concluded"
    ]  # fmt: skip
    assert bench.result("query-jobs") == [
        {"id": "b", "type": "backup", "status": "concluded", "current-progress": 0,
         "error": "Input/output error"}
    ]  # fmt: skip
    assert bench.command("job-dismiss", {"id": "b"}) == "ok"
    assert _told(bench) == ["null"]
    assert bench.command("job-dismiss", {"id": "b"}) == "Job not found"
    assert bench.command("block-job-dismiss", {"device": "b"}) == "Block job 'b' not found"


def test_a_job_that_waits_to_be_finalized() -> None:
    """BLOCK_JOB_PENDING, and the end when somebody says so."""
    bench = Bench()
    bench.command("block-commit", {"job-id": "c", "auto-finalize": False})
    assert _told(bench.run(10)) == ["created", "running", "waiting", "pending", "BLOCK_JOB_PENDING"]
    bench.command("job-finalize", {"id": "c"})
    assert _told(bench) == ["BLOCK_JOB_COMPLETED", "concluded", "null"]


@pytest.mark.parametrize(
    ("wait", "arguments", "last"),
    [
        pytest.param(1.0, {"device": "m"}, "BLOCK_JOB_CANCELLED", id="while it copies"),
        pytest.param(10.0, {"device": "m"}, "BLOCK_JOB_COMPLETED", id="ready: a good end"),
        pytest.param(
            10.0, {"device": "m", "force": True}, "BLOCK_JOB_CANCELLED", id="ready, by force"
        ),
    ],
)
def test_cancelling_a_mirror(wait: float, arguments: Mapping[str, object], last: str) -> None:
    """A mirror that is ready ends well when it is cancelled; nothing follows later."""
    bench = Bench()
    bench.command("blockdev-mirror", _MIRROR)
    bench.run(wait)
    assert bench.command("block-job-cancel", arguments) == "ok"
    bench.run(60)
    assert [name for name in bench.names() if name != "JOB_STATUS_CHANGE"][-1] == last


@pytest.mark.parametrize(
    ("command", "result"),
    [
        pytest.param("query-named-block-nodes", [], id="a list"),
        pytest.param("query-name", {}, id="an object"),
        pytest.param("query-migrate", {}, id="no migration so far"),
        pytest.param("query-balloon", {"actual": 512 << 20}, id="balloon"),
        pytest.param("query-memory-size-summary", {"base-memory": 512 << 20}, id="memory"),
        pytest.param("query-uuid", {"UUID": Traits().uuid}, id="uuid"),
        pytest.param(
            "query-version",
            {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""},
            id="version",
        ),
        pytest.param("query-dump", {"status": "none", "completed": 0, "total": 0}, id="dump"),
        pytest.param("block-set-write-threshold", {}, id="a command that moves nothing"),
    ],
)
def test_answers(command: str, result: object) -> None:
    """Queries have answers of the right type, also where the simulation knows nothing."""
    assert Bench().result(command) == result


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        pytest.param("vm", "query-nonsense", id="nobody knows it"),
        pytest.param("storage-daemon", "query-status", id="a storage daemon has no guest"),
        pytest.param("storage-daemon", "system_reset", id="nor a machine"),
    ],
)
def test_commands_that_are_not_there(kind: str, command: str) -> None:
    """They are answered as QEMU answers them."""
    bench = Bench(traits=Traits(kind=kind))
    expected = Refusal("CommandNotFound", f"The command {command} has not been found")
    assert bench.result(command) == expected
    assert bench.qemu.status == ("none" if kind == "storage-daemon" else "running")


def test_a_test_says_how_a_command_is_answered() -> None:
    """An error, an answer, silence, a late answer: each in its turn."""
    bench = Bench(answers={"query-block": Answering(returns=[{"device": "d"}], takes=3.0)})
    assert bench.command("query-block") == ""
    assert bench.run(3).replies == [[{"device": "d"}]]
    silent = Bench(answers={"stop": Answering(silent=True), "cont": Answering(fails="no")})
    assert (silent.command("stop"), silent.command("cont")) == ("", "no")
    assert silent.run(60).names() == []


def test_answers_are_used_up_in_order() -> None:
    """`times` says how many; then the next, and at last QEMU's own."""
    bench = Bench()
    answers = (Answering(fails="first", times=1), Answering(fails="then", times=2))
    bench.qemu.answerer.change({"stop": answers})
    assert [bench.command("stop") for _ in range(4)] == ["first", "then", "then", "ok"]
    bench.qemu.answerer.change({"stop": answers})
    assert bench.command("stop") == "first"


def test_events_that_follow_a_command() -> None:
    """They move the guest as QEMU would, and only after a command that was accepted."""
    panic = Follow(2.0, "GUEST_PANICKED", {"action": "pause"})
    bench = Bench(answers={"inject-nmi": Answering(then=(panic,))})
    bench.command("inject-nmi")
    assert bench.run(1.9).names() == []
    assert bench.run(0.2).names() == ["GUEST_PANICKED", "STOP"]
    refused = Bench(answers={"inject-nmi": Answering(then=(panic,), fails="no")})
    refused.command("inject-nmi")
    assert refused.run(60).names() == []
