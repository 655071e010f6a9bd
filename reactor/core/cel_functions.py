"""The operators and functions of expressions that need nothing but their values.

What CEL defines behaves as in CEL; tests hold it equal to the library. Each
function takes plain positional values and raises ``EvaluationFailed``.
"""

import math
import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from reactor.core import text
from reactor.core.cel_values import (
    ABSENT,
    EMPTY,
    LIST_MAX,
    TEXT_MAX,
    EvaluationFailed,
    Exhausted,
    Maybe,
    Meter,
    TypeName,
    equal,
    find,
    kind,
    mismatch,
)

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1


def _whole(number: int) -> int:
    if _INT_MIN <= number <= _INT_MAX:
        return number
    raise EvaluationFailed("the number does not fit into 64 bits")


def _is(name: str, *values: object) -> bool:
    return all(kind(value) == name for value in values)


def add(left: object, right: object) -> object:
    """``left + right``."""
    match left, right:
        case str(), str():
            if len(left) + len(right) > TEXT_MAX:
                raise Exhausted("it makes a text of more than 1 MiB")
            return left + right
        case ((list() | tuple()), (list() | tuple())):
            if len(left) + len(right) > LIST_MAX:
                raise Exhausted(f"it makes a list of more than {LIST_MAX} items")
            return [*left, *right]
        case (datetime(), timedelta()) | (timedelta(), datetime()) | (timedelta(), timedelta()):
            return _timed(operator.add, left, right)
        case _:
            return _arithmetic("+", left, right)


def subtract(left: object, right: object) -> object:
    """``left - right``."""
    match left, right:
        case (datetime(), datetime()) | (datetime(), timedelta()) | (timedelta(), timedelta()):
            return _timed(operator.sub, left, right)
        case _:
            return _arithmetic("-", left, right)


def _timed(compute: Callable[[Any, Any], object], left: object, right: object) -> object:
    try:
        return compute(left, right)
    except OverflowError:
        raise EvaluationFailed("the time is out of range") from None


def _arithmetic(symbol: str, left: object, right: object) -> int | float:
    on_whole, on_fractions = _ARITHMETIC[symbol]
    if isinstance(left, int) and isinstance(right, int) and _is("int", left, right):
        return _whole(on_whole(left, right))
    if isinstance(left, float) and isinstance(right, float):
        return on_fractions(left, right)
    raise mismatch(symbol, left, right)


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationFailed("division by zero")
    # CEL cuts towards zero, Python rounds down.
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


def _rest(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationFailed("division by zero")
    return left - right * _quotient(left, right)


def _ratio(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _no_rest(left: float, right: float) -> float:
    raise mismatch("%", left, right)


_ARITHMETIC: dict[str, tuple[Callable[[int, int], int], Callable[[float, float], float]]] = {
    "+": (operator.add, operator.add),
    "-": (operator.sub, operator.sub),
    "*": (operator.mul, operator.mul),
    "/": (_quotient, _ratio),
    "%": (_rest, _no_rest),
}


def multiply(left: object, right: object) -> object:
    """``left * right``."""
    return _arithmetic("*", left, right)


def divide(left: object, right: object) -> object:
    """``left / right``; of whole numbers cut towards zero."""
    return _arithmetic("/", left, right)


def remainder(left: object, right: object) -> object:
    """``left % right``, with the sign of ``left``."""
    return _arithmetic("%", left, right)


def negate(value: object) -> object:
    """``-value``."""
    if isinstance(value, float):
        return -value
    if isinstance(value, int) and _is("int", value):
        return _whole(-value)
    raise mismatch("-", value)


_ORDERED = frozenset(
    {"int", "double", "string", "bool", "google.protobuf.Timestamp", "google.protobuf.Duration"}
)
_NUMBERS = frozenset({"int", "double"})
_QUICK = frozenset({int, float, str})


def _ordering(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[..., object]:
    def ordering(left: object, right: object) -> object:
        if type(left) is type(right) and type(left) in _QUICK:
            return compare(left, right)
        kinds = {kind(left), kind(right)}
        if kinds <= _NUMBERS or (len(kinds) == 1 and kinds <= _ORDERED):
            return compare(left, right)
        raise mismatch(symbol, left, right)

    return ordering


def size(value: object) -> object:
    """Characters of a text, items of a list, members of a map."""
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise mismatch("size()", value)


_KEYS = frozenset({"bool", "double", "int", "string"})


def is_in(value: object, container: object, meter: Meter | None = None) -> object:
    """``value in container``: an item of a list, a key of a map."""
    match container:
        case list() | tuple():
            if meter is not None:
                meter.spend(0, container)
            return any(equal(value, item, meter) for item in container)
        case Mapping() if kind(value) in _KEYS:
            return find(container, value, qmp=False) is not ABSENT
        case _:
            raise mismatch("in", value, container)


def _on_texts(name: str, compute: Callable[[str, str], bool]) -> Callable[[object, object], object]:
    def on_texts(left: object, right: object) -> object:
        if isinstance(left, str) and isinstance(right, str):
            return compute(left, right)
        raise mismatch(name, left, right)

    return on_texts


def _glob(value: str, pattern: str) -> bool:
    try:
        return text.glob(value, pattern)
    except ValueError as problem:
        raise EvaluationFailed(str(problem)) from None


def _slug(value: object) -> object:
    if isinstance(value, str):
        return text.slug(value)
    raise mismatch("slug()", value)


def _type(value: object) -> object:
    return TypeName(kind(value))


def _same(value: object) -> object:
    return value


def _of_non_zero(value: object) -> object:
    zero = value is None or value in (0, "", [], (), {}, timedelta(0))
    return EMPTY if zero else Maybe(value)


def _nothing() -> object:
    return EMPTY


def _has_value(value: object) -> object:
    if isinstance(value, Maybe):
        return value.there
    raise mismatch("hasValue()", value)


def _value(value: object) -> object:
    if isinstance(value, Maybe) and value.there:
        return value.value
    raise EvaluationFailed("the optional is empty")


STRICT: dict[str, Callable[..., object]] = {
    "_+_": add,
    "_-_": subtract,
    "_*_": multiply,
    "_/_": divide,
    "_%_": remainder,
    "-_": negate,
    "_<_": _ordering("<", operator.lt),
    "_<=_": _ordering("<=", operator.le),
    "_>_": _ordering(">", operator.gt),
    "_>=_": _ordering(">=", operator.ge),
    "size": size,
    "contains": _on_texts("contains()", operator.contains),
    "startsWith": _on_texts("startsWith()", str.startswith),
    "endsWith": _on_texts("endsWith()", str.endswith),
    "glob": _on_texts("glob()", _glob),
    "slug": _slug,
    "type": _type,
    "dyn": _same,
    "optional.of": Maybe,
    "optional.ofNonZeroValue": _of_non_zero,
    "optional.none": _nothing,
    "hasValue": _has_value,
    "value": _value,
}
"""Functions that look at all their values, and fail when one of them fails."""
