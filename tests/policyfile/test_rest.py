"""A policy with an error: what is sound of it is looked at all the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.errors import Code, Severity
from reactor.policyfile.check import load_text

HEAD = "policy: p\ndescription: d\n"
TRIGGER = "trigger: {event: RESET}\n"
STEPS = "steps: [{log: x}]\n"
ODD = "{wait: {event: STPO, timeout: 5m}}"
"""A step with a finding of its own."""


def told(text: str) -> list[str]:
    """Code and place of everything that is told."""
    found = load_text(text, "f").problems
    return [f"{one.code.value} {one.place.line}:{one.place.column} {one.path}" for one in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n- {{guest: restet}}\n- {ODD}\n",
            ["R005 5:11 steps/0/guest", "R012 6:18 steps/1/wait/event"],
            id="in a step before",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n- {ODD}\n- lgo: x\n- {{agent: guest-pin}}\n",
            ["R012 5:18 steps/0/wait/event", "R003 6:3 steps/1", "R012 7:11 steps/2/agent"],
            id="in a step between",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n- choose:\n  - when: data.guest\n    steps: [{ODD}, "
            f"{{log: 5}}]\n  - default: [{ODD}, {{delay: 5}}]\n",
            [
                "R012 7:28 steps/0/choose/0/steps/0/wait/event",
                "R005 7:55 steps/0/choose/0/steps/1/log",
                "R012 8:30 steps/0/choose/1/default/0/wait/event",
                "R005 8:59 steps/0/choose/1/default/1/delay",
            ],
            id="in ways of choose",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n- repeat: {{times: 2}}\n  steps:\n  - parallel: [[{ODD}, "
            "{log: 5}]]\n",
            [
                "R012 7:32 steps/0/steps/0/parallel/0/0/wait/event",
                "R005 7:59 steps/0/steps/0/parallel/0/1/log",
            ],
            id="in rounds and branches",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}on_failure: [{ODD}]\nsteps:\n- {{log: x, retry: {{tims: 1}}}}\n",
            ["R012 4:29 on_failure/0/wait/event", "R003 6:20 steps/0/retry/tims"],
            id="in a handler",
        ),
        pytest.param(
            f"{HEAD}trigger: {{event: STPO, where: dat.x}}\n{STEPS}",
            ["R012 3:18 trigger/event", "R008 3:31 trigger/where"],
            id="in the same trigger",
        ),
        pytest.param(
            f"{HEAD}trigger: [{{event: STPO}}, {{event: x y}}, {{evnt: STOP}}]\n{STEPS}",
            ["R012 3:19 trigger/0/event", "R005 3:34 trigger/1/event", "R003 3:41 trigger/2"],
            id="in another trigger",
        ),
        pytest.param(
            f"{HEAD}trigger: 5\nsteps: [{ODD}]\n",
            ["R005 3:10 trigger", "R012 4:24 steps/0/wait/event"],
            id="in a trigger that is none",
        ),
        pytest.param(
            "trigger: {event: STPO}\npolicy: P\nsteps: 5\n",
            ["R006 1:1 ", "R012 1:18 trigger/event", "R005 2:9 policy", "R005 3:8 steps"],
            id="in all the rest, or not there",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}vars: {{a: '${{b}}', C: 1}}\nsteps: [{ODD}, {{log: '${{vars.a}}'}}]\n",
            ["R008 4:14 vars/a", "R005 4:19 vars/C", "R012 5:24 steps/0/wait/event"],
            id="in vars",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}arm: [{{log: x}}]\nmode: x\nsteps: [{ODD}, {{log: !x y}}]\n",
            ["R005 4:7 arm/0", "R005 5:7 mode", "R012 6:24 steps/0/wait/event", "R004 6:51 "],
            id="in what stands before the run; what the reader refuses",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps:\n- {{qmp: query-kvm, save: q, retry: 1}}\n"
            f"- {{log: '${{steps.q.ok}}'}}\n- {ODD}\n",
            ["R005 5:36 steps/0/retry", "R012 7:18 steps/2/wait/event"],
            id="a later step needs the one that is left out",
        ),
        pytest.param(
            f"{HEAD}trigger: {{event: GUEST_PANICKED}}\nlimits: [x]\nsteps: [{{guest: reset}}]\n",
            ["R005 4:10 limits/0"],
            id="that a limit is missing would follow from the error",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}steps: [{{run: rest}}, {ODD}]\n",
            ["R005 4:15 steps/0/run", "R012 4:37 steps/1/wait/event"],
            id="a runbook that is not there",
        ),
        pytest.param(
            f"{HEAD}{TRIGGER}a/b: 1\nsteps: [{ODD}]\n",
            ["R003 4:1 a/b", "R012 5:24 steps/0/wait/event"],
            id="a key that looks like a path",
        ),
    ],
)
def test_an_error_hides_no_finding_in_the_rest(text: str, found: list[str]) -> None:
    """Each is told once, at its place."""
    assert told(text) == found
    assert load_text(text, "f").policies == ()


def test_a_permission_is_told_of_the_rest() -> None:
    """The rest is a policy that can be looked at as any other, and is not among the sound ones."""
    loaded = load_text(f"{HEAD}{TRIGGER}steps: [{{qmp: quit}}, {{log: 5}}]\n", "f")
    (rest,) = loaded.rests
    assert [type(step).__name__ for step in rest.steps] == ["QmpStep", "LogStep"]


def test_of_nothing_there_is_no_rest() -> None:
    """What is wrong with the whole cannot be taken out."""
    large = "runbook: large\ndescription: d\nsteps:\n" + "- log: x\n" * 2001
    text = f"{HEAD}{TRIGGER}steps:\n" + "- run: large\n" * 5
    loaded = load_text(f"{text}---\n{large}", "f")
    assert [one.code for one in loaded.problems] == [Code.WRONG_VALUE]
    assert (loaded.policies, loaded.rests) == ((), ())


KEYS = ["policy", "trigger", "steps", "if", "vars", "guests", "arm", "limits", "on_limit", "log"]
VALUES = st.recursive(
    st.sampled_from(["x", "5", "RESET", "${x}", "data.x", "!a b", "*a", "reset"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.tuples(st.sampled_from([*KEYS, "event", "where", "choose", "when"]), inner).map(
            lambda pair: f"{{{pair[0]}: {pair[1]}}}"
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1))
def test_whatever_stands_there_nothing_raises(document: dict[str, str]) -> None:
    """And an error stays one."""
    text = "".join(f"{key}: {value}\n" for key, value in document.items())
    loaded = load_text(f"policy: p\n{text}", "f")
    errors = [one for one in loaded.problems if one.severity is Severity.ERROR]
    assert bool(errors) is not bool(loaded.policies)
    assert all(one.code is not Code.NOT_BUILT for one in errors)
