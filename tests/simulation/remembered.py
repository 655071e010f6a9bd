"""What was said and counted is remembered over every restart, and ends when its time is up."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

from reactor.adapters.journal import Reader
from reactor.adapters.journal.rows import RunRow
from reactor.core.effect import Trace
from reactor.core.engine import Engine
from tests.simulation.policies import COOLDOWN_S

ALL = 1_000_000

ENDS = {
    "mark": "expires",
    "silence": "until",
    "hold": "until",
    "inhibition": "until",
    "debounce": "due",
    "sequel": "until",
}
"""Of what is kept until a moment: the member that says which."""

SLACK_S = 5.0


def remembered(reader: Reader, engine: Engine, runs: Sequence[RunRow], now: float) -> Iterator[str]:
    """Everything that is wrong about it, in words; ``now`` on the engine's clock."""
    traces = [row.trace for row in reader._traces("1 ORDER BY seq")]
    yield from _overdue(engine, now)
    yield from _approvals(runs, traces)
    yield from _silences(reader, traces)
    yield from _cooldowns(runs, traces)


def _overdue(engine: Engine, now: float) -> Iterator[str]:
    for row in engine.snapshot():
        if row.kind in ENDS and row.value is not None:
            end = json.loads(row.value).get(ENDS[row.kind])
            if end is not None and end < now - SLACK_S:
                yield f"the {row.kind} {row.key} should have ended {now - end:.1f} s ago"


def _approvals(runs: Sequence[RunRow], traces: Sequence[Trace]) -> Iterator[str]:
    """A yes is for good, and nothing is done without one."""
    said = {one.run for one in traces if one.path == "approval" and one.verdict == "approved"}
    for run in runs:
        if run.policy != "asked":
            continue
        is_held = run.outcome == "skipped" and "are held by" in run.error
        if run.id in said and run.outcome != "succeeded" and not is_held:
            yield f"run {run.id} was approved, and ended as {run.outcome}: {run.error}"
        if run.id not in said and run.outcome != "cancelled":
            yield f"run {run.id} was never approved, and ended as {run.outcome}"


def _silences(reader: Reader, traces: Sequence[Trace]) -> Iterator[str]:
    silences: list[tuple[float, dict[str, Any]]] = []
    for row in reader.history(0, ALL):
        if row.kind == "operator":
            order = json.loads(row.body)["order"]
            if order["type"] == "add-silence":
                silences.append((row.at, order))
    for one in traces:
        if one.verdict != "admitted":
            continue
        for since, order in silences:
            if (
                since < one.at < since + order["seconds"]
                and any(fnmatchcase(one.policy, glob) for glob in order["policies"])
                and any(fnmatchcase(one.guest, glob) for glob in order["guests"])
            ):
                yield f"{one.policy} let in run {one.run} on {one.guest} in spite of a silence"


def _cooldowns(runs: Sequence[RunRow], traces: Sequence[Trace]) -> Iterator[str]:
    """No run of `echo` starts too early, and none is refused without a start before."""
    starts: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        if run.policy == "echo" and run.started is not None:
            starts[run.guest].append(run.started)
    for guest, times in starts.items():
        gaps = [late - early for early, late in pairwise(sorted(times))]
        yield from (
            f"echo began on {guest} {gap:.3f} s after its start before"
            for gap in gaps
            if gap < COOLDOWN_S
        )
    refused = [one for one in traces if one.policy == "echo" and one.verdict == "cooling down"]
    for one in refused:
        times = starts[one.guest]
        if not any(at <= one.at < at + COOLDOWN_S for at in times):
            yield f"echo cooled down on {one.guest} at {one.at} without a start before"
