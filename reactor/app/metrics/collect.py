"""The figures of a daemon, collected at one moment."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reactor.adapters.journal import Figures, Statistics
from reactor.app.control.answers import Status
from reactor.app.metrics import families as f
from reactor.app.metrics.tally import Tally
from reactor.app.metrics.text import Family, Sample
from reactor.app.settings import JournalSettings


@dataclass(frozen=True, slots=True)
class Sources:
    """What the figures are read from; ``free_bytes`` is None where the disk did not say."""

    status: Status
    statistics: Statistics
    settings: JournalSettings
    tally: Tally
    free_bytes: int | None


def collect(sources: Sources) -> Iterator[tuple[Family, Iterable[Sample]]]:
    """Every family that there is, with its samples."""
    yield f.UP, _one(1)
    yield from _daemon(sources.status)
    yield from _counted(sources.tally)
    yield from _queues(sources.status)
    yield from _journal(sources)
    line = sources.status.daemon.journal_figures
    if line is not None and line.figures is not None:
        yield from _figures(line.figures)


def collect_nothing() -> Iterator[tuple[Family, Iterable[Sample]]]:
    """What is told of a daemon that does not run."""
    yield f.UP, _one(0)


def _daemon(status: Status) -> Iterator[tuple[Family, Iterable[Sample]]]:
    daemon = status.daemon
    yield f.INFO, [Sample(1, {"version": daemon.version})]
    yield f.STARTED, _one(daemon.since)
    yield f.AUDIT, _one(daemon.audit)
    if daemon.broker != "none":
        yield f.BROKER, _one(daemon.broker == "connected")
    yield f.GUESTS, _one(status.guests)
    yield f.CONNECTED, _one(status.connected)
    yield f.POLICIES, _one(daemon.policies)
    yield f.PROBLEMS, _one(daemon.policy_problems)
    yield f.NOT_READY, _one(status.not_ready_count)
    yield f.LACKING, _one(status.lack_count)
    yield f.OPEN_RUNS, _one(status.run_count)
    yield f.MARKS, _one(status.mark_count)
    yield f.HOLDS, _one(len(status.holds))
    yield f.SILENCES, _one(len(status.silences))


def _counted(tally: Tally) -> Iterator[tuple[Family, Iterable[Sample]]]:
    yield f.EVENTS, _many("event", tally.events)
    yield (
        f.RUNS,
        [
            Sample(count, {"policy": policy, "outcome": outcome})
            for (policy, outcome), count in sorted(tally.runs.items())
        ],
    )
    yield (
        f.RUN_SECONDS,
        [
            Sample(value, {"policy": policy}, suffix)
            for policy, (count, seconds) in sorted(tally.seconds.items())
            for suffix, value in (("_sum", seconds), ("_count", count))
        ],
    )
    yield (
        f.SUPPRESSED,
        [
            Sample(count, {"policy": policy, "reason": reason})
            for (policy, reason), count in sorted(tally.refused.items())
        ],
    )


def _queues(status: Status) -> Iterator[tuple[Family, Iterable[Sample]]]:
    yield f.QUEUE, _many("queue", status.daemon.waiting)
    dropped = []
    for name, count in sorted(status.daemon.dropped.items()):
        queue, _, reason = name.partition(": ")
        dropped.append(Sample(count, {"queue": queue, "reason": reason or "no room"}))
    yield f.DROPPED, dropped


def _journal(sources: Sources) -> Iterator[tuple[Family, Iterable[Sample]]]:
    statistics = sources.statistics
    yield f.HEALTHY, _one(not sources.status.daemon.journal_problem)
    yield f.BOUNDED, _one(not statistics.care_trouble)
    yield f.MOST, _one(sources.settings.max)
    yield f.KEEP, _one(sources.settings.keep)
    if sources.free_bytes is not None:
        yield f.FREE, _one(sources.free_bytes)
    yield f.COMMITS, _one(statistics.commits)
    yield f.TRANSACTIONS, _one(statistics.synced)
    yield f.FAILURES, _one(statistics.failures)
    times = statistics.durations
    told = {"last": times.last_s, "p50": times.p50_s, "max": times.max_s}
    yield f.COMMIT_SECONDS, [Sample(seconds, {"of": of}) for of, seconds in told.items()]


def _figures(figures: Figures) -> Iterator[tuple[Family, Iterable[Sample]]]:
    yield f.SIZE, _one(figures.size_bytes)
    yield f.USED, _one(figures.used_bytes)
    yield f.LOG, _one(figures.log_bytes)
    yield f.ROWS, _many("kind", figures.rows)
    if figures.oldest is not None:
        yield f.OLDEST, _one(figures.oldest)
    yield f.REMOVED, _many("kind", figures.removed)
    if figures.removed_at is not None:
        yield f.REMOVED_AT, _one(figures.removed_at)


def _one(value: float) -> list[Sample]:
    return [Sample(float(value), {})]


def _many(label: str, counts: Mapping[str, int]) -> list[Sample]:
    return [Sample(count, {label: name}) for name, count in sorted(counts.items())]
