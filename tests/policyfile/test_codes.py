"""Every code is explained, by policies that show it."""

import pytest

from reactor.core.config import EngineConfig
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.check import check_allowed, load_text, permissions_of
from reactor.policyfile.codes.entry import Entry
from reactor.policyfile.codes.table import ENTRIES
from reactor.policyfile.lints.outdated import outdated
from reactor.policyfile.targets import held_against, shipped_targets

EVERY = [pytest.param(entry, id=entry.code.value) for entry in ENTRIES.values()]


def found(entry: Entry, text: str) -> list[Problem]:
    """What is said about a text for all targets; with default settings if that is needed."""
    loaded = load_text(text, "f")
    needed: tuple[Problem, ...] = ()
    if entry.needs_settings:
        needed = check_allowed(loaded.policies, EngineConfig())
    elif entry.code is Code.NEEDS_PERMISSION:
        needed = permissions_of(loaded.policies)
    targets = shipped_targets()
    held = [*held_against(loaded.asks, targets), *outdated(loaded.asks, targets)]
    return [*loaded.problems, *needed, *held]


def test_every_code_has_an_entry() -> None:
    """In the order of their numbers, and each is in use."""
    assert list(ENTRIES) == sorted(Code)


@pytest.mark.parametrize("entry", EVERY)
def test_the_bad_policy_has_this_code_and_no_other(entry: Entry) -> None:
    """So it shows what the code is about, with the severity that the entry names."""
    problems = found(entry, entry.bad or "")
    assert {problem.code for problem in problems} == ({entry.code} if entry.bad else set())
    assert {problem.severity for problem in problems} <= {entry.severity, Severity.NOTE}


@pytest.mark.parametrize("entry", EVERY)
def test_the_good_policy_has_no_finding_at_all(entry: Entry) -> None:
    """Not even a note."""
    assert found(entry, entry.good) == []


@pytest.mark.parametrize("entry", EVERY)
def test_an_entry_says_where_its_fact_comes_from(entry: Entry) -> None:
    """One sentence for a title, and a paragraph that names its source."""
    assert "Source:" in entry.why
    assert "\n" not in entry.title + entry.why
    assert not entry.title.endswith(".")
