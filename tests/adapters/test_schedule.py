"""When schedules fire, in virtual time."""

import itertools
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.adapters import schedule as module
from reactor.adapters.schedule import (
    ON_TIME_S,
    SET_BACK_S,
    Calendar,
    Missed,
    Rhythm,
    Schedules,
    Timetable,
    last_between,
)
from reactor.core.inputs import Fired
from reactor.core.policy import EventTrigger, Policy, ScheduleTrigger, Trigger
from reactor.errors import Place

HOUR = 3600.0
DAY = 24 * HOUR
BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"
NEVER = -math.inf


def at(text: str) -> float:
    """Seconds since the epoch of a time in UTC, such as ``2026-03-29 01:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(time: float) -> str:
    """The other way round."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M")


def firings(timetable: Timetable, start: str, end: str) -> list[str]:
    """All firings later than start, up to end."""
    found = []
    time = timetable.after(at(start))
    while time is not None and time <= at(end):
        found.append(time)
        time = timetable.after(time)
    return [shown(one) for one in found]


def policy(name: str, *triggers: Trigger) -> Policy:
    """A policy with these triggers."""
    return Policy(name, "d", triggers, (), "r", "", Place("p", 1, 1))


def daily(**more: float) -> ScheduleTrigger:
    """At 03:00 in UTC."""
    return ScheduleTrigger(cron="0 3 * * *", **more)  # type: ignore[arg-type]


def schedules(
    policies: Iterable[Policy], now: float, missed: list[Missed] | None = None
) -> Schedules:
    """The schedules of these policies, placed at a time."""
    made = Schedules(random.Random(1), missed.append if missed is not None else None)  # noqa: S311
    made.adopt(policies, now)
    return made


def told(fired: Sequence[Fired]) -> list[tuple[str, str]]:
    """Policy and time of each."""
    return [(one.policy, shown(one.at)) for one in fired]


# -------------------------------------------------------------- calendar


@pytest.mark.parametrize(
    ("cron", "zone", "start", "end", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-03-27 12:00",
            "2026-03-30 12:00",
            ["2026-03-28 01:30", "2026-03-30 00:30"],
            id="Berlin skips half past two",
        ),
        pytest.param(
            "0 3 * * *",
            BERLIN,
            "2026-03-28 12:00",
            "2026-03-29 12:00",
            ["2026-03-29 01:00"],
            id="Berlin, the first time after the gap",
        ),
        pytest.param(
            "59 1 * * *",
            BERLIN,
            "2026-03-28 12:00",
            "2026-03-29 12:00",
            ["2026-03-29 00:59"],
            id="Berlin, the last time before the gap",
        ),
        pytest.param(
            "*/30 * * * *",
            BERLIN,
            "2026-03-29 00:29",
            "2026-03-29 02:00",
            ["2026-03-29 00:30", "2026-03-29 01:00", "2026-03-29 01:30", "2026-03-29 02:00"],
            id="Berlin, every half hour over the gap",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-10-24 12:00",
            "2026-10-26 12:00",
            ["2026-10-25 00:30", "2026-10-26 01:30"],
            id="Berlin doubles half past two",
        ),
        pytest.param(
            "0 2,3 * * *",
            BERLIN,
            "2026-10-24 12:00",
            "2026-10-25 12:00",
            ["2026-10-25 00:00", "2026-10-25 02:00"],
            id="Berlin, the bounds of the doubled hour",
        ),
        pytest.param(
            "*/30 * * * *",
            BERLIN,
            "2026-10-24 23:59",
            "2026-10-25 02:30",
            ["2026-10-25 00:00", "2026-10-25 00:30", "2026-10-25 02:00", "2026-10-25 02:30"],
            id="Berlin, every half hour: the doubled ones once",
        ),
        pytest.param(
            "*/30 * * * *",
            BERLIN,
            "2026-10-25 01:10",
            "2026-10-25 02:00",
            ["2026-10-25 02:00"],
            id="Berlin, asked in the second of the doubled hours",
        ),
        pytest.param(
            "30 2 * * *",
            NEW_YORK,
            "2026-03-07 12:00",
            "2026-03-09 12:00",
            ["2026-03-09 06:30"],
            id="New York skips half past two",
        ),
        pytest.param(
            "30 1 * * *",
            NEW_YORK,
            "2026-10-31 12:00",
            "2026-11-02 12:00",
            ["2026-11-01 05:30", "2026-11-02 06:30"],
            id="New York doubles half past one",
        ),
        pytest.param(
            "0,15,30 2 * * *",
            LORD_HOWE,
            "2026-10-03 00:00",
            "2026-10-04 12:00",
            ["2026-10-03 15:30"],
            id="Lord Howe skips half an hour",
        ),
        pytest.param(
            "30,45 1 * * *",
            LORD_HOWE,
            "2026-04-04 02:00",
            "2026-04-05 02:00",
            ["2026-04-04 14:30", "2026-04-04 14:45"],
            id="Lord Howe doubles half an hour",
        ),
        pytest.param(
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29 00:00",
            "2011-12-31 12:00",
            ["2011-12-29 22:00", "2011-12-30 22:00"],
            id="Samoa skipped a whole day",
        ),
        pytest.param(
            "0 3 * * 7",
            "UTC",
            "2026-01-01 00:00",
            "2026-01-12 00:00",
            ["2026-01-04 03:00", "2026-01-11 03:00"],
            id="Sundays",
        ),
        pytest.param(
            "0 3 13 * 5",
            "UTC",
            "2026-02-01 00:00",
            "2026-02-28 00:00",
            ["2026-02-06 03:00", "2026-02-13 03:00", "2026-02-20 03:00", "2026-02-27 03:00"],
            id="every Friday and every 13th",
        ),
        pytest.param(
            "0 3 12 * 5",
            "UTC",
            "2026-02-08 00:00",
            "2026-02-15 00:00",
            ["2026-02-12 03:00", "2026-02-13 03:00"],
            id="a 12th beside a Friday",
        ),
        pytest.param(
            "0 0 29 2 *",
            "UTC",
            "2026-01-01 00:00",
            "2033-01-01 00:00",
            ["2028-02-29 00:00", "2032-02-29 00:00"],
            id="leap days",
        ),
    ],
)
def test_a_calendar_fires_when_the_clocks_of_its_zone_first_show_the_time(
    cron: str, zone: str, start: str, end: str, expected: list[str]
) -> None:
    """A skipped time does not fire, a doubled one fires once."""
    assert firings(Calendar(cron, zone), start, end) == expected


