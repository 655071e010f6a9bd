"""Steps, ways and handlers that are never reached, and conditions that never hold."""

import pytest

from reactor.core.expr import TRIGGER, Expression, compile_expression
from reactor.policyfile.lints.terms import Said, said_by
from tests.policyfile.linting import EVENT, HEAD, codes, found, sentences


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param("- stop: x\n- log: x\n- log: y\n", ["R060 steps/1"], id="behind `stop`"),
        pytest.param("- fail: x\n- log: x\n", ["R060 steps/1"], id="behind `fail`"),
        pytest.param("- log: x\n- stop: x\n", [], id="at the end"),
        pytest.param("- {if: guest.migrating, stop: x}\n- log: x\n", [], id="behind an `if`"),
        pytest.param("- {fail: x, on_error: continue}\n- log: x\n", [], id="it may go on"),
        pytest.param(
            "- check: 'false'\n- log: x\n",
            ["R061 steps/0/check", "R060 steps/1"],
            id="behind a check that never holds",
        ),
        pytest.param("- check: guest.migrating\n- log: x\n", [], id="behind one that may"),
        pytest.param(
            "- choose:\n  - {when: guest.migrating, steps: [{log: x}, {stop: x}]}\n"
            "  - default: [{fail: x}]\n- log: x\n",
            ["R060 steps/1"],
            id="behind ways that all end",
        ),
        pytest.param(
            "- choose: [{when: guest.migrating, steps: [{stop: x}]}]\n- log: x\n",
            [],
            id="behind one of the ways",
        ),
        pytest.param(
            "- choose: [{when: guest.migrating, steps: [{stop: x}]}, {default: [{log: x}]}]\n"
            "- log: x\n",
            [],
            id="a way goes on",
        ),
        pytest.param(
            "- repeat: {times: 2}\n  steps: [{stop: x}, {log: x}]\n",
            ["R060 steps/0/steps/1"],
            id="inside of a step",
        ),
        # ways that are never taken
        pytest.param(
            "- choose:\n  - {when: 'true', steps: [{log: x}]}\n  - default: [{log: x}]\n",
            ["R060 steps/0/choose/1"],
            id="behind one that always holds",
        ),
        pytest.param(
            "- choose:\n  - {when: guest.migrating, steps: [{log: x}]}\n"
            "  - {when: guest.migrating, steps: [{log: x}]}\n  - default: [{log: x}]\n",
            ["R060 steps/0/choose/1"],
            id="behind the same",
        ),
        pytest.param(
            '- choose:\n  - {when: \'guest.status in ["paused", "running"]\', steps: [{log: x}]}\n'
            "  - {when: guest.migrating && guest.status == 'paused', steps: [{log: x}]}\n",
            ["R060 steps/0/choose/1"],
            id="behind a more general one",
        ),
        pytest.param(
            "- choose:\n  - {when: guest.status == 'paused', steps: [{log: x}]}\n"
            '  - {when: \'guest.status in ["paused", "running"]\', steps: [{log: x}]}\n',
            [],
            id="behind a more special one",
        ),
        pytest.param(
            "- choose:\n  - {when: 'false', steps: [{log: x}]}\n  - default: [{log: x}]\n",
            ["R061 steps/0/choose/0/when"],
            id="one that never holds",
        ),
        # conditions of steps
        pytest.param("- {if: 1 == 2, log: x}\n", ["R061 steps/0/if"], id="`if`"),
        pytest.param(
            "- wait: {until: 'false', timeout: 1m}\n", ["R061 steps/0/wait/until"], id="`until`"
        ),
        pytest.param(
            "- wait: {stays: 'false', for: 1m, timeout: 1h}\n",
            ["R061 steps/0/wait/stays"],
            id="`stays`",
        ),
        pytest.param(
            "- wait: {event: STOP, where: 'false'}\n", ["R061 steps/0/wait/where"], id="a wait"
        ),
        pytest.param(
            "- qmp: stop\n  wait: {event: STOP, where: 'false'}\n",
            ["R061 steps/0/wait/where"],
            id="a wait on a command",
        ),
        pytest.param("- wait: {event: STOP, where: event.own}\n", [], id="one that may hold"),
    ],
)
def test_steps(steps: str, expected: list[str]) -> None:
    """Each with the first step, or the condition, that is in vain."""
    assert codes(f"{EVENT}steps:\n{steps}") == expected


