"""The policies in rules/: sound, readable, and the same when they are built again."""

from pathlib import Path

import pytest

from reactor.core.config import EngineConfig
from reactor.policyfile.check import build_policy, check_allowed, load
from tests.policyfile.test_builder import shown

RULES = Path(__file__).resolve().parents[2] / "rules"
SHIPPED = load([RULES])
NAMES = ["panic-dump-reset", "quorum-failure", "quorum-report-bad"]


def test_the_shipped_policies_have_no_findings() -> None:
    """No error, no warning, and nothing that default settings forbid."""
    assert SHIPPED.problems == ()
    assert check_allowed(SHIPPED.policies, EngineConfig()) == ()
    assert [policy.name for policy in SHIPPED.policies] == NAMES


@pytest.mark.parametrize("policy", SHIPPED.policies, ids=NAMES)
def test_each_is_the_same_when_it_is_built_from_its_source(policy: object) -> None:
    """So a run that is found after a restart goes on with the policy that started it."""
    original = next(known for known in SHIPPED.policies if known is policy)
    again = build_policy(original.source, original.place)
    assert shown(again) == shown(original)
    assert [step.options.place for step in again.steps] == [
        step.options.place for step in original.steps
    ]
    assert again.revision == original.revision


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_says_at_its_head_what_it_is_for(path: Path) -> None:
    """The first line is a comment: a sentence for who opens the file at 3 am."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert max(map(len, lines)) <= 100
