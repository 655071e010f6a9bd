"""An evaluation ends soon, whatever the expression and the data are."""

import time

import pytest

from reactor.core.expr import EvaluationFailed, Scope
from tests.core.expression_help import compiled

SECONDS = 5.0
"""Of CPU; 0.1 is measured, and minutes without the bounds (coverage makes it slower)."""

TURNS = "its macros (all, exists, map, ...) need more than 10000 turns"
WORK = "it takes too long: the values are too large"
GLOB = "glob() takes at most 65536 characters of text and 256 of pattern"
MATCHES = "matches() takes at most 8192 characters"


def nested(depth: int) -> dict[str, object]:
    """A map in a map in a map."""
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


DATA = {
    "few": list(range(100)),
    "l": list(range(9999)),
    "k": list(range(9999)),
    "many": list(range(10_001)),
    "m": {str(number): number for number in range(10_001)},
    "s": "z" * 65_536,
    "long": "z" * (1 << 20),
    "t": "z" * 30_000 + "b",
    "deep": nested(5000),
    "deep2": nested(5000),
    "lists": [list(range(9999))] * 6,
    "other": [list(range(9999))] * 6,
}


def asked(source: str) -> tuple[bool, str]:
    """The truth and the reason of a condition on the hostile data, in time."""
    expression = compiled(source, condition=True)
    scope = Scope({"data": DATA}, marked=lambda _kind, _id, _word: False)
    before = time.process_time()
    answer = expression.holds(scope)
    assert time.process_time() - before < SECONDS
    return answer.truth, answer.reason if answer.failed else ""


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        pytest.param("data.l.all(x, x >= 0)", (True, ""), id="as many turns as allowed"),
        pytest.param("data.many.all(x, x >= 0)", (False, TURNS), id="more turns"),
        pytest.param("data.m.all(k, data.m[k] >= 0)", (False, TURNS), id="more keys"),
        pytest.param("data.few.all(x, data.few.all(y, y >= 0))", (False, TURNS), id="nested"),
        pytest.param(
            "data.l.exists(x, data.l.exists(y, data.miss))", (False, WORK), id="nested failures"
        ),
        pytest.param("data.many.all(x, x >= 0) || true", (False, TURNS), id="or does not help"),
        pytest.param("data.l.all(x, data.l == data.k)", (False, WORK), id="lists compared"),
        pytest.param("data.l.all(x, x in data.k)", (False, WORK), id="lists searched"),
        pytest.param("data.lists == data.other", (True, ""), id="large lists, once"),
        pytest.param("data.lists + data.lists == data.other", (False, ""), id="lists that differ"),
        pytest.param("data.l.map(x, data.l + [x]).size() > 0", (False, WORK), id="lists made"),
        pytest.param("data.l.all(x, !data.s.contains('zb'))", (False, WORK), id="texts searched"),
        pytest.param("data.l.all(x, !data.s.matches('(z|z)*b'))", (False, WORK), id="patterns"),
        pytest.param("data.l.all(x, !glob(data.s, '*z*b*'))", (False, WORK), id="globs"),
        pytest.param("data.l.all(x, slug(data.s) != 'a')", (False, WORK), id="slugs"),
        pytest.param(
            "data.l.all(x, string(x) != 'a')", (False, WORK), id="the library's functions"
        ),
        pytest.param("data.l.exists(x, data.miss)", (False, WORK), id="failures"),
        pytest.param(
            f"data.l.all(x, {' && '.join(['x >= 0'] * 300)})", (False, WORK), id="a long body"
        ),
        pytest.param(
            f"['a']{'.map(x, x + x)' * 25}[0].size() > 0", (False, WORK), id="a text doubled"
        ),
        pytest.param(f"[[1]]{'.map(x, x + x)' * 25}[0].size() > 0", (False, WORK), id="a list"),
        pytest.param(
            "data.deep == data.deep2",
            (False, "a value is nested deeper than 64 levels"),
            id="deep values",
        ),
        pytest.param("data.long.contains(data.t)", (False, ""), id="a long text, once"),
        pytest.param(f"glob(data.s, '{'*z' * 120}*b')", (False, ""), id="a hostile glob"),
        pytest.param(f"glob(data.s, '*{'?' * 200}b')", (False, ""), id="another one"),
        pytest.param("glob(data.long, '*')", (False, GLOB), id="a glob on too much"),
        pytest.param(
            "data.s.matches('(((z{0,9}){0,9}){0,9})b')", (False, MATCHES), id="much to match"
        ),
    ],
)
def test_hostile_expressions_end(source: str, answer: tuple[bool, str]) -> None:
    """Within the bound, with the reason."""
    assert asked(source) == answer


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        pytest.param("data.long + data.long", "it makes a text of more than 1 MiB", id="a text"),
        pytest.param("data.long", "the value is larger than 1 MiB", id="a text as it came"),
        pytest.param(
            " + ".join(["data.many"] * 10),
            "it makes a list of more than 100000 items",
            id="a list",
        ),
        pytest.param(
            "[data.s, data.s, data.s] + [data.l, data.l, data.l] + [data.l, data.l]"
            "+ [data.l, data.l, data.l, data.l, data.l, data.l, data.l]",
            "the value is larger than 1 MiB",
            id="a list of much",
        ),
        pytest.param("data.deep", "the value is nested deeper than 64 levels", id="deep maps"),
        pytest.param("data.deeplist", "the value is nested deeper than 64 levels", id="deep lists"),
    ],
)
def test_no_value_is_large(source: str, problem: str) -> None:
    """Texts, lists and what leaves an expression have bounds."""
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(EvaluationFailed) as caught:
        compiled(source).value(Scope({"data": {**DATA, "deeplist": deep}}))
    assert caught.value.reason == problem


@pytest.mark.parametrize(
    ("depth", "allowed"),
    [pytest.param(65, True, id="the deepest"), pytest.param(66, False, id="one more")],
)
def test_the_depth_of_values_is_bounded(depth: int, allowed: bool) -> None:
    """To be compared and to leave, maps and lists may be nested so deep."""
    in_lists: list[object] = []
    for _ in range(depth - 1):
        in_lists = [in_lists]
    data = {"a": nested(depth - 1), "b": nested(depth - 1), "l": in_lists, "m": in_lists}
    scope = Scope({"data": data})
    for source in ("data.a == data.b", "data.l == data.m"):
        assert compiled(source).holds(scope).failed is not allowed
    for source in ("data.a", "data.l"):
        try:
            compiled(source).value(scope)
        except EvaluationFailed:
            assert not allowed
        else:
            assert allowed


def test_a_value_may_be_as_large_as_allowed() -> None:
    """1 MiB of text with the little that its container takes."""
    text = "x" * ((1 << 20) - 8)
    assert compiled("data.s").value(Scope({"data": {"s": text}})) == text


def test_an_expression_is_not_slowed_down_by_another() -> None:
    """Each evaluation has its own bound, also on one scope."""
    scope = Scope({"data": DATA})
    expensive = compiled("data.l.all(x, x >= 0)", condition=True)
    assert [expensive.holds(scope).truth for _ in range(5)] == [True] * 5
