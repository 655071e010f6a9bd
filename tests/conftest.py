"""Hypothesis: chance for people, the same examples each time for `make check` and CI."""

import os

from hypothesis import HealthCheck, settings

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
