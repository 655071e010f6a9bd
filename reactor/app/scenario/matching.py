"""Whether what was done is what a test expects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reactor.app.scenario.deeds import Deed
from reactor.policyfile.policy_tests import Expectation

AT_WITHIN = 1.0
"""Seconds by which `at` may be missed: a step takes its time."""

_IN_PART = frozenset({"payload", "mark", "clear", "http", "inhibit"})
"""Members of which only what is given is compared."""


def fits(expected: Expectation, deed: Deed) -> bool:
    """Whether this is an effect that the expectation is about."""
    return (
        is_alike(expected, deed)
        and expected.target in (None, deed.target)
        and _in_time(expected, round(deed.at, 3))
        and all(
            _same(value, deed.members.get(key), deed.written.get(key), in_part=key in _IN_PART)
            for key, value in expected.members.items()
        )
    )


def is_alike(expected: Expectation, deed: Deed) -> bool:
    """Whether it is the same verb with the same object: what an author may have meant."""
    verb = expected.verb
    if deed.verb != verb:
        return False
    value, done = expected.members[verb], deed.members[verb]
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        return True
    return _same(value, done, deed.written.get(verb), in_part=False)


def _in_time(expected: Expectation, at: float) -> bool:
    return (
        (expected.at is None or abs(at - expected.at) <= AT_WITHIN)
        and (expected.after is None or at >= expected.after)
        and (expected.before is None or at < expected.before)
    )


def _same(expected: object, done: object, written: object, *, in_part: bool) -> bool:
    if isinstance(written, tuple):
        # Several ways to write it.
        return any(_same(expected, done, one, in_part=in_part) for one in (None, *written))
    if isinstance(expected, str):
        return expected in (done, written)
    if isinstance(expected, Mapping):
        if not isinstance(done, Mapping) or not (in_part or expected.keys() == done.keys()):
            return False
        texts = written if isinstance(written, Mapping) else {}
        return all(
            key in done and _same(value, done[key], texts.get(key), in_part=in_part)
            for key, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return _same_list(expected, done, written, in_part=in_part)
    # YAML's true is not 1.
    return isinstance(expected, bool) is isinstance(done, bool) and expected == done


def _same_list(expected: Sequence[object], done: object, written: object, *, in_part: bool) -> bool:
    if not isinstance(done, list | tuple) or len(done) != len(expected):
        return False
    texts = (
        written if isinstance(written, list) and len(written) == len(done) else [None] * len(done)
    )
    return all(
        _same(value, one, text, in_part=in_part)
        for value, one, text in zip(expected, done, texts, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """An expectation that does not hold: how many effects of it there should have been."""

    expected: Expectation
    deeds: tuple[Deed, ...]
    problem: str

    @property
    def missing(self) -> int:
        """How many more effects there should have been."""
        if self.expected.negated:
            return 0
        wanted = 1 if self.expected.times is None else self.expected.times
        return max(0, wanted - len(self.deeds))

    @property
    def surplus(self) -> tuple[Deed, ...]:
        """The effects that should not have been."""
        if self.expected.negated:
            return self.deeds
        return () if self.expected.times is None else self.deeds[self.expected.times :]


def judge(expect: Iterable[Expectation], deeds: Sequence[Deed]) -> list[Finding]:
    """The expectations that do not hold."""
    found = []
    for expected in expect:
        fitting = tuple(deed for deed in deeds if fits(expected, deed))
        count, wanted = len(fitting), expected.times
        holds = count > 0 if wanted is None else count == wanted
        if holds is expected.negated:
            found.append(Finding(expected, fitting, _problem(expected, count)))
    return found


def _problem(expected: Expectation, count: int) -> str:
    happened = "it never happened" if count == 0 else f"it happened {_times(count)}"
    if not expected.negated:
        wanted = "at least once" if expected.times is None else _times(expected.times)
        return f"expected {wanted}, {happened}"
    if expected.times is None:
        return f"expected not to happen, {happened}"
    return f"expected not {_times(expected.times)}, {happened}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def unexpected(expect: Iterable[Expectation], deeds: Iterable[Deed]) -> list[Deed]:
    """The effects that no expectation is about; commands inside of others aside."""
    wanted = [expected for expected in expect if not expected.negated]
    return [
        deed
        for deed in deeds
        if not deed.inner and not any(fits(expected, deed) for expected in wanted)
    ]
