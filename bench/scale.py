"""How much each row measures: all of it, or just enough to prove that it works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes of a run of the bench; ``rounds`` is how often each pair is measured.

    ``sweeps`` are events that every one of the ``watched`` monitors gets in
    the row ``cpu``. ``crowd`` monitors are watched in the row ``load``, one of which
    sends ``flood`` events a second; each of its parts takes ``load_s``. In the row ``outbox``
    ``tells`` messages go one by one, and ``stream`` at once. The row ``soak`` takes
    ``soak_s``. ``large`` adds 100,000 policies to the row ``growth``.
    """

    rounds: int
    events: int
    policies: int
    keyed: int
    monitors: int
    latencies: int
    commits: int
    watched: int
    sweeps: int
    crowd: int
    flood: int
    load_s: float
    tells: int
    stream: int
    soak_s: float
    large: bool = False


FULL = Scale(
    rounds=7,
    events=100_000,
    policies=1000,
    keyed=10_000,
    monitors=1000,
    latencies=1000,
    commits=150,
    watched=100,
    sweeps=150,
    crowd=5000,
    flood=100_000,
    load_s=5.0,
    tells=100,
    stream=2000,
    soak_s=60.0,
)

SMOKE = Scale(
    rounds=1,
    events=4000,
    policies=100,
    keyed=200,
    monitors=20,
    latencies=40,
    commits=10,
    watched=10,
    sweeps=10,
    crowd=100,
    flood=20_000,
    load_s=1.0,
    tells=20,
    stream=300,
    soak_s=4.5,
)
