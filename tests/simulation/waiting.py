"""What waits, waits on over every restart, and what holds others back does so till its end.

All of it on the engine's clock, as the journal tells it.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from reactor.adapters.journal import Reader
from reactor.adapters.journal.rows import RunRow
from reactor.core.admission import Verdict
from reactor.core.effect import Trace
from reactor.core.facts import SETTLE_AFTER_RESTART
from tests.simulation.policies import (
    ABSENT_S,
    CALM_S,
    PATIENCE_S,
    QUIET_MOST_S,
    QUIET_S,
)

ALL = 1_000_000

SLACK_S = 2.0
"""For a write, and for a disk that is asked once a second."""

SOON_S = 0.001

HELD_BACK = frozenset({"dump-guest-memory", "system_reset", "stop"})
"""With these a step begins, and none begins while an operator holds the guest."""


class Span(NamedTuple):
    """From when to when; ``guest`` empty: of all."""

    guest: str
    since: float
    until: float

    def covers(self, guest: str, at: float) -> bool:
        """Whether it is about this moment of the guest, and not on the edge."""
        return self.guest in {guest, ""} and self.since + SOON_S < at < self.until - SOON_S


@dataclass(frozen=True, slots=True)
class Told:
    """What the journal tells; ``troubles`` are times in which nobody looked at the clock."""

    reader: Reader
    runs: Sequence[RunRow]
    traces: Sequence[Trace]
    troubles: Sequence[tuple[float, float]]

    def excused(self, at: float) -> bool:
        """Whether what happened then may be late: the daemon or its disk was away before.

        After a restart the guests may come first, and what was missed.
        """
        late_s = SETTLE_AFTER_RESTART + SLACK_S
        return any(begin <= at <= end + late_s for begin, end in self.troubles)

    def of(self, policy: str) -> Iterator[Trace]:
        """Its traces."""
        return (one for one in self.traces if one.policy == policy)

    def events(self, name: str) -> Iterator[tuple[str, float]]:
        """The guest and the time of each such event."""
        rows = self.reader.history(0, ALL)
        return ((row.guest, row.at) for row in rows if (row.kind, row.name) == ("event", name))


def waiting(
    reader: Reader, runs: Sequence[RunRow], troubles: Sequence[tuple[float, float]]
) -> Iterator[str]:
    """Everything that is wrong about it, in words; ``troubles`` of the disk."""
    traces = [row.trace for row in reader._traces("1 ORDER BY seq")]
    told = Told(reader, runs, traces, [*troubles, *_starts(reader)])
    yield from _holds(told)
    yield from _inhibitions(told)
    yield from _ends(told, "quieted", QUIET_S, QUIET_MOST_S, {Verdict.DEBOUNCED.value})
    yield from _ends(told, "unanswered", ABSENT_S, ABSENT_S, set())
    yield from _patience(told)


def _starts(reader: Reader) -> Iterator[tuple[float, float]]:
    for row in reader.history(0, ALL):
        if row.kind == "policies" and json.loads(row.body)["starts"]:
            yield row.at, row.at


# ----------------------------------------------------- what holds others back


def _holds(told: Told) -> Iterator[str]:
    holds, came = list(_held(told.reader)), dict[tuple[str, str], float]()
    for one in told.traces:
        if one.verdict == Verdict.DEBOUNCED.value:
            # It is decided when it comes whether anybody keeps it away.
            came[one.policy, one.guest] = one.at
        if one.verdict != Verdict.ADMITTED.value:
            continue
        at = came.pop((one.policy, one.guest), one.at)
        if any(hold.covers(one.guest, at) for hold in holds):
            yield f"{one.policy} let in run {one.run} on {one.guest} in spite of a hold"
    for _, (intent, _) in told.reader.deeds(0, ALL):
        is_held = any(hold.covers(intent.guest, intent.at) for hold in holds)
        # What was decided while the disk was full is looked at anew before it is sent.
        if intent.command in HELD_BACK and is_held and not told.excused(intent.at):
            yield f"{intent.command} was begun on {intent.guest} in spite of a hold"


def _held(reader: Reader) -> Iterator[Span]:
    stand: dict[str, Span] = {}
    for row in reader.history(0, ALL):
        if row.kind != "operator":
            continue
        order = json.loads(row.body)["order"]
        guest = order.get("guest", "")
        if order["type"] in {"hold", "release"} and guest in stand:
            before = stand.pop(guest)
            yield before._replace(until=min(before.until, row.at))
        if order["type"] == "hold":
            stand[guest] = Span(guest, row.at, row.at + order["seconds"])
    yield from stand.values()


def _inhibitions(told: Told) -> Iterator[str]:
    spans = [
        (run.guest, run.started, run.ended)
        for run in told.runs
        if run.policy == "calm" and run.outcome == "succeeded" and run.started and run.ended
    ]
    for one in told.of("patient"):
        on = [(begin, end) for guest, begin, end in spans if guest == one.guest]
        surely = any(end + SOON_S < one.at < begin + CALM_S - SOON_S for begin, end in on)
        perhaps = any(begin <= one.at <= end + CALM_S for begin, end in on)
        if one.verdict == Verdict.ADMITTED.value and surely:
            yield f"patient let in run {one.run} on {one.guest}, where calm inhibits it"
        if one.verdict == Verdict.INHIBITED.value and not perhaps:
            yield f"patient was inhibited on {one.guest} at {one.at} by nobody"


# ------------------------------------------------------------------ what waits


def _ends(told: Told, policy: str, least_s: float, most_s: float, waits: set[str]) -> Iterator[str]:
    """Each NOISE is decided: not before ``least_s``, and after ``most_s`` at the latest."""
    noises, decided = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for guest, at in told.events("NOISE"):
        noises[guest].append(at)
    for one in told.of(policy):
        if one.verdict not in waits and (not one.run or one.verdict == Verdict.ADMITTED.value):
            decided[one.guest].append(one.at)
            began = any(at <= one.at - least_s + SOON_S for at in noises[one.guest])
            if one.path == "trigger" and not began:
                yield f"{policy} came to an end on {one.guest} at {one.at}, before its time"
    for guest, times in noises.items():
        for at in times:
            end = min((one for one in decided[guest] if one >= at), default=inf)
            if end > at + most_s + SLACK_S and not told.excused(end):
                yield f"{policy} has waited on {guest} since {at}, and came to an end at {end}"


def _patience(told: Told) -> Iterator[str]:
    for run in told.runs:
        if run.policy != "patient" or run.started is None or run.ended is None:
            continue
        took = run.ended - run.started
        is_late = took > PATIENCE_S + SLACK_S and not told.excused(run.ended)
        if is_late or took < PATIENCE_S - SOON_S:
            yield f"run {run.id} of patient waited {took:.3f} s instead of {PATIENCE_S:g} s"
