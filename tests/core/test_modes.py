"""Modes: what a match becomes while a run of its key is open."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.admission import OPEN_MAX, PolicyState, Verdict, decide, scope_values
from reactor.core.effect import Execute, RunChanged
from reactor.core.orders import CancelRun
from tests.core.simulation import Host, document, policy

SLOW = "[{delay: 10s}, {publish: 'n/${data.n}'}]"


def _host(more: str, steps: str = SLOW) -> Host:
    return Host([document("p", steps, more=more)]).connect()


def _go(host: Host, number: int, seconds: float = 0.0) -> Host:
    host.event("web-1", "GO", {"n": number}, after=0.0)
    return host.run(seconds)


def _topics(host: Host) -> list[str]:
    return [topic for topic, _ in host.published()]


# ------------------------------------------------------------------- restart


def test_a_new_match_takes_the_place_of_the_open_run() -> None:
    """The old run's ``finally`` runs, with its outcome; the reason names the new one."""
    host = _host("mode: restart\nfinally: [{publish: 'end/${data.n}/${run.outcome}'}]\n")
    _go(host, 1, 3.0)
    _go(host, 2, 30.0)
    assert _topics(host) == ["end/1/cancelled", "n/2", "end/2/succeeded"]
    assert host.outcomes() == ["cancelled", "succeeded"]
    assert host.ended()[0].error == "run abc123-2 takes its place (mode restart)"


def test_the_new_run_starts_when_the_old_one_s_command_is_answered() -> None:
    """Not before: nobody knows until then what the guest will be."""
    host = _host("mode: restart\n", "[{qmp: stop, timeout: 20s}, {publish: 'n/${data.n}'}]")
    host.guests["web-1"].silent.add("stop")
    _go(host, 1, 5.0)
    host.guests["web-1"].silent.clear()
    _go(host, 2, 5.0)
    assert (host.outcomes(), host.commands()) == ([], ["stop"])
    assert host.traces("waiting")[-1].reason == "run abc123-1 is open"
    host.run(30.0)
    assert host.outcomes() == ["cancelled", "succeeded"]
    assert _topics(host) == ["n/2"]


def test_the_turn_is_over_when_the_steps_are_although_finally_goes_on() -> None:
    """A slow clean-up does not keep the new run waiting; its slot is another matter."""
    host = _host("mode: restart\nfinally: [{delay: 1m}]\n")
    _go(host, 1, 3.0)
    _go(host, 2, 15.0)
    assert _topics(host) == ["n/2"]
    host.restart()
    _go(host, 3, 12.0)
    assert _topics(host) == ["n/2", "n/3"]
    host.run(300.0)
    assert host.outcomes() == ["cancelled", "succeeded", "succeeded"]


def test_a_run_at_its_handlers_is_not_cancelled_and_not_waited_for() -> None:
    """It has an outcome already."""
    host = _host("mode: restart\nfinally: [{delay: 1m}, {publish: 'end/${data.n}'}]\n")
    _go(host, 1, 20.0)
    _go(host, 2, 11.0)
    assert _topics(host) == ["n/1", "n/2"]
    host.run(300.0)
    assert host.outcomes() == ["succeeded", "succeeded"]
    assert _topics(host)[2:] == ["end/1", "end/2"]


def test_a_slot_is_kept_until_the_old_run_has_ended() -> None:
    """`N at once` counts what goes on, a ``finally`` too."""
    more = "mode: restart\nlimits: [1 at once per guest]\nfinally: [{delay: 1m}]\n"
    host = _host(more)
    _go(host, 1, 3.0)
    _go(host, 2, 59.0)
    assert _topics(host) == []
    assert _topics(host.run(12.0)) == ["n/2"]


def test_a_run_that_never_started_is_cancelled_at_once_and_gives_its_place_back() -> None:
    """It has no ``finally``; the limit counts the two that were left."""
    more = "mode: restart\nlimits: [3 per 1h per guest]\nfinally: [{publish: 'end/${data.n}'}]\n"
    host = _host(more, "[{qmp: stop, timeout: 20s}, {publish: 'n/${data.n}'}]")
    host.guests["web-1"].silent.add("stop")
    _go(host, 1, 1.0)
    _go(host, 2, 1.0)
    _go(host, 3, 1.0)
    assert host.outcomes() == ["cancelled"]
    assert host.ended()[0].run == "abc123-2"
    _go(host, 4, 1.0)
    assert host.traces("limited") == []
    host.guests["web-1"].silent.clear()
    host.run(60.0)
    assert _topics(host) == ["end/1", "n/4", "end/4"]


def test_a_match_that_is_refused_cancels_nobody() -> None:
    """The open run is cancelled once the new one is admitted, not before."""
    host = _host("mode: restart\nlimits: [1 per 1h per guest]\n")
    _go(host, 1, 3.0)
    _go(host, 2, 30.0)
    assert (_topics(host), host.outcomes()) == (["n/1"], ["succeeded"])


def test_another_key_is_left_alone() -> None:
    """Each disk has its own run."""
    text = document("p", SLOW, "{event: GO, by: data.n}", "mode: restart\n")
    host = Host([text]).connect()
    _go(host, 1, 3.0)
    _go(host, 2, 30.0)
    assert _topics(host) == ["n/1", "n/2"]


def test_the_place_of_a_cancelled_run_survives_a_restart_of_the_daemon() -> None:
    """Killed while the old run's command was in flight: the new one goes when that is known."""
    host = _host("mode: restart\n", "[{qmp: stop, timeout: 20s}, {publish: 'n/${data.n}'}]")
    host.guests["web-1"].silent.add("stop")
    _go(host, 1, 5.0)
    _go(host, 2, 1.0)
    host.guests["web-1"].silent.clear()
    host.restart()
    host.run(60.0)
    assert host.outcomes() == ["cancelled", "succeeded"]
    assert _topics(host) == ["n/2"]


