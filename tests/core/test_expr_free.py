"""`host.free(path)`: asked for before, never called; and the names of the other places."""

import pytest

from reactor.core.expr import (
    MESSAGE,
    PARAM_DEFAULT,
    RUNBOOK,
    SEQUEL,
    STATE,
    STEPS,
    EvaluationFailed,
    Names,
    Scope,
)
from tests.core.expression_help import DATA, EVENT, GUEST, RUN, compiled, refused

ASKED = STEPS.asking()


def scope(free: dict[str, int] | None) -> Scope:
    """A scope in which this was asked about free room."""
    return Scope({"guest": GUEST, "host": {"name": "h"}, "data": DATA}, free=free)


@pytest.mark.parametrize(
    ("source", "frees"),
    [
        pytest.param("true", (), id="nothing"),
        pytest.param('host.free("/var/crash") > 1', ("/var/crash",), id="one path"),
        pytest.param(
            'host.free("/b") > host.free("/a") && host.free("/b") > 1', ("/b", "/a"), id="each once"
        ),
        pytest.param('data.names.all(n, host.free("/a") > n.size())', ("/a",), id="in a macro"),
        pytest.param('data.x ? host.free("/a") > 1 : true', ("/a",), id="perhaps"),
    ],
)
def test_the_paths_are_known_before(source: str, frees: tuple[str, ...]) -> None:
    """In the order written, whether they will be looked at or not."""
    found = compiled(source, ASKED)
    assert found.frees == frees
    assert {read for read in found.reads if read.startswith("host.")} == {
        f'host.free("{path}")' for path in frees
    }


def test_the_answer_comes_from_the_scope() -> None:
    """As a whole number of bytes."""
    source = 'host.free("/var/crash") > guest.memory * 11 / 10'
    found = compiled(source, ASKED, condition=True)
    assert found.holds(scope({"/var/crash": 5 << 30})).truth
    answer = found.holds(scope({"/var/crash": 1 << 30}))
    assert not answer.truth
    assert answer.values == {"guest.memory": 4 << 30, 'host.free("/var/crash")': 1 << 30}
    assert answer.reason == f'guest.memory is {4 << 30}, host.free("/var/crash") is {1 << 30}'


@pytest.mark.parametrize(
    "free", [pytest.param(None, id="nothing asked"), pytest.param({"/b": 1}, id="another path")]
)
def test_what_was_not_asked_has_no_answer(free: dict[str, int] | None) -> None:
    """A failure as any other: the condition counts as false, and the trace says why."""
    found = compiled('host.free("/a") > 1', ASKED, condition=True)
    with pytest.raises(EvaluationFailed, match=r"host\.free\(\) was not asked"):
        found.value(scope(free))
    answer = found.holds(scope(free))
    assert (answer.truth, answer.failed) == (False, True)
    assert answer.values == {'host.free("/a")': "<absent>"}


def test_what_is_left_when_equalities_are_known_still_asks() -> None:
    """The residue of a condition has its own paths."""
    found = compiled('data.type == "read" && host.free("/a") > 1', ASKED, condition=True)
    assert found.residue is not None
    assert found.residue.frees == ("/a",)


def test_its_type_is_known() -> None:
    """Bytes are a whole number: fractions do not mix."""
    _, problem, _ = refused('host.free("/a") * 1.5 > 1.0', ASKED)
    assert "`*`" in problem


@pytest.mark.parametrize(
    ("source", "names", "problem", "fix"),
    [
        pytest.param(
            'host.free("/a", "/b") > 1',
            ASKED,
            "free() is not written like this",
            'write host.free("/var/crash")',
            id="two paths",
        ),
        pytest.param(
            'guest.free("/a") > 1',
            ASKED,
            "only the host has free()",
            'write host.free("/var/crash")',
            id="of a guest",
        ),
        pytest.param(
            "host.free(5) > 1",
            ASKED,
            "host.free() takes one absolute path that is written out",
            'write host.free("/var/crash")',
            id="no text",
        ),
        pytest.param(
            "host.fre > 1", ASKED, "host has no member 'fre'", "known are: labels, name", id="like"
        ),
        pytest.param(
            "trigger.next.data.x == 1",
            SEQUEL,
            "trigger.next is not known in the second event's `where`",
            "give the policy a trigger with `followed_by`, or do without it",
            id="the second event in its own where",
        ),
        pytest.param(
            "params.x",
            STEPS,
            "`params` is not known in a step",
            "use `vars`: `params` belong to runbooks",
            id="params outside of runbooks",
        ),
        pytest.param(
            "message.payload",
            RUNBOOK,
            "`message` is not known in a runbook",
            "add it to the runbook's `params`, and give it with `with`",
            id="a message in a runbook",
        ),
        pytest.param(
            "params.x",
            RUNBOOK.knowing(params=()),
            "params has no member 'x'",
            "add it to the runbook's `params`",
            id="a param of a runbook that has none",
        ),
        pytest.param(
            "params.x",
            PARAM_DEFAULT,
            "`params` is not known in the default of a param",
            "known are: event, data, trigger, guest, host, run",
            id="a param in the default of one",
        ),
        pytest.param(
            "event.name",
            STATE,
            "`event` is not known in a trigger's `state`",
            "known are: guest, host",
            id="an event in a state",
        ),
        pytest.param(
            'message.retain == "x"',
            MESSAGE,
            "`==` cannot take true or false and a text",
            "compare true or false with true or false",
            id="the type of a member of a message",
        ),
    ],
)
def test_what_is_refused(source: str, names: Names, problem: str, fix: str) -> None:
    """In one sentence, with what to write."""
    assert refused(source, names)[1:] == (problem, fix)


@pytest.mark.parametrize(
    ("source", "names", "value"),
    [
        pytest.param("topic[3]", MESSAGE, "web-1", id="a level of a topic"),
        pytest.param("message.json.user", MESSAGE, "anna", id="json stays as it is"),
        pytest.param('message.?json["a-b"].orValue(1)', MESSAGE, 7, id="a key with a hyphen"),
        pytest.param('message.properties["k"] + message.payload', MESSAGE, "v{}", id="texts"),
        pytest.param(
            "trigger.next.event.name + trigger.next.data.node_name",
            STEPS.with_second(),
            "QUORUM_REPORT_BADdrive0",
            id="the second event",
        ),
        pytest.param("trigger.data.type == data.type", SEQUEL, True, id="both events"),
        pytest.param("params.n + run.nth", RUNBOOK.knowing(params=("n",)), 5, id="params"),
    ],
)
def test_what_is_known(source: str, names: Names, value: object) -> None:
    """Each name with its members."""
    seen = {"event": EVENT, "data": DATA}
    values = {
        **seen,
        "trigger": {**seen, "next": seen},
        "run": RUN,
        "params": {"n": 3},
        "topic": ["reactor", "h", "request", "web-1", "dump"],
        "message": {
            "payload": "{}",
            "json": {"user": "anna", "a-b": 7},
            "retain": False,
            "qos": 1,
            "properties": {"k": "v"},
        },
    }
    assert compiled(source, names).value(Scope(values)) == value


def test_json_of_a_message_has_no_underscores_for_hyphens() -> None:
    """Only QMP's own values have: what a sender wrote is found as it was written."""
    message = {"json": {"a-b": 7}}
    with pytest.raises(EvaluationFailed, match="has no member 'a_b'"):
        compiled("message.json.a_b", MESSAGE).value(Scope({"message": message}))
