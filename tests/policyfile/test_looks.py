"""What becomes of a policy that reads a member which the guest's own QEMU has not."""

import itertools

import pytest

from reactor.core.expr import STEPS, Scope, compile_expression
from reactor.policyfile.check import load_text
from reactor.policyfile.lacks import Standing, lacks
from reactor.policyfile.looks import Answers, answers
from reactor.policyfile.needs import needs_of
from reactor.qapi.shipped import schema_of
from tests.core.simulation import policy

OLD = Standing(qemu="7.2.22", digest="old", schema=schema_of("7.2"))
NEW = Standing(qemu="11.1.3", digest="new", schema=schema_of("11.1"))
NO_PATH = "QEMU 7.2.22: BLOCK_IO_ERROR has no member `qom_path`"
READS = "data.qom_path == 'x'"
TWO = "data.device == 'd' || data.qom_path == 'x'"
LOG = "[{log: x}]"
QUERY = "{qmp: query-status, save: s}"


def said(text: str, guest: Standing) -> list[str]:
    """What this policy lacks on that guest."""
    found = lacks(needs_of(policy(f"policy: p\ndescription: d\n{text}\n")), guest)
    return [lack.sentence for lack in found]


def on(trigger: str, steps: str = LOG, more: str = "") -> str:
    """A policy."""
    return f"{more}trigger: {trigger}\nsteps: {steps}"


IO = "{event: BLOCK_IO_ERROR}"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param(
            on(f"{{event: BLOCK_IO_ERROR, where: {READS}}}"),
            [f"cannot fire: {NO_PATH}"],
            id="the condition of the trigger",
        ),
        pytest.param(
            on("{event: BLOCK_IO_ERROR, by: data.qom_path}"),
            [f"cannot fire: {NO_PATH}"],
            id="its key",
        ),
        pytest.param(
            on(f"[{{event: STOP}}, {{event: BLOCK_IO_ERROR, where: {READS}}}]"),
            [f"cannot fire at trigger/1: {NO_PATH}"],
            id="another trigger can fire",
        ),
        pytest.param(
            on(f"{{event: BLOCK_IO_ERROR, where: {TWO}}}"),
            [f"cannot read at trigger/where: {NO_PATH}"],
            id="the other side of || may hold",
        ),
        pytest.param(
            on(f"{{event: BLOCK_IO_ERROR, where: has(data.qom_path) && {READS}}}"),
            [],
            id="asked for with has()",
        ),
        pytest.param(
            on('{event: BLOCK_IO_ERROR, where: \'data.?qom_path.orValue("x") == "x"\'}'),
            [],
            id="read as optional",
        ),
        pytest.param(
            on(
                f"{{event: STOP, followed_by: {{event: BLOCK_IO_ERROR, where: {READS},"
                " within: 1m}}"
            ),
            [f"cannot fire: {NO_PATH}"],
            id="a second event that must come",
        ),
        pytest.param(
            on(
                f"{{event: STOP, cancel_on: [{{event: BLOCK_IO_ERROR, where: {READS}}}],"
                f" not_followed_by: {{event: BLOCK_IO_ERROR, where: {READS}, within: 1m}}}}"
            ),
            [
                f"cannot read at trigger/not_followed_by/where: {NO_PATH}",
                f"cannot read at trigger/cancel_on/0/where: {NO_PATH}",
            ],
            id="events that only hold it back",
        ),
        pytest.param(on(IO, more=f"if: {READS}\n"), [f"cannot fire at if: {NO_PATH}"], id="if"),
        pytest.param(
            on(IO, more=f"if: {TWO}\n"), [f"cannot read at if: {NO_PATH}"], id="if, one of two"
        ),
        pytest.param(
            on(IO, more=f"inhibit_if: [{READS}]\n"),
            [f"cannot fire at inhibit_if: {NO_PATH}"],
            id="what cannot be read inhibits",
        ),
        pytest.param(
            on(IO, more="vars: {q: '${data.qom_path}', r: 5}\n"),
            [f"fails at vars/q: {NO_PATH}"],
            id="a var",
        ),
        pytest.param(
            on(IO, f"[{{if: {TWO}, log: '${{data.qom_path}}'}}]"),
            [f"cannot read at steps/0/if: {NO_PATH}"],
            id="the if of a step; a text may lack it",
        ),
        pytest.param(
            on(IO, '[{check: data.qom_path == "x"}, {check: data.qom_path != "y"}]'),
            [f"fails at steps/0/check: {NO_PATH}"],
            id="a check",
        ),
        pytest.param(
            on(IO, '[{check: data.qom_path == "x", on_error: continue}]'),
            [f"cannot read at steps/0/check: {NO_PATH}"],
            id="whose author reckons with it",
        ),
        pytest.param(
            on(
                IO,
                '[{wait: {until: data.qom_path == "x", timeout: 1m}},'
                ' {wait: {stays: data.qom_path == "x", for: 1s, timeout: 1m}},'
                ' {wait: {event: BLOCK_IO_ERROR, where: data.qom_path == "x", timeout: 1m}},'
                ' {qmp: stop, wait: {event: BLOCK_IO_ERROR, fail_when: data.qom_path == "x",'
                " timeout: 1m}}]",
            ),
            [
                f"fails at steps/0/wait/until: {NO_PATH}",
                f"fails at steps/1/wait/stays: {NO_PATH}",
                f"fails at steps/2/wait/where: {NO_PATH}",
                f"cannot read at steps/3/wait/fail_when: {NO_PATH}",
            ],
            id="waits",
        ),
        pytest.param(
            on(
                IO,
                '[{choose: [{when: data.qom_path == "x", steps: [{log: x}]},'
                " {default: [{log: y}]}]},"
                ' {repeat: {times: 2, until: data.qom_path == "x"}, steps: [{log: x}]}]',
            ),
            [
                f"cannot read at steps/0/choose/0/when: {NO_PATH}",
                f"fails at steps/1/repeat/until: {NO_PATH}",
            ],
            id="ways and rounds",
        ),
        pytest.param(
            on(
                IO,
                "[{qmp: block_resize, args: {device: '${data.qom_path}', size: 5}},"
                " {agent: guest-file-open, args: {path: '${data.qom_path}'}},"
                " {guest: dump, to: '${data.qom_path}'},"
                " {exec: [/bin/x, 'q=${data.qom_path}', y]},"
                " {publish: a, payload: '${data.qom_path}'}]",
            ),
            [
                f"fails at steps/0/args: {NO_PATH}",
                f"fails at steps/1/args: {NO_PATH}",
                f"fails at steps/2/to: {NO_PATH}",
                f"fails at steps/3/exec: {NO_PATH}",
            ],
            id="values that must be whole",
        ),
        pytest.param(
            on(
                IO,
                more="finally:\n  - check: data.qom_path == 'x'\n"
                "  - qmp: block_resize\n    args: {device: '${data.qom_path}', size: 5}\n",
            ),
            [f"cannot read at finally/0/check: {NO_PATH}"],
            id="handlers go on without",
        ),
    ],
)
def test_a_member_that_only_a_newer_qemu_has(text: str, sentences: list[str]) -> None:
    """It is told for what it is read for; the newer QEMU lacks nothing, nor does who told none."""
    assert said(text, OLD) == sentences
    assert said(text, NEW) == []
    assert said(text, Standing()) == []


