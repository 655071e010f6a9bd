"""Whatever the engine keeps is enough to go on from: at every point of every history."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.effect import Keep, RunChanged
from reactor.core.run import Run
from tests.core.simulation import Host
from tests.core.test_panic_runbook import FREE, PANIC

STEPS = """
policy: slow
description: waits and marks
trigger: {event: GO}
mode: queued
steps:
  - mark: {guest: self, as: busy, reason: because}
  - delay: 10s
  - publish: done
    payload: {started: '${run.started}'}
  - clear: {guest: self, as: busy}
"""


def _fold(host: Host) -> dict[tuple[str, str], object]:
    return {key: msgspec.json.decode(value) for key, value in host.kept.items()}


def _snapshot(host: Host) -> dict[tuple[str, str], object]:
    rows = host.engine.snapshot()
    return {(r.kind, r.key): msgspec.json.decode(r.value) for r in rows if r.value is not None}


def _do(host: Host, what: str) -> None:
    if what == "panic":
        host.guests["web-1"].panic(host)
    elif what == "go":
        host.event("web-2", "GO", {})
    elif what == "cut":
        host.disconnect("web-1")
    else:
        host.connect("web-1")


@settings(max_examples=40, deadline=None)
@given(
    moments=st.lists(
        st.tuples(st.floats(0, 30), st.sampled_from(["panic", "go", "cut", "back"])), max_size=8
    )
)
def test_the_fold_of_all_keeps_is_the_snapshot(moments: list[tuple[float, str]]) -> None:
    """Nothing that the engine knows and needs is missing in what it asked to keep."""
    host = Host([PANIC, STEPS], guests=["web-1", "web-2"]).connect()
    for pause, what in moments:
        host.run(pause)
        _do(host, what)
        assert _fold(host) == _snapshot(host)
    host.run(100)
    assert _fold(host) == _snapshot(host)


@pytest.mark.parametrize("tenths", range(0, 40, 2))
def test_a_run_that_was_open_at_a_restart_never_vanishes(tenths: int) -> None:
    """Killed at any moment, it goes on or ends with a reason; no guest is reset twice."""
    host = Host([FREE]).connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    host.run(tenths / 10)
    host.restart()
    host.run(120)
    ended = [e for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.ended]
    if host.commands().count("dump-guest-memory"):
        assert ended, "the run vanished"
        assert ended[-1].outcome == "succeeded" or ended[-1].error
    assert host.commands().count("system_reset") <= 1
    assert host.engine.world.runs == {}


@pytest.mark.parametrize("seconds", [0.0005, 0.0015, 0.5, 5.0, 9.9, 10.5])
def test_steps_without_a_guest_are_done_exactly_once_over_a_restart(seconds: float) -> None:
    """Delays keep their end; what was published before is not published again."""
    host = Host([STEPS]).connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(seconds)
    host.restart()
    host.run(60)
    assert host.outcomes() == ["succeeded"]
    assert [topic for topic, _ in host.published()] == ["done"]


def test_a_delay_does_not_start_anew_after_a_restart() -> None:
    """Nine of ten seconds had passed: one is left."""
    host = Host([STEPS]).connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(9)
    host.restart()
    host.run(1.1)
    assert [topic for topic, _ in host.published()] == ["done"]


def test_limits_and_cooldowns_survive_a_restart() -> None:
    """Three resets an hour are three, whoever counted them."""
    host = Host([PANIC]).connect()
    guest = host.guests["web-1"]
    for _ in range(3):
        guest.panic(host)
        host.run(120)
        host.restart()
    guest.panic(host)
    host.run(120)
    assert host.commands().count("system_reset") == 3
    assert guest.status == "guest-panicked"


def test_marks_survive_a_restart_and_expire_on_time() -> None:
    """A mark is there after the restart, and its expiry is not put off."""
    text = """
policy: m
description: d
trigger: {event: GO}
steps:
  - mark: {disk: sda, as: degraded, reason: r, expires: 1m}
"""
    host = Host([text]).connect()
    host.event("web-1", "GO", {})
    host.run(30)
    host.restart()
    assert [mark.id for mark in host.engine.world.marks] == ["sda"]
    host.run(31)
    assert list(host.engine.world.marks) == []


def test_a_run_whose_policy_is_gone_ends_with_a_reason() -> None:
    """Its revision cannot be built any more: it fails and says so."""
    host = Host([STEPS]).connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    host.policies = []
    host.restart()
    host.run(1)
    ended = [e for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.ended]
    assert [run.outcome for run in ended] == ["failed"]
    assert ended[0].error.startswith("its policy revision ")
    assert not [key for key in host.kept if key[0] == "run"]


def test_numbers_of_runs_are_never_used_twice() -> None:
    """The number goes on after a restart."""
    host = Host([STEPS]).connect()
    ids = set()
    for _ in range(3):
        host.event("web-1", "GO", {}, after=0)
        host.run(60)
        host.restart()
        ids |= {e.run for e in host.seen(RunChanged) if isinstance(e, RunChanged)}
    assert len(ids) == 3


def test_kept_runs_can_be_read_back() -> None:
    """A run is the same after it was written and read."""
    host = Host([FREE]).connect()
    host.guests["web-1"].panic(host)
    host.run(0.5)
    rows = [Keep(kind, key, value) for (kind, key), value in host.kept.items() if kind == "run"]
    assert len(rows) == 1
    assert rows[0].value is not None
    run = msgspec.json.decode(rows[0].value, type=Run)
    assert msgspec.json.encode(run) == rows[0].value
