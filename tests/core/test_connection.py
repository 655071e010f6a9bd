"""Monitors that come and go: what people are told, and what becomes of waits."""

import pytest

from reactor.core.effect import Execute, GuestChanged
from reactor.core.event import Event
from reactor.core.inputs import (
    Answered,
    Connected,
    Disconnected,
    Facts,
    GuestForgotten,
    GuestKnown,
    Happened,
)
from tests.core.simulation import START, Host, document

LOST = "REACTOR_GUEST_LOST"
CONNECTED = "REACTOR_GUEST_CONNECTED"
WAIT = """
policy: p
description: d
trigger: {event: GO}
steps:
  - wait: {event: EVENT, timeout: 1m}
  - publish: went-on
"""


def _plain(where: str = "") -> str:
    return f"policy: p\ndescription: d\n{where}trigger: {{event: GO}}\nsteps: [{{publish: done}}]\n"


def _go(host: Host, seconds: float = 1) -> Host:
    host.event("web-1", "GO", {}, after=0)
    return host.run(seconds)


def _changes(host: Host) -> list[GuestChanged]:
    return [e for e in host.seen(GuestChanged) if isinstance(e, GuestChanged)]


def test_a_guest_is_known_before_its_first_connect() -> None:
    """It is disconnected, and kept only once its QEMU was seen."""
    host = Host([])
    (change,) = _changes(host)
    assert (change.guest, change.status, change.connected) == ("web-1", "disconnected", False)
    assert [key for key in host.kept if key[0] == "guest"] == []
    host.connect()
    change = _changes(host)[-1]
    assert (change.status, change.connected, change.qemu_version) == ("running", True, "7.2.22")
    assert [key for key in host.kept if key[0] == "guest"] == [("guest", "web-1")]


def test_new_labels_change_which_policies_select_a_guest() -> None:
    """From the next event on."""
    host = Host([_plain("guests: {labels: {tier: prod}}\n")]).connect()
    _go(host)
    assert host.published() == []
    host.give(GuestKnown("web-1", {"tier": "prod"}))
    _go(host)
    assert len(host.published()) == 1


def test_a_guest_that_nobody_named_is_known_by_its_connect() -> None:
    """An adapter may be quicker than the settings."""
    host = Host([_plain()], guests=[])
    host.give(Connected("web-1", "1-1", Facts(status="running")))
    _go(host)
    assert len(host.published()) == 1


@pytest.mark.parametrize(
    "input_",
    [
        pytest.param(Disconnected("ghost", "x"), id="disconnected"),
        pytest.param(GuestForgotten("ghost"), id="forgotten"),
        pytest.param(Happened(Event("GO", "ghost")), id="event"),
        pytest.param(Answered("ghost.1", result={}), id="answer"),
    ],
)
def test_what_concerns_no_guest_does_nothing(
    input_: Disconnected | GuestForgotten | Happened | Answered,
) -> None:
    """It may have been on its way when the guest was forgotten."""
    assert Host([_plain()]).give(input_) == []


def test_a_forgotten_guest_is_gone_everywhere() -> None:
    """No row is left of it, and its events do nothing."""
    host = Host([_plain()]).connect()
    host.give(GuestForgotten("web-1"))
    assert _changes(host)[-1].gone
    assert not [key for key in host.kept if key[0] == "guest"]
    assert host.engine.world.guests == {}
    assert host.engine.next_deadline() is None
    _go(host)
    assert host.published() == []


def test_a_forgotten_guest_stays_until_its_last_run_has_ended() -> None:
    """The run ends at its own deadline, then nothing is left, in the snapshot neither."""
    host = Host([WAIT]).connect()
    _go(host)
    host.give(GuestForgotten("web-1"))
    assert list(host.engine.world.guests) == ["web-1"]
    assert [row.kind for row in host.engine.snapshot() if row.kind == "guest"] == []
    host.run(70)
    assert [run.error for run in host.ended()] == ["EVENT did not come within 1m"]
    assert host.engine.world.guests == {}


def test_a_forgotten_guest_that_comes_back_is_itself_again() -> None:
    """Its labels and its open run are still there."""
    host = Host([WAIT], labels={"web-1": {"tier": "prod"}}).connect()
    _go(host)
    host.give(GuestForgotten("web-1"))
    host.give(Connected("web-1", "1-1", Facts(status="running")))
    assert _changes(host)[-1].labels == {"tier": "prod"}
    host.run(120)
    assert list(host.engine.world.guests) == ["web-1"]


