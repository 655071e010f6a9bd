"""Expressions as the engine uses them: what they read, their equalities, their answers."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.expr import Scope
from reactor.core.plans import look_up
from tests.core.expression_help import DATA, compiled, scope


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        pytest.param("1 < 2", set(), id="nothing"),
        pytest.param("data", {"data"}, id="a variable"),
        pytest.param("guest.status", {"guest.status"}, id="a member"),
        pytest.param('guest["status"]', {"guest.status"}, id="a member in brackets"),
        pytest.param('guest.labels["on-panic"]', {'guest.labels["on-panic"]'}, id="a label"),
        pytest.param("data.names[0]", {"data.names[0]"}, id="an item"),
        pytest.param("data.?error.orValue('')", {"data.error"}, id="an optional"),
        pytest.param("data.?a[?'b'].hasValue()", {"data.a.b"}, id="optionals in a row"),
        pytest.param("has(data.error)", {"data.error"}, id="has()"),
        pytest.param("has(data.?a.b)", {"data.a.b"}, id="has() behind an optional"),
        pytest.param("has([data][0].b)", {"data"}, id="has() of what is computed"),
        pytest.param("data[guest.name].x", {"data", "guest.name"}, id="a computed member"),
        pytest.param("data.a + data.b", {"data.a", "data.b"}, id="two"),
        pytest.param("data.a == 1 && data.a == 2", {"data.a"}, id="one twice"),
        pytest.param("data.l.all(x, x.a == data.b)", {"data.l", "data.b"}, id="a macro"),
        pytest.param(
            "[1].all(data, data == guest.memory)", {"guest.memory"}, id="hidden by a macro"
        ),
        pytest.param("{guest.name: data.x}", {"guest.name", "data.x"}, id="a map"),
        pytest.param("type(data.x) == string", {"data.x"}, id="a type is no variable"),
        pytest.param("now() > event.time", {"event.time"}, id="now() is no path"),
        pytest.param(".data.x", {"data.x"}, id="a dot before"),
    ],
)
def test_an_expression_tells_what_it_reads(source: str, reads: set[str]) -> None:
    """As far as it is written out."""
    assert compiled(source).reads == reads


@pytest.mark.parametrize(
    ("source", "path", "needed"),
    [
        pytest.param("guest.status", "guest.status", True, id="the path itself"),
        pytest.param("guest", "guest.status", True, id="something above"),
        pytest.param("guest.marks.x", "guest.marks", True, id="something below"),
        pytest.param("guest.marks[0]", "guest.marks", True, id="an item of it"),
        pytest.param("guest.labels.status", "guest.status", False, id="another path"),
        pytest.param("data.statuses", "data.status", False, id="a longer name"),
        pytest.param("data.status", "data.statuses", False, id="a shorter name"),
    ],
)
def test_an_expression_needs_a_fact_that_its_value_may_depend_on(
    source: str, path: str, needed: bool
) -> None:
    """Above and below count too."""
    assert compiled(source).needs(path) is needed


@pytest.mark.parametrize(
    ("source", "equalities", "residue"),
    [
        pytest.param('data.a == "x"', (("data.a", "x"),), None, id="one, nothing left"),
        pytest.param('"x" == data.a', (("data.a", "x"),), None, id="turned round"),
        pytest.param("data.a.b == 1", (("data.a.b", 1),), None, id="a whole number, further down"),
        pytest.param("data.a == -1", (("data.a", -1),), None, id="a negative number"),
        pytest.param("data.a == true", (("data.a", True),), None, id="true"),
        pytest.param(
            'data.a == "x" && data.b == 2', (("data.a", "x"), ("data.b", 2)), None, id="two"
        ),
        pytest.param(
            'guest.name == "g" && (data.a == "x" && data.b > 2)',
            (("data.a", "x"),),
            {"guest.name", "data.b"},
            id="inside brackets",
        ),
        pytest.param("data.a > 1", (), {"data.a"}, id="none"),
        pytest.param('data.a == "x" || data.b == 2', (), {"data.a", "data.b"}, id="or"),
        pytest.param("data.a == 1.5", (), {"data.a"}, id="a fraction"),
        pytest.param("data.a == null", (), {"data.a"}, id="null"),
        pytest.param('data.a != "x"', (), {"data.a"}, id="not equal"),
        pytest.param('guest.name == "x"', (), {"guest.name"}, id="not of the event"),
        pytest.param("data == 1", (), {"data"}, id="the whole data"),
        pytest.param('data["a-b"] == 1', (), {'data["a-b"]'}, id="no plain name"),
        pytest.param("data.a[0] == 1", (), {"data.a[0]"}, id="an item"),
        pytest.param("data.?a == optional.of(1)", (), {"data.a"}, id="an optional"),
        pytest.param("data.a == data.b", (), {"data.a", "data.b"}, id="two members"),
        pytest.param("1 == 1", (), set(), id="two literals"),
    ],
)
def test_equalities_are_taken_out_for_the_index(
    source: str, equalities: tuple[tuple[str, object], ...], residue: set[str] | None
) -> None:
    """What is left is asked of the candidates only."""
    expression = compiled(source, condition=True)
    assert expression.equalities == equalities
    left = expression.residue
    assert (None if left is None else set(left.reads)) == residue


def test_without_equalities_the_residue_is_the_expression() -> None:
    """Nothing was taken away, so all is left."""
    expression = compiled("data.a > 1")
    assert expression.residue is expression


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('data.type == "read"', id="all of it in the index"),
        pytest.param('data.type == "read" && data.share > 1.0', id="with a residue"),
        pytest.param("data.names.exists(name, name == 'b')", id="metered"),
        pytest.param("data.nothing > 1", id="fails"),
    ],
)
def test_an_expression_can_go_to_another_process(source: str) -> None:
    """There it says the same, and so does its residue."""
    sent = compiled(source, condition=True)
    got = pickle.loads(pickle.dumps(sent))  # noqa: S301 - nobody else's
    assert (got.source, got.tree, got.reads) == (sent.source, sent.tree, sent.reads)
    assert (got.equalities, got.unguarded) == (sent.equalities, sent.unguarded)
    assert (got.gives, got.seen) == (sent.gives, sent.seen)
    for one, other in ((sent, got), (sent.residue, got.residue)):
        assert (one is None) == (other is None)
        if one is not None:
            ours, theirs = one.holds(scope()), other.holds(scope())
            assert (theirs.truth, theirs.failed, theirs.reason) == (
                ours.truth,
                ours.failed,
                ours.reason,
            )


VALUES: st.SearchStrategy[object] = st.sampled_from(
    ["x", "y", "", 0, 1, 2, 1.0, 1.5, True, False, None, [], {}, {"a": 1}]
)


@given(st.dictionaries(st.sampled_from(["a", "b-c", "b_c", "d"]), VALUES))
def test_equalities_and_residue_together_are_the_whole_condition(data: dict[str, object]) -> None:
    """What the index finds is what the condition would have said."""
    expression = compiled('data.a == 1 && data.b_c == "x" && data.d != true', condition=True)
    residue = expression.residue
    assert residue is not None
    by_index = all(
        # In Python True equals 1; in CEL it does not.
        look_up(data, tuple(path.split(".")[1:])) == literal
        and not isinstance(look_up(data, tuple(path.split(".")[1:])), bool)
        for path, literal in expression.equalities
    )
    whole = expression.holds(Scope({"data": data}))
    assert whole.truth is (by_index and residue.holds(Scope({"data": data})).truth)


@pytest.mark.parametrize(
    ("source", "truth", "failed", "reason"),
    [
        pytest.param("data.open", True, False, "", id="true"),
        pytest.param("1 < 2", True, False, "", id="always true"),
        pytest.param("!data.open", False, False, "data.open is true", id="false"),
        pytest.param(
            'data.type == "x" && guest.memory > 1',
            False,
            False,
            'data.type is "read", guest.memory is 4294967296',
            id="false, with all that it read",
        ),
        pytest.param("1 > 2", False, False, "it is always false", id="always false"),
        pytest.param(
            'marked("guest", "self", "x")',
            *(False, False, "the marks that are set say so"),
            id="a mark that is not set",
        ),
        pytest.param("data.error == 1", False, True, "data has no member 'error'", id="fails"),
        pytest.param(
            "data.type",
            False,
            True,
            "the condition is a text, not true or false",
            id="neither true nor false",
        ),
        pytest.param(
            "data.nothing", False, True, "the condition is null, not true or false", id="null"
        ),
    ],
)
def test_an_answer_says_why_it_is_not_yes(
    source: str, truth: bool, failed: bool, reason: str
) -> None:
    """A failure counts as false and has its reason, a false condition the values it saw."""
    answer = compiled(source, condition=True).holds(scope())
    assert (answer.truth, answer.failed, answer.reason) == (truth, failed, reason)


def test_an_answer_shows_what_it_looked_at() -> None:
    """By path; what is absent or too large says so, long values are cut."""
    data = {"n": 1, "long": "x" * 300, "huge": "x" * 2_000_000, "at": [1, 2]}
    source = "event.time == now() && data.n == 2 && data.long + data.huge + data.miss == data.at[0]"
    answer = compiled(source).holds(scope(data=data))
    assert answer.values == {
        "event.time": "2026-01-01T00:00:00Z",
        "data.n": 1,
        "data.long": "x" * 199 + "…",
        "data.huge": "<the value is larger than 1 MiB>",
        "data.miss": "<absent>",
        "data.at[0]": 1,
    }


def test_a_yes_shows_nothing() -> None:
    """Nothing is gathered for what holds; who wants the values asks the expression."""
    expression = compiled("data.open")
    assert expression.holds(scope()).values == {}
    assert expression.values(scope()) == {"data.open": True}


def test_evaluations_inside_evaluations_do_not_mix() -> None:
    """marked() may itself ask expressions, even with macros, on the same scope."""
    inner = compiled("data.names.all(n, n != 'z')", condition=True)

    def marked(_kind: str, _id: str, _word: str | None) -> bool:
        return inner.holds(outer_scope).truth

    outer_scope = Scope({"data": DATA}, marked=marked)
    outer = compiled("data.names.map(n, marked('disk', n) ? n : '')")
    assert outer.value(outer_scope) == ["a", "b", "c"]
