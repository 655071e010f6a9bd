"""What a step waits for, how long, and what it makes of no answer."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Execute
from reactor.core.inputs import Answered
from tests.core.simulation import Host, document

DUMP = "{guest: dump, to: x, format: elf}"


def _host(steps: str, more: str = "", **config: object) -> Host:
    settings = EngineConfig(host="h1", **config)  # type: ignore[arg-type]
    return Host([document("p", steps, more=more)], config=settings).connect()


def _go(host: Host, seconds: float = 60, **data: object) -> Host:
    host.event("web-1", "GO", data, after=0)
    return host.run(seconds)


def _errors(host: Host) -> list[str]:
    return [run.error for run in host.ended()]


# ------------------------------------------------------------- lost replies


@pytest.mark.parametrize("how", ["silent", "deaf"])
def test_a_reply_that_is_lost_at_the_steps_timeout_is_not_tried_again(how: str) -> None:
    """The outcome is unknown, whichever of the two came first; nothing is sent twice."""
    host = _host("[{qmp: system_powerdown, timeout: 10s, retry: {times: 3}, on_error: continue}]")
    getattr(host.guests["web-1"], how).add("system_powerdown")
    _go(host)
    assert host.commands() == ["system_powerdown"]
    assert host.outcomes() == ["unknown"]


def test_a_reply_that_comes_with_the_runs_timeout_decides_first() -> None:
    """The command was done; the run timed out after it."""
    host = _host("[{qmp: stop}, {publish: never}]", "timeout: 10s\n")
    host.guests["web-1"].deaf.add("stop")
    _go(host, 10)
    (sent,) = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.changes]
    host.give(Answered(sent.id, result={}))
    assert host.outcomes() == ["timed-out"]
    assert [t.verdict for t in host.traces("answered")] == ["answered"]
    assert host.published() == []


def test_an_idempotent_command_that_is_never_answered_is_sent_until_the_run_ends() -> None:
    """Each time with its own time limit."""
    host = _host("[{qmp: stop}]", "timeout: 3m\n")
    host.guests["web-1"].deaf.add("stop")
    _go(host, 300)
    assert len(host.commands()) == 3
    assert host.outcomes() == ["timed-out"]


def test_a_query_that_is_never_answered_is_given_up_and_asked_again() -> None:
    """A `check` needs an answer: it goes on asking, until the run's own end."""
    host = _host('[{check: guest.status == "running"}]')
    host.guests["web-1"].deaf.add("query-status")
    _go(host, 20)
    host.guests["web-1"].deaf.clear()
    host.run(60)
    assert host.outcomes() == ["succeeded"]
    assert len(host.commands(queries=True)) == 3


# -------------------------------------------------------- conditions and facts


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        pytest.param('guest.status == "running"', "succeeded", id="holds"),
        pytest.param('guest.status == "paused"', "skipped", id="does not"),
        pytest.param("guest.migrating", "skipped", id="no migration"),
    ],
)
def test_check_asks_afresh(condition: str, outcome: str) -> None:
    """What was known before does not count."""
    host = _host(f"[{{check: '{condition}'}}]")
    _go(host)
    assert host.outcomes() == [outcome]
    assert len(host.commands(queries=True)) == 1


@pytest.mark.parametrize(
    ("status", "topics"), [("running", ["a", "b"]), ("paused", ["b"])], ids=["holds", "does not"]
)
def test_the_if_of_a_step_asks_afresh(status: str, topics: list[str]) -> None:
    """A step whose `if` is false is skipped."""
    host = _host("[{publish: a, if: 'guest.status == \"running\"', save: s}, {publish: b}]")
    host.guests["web-1"].status = status
    _go(host)
    assert [topic for topic, _ in host.published()] == topics


def test_a_qemu_without_the_query_leaves_the_status_as_it_was() -> None:
    """An error is an answer too."""
    host = _host('[{check: guest.status == "running"}]')
    host.guests["web-1"].failing["query-status"] = "no such command"
    _go(host)
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize(
    ("back", "outcome"),
    [pytest.param(29.0, "succeeded", id="in time"), pytest.param(31.0, "skipped", id="too late")],
)
def test_after_a_restart_a_condition_waits_half_a_minute_for_the_monitor(
    back: float, outcome: str
) -> None:
    """Else a restart of the daemon would skip every run that had just been admitted."""
    host = Host([document("p", "[{log: x}]", more='if: guest.status == "running"\n')]).connect()
    host.guests["web-1"].deaf.add("query-status")
    _go(host, 1)
    host.guests["web-1"].deaf.clear()
    host.restart(connect=False)
    host.run(back)
    host.connect()
    host.run(1)
    assert host.outcomes() == [outcome]


