"""What a row found: figures with their floors, and what must be true of them."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from bench.scale import Scale


class Better(StrEnum):
    """Which way a ratio is to go."""

    HIGHER = "higher"
    LOWER = "lower"


class Figure(msgspec.Struct, frozen=True):
    """One line of the table: medians over all rounds.

    ``figure`` and ``floor`` are in ``unit``; ``ratio`` is the median of each
    round's own ratio, so that a load which comes and goes hits both sides.
    ``spread`` is half the distance between the quartiles of those ratios, as
    a part of their median. ``target`` None: told for its own sake.
    """

    row: str
    what: str
    unit: str
    figure: float
    floor: float
    floor_is: str
    ratio: float
    spread: float
    rounds: int
    target: float | None = None
    better: Better = Better.LOWER

    @property
    def key(self) -> str:
        """What names this line in earlier results."""
        return f"{self.row}: {self.what}"

    @property
    def missed(self) -> bool:
        """Whether the target is not reached."""
        if self.target is None:
            return False
        if self.better is Better.HIGHER:
            return self.ratio < self.target
        return self.ratio > self.target


class Wrong(Exception):  # noqa: N818 - not an error of the bench: its finding
    """Something measured did not do what it was measured for: its time means nothing."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One round: the figure and its floor, measured one right after the other."""

    figure: float
    floor: float


@dataclass(frozen=True, slots=True)
class Row:
    """A part of the bench that can be run alone."""

    name: str
    about: str
    measure: Callable[[Scale], list[Figure]]


@dataclass(frozen=True, slots=True)
class Line:
    """What stays the same over the rounds of one figure."""

    row: str
    what: str
    unit: str
    floor_is: str
    target: float | None = None
    better: Better = Better.LOWER

    def of(self, pairs: Sequence[Pair]) -> Figure:
        """The figure of these rounds."""
        ratios = [pair.figure / pair.floor for pair in pairs]
        ratio = statistics.median(ratios)
        return Figure(
            row=self.row,
            what=self.what,
            unit=self.unit,
            figure=statistics.median(pair.figure for pair in pairs),
            floor=statistics.median(pair.floor for pair in pairs),
            floor_is=self.floor_is,
            ratio=ratio,
            spread=_spread(ratios, ratio),
            rounds=len(pairs),
            target=self.target,
            better=self.better,
        )


def percentile(values: Sequence[float], part: float) -> float:
    """The value that ``part`` (0 to 1) of all values do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _spread(ratios: Sequence[float], median: float) -> float:
    if len(ratios) < 2:
        return 0.0
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return (high - low) / 2 / median
