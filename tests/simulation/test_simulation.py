"""The whole daemon in virtual time: crashes, cuts, dead QEMUs, full disks, and what holds.

`make simulate` plays thousands of histories; here are some that are the same each time.
"""

import os
import subprocess
import sys

import pytest

from tests.simulation.planted import PLANTED
from tests.simulation.playing import play_seed

PORTIONS = 6
HISTORIES = 15
"""In each portion, so that two cores share them."""

TWICE = 3


@pytest.mark.timeout(600)
@pytest.mark.parametrize("portion", range(PORTIONS))
def test_what_must_hold_holds_in_every_history(portion: int) -> None:
    """Whatever breaks, in whatever order: see ``audit``."""
    seeds = range(portion * HISTORIES, (portion + 1) * HISTORIES)
    wrong = [str(played) for played in map(play_seed, seeds) if played.wrong]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.timeout(600)
def test_a_seed_gives_the_same_history_in_every_process() -> None:
    """To the microsecond, and however that process hashes texts."""
    script = (
        "from tests.simulation.playing import play_seed\n"
        f"print([play_seed(seed).digest for seed in range({TWICE})])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=280,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("fault", "first"),
    [
        pytest.param("an intent is journaled after its command was sent", 0, id="intents"),
        pytest.param("the place of a run is not stored", 0, id="places"),
        pytest.param("what is in doubt is sent again without a look", 8, id="doubts"),
        pytest.param("a guard is not asked again", 0, id="guards"),
        pytest.param("a deadline cuts a reset in half", 16, id="resets"),
        pytest.param("a yes is forgotten over a crash", 20, id="approvals"),
        pytest.param("a hold is not kept", 0, id="holds"),
        pytest.param("a hold is forgotten over a crash", 0, id="holds over a crash"),
        pytest.param("an inhibition is not kept", 6, id="inhibitions"),
        pytest.param("a debounce that is under way is not kept", 0, id="debounces"),
        pytest.param("an open sequel is not kept", 0, id="sequels"),
        pytest.param("the limit of a wait is forgotten over a crash", 0, id="limits of waits"),
        pytest.param("a batch is written that rests on a refused one", 1, id="chains"),
        pytest.param("a cooldown is forgotten over a crash", 0, id="cooldowns"),
        pytest.param("the ends of marks are forgotten over a crash", 40, id="ends of marks"),
        pytest.param("a change is told at each connect", 11, id="told twice"),
        pytest.param("a wait does not end", 0, id="waits"),
        pytest.param("missed events are not made up for", 0, id="missed events"),
        pytest.param("a message leaves the outbox before the broker has it", 49, id="outbox"),
    ],
)
def test_a_fault_that_is_planted_is_found(fault: str, first: int) -> None:
    """A simulation that finds nothing proves nothing."""
    with PLANTED[fault]():
        found = next((seed for seed in range(first, first + 500) if play_seed(seed).wrong), None)
    assert found is not None
