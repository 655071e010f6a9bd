"""Arming: sent at every connect before any match; not ready is said once, with its reason."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Execute
from reactor.core.inputs import Connected, Disconnected, Facts, GuestForgotten, GuestKnown
from reactor.core.policy import Enforcement
from reactor.core.readiness import HELD_MAX
from tests.core.simulation import START, Host, document

ARMED = """
policy: armed
description: d
arm:
  - qmp: set-action
    args: {panic: pause}
trigger: {event: GO, by: 'data.?n.orValue(0)'}
steps:
  - publish: 'armed/${data.?n.orValue(0)}'
"""
PLAIN = "policy: plain\ndescription: d\ntrigger: {event: GO}\nsteps: [{publish: plain}]\n"
NOT_READY = "REACTOR_POLICY_NOT_READY"


def _topics(host: Host) -> list[str]:
    return [topic for topic, _ in host.published()]


def _go(host: Host, seconds: float = 1, **data: object) -> Host:
    host.event("web-1", "GO", data, after=0)
    return host.run(seconds)


def test_a_policy_is_armed_at_every_connect() -> None:
    """Also when the same QEMU comes back."""
    host = Host([ARMED]).connect()
    assert host.commands() == ["set-action"]
    host.disconnect("web-1")
    host.run(1)
    host.connect()
    assert host.commands() == ["set-action", "set-action"]


def test_a_match_that_comes_while_the_arm_is_under_way_is_held_and_not_lost() -> None:
    """It is admitted when the arm has succeeded; another policy does not wait."""
    host = Host([ARMED, PLAIN])
    guest = host.guests["web-1"]
    guest.silent.add("set-action")
    host.give(Connected("web-1", guest.epoch, guest.facts()))
    _go(host)
    assert _topics(host) == ["plain"]
    assert [
        t.policy for t in host.traces("held back: the policy is being armed on this guest")
    ] == ["armed"]
    guest.silent.clear()
    host.connect()
    assert _topics(host) == ["plain", "armed/0"]


def test_matches_that_were_held_go_in_the_order_they_came() -> None:
    """And each of them."""
    host = Host([ARMED])
    host.give(Connected("web-1", "1-1", Facts(status="running")))
    for number in range(5):
        host.event("web-1", "GO", {"n": number}, after=0)
    host.run(1)
    assert _topics(host) == [f"armed/{n}" for n in range(5)]


def test_an_arm_holds_its_matches_back_for_five_seconds_at_most() -> None:
    """Then they are refused as not ready, and nobody waits any longer."""
    host = Host([ARMED])
    guest = host.guests["web-1"]
    guest.silent.add("set-action")
    host.give(Connected("web-1", guest.epoch, guest.facts()))
    _go(host, 4.9)
    assert host.traces("not ready on this guest") == []
    host.run(0.2)
    (refused,) = host.traces("not ready on this guest")
    assert refused.at == pytest.approx(START + 5, abs=0.01)
    assert refused.reason == "the handler did not end in its time"


def test_only_so_many_matches_are_held_back() -> None:
    """A storm during the arm does not fill the memory; what is refused says why."""
    host = Host([ARMED])
    host.guests["web-1"].silent.add("set-action")
    host.give(Connected("web-1", "1-1", Facts(status="running")))
    for number in range(HELD_MAX + 1):
        host.event("web-1", "GO", {"n": number}, after=0)
    host.run(1)
    (refused,) = host.traces("not ready on this guest")
    assert refused.reason == "1000 matches wait for its arm already"


def test_an_arm_that_failed_is_tried_again_after_a_minute() -> None:
    """Until it succeeds, and REACTOR_POLICY_NOT_READY is said once."""
    host = Host([ARMED, PLAIN])
    guest = host.guests["web-1"]
    guest.failing["set-action"] = "no such action"
    host.connect()
    _go(host, 130)
    assert [at // 60 for at in host.times("set-action")] == [0, 1, 2]
    assert _topics(host) == ["plain"]
    (refused,) = host.traces("not ready on this guest")
    assert refused.reason == "set-action: GenericError: no such action"
    (event,) = host.events(NOT_READY)
    assert event.data == {"policy": "armed", "reason": refused.reason}
    guest.failing.clear()
    host.run(60)
    _go(host)
    assert sorted(_topics(host)) == ["armed/0", "plain", "plain"]


def test_not_ready_is_said_again_only_after_the_policy_was_ready_in_between() -> None:
    """A monitor that flaps makes no flood of events."""
    host = Host([ARMED])
    guest = host.guests["web-1"]
    guest.failing["set-action"] = "no"
    for _ in range(3):
        host.connect()
        host.disconnect("web-1")
    assert len(host.events(NOT_READY)) == 1
    guest.failing.clear()
    host.connect()
    guest.failing["set-action"] = "no"
    host.connect()
    assert len(host.events(NOT_READY)) == 2


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_the_end_of_a_migration_arms_again(status: str) -> None:
    """Before the minute is over."""
    host = Host([ARMED])
    guest = host.guests["web-1"]
    guest.failing["set-action"] = "no"
    host.connect()
    guest.failing.clear()
    host.event("web-1", "MIGRATION", {"status": "active"})
    host.run(1)
    assert len(host.commands()) == 1
    host.event("web-1", "MIGRATION", {"status": status})
    host.run(1)
    assert host.commands() == ["set-action", "set-action"]
    _go(host)
    assert _topics(host) == ["armed/0"]


def test_a_ready_policy_is_not_armed_again_by_a_migration() -> None:
    """Nothing failed, so nothing is tried again."""
    host = Host([ARMED]).connect()
    host.event("web-1", "MIGRATION", {"status": "completed"})
    host.run(1)
    assert host.commands() == ["set-action"]


def test_a_retry_that_is_due_while_the_monitor_is_away_sends_nothing() -> None:
    """The next connect arms anyway."""
    host = Host([ARMED])
    host.guests["web-1"].failing["set-action"] = "no"
    host.connect()
    host.disconnect("web-1")
    host.run(120)
    assert host.commands() == ["set-action"]


def test_a_policy_without_a_monitor_is_not_ready() -> None:
    """An event of the engine's own may come before the first connect."""
    text = ARMED.replace("event: GO, by: 'data.?n.orValue(0)'", "event: REACTOR_MARK_SET").replace(
        "${data.?n.orValue(0)}", "0"
    )
    other = document("o", "[{mark: {guest: self, as: x, reason: r}}]")
    host = Host([text, other])
    _go(host)
    (refused,) = host.traces("not ready on this guest")
    assert refused.reason == "its arm was not sent: the monitor is away"