STEPS = "steps: [{log: x}]\n"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(
            "trigger: {event: WATCHDOG, where: data.action == 'none' && data.action == 'debug'}\n",
            ["R061 trigger/where"],
            id="two things at once",
        ),
        pytest.param(
            "trigger: {event: [STOP, RESUME], where: event.name == 'STOP'}\n",
            ["R061 trigger/event/1"],
            id="an event that is left out",
        ),
        pytest.param(
            "trigger: {event: 'ST*', where: event.name == 'STOP'}\n", [], id="of a glob one is left"
        ),
        pytest.param(
            "trigger:\n  event: MEM_UNPLUG_ERROR\n"
            "  where: event.name == 'DEVICE_UNPLUG_GUEST_ERROR'\n",
            [],
            id="its other name",
        ),
        pytest.param(
            "trigger: {event: STOP, where: event.own}\n", ["R061 trigger/where"], id="own ones"
        ),
        pytest.param("trigger: {event: STOP, own: true, where: event.own}\n", [], id="taken"),
        pytest.param("trigger: {event: STOP, where: '!event.own'}\n", [], id="not own ones"),
        pytest.param(
            "trigger: {event: STOP, synthetic: false, where: event.synthetic}\n",
            ["R061 trigger/where"],
            id="synthetic ones",
        ),
        pytest.param("trigger: {event: STOP, where: event.synthetic}\n", [], id="taken too"),
        pytest.param(
            "trigger: [{event: STOP, followed_by: {event: RESUME, where: 'false', within: 1m}}]\n",
            ["R061 trigger/0/followed_by/where"],
            id="a second event",
        ),
        pytest.param(
            "trigger:\n  event: STOP\n"
            "  not_followed_by: {event: RESUME, where: 'false', within: 1m}\n"
            "  cancel_on: [RESET, {event: SHUTDOWN, where: 'false'}]\n",
            ["R061 trigger/not_followed_by/where", "R061 trigger/cancel_on/1/where"],
            id="an absence, and what cancels it",
        ),
        pytest.param(
            "trigger: {state: guest.status == 'paused' && guest.status == 'running'}\n",
            ["R061 trigger/state"],
            id="a state",
        ),
        pytest.param("trigger: {state: guest.status == 'paused'}\n", [], id="a state that may be"),
        pytest.param(f"{EVENT}if: 'false'\n", ["R061 if"], id="`if`"),
        pytest.param(
            f"{EVENT}if: [guest.status == 'paused', guest.status != 'paused']\n",
            ["R061 if"],
            id="a list",
        ),
        pytest.param(
            "trigger: {event: WATCHDOG, where: data.action == 'none'}\n"
            "if: data.action == 'debug'\n",
            ["R061 if"],
            id="`if` against `where`",
        ),
        pytest.param(
            "trigger: [{event: WATCHDOG, where: data.action == 'none'}, {event: WATCHDOG}]\n"
            "if: data.action == 'debug'\n",
            [],
            id="against one of them",
        ),
        pytest.param(
            f"{EVENT}on_limit: [{{log: x}}]\n", ["R060 on_limit"], id="a handler without limits"
        ),
        pytest.param(
            f"{EVENT}on_limit: [{{log: x}}]\nlimits: [1 per 1h per guest]\n", [], id="with limits"
        ),
        pytest.param("trigger: {every: 1d}\nif: guest.migrating\n", [], id="by the clock"),
    ],
)
def test_policies(policy: str, expected: list[str]) -> None:
    """Triggers that never fire, an `if` that never holds, a handler for what never happens."""
    assert codes(policy + STEPS) == expected


def test_a_status_may_be_another_one_later() -> None:
    """What `where` saw is no longer so when `if` is asked."""
    policy = (
        "trigger: {event: STOP, where: guest.status == 'running'}\nif: guest.status == 'paused'\n"
    )
    assert codes(policy + STEPS) == ["R033 trigger/where"]


def test_the_end_of_a_runbook_is_the_end_of_the_run() -> None:
    """And what stands behind the step that runs it is never reached."""
    book = "---\nrunbook: r\ndescription: d\nsteps: [{stop: x}]\n"
    text = f"{HEAD}{EVENT}steps:\n- run: r\n- log: x\n{book}"
    assert [f"{one.place} {one.code.value}" for one in found(text)] == ["f:6:3 R060"]


