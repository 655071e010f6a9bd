"""Which dumps may stay, as tables and as what must hold for every folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.adapters.dump_folder import Card, Found
from reactor.app.settings import DumpsSettings
from reactor.app.vault import QUIET_S, Judged, estimate, judge, needed, partial, surplus

DAY = 86_400.0
NOW = 1000 * DAY
GIB = 1 << 30
FOLDER = Path("/var/crash")


def whole(name: str, days: float, *, guest: str = "", size: int = GIB, run: str = "") -> Found:
    """A dump of so many days ago; its guest is the letter that its name begins with."""
    at = NOW - days * DAY
    card = Card(guest or name[0], run or f"run-{name}", "p", at - 60, estimate(size), at)
    return Found(FOLDER / name, card, exists=True, size_bytes=size, changed=at)


def half(name: str, *, size: int = 0, promised: int = GIB, quiet: float = 0.0) -> Found:
    """A dump that is not whole; nobody wrote to it for ``quiet`` seconds."""
    card = Card(name[0], f"run-{name}", "p", NOW - 3600, promised)
    return Found(FOLDER / name, card, exists=size > 0, size_bytes=size, changed=NOW - quiet)


def nobody(run: str) -> bool:
    """No run is open."""
    del run
    return False


def ages(
    keep_days: float | None = None, keep_last: int = 1, quota: int | None = None
) -> DumpsSettings:
    """Settings of a folder."""
    keep = None if keep_days is None else keep_days * DAY
    return DumpsSettings(FOLDER, keep=keep, keep_last=keep_last, quota=quota)


FIVE = [whole("a1", 40), whole("a2", 30), whole("b1", 20), whole("a3", 10), whole("b2", 1)]


@pytest.mark.parametrize(
    ("settings", "open_run", "gone"),
    [
        pytest.param(ages(), "", "", id="no bound: all stay"),
        pytest.param(ages(20), "", "a1 a2", id="at the age it stays, beyond it goes"),
        pytest.param(ages(19), "", "a1 a2 b1", id="the newest but one of a guest goes"),
        pytest.param(ages(0.5), "", "a1 a2 b1", id="the newest of a guest stays"),
        pytest.param(ages(0.5, 2), "", "a1", id="the last two of each stay"),
        pytest.param(ages(0.5, 9), "", "", id="more than there are"),
        pytest.param(ages(20), "run-a1", "a2", id="one of an open run stays"),
        pytest.param(ages(quota=5 * GIB), "", "", id="just within it"),
        pytest.param(ages(quota=5 * GIB - 1), "", "a1", id="a byte too much"),
        pytest.param(ages(quota=3 * GIB), "", "a1 a2", id="the oldest go first"),
        pytest.param(ages(quota=0), "", "a1 a2 b1", id="the newest of each guest stays"),
        pytest.param(ages(quota=3 * GIB), "run-a1", "a2 b1", id="the next goes instead"),
        pytest.param(ages(20, 2, 2 * GIB), "", "a1 a2 b1", id="the quota goes before keep_last"),
    ],
)
def test_what_goes(settings: DumpsSettings, open_run: str, gone: str) -> None:
    """The oldest first, and never more than must."""
    removals = surplus(FIVE, settings, NOW, lambda run: run == open_run)
    assert [one.found.path.name for one in removals] == gone.split()


def test_each_removal_has_its_reason() -> None:
    """As the log says it."""
    removals = surplus(FIVE, ages(35, 1, 3 * GIB), NOW, nobody)
    assert [one.reason for one in removals] == [
        "it is older than 35d (dumps.keep)",
        "the dumps would need more than 3GiB (dumps.quota)",
    ]


@pytest.mark.parametrize(
    ("dump", "open_run", "goes"),
    [
        pytest.param(half("a", size=5, quiet=QUIET_S - 1), "", False, id="written to just now"),
        pytest.param(half("a", size=5, quiet=QUIET_S), "", True, id="nobody writes"),
        pytest.param(half("a", size=5, quiet=QUIET_S), "run-a", False, id="its run is open"),
        pytest.param(half("a", quiet=QUIET_S), "", True, id="QEMU never made it: its card"),
        pytest.param(whole("a", 5), "", False, id="it is whole"),
        pytest.param(whole("a", 5)._replace(exists=False), "", True, id="removed by hand"),
    ],
)
def test_what_never_was_whole_goes(dump: Found, open_run: str, goes: bool) -> None:
    """Once its run is over and QEMU is done with it."""
    removals = list(partial([dump], NOW, lambda run: run == open_run))
    assert [one.found for one in removals] == [dump] * goes


@pytest.mark.parametrize(
    ("settings", "memory", "free", "problem", "gone"),
    [
        pytest.param(DumpsSettings(), GIB, 0, "", "", id="no bound"),
        pytest.param(DumpsSettings(free=GIB), 0, GIB, "", "", id="unknown memory, room enough"),
        pytest.param(DumpsSettings(free=GIB), 10 * GIB, 12 * GIB, "", "", id="just enough"),
        pytest.param(
            DumpsSettings(free=GIB),
            10 * GIB,
            12 * GIB - 1,
            "a dump of about 11GiB would leave 1024MiB free, less than dumps.free (1GiB)",
            "",
            id="a byte too little",
        ),
        pytest.param(
            DumpsSettings(free=GIB),
            10 * GIB,
            0,
            "a dump of about 11GiB would leave 0B free, less than dumps.free (1GiB)",
            "",
            id="nothing left",
        ),
        pytest.param(DumpsSettings(quota=16 * GIB), 10 * GIB, 0, "", "", id="just within it"),
        pytest.param(DumpsSettings(quota=15 * GIB), 10 * GIB, 0, "", "a1", id="the oldest goes"),
        pytest.param(
            DumpsSettings(quota=12 * GIB),
            10 * GIB,
            0,
            "a dump of about 11GiB does not fit into dumps.quota (12GiB): 2GiB must stay",
            "",
            id="nothing goes in vain",
        ),
        pytest.param(
            DumpsSettings(quota=13 * GIB, free=GIB),
            10 * GIB,
            9 * GIB,
            "",
            "a1 a2 b1",
            id="what goes is room",
        ),
    ],
)
def test_whether_there_is_room(
    settings: DumpsSettings, memory: int, free: int, problem: str, gone: str
) -> None:
    """Before the dump runs; with the reason, and with what must go for it."""
    dumps = FIVE
    judged = judge(dumps, settings, memory, free, nobody)
    assert judged.problem == problem
    assert [one.found.path.name for one in judged.removals] == gone.split()


def test_a_dump_under_way_has_what_it_may_need() -> None:
    """Two guests that panic together must not be promised the same room."""
    running = half("a", size=GIB, promised=4 * GIB)
    assert needed(running) == 4 * GIB
    settings = DumpsSettings(free=0)
    assert judge([running], settings, 0, 3 * GIB, nobody) == Judged("", [])
    assert judge([running], settings, 0, 3 * GIB - 1, nobody).problem


founds = st.lists(
    st.builds(
        lambda guest, days, size, number: whole(f"{guest}{number}", days, size=size),
        st.sampled_from("abc"),
        st.floats(0, 100),
        st.integers(0, 10 * GIB),
        st.integers(0, 1000),
    ),
    max_size=12,
    unique_by=lambda one: one.path,
).map(lambda each: sorted(each, key=lambda one: one.card.done or 0.0))


@given(
    founds,
    st.floats(0, 100),
    st.integers(1, 4),
    st.integers(0, 20 * GIB),
    st.sets(st.integers(0, 11)),
)
def test_the_newest_of_a_guest_and_open_runs_always_stay(
    dumps: list[Found], keep_days: float, keep_last: int, quota: int, chosen: set[int]
) -> None:
    """Whatever the bounds are; and beyond the quota is only what must stay."""
    open_runs = {one.card.run for number, one in enumerate(dumps) if number in chosen}
    settings = ages(keep_days, keep_last, quota)
    gone = {one.found for one in surplus(dumps, settings, NOW, open_runs.__contains__)}
    left = [one for one in dumps if one not in gone]
    newest = {one.card.guest: one for one in dumps}
    assert not gone & set(newest.values())
    assert not {one.card.run for one in gone} & open_runs
    if sum(map(needed, left)) > quota:
        assert all(one == newest[one.card.guest] or one.card.run in open_runs for one in left)
