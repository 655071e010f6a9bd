"""Policies, settings and expressions: any text gives a value or an error with a place."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.app import settings_layers
from reactor.app.settings import SettingsFileError
from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings
from reactor.core.expr import HANDLERS, STEPS, Answer, EvaluationFailed, Names, compile_expression
from reactor.core.program import compile_program
from reactor.core.template import compile_template
from reactor.errors import ExpressionError, Problem, TemplateError
from reactor.policyfile.check import load_text
from tests.core.expression_help import scope
from tests.fuzz.mutations import cheap, damaged, files

POLICIES = files("rules/*.yaml", "examples/*/rules/*.yaml", "tests/policyfile/corpus/*/*.yaml")
SETTINGS = files("examples/*/reactor.yaml")
WORDS = sorted({word for text in POLICIES for word in text.split() if len(word) < 30})

EXPRESSIONS = [
    b'data.type == "read" && data.?error.orValue("") == "" || data.sectors_count > 8',
    b'data.children.filter(c, !c.ok).map(c, c.node_name).size() >= 1 ? "a" : string(vars.limit)',
    b'data.names.exists(n, n.matches("^[a-c]{1,9}$")) && has(data.result.status)',
    b'timestamp("2026-01-01T00:00:00Z") - duration("90s") < timestamp("2027-01-01T00:00:00Z")',
    b'{"a": [1, 2.5, null, true]}["a"][1] * 3.0 + double(data.sectors_count) / 7.0 - -4.0',
    b'marked("disk", "drive0", "degraded") && guest.labels["on-panic"] in ["keep", "dump"]',
    b'steps.q.result["job-id"].startsWith("j") && "x".contains("") && int("12") % 5 == 2',
    b'guest.name + "-" + run.id + "\\u00e4\\n" + r"\\d" + string(b"abc".size())',
]
TOKENS = [
    b"data", b".type", b"['a']", b"[0]", b".?", b"[?", b".orValue(", b"?", b":", b"&&", b"||", b"!",
    b"==", b"<", b"in", b"+", b"-", b"*", b"/", b"%", b"(", b")", b"[", b"]", b"{", b"}",
    b".all(x,", b".map(x, x)",
    b".exists_one(", b"has(", b"size(", b"matches(", b"1", b"1u", b"1.5e3", b"0x7f",
    b"'s'", b'"""', b'r"', b"b'", b"null", b"true", b"dyn(", b"type(", b"marked(", b"now()",
    b"9223372036854775807", b"-9223372036854775808", b".matches('(a+)+$')", b"optional.none()",
]  # fmt: skip

ANY = Names("a test", HANDLERS.allowed)


@given(damaged(POLICIES, WORDS))
def test_a_policy_file(content: bytes) -> None:
    """Sound policies and problems that stand inside the file; what is sound is a program."""
    text = content.decode(errors="surrogateescape")
    with cheap():
        loaded = load_text(text, "f")
    for problem in loaded.problems:
        assert 1 <= problem.place.line <= text.count("\n") + text.count("\r") + 2
        assert problem.problem
        assert problem.fix
    for policy in loaded.policies:
        assert compile_program(policy).ops


@given(damaged(SETTINGS, WORDS))
def test_a_settings_file(content: bytes) -> None:
    """Settings, or every problem; never anything else."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings_layers, "SYSTEM_FILE", Path(folder, "etc", "reactor.yaml"))
        file = Path(folder, "reactor.yaml")
        file.write_bytes(content)
        told: tuple[Problem, ...] | None = None
        with cheap():
            try:
                load_settings(Flags(config=file), {"HOME": folder})
            except SettingsFileError as error:
                told = tuple(error.problems)
    assert told is None or (told and all(one.problem and one.fix for one in told))


def computed(source: str, *, condition: bool) -> ExpressionError | Answer:
    """What an expression comes to, or why it is none; that it may fail is its right."""
    try:
        expression = compile_expression(source, condition=condition, names=STEPS)
    except ExpressionError as error:
        return error
    with suppress(EvaluationFailed):
        expression.value(scope())
    return expression.holds(scope())


@given(
    st.one_of(
        damaged(EXPRESSIONS, TOKENS),
        st.lists(st.sampled_from(TOKENS), max_size=30).map(b" ".join),
    ),
    st.booleans(),
)
def test_an_expression(content: bytes, condition: bool) -> None:
    """Is refused with a place, or has a value, or fails with a reason; and always ends."""
    source = content.decode(errors="replace")
    with cheap():
        outcome = computed(source, condition=condition)
    if isinstance(outcome, ExpressionError):
        assert 1 <= outcome.column <= len(source) + 1
        assert outcome.problem
    else:
        assert outcome.reason or not outcome.failed


@given(damaged([b"a ${data.type} b $${c} ${guest.name}", *EXPRESSIONS], [*TOKENS, b"${", b"}"]))
def test_a_template(content: bytes) -> None:
    """Its text is the author's with values put in once: `${` in a value stays what it is."""
    text = content.decode(errors="replace")
    with cheap():
        try:
            template = compile_template(text, ANY)
        except TemplateError:
            return
        rendered = template.render(scope(), lenient=True)
    if template.static:
        assert rendered == text.replace("$${", "${")


@given(st.sampled_from(["${data.type}", "x ${data.type} y", "${data}"]), st.text(max_size=30))
def test_a_value_that_looks_like_a_template(text: str, evil: str) -> None:
    """Whatever a guest says, it is put in as it is."""
    said = f"${{{evil}}} ${{run.id}}"
    template = compile_template(text, ANY)
    rendered = template.render(scope(data={"type": said}))
    shown = rendered["type"] if isinstance(rendered, dict) else str(rendered)
    assert said in shown
