"""Hypothesis: chance for people, the same examples each time for `make check` and CI."""

from hypothesis import settings

# No deadline: a busy machine is not a fault of the code.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("dev")
