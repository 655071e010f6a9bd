"""What was done beside what would be done: which runs belong together, and what differs."""

import pytest

from reactor.app.replay.differences import NEAR_S, Difference, differences
from reactor.app.replay.recording import Ran


def ran(at: float, outcome: str = "succeeded", steps: str = "reset", policy: str = "p") -> Ran:
    """A run of one guest; each step sends a command of its name."""
    words = tuple(steps.split())
    return Ran(at, policy, "g", f"x-{at}", outcome, "", words, words)


A, B = ran(10.0), ran(20.0)
DUMPED = ran(10.0, steps="dump reset")


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        pytest.param([A], [ran(10.0)], [], id="the same"),
        pytest.param([A], [ran(10.0 + NEAR_S)], [], id="just near enough"),
        pytest.param(
            [A],
            [ran(10.1 + NEAR_S)],
            [Difference(A, None), Difference(None, ran(10.1 + NEAR_S))],
            id="too far apart",
        ),
        pytest.param([], [A], [Difference(None, A)], id="new"),
        pytest.param([A], [], [Difference(A, None)], id="gone"),
        pytest.param([A], [DUMPED], [Difference(A, DUMPED)], id="other steps"),
        pytest.param(
            [A], [ran(10.0, "failed")], [Difference(A, ran(10.0, "failed"))], id="other outcome"
        ),
        pytest.param(
            [A],
            [ran(10.0, policy="q")],
            [Difference(A, None), Difference(None, ran(10.0, policy="q"))],
            id="another policy",
        ),
        pytest.param([ran(1.0), A, B], [ran(10.0), B], [Difference(ran(1.0), None)], id="first"),
        pytest.param(
            [ran(8.0), A, B],
            [ran(10.0), B],
            [Difference(ran(8.0), None)],
            id="the nearest is the same run, not the first",
        ),
        pytest.param(
            [A, B], [ran(8.0), A, B], [Difference(None, ran(8.0))], id="the same, the other way"
        ),
        pytest.param([ran(10.0, "")], [A], [], id="open then: as far as it came"),
        pytest.param([A], [ran(10.0, "", "")], [], id="open now"),
        pytest.param(
            [ran(10.0, "")],
            [DUMPED],
            [Difference(ran(10.0, ""), DUMPED)],
            id="open then, and otherwise already",
        ),
    ],
)
def test_runs_are_paired_by_their_time(
    then: list[Ran], now: list[Ran], found: list[Difference]
) -> None:
    """Of one policy and guest, in order; what has no partner is gone or new."""
    assert differences(then, now) == found
