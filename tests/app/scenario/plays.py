"""Small policy tests, played."""

from reactor.app.scenario.coverage import Coverage
from reactor.app.scenario.play import Played, play
from reactor.app.scenario.runner import Result, run_tests
from reactor.core.policy import Policy
from reactor.errors import Severity
from reactor.policyfile.check import Loaded, load_text
from reactor.policyfile.policy_tests import PolicyTest

ON_STOP = "policy: p\ndescription: d\ntrigger: {event: STOP}\n"
"""A policy without steps; they are to be added."""


def loaded(text: str) -> Loaded:
    """What a text gives, in which nothing is wrong; what may be meant otherwise is no matter."""
    found = load_text(text, "t.yaml")
    problems = (*found.problems, *found.test_problems)
    assert [str(one) for one in problems if one.severity is Severity.ERROR] == []
    return found


def tested(policies: str, test: str) -> tuple[PolicyTest, dict[str, Policy]]:
    """The test and its policies; ``test`` without its first three keys, where they are usual."""
    usual = {"test": "test: t", "policies": "policies: p", "guests": "guests: {g: {}}"}
    lines = [
        line
        for key, line in usual.items()
        if f"{key}:" not in test.split("timeline:", maxsplit=1)[0]
    ]
    if "expect:" not in test and "only:" not in test:
        lines.append("only: true")
    found = loaded("\n".join([policies, "---", *lines, test]))
    return found.tests[0], {policy.name: policy for policy in found.policies}


def played(policies: str, test: str) -> Played:
    """What came of the test."""
    return play(*tested(policies, test))


def result(policies: str, test: str) -> Result:
    """How the test ended."""
    one, known = tested(policies, test)
    (found,) = run_tests([one], known, Coverage(known.values()))
    return found


def done(policies: str, test: str) -> list[str]:
    """What was done: time after the start, and effect; commands inside of others aside."""
    deeds = played(policies, test).recorder.deeds
    return [f"{deed.at:.2f} {deed.described()}" for deed in deeds if not deed.inner]


def verbs(policies: str, test: str) -> list[str]:
    """The same, without times and guests."""
    return [line.partition("  ")[2] for line in done(policies, test)]


def logged(policies: str, test: str) -> list[str]:
    """The lines that policies logged, each with its time."""
    deeds = played(policies, test).recorder.deeds
    return [f"{d.at:.2f} {d.target} {d.members['log']}" for d in deeds if d.verb == "log"]
