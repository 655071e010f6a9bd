"""``count`` within ``within``: windows by key, their bounds, and what survives."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reactor.core.effect import Log
from reactor.core.event_windows import arrive
from reactor.core.inputs import GuestForgotten
from reactor.core.policy import EventTrigger, Policy
from reactor.core.windows import KEYS_KEPT
from tests.core.simulation import START, Host
from tests.core.triggers import fired, happen, misses, on, with_triggers

TOLD = {"n": "${trigger.count}", "at": "${data.at}", "t": "${trigger.data.at}"}


def _three(
    by: str | None = None, within: float = 10.0, where: str | None = None, *, own: bool = False
) -> EventTrigger:
    return on("GO", by=by, where=where, count=3, within=within, own=own)


def _host(*triggers: EventTrigger, payload: object = "x") -> Host:
    return Host([with_triggers(*triggers or (_three(),), payload=payload)]).connect()


def _at(host: Host, *times: float, **data: object) -> Host:
    """Let GO come at these seconds after the start."""
    for at in times:
        host.run(max(0.0, START + at - host.now))
        happen(host, "GO", {"at": at, **data})
    return host


def _windows(host: Host) -> int:
    return sum(1 for kind, _ in host.kept if kind == "window")


@pytest.mark.parametrize(
    ("times", "runs"),
    [
        pytest.param((1, 2), 0, id="one too few"),
        pytest.param((1, 2, 3), 1, id="as many as it takes"),
        pytest.param((1, 2, 3, 4, 5), 1, id="the window is empty after it fired"),
        pytest.param((1, 2, 3, 4, 5, 6), 2, id="twice as many"),
        pytest.param((1, 1, 1), 1, id="at the same time"),
        pytest.param((1, 5, 10.9), 1, id="just within"),
        pytest.param((1, 5, 11), 0, id="exactly one window back does not count"),
        pytest.param((1, 5, 11.1), 0, id="too slow"),
        pytest.param((1, 5, 12, 13), 1, id="the window slides"),
    ],
)
def test_so_many_events_within_a_time_are_one_match(times: tuple[float, ...], runs: int) -> None:
    """A window is (now - within, now], and is emptied when it fires."""
    assert len(fired(_at(_host(), *times))) == runs


def test_the_run_knows_the_event_that_completed_the_count() -> None:
    """As `data` and as `trigger.data`, with the count."""
    host = _at(_host(payload=TOLD), 1, 2, 3)
    assert fired(host) == [{"n": 3, "at": 3, "t": 3}]


def test_each_key_and_each_guest_is_counted_for_itself() -> None:
    """Three times the same disk of the same guest, not three disks, nor two guests."""
    host = Host([with_triggers(_three(by="data.node"))], guests=("web-1", "web-2")).connect()
    for guest, node in [("web-1", "a"), ("web-1", "b"), ("web-2", "a"), ("web-1", "a")]:
        happen(host, "GO", {"node": node}, guest=guest)
    assert fired(host) == []
    happen(host, "GO", {"node": "a"})
    assert fired(host) == ["GO"]
    assert _windows(host) == 2


def test_the_windows_of_a_policy_can_be_looked_at() -> None:
    """With the times that they hold; a policy without any has none."""
    host = _at(_host(), 1, 2)
    windows = host.engine.world.triggers.windows
    assert [window.times for window in windows.of("p").values()] == [[START + 1, START + 2]]
    assert windows.of("another") == {}


def test_each_trigger_of_a_policy_has_its_own_windows() -> None:
    """Two triggers that see the same events fire for themselves."""
    host = _host(_three(), on("GO", count=2, within=10.0), payload="${trigger.index}")
    assert fired(_at(host, 1, 2, 3)) == [1, 0]


def test_only_what_passes_where_counts() -> None:
    """The order of admission: `where` comes before the count."""
    host = _host(on("GO", where="data.bad", count=2, within=10.0))
    for bad in (True, False, True):
        happen(host, "GO", {"bad": bad})
    assert fired(host) == ["x"]


def test_a_near_miss_says_how_many_there_were() -> None:
    """And how many it takes."""
    host = _at(_host(), 1, 2)
    assert misses(host) == [
        ("counted: too few yet", "1 of 3 within 10s"),
        ("counted: too few yet", "2 of 3 within 10s"),
    ]


def test_the_arrival_counts_not_the_stamp() -> None:
    """QEMU's own time stamps are not monotonic: its rate limiter sends old ones late."""
    host = _host()
    for _ in range(3):
        host.run(20)
        happen(host, "GO", {}, received=host.now)
    assert fired(host) == []


@pytest.mark.parametrize(
    ("times", "at", "full"),
    [
        pytest.param([], 5.0, False, id="the first"),
        pytest.param([1.0, 3.0], 2.0, True, id="between the others"),
        pytest.param([2.0, 3.0], 1.0, True, id="before the others"),
        pytest.param([5.0, 14.9], 5.0, True, id="just within"),
        pytest.param([5.0, 15.0], 5.0, False, id="one window apart"),
        pytest.param([5.0, 15.0], 12.0, False, id="two halves of no window"),
    ],
)
def test_times_out_of_order(times: list[float], at: float, full: bool) -> None:
    """An event is counted with those that lie near it, before and after."""
    known: list[float] = []
    for time in times:
        assert not arrive(known, time, 3, 10.0)
    assert arrive(known, at, 3, 10.0) is full


def test_a_clock_that_is_set_back_begins_anew() -> None:
    """Hours of silence would be worse than a window that is lost."""
    times = [1000.0, 1001.0]
    assert [arrive(times, at, 3, 10.0) for at in (5.0, 6.0, 7.0)] == [False, False, True]


