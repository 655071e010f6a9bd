"""Debounce: a run starts when it is quiet, with the last match, and nothing is lost."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.core import gate
from reactor.core.effect import Publish, Trace
from reactor.core.event import Event
from reactor.core.inputs import GuestForgotten, GuestKnown, Happened
from reactor.core.orders import AddSilence, StartRun
from tests.core.simulation import START, Host, document

QUIET = "waiting for quiet"


def _host(more: str, steps: str = "[{publish: 'n/${data.n}'}]", by: str = "") -> Host:
    trigger = "{event: GO, by: data.n}" if by else "{event: GO}"
    return Host([document("p", steps, trigger, more)]).connect()


def _go(host: Host, number: object, seconds: float = 0.0) -> None:
    host.event("web-1", "GO", {"n": number}, after=0.0)
    host.run(seconds)


def _started(host: Host) -> list[tuple[float, str]]:
    """When each run's topic was published, in seconds since the monitor was there."""
    return [
        (round(at - START - 0.1, 3), effect.topic)
        for at, effect in host.effects
        if isinstance(effect, Publish)
    ]


@pytest.mark.parametrize(
    ("more", "gaps", "starts"),
    [
        pytest.param("debounce: 10s\n", [0], [(10, "n/0")], id="one match"),
        pytest.param("debounce: 10s\n", [0, 9.999], [(19.999, "n/1")], id="just before the end"),
        pytest.param("debounce: 10s\n", [0, 10], [(10, "n/0"), (20, "n/1")], id="at the end"),
        pytest.param("debounce: 10s\n", [0, 11], [(10, "n/0"), (21, "n/1")], id="after the end"),
        pytest.param("debounce: 10s\n", [0, 5, 5, 5], [(25, "n/3")], id="the last of four"),
        pytest.param(
            "debounce: {quiet: 10s, at_most: 12s}\n",
            [0, 5, 5, 5, 5],
            [(12, "n/2"), (27, "n/4")],
            id="at_most counts from the first match, and from the next first again",
        ),
        pytest.param(
            "debounce: {quiet: 10s, at_most: 10s}\n", [0, 5], [(10, "n/1")], id="at_most is quiet"
        ),
    ],
)
def test_a_run_starts_when_it_has_been_quiet(
    more: str, gaps: list[float], starts: list[tuple[float, str]]
) -> None:
    """So long after the last match, with that match, or at most so long after the first."""
    host = _host(more)
    for number, gap in enumerate(gaps):
        host.run(gap)
        _go(host, number)
    host.run(60.0)
    assert _started(host) == starts


def test_each_key_has_its_own_quiet() -> None:
    """The noise of one disk does not keep another one waiting."""
    host = _host("debounce: 10s\n", by="data.n")
    _go(host, "a", 5.0)
    _go(host, "b", 4.0)
    _go(host, "a", 30.0)
    assert _started(host) == [(15.0, "n/b"), (19.0, "n/a")]


def test_the_trace_says_until_when_and_how_many() -> None:
    """Every match has its word."""
    host = _host("debounce: 10s\n")
    _go(host, 1, 5.0)
    _go(host, 2, 30.0)
    assert [t.reason for t in host.traces(QUIET)] == [
        "until 2027-01-15T08:00:10Z unless another comes; 1 so far",
        "until 2027-01-15T08:00:15Z unless another comes; 2 so far",
    ]
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize("away", [1.0, 20.0], ids=["before its end", "at its end nobody was there"])
def test_the_wait_survives_a_restart(away: float) -> None:
    """The clock goes on meanwhile, and the last match is the one that starts."""
    host = _host("debounce: 10s\n")
    _go(host, 1, 3.0)
    _go(host, 2, 1.0)
    host.now += away
    host.restart()
    host.run(30.0)
    assert [topic for _, topic in _started(host)] == ["n/2"]
    assert _started(host)[0][0] == pytest.approx(max(13.0, 4.0 + away), abs=0.01)


def test_after_a_restart_the_condition_is_asked_when_the_monitor_is_there() -> None:
    """A wait that ends a moment before the connect finds no guest that is `disconnected`."""
    host = _host("debounce: 10s\nif: guest.status == 'running'\n")
    _go(host, 1, 9.0)
    host.restart(connect=False)
    host.run(5.0)
    assert host.outcomes() == []
    host.connect()
    assert host.outcomes() == ["succeeded"]


def test_at_most_counts_from_the_first_match_over_a_restart() -> None:
    """Else a daemon that is restarted often would never start the run."""
    host = _host("debounce: {quiet: 10s, at_most: 12s}\n")
    _go(host, 1, 8.0)
    host.restart()
    _go(host, 2, 30.0)
    assert _started(host) == [(12.0, "n/2")]


def test_a_match_that_comes_late_to_a_wait_that_is_over_begins_a_new_one() -> None:
    """The clock's word comes after the event's sometimes."""
    host = _host("debounce: 10s\n")
    _go(host, 1)
    host.now += 10.0
    host.give(Happened(Event("GO", "web-1", {"n": 2}, host.now, host.now)))
    host.run(30.0)
    assert _started(host) == [(10.0, "n/1"), (20.0, "n/2")]


def test_what_comes_after_debounce_is_asked_when_the_wait_is_over() -> None:
    """Busy, cooldown, limits: as they are then."""
    host = _host("debounce: 10s\ncooldown: 1h\n")
    _go(host, 1, 30.0)
    _go(host, 2, 30.0)
    assert host.traces("cooling down")[0].reason == "3570.0 s left"


