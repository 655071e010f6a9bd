"""Our evaluation against the library's: the same expression gives the same value.

Left out on purpose, because the library is wrong or differs from run to run:
the order of a map's keys, members of optionals of what is no map; and what we
refuse: unsigned numbers in arithmetic, true and false as keys.
"""

import math
import random
import re

import pytest
from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.cel_closures import Translator
from reactor.core.cel_evaluate import METER
from reactor.core.cel_library import untyped
from reactor.core.cel_tree import Misuse, parse_tree
from reactor.core.cel_values import EvaluationFailed, Maybe, Meter, TypeName, kind

DATA = {
    "i": 7,
    "f": 2.5,
    "s": "abc",
    "t": True,
    "n": None,
    "l": [1, 2, 3],
    "m": {"a": {"c": 2}},
    "mixed": [[1], ["a"], {"a": 2}],
}
LITERALS = [
    *("1", "2", "0", "-3", "1.5", "0.0", "-2.0", "9223372036854775807", "-9223372036854775808"),
    *('"a"', '"ab"', '""', "true", "false", "null", "[]", "[1, 2]", '["a", 1.0, null]', "{}"),
    *('{"a": 1}', '{"a": {"b": true}}', 'duration("90s")', 'timestamp("2026-01-01T00:00:00Z")'),
]
READS = [
    *("data", "data.i", "data.f", "data.s", "data.t", "data.n", "data.l", "data.m", "data.m.a"),
    *("data.mixed", "data.miss", "data.m.miss", "data.i.x"),
]
OPTIONALS = [
    *("data.?i", "data.?miss", "data.m.?a", "data.?m.a", "data.?m.?miss", 'data.m[?"a"]'),
    *("data.l[?0]", "data.l[?9]", "optional.none()", "optional.of(1)"),
]
SHAPES = [
    *("({} && {})", "({} || {})", "({} == {})", "({} != {})", "({} < {})", "({} >= {})"),
    *("({} + {})", "({} - {})", "({} * {})", "({} / {})", "({} % {})", "!({})", "-({})"),
    *("({} ? {} : {})", "({} in {})", "data.l[{}]", "data.m[{}]", "data.mixed[{}]", "({}).a"),
    *("has(({}).a)", "size({})", "string({})", "int({})", "double({})", "bool({})"),
    *("type({})", "dyn({})", "({}).contains({})", "({}).startsWith({})", "({}).endsWith({})"),
    *("[{}, {}]", '{{"a": {}}}', "{{string({}): {}}}", "optional.ofNonZeroValue({}).hasValue()"),
]
OPTIONAL_SHAPES = [
    *("({}).orValue([0])", "({}).hasValue()", "({}).value()", "({}).or(data.?s).orValue(1)"),
    *("({}).optMap(y, [y]).orValue([])", "({}).optFlatMap(y, optional.of(y)).hasValue()"),
    *("[?{}, 1]", '{{"b": 1, ?"a": {}}}', "({} == {})"),
]
SEVERAL_KEYS = re.compile(r'data(?![.\w])|"b": 1')
"""The library walks through such a map in another order each time."""

MACROS = ["all", "exists", "exists_one", "map", "filter"]


def filled(chance: random.Random, depth: int, names: tuple[str, ...] = ()) -> str:
    """An expression; ``names`` are the variables of the macros around it."""
    if depth <= 0 or chance.random() < 0.15:
        return chance.choice([*LITERALS, *READS, *names * 8])
    form = chance.randrange(8)
    if form == 0:
        name = chance.choice("xy")
        source = filled(chance, depth - 1, names)
        if SEVERAL_KEYS.search(source):
            source = "data.l"
        body = filled(chance, depth - 1, (*names, name))
        return f"({source}).{chance.choice(MACROS)}({name}, {body})"
    if form == 1:
        shape = chance.choice(OPTIONAL_SHAPES)
        return shape.format(*(chance.choice(OPTIONALS) for _ in range(2)))
    return chance.choice(SHAPES).format(*(filled(chance, depth - 1, names) for _ in range(3)))


def ours(compiled: cel.Expression) -> object:
    """Our value, or that it fails, or that we refuse to load it."""
    translator = Translator()
    try:
        evaluate = translator.translate(parse_tree(compiled.serialize()))
        return comparable(evaluate({"data": DATA, METER: Meter()}))
    except Misuse:
        return "refused"
    except EvaluationFailed:
        return "fails"


def theirs(compiled: cel.Expression) -> object:
    """The library's value, or that it fails."""
    try:
        return comparable(opened(compiled.eval(data={"data": DATA})))
    except (RuntimeError, EvaluationFailed):
        return "fails"


def opened(value: cel.Value) -> object:
    """The library's value as ours; null must not be read from it on Python 3.11."""
    name = value.type().name()
    if name == "NULL":
        return None
    if name == "ERROR":
        text = repr(value)
        if not text.startswith("optional"):
            raise EvaluationFailed(text)
        return Maybe(text)
    if name.startswith("LIST"):
        return [opened(item) for item in value.value()]
    if name.startswith("MAP"):
        return {key: opened(item) for key, item in value.value().items()}
    if name == "TYPE":
        return TypeName(value.value().name())
    return value.value()


TYPES = {
    "BOOL": "bool",
    "DOUBLE": "double",
    "DURATION": "google.protobuf.Duration",
    "INT": "int",
    "LIST<DYN>": "list",
    "MAP<DYN, DYN>": "map",
    "NULL": "null_type",
    "STRING": "string",
    "TIMESTAMP": "google.protobuf.Timestamp",
    "TYPE": "type",
}


def comparable(value: object) -> object:
    """The value with its kind, so that 1, 1.0 and true differ and NaN equals itself."""
    match value:
        case list():
            return [comparable(item) for item in value]
        case dict():
            return {key: comparable(item) for key, item in value.items()}
        case float() if math.isnan(value):
            return "not a number"
        case Maybe():
            return "an optional"
        case TypeName(name):
            return "type", TYPES.get(name, name)
        case _:
            return kind(value), value


@settings(max_examples=1000)
@given(st.randoms(use_true_random=True), st.integers(1, 4))
def test_we_compute_what_the_library_computes(chance: random.Random, depth: int) -> None:
    """Values and failures are the same.

    What we refuse to load holds a part that can only fail: the library fails
    there too, unless the rest decides without it (``false && bool("x")``).
    """
    source = filled(chance, depth)
    try:
        compiled = untyped().compile(source)
    except RuntimeError:
        return
    computed = ours(compiled)
    assert computed == "refused" or computed == theirs(compiled), source


@pytest.mark.parametrize("shape", [*SHAPES, *OPTIONAL_SHAPES])
def test_every_operator_and_function_is_compared(shape: str) -> None:
    """Each with every pair of values that it may meet."""
    optionals = shape in OPTIONAL_SHAPES
    values = OPTIONALS if optionals else READS + LITERALS
    for left in values:
        for right in OPTIONALS if optionals else ["data.i", "data.f", "data.s", "data.l", '"a"']:
            try:
                compiled = untyped().compile(shape.format(left, right, "1"))
            except RuntimeError:
                continue
            computed = "fails" if (value := ours(compiled)) == "refused" else value
            assert computed == theirs(compiled), shape.format(left, right, "1")


def test_a_field_of_a_newer_library_is_passed_over() -> None:
    """Its number may need two bytes; the tree is the same."""
    serialized = untyped().compile("data.a == 1").serialize()
    assert parse_tree(serialized + b"\xa2\x06\x01x") == parse_tree(serialized)
