"""The policies in rules/: sound, readable, and the same when they are built again."""

from pathlib import Path

import pytest

from reactor.core.config import EngineConfig
from reactor.policyfile.check import build_policy, check_allowed, load
from reactor.policyfile.targets import held_against, shipped_targets
from tests.policyfile.test_builder import shown

RULES = Path(__file__).resolve().parents[2] / "rules"
SHIPPED = load([RULES])
NAMES = [policy.name for policy in SHIPPED.policies]

PERMISSIONS = {
    "memory-unplug.yaml": ["device_del", "object-del"],
    "quorum-repair.yaml": ["blockdev-add", "blockdev-del"],
}
"""What a file needs in ``qmp.allow``; its head says so, and without it nothing is done."""


def test_the_shipped_policies_are_taken_by_every_shipped_qemu() -> None:
    """What one of them lacks is beside others that it has."""
    assert list(held_against(SHIPPED.asks, shipped_targets())) == []


def test_the_shipped_policies_have_no_findings() -> None:
    """Not even a note: what is meant as it is says so itself."""
    assert SHIPPED.problems == ()
    assert len(NAMES) >= len(list(RULES.glob("*.test.yaml")))


@pytest.mark.parametrize(
    "path", sorted(set(RULES.glob("*.yaml")) - set(RULES.glob("*.test.yaml"))), ids=lambda p: p.stem
)
def test_what_default_settings_forbid_stands_at_the_head(path: Path) -> None:
    """Each command that needs a permission is named in the comment, and no other is needed."""
    needed = PERMISSIONS.get(path.name, [])
    policies = load([path]).policies
    forbidden = check_allowed(policies, EngineConfig())
    assert sorted({str(one.fix).split("`")[1] for one in forbidden}) == sorted(needed)
    assert check_allowed(policies, EngineConfig(allow=frozenset(needed))) == ()
    head = path.read_text(encoding="utf-8").partition("\npolicy:")[0]
    assert [command for command in needed if command not in head] == []


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
