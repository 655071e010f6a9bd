"""Whether what was done is what a test expects."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.app.scenario.deeds import Deed
from reactor.app.scenario.matching import fits, is_alike, judge, unexpected
from reactor.errors import Place
from reactor.policyfile.policy_tests import Expectation

_PLACE = Place("t.yaml", 1, 1)
_PAYLOAD = {"guest": "web-1", "n": 3, "deep": {"a": [1, {"b": 2}], "c": None}, "yes": True}


def _expect(verb: str = "publish", **more: Any) -> Expectation:  # noqa: ANN401 - its members
    members = more.pop("members", {verb: "a/b"})
    return Expectation(verb, members, _PLACE, **more)


def _deed(at: float = 100.0, verb: str = "publish", **more: object) -> Deed:
    members = {
        "publish": {"publish": "a/b", "payload": _PAYLOAD, "qos": 1, "retain": False},
        "qmp": {"qmp": "balloon", "args": {"value": 1, "b": {"c": 1}}},
        "mark": {"mark": {"disk": "d", "as": "bad", "reason": "r"}},
        "exec": {"exec": ["/bin/x", "a"]},
        "guest": {"guest": "dump", "to": "/var/crash/x.dump", "format": "elf"},
    }[verb]
    return Deed(at, verb, members, "web-1", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verb", "members", "fitting"),
    [
        pytest.param("publish", {"publish": "a/b"}, True, id="the topic alone"),
        pytest.param("publish", {"publish": "a/c"}, False, id="another topic"),
        pytest.param("publish", {"publish": "a/b", "payload": {"n": 3}}, True, id="in part"),
        pytest.param("publish", {"publish": "a/b", "payload": {}}, True, id="nothing of it"),
        pytest.param("publish", {"publish": "a/b", "payload": {"n": 4}}, False, id="another value"),
        pytest.param("publish", {"publish": "a/b", "payload": {"m": 3}}, False, id="not there"),
        pytest.param("publish", {"publish": "a/b", "payload": {"m": None}}, False, id="null is"),
        pytest.param(
            "publish",
            {"publish": "a/b", "payload": {"deep": {"c": None}}},
            True,
            id="deep",
        ),
        pytest.param(
            "publish",
            {"publish": "a/b", "payload": {"deep": {"a": [1, {"b": 2}]}}},
            True,
            id="a list as a whole",
        ),
        pytest.param(
            "publish",
            {"publish": "a/b", "payload": {"deep": {"a": [1]}}},
            False,
            id="shorter",
        ),
        pytest.param(
            "publish", {"publish": "a/b", "payload": {"n": [3]}}, False, id="a list for a number"
        ),
        pytest.param(
            "publish",
            {"publish": "a/b", "payload": {"n": {"x": 1}}},
            False,
            id="a map",
        ),
        pytest.param("publish", {"publish": "a/b", "payload": {"n": 3.0}}, True, id="3 is 3.0"),
        pytest.param("publish", {"publish": "a/b", "payload": {"n": "3"}}, False, id="no text"),
        pytest.param("publish", {"publish": "a/b", "payload": {"yes": 1}}, False, id="not 1"),
        pytest.param("publish", {"publish": "a/b", "payload": {"yes": True}}, True, id="true"),
        pytest.param("publish", {"publish": "a/b", "retain": False}, True, id="retain"),
        pytest.param("publish", {"publish": "a/b", "qos": 2}, False, id="another qos"),
        pytest.param("publish", {"publish": "a/b", "zone": 1}, False, id="no such member"),
        pytest.param("qmp", {"qmp": "balloon"}, True, id="a command"),
        pytest.param(
            "qmp", {"qmp": "balloon", "args": {"value": 1, "b": {"c": 1}}}, True, id="all arguments"
        ),
        pytest.param("qmp", {"qmp": "balloon", "args": {"value": 1}}, False, id="args not in part"),
        pytest.param("qmp", {"qmp": "balloon", "args": {}}, False, id="no arguments"),
        pytest.param("mark", {"mark": {"disk": "d"}}, True, id="a mark, in part"),
        pytest.param("mark", {"mark": {"disk": "d", "as": "good"}}, False, id="another word"),
        pytest.param("mark", {"mark": {"port": "d"}}, False, id="another kind"),
        pytest.param("exec", {"exec": ["/bin/x", "a"]}, True, id="a program"),
        pytest.param("exec", {"exec": ["/bin/x"]}, False, id="a program without its argument"),
    ],
)
def test_members(verb: str, members: Mapping[str, object], fitting: bool) -> None:
    """What is given must be equal; payloads and marks are compared in part."""
    assert fits(_expect(verb, members=members), _deed(verb=verb)) is fitting


@pytest.mark.parametrize(
    ("members", "fitting"),
    [
        pytest.param({"publish": "a/${x}"}, True, id="the topic as written"),
        pytest.param({"publish": "a/b", "payload": {"guest": "${guest.name}"}}, True, id="payload"),
        pytest.param({"publish": "a/b", "payload": {"deep": {"a": "${l}"}}}, True, id="deeper"),
        pytest.param({"publish": "a/b", "payload": {"guest": "${guest}"}}, False, id="otherwise"),
        pytest.param({"publish": "a/b", "payload": "${all}"}, False, id="a whole that is written"),
    ],
)
def test_templates(members: Mapping[str, object], fitting: bool) -> None:
    """Texts may stand as the policy writes them."""
    written = {
        "publish": "a/${x}",
        "payload": {"guest": "${guest.name}", "deep": {"a": "${l}"}, "n": 3},
    }
    assert fits(_expect(members=members), _deed(written=written)) is fitting


@pytest.mark.parametrize(
    ("to", "fitting"),
    [
        pytest.param("/var/crash/x.dump", True, id="the whole path"),
        pytest.param("x.dump", True, id="below the folder"),
        pytest.param("${guest.name}.dump", True, id="as written"),
        pytest.param("y.dump", False, id="another"),
    ],
)
def test_several_ways_to_write_it(to: str, fitting: bool) -> None:
    """Where a dump goes may be said in three ways."""
    deed = _deed(verb="guest", written={"to": ("${guest.name}.dump", "x.dump")})
    assert fits(_expect("guest", members={"guest": "dump", "to": to}), deed) is fitting


def test_lists_that_are_written() -> None:
    """Item by item, where both are as long."""
    deed = Deed(1, "log", {"log": "x", "l": ["a", "b"]}, "g", written={"l": ["${a}", "b"]})
    assert fits(_expect("log", members={"log": "x", "l": ["${a}", "b"]}), deed)
    assert not fits(_expect("log", members={"log": "x", "l": ["${a}", "c"]}), deed)
    other = Deed(1, "log", {"log": "x", "l": ["a", "b"]}, "g", written={"l": ["${all}"]})
    assert fits(_expect("log", members={"log": "x", "l": ["a", "b"]}), other)


@pytest.mark.parametrize(
    ("when", "at", "fitting"),
    [
        pytest.param({"at": 100.0}, 99.0, True, id="at, a second before"),
        pytest.param({"at": 100.0}, 98.999, False, id="at, more than a second before"),
        pytest.param({"at": 100.0}, 101.0, True, id="at, a second after"),
        pytest.param({"at": 100.0}, 101.001, False, id="at, more than a second after"),
        pytest.param({"after": 100.0}, 99.999, False, id="after, before it"),
        pytest.param({"after": 100.0}, 100.0, True, id="after, at it"),
        pytest.param({"after": 100.0}, 99.9999, True, id="after, to the millisecond"),
        pytest.param({"before": 100.0}, 100.0, False, id="before, at it"),
        pytest.param({"before": 100.0}, 99.999, True, id="before, before it"),
        pytest.param({"after": 90.0, "before": 100.0}, 95.0, True, id="between"),
        pytest.param({"target": "web-1"}, 95.0, True, id="target"),
        pytest.param({"target": "web-2"}, 95.0, False, id="another target"),
    ],
)
def test_where_and_when(when: dict[str, Any], at: float, fitting: bool) -> None:
    """Each bound before, at and after."""
    assert fits(_expect(**when), _deed(at)) is fitting


@pytest.mark.parametrize(
    ("times", "negated", "count", "problem"),
    [
        pytest.param(None, False, 0, "expected at least once, it never happened", id="never"),
        pytest.param(None, False, 1, None, id="once"),
        pytest.param(None, False, 5, None, id="often"),
        pytest.param(2, False, 1, "expected 2 times, it happened once", id="too few"),
        pytest.param(2, False, 2, None, id="as often"),
        pytest.param(2, False, 3, "expected 2 times, it happened 3 times", id="too many"),
        pytest.param(0, False, 1, "expected 0 times, it happened once", id="none was expected"),
        pytest.param(0, False, 0, None, id="none"),
        pytest.param(None, True, 0, None, id="not: never"),
        pytest.param(None, True, 2, "expected not to happen, it happened 2 times", id="not: done"),
        pytest.param(1, True, 1, "expected not once, it happened once", id="not so often"),
        pytest.param(1, True, 2, None, id="not once, but twice"),
    ],
)
def test_counts(times: int | None, negated: bool, count: int, problem: str | None) -> None:
    """At least once, exactly so often, or not."""
    found = judge([_expect(times=times, negated=negated)], [_deed()] * count)
    assert [finding.problem for finding in found] == ([] if problem is None else [problem])


@pytest.mark.parametrize(
    ("times", "negated", "count", "missing", "surplus"),
    [
        pytest.param(None, False, 0, 1, 0, id="one is missing"),
        pytest.param(3, False, 1, 2, 0, id="two are missing"),
        pytest.param(1, False, 3, 0, 2, id="two are too many"),
        pytest.param(None, True, 2, 0, 2, id="all are"),
    ],
)
def test_what_should_have_been(
    times: int | None, negated: bool, count: int, missing: int, surplus: int
) -> None:
    """How many more, and which should not be."""
    (found,) = judge([_expect(times=times, negated=negated)], [_deed()] * count)
    assert (found.missing, len(found.surplus)) == (missing, surplus)


def test_effects_that_nobody_expects() -> None:
    """Those of a `not` are nobody's; commands inside of `guest:` steps are their step's."""
    dump, reset = _deed(verb="guest"), _deed(verb="qmp")
    inner = Deed(1, "qmp", {"qmp": "stop"}, "g", inner=True)
    wanted = [_expect("guest", members={"guest": "dump"}), _expect("qmp", negated=True)]
    assert unexpected(wanted, [dump, reset, inner]) == [reset]


def test_what_an_author_may_have_meant() -> None:
    """The same verb and object, whatever else is said; of maps and lists the verb alone."""
    assert is_alike(_expect(at=5.0, target="x"), _deed())
    assert not is_alike(_expect(members={"publish": "other"}), _deed())
    assert not is_alike(_expect("log", members={"log": "a/b"}), _deed())
    assert is_alike(_expect("mark", members={"mark": {"port": "p"}}), _deed(verb="mark"))
    assert is_alike(_expect("exec", members={"exec": ["/bin/y"]}), _deed(verb="exec"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", max_size=1), inner),
    max_leaves=8,
)


@given(_JSON)
def test_a_payload_is_what_it_is(payload: object) -> None:
    """Whatever is published fits the expectation of just that."""
    deed = Deed(1, "publish", {"publish": "t", "payload": payload}, "g")
    assert fits(_expect(members={"publish": "t", "payload": payload}), deed)


@given(st.dictionaries(st.text("xyz", max_size=2), _JSON), st.data())
def test_a_part_of_a_payload_fits(payload: dict[str, object], data: st.DataObject) -> None:
    """Taking members out of what is expected never makes a test fail."""
    kept = data.draw(st.sets(st.sampled_from(sorted(payload)))) if payload else set()
    deed = Deed(1, "publish", {"publish": "t", "payload": payload}, "g")
    part = {key: payload[key] for key in kept}
    assert fits(_expect(members={"publish": "t", "payload": part}), deed)