CHANGES = [
    (BERLIN, "2026-03-29 01:00"),
    (BERLIN, "2026-10-25 01:00"),
    (NEW_YORK, "2026-03-08 07:00"),
    (NEW_YORK, "2026-11-01 06:00"),
    (LORD_HOWE, "2026-04-04 15:00"),
    (LORD_HOWE, "2026-10-03 15:30"),
    ("UTC", "2026-06-01 00:00"),
]


@given(
    st.sampled_from(CHANGES),
    st.sets(st.integers(0, 59), min_size=1, max_size=3),
    st.sets(st.integers(0, 5), min_size=1, max_size=3),
    st.floats(-3 * HOUR, 3 * HOUR),
)
def test_a_calendar_agrees_with_who_looks_at_the_clock_every_minute(
    change: tuple[str, str], minutes: set[int], hours: set[int], offset: float
) -> None:
    """And notes which times it has seen already."""
    name, moment = change
    zone = ZoneInfo(name)
    calendar = Calendar(f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *", name)
    start = at(moment) + offset
    seen = set()
    expected = None
    first = math.floor(start / 60) * 60
    # A day back, so that what was shown before counts as seen.
    for time in range(first - 86_400, first + 3 * 86_400, 60):
        wall = datetime.fromtimestamp(time, zone).replace(tzinfo=None)
        is_new = wall not in seen
        seen.add(wall)
        if time > start and is_new and wall.minute in minutes and wall.hour in hours:
            expected = float(time)
            break
    assert calendar.after(start) == expected


def test_a_calendar_that_is_asked_just_before_a_firing_gives_that_one() -> None:
    """However short before: a float next to it is before it."""
    calendar = Calendar("0 3 * * *", "UTC")
    three = at("2026-01-02 03:00")
    assert calendar.after(math.nextafter(three, 0)) == three
    assert calendar.after(three) == three + DAY


def test_a_calendar_has_an_end() -> None:
    """After the last year there is nothing."""
    calendar = Calendar("0 0 1 1 *", "UTC")
    assert calendar.after(at("9998-06-01 00:00")) == at("9999-01-01 00:00")
    assert calendar.after(at("9999-01-01 00:00")) is None


# ---------------------------------------------------------------- rhythm


@pytest.mark.parametrize(
    ("every", "start", "expected"),
    [
        pytest.param(900.0, "2026-01-01 00:00", "2026-01-01 00:15", id="strictly later"),
        pytest.param(900.0, "2026-01-01 00:01", "2026-01-01 00:15", id="aligned to the epoch"),
        pytest.param(DAY, "2026-01-01 12:00", "2026-01-02 00:00", id="days begin at midnight UTC"),
        pytest.param(7 * DAY, "2026-01-01 12:00", "2026-01-08 00:00", id="weeks on Thursday"),
        pytest.param(3650 * DAY, "2026-01-01 00:00", "2029-12-17 00:00", id="ten years"),
    ],
)
def test_a_rhythm_is_aligned_to_the_epoch(every: float, start: str, expected: str) -> None:
    """In UTC, so that a restart does not shift it."""
    found = Rhythm(every).after(at(start))
    assert found is not None
    assert shown(found) == expected


@given(st.integers(1000, 10**8), st.floats(0, 4e9))
def test_a_rhythm_skips_nothing_and_repeats_nothing(milliseconds: int, start: float) -> None:
    """Each firing is the multiple after the last."""
    every = milliseconds / 1000
    rhythm = Rhythm(every)
    time: float = start
    number = math.floor(start / every)
    for step in range(1, 5):
        found = rhythm.after(time)
        assert found is not None
        assert found > time
        # Where start is a multiple itself, rounding may count it or not.
        counted = round(found / every)
        assert found == pytest.approx(counted * every, abs=2e-6)
        assert counted in {number + step, number + step + 1, number + step - 1}
        if step > 1:
            assert found - time == pytest.approx(every, abs=5e-6)
        time = found


def test_a_rhythm_has_an_end() -> None:
    """It does not go beyond the last year of the calendar."""
    assert Rhythm(3650 * DAY).after(at("9998-06-01 00:00")) is None


@pytest.mark.parametrize(
    ("cron", "low", "high", "expected"),
    [
        pytest.param(
            "0 3 * * *", "2026-01-01 00:00", "2026-01-09 12:00", "2026-01-09 03:00", id="days ago"
        ),
        pytest.param(
            "0 3 * * *", "2026-01-01 00:00", "2026-01-09 03:00", "2026-01-09 03:00", id="now"
        ),
        pytest.param("0 3 * * *", "2026-01-09 03:00", "2026-01-10 02:59", None, id="none"),
        pytest.param("0 3 * * *", "2026-01-09 03:00", "2026-01-09 03:00", None, id="no time"),
        pytest.param(
            "* * * * *", "2016-01-01 00:00", "2026-01-01 00:00", "2026-01-01 00:00", id="ten years"
        ),
        pytest.param(
            "* 3 1 1 *", "2020-01-01 00:00", "2026-12-01 00:00", "2026-01-01 03:59", id="in bursts"
        ),
    ],
)
def test_the_last_firing_of_a_long_time_is_found(
    cron: str, low: str, high: str, expected: str | None
) -> None:
    """Without counting all of them."""
    found = last_between(Calendar(cron, "UTC"), at(low), at(high))
    assert (None if found is None else shown(found)) == expected


# ------------------------------------------------------------- schedules

NOON = at("2026-01-01 12:00")


def test_what_is_due_is_given_once() -> None:
    """Not before its time, at its time, and not again."""
    made = schedules([policy("p", EventTrigger(("RESET",)), daily())], NOON)
    three = NOON + 15 * HOUR
    assert made.next(NOON) == three
    assert made.due(math.nextafter(three, 0)) == []
    (fired,) = made.due(three)
    assert (fired.policy, fired.index, fired.at) == ("p", 1, three)
    assert made.due(three) == []
    assert made.next(three) == three + DAY


def test_each_firing_has_a_seed_of_its_own() -> None:
    """Drawn from the given source of chance: the same source gives the same."""
    seeds = [
        [made.due(NOON + 15 * HOUR + day * DAY)[0].seed for day in range(3)]
        for made in (schedules([policy("p", daily())], NOON) for _ in range(2))
    ]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3
    assert all(0 <= seed < 2**53 for seed in seeds[0])


@pytest.mark.parametrize("minutes", [14, 15, 30])
def test_a_time_of_day_and_a_rhythm_that_meet(minutes: int) -> None:
    """At the start as in the line, whichever stands before."""
    triggers = daily(), ScheduleTrigger(every=900.0), ScheduleTrigger(every=1800.0)
    start = NOON + 15 * HOUR - minutes * 60
    for order in itertools.permutations(triggers):
        made = schedules([policy("a", *order)], start)
        fired = made.due(NOON + 15 * HOUR)
        assert [shown(one.at)[11:] for one in fired] == ["03:00"] * 3


def test_what_is_due_together_comes_in_the_order_of_its_times() -> None:
    """Then of the policies' names, then of their triggers."""
    made = schedules(
        [
            policy("b", daily(), ScheduleTrigger(every=900.0)),
            policy("a", ScheduleTrigger(cron="30 2 * * *", catch_up=HOUR), daily()),
        ],
        NOON,
    )
    fired = made.due(NOON + 15 * HOUR)
    assert [(one.policy, one.index, shown(one.at)[11:]) for one in fired] == [
        ("a", 0, "02:30"),
        ("a", 1, "03:00"),
        ("b", 0, "03:00"),
        ("b", 1, "03:00"),
    ]


def test_nothing_is_ever_due_without_schedules() -> None:
    """And nobody has to wake up for it."""
    made = schedules([policy("p", EventTrigger(("RESET",)))], NOON)
    assert made.next(NOON) is None
    assert made.due(NOON + DAY) == []


def test_a_schedule_that_has_ended_is_left_alone() -> None:
    """There is no year 10000."""
    made = schedules([policy("p", ScheduleTrigger(cron="0 0 1 1 *"))], at("9998-06-01 00:00"))
    assert told(made.due(at("9999-01-01 00:00"))) == [("p", "9999-01-01 00:00")]
    assert made.next(at("9999-01-01 00:00")) is None


@pytest.mark.parametrize(
    ("catch_up", "late", "expected"),
    [
        pytest.param(0.0, ON_TIME_S, "2026-01-02 03:00", id="late, and still on time"),
        pytest.param(0.0, ON_TIME_S + 1, None, id="missed"),
        pytest.param(HOUR, HOUR - 1, "2026-01-02 03:00", id="before the end of catch_up"),
        pytest.param(HOUR, HOUR, "2026-01-02 03:00", id="at the end of catch_up"),
        pytest.param(HOUR, HOUR + 1, None, id="after the end of catch_up"),
        pytest.param(3 * DAY, 2 * DAY, "2026-01-04 03:00", id="of three the last one"),
    ],
)
def test_what_is_found_late_is_dropped_or_caught_up_with(
    catch_up: float, late: float, expected: str | None
) -> None:
    """Whether the host slept, the clock jumped or the loop was held up."""
    missed: list[Missed] = []
    made = schedules([policy("p", daily(catch_up=catch_up))], NOON, missed)
    three = NOON + 15 * HOUR
    fired = made.due(three + late)
    assert told(fired) == ([("p", expected)] if expected else [])
    is_whole = expected is not None and fired[0].at == three
    assert missed == ([] if is_whole else [Missed("p", 0, three)])
    assert made.missed == len(missed)
    following = made.next(three + late)
    assert following is not None
    assert following > three + late


def test_of_many_at_once_only_the_last_fires() -> None:
    """A rhythm of a second after a pause: short ones are no loss, longer ones are told."""
    missed: list[Missed] = []
    made = schedules([policy("p", ScheduleTrigger(every=1.0))], NOON, missed)
    assert [one.at for one in made.due(NOON + 61.5)] == [NOON + 61]
    assert missed == []
    assert made.next(NOON + 61.5) == NOON + 62
    assert [one.at for one in made.due(NOON + 123.5)] == [NOON + 123]
    assert missed == [Missed("p", 0, NOON + 62)]
    assert made.next(NOON + 123.5) == NOON + 124


@pytest.mark.parametrize(
    ("back", "fires_again"),
    [
        pytest.param(1.0, False, id="a second"),
        pytest.param(SET_BACK_S, False, id="three hours"),
        pytest.param(SET_BACK_S + 1, True, id="more than three hours"),
    ],
)
def test_a_clock_that_goes_back(back: float, *, fires_again: bool) -> None:
    """A little: nothing fires twice. By hours: it was wrong before, the new time counts."""
    made = schedules([policy("p", ScheduleTrigger(every=900.0))], NOON)
    assert len(made.due(NOON + 900)) == 1
    now = NOON + 900 - back
    assert made.due(now) == []
    again = made.next(now)
    assert again is not None
    if fires_again:
        assert again <= now + 900
        assert [one.at for one in made.due(again)] == [again]
    else:
        assert again == NOON + 1800


def test_an_unchanged_schedule_keeps_its_place_over_a_reload() -> None:
    """It loses no firing that was due, gains none, and follows its policy to a new index."""
    made = schedules([policy("p", daily())], NOON)
    three = NOON + 15 * HOUR
    more = policy("p", EventTrigger(("RESET",)), daily(jitter=60.0))
    made.adopt([more, policy("q", ScheduleTrigger(cron="30 3 * * *"))], three + 1)
    assert [(one.policy, one.index) for one in made.due(three + 1)] == [("p", 1)]
    made.adopt([more], three + 2)
    assert made.due(three + 2) == []
    assert made.next(three + 2) == three + DAY


def test_a_new_schedule_begins_with_the_reload() -> None:
    """What it would have fired before does not count as missed."""
    made = schedules([], NOON)
    made.adopt([policy("p", daily(catch_up=DAY))], NOON + 16 * HOUR)
    assert made.due(NOON + 16 * HOUR) == []
    assert made.next(NOON + 16 * HOUR) == NOON + 15 * HOUR + DAY


def test_a_schedule_that_is_taken_out_fires_no_more() -> None:
    """Nor does what it still had to catch up with."""
    made = schedules([policy("p", daily(catch_up=DAY))], NOON)
    made.resume(NOON - DAY, NEVER, {"p": NEVER}, NOON)
    made.adopt([], NOON)
    assert made.next(NOON) is None
    assert made.due(NOON + DAY) == []


def test_a_new_schedule_after_a_clock_that_went_back_repeats_nothing() -> None:
    """It begins where the others stand."""
    made = schedules([policy("p", daily())], NOON)
    made.adopt([policy("p", daily()), policy("q", ScheduleTrigger(every=60.0))], NOON - 600)
    assert made.next(NOON - 600) == NOON + 60


def test_schedules_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond it is counted."""
    monkeypatch.setattr(module, "SCHEDULES_MAX", 2)
    policies = [policy(f"p{n}", daily()) for n in range(3)]
    made = schedules(policies, NOON)
    assert told(made.due(NOON + 15 * HOUR)) == [(f"p{n}", "2026-01-02 03:00") for n in range(2)]
    assert made.refused == 1
    made.adopt(policies[:2], NOON)
    assert made.refused == 0


# --------------------------------------------------------------- restart


@pytest.mark.parametrize(
    ("catch_up", "alive", "fired", "expected"),
    [
        pytest.param(0.0, 10 * HOUR, NEVER, [], id="no catch_up"),
        pytest.param(9 * HOUR, 10 * HOUR, NEVER, ["2026-01-01 03:00"], id="exactly catch_up ago"),
        pytest.param(9 * HOUR - 1, 10 * HOUR, NEVER, [], id="longer than catch_up ago"),
        pytest.param(9 * HOUR + 1, 10 * HOUR, NEVER, ["2026-01-01 03:00"], id="within catch_up"),
        pytest.param(5 * DAY, 2 * DAY, NEVER, ["2026-01-01 03:00"], id="the last one only"),
        pytest.param(DAY, 8.9 * HOUR, NEVER, [], id="the daemon was up then"),
        pytest.param(DAY, 9 * HOUR, NEVER, [], id="the daemon was just up"),
        pytest.param(DAY, -HOUR, 8 * HOUR, [], id="the engine's clock is ahead: fired since"),
        pytest.param(
            DAY,
            -HOUR,
            10 * HOUR,
            ["2026-01-01 03:00"],
            id="the engine's clock is ahead: not fired since",
        ),
        pytest.param(DAY, 10 * HOUR, 9 * HOUR, [], id="the engine's clock is behind: fired since"),
        pytest.param(
            DAY,
            10 * HOUR,
            -SET_BACK_S - 1,
            ["2026-01-01 03:00"],
            id="fired on a clock that was far ahead",
        ),
    ],
)
def test_the_last_missed_firing_within_catch_up_fires_once_after_a_restart(
    catch_up: float, alive: float, fired: float, expected: list[str]
) -> None:
    """``alive`` and ``fired`` are that long before the start at noon."""
    made = schedules([policy("p", daily(catch_up=catch_up))], NOON)
    last = fired if fired == NEVER else NOON - fired
    made.resume(NOON - alive, last, {"p": NEVER}, NOON)
    assert made.next(NOON) == (NOON if expected else NOON + 15 * HOUR)
    # Monitors need a moment to connect: it may be taken a little later.
    assert [shown(one.at) for one in made.due(NOON + 10)] == expected
    assert made.due(NOON + 10) == []
    assert made.next(NOON + 10) == NOON + 15 * HOUR


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param({("p", 0): NOON - 33 * HOUR}, ["2026-01-01 03:00"], id="the one before"),
        pytest.param({("p", 0): NOON - 9 * HOUR}, [], id="it"),
        pytest.param({("p", 0): NOON + SET_BACK_S + 1}, [], id="by a clock that was wrong"),
        pytest.param({("p", 1): NOON - 33 * HOUR}, [], id="of another trigger"),
    ],
)
def test_what_fired_last_says_what_was_missed(
    last: Mapping[tuple[str, int], float], expected: list[str]
) -> None:
    """Alive until a second ago: then it was ended before it had made up for anything."""
    made = schedules([policy("p", daily(catch_up=DAY))], NOON)
    made.resume(NOON - 1, NOON - 33 * HOUR, {"p": NEVER}, NOON, last)
    assert [shown(one.at) for one in made.due(NOON)] == expected


def test_a_policy_that_the_earlier_life_did_not_know_has_missed_nothing() -> None:
    """Nor has one that was there, but not yet at that time."""
    made = schedules([policy(name, daily(catch_up=DAY)) for name in ("new", "late", "old")], NOON)
    loaded = {"late": NOON - 9 * HOUR, "old": NOON - 9 * HOUR - 1}
    made.resume(NOON - DAY, NEVER, loaded, NOON)
    assert told(made.due(NOON)) == [("old", "2026-01-01 03:00")]


@pytest.mark.parametrize(
    ("ahead", "first"),
    [
        pytest.param(0.0, 900.0, id="fired just now"),
        pytest.param(900.0, 1800.0, id="fired a little ahead"),
        pytest.param(SET_BACK_S, SET_BACK_S + 900, id="fired three hours ahead"),
        pytest.param(SET_BACK_S + 1, 900.0, id="fired further ahead: that clock was wrong"),
    ],
)
def test_a_clock_that_went_back_over_a_restart(ahead: float, first: float) -> None:
    """The same rule as for a running daemon."""
    made = schedules([policy("p", ScheduleTrigger(every=900.0))], NOON)
    made.resume(NOON, NOON + ahead, {"p": NEVER}, NOON)
    assert made.next(NOON) == NOON + first


@given(
    st.lists(st.floats(-2 * HOUR, 30 * HOUR), max_size=30),
    st.floats(0, 2 * DAY),
)
def test_no_time_of_a_schedule_fires_twice_and_none_too_early(
    jumps: list[float], catch_up: float
) -> None:
    """Whatever the clock does, as long as it does not go back by more than three hours in all."""
    made = schedules([policy("p", daily(catch_up=catch_up))], NOON)
    now = latest = NOON
    times: list[float] = []
    for jump in jumps:
        now = max(now + jump, latest - SET_BACK_S)
        latest = max(latest, now)
        for fired in made.due(now):
            assert now - max(ON_TIME_S, catch_up) <= fired.at <= now
            times.append(fired.at)
    assert times == sorted(set(times))


def test_who_sleeps_until_the_next_firing_finds_every_day() -> None:
    """Of a year with both changes, in a zone that has them."""
    trigger = ScheduleTrigger(cron="30 2 * * *", timezone=BERLIN)
    made = schedules([policy("p", trigger)], at("2026-01-01 00:00"))
    days: list[datetime] = []
    now = made.next(at("2026-01-01 00:00"))
    while now is not None and now < at("2027-01-01 00:00"):
        days += [datetime.fromtimestamp(one.at, ZoneInfo(BERLIN)) for one in made.due(now)]
        now = made.next(now)
    expected = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(n) for n in range(365)]
    assert [(day.month, day.day, day.hour, day.minute) for day in days] == [
        (day.month, day.day, 2, 30) for day in expected if (day.month, day.day) != (3, 29)
    ]
