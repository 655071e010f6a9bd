"""A reader who follows a link, or the index, arrives."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import anchors, page, pages, prose
from tests.house.checkout import ROOT

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def dead_links(name: str, text: str) -> list[str]:
    """The links of a page, relative ones only, that lead nowhere."""
    dead = []
    for link in _LINK.findall(prose(text)):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (ROOT / name).parent / path if path else ROOT / name
        known = anchors(target.read_text(encoding="utf-8")) if target.is_file() else set()
        if not target.exists() or (anchor and anchor not in known):
            dead.append(link)
    return dead


@pytest.mark.parametrize("name", sorted(pages()))
def test_no_link_is_dead(name: str) -> None:
    """Each relative link of the page leads to a file or folder, each anchor to a heading."""
    assert dead_links(name, pages()[name]) == []


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        pytest.param("[a](README.md)", [], id="there"),
        pytest.param("[a](no-such.md)", ["no-such.md"], id="no file"),
        pytest.param("[a](README.md#try-it)", [], id="a heading that is there"),
        pytest.param("[a](README.md#nowhere)", ["README.md#nowhere"], id="no heading"),
        pytest.param("`[a](no-such.md)`", [], id="code is no link"),
    ],
)
def test_a_dead_link_is_found(text: str, dead: list[str]) -> None:
    """The test above can fail."""
    assert dead_links("some.md", text) == dead


def test_the_index_names_every_page() -> None:
    """Whoever begins at docs/README.md finds all pages but single decisions."""
    index = page("docs/README.md")
    linked = {str(Path("docs", link.partition("#")[0])) for link in _LINK.findall(index)}
    decisions = {name for name in pages() if name.startswith("docs/adr/")}
    written = {name for name in pages() if name.startswith("docs/")}
    assert written - decisions - linked == {"docs/README.md"}
