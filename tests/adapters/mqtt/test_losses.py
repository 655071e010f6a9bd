"""Lost connections: what is told of them, and how long the next connect waits."""

import random

import pytest

from reactor.adapters.mqtt import Limits, MqttOptions
from reactor.adapters.mqtt.faults import TAKEN_OVER, Lost
from reactor.adapters.mqtt.losses import Losses

OPTIONS = MqttOptions.parse("mqtt://b", host="h")
CLOSED = Lost()
TAKEN = Lost(TAKEN_OVER, "Session taken over")
HANGS = Lost(silent=True)


class Longest(random.Random):
    """No jitter: the longest pause."""

    def uniform(self, _a: float, b: float) -> float:
        """The upper end."""
        return b


@pytest.mark.parametrize(
    ("losses", "pauses"),
    [
        pytest.param([(CLOSED, 60.0, 0.0)], [0.25], id="one loss"),
        pytest.param(
            [(CLOSED, 1.0, 0.0), (CLOSED, 1.0, 5.0)], [0.5, 1.0], id="a broker that restarts twice"
        ),
        pytest.param(
            [(CLOSED, 1.0, float(n)) for n in range(7)],
            [0.5, 1.0, 15.0, 30.0, 60.0, 60.0, 60.0],
            id="thrown out again and again without a word",
        ),
        pytest.param(
            [(TAKEN, 60.0, 0.0), (TAKEN, 60.0, 90.0), (TAKEN, 60.0, 250.0)],
            [15.0, 30.0, 60.0],
            id="taken over, says the broker",
        ),
        pytest.param(
            [(TAKEN, 60.0, 0.0), (CLOSED, 599.0, 700.0), (CLOSED, 600.0, 1400.0)],
            [15.0, 30.0, 0.25],
            id="ten minutes of peace end it",
        ),
        pytest.param(
            [(TAKEN, 60.0, 0.0), (HANGS, 60.0, 90.0)], [15.0, 0.25], id="another reason ends it"
        ),
    ],
)
def test_who_is_thrown_out_waits_for_longer_each_time(
    losses: list[tuple[Lost, float, float]], pauses: list[float]
) -> None:
    """Two daemons with one client id: how, how long the connection lasted, when it ended."""
    made = Losses(OPTIONS, Limits())
    found = []
    for how, lasted, at in losses:
        made.judge(how, lasted, at)
        found.append(made.pause(Longest()))
    assert found == pauses


def test_no_connection_at_all_is_no_fight() -> None:
    """A broker that is away is looked for every half minute."""
    made = Losses(OPTIONS, Limits())
    for _ in range(20):
        made.no_connect()
    assert made.pause(Longest()) == 30.0


def test_a_reason_is_told_once() -> None:
    """Until it changes, or was away for two minutes."""
    made = Losses(OPTIONS, Limits())
    times = [0.0, 1.0, 2.0, 3.0, 124.0]
    told = [made.judge(CLOSED, 1.0, at) is not None for at in times]
    assert told == [True, False, True, False, True]


def test_the_pause_has_jitter() -> None:
    """All daemons of a site meet a broker that comes back, and not at once."""
    made = Losses(OPTIONS, Limits())
    made.judge(TAKEN, 1.0, 0.0)
    pauses = {made.pause(random.Random(seed)) for seed in range(20)}  # noqa: S311 - no secret
    assert len(pauses) == 20
    assert all(7.5 <= pause <= 15.0 for pause in pauses)
