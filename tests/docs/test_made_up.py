"""The table of what was missed says what is made up for, and nothing else."""

import re

from reactor.core.made_up import made_up_for
from reactor.qapi.facts import facts
from tests.docs.pages import page


def test_the_table_names_every_event_that_a_connect_makes_up_for() -> None:
    """What only waits are decided by stands in the section about waits."""
    section = page("docs/explanation/durability.md").partition("## What was missed\n")[2]
    rows = re.findall(r"^\|.*\|(.*)\|$", section.partition("\n## ")[0], re.MULTILINE)
    events = facts().events
    named = set(re.findall(r"\b[A-Z][A-Z_]{3,}\b", " ".join(rows))) & set(events)
    made_up = {name: made_up_for(name) for name in events}
    assert named == {name for name, one in made_up.items() if one is not None and not one.waits}
