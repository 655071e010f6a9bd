"""The engine's clock."""

import pytest

from reactor.app import clock
from reactor.app.clock import Clock


class Time:
    """A machine's two clocks, to be set by hand."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.up = 50.0

    def time(self) -> float:
        """Seconds since the epoch, as somebody set them."""
        return self.wall

    def monotonic(self) -> float:
        """Seconds since some start."""
        return self.up


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The clocks of the machine."""
    time = Time()
    monkeypatch.setattr(clock, "time", time)
    return time


def test_it_shows_the_wall_clocks_time_and_goes_on_by_itself(time: Time) -> None:
    """A wall clock that is set meanwhile changes nothing."""
    made = Clock()
    assert made.now() == 1_800_000_000.0
    time.up += 2.5
    time.wall -= 3600.0
    assert made.now() == 1_800_000_002.5
    assert made.of_monotonic(51.0) == 1_800_000_001.0


@pytest.mark.parametrize(
    ("floor", "now"),
    [
        pytest.param(0.0, 1_800_000_000.0, id="an empty journal"),
        pytest.param(1_799_999_999.0, 1_800_000_000.0, id="the journal is older"),
        pytest.param(1_800_000_000.0, 1_800_000_000.0, id="the journal is as old"),
        pytest.param(1_800_000_009.0, 1_800_000_009.0, id="the wall clock was set back"),
    ],
)
def test_it_never_starts_before_what_the_journal_has_seen(
    time: Time, floor: float, now: float
) -> None:
    """The later one of the two."""
    made = Clock(floor)
    assert made.now() == now
    time.up += 1
    assert made.now() == now + 1
