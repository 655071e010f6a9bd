"""Cron's five fields as lists of numbers, in the form that a calendar trigger takes.

What cron says and a reader may not expect: the day of month and the day of week
are alternatives when both are restricted. Sunday is 0 and 7. A field counts as
restricted when it does not begin with ``*`` (crontab(5)).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
_MONTH_NAMES = {name: number for number, name in enumerate(_MONTHS, 1)}
_DAY_NAMES = {name: number for number, name in enumerate(_DAYS)}
_LONGEST_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TEXT_MAX = 1000

_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_EXAMPLE = "write minute, hour, day of month, month, day of week: `0 3 * * *` is daily at 03:00"
_PART = re.compile(
    r"(?:(?P<star>\*)|(?P<first>[0-9]{1,4}|[a-z]+)(?:-(?P<last>[0-9]{1,4}|[a-z]+))?)"
    r"(?:/(?P<step>[0-9]{1,4}))?"
)


class CronError(ValueError):
    """The text is no cron schedule; ``problem`` and ``fix`` are sentences for its author."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class CronFields:
    """Fields that must all match: ``*``, or numbers with commas between them.

    ``day_of_week`` counts from Monday = 0, as APScheduler does.
    """

    minute: str
    hour: str
    day: str
    month: str
    day_of_week: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the five fields: its word, its bounds, the names of its values."""

    what: str
    least: int
    most: int
    names: dict[str, int]


_MINUTE = _Kind("minute", 0, 59, {})
_HOUR = _Kind("hour", 0, 23, {})
_DAY = _Kind("day of month", 1, 31, {})
_MONTH = _Kind("month", 1, 12, _MONTH_NAMES)
_WEEKDAY = _Kind("day of week", 0, 7, _DAY_NAMES)


def parse_cron(text: str) -> tuple[CronFields, ...]:
    """One set of fields, or two of which either may match.

    ``@hourly``, ``@daily``, ``@midnight``, ``@weekly``, ``@monthly``, ``@yearly``
    and ``@annually`` are read as well.

    Raises:
        CronError: it is no cron schedule, or it never fires.
    """
    if len(text) > _TEXT_MAX:
        raise CronError(f"the schedule is longer than {_TEXT_MAX} characters", _EXAMPLE)
    words = _NICKNAMES.get(text.strip().lower(), text).lower().split()
    if len(words) != 5:
        count = "one field" if len(words) == 1 else f"{len(words)} fields"
        raise CronError(f"a schedule has five fields, and this has {count}", _EXAMPLE)
    minutes, hours, days, months = (
        _values(kind, word)
        for kind, word in zip((_MINUTE, _HOUR, _DAY, _MONTH), words[:4], strict=True)
    )
    # Sunday is 0 and 7 here, and the last day of APScheduler's week.
    weekdays = {(day - 1) % 7 for day in _values(_WEEKDAY, words[4])}
    is_possible = min(days) <= max(_LONGEST_OF_MONTH[month - 1] for month in months)
    start = (_listed(_MINUTE, minutes), _listed(_HOUR, hours))
    month = _listed(_MONTH, months)
    day, weekday = _listed(_DAY, days), "*" if len(weekdays) == 7 else _joined(weekdays)
    if words[2].startswith("*") or words[4].startswith("*"):
        if not is_possible:
            problem = f"no month has this day: `{words[2]} {words[3]}` never comes"
            raise CronError(problem, "correct the day of month or the month")
        return (CronFields(*start, day, month, weekday),)
    either = CronFields(*start, "*", month, weekday)
    # A calendar that is asked for a day that never comes looks for it to its end.
    return (CronFields(*start, day, month, "*"), either) if is_possible else (either,)


def _values(kind: _Kind, text: str) -> set[int]:
    """The numbers that a field means."""
    values: set[int] = set()
    for part in text.split(","):
        values.update(_range(kind, part))
    return values


def _range(kind: _Kind, text: str) -> Iterable[int]:
    found = _PART.fullmatch(text)
    if found is None:
        raise _wrong(kind, text)
    step = int(found["step"] or 1)
    # Sunday is already there as 0: a star does not mean it a second time.
    first, last = kind.least, 6 if kind is _WEEKDAY else kind.most
    if not found["star"]:
        first = _number(kind, found["first"])
        last = first if found["last"] is None else _number(kind, found["last"])
        if kind is _WEEKDAY and found["last"] == "sun":
            last = 7
        if found["step"] is not None and found["last"] is None:
            problem = f"`{text}` has a step without a range"
            raise CronError(problem, f"write `{first}-{kind.most}/{step}`")
        if first > last:
            raise _backward(kind, text, first, last)
    if not 1 <= step <= max(1, last - first):
        problem = f"the step of `{text}` is larger than its range, or zero"
        fix = "write a smaller step; `every: 90m` keeps a rhythm that the clock does not have"
        raise CronError(problem, fix)
    return range(first, last + 1, step)


def _number(kind: _Kind, word: str) -> int:
    number = kind.names.get(word)
    if number is None and word.isdigit():
        number = int(word)
    if number is None or not kind.least <= number <= kind.most:
        raise _wrong(kind, word)
    return number


def _wrong(kind: _Kind, word: str) -> CronError:
    fix = f"write {kind.least} to {kind.most}, `*`, a range as `1-5`, a step as `*/2`, or a list"
    if kind.names:
        fix += f"; names are {', '.join(kind.names)}"
    return CronError(f"`{word[:40]}` is no {kind.what}", fix)


def _backward(kind: _Kind, text: str, first: int, last: int) -> CronError:
    least = f"{kind.least}-{last}" if last > kind.least else str(last)
    most = 6 if kind is _WEEKDAY else kind.most
    upper = f"{first}-{most}" if first < most else str(first)
    return CronError(f"the range `{text}` runs backwards", f"write `{upper},{least}`")


def _listed(kind: _Kind, values: set[int]) -> str:
    return "*" if len(values) == kind.most - kind.least + 1 else _joined(values)


def _joined(values: set[int]) -> str:
    return ",".join(map(str, sorted(values)))