def test_a_failed_arm_says_that_the_monitor_is_away_while_it_is() -> None:
    """The reason is today's."""
    text = ARMED.replace(
        "event: GO, by: 'data.?n.orValue(0)'", "event: REACTOR_GUEST_LOST"
    ).replace("${data.?n.orValue(0)}", "0")
    host = Host([text])
    host.guests["web-1"].failing["set-action"] = "no"
    host.connect()
    host.disconnect("web-1")
    host.run(10)
    (refused,) = host.traces("not ready on this guest")
    assert refused.reason == "the monitor is away"


@pytest.mark.parametrize(
    ("text", "config"),
    [
        pytest.param(
            ARMED.replace("arm:", "enforcement: audit\narm:"), EngineConfig(host="h1"), id="policy"
        ),
        pytest.param(ARMED, EngineConfig(host="h1", enforcement=Enforcement.AUDIT), id="settings"),
    ],
)
def test_audit_sends_no_arm_and_is_ready(text: str, config: EngineConfig) -> None:
    """The match is admitted and recorded as would run."""
    host = _go(Host([text], config=config).connect())
    assert host.commands() == []
    assert host.outcomes() == ["would run"]


@pytest.mark.parametrize(
    "arm",
    [
        pytest.param("guest: preserve-on-panic", id="a verb of a guest"),
        pytest.param("qmp: migrate-set-capabilities\n    args: {x: 1}", id="a migration"),
    ],
)
def test_a_storage_daemon_has_no_guest_to_arm(arm: str) -> None:
    """The arm is not sent and nobody is alarmed; the match says why it is refused."""
    text = ARMED.replace("qmp: set-action\n    args: {panic: pause}", arm)
    host = Host([text])
    host.guests["web-1"].kind = "storage-daemon"
    host.connect()
    _go(host, 120)
    assert host.commands() == []
    assert host.events(NOT_READY) == []
    (refused,) = host.traces("not ready on this guest")
    assert refused.reason == "a storage daemon has no guest to arm"


def test_a_raw_arm_goes_to_a_storage_daemon_too() -> None:
    """It knows its own commands."""
    host = Host([ARMED])
    host.guests["web-1"].kind = "storage-daemon"
    host.connect()
    assert host.commands() == ["set-action"]
    assert _topics(_go(host)) == ["armed/0"]


TWO_STEPS = ARMED.replace(
    "trigger:", "  - qmp: block-set-write-threshold\n    args: {x: 1}\ntrigger:"
)


def test_an_arm_begins_anew_when_another_qemu_takes_over_in_the_middle() -> None:
    """Its first step went to the old one: the new one gets both."""
    host = Host([TWO_STEPS])
    guest = host.guests["web-1"]
    guest.silent.add("block-set-write-threshold")
    host.connect()
    assert host.commands() == ["set-action", "block-set-write-threshold"]
    host.disconnect("web-1")
    guest.silent.clear()
    guest.epoch = "2-2"
    host.connect()
    assert host.commands()[2:] == ["set-action", "block-set-write-threshold"]
    assert _topics(_go(host)) == ["armed/0"]
    host.run(30)
    assert len(host.commands()) == 4
    assert host.events(NOT_READY) == []


def test_a_match_held_back_while_another_qemu_takes_over_is_not_about_that_one() -> None:
    """A reset that the old one needed must not meet the new one."""
    resets = ARMED.replace("publish: 'armed/${data.?n.orValue(0)}'", "guest: reset")
    host = Host([resets])
    guest = host.guests["web-1"]
    guest.silent.add("set-action")
    _go(host.connect())
    host.disconnect("web-1")
    guest.silent.clear()
    guest.epoch = "2-2"
    host.connect()
    host.run(30)
    assert (host.commands(), host.outcomes()) == (["set-action", "set-action"], ["failed"])