def test_a_stray_time_does_not_push_out_a_window() -> None:
    """One event with a wrong time costs nothing."""
    times = [100.0, 101.0]
    assert not arrive(times, 3.0, 3, 10.0)
    assert arrive(times, 102.0, 3, 10.0)


# Quarters of a second: what is computed here is exact.
QUARTERS = st.integers(0, 400).map(lambda number: number / 4)


@given(
    st.lists(QUARTERS, max_size=40),
    st.integers(1, 5),
    st.integers(2, 80).map(lambda number: number / 4),
)
@example([0.0, 9.0, 12.0, 9.0], 3, 10.0)
def test_it_never_fires_with_fewer_than_count_in_any_window(
    times: list[float], count: int, within: float
) -> None:
    """Whatever the order of the times; and no window holds more than `count`."""
    known: list[float] = []
    since: list[float] = []
    for at in times:
        since.append(at)
        if arrive(known, at, count, within):
            near = sorted(t for t in since if abs(t - at) < within)
            spans = zip(near, near[count - 1 :], strict=False)
            assert any(last - within < first for first, last in spans)
            since.clear()
            assert known == []
        assert known == sorted(known)
        assert len(known) <= count


@given(st.lists(st.integers(0, 12), max_size=40), st.integers(1, 5), st.integers(1, 20))
def test_in_order_it_fires_exactly_at_every_count(gaps: list[int], count: int, within: int) -> None:
    """Against the plain definition: the events since the last firing that the window holds."""
    known: list[float] = []
    since: list[float] = []
    at = 0.0
    for gap in gaps:
        at += gap
        since.append(at)
        full = sum(1 for t in since if t > at - within) >= count
        assert arrive(known, at, count, float(within)) is full
        if full:
            since.clear()


# ------------------------------------------------------------------ bounds


def test_the_least_recently_used_key_goes_first_and_is_counted() -> None:
    """A guest that invents keys cannot fill the memory; a person is told once."""
    host = _host(_three(by="data.key", within=1e6))
    for key in range(KEYS_KEPT):
        happen(host, "GO", {"key": key})
    happen(host, "GO", {"key": 0})
    dropped = host.engine.world.triggers.dropped
    assert dropped["windows"] == 0
    for key in range(KEYS_KEPT, KEYS_KEPT + 2):
        happen(host, "GO", {"key": key})
    assert dropped["windows"] == 2
    assert _windows(host) == KEYS_KEPT
    (told,) = [e for e in host.seen(Log) if isinstance(e, Log)]
    assert told.text.startswith("more than 10000 keys are counted at once")
    happen(host, "GO", {"key": 1})
    happen(host, "GO", {"key": 1})
    assert fired(host) == []
    happen(host, "GO", {"key": 0})
    assert fired(host) == ["x"]


def test_a_window_is_forgotten_when_its_last_event_has_left_it() -> None:
    """Also when others came after the first; nothing is left in the journal."""
    host = _at(_host(), 1, 5)
    host.run(START + 14.9 - host.now)
    assert _windows(host) == 1
    host.run(0.2)
    assert _windows(host) == 0
    assert host.engine.next_deadline() is None


def test_a_guest_that_nobody_names_any_more_takes_its_windows_with_it() -> None:
    """And no other's."""
    host = Host([with_triggers(_three())], guests=("web-1", "web-2")).connect()
    for guest in ("web-1", "web-2"):
        happen(host, "GO", guest=guest)
    host.give(GuestForgotten("web-1"))
    assert _windows(host) == 1


# ------------------------------------------------------------------ what survives


def test_a_window_survives_a_restart() -> None:
    """With its times: the third event fires."""
    host = _at(_host(), 1, 2)
    host.restart()
    assert fired(_at(host, 5)) == ["x"]


def test_a_window_ends_in_its_time_after_a_restart() -> None:
    """Whatever the daemon did meanwhile."""
    host = _at(_host(), 1, 2)
    host.restart()
    assert fired(_at(host, 12)) == []
    host.run(20)
    assert _windows(host) == 0


def test_the_order_of_use_survives_a_restart() -> None:
    """The key that was used last is the last to go."""
    host = _host(_three(by="data.key", within=1e6))
    for key in ("b", "a"):
        happen(host, "GO", {"key": key})
        host.run(1)
    host.restart()
    assert [name.rpartition("/")[2] for name, _ in host.engine.world.triggers.windows] == ["b", "a"]


def _reload(host: Host, *policies: Policy) -> Host:
    host.load(policies)
    return host


@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
@pytest.mark.parametrize(
    ("triggers", "survives"),
    [
        pytest.param((_three(),), True, id="the same"),
        pytest.param((on("OTHER"), _three()), True, id="in another place"),
        pytest.param((_three(within=11.0),), False, id="another window"),
        pytest.param((on("GO", count=2, within=10.0),), False, id="another count"),
        pytest.param((_three(where="true"),), False, id="another condition"),
        pytest.param((_three(by="data.x"),), False, id="another key"),
        pytest.param((_three(own=True),), False, id="own events too"),
        pytest.param((), False, id="the policy is gone"),
    ],
)
def test_the_windows_of_an_unchanged_trigger_survive_a_reload(
    triggers: tuple[EventTrigger, ...], survives: bool, restart: bool
) -> None:
    """Those of a changed trigger go: what was counted is not what it asks for."""
    host = _at(_host(), 1, 2)
    policies = [with_triggers(*triggers)] if triggers else []
    if restart:
        host.policies = policies
        host.restart()
    else:
        _reload(host, *policies)
    assert _windows(host) == survives


def test_two_triggers_with_one_text_keep_their_own_windows() -> None:
    """They are told apart by their order."""
    host = _at(_host(_three(), _three()), 1, 2)
    assert _windows(host) == 2
    host.restart()
    assert fired(_at(host, 3)) == ["x", "x"]
