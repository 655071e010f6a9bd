"""docs/reference/metrics.md tells of every figure, as it is."""

import re

from reactor.app.metrics.families import FAMILIES
from tests.docs.pages import page

PAGE = page("docs/reference/metrics.md")


def test_every_figure_is_documented() -> None:
    """With its kind, its labels and what it is; and no other is."""
    rows = re.findall(r"^\| `(reactor_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (
            family.name,
            family.kind.value,
            ", ".join(f"`{label}`" for label in family.labels),
            family.about,
        )
        for family in FAMILIES
    ]


def test_alerts_are_built_on_figures_that_exist() -> None:
    """A name that was changed would make an alert that never fires."""
    named = set(re.findall(r"\breactor_[a-z_]+", PAGE))
    assert named <= {family.name for family in FAMILIES}
