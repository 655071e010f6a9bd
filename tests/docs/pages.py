"""The documents as the tests look at them: pages, links, code blocks, words in backticks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.house.checkout import ROOT, files, name_of

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: its language (empty where none is named), text and line."""

    page: str
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        """Where it stands, as the id of a row."""
        return f"{self.page}:{self.line}"


@cache
def pages() -> dict[str, str]:
    """Every Markdown page of the project with its text, by its path from the top."""
    return {
        name_of(path): path.read_text(encoding="utf-8") for path in files() if path.suffix == ".md"
    }


def page(name: str) -> str:
    """The text of one page."""
    return Path(ROOT, name).read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    """All fenced blocks in these languages, of the pages that people follow step by step."""
    return [
        block
        for name, text in pages().items()
        for block in _blocks(name, text)
        if block.language in languages and not name.startswith(("docs/adr/", "tests/"))
    ]


def _blocks(name: str, text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        indent = len(found[1])
        body = "\n".join(line[indent:] for line in found[3].split("\n"))
        yield Block(name, found[2], body, text.count("\n", 0, found.start()) + 1)


def prose(text: str) -> str:
    """The page without its fenced blocks and what stands in backticks."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def quoted(text: str) -> set[str]:
    """Everything that stands in backticks, and each word of it."""
    spans = re.findall(r"``\s?(.+?)\s?``|`([^`\n]+)`", _FENCE.sub("", text))
    whole = {double or single for double, single in spans}
    parts = re.compile(r"[\w$.*-]+")
    words = {word for span in whole for word in parts.findall(span)}
    return whole | words | {part for word in words for part in re.findall(r"\w+", word)}


def section(text: str, heading: str) -> str:
    """What stands below a heading, down to the next one of its rank or above."""
    start = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert start is not None, f"there is no heading {heading!r}"
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{len(start[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def anchors(text: str) -> set[str]:
    """What can stand behind the `#` of a link to this page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }
