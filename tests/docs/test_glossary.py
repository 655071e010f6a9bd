"""One word for each thing: the documents keep to the glossary."""

import re

import pytest

from tests.docs.pages import page, pages, prose

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in page("docs/reference/glossary.md").splitlines()
    if line.startswith("| **")
]
WORDS = [word for row in ROWS for word in re.findall(r"\*\*([^*]+)\*\*", row[0])]

# Of the words that we do not say, those that mean nothing else in these documents.
NEVER = ("VM", "VMs", "playbook", "throttle", "dry run", "plugin", "daemonset", "webhook")


def test_no_word_stands_twice() -> None:
    """A reader finds one meaning."""
    assert len(WORDS) == len(set(WORDS))


@pytest.mark.parametrize(
    "word",
    [
        *("guest monitor event command reply policy trigger condition step runbook run".split()),
        *("outcome mode max cooldown mark verdict reason effect adapter journal trace".split()),
    ],
)
def test_the_words_of_the_code_are_explained(word: str) -> None:
    """Those that the names of modules, classes and messages are made of."""
    assert word in WORDS


PAGES = [
    name
    for name in sorted(pages())
    if name.startswith(("docs/", "examples/", "README")) and not name.startswith("docs/adr/")
]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_no_word_that_we_do_not_say(name: str) -> None:
    """Outside of code and of the glossary itself; decisions quote what others say."""
    text = "" if name == "docs/reference/glossary.md" else prose(pages()[name])
    assert [word for word in NEVER if re.search(rf"\b{word}\b", text)] == []
