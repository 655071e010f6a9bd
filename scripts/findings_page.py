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

What is allowed and yet most likely not meant (R012, and from R020 on) can be ignored where it is
meant: by a comment behind the line, or on a line of its own above it, with the reason.

```yaml
policy: flaps
description: The port of the agent opens and closes all the time.
trigger:
  event: VSERPORT_CHANGE
  by: data.id
  count: 7  # reactor: ignore R040 as many as come are enough
  within: 10m
steps:
  - log: it flaps
```
"""


def findings_page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(explained, ENTRIES.values())])


if __name__ == "__main__":
    PAGE.write_text(findings_page(), encoding="utf-8")
