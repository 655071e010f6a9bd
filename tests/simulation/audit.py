"""What must hold at the end of every history, whatever happened in it."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from reactor.adapters.journal import Reader
from reactor.adapters.journal.rows import RunRow, TraceRow
from reactor.app.clock import SET_S
from reactor.core.engine import Engine
from tests.simulation.comparing import missed
from tests.simulation.policies import DELAY_S, LIMIT, LIMIT_S
from tests.simulation.qemus import Deed, Monitor
from tests.simulation.remembered import remembered
from tests.simulation.stage import Stage
from tests.simulation.waiting import waiting

ALL = 1_000_000
MENDING = {
    "guest-panicked": ("panic-dump-reset", "panic-always"),
    "io-error": ("resume",),
    "paused": ("counted",),
}
"""By the run state in which a guest is left: the policies that should not have left it so.

Nothing excuses ``prelaunch``: a reset without its ``cont``, which no event ever tells of.
"""

CALLED_OFF = {
    "limited",
    "held by an operator",
    "not ready on this guest",
}
"""Verdicts on a panic after which nobody promised anything."""


MEANT = ("the dump failed", "did not end within")

HARMFUL = {
    ("system_reset", "running"),
    ("system_reset", "save-vm"),
    ("dump-guest-memory", "running"),
    ("cont", "guest-panicked"),
}
"""What none of these policies asks for: a command, and the run state that it met."""


def audit(stage: Stage) -> list[str]:
    """Everything that is wrong, in words."""
    life = stage.life
    if life is None or not life.daemon.ready.is_set():
        return ["the daemon does not run although everything works again"]
    journal, engine = life.daemon.journal, life.daemon.engine
    runs = _journaled(journal.reader)
    return [
        *stage.watch.wrong,
        *_guests(stage, journal.reader),
        *_messages(stage, journal.reader),
        *_runs(stage, journal.reader, engine),
        *_limits(journal.reader),
        *_timers(stage),
        *_state(stage, journal.reader, engine),
        *missed(stage, journal.reader, engine),
        *remembered(journal.reader, engine, runs, life.daemon.clock.now()),
        *waiting(journal.reader, runs, stage.watch.troubles),
    ]


# ------------------------------------------------------------------ guests


def _guests(stage: Stage, reader: Reader) -> Iterator[str]:
    for name, monitor in stage.qemus.monitors.items():
        yield from _deeds(monitor)
        status = stage.qemus.status(name)
        if getattr(monitor, "lied", False):
            continue  # nobody could know
        yield from _in_doubt(monitor, _journaled(reader))
        if status != "running" and not _excused(stage, reader, name, status):
            yield f"{name} is left in {status!r} although everything works again"


def _deeds(monitor: Monitor) -> Iterator[str]:
    by_incident: dict[int, list[Deed]] = defaultdict(list)
    for deed in monitor.deeds:
        by_incident[deed.incident].append(deed)
    for incident, deeds in by_incident.items():
        count = Counter(deed.command for deed in deeds)
        where = f"incident {incident} of {monitor.guest.name}"
        for command in ("dump-guest-memory", "system_reset"):
            if count[command] > 1:
                yield f"{where}: {command} was obeyed {count[command]} times"
        done = [deed.command for deed in deeds]
        if count["system_reset"] and "dump-guest-memory" not in done[: done.index("system_reset")]:
            yield f"{where}: a reset without its dump"
    for deed in monitor.deeds:
        if (deed.command, deed.before) in HARMFUL:
            yield f"{deed.command} was sent to {deed.guest} in {deed.before!r} at {deed.at:.4f}"


def _excused(stage: Stage, reader: Reader, guest: str, status: str) -> bool:
    """Whether the last word of who should have mended it is a refusal, or a failure told."""
    mending = MENDING.get(status, ())
    words = [
        row.trace
        for row in _traces(reader)
        if row.trace.guest == guest
        and row.trace.policy in mending
        and row.trace.verdict in CALLED_OFF | {"admitted"}
    ]
    if not words:
        return False
    if words[-1].verdict in CALLED_OFF:
        return True
    run = reader.run(words[-1].run)
    if run is None or run.outcome not in {"failed", "timed-out"}:
        return False
    said = {heard.topic for heard in stage.broker.heard}
    told = f"reactor/h/failed/{run.id}" in said or (
        run.policy == "panic-dump-reset" and "reactor/h/alert/critical" in said
    )
    # A dump that was told to fail, and a deadline that passed while nobody was there.
    meant = run.outcome == "timed-out" or any(why in run.error for why in MEANT)
    return told and (status == "paused" or meant)


def _in_doubt(monitor: Monitor, runs: Iterable[RunRow]) -> Iterator[str]:
    """What became of a command can be found out, as long as QEMU lives."""
    if monitor.guest.life > 1:
        return
    for run in runs:
        mends = any(run.policy in policies for policies in MENDING.values())
        if run.guest == monitor.guest.name and mends and run.outcome == "unknown":
            yield f"run {run.id} of {run.policy} ended as unknown, and QEMU lives: {run.error}"


# ---------------------------------------------------------------- messages


def _messages(stage: Stage, reader: Reader) -> Iterator[str]:
    heard = [one for one in stage.broker.heard if one.seq]
    left = reader.outbox(0, ALL)
    if left:
        yield f"{len(left)} messages are still in the outbox, the first on {left[0].topic}"
    known = {one.seq for one in heard} | {row.seq for row in left}
    lost = set(range(1, stage.watch.last_message + 1)) - known
    if len(lost) > stage.refused:
        yield f"messages {sorted(lost)[:5]} of the outbox never reached the broker"
    by_topic: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in heard:
        by_topic[one.topic].append((one.life, one.seq))
    for topic, told in by_topic.items():
        yield from _order(topic, told)


def _order(topic: str, told: list[tuple[int, int]]) -> Iterator[str]:
    """Within one life the numbers never go back; none is passed over by a later one."""
    for (life, seq), (next_life, following) in itertools.pairwise(told):
        if life == next_life and following < seq:
            yield f"on {topic} message {following} came after {seq}"
    first = list(dict.fromkeys(seq for _, seq in told))
    if first != sorted(first):
        yield f"on {topic} the messages came first in the order {first[:10]}"


# -------------------------------------------------------------------- runs


def _runs(stage: Stage, reader: Reader, engine: Engine) -> Iterator[str]:
    runs = _journaled(reader)
    yield from _admitted(reader, runs)
    said = {heard.topic for heard in stage.broker.heard}
    for run in runs:
        if run.ended is None:
            yield f"run {run.id} of {run.policy} is still open: {run.state}"
        elif not run.outcome:
            yield f"run {run.id} of {run.policy} ended without an outcome"
        elif run.outcome not in {"succeeded", "skipped"} and not run.error:
            yield f"run {run.id} of {run.policy} ended as {run.outcome} without a reason"
        elif _has_finally(run) and f"reactor/h/over/{run.id}" not in said:
            yield f"run {run.id} of {run.policy} ended as {run.outcome} without its finally"
    if engine.world.runs or engine.world.asked:
        yield f"the engine still has runs {list(engine.world.runs)}"


def _admitted(reader: Reader, runs: Iterable[RunRow]) -> Iterator[str]:
    admitted = {row.trace.run for row in _traces(reader) if row.trace.verdict == "admitted"}
    for name in sorted(admitted - {run.id for run in runs}):
        yield f"run {name} was admitted and has vanished"
    for run in runs:
        if run.body == b"run" and run.id not in admitted:
            yield f"run {run.id} of {run.policy} was never admitted"


def _has_finally(run: RunRow) -> bool:
    return run.policy != "panic-dump-reset" and run.body == b"run" and run.started is not None


# ------------------------------------------------------- limits and timers


def _limits(reader: Reader) -> Iterator[str]:
    """Never more than the limit lets in, and never fewer."""
    by_guest: dict[str, list[float]] = defaultdict(list)
    for row in _traces(reader):
        trace = row.trace
        if trace.policy != "counted":
            continue
        before = [at for at in by_guest[trace.guest] if at > trace.at - LIMIT_S]
        if trace.verdict == "admitted":
            by_guest[trace.guest].append(trace.at)
            if len(before) >= LIMIT:
                yield f"counted let in {len(before) + 1} runs on {trace.guest} within its window"
        elif trace.verdict == "limited" and len(before) < LIMIT:
            yield f"counted refused a run on {trace.guest} after {len(before)} in its window"


def _timers(stage: Stage) -> Iterator[str]:
    for run, (began, boot, shift) in stage.watch.begun.items():
        late, later_boot, later_shift = stage.watch.late.get(run, (math.inf, boot, shift))
        # Only a wall clock that was set ahead while the host was down may shorten it by more.
        most = SET_S if later_boot == boot else math.inf
        allowance = min(most, max(0.0, later_shift - shift))
        if late - began + allowance < DELAY_S - 0.05:
            yield f"the delay of {run} took {late - began:.3f} s instead of {DELAY_S:g} s"


# ------------------------------------------------------------------- state


def _state(stage: Stage, reader: Reader, engine: Engine) -> Iterator[str]:
    journaled = {(kind, key): value for kind, key, value in reader.state()}
    held = {(row.kind, row.key): row.value for row in engine.snapshot() if row.value is not None}
    for key in journaled.keys() | held.keys():
        if journaled.get(key) != held.get(key):
            yield f"{key} is {journaled.get(key)!r} in the journal, {held.get(key)!r} in the engine"
    for name, guest in engine.world.guests.items():
        if not guest.connected:
            yield f"{name} is not connected although everything works again"
    marks = {key for kind, key in journaled if kind == "mark"}
    told = {
        topic for topic, payload in stage.broker.retained.items() if "/mark/" in topic and payload
    }
    if len(marks) != len(told):
        yield f"the marks are {sorted(marks)}, the broker keeps {sorted(told)}"


def _journaled(reader: Reader) -> list[RunRow]:
    return sorted(reader.runs(ALL), key=lambda run: int(run.id.rpartition("-")[2]))


def _traces(reader: Reader) -> Iterable[TraceRow]:
    return reader._traces("1 ORDER BY seq")