def test_new_labels_arm_the_policies_that_select_the_guest_now() -> None:
    """Without a reconnect."""
    text = ARMED.replace("arm:", "guests: {labels: {tier: prod}}\narm:")
    host = Host([text]).connect()
    assert host.commands() == []
    host.give(GuestKnown("web-1", {"tier": "prod"}))
    host.run(1)
    assert host.commands() == ["set-action"]
    assert _topics(_go(host)) == ["armed/0"]


def test_an_arm_run_is_nobodys_business() -> None:
    """It is no run that people see, count or find in the journal."""
    host = Host([ARMED])
    host.guests["web-1"].failing["set-action"] = "no"
    host.connect()
    assert host.ended() == []
    assert host.events("REACTOR_RUN_FAILED") == []
    assert [key for key in host.kept if key[0] == "run"] == []


def test_an_arm_waits_for_the_hand_of_a_run_that_goes_on_over_the_reconnect() -> None:
    """One changing step at a time holds for arms too."""
    stops = "{qmp: stop, wait: {event: REACTOR_MARK_SET, timeout: 3s}}"
    slow = document("s", f"[{{qmp: query-block}}, {stops}]", trigger="{event: SLOW}")
    host = Host([ARMED, slow]).connect()
    host.event("web-1", "SLOW", {}, after=0)
    host.run(1)
    host.give(Disconnected("web-1", "cut"))
    host.connect()
    assert host.commands() == ["set-action", "stop"]
    host.run(3)
    sent = [e.command for e in host.seen(Execute) if isinstance(e, Execute) and e.changes]
    assert sent == ["set-action", "stop", "set-action"]
    assert _topics(_go(host)) == ["armed/0"]


def _arming(**data: object) -> Host:
    """A host with a match that waits for the arm, which is not answered."""
    host = Host([ARMED])
    host.guests["web-1"].silent.add("set-action")
    host.give(Connected("web-1", "1-1", Facts(status="running")))
    for number in range(12):
        host.event("web-1", "GO", {"n": number, **data}, after=0)
    return host.run(1)


def _refusals(host: Host) -> set[tuple[str, str]]:
    return {(t.verdict, t.reason) for t in host.traces("not ready on this guest")} | {
        (t.verdict, t.reason) for t in host.traces("the policy is not for this guest")
    }


def test_matches_that_wait_for_an_arm_survive_a_restart() -> None:
    """In the order they came: the tenth comes after the ninth in a journal too."""
    host = _arming()
    host.guests["web-1"].silent.clear()
    host.restart()
    assert _topics(host) == [f"armed/{n}" for n in range(12)]
    assert [key for key in host.kept if key[0] == "held"] == []


def test_after_a_restart_they_wait_for_the_monitor_and_not_for_ever() -> None:
    """As long as a run that was open waits: 30 s; a reload meanwhile changes nothing."""
    host = _arming().restart(connect=False)
    host.run(15)
    host.load([ARMED])
    host.run(14.9)
    assert _refusals(host) == set()
    host.run(0.2)
    reason = "its arm was not sent: the monitor is away"
    assert _refusals(host) == {("not ready on this guest", reason)}
    assert [key for key in host.kept if key[0] == "held"] == []


@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
@pytest.mark.parametrize(
    ("what", "reason"),
    [("guest", "the guest is gone"), ("policy", "it is gone"), ("label", "it does not select it")],
)
def test_matches_that_wait_for_an_arm_nobody_needs_are_refused(
    what: str, reason: str, restart: bool
) -> None:
    """They say why: the guest, the policy or the label is gone."""
    host = _arming()
    if restart:
        host.restart(connect=False)
    match what:
        case "guest":
            host.give(GuestForgotten("web-1"))
        case "policy":
            host.load([])
        case _:
            host.load([ARMED.replace("trigger:", "guests: {labels: {tier: web}}\ntrigger:")])
    host.run(40)
    ((verdict, said),) = _refusals(host)
    assert (verdict, said[: len(reason)]) == ("the policy is not for this guest", reason)
    assert [key for key in host.kept if key[0] == "held"] == []


def test_matches_of_a_policy_that_needs_no_arm_any_more_go_on() -> None:
    """The reload lets them go."""
    host = _arming()
    host.load([ARMED.replace("arm:\n  - qmp: set-action\n    args: {panic: pause}\n", "")])
    host.run(1)
    assert _topics(host) == [f"armed/{n}" for n in range(12)]


def test_a_match_of_a_guest_that_the_journal_does_not_know_is_refused() -> None:
    """Its row alone cannot bring the guest back."""
    host = _arming()
    host.kept.pop(("guest", "web-1"))
    host.restart(connect=False)
    assert _refusals(host) == {("the policy is not for this guest", "the guest is gone")}
    assert [key for key in host.kept if key[0] == "held"] == []
