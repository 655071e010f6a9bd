"""Commands in doubt: replies that get lost, guests that cannot be asked, and their waits."""

from collections.abc import Mapping

import msgspec
import pytest

from reactor.core.effect import Execute
from reactor.core.event import Event
from reactor.core.inputs import Answered, Disconnected, Happened, Refusal
from reactor.core.run import Run
from tests.core.simulation import Host, document
from tests.core.test_in_doubt import (
    CONFIG,
    DUMP,
    RESET,
    back,
    killed,
    probed,
    raw,
    sent,
    until,
)
from tests.core.test_panic_runbook import FREE


class TestWithoutARestart:
    """The monitor breaks, or the reply does not come in its time."""

    def _lost(self, host: Host, command: str) -> Host:
        (execute,) = [
            e for e in host.seen(Execute) if isinstance(e, Execute) and e.command == command
        ]
        host.forget_replies()
        host.give(Answered(execute.id, lost="the monitor broke"))
        return host

    def test_a_monitor_that_breaks(self) -> None:
        """Nothing is asked until it is back; then it is known at once."""
        host = sent(RESET, "system_reset", "guest-panicked", arrives=True, config=CONFIG)
        self._lost(host, "system_reset")
        host.give(Disconnected("web-1", "broken"))
        host.run(20)
        assert (host.commands(), host.outcomes()) == (["system_reset"], [])
        host.guests["web-1"].mute.clear()
        host.connect()
        assert (host.commands(), host.outcomes()) == (["system_reset", "cont"], ["succeeded"])

    def test_a_reply_that_is_too_late(self) -> None:
        """The event that proves it came on the same connection."""
        host = sent(raw("system_reset"), "system_reset", "running", arrives=True, config=CONFIG)
        event = Event("RESET", "web-1", {"guest": False, "reason": "host-qmp-system-reset"})
        host.give(Happened(event))
        self._lost(host, "system_reset")
        host.run(5)
        assert (probed(host), host.outcomes()) == (["done"], ["succeeded"])

    def test_a_dump_whose_reply_and_end_were_not_heard(self) -> None:
        """QEMU knows that it is completed: the wait has what it waits for."""
        args = "{paging: false, protocol: 'file:/var/crash/x'}"
        text = raw("dump-guest-memory", args, "DUMP_COMPLETED")
        host = sent(text, "dump-guest-memory", "running", arrives=True, config=CONFIG)
        self._lost(host, "dump-guest-memory")
        host.run(30)
        assert (probed(host), host.outcomes()) == (["done"], ["succeeded"])
        assert host.commands().count("dump-guest-memory") == 1

    def test_a_guest_that_cannot_be_asked_is_given_up(self) -> None:
        """After five minutes, or with the time of the step: the outcome is unknown."""
        host = sent(RESET, "system_reset", "guest-panicked", arrives=True, config=CONFIG)
        self._lost(host, "system_reset")
        host.give(Disconnected("web-1", "broken"))
        host.run(299.9)
        assert host.outcomes() == []
        host.run(0.2)
        assert host.outcomes() == ["unknown"]
        assert host.ended()[0].error.endswith("; nothing answered that could be asked about it")

    def test_queries_that_get_lost_are_asked_again(self) -> None:
        """A QEMU that hangs answers later."""
        host = sent(RESET, "system_reset", "guest-panicked", arrives=True, config=CONFIG)
        host.guests["web-1"].silent.add("query-status")
        self._lost(host, "system_reset")
        host.run(25)
        assert host.outcomes() == []
        host.guests["web-1"].silent.clear()
        host.guests["web-1"].mute.clear()
        host.run(25)
        assert (host.commands(), host.outcomes()) == (["system_reset", "cont"], ["succeeded"])


