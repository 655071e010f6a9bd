"""Why an expression has no value: the whole reason, as the trace shows it."""

import pytest

from reactor.core.expr import EvaluationFailed, Scope
from tests.core.expression_help import compiled, scope


def reason(source: str, **more: object) -> str:
    """Why the expression fails in the scope."""
    with pytest.raises(EvaluationFailed) as caught:
        compiled(source).value(scope(**more))
    return caught.value.reason


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("data.error", "data has no member 'error'", id="a member"),
        pytest.param("data.bus_id", "data has no member 'bus_id'", id="with an underscore"),
        pytest.param("data.result.code", "data.result has no member 'code'", id="further down"),
        pytest.param(
            "data.children[0].name", "data.children[0] has no member 'name'", id="inside a list"
        ),
        pytest.param('guest.labels["x-y"]', "guest.labels has no member 'x-y'", id="a label"),
        pytest.param('vars["x-y"].z', "vars has no member 'x-y'", id="its member"),
        pytest.param("data.type.x", "data.type is a text, it has no member 'x'", id="of a text"),
        pytest.param("data.open.x", "data.open is true, it has no member 'x'", id="of true"),
        pytest.param("data.nothing.x", "data.nothing is null, it has no member 'x'", id="of null"),
        pytest.param(
            "data.share.x.y", "data.share is a fraction, it has no member 'x'", id="of a fraction"
        ),
        pytest.param(
            "data.names.x", "data.names is a list: its items have whole numbers", id="list"
        ),
        pytest.param(
            "data.names[3]", "data.names has no item 3: it has 3, counted from 0", id="an item"
        ),
        pytest.param(
            "data.names[-1]", "data.names has no item -1: it has 3, counted from 0", id="before"
        ),
        pytest.param(
            "data.names[1.5]", "data.names is a list: its items have whole numbers", id="between"
        ),
        pytest.param(
            "data.names[data.share / 0.0]",
            "data.names is a list: its items have whole numbers",
            id="an infinite item",
        ),
        pytest.param(
            "data.names[data.open]", "data.names is a list: its items have whole numbers", id="true"
        ),
        pytest.param("data[5]", "data has no member '5'", id="a number of a map"),
        pytest.param(
            "data[data.names]", "data has no member '['a', 'b', 'c']'", id="a list of a map"
        ),
        pytest.param("data.type[0]", "`[]` cannot take a text and a whole number", id="of a text"),
        pytest.param(
            "data.names.map(n, n.x)", "n is a text, it has no member 'x'", id="in a macro"
        ),
        pytest.param(
            "[data.type][0].x", "the value is a text, it has no member 'x'", id="no name for it"
        ),
        pytest.param("has(data.type.x)", "data.type is a text, it has no members", id="has"),
        pytest.param("data.type.?x.hasValue()", "data.type is a text, it has no members", id=".?"),
        pytest.param(
            "data.names[?1.0].hasValue()", "data.names is a list, it has no members", id="?"
        ),
        pytest.param("data.?type.x.hasValue()", "data.type is a text, it has no members", id="?."),
    ],
)
def test_a_member_that_is_not_there_is_named(source: str, expected: str) -> None:
    """With what it was looked for in."""
    assert reason(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("data.type + 1", "`+` cannot take a text and a whole number", id="sum"),
        pytest.param("data.share + 1", "`+` cannot take a fraction and a whole number", id="mixed"),
        pytest.param("data.type - 1", "`-` cannot take a text and a whole number", id="difference"),
        pytest.param("data.open * 2", "`*` cannot take true and a whole number", id="true"),
        pytest.param(
            "data.share % data.share", "`%` cannot take a fraction and a fraction", id="rest"
        ),
        pytest.param("-data.type", "`-` cannot take a text", id="negated text"),
        pytest.param("-data.open", "`-` cannot take true", id="negated true"),
        pytest.param("data.type > 5", "`>` cannot take a text and a whole number", id="order"),
        pytest.param("data.nothing <= null", "`<=` cannot take null and null", id="order of nulls"),
        pytest.param("!data.type", "`!` cannot take a text", id="not"),
        pytest.param("data.type && true", "`&&` cannot take a text and true", id="and"),
        pytest.param("false || data.type", "`||` cannot take false and a text", id="or"),
        pytest.param("data.miss && data.type", "data has no member 'miss'", id="and, left fails"),
        pytest.param("data.type && data.miss", "data has no member 'miss'", id="and, right fails"),
        pytest.param(
            "data.type ? 1 : 2", "the condition of `? :` is a text, not true or false", id="choice"
        ),
        pytest.param(
            "1 in data.type", "`in` cannot take a whole number and a text", id="in a text"
        ),
        pytest.param("data.names in data", "`in` cannot take a list and a map", id="a list as key"),
        pytest.param("data.share / 0.0", "the number is infinite or not a number", id="infinite"),
        pytest.param("data.sector_num / 0", "division by zero", id="through zero"),
        pytest.param("data.sector_num % 0", "division by zero", id="rest through zero"),
        pytest.param(
            "data.sector_num + 9223372036854775807",
            "the number does not fit into 64 bits",
            id="large",
        ),
        pytest.param(
            "-9223372036854775807 - data.sector_num",
            "the number does not fit into 64 bits",
            id="low",
        ),
        pytest.param(
            'event.time + duration("87600000h") + duration("87600000h")',
            "the time is out of range",
            id="after the end of time",
        ),
        pytest.param("size(data.open)", "`size()` cannot take true", id="size"),
        pytest.param(
            "data.open.contains('x')", "`contains()` cannot take true and a text", id="contains"
        ),
        pytest.param("glob(data.open, 'x')", "`glob()` cannot take true and a text", id="glob"),
        pytest.param("slug(data.open)", "`slug()` cannot take true", id="slug"),
        pytest.param(
            "data.open.matches('x')", "`matches()` cannot take true and a text", id="matches"
        ),
        pytest.param(
            "marked('disk', data.open)",
            "`marked()` cannot take a text and true and a text",
            id="mark",
        ),
        pytest.param("data.type.hasValue()", "`hasValue()` cannot take a text", id="no optional"),
        pytest.param("data.?miss.value()", "the optional is empty", id="an empty optional"),
        pytest.param(
            "data.type.orValue(1)",
            "a text is no optional: write .? instead of the dot",
            id="orValue",
        ),
        pytest.param(
            "[data.?type]", "an optional is no value: end it with .orValue(...)", id="in a value"
        ),
        pytest.param("{data.open: 1}", "the key of a map is true, not a text", id="a key"),
        pytest.param(
            "{'a': 1, 'a': data.open}", "the key 'a' stands twice in a map", id="one twice"
        ),
        pytest.param(
            "data.type.all(x, true)",
            "`a macro (all, exists, map, ...)` cannot take a text",
            id="a macro",
        ),
        pytest.param("data.names.all(x, x)", "`&&` cannot take true and a text", id="in a macro"),
        pytest.param("int(data.type)", '"read" is not a whole number', id="int"),
        pytest.param(
            "int(data.open ? 1e30 : 1.0)", "1e+30 is not a whole number", id="int of much"
        ),
        pytest.param("double(data.type)", '"read" is not a fraction', id="double"),
        pytest.param("bool(data.type)", '"read" is not true or false', id="bool"),
        pytest.param(
            "bool(data.share)", "`bool()` cannot take a fraction", id="bool of a fraction"
        ),
        pytest.param("string(data.names)", "`string()` cannot take a list", id="string of a list"),
        pytest.param("string(data.nothing)", "`string()` cannot take null", id="string of null"),
        pytest.param(
            "data.type.getHours()", "`getHours()` cannot take a text", id="hours of a text"
        ),
        pytest.param(
            "dyn(event.time - event.time).getFullYear()",
            "`getFullYear()` cannot take a duration",
            id="year",
        ),
        pytest.param(
            "timestamp(data.type)",
            '"read" is not a time (write 2026-01-31T12:00:00Z)',
            id="timestamp",
        ),
        pytest.param(
            "duration(data.type)", '"read" is not a duration (write 90s, 15m or 24h)', id="duration"
        ),
    ],
)
def test_what_cannot_be_computed_is_said_in_words(source: str, expected: str) -> None:
    """The operator or function, and the kinds that it got."""
    assert reason(source) == expected