def test_a_member_of_a_reply_that_a_newer_qemu_dropped() -> None:
    """Replies are looked at as events are."""
    text = on(IO, f"[{QUERY}, {{check: steps.s.result.singlestep}}]")
    sentence = "QEMU 11.1.3: the reply of query-status has no member `singlestep`"
    assert said(text, NEW) == [f"fails at steps/1/check: {sentence}"]
    assert said(text, OLD) == []


def test_what_a_runbook_is_given() -> None:
    """It is rendered before the first of its steps."""
    book = "runbook: r\ndescription: d\nparams: {p: {type: string}}\nsteps: [{log: x}]\n"
    text = on(IO, "[{run: r, with: {p: '${data.qom_path}'}}]")
    loaded = load_text(f"{book}---\npolicy: p\ndescription: d\n{text}\n", "f")
    found = [lack.sentence for lack in lacks(needs_of(loaded.policies[0]), OLD)]
    assert found == [f"fails at steps/0/with: {NO_PATH}"]


LEFT = [
    pytest.param("data.a == 1", False, False, id="read"),
    pytest.param("data.b == 1", True, True, id="another"),
    pytest.param("!(data.a == 1)", False, False, id="not"),
    pytest.param("data.a == 1 && data.b == 1", False, True, id="and"),
    pytest.param("data.a == 1 || data.b == 1", True, False, id="or"),
    pytest.param("!(data.a == 1 && data.b == 1)", True, False, id="neither"),
    pytest.param("data.b == 1 ? data.a == 1 : data.c == 1", True, True, id="one way is there"),
    pytest.param("data.a == 1 ? data.b == 1 : data.c == 1", False, False, id="no way is known"),
    pytest.param("data.b == 1 ? data.a == 1 : data.a == 2", False, False, id="neither way"),
    pytest.param("data.l.exists(x, x == data.a)", True, True, id="no items, nothing is read"),
    pytest.param("data.a.exists(x, x == 1)", False, False, id="the items themselves"),
    pytest.param("[data.b, data.a] == [1, 2]", False, False, id="in a list"),
    pytest.param("true", True, True, id="nothing is read"),
]


@pytest.mark.parametrize(("source", "true", "false"), LEFT)
def test_which_answers_are_left(source: str, true: bool, false: bool) -> None:
    """As CEL computes with errors: what decides without them decides."""
    tree = compile_expression(source, condition=True, names=STEPS).tree
    assert answers(tree, {"data.a"}) == Answers(true, false)


@pytest.mark.parametrize("source", [one.values[0] for one in LEFT])
def test_no_other_answer_ever_comes(source: str) -> None:
    """Whatever the rest of the data is."""
    made = compile_expression(source, condition=True, names=STEPS)
    left = answers(made.tree, {"data.a"})
    for b, c, listed in itertools.product((None, 1, 2), (None, 1, 2), ([], [1, 2])):
        members = {"b": b, "c": c, "l": listed}
        data = {name: value for name, value in members.items() if value is not None}
        answer = made.holds(Scope({"data": data}))
        assert left.true or not answer.truth, data
        assert left.false or answer.truth or answer.failed, data