@pytest.mark.parametrize(
    ("steps", "status", "late", "outcome"),
    [
        pytest.param("{qmp: cont, timeout: 10s}", "paused", 25, "succeeded", id="in time"),
        pytest.param("{qmp: cont, timeout: 10s}", "paused", 35, "unknown", id="too late"),
        pytest.param(
            "{guest: reset, timeout: 10s}", "guest-panicked", 295, "succeeded", id="reset: in time"
        ),
        pytest.param(
            "{guest: reset, timeout: 10s}", "guest-panicked", 305, "unknown", id="reset: too late"
        ),
    ],
)
def test_a_deadline_that_passed_while_reactor_was_down_leaves_time_for_a_probe(
    steps: str, status: str, late: float, outcome: str
) -> None:
    """Thirty seconds to find out, five minutes where the guest may have been reset and stopped."""
    text = document("p", f"[{steps}, {{publish: went-on}}]")
    host = killed(text, "system_reset" if "reset" in steps else "cont", status)
    host.now += 600
    host.restart(connect=False)
    host.run(late)
    host.connect()
    host.run(60)
    assert host.outcomes() == [outcome]
    assert probed(host) == (["done"] if outcome == "succeeded" else ["cannot be told"])


@pytest.mark.parametrize(
    ("answers", "commands", "outcome"),
    [
        pytest.param({"gone": True}, 1, "succeeded", id="gone"),
        pytest.param({"gone": False}, 2, "succeeded", id="still there: told again"),
        pytest.param({"gone": False, "busy": True}, 2, "succeeded", id="being unplugged"),
    ],
)
def test_a_device_that_shall_go(
    answers: Mapping[str, bool], commands: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked for among the devices; QEMU's word that it is being unplugged counts as done."""
    text = raw("device_del", "{id: dimm0}", "DEVICE_DELETED")
    host = killed(text, "device_del", arrives=answers["gone"])
    guest = host.guests["web-1"]
    there = [] if answers["gone"] else [{"name": "dimm0"}]
    monkeypatch.setattr(type(guest), "_qom_list", lambda *_: there, raising=False)

    def delete(_guest: object, host: Host, _arguments: object) -> object:
        host.event("web-1", "DEVICE_DELETED", {"device": "dimm0"}, after=5)
        if answers.get("busy"):
            return Refusal("GenericError", "Device dimm0 is already in the process of unplug")
        return None

    monkeypatch.setattr(type(guest), "_device_del", delete, raising=False)
    back(host)
    assert (host.commands().count("device_del"), host.outcomes()) == (commands, [outcome])


@pytest.mark.parametrize("restarted", [True, False])
def test_a_quit_is_done_when_its_qemu_is_gone(restarted: bool) -> None:
    """Nobody answers any more, or another QEMU does."""
    host = killed(document("p", "[{guest: destroy}, {publish: went-on}]"), "quit")
    host.guests["web-1"].mute.clear()
    host.restart(connect=False)
    if restarted:
        host.guests["web-1"].epoch = "2-2"
        host.connect()
        host.run(1)
        assert host.outcomes() == ["succeeded"]
    else:
        host.run(20)
        assert host.outcomes() == []
        host.connect()
        host.run(10)
        assert host.commands() == ["quit", "quit"]


def test_a_cont_that_waited_for_the_monitor_asks_first() -> None:
    """Somebody else may have let the guest go meanwhile, and it may have panicked again."""
    host = Host([FREE], config=CONFIG).connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    until(host, "system_reset")
    host.give(Disconnected("web-1", "broken"))
    host.run(2)
    assert host.commands()[-1] == "system_reset"
    guest.status = "guest-panicked"
    host.connect()
    host.run(0.05)
    assert host.commands().count("cont") == 0
    host.run(60)
    assert guest.status == "running"


def test_a_baseline_is_asked_for_before_a_migration_is_sent() -> None:
    """Else nobody could tell its end from that of the one before."""
    host = Host([raw("migrate", "{uri: 'tcp:h2:1'}")], config=CONFIG)
    host.guests["web-1"].migration = "failed"
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    until(host, "migrate")
    assert "query-migrate" in host.commands(queries=True)
    back(host)
    assert host.outcomes() == ["unknown"]
    assert "of this migration or of the last one" in host.ended()[0].error


def test_a_run_of_an_older_journal_has_nothing_to_compare_with() -> None:
    """Its intent was not written down: nobody can tell, as before."""
    host = killed(RESET, "system_reset", "guest-panicked")
    ((key, kept),) = [(key, value) for key, value in host.kept.items() if key[0] == "run"]
    run = msgspec.json.decode(kept, type=Run)
    run.cursor.intent = None
    host.kept[key] = msgspec.json.encode(run)
    back(host)
    assert (host.outcomes(), probed(host)) == (["unknown"], ["cannot be told"])
    assert host.ended()[0].error == (
        "system_reset: outcome unknown, it was sent and the daemon was restarted before the "
        "answer came"
    )


def test_a_quit_is_done_when_nobody_is_there_any_more() -> None:
    """Its QEMU is lost, and did not say so."""
    text = document("p", "[{guest: destroy}, {publish: went-on}]")
    host = sent(text, "quit", "running", arrives=False, config=CONFIG)
    (execute,) = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.command == "quit"]
    host.give(Answered(execute.id, lost="the monitor broke"))
    host.give(Disconnected("web-1", "broken"))
    host.run(4)
    assert host.outcomes() == []
    host.run(2)
    assert host.outcomes() == ["succeeded"]
    assert host.commands() == ["quit"]


