"""Texts that are not what their author sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.errors import Severity
from reactor.policyfile.check import load_text

HEAD = "policy: p\ndescription: d\ntrigger: {event: RESET}\nsteps:\n"


def told(text: str) -> list[str]:
    """Everything that is told, each in one line."""
    return [str(one).replace("\n  fix:", " ->") for one in load_text(text, "f").problems]


@pytest.mark.parametrize(
    ("value", "comment"),
    [
        pytest.param("disk #3 is bad", "#3 is bad", id="a number"),
        pytest.param("disk  #3", "#3", id="a number behind two spaces"),
        pytest.param("see #general", "#general", id="a channel"),
        pytest.param("bad (disk # 3)", "# 3)", id="a bracket that is open"),
        pytest.param('the "disk # 3"', '# 3"', id="a quote that is open"),
        pytest.param("disk # the third", "", id="a comment"),
        pytest.param("disk  #the third", "", id="a comment in a hurry"),
        pytest.param("disk #", "", id="an empty one"),
        pytest.param("disk ####", "", id="a line"),
        pytest.param("disk #NOTE the third", "", id="a mark for programmers"),
        pytest.param("disk #3 (NOTE)", "#3 (NOTE)", id="a mark further behind"),
        pytest.param("disk#3", "", id="no comment for YAML either"),
        pytest.param("'disk #3'", "", id="in quotes"),
        pytest.param("(disk) # 3", "", id="a bracket that is closed"),
    ],
)
def test_a_text_that_a_comment_cuts(value: str, comment: str) -> None:
    """Told at the place where the text ends, with the whole text to write."""
    at = 10 + len(value.partition(" #")[0].rstrip())
    fix = "'" + value.replace("  #", " #") + "'"
    said = f"f:5:{at}: R090 `{comment}` is a comment: the text ends before it -> put it in single"
    assert told(f"{HEAD}  - log: {value}\n") == ([f"{said} quotes: {fix}"] if comment else [])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("if: guest.migrating #never", id="an expression"),
        pytest.param("cooldown: 5m #short", id="a duration"),
        pytest.param("mode: single #one", id="a word"),
        pytest.param("# reactor: ignore R090 so it is\ndescription: x #3", id="ignored"),
    ],
)
def test_where_no_text_stands_a_comment_is_one(line: str) -> None:
    """Nobody loses anything there."""
    text = f"{line}\n{HEAD}  - log: x\n"
    text = text.replace("description: d\n", "") if "description: x" in line else text
    assert told(text) == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param(
            "{{ guest.name }} is down", [("10", "{{ guest.name }}", "guest.name")], id="Jinja"
        ),
        pytest.param("a {data.x[0].y}", [("12", "{data.x[0].y}", "data.x[0].y")], id="Python"),
        pytest.param(
            "{guest.name} {run.id}",
            [("10", "{guest.name}", "guest.name"), ("23", "{run.id}", "run.id")],
            id="two",
        ),
        pytest.param("${guest.name}", [], id="ours"),
        pytest.param("{{ value_json.x }}", [], id="for Home Assistant, which reads it itself"),
        pytest.param("{guest}", [], id="a word in braces"),
    ],
)
def test_a_template_of_another_language(value: str, found: list[tuple[str, str, str]]) -> None:
    """Told where it begins, with the template to write."""
    said = [
        f"f:5:{int(at) + 1}: R091 `{there}` is no template here: it stays as it stands"
        f" -> write ${{{ours}}}"
        for at, there, ours in found
    ]
    assert told(f"{HEAD}  - log: '{value}'\n") == said


def test_every_kind_of_document_is_looked_at() -> None:
    """Also what has errors elsewhere; deep in a payload, and in lists."""
    text = (
        "policy: P\ndescription: the #1\ntrigger: {event: RESET}\n"
        "steps: [{publish: x, payload: {a: ['{run.id}']}}, {log: !x y}]\n"
        "---\nrunbook: r\ndescription: the #2\nsteps: [{log: x}]\n"
        "---\ntest: the #3\npolicies: [p]\ntimeline: []\nexpect: []\n"
    )
    codes = [one.partition(" ")[2][:4] for one in told(text)]
    assert [codes.count(code) for code in ("R090", "R091")] == [3, 1]


@given(st.text("#ab (\"'{}$.3", max_size=20))
def test_whatever_a_text_is_only_warnings_come_of_it(text: str) -> None:
    """In quotes it is never cut."""
    quoted = text.replace("'", "''")
    problems = load_text(f"{HEAD}  - log: 'x {quoted}'\n", "f").problems
    assert all("R090" not in str(one) for one in problems)
    found = load_text(f"{HEAD}  - log: x {text}\n", "f").problems
    odd = [one for one in found if one.code.value in {"R090", "R091"}]
    assert all(one.severity is Severity.WARNING for one in odd)
