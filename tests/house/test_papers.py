"""The papers that go with the code: change log and decisions."""

import re

import pytest

import reactor
from tests.house.checkout import ROOT, texts

DECISIONS = {name: text for name, text in texts() if name.startswith("docs/adr/")}


def test_the_version_has_an_entry_in_the_change_log() -> None:
    """An operator finds what changed in the version that `reactor --version` prints."""
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[([^\]]+)\]", log, flags=re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert reactor.__version__ in versions


def test_decisions_are_numbered_without_a_gap_or_a_twin() -> None:
    """A number names one decision for ever."""
    numbers = [int(name.removeprefix("docs/adr/")[:4]) for name in sorted(DECISIONS)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_says_what_was_decided_and_what_it_costs(name: str) -> None:
    """Each has its number in the title, and the four headings."""
    text = DECISIONS[name]
    assert re.match(rf"# {int(name.removeprefix('docs/adr/')[:4])}\. \S", text)
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == [
        "Status",
        "Context",
        "Decision",
        "Consequences",
    ]
