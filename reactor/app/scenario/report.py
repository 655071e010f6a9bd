"""What a failed test prints: a unified diff of what was expected and what happened, and why."""

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reactor.app.scenario.deeds import Deed, describe
from reactor.app.scenario.matching import Finding, fits, is_alike
from reactor.core.effect import Trace
from reactor.core.text import render_duration
from reactor.policyfile.policy_tests import Expectation, PolicyTest

REASONS_MAX = 40
"""Lines of reasons that are shown; the number of the others is told."""

# What went its way needs no explanation.
_WELL = frozenset({"begun", "done", "answered", "taken", "admitted", "holds"})


@dataclass(frozen=True, slots=True)
class _Row:
    at: float
    text: str
    expected: bool
    happened: bool


def diff(
    test: PolicyTest, deeds: Sequence[Deed], findings: Sequence[Finding], extra: Sequence[Deed]
) -> list[str]:
    """The lines of a unified diff between what should have happened and what did.

    Args:
        extra: effects that nobody expects, in a test that allows none.
    """
    rows = _rows(test, deeds, findings, extra)
    expected = [row.text for row in rows if row.expected]
    happened = [row.text for row in rows if row.happened]
    return list(difflib.unified_diff(expected, happened, "expected", "happened", lineterm=""))


def _rows(
    test: PolicyTest, deeds: Sequence[Deed], findings: Sequence[Finding], extra: Sequence[Deed]
) -> list[_Row]:
    wrong = list(extra)
    rows = []
    for finding in findings:
        wrong += finding.surplus
        if finding.missing:
            rows += [_missing(finding.expected)] * finding.missing
            wrong += _meant(finding.expected, test.expect, deeds)
    shown = [
        deed
        for deed in deeds
        if not deed.inner or deed in wrong or any(fits(e, deed) for e in test.expect)
    ]
    rows += [
        _Row(deed.at, _line(deed.at, deed.described()), expected=deed not in wrong, happened=True)
        for deed in shown
    ]
    return sorted(rows, key=lambda row: row.at)


def _meant(
    expected: Expectation, others: Sequence[Expectation], deeds: Sequence[Deed]
) -> Iterator[Deed]:
    """What happened instead: the same verb and object, and nobody else expects it."""
    for deed in deeds:
        if is_alike(expected, deed) and not any(
            fits(other, deed) for other in others if not other.negated
        ):
            yield deed


def _missing(expected: Expectation) -> _Row:
    when = expected.at if expected.at is not None else expected.after
    if when is None:
        when = math.inf if expected.before is None else expected.before
    bounds = [
        f"{word} {render_duration(bound)}"
        for word, bound in (("after", expected.after), ("before", expected.before))
        if bound is not None
    ]
    text = f"{expected.target or '*'}  {describe(expected.verb, expected.members)}"
    moment = _line(expected.at, text) if expected.at is not None else f"{'':12}  {text}"
    return _Row(when, "  ".join([moment, *bounds]), expected=True, happened=False)


def _line(at: float, text: str) -> str:
    return f"{clock(at)}  {text}"


def clock(seconds: float) -> str:
    """Hours, minutes, seconds and thousandths after the start: ``00:30:00.002``."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{thousandths:03}"


def reasons(test: PolicyTest, traces: Sequence[Trace], dropped: int) -> list[str]:
    """Why something did not happen: what was refused, left out, or failed, one line each."""
    told = [trace for trace in traces if trace.verdict not in _WELL]
    lines = [_reason(test, trace) for trace in told[:REASONS_MAX]]
    more = len(told) - len(lines) + dropped
    return [*lines, f"... and {more} more"] if more else lines


def _reason(test: PolicyTest, trace: Trace) -> str:
    place = f"{trace.policy} {trace.path}".rstrip()
    why = f": {trace.reason}" if trace.reason else ""
    moment = clock(max(0.0, trace.at - test.start))
    return f"{moment}  {trace.guest or '-'}  {place}  {trace.verdict}{why}"
