"""Hypothesis: chance for people, the same examples each time for `make check` and CI."""

import os

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

# No deadline: a busy machine is not a fault of the code.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
# `make fuzz`: by chance, and as long as somebody likes to wait.
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", "20000")),
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("dev")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is drawn by chance counts for no floor of the coverage.

    To measure it costs as much again as to run it, and a branch that only chance reaches is
    one that nobody has checked by intent.
    """
    for item in items:
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker("no_cover")
