"""Writes docs/reference/findings.md from the table of codes: python scripts/findings_page.py."""

from pathlib import Path

from reactor.policyfile.codes.entry import explained
from reactor.policyfile.codes.table import ENTRIES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "findings.md"

HEAD = """\
# Findings

What `reactor check` says, code by code. A code names one kind of finding for ever, so that programs
can filter by it. An error keeps a policy from being loaded. A warning is most likely not
meant so; with `--strict` it counts as an error. A note may be meant as it is.

`reactor check --explain R005` prints the section of a code.
"""


def findings_page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(explained, ENTRIES.values())])


if __name__ == "__main__":
    PAGE.write_text(findings_page(), encoding="utf-8")
