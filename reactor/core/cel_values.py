"""The values of expressions: their kinds, equality, arithmetic, and how they leave.

A value is what JSON knows, and: a time (aware ``datetime``), a duration
(``timedelta``), an optional (``Maybe``), a type (``TypeName``). Whole numbers
are Python's, so that a number of QEMU never fails to be read; what arithmetic
makes must fit into 64 bits, as in CEL.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

TURNS_MAX = 10_000
WORK_MAX = 4_000_000
TEXT_MAX = 1 << 20
LIST_MAX = 100_000
DEPTH_MAX = 64

_ITEM_WORK = 32
_NODE_SIZE = 8

ABSENT = object()


class EvaluationFailed(Exception):  # noqa: N818 - part of the language, not a fault of ours
    """An expression has no value for this input; ``reason`` is a sentence for the trace."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Exhausted(EvaluationFailed):
    """A bound of the evaluation was reached; no ``||`` and no macro may make up for it."""


@dataclass(frozen=True, slots=True)
class Maybe:
    """An optional: holds a value, or ABSENT."""

    value: object = ABSENT

    @property
    def there(self) -> bool:
        """Whether it holds a value."""
        return self.value is not ABSENT


EMPTY = Maybe()


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as a value: what ``type(x)`` gives and the names of types mean."""

    name: str


class Meter:
    """What an evaluation with macros may still do: bounds its time."""

    __slots__ = ("_turns", "_work")

    def __init__(self) -> None:
        self._turns = TURNS_MAX
        self._work = WORK_MAX

    def turn(self, work: int) -> None:
        """Count one turn of a macro, and its work."""
        self._turns -= 1
        if self._turns < 0:
            raise Exhausted(f"its macros (all, exists, map, ...) need more than {TURNS_MAX} turns")
        self.spend(work)

    def spend(self, work: int, *values: object) -> None:
        """Count work, and what it takes to look at all of these values.

        A unit is about 20 ns: a character, a quarter of a small operation.
        """
        self._work -= work
        for value in values:
            if isinstance(value, str):
                self._work -= len(value)
            elif isinstance(value, list | tuple | Mapping):
                self._work -= len(value) * _ITEM_WORK
        if self._work < 0:
            raise Exhausted("it takes too long: the values are too large")


_TYPES: dict[type, tuple[str, str]] = {
    type(None): ("null_type", "null"),
    bool: ("bool", "true or false"),
    int: ("int", "a whole number"),
    float: ("double", "a fraction"),
    str: ("string", "a text"),
    list: ("list", "a list"),
    tuple: ("list", "a list"),
    dict: ("map", "a map"),
    datetime: ("google.protobuf.Timestamp", "a time"),
    timedelta: ("google.protobuf.Duration", "a duration"),
    Maybe: ("optional_type", "an optional"),
    TypeName: ("type", "a type"),
}


def kind(value: object) -> str:
    """CEL's name of the value's type."""
    found = _TYPES.get(type(value))
    return found[0] if found else _unusual(value)[0]


def described(value: object) -> str:
    """The value's kind in words, as it stands in a reason."""
    if isinstance(value, bool):
        return "true" if value else "false"
    found = _TYPES.get(type(value))
    return found[1] if found else _unusual(value)[1]


def _unusual(value: object) -> tuple[str, str]:
    """Kind and words of a value of a subclass, such as an enum's."""
    for base in (str, int, float):
        if isinstance(value, base):
            return _TYPES[base]
    return _TYPES[dict] if isinstance(value, Mapping) else ("unknown", "of an unknown kind")


def mismatch(name: str, *values: object) -> EvaluationFailed:
    """The failure of an operator or function that cannot take these values."""
    kinds = " and ".join(described(value) for value in values)
    return EvaluationFailed(f"`{name}` cannot take {kinds}")


_NUMBERS = frozenset({"int", "double"})


