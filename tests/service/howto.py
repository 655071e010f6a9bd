"""What stands in the how-to, step by step, as a person would take it over."""

from tests.docs.pages import Block, blocks

PAGE = "docs/how-to/run-as-a-service.md"

EXPOSURE = 1.4
"""What the pages say; `systemd-analyze security` must not find more."""


def _of_page(language: str) -> list[Block]:
    return [block for block in blocks(language) if block.page == PAGE]


def commands(containing: str) -> str:
    """The one block of commands that has this in it, without what only looks on for ever."""
    (block,) = [block for block in _of_page("sh") if containing in block.text]
    return "\n".join(line for line in block.text.splitlines() if "journalctl" not in line)


def unit() -> str:
    """The unit."""
    return _of_page("ini")[0].text


def for_a_group() -> tuple[str, str]:
    """What lets a group ask the daemon: the settings, and what the unit needs for it."""
    (settings_,) = [block.text for block in _of_page("yaml") if "control:" in block.text]
    return settings_, _of_page("ini")[1].text


def settings() -> str:
    """The settings; ``enforcement`` is taken out, as the page says to do when one trusts it."""
    text = _of_page("yaml")[0].text
    lines = [line for line in text.splitlines() if line != "enforcement: audit"]
    assert len(lines) < len(text.splitlines())
    return "\n".join(lines) + "\n"
