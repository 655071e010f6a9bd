"""Cron's five fields as lists of numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.cron import CronError, CronFields, parse_cron

ANY = "*"
NIGHT = ("0", "3")


def one(text: str) -> CronFields:
    """The fields of a schedule that has one set of them."""
    (fields,) = parse_cron(text)
    return fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        pytest.param("0 3 * * *", CronFields("0", "3", ANY, ANY, ANY), id="daily"),
        pytest.param("* * * * *", CronFields(ANY, ANY, ANY, ANY, ANY), id="every minute"),
        pytest.param("*/20 * * * *", CronFields("0,20,40", ANY, ANY, ANY, ANY), id="a step"),
        pytest.param("*/59 * * * *", CronFields("0,59", ANY, ANY, ANY, ANY), id="largest step"),
        pytest.param("5-25/10 * * * *", CronFields("5,15,25", ANY, ANY, ANY, ANY), id="in a range"),
        pytest.param("5-5/1 * * * *", CronFields("5", ANY, ANY, ANY, ANY), id="a range of one"),
        pytest.param("1,3-4,59 0 * * *", CronFields("1,3,4,59", "0", ANY, ANY, ANY), id="a list"),
        pytest.param("0-59 0-23 1-31 1-12 *", CronFields(*(ANY,) * 5), id="all, spelled out"),
        pytest.param("0 0 31 * *", CronFields("0", "0", "31", ANY, ANY), id="the last day"),
        pytest.param("0 0 29 2 *", CronFields("0", "0", "29", "2", ANY), id="a leap day"),
        pytest.param("0 0 1 JAN,dec *", CronFields("0", "0", "1", "1,12", ANY), id="names"),
        pytest.param("  0\t3 * *   * ", CronFields("0", "3", ANY, ANY, ANY), id="more blanks"),
        pytest.param("@hourly", CronFields("0", ANY, ANY, ANY, ANY), id="hourly"),
        pytest.param("@daily", CronFields("0", "0", ANY, ANY, ANY), id="daily by name"),
        pytest.param("@Midnight", CronFields("0", "0", ANY, ANY, ANY), id="midnight"),
        pytest.param("@weekly", CronFields("0", "0", ANY, ANY, "6"), id="weekly"),
        pytest.param("@monthly", CronFields("0", "0", "1", ANY, ANY), id="monthly"),
        pytest.param("@yearly", CronFields("0", "0", "1", "1", ANY), id="yearly"),
        pytest.param("@annually", CronFields("0", "0", "1", "1", ANY), id="annually"),
    ],
)
def test_a_schedule_is_lists_of_numbers(text: str, fields: CronFields) -> None:
    """Names, ranges and steps are spelled out; a full range is a star."""
    assert one(text) == fields


@pytest.mark.parametrize(
    ("day", "numbers"),
    [
        pytest.param("0", "6", id="Sunday is 0"),
        pytest.param("7", "6", id="Sunday is 7"),
        pytest.param("sun", "6", id="Sunday by name"),
        pytest.param("1", "0", id="Monday is 1"),
        pytest.param("1-5", "0,1,2,3,4", id="working days"),
        pytest.param("mon-fri", "0,1,2,3,4", id="working days by name"),
        pytest.param("5-7", "4,5,6", id="up to 7"),
        pytest.param("sat-sun", "5,6", id="a range that ends on Sunday"),
        pytest.param("sun-tue", "0,1,6", id="a range that begins on Sunday"),
        pytest.param("0-2", "0,1,6", id="a range that begins at 0"),
        pytest.param("0,7", "6", id="the same day twice"),
        pytest.param("*/2", "1,3,5,6", id="a step counts from Sunday"),
        pytest.param("0-7", ANY, id="all"),
        pytest.param("1-7", ANY, id="all, from Monday"),
        pytest.param("sun-sun", ANY, id="Sunday to Sunday is a week"),
    ],
)
def test_the_week_of_cron_begins_on_sunday(day: str, numbers: str) -> None:
    """And that of the fields on Monday."""
    assert one(f"0 3 * * {day}") == CronFields(*NIGHT, ANY, ANY, numbers)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        pytest.param(
            "0 3 13 * 5",
            (CronFields(*NIGHT, "13", ANY, ANY), CronFields(*NIGHT, ANY, ANY, "4")),
            id="both restricted: either",
        ),
        pytest.param(
            "0 3 1-31 * 5",
            (CronFields(*NIGHT, ANY, ANY, ANY), CronFields(*NIGHT, ANY, ANY, "4")),
            id="a full range is a restriction",
        ),
        pytest.param("0 3 * * 5", (CronFields(*NIGHT, ANY, ANY, "4"),), id="day of week only"),
        pytest.param("0 3 13 * *", (CronFields(*NIGHT, "13", ANY, ANY),), id="day of month only"),
        pytest.param(
            "0 3 */10 * 5",
            (CronFields(*NIGHT, "1,11,21,31", ANY, "4"),),
            id="a step over a star is no restriction: both",
        ),
        pytest.param(
            "0 3 30 2 5",
            (CronFields(*NIGHT, ANY, "2", "4"),),
            id="the day that never comes is left out",
        ),
    ],
)
def test_day_of_month_and_day_of_week_are_alternatives(
    text: str, fields: tuple[CronFields, ...]
) -> None:
    """When neither begins with a star: crontab(5)."""
    assert parse_cron(text) == fields


FORM = "write minute, hour, day of month, month, day of week: `0 3 * * *` is daily at 03:00"
STEP = "write a smaller step; `every: 90m` keeps a rhythm that the clock does not have"
MINUTE = "write 0 to 59, `*`, a range as `1-5`, a step as `*/2`, or a list"


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        pytest.param("", "a schedule has five fields, and this has 0 fields", FORM, id="nothing"),
        pytest.param(
            "@reboot", "a schedule has five fields, and this has one field", FORM, id="reboot"
        ),
        pytest.param(
            "0 0 3 * * *", "a schedule has five fields, and this has 6 fields", FORM, id="seconds"
        ),
        pytest.param(
            "0" * 1001, "the schedule is longer than 1000 characters", FORM, id="far too long"
        ),
        pytest.param("60 * * * *", "`60` is no minute", MINUTE, id="beyond the minutes"),
        pytest.param("-1 * * * *", "`-1` is no minute", MINUTE, id="before the minutes"),
        pytest.param("x * * * *", "`x` is no minute", MINUTE, id="a word"),
        pytest.param("1, * * * *", "`` is no minute", MINUTE, id="a comma too many"),
        pytest.param("\N{SUPERSCRIPT TWO} * * * *", "`²` is no minute", MINUTE, id="no digit"),
        pytest.param("* 24 * * *", "`24` is no hour", MINUTE.replace("59", "23"), id="hour 24"),
        pytest.param(
            "* * 0 * *", "`0` is no day of month", MINUTE.replace("0 to 59", "1 to 31"), id="day 0"
        ),
        pytest.param(
            "* * ? * *", "`?` is no day of month", MINUTE.replace("0 to 59", "1 to 31"), id="?"
        ),
        pytest.param(
            "* * * 13 *",
            "`13` is no month",
            MINUTE.replace("0 to 59", "1 to 12")
            + "; names are jan, feb, mar, apr, may, jun, jul, aug, sep, oct, nov, dec",
            id="month 13",
        ),
        pytest.param(
            "* * * * 8",
            "`8` is no day of week",
            MINUTE.replace("59", "7") + "; names are sun, mon, tue, wed, thu, fri, sat",
            id="day 8",
        ),
        pytest.param(
            "5/15 * * * *",
            "`5/15` has a step without a range",
            "write `5-59/15`",
            id="a step without a range",
        ),
        pytest.param(
            "*/90 * * * *",
            "the step of `*/90` is larger than its range, or zero",
            STEP,
            id="a step beyond the hour",
        ),
        pytest.param(
            "*/60 * * * *",
            "the step of `*/60` is larger than its range, or zero",
            STEP,
            id="one more than the largest step",
        ),
        pytest.param(
            "0 3 * * */7",
            "the step of `*/7` is larger than its range, or zero",
            STEP,
            id="a step beyond the week",
        ),
        pytest.param(
            "*/0 * * * *",
            "the step of `*/0` is larger than its range, or zero",
            STEP,
            id="a step of zero",
        ),
        pytest.param(
            "* 22-6 * * *",
            "the range `22-6` runs backwards",
            "write `22-23,0-6`",
            id="over midnight",
        ),
        pytest.param(
            "* 23-0 * * *",
            "the range `23-0` runs backwards",
            "write `23,0`",
            id="over midnight, one hour each",
        ),
        pytest.param(
            "* * * * fri-mon",
            "the range `fri-mon` runs backwards",
            "write `5-6,0-1`",
            id="over the weekend",
        ),
        pytest.param(
            "0 0 30 2 *",
            "no month has this day: `30 2` never comes",
            "correct the day of month or the month",
            id="30 February",
        ),
        pytest.param(
            "0 0 31 4,6 *",
            "no month has this day: `31 4,6` never comes",
            "correct the day of month or the month",
            id="31 April",
        ),
    ],
)
def test_what_is_no_schedule_is_told(text: str, problem: str, fix: str) -> None:
    """With the problem and the fix."""
    with pytest.raises(CronError) as caught:
        parse_cron(text)
    assert (caught.value.problem, caught.value.fix) == (problem, fix)
    assert str(caught.value) == problem


@given(st.text(alphabet="0123456789*/,- ajfnmosu", max_size=40))
def test_any_text_is_a_schedule_or_an_error(text: str) -> None:
    """And what is one has numbers in their bounds only."""
    try:
        sets = parse_cron(text)
    except CronError:
        return
    for fields in sets:
        for value, least, most in (
            (fields.minute, 0, 59),
            (fields.hour, 0, 23),
            (fields.day, 1, 31),
            (fields.month, 1, 12),
            (fields.day_of_week, 0, 6),
        ):
            assert value == "*" or all(least <= int(v) <= most for v in value.split(","))


@given(st.sets(st.integers(0, 59), min_size=1))
def test_a_list_of_numbers_stays_what_it_is(minutes: set[int]) -> None:
    """Sorted, each once."""
    text = ",".join(map(str, minutes))
    found = one(f"{text} 0 * * *").minute
    assert found == ("*" if len(minutes) == 60 else ",".join(map(str, sorted(minutes))))