def equal(left: object, right: object, meter: Meter | None = None, depth: int = 0) -> bool:
    """CEL's ``==``: numbers by value, true is no number, of other kinds nothing is equal.

    Raises:
        Exhausted: the values are nested too deeply, or the meter has run out.
    """
    left_kind, right_kind = kind(left), kind(right)
    if left_kind != right_kind:
        return left_kind in _NUMBERS and right_kind in _NUMBERS and left == right
    if depth > DEPTH_MAX:
        raise Exhausted(f"a value is nested deeper than {DEPTH_MAX} levels")
    if meter is not None:
        meter.spend(0, left, right)
    match left, right:
        case Maybe(), Maybe():
            if left.there and right.there:
                return equal(left.value, right.value, meter, depth + 1)
            return left.there == right.there
        case Mapping(), Mapping():
            return left.keys() == right.keys() and all(
                equal(value, right[key], meter, depth + 1) for key, value in left.items()
            )
        case ((list() | tuple()), (list() | tuple())):
            return len(left) == len(right) and all(
                equal(one, other, meter, depth + 1) for one, other in zip(left, right, strict=True)
            )
        case _:
            return left == right


def find(values: Mapping[object, object], key: object, *, qmp: bool) -> object:
    """The value under a key, or ABSENT.

    ``qmp``: the keys are QEMU's, so ``node_name`` also finds ``node-name``;
    a key that is written with the underscore wins.
    """
    if isinstance(key, bool):
        return ABSENT
    try:
        found = values.get(key, ABSENT)
    except TypeError:
        return ABSENT
    if found is not ABSENT or not qmp or not isinstance(key, str) or "_" not in key:
        return found
    found = values.get(key.replace("_", "-"), ABSENT)
    if found is not ABSENT:
        return found
    near = (k for k in values if isinstance(k, str) and k.replace("-", "_") == key)
    return values.get(next(near, ABSENT), ABSENT)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(seconds: object, shown: str) -> datetime:
    """The time of so many seconds since the epoch, in UTC; ``shown`` names it in a failure."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise EvaluationFailed(f"{shown} is {described(seconds)}, not a time")
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise EvaluationFailed(f"{shown} is out of range for a time") from None


def plain(value: object) -> object:
    """The value as JSON knows it, in containers of its own.

    Times become RFC 3339 text in UTC (``2026-01-31T12:00:00Z``), durations
    seconds (``90s``, ``0.5s``), types their names; keys become text.

    Raises:
        EvaluationFailed: an optional, an infinite number, more than 1 MiB.
    """
    return _Plainer().plain(value, 0)


class _Plainer:
    """Copies a value and counts what it has copied."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = TEXT_MAX

    def plain(self, value: object, depth: int) -> object:
        """The copy; ``depth`` counts the containers around it."""
        self._take(_NODE_SIZE)
        match value:
            case None | bool() | int():
                return value
            case str():
                self._take(len(value))
                return value
            case Mapping():
                self._nest(depth)
                return {
                    str(self.plain(k, depth)): self.plain(v, depth + 1) for k, v in value.items()
                }
            case list() | tuple():
                self._nest(depth)
                return [self.plain(item, depth + 1) for item in value]
            case _:
                return _plain_atom(value)

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise EvaluationFailed("the value is larger than 1 MiB")

    def _nest(self, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise EvaluationFailed(f"the value is nested deeper than {DEPTH_MAX} levels")


def _plain_atom(value: object) -> object:
    match value:
        case float():
            if math.isfinite(value):
                return value
            raise EvaluationFailed("the number is infinite or not a number")
        case datetime():
            return f"{_fraction(value.astimezone(UTC).isoformat()[:-6])}Z"
        case timedelta():
            return f"{_seconds(value)}s"
        case TypeName(name):
            return name
        case Maybe():
            raise EvaluationFailed("an optional is no value: end it with .orValue(...)")
        case _:
            raise EvaluationFailed(f"a value is {described(value)}")


def _seconds(value: timedelta) -> str:
    micros = value // timedelta(microseconds=1)
    whole, rest = divmod(abs(micros), 1_000_000)
    return f"{'-' if micros < 0 else ''}{_fraction(f'{whole}.{rest:06}')}"


def _fraction(text: str) -> str:
    """The number without zeros at the end of its fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text