def test_a_connect_says_whether_it_was_the_first() -> None:
    """`first` is about the guest, also over a restart of the daemon."""
    host = Host([]).connect()
    host.disconnect("web-1")
    host.connect()
    host.restart()
    assert [event.data for event in host.events(CONNECTED)] == [
        {"epoch": "1-1", "first": True},
        {"epoch": "1-1", "first": False},
        {"epoch": "1-1", "first": False},
    ]


@pytest.mark.parametrize(
    ("before", "back", "lost"),
    [
        pytest.param(4.9, None, ["cut"], id="nobody comes"),
        pytest.param(4.9, 29.9, [], id="the same QEMU is back"),
        pytest.param(4.9, 30.0, ["cut"], id="it is back too late"),
        pytest.param(6.0, None, ["cut"], id="it was told before"),
    ],
)
def test_a_loss_that_was_about_to_be_told_survives_a_restart(
    before: float, back: float | None, lost: list[str]
) -> None:
    """The monitor is given 30 seconds to come; the loss is told once, over a second restart too."""
    host = Host([]).connect()
    host.disconnect("web-1", "cut")
    host.run(before)
    host.restart(connect=False)
    host.restart(connect=False)
    if back is not None:
        host.run(back)
        host.connect()
    host.run(60)
    host.restart(connect=False)
    host.run(60)
    assert [event.data["reason"] for event in host.events(LOST)] == lost


@pytest.mark.parametrize(
    ("away", "lost"),
    [
        pytest.param(4.99, [], id="back in time"),
        pytest.param(5.0, ["cut"], id="too late"),
        pytest.param(60.0, ["cut"], id="much too late"),
    ],
)
def test_a_guest_whose_monitor_closed_is_lost_after_five_seconds(
    away: float, lost: list[str]
) -> None:
    """Unless the same QEMU is back; said once."""
    host = Host([]).connect()
    host.disconnect("web-1", "cut")
    host.run(away)
    host.connect()
    host.run(60)
    assert [event.data["reason"] for event in host.events(LOST)] == lost


def test_a_shutdown_before_is_no_loss() -> None:
    """QEMU said that it would go."""
    host = Host([]).connect()
    host.event("web-1", "SHUTDOWN", {"reason": "guest-shutdown", "guest": True})
    host.run(1)
    host.disconnect("web-1")
    host.run(60)
    assert host.events(LOST) == []
    host.restart(connect=False)
    host.guests["web-1"].epoch = "2-2"
    host.connect()
    assert host.events(LOST) == [], "the daemon still knows after its restart"


@pytest.mark.parametrize("event", ["RESET", "RESUME"])
def test_a_guest_that_went_on_after_its_shutdown_can_be_lost(event: str) -> None:
    """With -no-shutdown QEMU stays, and may be reset and crash later."""
    host = Host([]).connect()
    host.event("web-1", "SHUTDOWN", {"reason": "guest-shutdown"})
    host.event("web-1", event, {}, after=1)
    host.run(2)
    host.disconnect("web-1", "cut")
    host.run(10)
    assert len(host.events(LOST)) == 1


def test_another_epoch_is_a_loss_at_once() -> None:
    """The old QEMU did not say that it would go; said once, whoever noticed first."""
    host = Host([]).connect()
    host.disconnect("web-1")
    host.run(1)
    host.guests["web-1"].epoch = "2-2"
    host.connect()
    assert [event.data["reason"] for event in host.events(LOST)] == ["QEMU was restarted"]
    host.run(60)
    host.disconnect("web-1", "cut")
    host.run(10)
    host.guests["web-1"].epoch = "3-3"
    host.connect()
    assert [event.data["reason"] for event in host.events(LOST)] == ["QEMU was restarted", "cut"]


def test_an_answer_that_comes_after_the_monitor_went_changes_nothing() -> None:
    """The guest is disconnected, whatever its last reply said."""
    host = Host([WAIT.replace("event: EVENT", 'until: guest.status == "paused"')]).connect()
    host.guests["web-1"].silent.add("query-status")
    _go(host)
    (query,) = [e for e in host.seen(Execute) if isinstance(e, Execute)][-1:]
    host.disconnect("web-1")
    host.give(Answered(query.id, result={"status": "paused"}))
    assert host.engine.world.guests["web-1"].status == "disconnected"


