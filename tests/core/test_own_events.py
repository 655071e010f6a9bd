"""What reactor's own commands cause is no reason to act: the closed list, with its times."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Keep
from reactor.core.engine import Engine
from reactor.core.event import Event
from reactor.core.guest import Guest, OwnActions, is_own
from reactor.core.inputs import GuestForgotten, GuestKnown
from reactor.core.own import NAMES_MAX, remember
from tests.core.simulation import Host, document

NOW = 1000.0


def _guest(**own: object) -> Guest:
    return Guest("web-1", own=OwnActions(**own))  # type: ignore[arg-type]


def _own(name: str, data: dict[str, object], guest: Guest) -> bool:
    return is_own(Event(name, "web-1", data), guest, NOW)


def _reset(age: float, seen: float | None = None) -> Guest:
    return _guest(reset_sent=NOW - age, reset_seen=None if seen is None else NOW - seen)


@pytest.mark.parametrize(
    ("name", "data", "guest", "own"),
    [
        pytest.param("RESET", {"reason": "host-qmp-system-reset"}, _guest(), True, id="by QMP"),
        pytest.param("RESET", {"reason": "guest-reset"}, _guest(), False, id="the guest's own"),
        pytest.param("RESET", {"reason": "guest-reset"}, _reset(9.9), True, id="firmware's, 9.9 s"),
        pytest.param("RESET", {"reason": "guest-reset"}, _reset(10.0), True, id="firmware's, 10 s"),
        pytest.param(
            "RESET", {"reason": "guest-reset"}, _reset(10.1), False, id="10.1 s later: another"
        ),
        pytest.param("STOP", {}, _guest(holder_sent=True), True, id="STOP in our step"),
        pytest.param("STOP", {}, _guest(), False, id="STOP by somebody else"),
        pytest.param("RESUME", {}, _guest(holder_sent=True), True, id="RESUME in our step"),
        pytest.param("POWERDOWN", {}, _guest(holder_sent=True), True, id="POWERDOWN in our step"),
        pytest.param(
            "SHUTDOWN",
            {"reason": "host-qmp-quit"},
            _guest(holder_sent=True),
            True,
            id="SHUTDOWN by the host in our step",
        ),
        pytest.param(
            "SHUTDOWN",
            {"reason": "guest-panic"},
            _guest(holder_sent=True),
            False,
            id="SHUTDOWN by the guest in our step",
        ),
        pytest.param(
            "SHUTDOWN", {"reason": "host-signal"}, _guest(), False, id="SHUTDOWN by a signal"
        ),
        pytest.param(
            "SHUTDOWN", {}, _guest(holder_sent=True), False, id="SHUTDOWN without a reason"
        ),
        pytest.param("DUMP_COMPLETED", {}, _guest(dumping=True), True, id="our dump"),
        pytest.param("DUMP_COMPLETED", {}, _guest(), False, id="another's dump"),
        pytest.param(
            "VSERPORT_CHANGE", {"open": False}, _reset(0.9), True, id="port closes: 0.9 s"
        ),
        pytest.param("VSERPORT_CHANGE", {"open": False}, _reset(1.0), True, id="port closes: 1 s"),
        pytest.param(
            "VSERPORT_CHANGE", {"open": False}, _reset(1.1), False, id="port closes: 1.1 s"
        ),
        pytest.param(
            "VSERPORT_CHANGE",
            {"open": False},
            _reset(1.5, seen=0.9),
            True,
            id="port closes 0.9 s after a RESET that was slow to come",
        ),
        pytest.param("VSERPORT_CHANGE", {"open": False}, _guest(), False, id="port closes"),
        pytest.param("VSERPORT_CHANGE", {"open": True}, _reset(0.5), False, id="port opens"),
        pytest.param(
            "BLOCK_JOB_COMPLETED", {"device": "j1"}, _guest(jobs=["j1"]), True, id="our block job"
        ),
        pytest.param("JOB_STATUS_CHANGE", {"id": "j1"}, _guest(jobs=["j1"]), True, id="our job"),
        pytest.param(
            "JOB_STATUS_CHANGE", {"id": "j2"}, _guest(jobs=["j1"]), False, id="another job"
        ),
        pytest.param(
            "DEVICE_DELETED", {"device": "d"}, _guest(deleted=["d"]), True, id="our device_del"
        ),
        pytest.param(
            "DEVICE_DELETED", {"device": "e"}, _guest(deleted=["d"]), False, id="another device"
        ),
        *(
            pytest.param(
                name,
                {"device": "j1", "reason": "host-qmp-system-reset"},
                _guest(reset_sent=NOW, holder_sent=True, dumping=True, jobs=["j1"], deleted=["j1"]),
                False,
                id=f"never {name}",
            )
            for name in (
                "GUEST_PANICKED",
                "WATCHDOG",
                "BLOCK_IO_ERROR",
                "QUORUM_REPORT_BAD",
                "QUORUM_FAILURE",
                "REACTOR_MARK_SET",
            )
        ),
    ],
)
def test_the_closed_list(name: str, data: dict[str, object], guest: Guest, own: bool) -> None:
    """What is own, what is not, and for how long."""
    assert _own(name, data, guest) is own


def _watched(step: str, event: str, allow: frozenset[str] = frozenset()) -> Host:
    acts = f"policy: acts\ndescription: d\ntrigger: {{event: GO}}\nsteps:\n{step}"
    sees = document("sees", f"[{{publish: '{event}'}}]", trigger=f"{{event: {event}}}")
    return Host([acts, sees], config=EngineConfig(host="h1", allow=allow)).connect()


def _seen(host: Host, seconds: float = 60) -> list[str]:
    host.event("web-1", "GO", {}, after=0)
    host.run(seconds)
    return [topic for topic, _ in host.published()]


@pytest.mark.parametrize(
    ("step", "event"),
    [
        pytest.param("  - qmp: stop\n", "STOP", id="stop"),
        pytest.param("  - guest: reset\n", "RESET", id="reset"),
        pytest.param("  - {guest: dump, to: x, format: elf}\n", "DUMP_COMPLETED", id="dump"),
        pytest.param("  - {guest: dump, to: x, format: elf}\n", "STOP", id="dump stops the guest"),
        pytest.param("  - {guest: dump, to: x, format: elf}\n", "RESUME", id="and resumes it"),
    ],
)
def test_what_a_step_causes_starts_no_policy(step: str, event: str) -> None:
    """It is recorded as own, and as a near miss of the policy that it would have started."""
    host = _watched(step, event)
    assert _seen(host) == []
    assert [e.own for e in host.events(event)] == [True]
    (miss,) = host.engine.near_misses("sees")
    assert (miss.verdict, miss.reason) == (
        "the event is an effect of reactor's own command",
        event,
    )


def test_what_comes_after_the_step_is_not_own() -> None:
    """A STOP that somebody else makes later is news."""
    host = _watched("  - qmp: stop\n", "STOP")
    assert _seen(host) == []
    host.event("web-1", "STOP", {}, after=0)
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["STOP"]


def test_the_dump_of_a_step_that_gave_up_is_still_ours() -> None:
    """Its DUMP_COMPLETED comes when the step has failed long since; the next one is news."""
    step = "  - {guest: dump, to: x, format: elf, timeout: 10s}\n"
    host = _watched(step, "DUMP_COMPLETED")
    host.guests["web-1"].dump_takes = 30.0
    assert _seen(host) == []
    assert host.outcomes() == ["failed"]
    host.event("web-1", "DUMP_COMPLETED", {"result": {"status": "completed"}}, after=0)
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["DUMP_COMPLETED"]


def test_our_dump_is_ours_over_a_restart_of_the_daemon() -> None:
    """The run that waits for it knows."""
    host = _watched("  - {guest: dump, to: x, format: elf}\n", "DUMP_COMPLETED")
    host.guests["web-1"].dump_takes = 30.0
    host.guests["web-1"].status = "paused"
    assert _seen(host, 5) == []
    host.restart()
    host.run(60)
    assert host.outcomes() == ["succeeded"]
    assert host.published() == []


def test_a_dump_of_ours_that_ended_while_nobody_listened_is_over() -> None:
    """query-dump says so at the reconnect; the next DUMP_COMPLETED is another's."""
    host = _watched("  - {guest: dump, to: x, format: elf, timeout: 10s}\n", "DUMP_COMPLETED")
    guest = host.guests["web-1"]
    guest.status, guest.dump_takes = "paused", 30.0
    _seen(host, 20)
    host.disconnect("web-1")
    guest.mute.add("DUMP_COMPLETED")
    host.run(30)
    host.connect()
    guest.mute.clear()
    host.event("web-1", "DUMP_COMPLETED", {"result": {"status": "completed"}}, after=0)
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["DUMP_COMPLETED"]


