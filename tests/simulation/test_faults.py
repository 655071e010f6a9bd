"""A monitor goes wrong in every way that bytes can; what must hold holds all the same."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation.faulty import Fault, Kind
from tests.simulation.moves import Move
from tests.simulation.playing import play_moves

FAULTS = st.builds(
    Fault, st.sampled_from(Kind), passing=st.integers(0, 12), variant=st.integers(0, 11)
)
MOVES = st.builds(
    Move,
    st.sampled_from([0.0, 0.0015, 0.0035, 0.4, 2.0, 11.0, 65.0]),
    st.sampled_from("panic panic io-error go go kill start start cut".split()),
    st.sampled_from(["web-1", "db-1"]),
    st.integers(0, 11),
)


@pytest.mark.timeout(600)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    moves=st.lists(MOVES, min_size=1, max_size=8),
    web=st.lists(FAULTS, max_size=6),
    db=st.lists(FAULTS, min_size=1, max_size=6),
)
def test_whatever_a_monitor_does_nothing_is_lost_and_nothing_done_twice(
    moves: list[Move], web: list[Fault], db: list[Fault]
) -> None:
    """At most one dump and reset for each panic, every run ends, the sound guest is served."""
    assert play_moves(1, moves, {"web-1": web, "db-1": db}).wrong == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower().replace("_", " "))
@pytest.mark.parametrize("passing", [0, 8, 13])
def test_each_fault_alone(kind: Kind, passing: int) -> None:
    """In the handshake, where the panic is seen to, and behind it."""
    moves = [Move(3.0, "panic", "db-1", 0), Move(80.0, "go", "db-1", 0)]
    scripts = {"db-1": [Fault(kind, passing, variant) for variant in range(2)]}
    assert play_moves(1, moves, scripts).wrong == []