@pytest.mark.parametrize("before", ["queued", "parallel"])
def test_restart_after_a_reload_takes_the_place_of_all_open_runs(before: str) -> None:
    """Those that went side by side, and those that waited."""
    host = _host(f"mode: {before}\n")
    for number in (1, 2, 3):
        _go(host, number, 1.0)
    host.load([document("p", SLOW, more="mode: restart\n")])
    _go(host, 4, 60.0)
    assert _topics(host) == ["n/4"]
    assert sorted(host.outcomes()) == ["cancelled"] * 3 + ["succeeded"]


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0.0, 0.0005, 0.001, 0.3, 4.0, 21.0]), min_size=1, max_size=8),
    restarts=st.sets(st.integers(0, 8)),
)
def test_in_mode_restart_the_last_match_is_done_and_steps_never_overlap(
    gaps: list[float], restarts: set[int]
) -> None:
    """Whatever the rhythm, and however often the daemon is killed."""
    host = _host("mode: restart\n", "[{qmp: stop}, {delay: 3s}, {publish: 'n/${data.n}'}]")
    for number, gap in enumerate(gaps):
        host.run(gap)
        _go(host, number)
        if number in restarts:
            host.restart()
    host.run(600.0)
    assert _topics(host)[-1] == f"n/{len(gaps) - 1}"
    assert len(host.ended()) == len(gaps)
    last: dict[str, int] = {}
    sent = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.command == "stop"]
    for place, effect in enumerate(sent):
        assert effect.run not in last or last[effect.run] == place - 1
        last[effect.run] = place


# ------------------------------------------------------------------ parallel


def test_in_mode_parallel_runs_of_a_key_go_side_by_side() -> None:
    """At most ``max`` of them; the next one is refused, and says so."""
    host = _host("mode: parallel\nmax: 2\n")
    for number in (1, 2, 3):
        _go(host, number, 1.0)
    host.run(30.0)
    assert _topics(host) == ["n/1", "n/2"]
    (refused,) = host.traces("as many runs of this key are open as `max` allows")
    assert refused.reason == "2 are open"
    _go(host, 4, 30.0)
    assert _topics(host)[2:] == ["n/4"]


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["single", "queued", "parallel", "restart"]),
    most=st.integers(1, 3),
    gaps=st.lists(st.sampled_from([0.0, 0.3, 2.0, 4.0, 9.0, 31.0]), max_size=14),
    kills=st.sets(st.integers(0, 14)),
)
def test_no_more_runs_of_a_key_go_at_a_time_than_the_mode_allows(
    mode: str, most: int, gaps: list[float], kills: set[int]
) -> None:
    """One, or ``max`` in `parallel`; and a burst never cancels what it should queue."""
    more = f"mode: {mode}\nmax: {most}\n"
    host = _host(more, "[{delay: 3s}, {qmp: stop}, {delay: 3s}]")
    for number, gap in enumerate(gaps):
        host.run(gap)
        _go(host, number)
        if number in kills:
            host.restart()
    host.run(600.0)
    under_way: dict[str, str] = {}
    high = 0
    phases = defaultdict(set)
    for effect in host.seen(RunChanged):
        assert isinstance(effect, RunChanged)
        phases[effect.run].add(effect.word)
        under_way[effect.run] = effect.word
        high = max(high, sum(word == "running" for word in under_way.values()))
    assert high <= (most if mode == "parallel" else 1)
    if mode != "restart":
        assert "cancelled" not in host.outcomes()
    refused = [t for t in host.verdicts("trigger") if t != "admitted"]
    assert len(host.ended()) + len(refused) == len(gaps)


def test_a_policy_has_so_many_open_runs_at_most() -> None:
    """With a key that the guest chooses nothing else would bound them."""
    subject = policy(document("p", SLOW, "{event: GO, by: data.n}"))
    state = PolicyState.of(subject)
    state.open_count = OPEN_MAX - 1
    values = scope_values("web-1", "web-1/a", "h1")
    assert decide(subject, state, "web-1/a", values, 0.0).verdict is Verdict.ADMITTED
    state.enter("web-1/b", "r")
    full = decide(subject, state, "web-1/a", values, 0.0)
    assert full.sentence == "queue full: 10000 runs of this policy are open"


def test_a_run_leaves_its_line_once() -> None:
    """Who is first then is told; nobody when nothing changed."""
    state = PolicyState.of(policy(document("p", SLOW)))
    for run in ("a", "b"):
        state.enter("k", run)
    assert (state.leave("k", "x"), state.leave("y", "a")) == (None, None)
    assert (state.leave("k", "a"), state.open_count) == ("b", 1)
    assert (state.leave("k", "a"), state.open_count) == (None, 1)
    assert (state.leave("k", "b"), state.open_count, state.open) == (None, 0, {})


def test_cancelling_the_open_run_lets_the_next_in_line_go() -> None:
    """In `queued`, when it has ended; its ``finally`` first: runs do not overlap."""
    host = _host("mode: queued\nfinally: [{delay: 5s}]\n")
    _go(host, 1, 1.0)
    _go(host, 2, 1.0)
    host.order(CancelRun("abc123-1"))
    host.run(4.0)
    assert len(host.traces("begun")) == 2
    host.run(12.0)
    assert _topics(host) == ["n/2"]
