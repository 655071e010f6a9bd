"""What no file of the project may contain."""

import re

import pytest

from tests.house.checkout import texts

# Put together here, so that this file does not contain what it looks for.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "deb." + "debian.org",
    "proxy." + "golang.org",
]
MACHINES = ["/" + "work/", "/opt" + "/pypi", "/" + "root/", "/" + "home/"]
# What no file may hold, in two parts each: else this file would hold it.
LEFT_OPEN = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "Not" + "ImplementedError"]
SKIPS = ["pytest.mark." + "skip", "pytest." + "skip(", "pytest.mark." + "xfail"]


def lines_with(words: list[str]) -> list[str]:
    """``file:line: text`` of each line that contains one of the words."""
    pattern = re.compile("|".join(rf"(?<![\w.]){re.escape(word)}" for word in words))
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts()
        # A word that is nowhere in the file is in none of its lines: most files end here.
        if name != "LICENSE" and any(word in text for word in words)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(REGISTRIES, id="hosts of a package registry"),
        pytest.param(MACHINES, id="paths of one machine"),
        pytest.param(LEFT_OPEN, id="work left open"),
        pytest.param(SKIPS, id="tests that do not run"),
    ],
)
def test_no_file_contains(words: list[str]) -> None:
    """A checkout works anywhere, and what it holds is finished."""
    assert lines_with(words) == []


def test_every_text_ends_with_one_line_feed_and_has_no_carriage_return() -> None:
    """Diffs show what was changed and nothing else."""
    wrong = [
        name
        for name, text in texts()
        if text and ("\r" in text or not text.endswith("\n") or text.endswith("\n\n"))
    ]
    assert wrong == []
