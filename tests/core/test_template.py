"""Templates: texts with `${...}`, and trees of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.expr import STEPS, EvaluationFailed
from reactor.core.template import (
    Template,
    Tree,
    TreePath,
    compile_template,
    compile_tree,
    render_slugged,
    render_tree,
    templates,
    tree_needs,
    tree_reads,
)
from reactor.errors import ExpressionError, TemplateError
from tests.core.expression_help import DATA, scope


def tree(value: object) -> Tree:
    """The tree of a value in which nothing is wrong."""
    return compile_tree(value, STEPS, unexpected)


def unexpected(path: TreePath, error: ExpressionError) -> None:
    """Nothing should be wrong."""
    raise AssertionError(path, error)


def rendered(text: str, **more: object) -> object:
    """What the text of a template gives."""
    return render_tree(tree(text), scope(**more))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("${data.sectors_count}", 8, id="a number"),
        pytest.param("${data.open}", True, id="true"),
        pytest.param("${data.nothing}", None, id="null"),
        pytest.param("${data.type}", "read", id="a text"),
        pytest.param("${data.names}", ["a", "b", "c"], id="a list"),
        pytest.param("${data}", DATA, id="a QMP value keeps its names"),
        pytest.param("${steps.q.result}", {"job-id": "j0"}, id="a saved result too"),
        pytest.param("${ data.share * 2.0 }", 3.0, id="spaces inside"),
        pytest.param("${event.time}", "2026-01-01T00:00:00Z", id="a time"),
    ],
)
def test_a_single_expression_keeps_its_type(text: str, expected: object) -> None:
    """A text that is nothing but one `${...}` is its value."""
    assert rendered(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a ${data.type} b", "a read b", id="a text as it is"),
        pytest.param("n=${data.sectors_count}", "n=8", id="a number as JSON"),
        pytest.param("f=${data.share}", "f=1.5", id="a fraction as JSON"),
        pytest.param("o=${data.open}", "o=true", id="true as JSON"),
        pytest.param("x${data.nothing}y", "xy", id="null as nothing"),
        pytest.param("l=${data.names}", 'l=["a","b","c"]', id="a list as compact JSON"),
        pytest.param(
            "r=${data.result}", 'r={"status":"completed","bytes-written":512}', id="a map"
        ),
        pytest.param("${data.type}${data.type}", "readread", id="two and nothing between"),
        pytest.param(" ${data.type}", " read", id="a space is text"),
        pytest.param("${'}'}!", "}!", id="a brace in a text of the expression"),
        pytest.param("${'it\\'s'}!", "it's!", id="an escaped quote"),
        pytest.param('${r"\\}"}!', "\\}!", id="a raw text"),
        pytest.param("${'''a'}b'''}!", "a'}b!", id="a text in three quotes"),
        pytest.param("${{'a': {'b': 1}}.a.b}!", "1!", id="braces of maps"),
        pytest.param("${1 // }\n}!", "1!", id="a brace in a comment"),
        pytest.param("${data.sector_num / 2}!", "2048!", id="a slash"),
        pytest.param("${'bar'.size()}!", "3!", id="a letter before a quote"),
        pytest.param("t=${event.time}", "t=2026-01-01T00:00:00Z", id="a time"),
    ],
)
def test_expressions_inside_longer_texts(text: str, expected: str) -> None:
    """They become text, the expression ends where CEL says."""
    assert rendered(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("$${x}", "${x}", id="a literal opening"),
        pytest.param("$$${data.type}", "$${data.type}", id="a dollar before a literal opening"),
        pytest.param("$ {x}", "$ {x}", id="no opening"),
        pytest.param("100 $", "100 $", id="a dollar at the end"),
        pytest.param("{}}", "{}}", id="braces"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_text_without_expressions_stays_a_text(text: str, expected: str) -> None:
    """Only `$${` is unfolded, once."""
    assert tree(text) == expected
    made = compile_template(text, STEPS)
    assert made.static
    assert made.render(scope()) == expected


@given(st.text())
def test_what_has_no_opening_renders_to_itself(text: str) -> None:
    """Whatever the characters."""
    harmless = text.replace("${", "")
    assert rendered(harmless) == harmless


@given(st.text())
def test_what_a_guest_says_is_never_evaluated(text: str) -> None:
    """Its text comes out as it went in, alone and inside a longer text."""
    for hostile in (text, "${guest.name}" + text, "$${" + text, "}" + text + "${1/0}"):
        data = {"said": hostile}
        assert rendered("${data.said}", data=data) == hostile
        assert rendered("a ${data.said} b", data=data) == f"a {hostile} b"


@pytest.mark.parametrize(
    ("text", "column", "problem", "fix"),
    [
        pytest.param(
            "a ${data.x",
            3,
            "`${` is not closed",
            "close it with }, or write $${ for the characters themselves",
            id="not closed",
        ),
        pytest.param("${'}", 3, "a quote is not closed", "close it with '", id="nor a quote"),
        pytest.param(
            "a ${}",
            5,
            "the expression is empty",
            'write one, such as data.action == "pause"',
            id="empty",
        ),
        pytest.param(
            "ab ${data.x} ${ gest.x }", 17, "`gest` is not known", "did you mean guest?", id="wrong"
        ),
        pytest.param(
            "${data.?x}",
            3,
            "an optional is no value",
            "end it with .orValue(...)",
            id="an optional",
        ),
    ],
)
def test_a_wrong_template_says_where(text: str, column: int, problem: str, fix: str) -> None:
    """The column counts in the whole text."""
    with pytest.raises(TemplateError) as caught:
        compile_template(text, STEPS)
    (error,) = caught.value.errors
    assert (error.source, error.column, error.problem, error.fix) == (text, column, problem, fix)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        pytest.param("${gest.x} ${run.id} ${run.idd && hst}", [3, 34, 27], id="one by one"),
        pytest.param("${gest.x} ${run.id", [3, 11], id="the last one is not closed"),
        pytest.param("${a} " * 6, [3, 8, 13, 18, 23], id="five are told"),
    ],
)
def test_every_wrong_expression_of_a_text_is_told(text: str, columns: list[int]) -> None:
    """Each at its place in the whole text; the first stands for all where one is shown."""
    with pytest.raises(TemplateError) as caught:
        compile_template(text, STEPS)
    assert [error.column for error in caught.value.errors] == columns
    assert caught.value.problem == caught.value.errors[0].problem


def test_all_that_is_wrong_in_a_tree_is_reported() -> None:
    """With the path of each text."""
    found: list[tuple[TreePath, int, str]] = []
    compile_tree(
        {"a": ["ok", "${gest}"], "b": {"c": "x ${1 +}"}},
        STEPS,
        lambda path, error: found.append((path, error.column, error.problem)),
    )
    assert found == [
        (("a", 1), 3, "`gest` is not known"),
        (("b", "c"), 8, "the expression ends too early"),
    ]


def test_a_tree_is_rendered_in_place() -> None:
    """Texts in lists and maps are templates, keys and other values are not."""
    value = {
        "payload": ["${data.type}", 1, 1.5, True, None, {"${data.type}": "${data.open}"}],
        "static": "$${",
    }
    made = tree(value)
    assert render_tree(made, scope()) == {
        "payload": ["read", 1, 1.5, True, None, {"${data.type}": True}],
        "static": "${",
    }
    assert [template.source for template in templates(made)] == ["${data.type}", "${data.open}"]
    assert tree_reads(made) == {"data.type", "data.open"}
    assert tree_needs(made, "data.open")
    assert not tree_needs(made, "guest.status")


def test_what_is_no_value_of_a_policy_is_no_tree() -> None:
    """The caller passed something that YAML cannot give."""
    with pytest.raises(TypeError):
        tree({"a": {1, 2}})


def test_a_template_tells_what_it_reads() -> None:
    """All its expressions together."""
    made = compile_template("${guest.name}-${run.id}", STEPS)
    assert made.reads == {"guest.name", "run.id"}
    assert made.needs("guest.name")
    assert not made.needs("guest.status")
    assert not made.static


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("${data.miss}", "<error: data has no member 'miss'>", id="alone"),
        pytest.param(
            "a ${data.miss} ${data.type}", "a <error: data has no member 'miss'> read", id="inside"
        ),
    ],
)
def test_a_template_that_fails(text: str, expected: str) -> None:
    """It fails its step, and in a lenient place it says why instead."""
    with pytest.raises(EvaluationFailed, match=r"^data has no member 'miss'$"):
        rendered(text)
    assert render_tree(tree(text), scope(), lenient=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/dumps/${data.said}.kdump", "/dumps/etc-x.kdump", id="inside a path"),
        pytest.param("${data.said}", "etc-x", id="alone"),
        pytest.param("/dumps/fixed.kdump", "/dumps/fixed.kdump", id="without an expression"),
        pytest.param("n${data.n}", "n5", id="a number"),
    ],
)
def test_a_slugged_template_cannot_leave_its_folder(text: str, expected: str) -> None:
    """What comes from an expression is one safe part; what the author wrote stays."""
    assert render_slugged(tree(text), scope(data={"said": "../etc/x", "n": 5})) == expected


def test_a_text_has_a_bound() -> None:
    """A template that would give more than 1 MiB fails."""
    half = "x" * (1 << 19)
    assert rendered("${data.s}${data.s}", data={"s": half}) == half + half
    with pytest.raises(EvaluationFailed, match=r"^the text is longer than 1 MiB$"):
        rendered("${data.s}${data.s}!", data={"s": half})


def test_a_number_that_no_text_can_hold() -> None:
    """Python refuses to write numbers of more than 4300 digits."""
    made = tree("n=${data.n}")
    assert isinstance(made, Template)
    with pytest.raises(EvaluationFailed, match=r"^Exceeds the limit"):
        made.render(scope(data={"n": 10**5000}))
