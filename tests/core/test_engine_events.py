"""The engine's own events, what they start, and how loops of policies end."""

import pytest

from reactor.core import world as world_module
from reactor.core.effect import Log
from reactor.core.inputs import Ticked
from reactor.core.world import NEAR_MISSES_KEPT
from tests.core.simulation import START, Host, document

FAILS = document("fails", "[{publish: a}, {fail: no luck, name: last}]")


def _alert(name: str, event: str) -> str:
    return (
        f"policy: {name}\ndescription: d\ntrigger: {{event: {event}}}\n"
        "steps:\n  - publish: '${event.name}'\n    payload: '${data}'\n"
    )


def _go(host: Host, seconds: float = 60) -> Host:
    host.event("web-1", "GO", {}, after=0)
    return host.run(seconds)


def test_a_failed_run_is_an_event_for_other_policies() -> None:
    """With the step and the reason."""
    host = _go(Host([FAILS, _alert("alert", "REACTOR_RUN_FAILED")]).connect())
    assert host.published()[1] == (
        "REACTOR_RUN_FAILED",
        {
            "policy": "fails",
            "run": "abc123-1",
            "step": "last",
            "error": "no luck",
            "outcome": "failed",
        },
    )


@pytest.mark.parametrize("verb", ["stop: x", "check: 1 == 2"])
def test_a_run_that_did_not_fail_is_no_event(verb: str) -> None:
    """Stopped and skipped are no failures."""
    text = FAILS.replace("{fail: no luck, name: last}", verb)
    host = _go(Host([text]).connect())
    assert host.events("REACTOR_RUN_FAILED") == []


def test_a_policy_never_sees_the_run_events_of_its_own_runs() -> None:
    """It would react to itself for ever; those of another policy it sees."""
    text = (
        "policy: p\ndescription: d\ntrigger: {event: [GO, 'REACTOR_RUN_*']}\nsteps: [{fail: x}]\n"
    )
    host = _go(Host([text]).connect())
    assert host.outcomes() == ["failed"]
    host = _go(Host([text, FAILS]).connect())
    assert sorted(run.policy for run in host.ended()) == ["fails", "p", "p"]


def test_marks_are_events() -> None:
    """Set once, cleared by a policy, and cleared by their expiry."""
    text = (
        "policy: m\ndescription: d\ntrigger: {event: GO}\nsteps:\n"
        "  - mark: {disk: sda, as: slow, reason: r}\n"
        "  - mark: {disk: sda, as: slow, reason: again}\n"
        "  - mark: {disk: sdb, as: bad, reason: why, expires: 10s}\n"
        "  - clear: {disk: sda}\n"
    )
    host = _go(Host([text]).connect())
    seen = [
        (event.name.removeprefix("REACTOR_"), event.data, round(event.received - START, 1))
        for name in ("REACTOR_MARK_SET", "REACTOR_MARK_CLEARED")
        for event in host.events(name)
    ]
    assert seen == [
        ("MARK_SET", {"kind": "disk", "id": "sda", "as": "slow", "reason": "r"}, 0.1),
        ("MARK_SET", {"kind": "disk", "id": "sdb", "as": "bad", "reason": "why"}, 0.1),
        (
            "MARK_CLEARED",
            {"kind": "disk", "id": "sda", "as": "slow", "reason": "cleared by m"},
            0.1,
        ),
        ("MARK_CLEARED", {"kind": "disk", "id": "sdb", "as": "bad", "reason": "expired"}, 10.1),
    ]


def test_clearing_what_is_not_set_does_nothing() -> None:
    """And says so."""
    text = (
        "policy: m\ndescription: d\ntrigger: {event: GO}\nsteps: [{clear: {disk: sda, as: slow}}]\n"
    )
    host = _go(Host([text]).connect())
    (trace,) = host.traces("nothing to do")
    assert trace.reason == "no such mark is set"
    assert host.events("REACTOR_MARK_CLEARED") == []
    assert host.outcomes() == ["succeeded"]


LOOP = (
    document(
        "sets",
        "[{mark: {guest: self, as: x, reason: r}}]",
        trigger="{event: [GO, REACTOR_MARK_CLEARED]}",
    ),
    document("clears", "[{clear: {guest: self, as: x}}]", trigger="{event: REACTOR_MARK_SET}"),
    document("fails", "[{fail: x}]", trigger="{event: REACTOR_MARK_SET}"),
)


def test_policies_that_start_each_other_for_ever_are_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After so many events from one input; it is counted, said once, and the engine goes on."""
    monkeypatch.setattr(world_module, "DERIVED_MAX", 100)
    host = Host(LOOP).connect()
    _go(host)
    assert len(host.ended()) < 300
    assert host.engine.world.derived_dropped > 1
    (line,) = [e for e in host.seen(Log) if isinstance(e, Log)]
    assert line.level == "warning"
    assert line.text == (
        "more than 100 events of the engine's own followed from one input, "
        "the last is REACTOR_MARK_CLEARED: policies start each other in a loop; "
        "what follows is dropped"
    )
    before = len(host.ended())
    _go(host)
    assert len(host.ended()) > before


def test_only_the_latest_near_misses_are_remembered() -> None:
    """A policy that is refused all day does not fill the memory."""
    text = document("p", "[{log: x}]", trigger="{event: GO, where: data.n > 5 || data.n < 0}")
    host = Host([text]).connect()
    for number in range(NEAR_MISSES_KEPT + 1):
        host.event("web-1", "GO", {"n": number % 5}, after=number)
    host.run(100)
    misses = host.engine.near_misses("p")
    assert len(misses) == NEAR_MISSES_KEPT
    assert misses[-1].at - misses[0].at == pytest.approx(NEAR_MISSES_KEPT - 1)
    assert host.engine.near_misses("another") == []


def test_time_never_goes_back() -> None:
    """A clock that was set back counts as standing still."""
    text = (
        "policy: p\ndescription: d\ntrigger: {event: GO}\nsteps: [{delay: 10s}, {publish: done}]\n"
    )
    host = Host([text]).connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(5)
    at = host.engine.world.now
    assert host.engine.handle(Ticked(), 0.0) == []
    assert host.engine.world.now == at
    host.run(6)
    assert host.outcomes() == ["succeeded"]


def test_a_tick_without_anything_due_does_nothing() -> None:
    """And an engine without guests wants none."""
    host = Host([])
    assert host.engine.next_deadline() is None
    assert host.give(Ticked()) == []