# -------------------------------------------------------------------- guards


def test_a_guard_waits_ten_minutes_and_no_longer() -> None:
    """Then the step fails with what it waited for."""
    host = _host("[{guest: reset}]")
    host.guests["web-1"].dump = "active"
    _go(host, 590)
    assert host.ended() == []
    host.run(20)
    assert _errors(host) == ["waited 10m in vain: a dump is active"]
    assert host.commands() == []


def test_a_dump_waits_for_a_migration_and_a_reset_is_refused() -> None:
    """Each as its table says."""
    host = _host(f"[{DUMP}, {{guest: reset}}]")
    guest = host.guests["web-1"]
    guest.migration = "active"
    _go(host, 5)
    assert host.commands() == []
    guest.migration = "completed"
    host.at(1, lambda: setattr(guest, "migration", "setup"))
    host.run(10)
    assert host.commands() == ["dump-guest-memory"]
    assert _errors(host) == ["refused: a guest must not be reset while it migrates"]


def test_raw_commands_of_a_storage_daemon_need_no_guest() -> None:
    """Their guard has no state to look at."""
    host = Host([document("p", "[{qmp: cont}]")])
    host.guests["web-1"].kind = "storage-daemon"
    _go(host.connect())
    assert host.commands() == ["cont"]


def test_the_guard_waits_while_the_monitor_is_away() -> None:
    """And goes on with what it finds then."""
    host = _host("[{delay: 5s}, {guest: reset}]")
    _go(host, 1)
    host.disconnect("web-1")
    host.run(10)
    assert [trace.reason for trace in host.traces("waiting")] == ["the monitor is away"]
    host.connect()
    host.run(5)
    assert host.commands() == ["system_reset"]


# ------------------------------------------------------------ resets and dumps


@pytest.mark.parametrize(
    ("reason", "errors"),
    [
        pytest.param(
            "host-qmp-system-reset",
            ["QEMU exits at a reset (-no-reboot): the guest must be started again"],
            id="-no-reboot",
        ),
        pytest.param("guest-shutdown", ["the run did not end within 1m"], id="by the guest"),
    ],
)
def test_a_shutdown_instead_of_a_reset(reason: str, errors: list[str]) -> None:
    """With -no-reboot QEMU exits, and the step says so; another's shutdown is no answer."""
    host = _host("[{guest: reset}]", "timeout: 1m\n")
    host.guests["web-1"].mute.add("RESET")
    _go(host, 1)
    host.event("web-1", "SHUTDOWN", {"reason": reason}, after=0)
    host.run(70)
    assert _errors(host) == errors


def test_the_guests_own_reset_is_not_ours() -> None:
    """It goes on waiting for the one that its command made."""
    host = _host("[{guest: reset}]", "timeout: 1m\n")
    host.guests["web-1"].mute.add("RESET")
    _go(host, 1)
    host.guests["web-1"].mute.clear()
    host.event("web-1", "STOP", {})
    host.run(1)
    host.event("web-1", "RESET", {"guest": True}, after=0)
    host.run(1)
    assert host.ended() == []
    host.event("web-1", "RESET", {"guest": False}, after=0)
    host.run(1)
    assert host.outcomes() == ["succeeded"]


def test_a_dump_ends_when_the_guest_has_left_save_vm() -> None:
    """Also when the monitor was away in between; a reset before that aborts QEMU."""
    host = _host(f"[{DUMP}, {{publish: over}}]")
    guest = host.guests["web-1"]
    guest.stays_in_save_vm = True
    _go(host, 5)
    assert host.published() == []
    host.disconnect("web-1")
    host.run(2)
    assert host.published() == []
    guest.status = "running"
    host.connect()
    assert [topic for topic, _ in host.published()] == ["over"]


def test_a_guest_that_stays_in_save_vm_fails_the_dump() -> None:
    """After half a minute."""
    host = _host(f"[{DUMP}]")
    host.guests["web-1"].stays_in_save_vm = True
    _go(host, 40)
    assert _errors(host) == ["the guest stayed in save-vm for 30s"]