def test_a_dump_that_qemu_refused_was_never_ours() -> None:
    """The DUMP_COMPLETED that follows is another's."""
    host = _watched("  - {guest: dump, to: x, format: elf}\n", "DUMP_COMPLETED")
    host.guests["web-1"].failing["dump-guest-memory"] = "no"
    _seen(host)
    host.event("web-1", "DUMP_COMPLETED", {"result": {"status": "completed"}}, after=0)
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["DUMP_COMPLETED"]


@pytest.mark.parametrize(
    ("step", "event", "data"),
    [
        pytest.param(
            "  - {qmp: device_del, args: {id: nic0}}\n",
            "DEVICE_DELETED",
            {"device": "nic0"},
            id="device_del",
        ),
        pytest.param(
            "  - {qmp: block-stream, args: {job-id: j1, device: d}}\n",
            "BLOCK_JOB_COMPLETED",
            {"device": "j1"},
            id="job",
        ),
    ],
)
def test_devices_and_jobs_of_ours_are_ours_after_the_step_too(
    step: str, event: str, data: dict[str, object]
) -> None:
    """They end when the guest or the disk is ready."""
    host = _watched(step, event, frozenset({"device_del"}))
    assert _seen(host) == []
    host.event("web-1", event, data, after=100)
    host.event("web-1", event, {"device": "other"}, after=200)
    host.run(300)
    assert [topic for topic, _ in host.published()] == [event]


