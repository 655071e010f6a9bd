"""The page about the shipped policies speaks of each of them, and of no other."""

import re

import pytest

from reactor.core.policy import Policy, Selector
from reactor.policyfile.check import load
from tests.docs.pages import page
from tests.house.checkout import ROOT

PAGE = page("docs/reference/shipped-policies.md")
POLICIES = load([ROOT / "rules"]).policies
SECTIONS = dict(re.findall(r"^### ([\w-]+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_every_shipped_policy_has_a_section() -> None:
    """And every section is about one."""
    assert sorted(SECTIONS) == sorted(policy.name for policy in POLICIES)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_section_names_the_file_and_answers_the_questions_of_an_operator(policy: Policy) -> None:
    """When it runs, what it does, what is seen of it, and what bounds it."""
    section = SECTIONS[policy.name]
    assert section.startswith(f"\nIn `{policy.place.file.rpartition('/')[2]}`.")
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| \S", section, re.MULTILINE)
    assert rows[:4] == ["runs", "does", "you see", "limits"]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_table_at_the_top_leads_to_each(policy: Policy) -> None:
    """One line of it names the policy and links to its section."""
    assert f"\n| [`{policy.name}`](#{policy.name}) | " in PAGE


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_labels_that_a_policy_looks_at_are_in_the_table_of_labels(policy: Policy) -> None:
    """What a guest can be labelled with is found in one place."""
    labels = set(re.findall(r"guest\.labels\[\??[\"']([\w-]+)", policy.source))
    for selector in (policy.guests, policy.guests.excludes or Selector()):
        labels |= {label for label, _ in selector.labels}
    told = re.findall(rf"^\| `([\w-]+): [^|]*\| [^|]*`{policy.name}`", PAGE, re.MULTILINE)
    assert labels <= set(told)
