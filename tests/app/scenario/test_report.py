"""What a failed test prints, as a whole."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from reactor.app.scenario.coverage import Coverage
from reactor.app.scenario.junit import junit, lines_of
from reactor.app.scenario.report import clock
from reactor.app.scenario.runner import Result, run_tests
from reactor.errors import Place
from reactor.policyfile.check import load_text
from tests.app.scenario.plays import ON_STOP, loaded, result

_POLICY = ON_STOP + "cooldown: 5m\nsteps: [{publish: t, payload: {n: 1}}, {guest: reset}]\n"
_TWICE = "timeline: [{at: 1m, event: STOP}, {at: 2m, event: STOP}]\n"


def _printed(expect: str, policy: str = _POLICY, more: str = "") -> str:
    return "\n".join(lines_of(result(policy, f"{more}{_TWICE}expect: {expect}\n")))


def test_a_missing_effect() -> None:
    """`-` is what should have been done; below it stands why it was not."""
    assert _printed("[{publish: t, times: 2}]") == (
        "t.yaml:12:10: publish: t: expected 2 times, it happened once\n"
        "--- expected\n"
        "+++ happened\n"
        "@@ -1,4 +1,3 @@\n"
        ' 00:01:00.001  g  publish: t  payload: {"n":1}\n'
        " 00:01:00.002  g  guest: reset\n"
        " 00:01:00.003  g  run: p  outcome: succeeded\n"
        "-              *  publish: t\n"
        "why:\n"
        "  00:02:00.001  g  p trigger  cooling down: 240.0 s left"
    )


@pytest.mark.parametrize(
    ("expect", "lines"),
    [
        pytest.param(
            "[{publish: t, at: 2m, target: g}]",
            ['+00:01:00.001  g  publish: t  payload: {"n":1}', "-00:02:00.000  g  publish: t"],
            id="at another time: what happened instead is shown",
        ),
        pytest.param(
            "[{publish: t, payload: {n: 2}}]",
            [
                '+00:01:00.001  g  publish: t  payload: {"n":1}',
                '-              *  publish: t  payload: {"n":2}',
            ],
            id="another payload",
        ),
        pytest.param(
            "[{publish: t, payload: {n: 2}}, {publish: t, payload: {n: 1}}]",
            ['-              *  publish: t  payload: {"n":2}'],
            id="what another expectation is about is not what was meant",
        ),
        pytest.param(
            "[{log: x, after: 1m, before: 3m}]",
            ["-              *  log: x  after 1m  before 3m"],
            id="bounds",
        ),
        pytest.param(
            "[{log: x, before: 10s}]", ["-              *  log: x  before 10s"], id="a bound"
        ),
        pytest.param(
            "[{not: {guest: reset}}]", ["+00:01:00.002  g  guest: reset"], id="should not have been"
        ),
        pytest.param(
            "[{qmp: system_reset, times: 0}]",
            ["+00:01:00.002  g  qmp: system_reset"],
            id="a command inside of a step",
        ),
        pytest.param(
            "[{qmp: system_reset}, {log: x}]",
            ["-              *  log: x"],
            id="commands that are expected stand among the rest",
        ),
    ],
)
def test_differences(expect: str, lines: list[str]) -> None:
    """Of the unified diff the lines that differ."""
    printed = _printed(expect).partition("+++ happened\n")[2].partition("why:")[0].splitlines()
    assert [line for line in printed if line[0] in "+-"] == lines


def test_commands_are_shown_where_they_are_asked_for() -> None:
    """Else a step is one line."""
    printed = _printed("[{qmp: system_reset}, {log: x}]")
    assert " 00:01:00.002  g  qmp: system_reset" in printed.splitlines()
    assert "qmp:" not in _printed("[{log: x}]")


def test_only() -> None:
    """Each effect that nobody expects is named."""
    policy = ON_STOP + "steps: [{log: a}, {log: b}]\n"
    test = "only: true\ntimeline: [{at: 1m, event: STOP}]\nexpect: [{log: a}, {run: p}]\n"
    failed = result(policy, test)
    assert [failing.problem for failing in failed.failings] == [
        "nobody expects this, and the test says `only: true`: 00:01:00.001  g  log: b"
    ]
    assert "+00:01:00.001  g  log: b" in failed.diff
    assert result(policy, test.replace("{run: p}", "{run: p}, {log: b}")).passed


def test_a_test_that_ends_early_says_so() -> None:
    """What was still open may be what is missing."""
    policy = ON_STOP + "timeout: 3d\nsteps: [{delay: 2d}, {log: x}]\n"
    failed = result(policy, "timeline: [{at: 1m, event: STOP}]\nexpect: [{log: x}]\n")
    assert failed.notes == (
        "something was still open a day after the last entry: the test ended there",
    )
    assert lines_of(failed)[-1] == f"note: {failed.notes[0]}"


def test_reasons_have_a_bound() -> None:
    """A thousand refusals are not read by anybody."""
    entries = ", ".join(f"{{at: {at}s, event: STOP}}" for at in range(60))
    failed = result(_POLICY, f"timeline: [{entries}]\nexpect: [{{log: x}}]\n")
    assert len(failed.reasons) == 41
    assert failed.reasons[-1] == "... and 19 more"


def test_a_failed_step_is_a_reason() -> None:
    """With its path, in the words of the trace."""
    policy = ON_STOP + "steps: [{guest: shutdown, timeout: 1m}]\n"
    failed = result(policy, "timeline: [{at: 1m, event: STOP}]\nexpect: [{log: x}]\n")
    assert failed.reasons == (
        "00:01:00.002  g  p steps/0  failed: refused: a guest in paused cannot shut itself down",
    )


def test_a_trouble_of_the_timeline_fails_the_test() -> None:
    """With the entry's own place."""
    failed = result(_POLICY, "timeline: [{at: 1m, approve: p}]\nexpect: [{not: {log: x}}]\n")
    (failing,) = failed.failings
    assert str(failing.place) == "t.yaml:11:12"