def test_the_sentences() -> None:
    """Whole, with places and fixes."""
    assert sentences(
        "trigger: {event: [STOP, RESUME], where: event.name == 'STOP'}\non_limit: [{log: x}]\n"
        "steps:\n- check: guest.status == 'paused' && guest.status == 'running'\n- log: x\n"
    ) == (
        "warning: f:3:25: R061 the `where` of this trigger leaves RESUME out\n"
        "  fix: take the event out, or mend the `where`\n"
        "warning: f:4:11: R060 `on_limit` is never reached: the policy has no `limits`\n"
        "  fix: add `limits`, or take it out\n"
        "warning: f:6:10: R061 this condition never holds: guest.status would have to be two"
        " things at once\n  fix: mend the condition, or take out what depends on it\n"
        "warning: f:7:3: R060 this is never reached: the `check` before it never holds\n"
        "  fix: take it out, or give the step before it an `if`\n"
    )
    assert sentences(
        "trigger: {event: STOP, where: event.own && event.synthetic, synthetic: false}\n"
        "if: [data.size() == 5, data.size() == 6]\n"
        "steps:\n- choose:\n  - {when: guest.migrating, steps: [{stop: x}]}\n"
        "  - {when: guest.migrating, steps: [{stop: x}]}\n  - default: [{fail: x}]\n- log: x\n"
    ) == (
        "warning: f:3:31: R061 effects of our own commands do not open a trigger that lacks"
        " `own: true`\n  fix: add `own: true` to the trigger\n"
        "warning: f:3:31: R061 `synthetic: false` leaves out what this asks for\n"
        "  fix: take `synthetic: false` out\n"
        "warning: f:4:5: R061 this condition never holds: one value would have to be two things"
        " at once\n  fix: mend the condition, or take out what depends on it\n"
        "warning: f:8:5: R060 this way is never taken: `guest.migrating` before it holds whenever"
        " it would\n  fix: put the more special one first, or take it out\n"
        "warning: f:10:3: R060 this is never reached: the step before it always ends the run\n"
        "  fix: take it out, or give the step before it an `if`\n"
    )


def said(*sources: str) -> Said:
    """What these conditions of a trigger say."""
    return said_by(made(source) for source in sources)


def made(source: str) -> Expression:
    """The condition."""
    return compile_expression(source, condition=True, names=TRIGGER)


@pytest.mark.parametrize(
    ("sources", "impossible"),
    [
        pytest.param(["data.a == 'x'", "data.a == 'y'"], True, id="two values"),
        pytest.param(["data.a == 'x'", "data.a != 'x'"], True, id="one, and not that"),
        pytest.param(["'x' == data.a", "!(data.a == 'x')"], True, id="turned round"),
        pytest.param(["data.a != 'x'", "!(data.a != 'x')"], True, id="not the same twice"),
        pytest.param(["data.a in ['x', 'y']", "!(data.a in ['x', 'y'])"], True, id="lists"),
        pytest.param(["data.a in ['x', 'y']", "data.a != 'x'"], False, id="one is left"),
        pytest.param(["data.open", "!data.open"], True, id="true and false"),
        pytest.param(["data.n == 1", "data.n"], True, id="1 is not true"),
        pytest.param(["has(data.open)", "data.open == false"], False, id="has() is no value"),
        pytest.param(["has(data.open)", "!has(data.open)"], True, id="has() twice"),
        pytest.param(["data.a == 'x' || data.b == 'y'", "data.a == 'z'"], False, id="either"),
        pytest.param(["data.n > 5", "data.n < 5"], False, id="more than is looked at"),
        pytest.param(["data.a in data.b", "data.a == data.c"], False, id="no literals"),
        pytest.param(["data.a in ['x', data.b]", "data.a == 'y'"], False, id="one of them none"),
        pytest.param(["'x' in ['y']"], True, id="two literals"),
        pytest.param(["1 == 2"], True, id="two others"),
        pytest.param(["1 != 2", "!false", "true"], False, id="always"),
        pytest.param(["!true"], True, id="never"),
    ],
)
def test_what_cannot_hold(sources: list[str], *, impossible: bool) -> None:
    """As far as single values tell."""
    assert (said(*sources).impossible is not None) is impossible


@pytest.mark.parametrize(
    ("one", "other", "implies"),
    [
        pytest.param("data.a == 'x'", "true", True, id="nothing is asked"),
        pytest.param("data.a == 'x'", "data.a in ['x', 'y']", True, id="one of them"),
        pytest.param("data.a in ['x', 'y']", "data.a == 'x'", False, id="the other way"),
        pytest.param("data.a == 'x'", "data.a != 'y'", True, id="so it is not"),
        pytest.param("data.a != 'x' && data.a != 'y'", "data.a != 'y'", True, id="fewer"),
        pytest.param("data.a != 'x'", "data.a != 'y'", False, id="another"),
        pytest.param("data.a != 'x'", "data.a == 'y'", False, id="not known"),
        pytest.param("data.n > 5 && data.open", "data.n > 5", True, id="written alike"),
        pytest.param("data.n > 6", "data.n > 5", False, id="not looked at"),
    ],
)
def test_what_implies_what(one: str, other: str, *, implies: bool) -> None:
    """Whenever the first holds the other does; false where that is not known."""
    assert said(one).implies(said(other)) is implies
