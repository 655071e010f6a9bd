"""Runs policy tests one after the other, and says what came of each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reactor.app.scenario import report
from reactor.app.scenario.coverage import Coverage
from reactor.app.scenario.deeds import Deed, describe
from reactor.app.scenario.matching import Finding, judge, unexpected
from reactor.app.scenario.play import Played, play
from reactor.core.policy import Policy
from reactor.errors import Place
from reactor.policyfile.policy_tests import PolicyTest


@dataclass(frozen=True, slots=True)
class Failing:
    """One thing that is wrong, with its place in the test's file."""

    place: Place
    problem: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a test; ``diff`` and ``reasons`` are lines for people."""

    test: PolicyTest
    failings: tuple[Failing, ...]
    diff: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.failings


def run_tests(
    tests: Iterable[PolicyTest], policies: Mapping[str, Policy], coverage: Coverage
) -> Iterator[Result]:
    """The result of each test, as soon as it is there.

    A test of a policy that cannot be loaded fails.
    """
    for test in tests:
        absent = [name for name in test.policies if name not in policies]
        if absent:
            problem = f"the policy `{absent[0]}` cannot be loaded: see its problems"
            yield Result(test, (Failing(test.place, problem),))
            continue
        played = play(test, policies)
        coverage.add(test.policies, played.recorder)
        yield _result(test, played)


def _result(test: PolicyTest, played: Played) -> Result:
    deeds = sorted(played.recorder.deeds, key=lambda deed: deed.at)
    findings = judge(test.expect, deeds)
    extra = unexpected(test.expect, deeds) if test.only else []
    failings = [Failing(trouble.place, trouble.problem) for trouble in played.troubles]
    failings += map(_failing, findings)
    failings += [_extra(test, deed) for deed in extra]
    if not failings:
        return Result(test, ())
    recorder = played.recorder
    return Result(
        test,
        tuple(failings),
        tuple(report.diff(test, deeds, findings, extra)),
        tuple(report.reasons(test, recorder.traces, recorder.traces_dropped)),
        tuple(_notes(played)),
    )


def _failing(finding: Finding) -> Failing:
    expected = finding.expected
    what = describe(expected.verb, expected.members)
    return Failing(expected.place, f"{what}: {finding.problem}")


def _extra(test: PolicyTest, deed: Deed) -> Failing:
    what = f"{report.clock(deed.at)}  {deed.described()}"
    return Failing(test.place, f"nobody expects this, and the test says `only: true`: {what}")


def _notes(played: Played) -> Iterator[str]:
    if played.still_open:
        yield "something was still open a day after the last entry: the test ended there"