def test_a_policy_that_cannot_be_loaded_fails_its_tests() -> None:
    """They are not passed over in silence."""
    found = load_text(
        "policy: p\n---\ntest: t\npolicies: p\nguests: {g: {}}\nonly: true\n", "t.yaml"
    )
    (failed,) = run_tests(found.tests, {}, Coverage(()))
    assert [failing.problem for failing in failed.failings] == [
        "the policy `p` cannot be loaded: see its problems"
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.0, "00:00:00.000", id="the start"),
        pytest.param(0.0004, "00:00:00.000", id="rounded"),
        pytest.param(59.9996, "00:01:00.000", id="rounded up"),
        pytest.param(90_061.25, "25:01:01.250", id="more than a day"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    """Hours, minutes, seconds and thousandths."""
    assert clock(seconds) == text


def _named(name: str, passed: Result) -> Result:
    place = Place("a\x00b.yaml", passed.test.place.line, passed.test.place.column)
    return replace(passed, test=replace(passed.test, name=name, place=place))


def test_junit() -> None:
    """A suite for each file, a case for each test; what XML cannot hold is escaped."""
    passed = result(_POLICY, f"{_TWICE}expect: [{{publish: t}}]\n")
    failed = result(_POLICY, f"{_TWICE}expect: [{{publish: '<&>'}}]\n")
    text = junit([(passed, 0.25), (_named("bad \x1b[31m <name>", failed), 0.5), (failed, 1.0)])
    root = ET.fromstring(text)  # noqa: S314 - it was made here
    assert [dict(suite.attrib) for suite in root] == [
        {"name": "t.yaml", "tests": "2", "failures": "1", "errors": "0", "time": "1.250"},
        {"name": "a\\x00b.yaml", "tests": "1", "failures": "1", "errors": "0", "time": "0.500"},
    ]
    case = root.findall("testsuite/testcase")[2]
    assert case.attrib == {
        "name": "bad \\x1b[31m <name>",
        "classname": "a\\x00b.yaml",
        "file": "a\\x00b.yaml",
        "line": "8",
        "time": "0.500",
    }
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "publish: <&>: expected at least once, it never happened"
    assert failure.text is not None
    assert "-              *  publish: <&>" in failure.text.splitlines()
    assert root.find("testsuite/testcase/failure[1]/..") is not None
    assert len(root.findall("testsuite/testcase/failure")) == 2


_BOOK = (
    "runbook: book\ndescription: d\nsteps: [{log: one}, {log: two, if: guest.name == 'h'}]\n---\n"
)
_CHOOSES = (
    "policy: p\ndescription: d\ntrigger: {event: STOP}\narm: [{guest: preserve-on-panic}]\n"
    "steps:\n"
    "  - choose:\n"
    "      - {when: guest.name == 'g', steps: [{log: a}]}\n"
    "      - {default: [{log: b}]}\n"
    "  - run: book\n"
    "  - {run: preserve}\n"
    "on_failure: [{log: f}]\n"
)
_OTHER = "policy: q\ndescription: d\ntrigger: {event: STOP}\nsteps: [{parallel: [[{run: book}]]}]\n"


def _coverage(tests: str) -> Coverage:
    found = loaded(f"{_BOOK}{_CHOOSES}---\n{_OTHER}---\n{tests}")
    coverage = Coverage(found.policies)
    policies = {policy.name: policy for policy in found.policies}
    assert all(one.passed for one in run_tests(found.tests, policies, coverage))
    return coverage


def _test(guest: str, policy: str = "p") -> str:
    return (
        f"test: {policy} {guest}\npolicies: {policy}\nguests: {{{guest}: {{}}}}\n"
        "timeline: [{at: 1s, event: STOP}]\nexpect: [{run: " + policy + "}]\n"
    )


def test_coverage() -> None:
    """Steps, ways of a `choose`, handlers; a runbook's steps once, and not the built-in ones."""
    owners = {owner.name: owner for owner in _coverage(_test("g")).owners()}
    assert list(owners) == ["p", "q", "runbook book"]
    told = [(spot.own_path, spot.verb) for spot in owners["p"].spots]
    assert told == [
        ("arm/0", "guest: preserve-on-panic"),
        ("steps/0", "choose"),
        ("steps/0/choose/0", "when guest.name == 'g'"),
        ("steps/0/choose/0/steps/0", "log"),
        ("steps/0/choose/1", "default"),
        ("steps/0/choose/1/default/0", "log"),
        ("steps/1", "run: book"),
        ("steps/2", "run: preserve"),
        ("on_failure/0", "log"),
    ]
    assert [spot.own_path for spot in owners["p"].missed] == [
        "steps/0/choose/1",
        "steps/0/choose/1/default/0",
        "on_failure/0",
    ]
    assert (owners["q"].reached, owners["q"].tested) == (0, False)
    assert [spot.own_path for spot in owners["runbook book"].missed] == ["steps/1"]
    assert owners["runbook book"].tested


def test_coverage_grows() -> None:
    """With every test, whichever policy runs a runbook."""
    few, more = _coverage(_test("g")), _coverage(f"{_test('g')}---\n{_test('h', 'q')}")
    assert (round(few.percent(), 1), round(more.percent(), 1)) == (53.8, 76.9)
    assert [owner.missed for owner in more.owners() if owner.name == "runbook book"] == [()]


def test_nothing_to_reach_is_all_of_it() -> None:
    """No policies, no gap."""
    assert Coverage(()).percent() == 100.0