def test_a_question_that_gets_lost_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once at a time, whatever wakes the run meanwhile."""
    host = killed(raw("device_add", "{driver: pc-dimm, id: dimm0}"), "device_add")
    guest = host.guests["web-1"]
    monkeypatch.setattr(type(guest), "_qom_list", lambda *_: [{"name": "dimm0"}], raising=False)
    guest.silent.add("qom-list")
    guest.mute.clear()
    host.restart()
    host.run(5)
    host.engine.world.guests["web-1"].watchers.update(dict.fromkeys(host.engine.world.runs))
    host.event("web-1", "NIC_RX_FILTER_CHANGED", {})
    host.run(1)
    assert host.commands(queries=True).count("qom-list") == 1
    host.run(10)
    guest.silent.clear()
    host.run(20)
    assert (host.outcomes(), host.commands().count("device_add")) == (["succeeded"], 1)


@pytest.mark.parametrize(
    ("command", "status", "wait", "outcome"),
    [
        pytest.param("cont", "paused", "RESUME", "succeeded", id="cont: RESUME"),
        pytest.param("system_reset", "paused", "RESET", "succeeded", id="reset: RESET"),
        pytest.param("system_reset", "paused", "VSERPORT_CHANGE", "unknown", id="reset: a port"),
        pytest.param("system_wakeup", "suspended", "WAKEUP", "unknown", id="wakeup: WAKEUP"),
        pytest.param("cont", "paused", "REACTOR_MARK_SET", "", id="cont: its own event"),
    ],
)
def test_the_event_that_a_command_brought_about_has_come(
    command: str, status: str, wait: str, outcome: str
) -> None:
    """What else was awaited may have come and gone while nobody listened."""
    host = killed(raw(command, wait=wait), command, status)
    back(host)
    assert host.outcomes() == ([outcome] if outcome else [])
    if outcome == "unknown":
        assert host.ended()[0].error == (
            f"{command} was done, and the monitor was away while {wait} was awaited"
        )


def test_a_mirror_that_was_started_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """query-jobs knows it, and says that it is ready."""
    text = raw(
        "blockdev-mirror", "{job-id: m1, device: d, target: t, sync: full}", "BLOCK_JOB_READY"
    )
    host = killed(text, "blockdev-mirror")
    jobs = [{"id": "m1", "type": "mirror", "status": "ready"}]
    monkeypatch.setattr(type(host.guests["web-1"]), "_query_jobs", lambda *_: jobs, raising=False)
    back(host)
    assert (probed(host), host.outcomes()) == (["done", "done"], ["succeeded"])
    assert host.commands() == ["blockdev-mirror"]


def test_a_dump_whose_end_was_heard_is_done() -> None:
    """Its DUMP_COMPLETED came on the same connection, without a wait for it; it says enough."""
    text = raw("dump-guest-memory", "{paging: false, detach: true, protocol: 'file:/var/crash/x'}")
    host = sent(text, "dump-guest-memory", "paused", arrives=True, config=CONFIG)
    data = {"result": {"status": "completed"}}
    host.give(Happened(Event("DUMP_COMPLETED", "web-1", data)))
    host.forget_replies()
    (run,) = host.engine.world.runs.values()
    host.give(Answered(run.cursor.sent, lost="no reply came in time"))
    host.run(5)
    assert (probed(host), host.outcomes()) == (["done"], ["succeeded"])


def test_a_dump_that_ended_while_nobody_listened_has_ended() -> None:
    """Its file is there, and query-dump says how it went."""
    host = killed(DUMP, "dump-guest-memory", "guest-panicked")
    host.restart(connect=False)
    host.run(5)
    host.guests["web-1"].mute.clear()
    host.connect()
    host.run(5)
    assert (probed(host), host.outcomes()) == (["done"], ["succeeded"])
    assert host.commands() == ["dump-guest-memory"]


def test_a_reset_whose_event_was_caught_was_done() -> None:
    """RESET came before the reply got lost: nobody needs to be asked."""
    host = sent(RESET, "system_reset", "guest-panicked", arrives=True, config=CONFIG)
    host.forget_replies()
    event = Event("RESET", "web-1", {"guest": False, "reason": "host-qmp-system-reset"})
    host.give(Happened(event))
    (run,) = host.engine.world.runs.values()
    host.give(Answered(run.cursor.sent, lost="no reply came in time"))
    host.run(5)
    (trace,) = host.traces("probed")
    assert trace.reason == "done: RESET has come"
    assert (host.commands(), host.outcomes()) == (["system_reset", "cont"], ["succeeded"])


STOPS = """
policy: stops
description: stops the guest, and hears of it
trigger: {event: GO}
steps:
  - qmp: stop
    wait: {event: STOP, timeout: 30s}
    timeout: 2m