def test_the_status_is_asked_after_every_event_that_may_have_moved_it() -> None:
    """One question at a time: events that come meanwhile make one more."""
    host = Host([]).connect()
    host.guests["web-1"].status = "paused"
    for name in ("STOP", "RESUME", "STOP", "BLOCK_JOB_READY"):
        host.event("web-1", name, {}, after=0)
    host.run(1)
    assert host.commands(queries=True) == ["query-status", "query-status"]
    assert _changes(host)[-1].status == "paused"


def test_a_question_of_the_last_connection_is_not_waited_for() -> None:
    """After a reconnect the next event asks again; the old answer counts for nothing."""
    host = Host([]).connect()
    host.guests["web-1"].silent.add("query-status")
    host.event("web-1", "STOP", {}, after=0)
    host.run(1)
    host.disconnect("web-1")
    host.guests["web-1"].silent.clear()
    host.connect()
    host.event("web-1", "STOP", {}, after=0)
    host.run(20)
    assert host.commands(queries=True) == ["query-status"] * 2
    assert host.engine.world.guests["web-1"].status == "running"


def test_a_storage_daemon_is_not_asked_for_a_status() -> None:
    """It has none, and conditions see `none` at once."""
    host = Host([_plain('if: guest.status == "none" && guest.kind == "storage-daemon"\n')])
    host.guests["web-1"].kind = "storage-daemon"
    host.connect()
    host.event("web-1", "STOP", {}, after=0)
    _go(host)
    assert host.commands(queries=True) == []
    assert len(host.published()) == 1


def test_a_query_that_gets_no_answer_leaves_the_guest_disconnected() -> None:
    """A QEMU that hangs is not `running`; `if` waits for it, in the time that the run has."""
    host = Host([_plain('if: guest.status == "running" && !guest.migrating\n')]).connect()
    host.guests["web-1"].silent |= {"query-status", "query-migrate"}
    _go(host, 30)
    assert host.engine.world.guests["web-1"].status == "disconnected"
    assert host.outcomes() == []
    assert host.run(3600).outcomes() == ["failed"]


# ------------------------------------------------------- waits over a reconnect


def _cut(host: Host, epoch: str = "1-1") -> Host:
    host.disconnect("web-1")
    host.run(1)
    host.guests["web-1"].epoch = epoch
    return host.connect()


def test_a_wait_that_nothing_can_prove_ends_as_unknown() -> None:
    """The event may have come while nobody listened."""
    host = _cut(_go(Host([WAIT]).connect()))
    assert [(run.outcome, run.error) for run in host.ended()] == [
        ("unknown", "the monitor was away while EVENT was awaited")
    ]


def test_a_wait_ends_as_unknown_when_qemu_was_restarted() -> None:
    """What it waited for went down with the old one."""
    host = _cut(_go(Host([WAIT]).connect()), epoch="2-2")
    assert [(run.outcome, run.error) for run in host.ended()] == [
        ("unknown", "QEMU was restarted while EVENT was awaited")
    ]


def test_a_wait_stands_still_while_the_monitor_is_away_and_its_timeout_runs() -> None:
    """A monitor that stays away ends in the timeout."""
    host = _go(Host([WAIT]).connect())
    host.disconnect("web-1")
    host.run(70)
    assert [run.error for run in host.ended()] == ["EVENT did not come within 1m"]


@pytest.mark.parametrize("epoch", ["1-1", "2-2"])
def test_a_wait_for_the_engines_own_event_misses_nothing(epoch: str) -> None:
    """Whoever waits for the reconnect gets it."""
    host = _cut(_go(Host([WAIT.replace("EVENT", CONNECTED)]).connect()), epoch=epoch)
    assert [topic for topic, _ in host.published()] == ["went-on"]


def test_an_event_that_came_before_the_cut_counts() -> None:
    """It was caught while the step's command was still unanswered."""
    text = WAIT.replace("wait: {event: EVENT, timeout: 1m}", "qmp: stop\n    wait: {event: STOP}")
    host = Host([text]).connect()
    guest = host.guests["web-1"]
    guest.silent.add("stop")
    _go(host)
    host.event("web-1", "STOP", {}, after=0)
    host.run(0.1)
    guest.silent.clear()
    _cut(host)
    host.run(80)
    assert host.outcomes() == ["succeeded"]


