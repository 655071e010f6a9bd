"""The founding runbook in virtual time: panic, dump, reset, and everything that can go wrong."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import AskPath, Discard, Dumped, Execute, RunChanged
from reactor.core.inputs import Connected, Facts
from reactor.core.policy import Enforcement
from tests.core.simulation import Host

PANIC = """
policy: panic
description: dump and reset
arm:
  - guest: preserve-on-panic
trigger: {event: GUEST_PANICKED, where: data.action == "pause"}
if: guest.status == "guest-panicked"
mode: queued
max: 1
limits:
  - 3 per 1h per guest
  - 5 per 10m per host
  - 1 at once per host
on_limit:
  - publish: alert/critical
    payload: {guest: '${guest.name}', text: left paused}
steps:
  - guest: dump
    to: "${guest.name}-${run.id}.kdump"
    format: kdump-zlib
    timeout: 30m
  - guest: reset
on_failure:
  - publish: alert/critical
    payload: {guest: '${guest.name}', step: '${run.failed_step}', error: '${run.error}'}
"""

FREE = PANIC.split("limits:", maxsplit=1)[0] + PANIC[PANIC.index("steps:") :]


def test_a_panic_is_dumped_and_reset_in_this_order() -> None:
    """Arm at the connect; then dump, reset, cont; the guest runs, the run succeeded."""
    host = Host([PANIC]).connect()
    host.guests["web-1"].panic(host)
    host.run(60)
    assert host.commands() == ["set-action", "dump-guest-memory", "system_reset", "cont"]
    assert host.outcomes() == ["succeeded"]
    assert host.guests["web-1"].status == "running"
    assert host.files == ["file:/var/crash/web-1-abc123-2.kdump"]
    assert host.published() == []


def test_a_dump_that_is_saved_says_where_it_is_and_how_big() -> None:
    """The whole path, whatever `to` said, and QEMU's own count of bytes."""
    told = "  - publish: kept\n    payload: '${steps.kept.result}'\n"
    text = PANIC.replace("    timeout: 30m\n", "    timeout: 30m\n    save: kept\n")
    host = Host([text.replace("on_failure:", told + "on_failure:")]).connect()
    host.guests["web-1"].panic(host)
    host.run(60)
    ((_, payload),) = host.published()
    assert isinstance(payload, dict)
    assert payload["file"] == "/var/crash/web-1-abc123-2.kdump"
    assert isinstance(payload["bytes"], int)


def test_who_keeps_the_dumps_hears_whose_they_are() -> None:
    """Before the dump with what it may need, and once it is whole."""
    host = Host([PANIC]).connect()
    host.guests["web-1"].panic(host)
    host.run(60)
    path = "/var/crash/web-1-abc123-2.kdump"
    (asked,) = [e for e in host.seen(AskPath) if isinstance(e, AskPath)]
    assert asked.path == path
    assert (asked.guest, asked.policy) == ("web-1", "panic")
    assert asked.memory_bytes == host.engine.world.guests["web-1"].facts.memory_bytes
    assert asked.is_told
    assert host.seen(Dumped) == [Dumped(path, "web-1", asked.run)]


def test_the_commands_carry_exactly_these_arguments() -> None:
    """What QEMU gets is the contract's."""
    host = Host([PANIC]).connect()
    host.guests["web-1"].panic(host)
    host.run(60)
    sent = {e.command: dict(e.arguments) for e in host.seen(Execute) if isinstance(e, Execute)}
    assert sent["set-action"] == {"panic": "pause"}
    assert sent["dump-guest-memory"] == {
        "paging": False,
        "detach": True,
        "protocol": "file:/var/crash/web-1-abc123-2.kdump",
        "format": "kdump-zlib",
    }
    assert sent["system_reset"] == {}
    assert sent["cont"] == {}


