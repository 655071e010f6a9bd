"""A run's time line, as people read it."""

from typing import TYPE_CHECKING

from reactor.cli.screen import Screen, to_json
from reactor.cli.times import shown_length, shown_time

if TYPE_CHECKING:
    from reactor.app.timeline import Entry, Timeline

_STYLES = {
    "failed": "red",
    "refused": "red",
    "succeeded": "green",
    "done": "green",
    "event": "cyan",
    "command": "magenta",
    "away": "yellow",
}


def show_timeline(screen: Screen, timeline: "Timeline") -> None:
    """What the run is, every step with its time since the beginning, and how it ended."""
    run = timeline.run
    screen.line(
        ("run ", ""), (run.run, "bold"), f" of {run.policy} on {run.guest}: {_end(timeline)}"
    )
    if timeline.key and timeline.key != run.guest:
        screen.line(f"key: {timeline.key}")
    if timeline.revision:
        screen.line(f"revision of the policy: {timeline.revision}")
    if timeline.entries:
        screen.line(f"begin: {shown_time(timeline.entries[0].at)}{_start(timeline)}")
    screen.line()
    begin = timeline.entries[0].at if timeline.entries else 0.0
    times = [f"+{shown_length(entry.at - begin)}" for entry in timeline.entries]
    wide = max(map(len, times), default=0)
    paths = max((len(entry.path) for entry in timeline.entries), default=0)
    words = max((len(entry.what) for entry in timeline.entries), default=0)
    for at, entry in zip(times, timeline.entries, strict=True):
        screen.line(
            (at.rjust(wide), "dim"),
            f"  {entry.path.ljust(paths)}  ",
            (entry.what.ljust(words), _STYLES.get(entry.what, "")),
            f"  {_reason(entry)}".rstrip(),
        )
    if timeline.waits:
        screen.line()
        screen.line(("now: ", "bold"), timeline.waits)


def _start(timeline: "Timeline") -> str:
    """When its steps began, where that is later than the first line: its time counts from there."""
    started, begin = timeline.run.started, timeline.entries[0].at
    if started is None or started <= begin:
        return ""
    return f", started at +{shown_length(started - begin)}"


def _end(timeline: "Timeline") -> str:
    run = timeline.run
    begin = run.started or run.admitted
    took = "" if begin is None or run.ended is None else f" after {shown_length(run.ended - begin)}"
    reason = f": {run.reason}" if run.reason and (run.ended is not None or run.outcome) else ""
    return f"{run.stands}{took}{reason}"


def _reason(entry: "Entry") -> str:
    values = dict(entry.values)
    bounds = _bounds(entry, values)
    told = to_json(values) if values else ""
    text = " ".join(part for part in (entry.reason, told) if part)
    return ", ".join(part for part in (text, *bounds) if part)


def _bounds(entry: "Entry", values: dict[str, object]) -> list[str]:
    """Which attempt of how many a step is at, its time, and when it is tried again, as words."""
    bounds = []
    if entry.what == "begun":
        attempt, of, within = (values.pop(key, None) for key in ("attempt", "of", "within"))
        if of is not None or attempt not in {None, 1}:
            bounds.append(f"attempt {attempt}" + ("" if of is None else f" of {of}"))
        if isinstance(within, float | int):
            bounds.append(f"{shown_length(within)} at most")
    elif entry.what == "failed, tried again":
        after = values.pop("after", None)
        if isinstance(after, float | int):
            bounds.append(f"again in {shown_length(after)}")
    return bounds
