"""What the steps of a `repeat` know of each other, round by round."""

import pytest

from reactor.policyfile.check import load_text

POLICY = """
policy: p
description: d
trigger: {event: STOP}
steps:
  - repeat: {times: 3}
    steps:
      - log: "${steps.NAME.ok}"
      - choose:
          - when: guest.name == "a"
            steps: [{log: a, save: way}]
          - default: [{log: b, save: other}]
      - parallel:
          - [{log: c, save: left}]
          - [{log: d, save: right}]
      - repeat: {times: 2}
        steps: [{log: e, save: inner}]
      - log: f
        save: last
"""


@pytest.mark.parametrize("name", ["way", "other", "left", "right", "inner", "last"])
def test_a_round_knows_what_the_one_before_saved(name: str) -> None:
    """Wherever in the round that was."""
    assert load_text(POLICY.replace("NAME", name), "f").problems == ()


def test_a_name_that_no_step_saves_is_not_known() -> None:
    """The sentence names those that are."""
    (problem,) = load_text(POLICY.replace("NAME", "lost"), "f").problems
    assert problem.problem == "steps has no member 'lost'"
    assert problem.fix == "write steps.last"