@pytest.mark.parametrize(
    ("source", "more", "expected"),
    [
        pytest.param("vars.x", {"vars": {}}, "vars has no member 'x'", id="no such variable"),
        pytest.param("steps.z.ok", {"steps": {}}, "steps has no member 'z'", id="no such step"),
        pytest.param(
            "event.time", {"event": {"time": "x"}}, "event.time is a text, not a time", id="no time"
        ),
        pytest.param(
            "event.time",
            {"event": {"time": True}},
            "event.time is true, not a time",
            id="true is no time",
        ),
        pytest.param(
            "run.started", {"run": {"started": None}}, "run.started is null, not a time", id="null"
        ),
        pytest.param(
            "event.time",
            {"event": {"time": 1e30}},
            "event.time is out of range for a time",
            id="after the end of time",
        ),
        pytest.param(
            "event.time",
            {"event": {"time": float("nan")}},
            "event.time is out of range for a time",
            id="not a number",
        ),
        pytest.param("trigger.event", {"trigger": {"event": None}}, "", id="no event, whole"),
        pytest.param(
            "data.x", {"data": {"x": object()}}, "a value is of an unknown kind", id="alien"
        ),
        pytest.param("int(data.x)", {"data": {"x": "y" * 200}}, '"' + "y" * 98 + "…", id="cut"),
    ],
)
def test_a_scope_that_lacks_something(source: str, more: dict[str, object], expected: str) -> None:
    """Is named too; a long value is cut."""
    if expected:
        assert reason(source, **more).startswith(expected)
    else:
        assert compiled(source).value(scope(**more)) is None


def test_a_variable_that_is_not_in_the_scope_is_named() -> None:
    """A scope without the variable fails the expression, not the engine."""
    with pytest.raises(EvaluationFailed, match=r"^`guest` is not known here$"):
        compiled("guest.name").value(Scope({}))


def test_a_scope_without_marks_and_time_fails_what_needs_them() -> None:
    """marked() and now() need what a scope may not have."""
    with pytest.raises(EvaluationFailed, match=r"^marks are not known here$"):
        compiled('marked("disk", "x")').value(Scope({}))
    with pytest.raises(EvaluationFailed, match=r"^now\(\) is null, not a time$"):
        compiled("now()").value(Scope({}))