"""


def _stopped(how: str) -> Host:
    """QEMU has stopped the guest and said so, and its reply got lost."""
    host = Host([STOPS]).connect()
    guest = host.guests["web-1"]
    guest.silent.add("stop")
    host.event("web-1", "GO", {}, after=0)
    host.run(0.1)
    guest.status = "paused"
    host.event("web-1", "STOP", {}, after=0)
    host.run(0.1)
    (stop,) = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.command == "stop"]
    guest.silent.clear()
    host.forget_replies()
    if how == "restart":
        return host.restart(connect=False)
    host.give(Answered(stop.id, lost="the monitor broke"))
    host.give(Disconnected("web-1", "broken"))
    return host


@pytest.mark.parametrize("how", ["break", "restart"])
def test_an_event_that_came_before_its_reply_was_lost_is_not_awaited_again(how: str) -> None:
    """A command that is sent once more has nothing left to do, and brings no second one."""
    host = _stopped(how).connect()
    host.run(60)
    assert (host.commands(), host.outcomes()) == (["stop", "stop"], ["succeeded"])


@pytest.mark.parametrize("how", ["break", "restart"])
def test_such_an_event_does_not_keep_a_step_open_for_ever(how: str) -> None:
    """The monitor stays away: the step's time is over when it is over."""
    host = _stopped(how)
    host.run(200)
    assert (host.commands(), host.outcomes()) == (["stop"], ["failed"])
    assert host.ended()[-1].error == "the step did not end within 2m"
