"""docs/reference/findings.md is the table of codes."""

from scripts.findings_page import PAGE, findings_page


def test_the_page_is_made_of_the_table() -> None:
    """Whoever changes an entry runs `python scripts/findings_page.py`."""
    assert PAGE.read_text(encoding="utf-8") == findings_page()