_MIRROR = "  - {qmp: blockdev-mirror, args: {job-id: j1, device: d, target: t, sync: full}}\n"
_GIVES_UP = "  - {guest: dump, to: x, format: elf, timeout: 10s}\n"


@pytest.mark.parametrize(
    ("step", "event", "data", "after"),
    [
        pytest.param(_MIRROR, "BLOCK_JOB_READY", {"device": "j1"}, 3600.0, id="job"),
        pytest.param(
            "  - {qmp: device_del, args: {id: nic0}}\n",
            "DEVICE_DELETED",
            {"device": "nic0"},
            3600.0,
            id="device",
        ),
        pytest.param("  - guest: reset\n", "RESET", {"reason": "guest-reset"}, 5.0, id="firmware"),
        pytest.param(
            "  - guest: reset\n", "VSERPORT_CHANGE", {"id": "a", "open": False}, 0.5, id="port"
        ),
        pytest.param(
            _GIVES_UP,
            "DUMP_COMPLETED",
            {"result": {"status": "completed"}},
            30.0,
            id="dump that was given up",
        ),
    ],
)
def test_what_we_did_is_ours_over_a_restart_of_the_daemon(
    step: str, event: str, data: dict[str, object], after: float
) -> None:
    """A job may end hours later: who completes the jobs of others must not take it for one."""
    host = _watched(step, event, frozenset({"device_del"}))
    guest = host.guests["web-1"]
    guest.status, guest.dump_takes = "paused", 3600.0
    assert _seen(host, 11.0 if step == _GIVES_UP else 0.1) == []
    host.restart()
    host.event("web-1", event, data, after=after)
    host.run(after + 1)
    assert host.published() == []
    assert [e.own for e in host.events(event)][-1:] == [True]


def test_what_we_did_to_another_qemu_is_not_taken_up_by_a_restart() -> None:
    """Its jobs went with it."""
    host = _watched(_MIRROR, "BLOCK_JOB_READY")
    assert _seen(host) == []
    host.guests["web-1"].epoch = "2-2"
    host.restart().restart()
    host.event("web-1", "BLOCK_JOB_READY", {"device": "j1"}, after=0)
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["BLOCK_JOB_READY"]


def test_what_we_did_to_a_guest_that_nobody_names_goes_with_it() -> None:
    """It is kept again where an open run has it named once more, and dropped where none has."""
    step = f"{_MIRROR}  - delay: 1h\n"
    host = _watched(step, "BLOCK_JOB_READY")
    assert _seen(host, 1) == []
    assert ("own", "web-1") in host.kept
    host.give(GuestForgotten("web-1"))
    assert ("own", "web-1") not in host.kept
    host.give(GuestKnown("web-1"))
    assert ("own", "web-1") in host.kept
    host.run(7200)
    host.give(GuestForgotten("web-1"))
    host.give(GuestKnown("web-1"))
    assert ("own", "web-1") not in host.kept


def test_what_was_done_to_a_guest_of_which_nothing_else_is_kept_is_dropped() -> None:
    """A row that belongs to nobody is taken away."""
    engine = Engine(EngineConfig(host="h1"), "abc123")
    assert engine.restore([Keep("own", "web-9", b"{}")], {}, NOW) == [Keep("own", "web-9", None)]


def test_a_port_that_closes_with_our_reset_is_no_news() -> None:
    """The agent dies with the guest."""
    host = _watched("  - guest: reset\n", "VSERPORT_CHANGE")
    host.event("web-1", "VSERPORT_CHANGE", {"id": "agent", "open": False}, after=0.01)
    assert _seen(host) == []


def test_another_qemu_has_nothing_to_do_with_what_we_did_to_the_old_one() -> None:
    """A RESET right after a new epoch is the guest's own."""
    host = _watched("  - guest: reset\n", "RESET")
    _seen(host, 1)
    host.disconnect("web-1")
    host.guests["web-1"].epoch = "2-2"
    host.connect()
    host.event("web-1", "RESET", {"reason": "guest-reset"}, after=0)
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["RESET"]


def test_of_very_many_jobs_the_latest_are_remembered() -> None:
    """What one guest remembers is bounded."""
    guest = Guest("web-1")
    remember(guest.own.jobs, *(f"job-{number}" for number in range(NAMES_MAX)))
    remember(guest.own.jobs, "the latest")
    known = [_own("BLOCK_JOB_COMPLETED", {"device": f"job-{n}"}, guest) for n in (0, 1)]
    assert known == [False, True]
    assert _own("BLOCK_JOB_COMPLETED", {"device": "the latest"}, guest)
