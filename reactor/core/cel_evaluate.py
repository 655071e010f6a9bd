"""What evaluations are made of: functions of the variables that hold other such functions.

What CEL says about failures holds: ``false && failure`` is false and ``true ||
failure`` is true, in either order, and a macro goes on after a failure that a
later item makes up for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reactor.core.cel_access import Env, Evaluate
from reactor.core.cel_functions import add, is_in
from reactor.core.cel_values import (
    EvaluationFailed,
    Exhausted,
    Maybe,
    described,
    equal,
    mismatch,
)

METER = "@meter"
"""The variable that holds the bound of an evaluation that could take long."""

_FAILURE_WORK = 1000


class Constant:
    """A function that gives the same value for everything."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __call__(self, _env: Env) -> object:
        """The value."""
        return self.value


def attempt(evaluate: Evaluate, env: Env) -> object:
    """The value, or the failure as a value: something else may make up for it."""
    try:
        return evaluate(env)
    except Exhausted:
        raise
    except EvaluationFailed as failure:
        return failure


def local(slot: str) -> Evaluate:
    """The variable of a macro; a failure that was put there fails now."""

    def read(env: Env) -> object:
        value = env[slot]
        if isinstance(value, EvaluationFailed):
            raise EvaluationFailed(value.reason)
        return value

    return read


def logic(symbol: str, left: Evaluate, right: Evaluate) -> Evaluate:
    """``&&`` and ``||``: one value decides, whatever the other side is or fails of."""
    decides = symbol == "||"
    otherwise = not decides

    def decide(env: Env) -> object:
        try:
            one = left(env)
        except Exhausted:
            raise
        except EvaluationFailed as failure:
            one = failure
        if one is decides:
            return decides
        if one is otherwise:
            other = right(env)
            if other is decides or other is otherwise:
                return other
        else:
            other = attempt(right, env)
            if other is decides:
                return decides
        raise _undecided(symbol, one, other)

    return decide


def _undecided(symbol: str, *sides: object) -> EvaluationFailed:
    for side in sides:
        if isinstance(side, EvaluationFailed):
            return EvaluationFailed(side.reason)
    return mismatch(symbol, *sides)


def negation(value: Evaluate) -> Evaluate:
    """``!value``."""

    def negate(env: Env) -> object:
        one = value(env)
        if one is True or one is False:
            return not one
        raise mismatch("!", one)

    return negate


def not_strictly_false(value: Evaluate) -> Evaluate:
    """Whether a macro goes on: only false stops it, a failure does not."""
    return lambda env: attempt(value, env) is not False


def choice(condition: Evaluate, yes: Evaluate, no: Evaluate) -> Evaluate:
    """``condition ? yes : no``."""

    def choose(env: Env) -> object:
        one = condition(env)
        if one is True:
            return yes(env)
        if one is False:
            return no(env)
        raise EvaluationFailed(f"the condition of `? :` is {described(one)}, not true or false")

    return choose


_ATOMS = frozenset({str, int, float, bool})


def literal_equality(value: Evaluate, literal: object, *, same: bool) -> Evaluate:
    """``value == literal``, and with ``same`` false ``value != literal``."""
    quick = type(literal) if type(literal) in _ATOMS else None

    def compare(env: Env) -> object:
        found = value(env)
        if type(found) is quick:
            return (found == literal) is same
        return equal(found, literal) is same

    return compare


def equality(left: Evaluate, right: Evaluate, *, same: bool) -> Evaluate:
    """``left == right`` of any two values; needs the meter, they may be large."""

    def compare(env: Env) -> object:
        one, other = left(env), right(env)
        if type(one) is type(other) and type(one) in _ATOMS and not isinstance(one, str):
            return (one == other) is same
        return equal(one, other, env[METER]) is same

    return compare


def membership(value: Evaluate, items: object) -> Evaluate:
    """``value in [...]`` where the list is written out."""
    texts = {item for item in items if isinstance(item, str)} if isinstance(items, list) else None

    def contained(env: Env) -> object:
        found = value(env)
        if type(found) is str and texts is not None:
            return found in texts
        return is_in(found, items)

    return contained


def strict(function: Callable[..., object], arguments: Sequence[Evaluate]) -> Evaluate:
    """A function of its one or two arguments."""
    if len(arguments) == 1:
        only = arguments[0]
        return lambda env: function(only(env))
    left, right = arguments
    return lambda env: function(left(env), right(env))


def charged(function: Callable[..., object], arguments: Sequence[Evaluate], price: int) -> Evaluate:
    """The same inside a macro, where the work that it takes is counted."""

    def charge(env: Env) -> object:
        values = [argument(env) for argument in arguments]
        env[METER].spend(price, *values)
        return function(*values)

    return charge


def appended(total: Evaluate, items: Evaluate) -> Evaluate:
    """``@result + [item]``, and ``@result + 1`` of exists_one; the list grows in place."""

    def append(env: Env) -> object:
        so_far, more = total(env), items(env)
        if isinstance(so_far, list) and isinstance(more, list):
            so_far += more
            return so_far
        return add(so_far, more)

    return append


def listed(items: Sequence[tuple[Evaluate, bool]]) -> Evaluate:
    """``[a, ?b]``: each item, and whether it stands behind a ``?``."""

    def collect(env: Env) -> object:
        found = []
        for item, maybe in items:
            value = item(env)
            if not maybe:
                found.append(value)
            elif _optional(value).there:
                found.append(_optional(value).value)
        return found

    return collect


def mapped(entries: Sequence[tuple[Evaluate, Evaluate, bool]]) -> Evaluate:
    """``{a: b, ?c: d}``: key, value, and whether the key stands behind a ``?``."""

    def collect(env: Env) -> object:
        found: dict[str | int, object] = {}
        for get_key, get_value, maybe in entries:
            key, value = _key(get_key(env)), get_value(env)
            if key in found:
                raise EvaluationFailed(f"the key '{key}' stands twice in a map")
            if not maybe:
                found[key] = value
            elif _optional(value).there:
                found[key] = _optional(value).value
        return found

    return collect


def fallback(value: Evaluate, other: Evaluate, *, unwrap: bool) -> Evaluate:
    """``value.or(other)``, or ``value.orValue(other)``, which is no optional any more."""

    def fall_back(env: Env) -> object:
        one = _optional(value(env))
        if one.there:
            return one.value if unwrap else one
        return other(env) if unwrap else _optional(other(env))

    return fall_back


def _optional(value: object) -> Maybe:
    if isinstance(value, Maybe):
        return value
    raise EvaluationFailed(f"{described(value)} is no optional: write .? instead of the dot")


def _key(value: object) -> str | int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    raise EvaluationFailed(f"the key of a map is {described(value)}, not a text")


@dataclass(frozen=True, slots=True)
class Loop:
    """The parts of a macro; ``work`` is the price of one turn."""

    source: Evaluate
    item: str
    total: str
    start: Evaluate
    condition: Evaluate
    step: Evaluate
    end: Evaluate
    work: int

    def __call__(self, env: Env) -> object:
        """The value of the macro."""
        items = self.source(env)
        if not isinstance(items, list | tuple | Mapping):
            raise mismatch("a macro (all, exists, map, ...)", items)
        meter = env[METER]
        env[self.total] = attempt(self.start, env)
        for item in items:
            meter.turn(self.work)
            env[self.item] = item
            if self.condition(env) is not True:
                break
            so_far = env[self.total] = attempt(self.step, env)
            if isinstance(so_far, EvaluationFailed):
                meter.spend(_FAILURE_WORK)
        return self.end(env)
