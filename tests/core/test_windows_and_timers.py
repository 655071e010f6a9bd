"""Counting over windows, and deadlines by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.policy import Limit, LimitScope
from reactor.core.timers import Timers
from reactor.core.windows import HOUR, KEYS_KEPT, Starts, Usage, WindowCounts

GUEST = {LimitScope.GUEST: "g", LimitScope.KEY: "g", LimitScope.HOST: "h"}
LIMIT = Limit(2, 10.0, LimitScope.GUEST, "2 per 10s per guest")


def test_a_window_is_open_at_its_old_end() -> None:
    """What lies exactly one window back no longer counts."""
    counts = WindowCounts([LIMIT])
    counts.add("a", GUEST, 0.0)
    counts.add("b", GUEST, 1.0)
    assert counts.full(GUEST, 9.99) is LIMIT
    assert counts.full(GUEST, 10.0) is None
    counts.add("c", GUEST, 10.0)
    assert counts.full(GUEST, 10.99) is LIMIT
    assert counts.full(GUEST, 11.0) is None


def test_a_place_that_is_given_back_no_longer_counts() -> None:
    """As after a run that ended before its first step."""
    counts = WindowCounts([LIMIT])
    counts.add("a", GUEST, 0.0)
    counts.add("b", GUEST, 0.0)
    counts.remove("a", GUEST)
    counts.remove("a", {**GUEST, LimitScope.GUEST: "another"})
    assert counts.full(GUEST, 1.0) is None


def test_other_scopes_do_not_count() -> None:
    """A limit per guest is per guest."""
    counts = WindowCounts([LIMIT])
    counts.add("a", GUEST, 0.0)
    counts.add("b", GUEST, 0.0)
    assert counts.full({**GUEST, LimitScope.GUEST: "another"}, 0.0) is None
    assert counts.longest == 10.0
    assert WindowCounts([]).longest == 0.0


@given(st.lists(st.floats(0, 5), max_size=60))
def test_a_limit_is_never_exceeded_over_any_window(gaps: list[float]) -> None:
    """Whatever the rhythm of the matches."""
    counts = WindowCounts([LIMIT])
    now, admitted = 0.0, list[float]()
    for number, gap in enumerate(gaps):
        now += gap
        if counts.full(GUEST, now) is None:
            counts.add(str(number), GUEST, now)
            admitted.append(now)
    for start in admitted:
        assert sum(1 for at in admitted if start <= at < start + 10.0) <= 2


@pytest.mark.parametrize(
    ("now", "used", "frees_at"),
    [
        pytest.param(0.0, 1, None, id="one of two"),
        pytest.param(1.0, 2, 10.0, id="all: free when the first is one window old"),
        pytest.param(2.0, 3, 11.0, id="more than all, since the limit was lowered"),
        pytest.param(10.0, 2, 11.0, id="the first counts no more"),
        pytest.param(11.0, 1, None, id="nor the second"),
        pytest.param(99.0, 0, None, id="long ago"),
    ],
)
def test_how_much_of_a_limit_is_used(now: float, used: int, frees_at: float | None) -> None:
    """And when the next place is free, where there is none; asking changes nothing."""
    counts = WindowCounts([LIMIT, Limit(1, None, LimitScope.HOST, "1 at once per host")])
    for name, at in (("a", 0.0), ("b", 1.0), ("c", 2.0)):
        if at <= now:
            counts.add(name, GUEST, at)
    assert counts.usage(GUEST, now) == [Usage(LIMIT, used, frees_at)]
    assert counts.usage(GUEST, now) == [Usage(LIMIT, used, frees_at)]
    assert counts.usage({**GUEST, LimitScope.GUEST: "another"}, now) == [Usage(LIMIT, 0, None)]


@given(st.lists(st.integers(0, 12), min_size=2, max_size=9), st.integers(0, 30))
def test_a_place_is_free_when_it_was_said(times: list[int], later: int) -> None:
    """Not a moment before, and then it is; in whole seconds, which floats hold exactly."""
    counts = WindowCounts([LIMIT])
    for number, at in enumerate(sorted(times)):
        counts.add(str(number), GUEST, at)
    now = max(times) + later
    (usage,) = counts.usage(GUEST, now)
    assert (usage.frees_at is None) == (counts.full(GUEST, now) is None)
    if usage.frees_at is not None:
        assert counts.full(GUEST, usage.frees_at - 0.5) is LIMIT
        assert counts.full(GUEST, usage.frees_at) is None


def test_keys_are_bounded_and_the_least_used_goes_first() -> None:
    """A storm of keys costs no more than KEYS_KEPT."""
    counts, starts = WindowCounts([LIMIT]), Starts()
    for number in range(KEYS_KEPT + 5):
        counts.add("r", {**GUEST, LimitScope.GUEST: str(number)}, 0.0)
        starts.add(str(number), 0.0)
    assert starts.last("0") is None
    assert starts.last(str(KEYS_KEPT)) == 0.0
    assert len(counts._times[0]) == KEYS_KEPT  # noqa: SLF001 - its bound is what is tested


def test_starts_count_the_last_hour() -> None:
    """The hour is open at its old end."""
    starts = Starts()
    starts.add("k", 0.0)
    starts.add("k", 1.0)
    assert starts.within_hour("k", HOUR) == 1
    assert starts.within_hour("k", 1.0) == 2
    assert starts.within_hour("other", 1.0) == 0
    assert starts.last("k") == 1.0
    assert starts.last("other") is None


def test_timers_come_due_in_order_and_once() -> None:
    """A deadline that was moved is due at its new time only."""
    timers = Timers()
    timers.set("a", 5.0)
    timers.set("b", 3.0)
    timers.set("c", 4.0)
    timers.set("a", 9.0)
    timers.set("c", None)
    timers.set("never", None)
    assert timers.next() == 3.0
    assert timers.due(8.9) == ["b"]
    assert timers.due(9.0) == ["a"]
    assert timers.next() is None
    assert timers.due(100.0) == []


def test_who_is_first_is_taken_away() -> None:
    """A deadline that was moved or taken away does not count."""
    timers = Timers()
    for name, at in (("a", 5.0), ("b", 3.0), ("c", 4.0), ("b", None), ("c", 6.0)):
        timers.set(name, at)
    assert [timers.at(name) for name in "abc"] == [5.0, None, 6.0]
    assert [timers.first(), timers.first()] == ["a", "c"]
    assert (timers.next(), timers.at("a")) == (None, None)


def test_a_timer_that_moves_for_ever_does_not_fill_the_memory() -> None:
    """The heap shrinks when it is mostly dead entries."""
    timers = Timers()
    for number in range(10_000):
        timers.set("a", float(number))
    assert timers.due(9_998.0) == []
    assert len(timers._heap) <= 65  # noqa: SLF001 - its bound is what is tested
    assert timers.due(9_999.0) == ["a"]