def test_a_failed_dump_is_followed_by_no_reset() -> None:
    """The evidence is gone; the guest stays as it is and people are told."""
    host = Host([PANIC]).connect()
    guest = host.guests["web-1"]
    guest.dump_error = "dump: failed to save memory"
    guest.panic(host)
    host.run(60)
    assert "system_reset" not in host.commands()
    assert guest.status == "guest-panicked"
    assert host.outcomes() == ["failed"]
    assert host.published() == [
        (
            "alert/critical",
            {
                "guest": "web-1",
                "step": "steps/0",
                "error": "the dump failed: dump: failed to save memory",
            },
        )
    ]
    assert host.seen(Discard) == [Discard("/var/crash/web-1-abc123-2.kdump")]
    assert host.seen(Dumped) == []


def test_a_dump_that_qemu_refuses_fails_the_step_and_leaves_the_file_alone() -> None:
    """A refusal at once sends no event, and nothing was written."""
    host = Host([PANIC]).connect()
    host.guests["web-1"].failing["dump-guest-memory"] = "Could not open '/var/crash'"
    host.guests["web-1"].panic(host)
    host.run(60)
    runs = [e for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.ended]
    assert [run.error for run in runs] == [
        "dump-guest-memory: GenericError: Could not open '/var/crash'"
    ]
    assert host.seen(Discard) == []


def test_an_existing_target_is_an_error_before_anything_is_sent() -> None:
    """QEMU would truncate the file."""
    host = Host([PANIC]).connect()
    host.paths["/var/crash/web-1-abc123-2.kdump"] = "the dump target exists already"
    host.guests["web-1"].panic(host)
    host.run(60)
    assert host.commands() == ["set-action"]
    assert host.outcomes() == ["failed"]


def test_a_panic_right_after_the_reset_is_not_swallowed() -> None:
    """The second panic waits for its turn and is handled like the first."""
    host = Host([PANIC]).connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    guest.panic(host, after=1.3)
    host.run(1.2)
    assert guest.status == "running"
    host.run(60)
    assert host.outcomes() == ["succeeded", "succeeded"]
    assert host.commands().count("system_reset") == 2
    assert guest.status == "running"


def test_a_second_panic_event_while_the_run_is_open_is_stale_afterwards() -> None:
    """`if` asks the guest's state when the turn comes: it runs, so there is nothing to do."""
    host = Host([PANIC]).connect()
    host.guests["web-1"].panic(host)
    host.run(0.5)
    host.event("web-1", "GUEST_PANICKED", {"action": "pause"})
    host.run(60)
    assert host.outcomes() == ["succeeded", "skipped"]
    assert host.commands().count("system_reset") == 1


def test_a_crash_loop_is_left_alone_after_three_resets() -> None:
    """The fourth panic within the hour is refused, and people are told once."""
    host = Host([PANIC]).connect()
    guest = host.guests["web-1"]
    for minute in (0, 10, 20, 30, 40):
        host.at(minute * 60.0, lambda: guest.panic(host))
        if minute >= 30:
            host.at(minute * 60.0 - 1, lambda: setattr(guest, "status", "running"))
    host.run(3000)
    assert host.commands().count("system_reset") == 3
    assert [topic for topic, _ in host.published()] == ["alert/critical"]
    assert guest.status == "guest-panicked"


def test_of_fifty_panics_at_once_five_are_handled_and_one_alert_is_sent() -> None:
    """A mass panic has a common cause: five runs, one after another, and one alert."""
    names = [f"web-{n}" for n in range(50)]
    host = Host([PANIC], guests=names).connect()
    for guest in host.guests.values():
        guest.panic(host)
    host.run(120)
    assert host.commands().count("system_reset") == 5
    states = [guest.status for guest in host.guests.values()]
    assert states.count("running") == 5
    assert states.count("guest-panicked") == 45
    assert len(host.published()) == 1


def test_without_limits_all_fifty_run_again() -> None:
    """Nothing holds them back."""
    names = [f"web-{n}" for n in range(50)]
    host = Host([FREE], guests=names).connect()
    for guest in host.guests.values():
        guest.panic(host)
    host.run(120)
    assert [guest.status for guest in host.guests.values()] == ["running"] * 50
    assert host.commands().count("system_reset") == 50


def test_dumps_of_one_host_take_turns() -> None:
    """With one slot the second dump starts when the first run has ended."""
    host = Host([PANIC], guests=["web-1", "web-2"]).connect()
    for guest in host.guests.values():
        guest.panic(host)
    host.run(60)
    order = [c for c in host.commands() if c in {"dump-guest-memory", "system_reset"}]
    assert order == ["dump-guest-memory", "system_reset"] * 2