@pytest.mark.parametrize(
    "restart", [pytest.param(True, id="reactor was killed"), pytest.param(False, id="monitor away")]
)
def test_a_guest_that_nobody_saw_did_not_stay_in_save_vm(*, restart: bool) -> None:
    """The half minute counts only while its state can be asked; away for longer, it is asked."""
    host = _host(f"[{DUMP}, {{publish: over}}]")
    guest = host.guests["web-1"]
    guest.stays_in_save_vm = True
    _go(host, 5)
    guest.status = "running"
    if restart:
        host.now += 60
        host.restart(connect=False)
    else:
        host.disconnect("web-1")
    host.run(31)
    assert host.ended() == []
    host.connect()
    host.run(1)
    assert host.outcomes() == ["succeeded"]


def test_a_guest_in_save_vm_has_half_a_minute_from_the_connect() -> None:
    """Also when it was away before."""
    host = _host(f"[{DUMP}]")
    host.guests["web-1"].stays_in_save_vm = True
    _go(host, 20)
    host.disconnect("web-1")
    host.run(20)
    host.connect()
    host.run(29)
    assert host.ended() == []
    host.run(2)
    assert _errors(host) == ["the guest stayed in save-vm for 30s"]


def test_a_dump_waits_again_when_qemu_is_busy() -> None:
    """Somebody else was quicker."""
    host = _host(f"[{DUMP}]")
    guest = host.guests["web-1"]
    guest.failing["dump-guest-memory"] = "There is a dump in process, please wait."
    _go(host, 1)
    guest.failing.clear()
    host.run(10)
    assert host.outcomes() == ["succeeded"]
    assert len(host.files) == 1


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        pytest.param("[{guest: dump, to: '${data.gone}', format: elf}]", "gone", id="dump"),
        pytest.param("[{qmp: balloon, args: {value: '${data.gone}'}}]", "gone", id="arguments"),
    ],
)
def test_a_template_that_fails_fails_its_step_before_anything_is_sent(
    steps: str, error: str
) -> None:
    """With the reason."""
    host = _go(_host(steps))
    assert host.commands() == []
    assert host.outcomes() == ["failed"]
    assert error in _errors(host)[0]


def test_a_question_about_a_path_survives_a_reconnect() -> None:
    """It is asked once; the monitor has nothing to do with it."""
    host = _host(f"[{DUMP}]")
    host.deaf_paths = 1
    _go(host, 1)
    host.connect()
    assert host.commands() == []
    host.run(30)
    assert host.outcomes() == ["succeeded"]


def test_arguments_that_would_kill_qemu_are_refused() -> None:
    """The allow list does not help."""
    host = _host(
        "[{qmp: blockdev-reopen, args: {options: []}}]", allow=frozenset({"blockdev-reopen"})
    )
    _go(host)
    assert host.commands() == []
    assert _errors(host) == ["refused: blockdev-reopen with empty options aborts QEMU"]


def test_a_wait_ignores_what_it_cannot_use() -> None:
    """An event without the fields of a dump is a failed dump, not a crash."""
    host = _host(f"[{DUMP}]")
    host.guests["web-1"].dump_takes = 1000.0
    _go(host, 1)
    host.event("web-1", "DUMP_COMPLETED", {"result": "odd"}, after=0)
    host.run(1)
    assert _errors(host) == ["the dump failed: its status is None"]


def test_three_runs_have_the_guest_one_after_another() -> None:
    """In the order in which they asked."""
    policies = [
        document(f"p{n}", f"[{{qmp: stop, wait: {{event: S{n}}}}}, {{publish: 'p{n}'}}]")
        for n in range(3)
    ]
    host = _go(Host(policies).connect(), 1)
    for number in (2, 1, 0, 2, 1, 2):
        host.event("web-1", f"S{number}", {}, after=0)
        host.run(1)
    assert [topic for topic, _ in host.published()] == ["p0", "p1", "p2"]
    assert host.engine.world.guests["web-1"].hand == ""


def test_a_run_that_gives_up_waiting_for_the_guest_leaves_the_line() -> None:
    """The next one has its turn."""
    texts = [
        document("p0", "[{qmp: stop, wait: {event: S}}]"),
        document("p1", "[{qmp: stop, timeout: 5s}]"),
        document("p2", "[{qmp: stop}, {publish: p2}]"),
    ]
    host = _go(Host(texts).connect(), 10)
    assert [run.error for run in host.ended()] == ["the step did not end within 5s"]
    host.event("web-1", "S", {}, after=0)
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["p2"]
