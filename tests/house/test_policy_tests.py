"""Every policy that we ship or show has tests, and they reach everything in it."""

import pytest

from reactor.app.scenario.coverage import Coverage, Owner
from reactor.app.scenario.runner import run_tests
from reactor.errors import Severity
from reactor.policyfile.check import load
from tests.house.checkout import ROOT

FOLDERS = [ROOT / "rules", *sorted((ROOT / "examples").glob("*/rules"))]
LOADED = load(FOLDERS)


@pytest.fixture(scope="module")
def owners() -> list[Owner]:
    """What all tests together have reached."""
    coverage = Coverage(LOADED.policies)
    policies = {policy.name: policy for policy in LOADED.policies}
    results = list(run_tests(LOADED.tests, policies, coverage))
    assert [(one.test.name, one.failings) for one in results if not one.passed] == []
    return coverage.owners()


def test_the_policies_are_found() -> None:
    """The tests below have rows, of the shipped ones and of every example."""
    files = [policy.place.file for policy in LOADED.policies]
    problems = [*LOADED.problems, *LOADED.test_problems]
    assert [one for one in problems if one.severity is not Severity.NOTE] == []
    assert all(any(file.startswith(str(folder)) for file in files) for folder in FOLDERS)


def test_every_policy_is_tested(owners: list[Owner]) -> None:
    """Some test names it, and all tests hold."""
    assert [owner.name for owner in owners if not owner.tested] == []


def test_every_step_is_reached(owners: list[Owner]) -> None:
    """No step, way of a `choose` or handler is left out."""
    assert [(str(spot.place), spot.own_path) for o in owners for spot in o.missed] == []
