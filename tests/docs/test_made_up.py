"""The table of what was missed says what is made up for, and nothing else."""

import re

from reactor.core.made_up import MADE_UP
from tests.docs.pages import page


def test_the_table_names_every_event_that_a_connect_makes_up_for() -> None:
    """What only waits are decided by stands in the section about waits."""
    section = page("docs/explanation/durability.md").partition("## What was missed\n")[2]
    rows = re.findall(r"^\|.*\|(.*)\|$", section.partition("\n## ")[0], re.MULTILINE)
    named = set(re.findall(r"\b[A-Z][A-Z_]{3,}\b", " ".join(rows)))
    own = {name for name in named if name.startswith("REACTOR_")}
    assert named - own == {name for name, one in MADE_UP.items() if not one.waits}