@pytest.mark.parametrize(
    ("status", "after"),
    [
        pytest.param("running", "running", id="a running guest needs no cont"),
        pytest.param("paused", "prelaunch", id="a paused guest stays stopped"),
        pytest.param("prelaunch", "prelaunch", id="one before its start stays stopped"),
        pytest.param("io-error", "running", id="io-error runs again"),
        pytest.param("watchdog", "running", id="watchdog runs again"),
        pytest.param("internal-error", "running", id="internal-error runs again"),
    ],
)
def test_reset_lets_a_guest_run_that_did_not_stop_of_its_owners_will(
    status: str, after: str
) -> None:
    """What the guest's state was before decides whether cont follows."""
    host = Host([_steps("- guest: reset")]).connect()
    host.guests["web-1"].status = status
    host.event("web-1", "GO", {})
    host.run(60)
    assert host.outcomes() == ["succeeded"]
    assert host.guests["web-1"].status == after


@pytest.mark.parametrize(
    "status", ["inmigrate", "postmigrate", "finish-migrate", "colo", "shutdown"]
)
def test_reset_is_refused_in_states_that_a_reset_would_spoil(status: str) -> None:
    """Nothing is sent, the run fails with the state in its reason."""
    host = Host([_steps("- guest: reset")]).connect()
    host.guests["web-1"].status = status
    host.event("web-1", "GO", {})
    host.run(60)
    assert host.commands() == []
    runs = [e for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.ended]
    assert [run.error for run in runs] == [f"refused: a guest in {status} must not be reset"]


def test_reset_waits_for_a_dump_that_somebody_else_takes() -> None:
    """A reset under a dump spoils it, or aborts QEMU."""
    host = Host([_steps("- guest: reset")]).connect()
    guest = host.guests["web-1"]
    guest.status, guest.dump = "guest-panicked", "active"
    host.event("web-1", "GO", {})
    host.run(5)
    assert host.commands() == []
    guest.dump = "completed"
    host.run(5)
    assert host.commands() == ["system_reset", "cont"]


def test_a_monitor_that_dies_while_the_dump_runs_leaves_the_outcome_to_the_query() -> None:
    """After the reconnect of the same QEMU query-dump says completed: the run goes on."""
    host = Host([FREE]).connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    guest.dump_takes = 1000.0
    host.run(2)
    host.disconnect("web-1")
    host.run(1)
    guest.dump = "completed"
    host.connect()
    host.run(10)
    assert host.outcomes() == ["succeeded"]


def test_a_restarted_qemu_is_another_incident() -> None:
    """The dump went down with the old process: the outcome is unknown, and nothing is reset."""
    host = Host([FREE]).connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    guest.dump_takes = 1000.0
    host.run(2)
    host.disconnect("web-1")
    host.give(Connected("web-1", "2-2", Facts(status="running")))
    host.run(10)
    assert host.outcomes() == ["unknown"]
    assert "system_reset" not in host.commands()
    assert len(host.published()) == 1


def test_audit_does_everything_but_act() -> None:
    """The run is recorded as would run with its first step; no arm is sent."""
    config = EngineConfig(host="h1")
    text = PANIC.replace("description:", "enforcement: audit\ndescription:")
    host = Host([text], config=config).connect()
    host.guests["web-1"].panic(host)
    host.run(60)
    assert host.commands() == []
    assert host.outcomes() == ["would run"]
    assert "would run" in host.verdicts("steps/0")


def test_the_settings_cap_every_policy() -> None:
    """`enforcement: audit` in the settings beats a policy that enforces."""
    config = EngineConfig(host="h1", enforcement=Enforcement.AUDIT)
    host = Host([PANIC], config=config).connect()
    host.guests["web-1"].panic(host)
    host.run(60)
    assert host.commands() == []
    assert host.outcomes() == ["would run"]


def _steps(steps: str) -> str:
    return f"policy: p\ndescription: d\ntrigger: {{event: GO}}\nsteps:\n  {steps}\n"
