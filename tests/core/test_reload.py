"""Other policies while runs are open: nothing that was counted or begun is lost."""

import pytest

from tests.core.simulation import Host

SLOW = """
policy: p
description: d
trigger: {event: GO}
mode: queued
steps:
  - delay: 10s
  - publish: old
"""
NEW = SLOW.replace("publish: old", "publish: new")
ARMED = """
policy: a
description: d
arm: [{qmp: set-action, args: {panic: pause}}]
trigger: {event: GO}
steps: [{publish: a}]
"""


def _go(host: Host, seconds: float = 1, event: str = "GO") -> Host:
    host.event("web-1", event, {}, after=0)
    return host.run(seconds)


def _topics(host: Host) -> list[str]:
    return [topic for topic, _ in host.published()]


def test_an_open_run_keeps_the_revision_that_started_it() -> None:
    """Those that wait for their turn too; the next match has the new one."""
    host = Host([SLOW]).connect()
    _go(host)
    _go(host)
    host.load([NEW])
    _go(host, 60)
    assert _topics(host) == ["old", "old", "new"]
    host.load([NEW])
    assert len(host.engine.world.programs) == 1


def test_the_open_run_of_a_policy_that_is_gone_goes_on() -> None:
    """No new one is started."""
    host = Host([SLOW]).connect()
    _go(host)
    host.load([])
    _go(host, 60)
    assert _topics(host) == ["old"]
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize("gone", [False, True], ids=["changed", "gone and back"])
@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
def test_what_was_counted_survives_a_reload(gone: bool, restart: bool) -> None:
    """A policy that is mended must not find its crash-loop breaker closed again."""
    text = SLOW.replace("mode:", "limits: [1 per 1h per guest]\non_limit: [{publish: full}]\nmode:")
    host = Host([text]).connect()
    _go(host, 60)
    assert _topics(_go(host)) == ["old", "full"]
    if gone:
        host.load([])
    if restart:
        host.restart()
    host.load([text.replace("publish: old", "publish: new")])
    assert _topics(_go(host, 60)) == ["old", "full"]
    host.run(3600)
    assert _topics(_go(host, 60)) == ["old", "full", "new"]


def test_a_cooldown_survives_a_reload() -> None:
    """It counts from the start of the old revision's run."""
    text = SLOW.replace("mode: queued", "cooldown: 5m")
    host = Host([text]).connect()
    _go(host, 60)
    host.load([text.replace("publish: old", "publish: new")])
    assert _topics(_go(host, 60)) == ["old"]
    assert _topics(_go(host, 200)) == ["old"]
    assert _topics(_go(host, 60)) == ["old", "new"]


def test_what_a_policy_that_is_gone_has_counted_is_forgotten_after_a_day() -> None:
    """Else names that come and go would fill memory and journal."""
    text = SLOW.replace("mode:", "limits: [1 per 1h per guest]\nmode:")
    host = Host([text]).connect()
    _go(host, 60)
    _go(host)
    assert {kind for kind, _ in host.kept} >= {"ledger", "told"}
    host.load([])
    host.run(86_300)
    host.load([])
    assert {kind for kind, _ in host.kept} >= {"ledger"}
    host.run(200)
    host.load([])
    assert {kind for kind, _ in host.kept} == {"number", "guest"}
    assert host.engine.world.states == {}
    assert host.engine.near_misses("p") == []


def test_a_restart_forgets_what_is_older_than_a_day() -> None:
    """The daemon may have been down for long."""
    text = SLOW.replace("mode:", "limits: [1 per 1h per guest]\nmode:")
    host = Host([text]).connect()
    _go(host, 60)
    host.load([])
    host.now += 100_000
    host.restart()
    assert {kind for kind, _ in host.kept} == {"number", "guest"}


def test_only_new_and_changed_policies_are_armed_by_a_reload() -> None:
    """What is armed stays armed; a policy that is gone is not."""
    host = Host([ARMED]).connect()
    host.load([ARMED, SLOW])
    host.run(1)
    assert host.commands() == ["set-action"]
    host.load([ARMED.replace("panic: pause", "panic: poweroff")])
    host.run(1)
    assert host.commands() == ["set-action"] * 2
    assert _topics(_go(host)) == ["a"]
    host.load([])
    host.load([ARMED])
    host.run(1)
    assert host.commands() == ["set-action"] * 3


def test_a_reload_without_a_monitor_sends_nothing() -> None:
    """The connect will."""
    host = Host([SLOW])
    host.load([ARMED])
    host.run(1)
    assert host.commands() == []


def test_a_match_that_is_held_back_is_not_lost_by_a_reload() -> None:
    """Nor is it let through by the arm of the old revision."""
    host = Host([ARMED])
    guest = host.guests["web-1"]
    guest.silent.add("set-action")
    host.connect()
    _go(host)
    guest.silent.clear()
    guest.failing["set-action"] = "no"
    host.load([ARMED.replace("publish: a", "publish: b")])
    host.run(1)
    (refused,) = host.traces("not ready on this guest")
    assert refused.reason == "set-action: GenericError: no"
    host.load([ARMED])
    host.run(10)
    assert _topics(host) == []


def test_the_arm_of_a_policy_that_is_gone_ends_quietly() -> None:
    """Its matches are gone with it."""
    host = Host([ARMED])
    host.guests["web-1"].silent.add("set-action")
    host.connect()
    _go(host)
    host.load([])
    host.run(30)
    assert host.engine.world.runs == {}
    assert host.events("REACTOR_POLICY_NOT_READY") == []


def test_a_mode_that_changes_finds_the_runs_of_the_old_one() -> None:
    """A match is refused as busy while the queue of the old revision empties."""
    host = Host([SLOW]).connect()
    _go(host)
    _go(host)
    host.load([NEW.replace("queued", "single")])
    _go(host, 30)
    assert _topics(host) == ["old", "old"]
    assert len(host.traces("a run of this key is still open")) == 1
    assert _topics(_go(host, 30)) == ["old", "old", "new"]