def test_a_silence_during_the_wait_is_seen_at_the_start() -> None:
    """With fresh state, inhibitions are asked again."""
    host = _host("debounce: 10s\n")
    _go(host, 1, 5.0)
    host.order(AddSilence(("p",), ("*",), 60.0))
    host.run(30.0)
    assert (_started(host), host.outcomes()) == ([], ["skipped"])


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        pytest.param("policy", "it is gone", id="the policy was taken away"),
        pytest.param("guest", "the guest is gone", id="nobody names the guest"),
        pytest.param("label", "it does not select it any more", id="another label"),
    ],
)
def test_a_match_whose_policy_is_not_for_the_guest_any_more_says_so(what: str, reason: str) -> None:
    """It is refused, not forgotten."""
    selector = "guests: {labels: {tier: web}}\n"
    text = document("p", "[{publish: 'n'}]", more=f"{selector}debounce: 10s\n")
    host = Host([text], labels={"web-1": {"tier": "web"}}).connect()
    _go(host, 1, 1.0)
    match what:
        case "policy":
            host.load([])
        case "guest":
            host.give(GuestForgotten("web-1"))
        case _:
            host.give(GuestKnown("web-1", {"tier": "db"}))
    host.run(30.0)
    assert [t.reason for t in host.traces("the policy is not for this guest")] == [reason]
    assert _started(host) == []
    assert [key for key in host.kept if key[0] == "debounce"] == []


def test_a_match_survives_also_where_the_guest_was_never_connected() -> None:
    """An operator may have started it before QEMU was there."""
    host = Host([document("p", "[{publish: 'n'}]", more="debounce: 10s\n")])
    assert host.order(StartRun("p", "web-1")).ok
    host.restart(connect=False)
    host.run(30.0)
    assert [topic for topic, _ in host.published()] == ["n"]


def test_the_wait_of_a_policy_that_changes_goes_on() -> None:
    """The new text decides at its end; nothing is lost."""
    host = _host("debounce: 10s\n")
    _go(host, 1, 5.0)
    host.load([document("p", "[{publish: 'new/${data.n}'}]", more="debounce: 1h\n")])
    host.run(30.0)
    assert _started(host) == [(10.0, "new/1")]


def test_so_many_keys_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has waited longest goes early; it is not lost."""
    monkeypatch.setattr(gate, "KEYS_KEPT", 2)
    host = _host("debounce: 10s\n", by="data.n")
    for key in ("a", "b", "a", "c"):
        _go(host, key, 1.0)
    assert _started(host) == [(3.0, "n/a")]
    host.run(30.0)
    assert [topic for _, topic in _started(host)] == ["n/a", "n/b", "n/c"]


MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 3.0, 9.999, 10.0, 11.0]),
        st.sampled_from(["go", "go", "go", "restart", "reload"]),
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@example(moves=[(0.0, "go"), (10.0, "restart"), (0.0, "go")], at_most=None)
@given(moves=MOVES, at_most=st.sampled_from([None, "12s"]))
def test_nothing_is_lost_between_debounce_and_restart(
    moves: list[tuple[float, str]], at_most: str | None
) -> None:
    """Every match that no later one replaced starts a run, and that run ends or is cancelled.

    The last match of all is always done to its end: no restart of the daemon and no run
    before it swallows it.
    """
    rule = f"{{quiet: 10s, at_most: {at_most}}}" if at_most else "10s"
    text = document(
        "p",
        "[{delay: 7s}, {publish: 'n/${data.n}'}]",
        more=f"mode: restart\ndebounce: {rule}\n",
    )
    host = Host([text]).connect()
    numbers = []
    for number, (pause, what) in enumerate(moves):
        host.run(pause)
        match what:
            case "go":
                numbers.append(number)
                _go(host, number)
            case "restart":
                host.restart()
            case _:
                host.load([text])
    host.run(300.0)
    waits = len(host.traces(QUIET))
    assert waits == len(numbers)
    admitted = host.traces("admitted")
    assert len(host.ended()) == len(admitted)
    assert {run.outcome for run in host.ended()} <= {"succeeded", "cancelled"}
    if numbers:
        assert _started(host)[-1][1] == f"n/{numbers[-1]}"
    if at_most:
        _no_wait_is_longer_than(host, 12.0)


def _no_wait_is_longer_than(host: Host, seconds: float) -> None:
    first: float | None = None
    for _, effect in host.effects:
        if isinstance(effect, Trace) and effect.verdict == QUIET and first is None:
            first = effect.at
        if isinstance(effect, Trace) and effect.verdict == "admitted" and first is not None:
            assert effect.at <= first + seconds + 0.2  # a restart takes a moment
            first = None


def test_a_match_that_waited_is_not_about_the_next_qemu() -> None:
    """It is told, and nothing is done to a guest to which nothing has happened."""
    more = "debounce: 10s\n"
    host = Host([document("p", "[{publish: told}, {guest: reset}]", more=more)]).connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(3)
    host.guests["web-1"].epoch = "2-2"
    host.restart()
    host.run(60)
    assert [topic for topic, _ in host.published()] == ["told"]
    assert (host.commands(), host.outcomes()) == ([], ["failed"])