def test_a_reset_is_proved_by_prelaunch() -> None:
    """Only a reset leads from guest-panicked to prelaunch: cont follows."""
    host = Host([WAIT.replace("wait: {event: EVENT, timeout: 1m}", "guest: reset")]).connect()
    guest = host.guests["web-1"]
    guest.status = "guest-panicked"
    guest.mute.add("RESET")
    _go(host)
    assert host.commands() == ["system_reset"]
    _cut(host)
    assert host.commands() == ["system_reset", "cont"]
    assert host.outcomes() == ["succeeded"]


def test_a_reset_of_a_running_guest_cannot_be_proved() -> None:
    """It is running before and after."""
    host = Host([WAIT.replace("wait: {event: EVENT, timeout: 1m}", "guest: reset")]).connect()
    host.guests["web-1"].mute.add("RESET")
    _cut(_go(host))
    assert host.outcomes() == ["unknown"]


DUMP = WAIT.replace("wait: {event: EVENT, timeout: 1m}", "guest: dump\n    to: x\n    format: elf")
RAW_DUMP = WAIT.replace(
    "wait: {event: EVENT, timeout: 1m}",
    "qmp: dump-guest-memory\n"
    '    args: {paging: false, detach: true, protocol: "file:/var/crash/x"}\n'
    '    wait: {event: DUMP_COMPLETED, where: data.result.status == "completed"}',
)


@pytest.mark.parametrize("text", [DUMP, RAW_DUMP], ids=["guest: dump", "raw"])
@pytest.mark.parametrize(
    ("dump", "outcomes", "later"),
    [
        pytest.param("completed", ["succeeded"], ["succeeded"], id="completed"),
        pytest.param("active", [], ["succeeded"], id="active: its event is yet to come"),
        pytest.param("none", ["unknown"], ["unknown"], id="none"),
    ],
)
def test_query_dump_decides_the_wait_for_a_dump(
    text: str, dump: str, outcomes: list[str], later: list[str]
) -> None:
    """Over a reconnect of the same QEMU."""
    host = Host([text]).connect()
    guest = host.guests["web-1"]
    guest.status, guest.dump_takes = "paused", 100.0
    _go(host)
    guest.dump = dump
    _cut(host)
    host.run(1)
    assert host.outcomes() == outcomes
    host.run(100)
    assert host.outcomes() == later


def test_a_dump_that_failed_while_the_monitor_was_away_is_a_failure() -> None:
    """With what the query says."""
    host = Host([DUMP]).connect()
    guest = host.guests["web-1"]
    guest.status, guest.dump_takes = "paused", 100.0
    _go(host)
    guest.dump = "failed"
    _cut(host)
    assert [run.error for run in host.ended()] == ["the dump failed: its status is failed"]


def test_a_dump_of_long_ago_proves_nothing() -> None:
    """query-dump tells of the last dump for ever; the wait is for another's next one."""
    host = Host([WAIT.replace("EVENT", "DUMP_COMPLETED")])
    host.guests["web-1"].dump = "completed"
    _cut(_go(host.connect()))
    assert host.outcomes() == ["unknown"]


def test_what_a_guest_is_kept_with_is_what_qemu_said_last() -> None:
    """Not that it gave no answer or that its monitor was away: the next life compares with it."""
    host = Host([]).connect()
    host.guests["web-1"].status = "paused"
    host.event("web-1", "STOP", {})
    host.run(1)
    host.guests["web-1"].silent.add("query-status")
    host.event("web-1", "RESUME", {})
    host.run(20)
    assert host.engine.world.guests["web-1"].status == "disconnected"
    host.disconnect("web-1")
    kept = [row.value for row in host.engine.snapshot() if row.kind == "guest"]
    assert kept[0] is not None
    assert b'"status":"paused"' in kept[0]
    assert host.kept["guest", "web-1"] == kept[0]


def test_since_is_when_the_status_began() -> None:
    """In seconds since the epoch."""
    host = Host([]).connect()
    host.run(10)
    host.guests["web-1"].status = "paused"
    host.event("web-1", "STOP", {}, after=0)
    host.run(10)
    assert _changes(host)[-1].since == pytest.approx(START + 10.1, abs=0.01)


def test_a_run_that_began_before_the_first_connect_goes_on_with_it() -> None:
    """It is about no life of QEMU yet: the wait is not given up, the command is sent."""
    text = document("p", "[{delay: 5s}, {qmp: stop}]")
    host = Host([text])
    host.event("web-1", "GO", {})
    host.run(1)
    host.connect()
    host.run(10)
    assert host.commands() == ["stop"]
    assert host.outcomes() == ["succeeded"]
