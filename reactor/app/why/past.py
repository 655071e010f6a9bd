"""What was decided about a policy and a guest around a time, from the journal alone."""

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from reactor.adapters.journal import RunRow
from reactor.app.absences import Absence
from reactor.app.timeline import is_handler, run_line
from reactor.app.why.eyes import Eyes
from reactor.app.why.judging import FITS, Eye
from reactor.app.why.reasons import Finding, Mark, Moment, Why
from reactor.app.why.record import Record, Seen, Text, text_at
from reactor.app.why.selecting import selection
from reactor.core.admission import Verdict
from reactor.core.by_hand import command_of
from reactor.core.effect import Trace
from reactor.core.inputs import Connected, Disconnected
from reactor.core.matching import named
from reactor.core.policy import EventTrigger, MessageTrigger, Policy
from reactor.core.run import Outcome
from reactor.core.text import render_time

_OTHERS_SHOWN = 10


def explain(  # noqa: PLR0913, PLR0917 - what is asked, and what is known
    policy: str, guest: str, at: float, record: Record, texts: Sequence[Text], eyes: Eyes
) -> Why:
    """Why the policy did or did not run on the guest around ``at``.

    Args:
        texts: the policy as it was in force, none when nobody knows such a policy.
        eyes: look at events that left no trace, each with the text of its time.
    """
    text = text_at(texts, at)
    spell = eyes.at(at) or next(iter(eyes.spells), None)
    eye = spell.eye if spell else None
    found = list(_of_policy(policy, at, text, eye))
    found += _of_others(texts, text)
    found += _of_guest(guest, at, record, eye)
    moments = moments_of(record, eyes)
    return Why(
        policy=policy,
        guest=guest,
        verdict=_verdict(at, found, moments, record),
        findings=found,
        moments=moments,
        runs=[run_line(run) for run in record.runs],
        refused=record.refused,
        at=at,
        begin=record.begin,
        end=record.end,
        revision=text.revision if text and eye else "",
        in_force=text.since if text else None,
    )


def moments_of(record: Record, eyes: Eyes) -> list[Moment]:
    """Every event of the record with what was decided about it, in order.

    What was recorded stands; of the events and messages without a trace those are looked at
    again that a trigger names.
    """
    runs = {run.id: run for run in record.runs}
    decided = [(trace, None) for trace in record.refusals]
    admitted = [(trace, runs[run]) for run, trace in record.admitted.items()]
    recorded = record.events + record.messages
    events = {(time, seen.event.name): seen for seen in recorded for time in _times(seen)}
    moments = []
    explained: set[int] = set()
    for trace, run in [*decided, *admitted]:
        name = _event_name(trace)
        seen = events.get((trace.at, name))
        if seen is not None:
            explained.add(id(seen))
        moment = _decided(trace, name, seen, run)
        if trace.verdict == Verdict.LIMITED.value and trace.at in record.handlers:
            handler = record.handlers[trace.at]
            moment = replace(moment, on_limit=handler.id, outcome=_outcome(handler))
        moments.append(moment)
    moments += [moment for seen, moment in eyes.look_at(record) if id(seen) not in explained]
    return sorted(moments, key=lambda moment: moment.at)


def _times(seen: Seen) -> set[float]:
    """When an event was handled: what the engine made itself it handled when it made it."""
    return {seen.at, seen.event.received}


def _event_name(trace: Trace) -> str:
    """The event that a decision was about: refusals keep it, admissions say it."""
    return str(trace.values.get("event") or trace.reason.partition(" ")[0])


def _decided(trace: Trace, name: str, seen: Seen | None, run: RunRow | None) -> Moment:
    return Moment(
        at=trace.at,
        event=name,
        verdict=trace.verdict,
        reason="" if run else trace.reason,
        path=trace.path,
        data=seen.event.data if seen else {},
        values={key: value for key, value in trace.values.items() if key != "event"},
        run=run.id if run else "",
        outcome=_outcome(run) if run else "",
    )


def _outcome(run: RunRow) -> str:
    if run.ended is None:
        return run.state
    return f"{run.outcome}: {run.error}" if run.error else run.outcome


def _came_to(run: RunRow) -> str:
    """What became of a run that was admitted, as the sentence to read first says it."""
    if run.outcome == Outcome.WOULD_RUN.value:
        return f"it would have run (audit): run {run.id}"
    if run.started is None and run.ended is not None:
        return f"it was admitted, and did not start: run {run.id} {_outcome(run)}"
    return f"it ran: run {run.id} {_outcome(run)}"


def _of_policy(policy: str, at: float, text: Text | None, eye: Eye | None) -> list[Finding]:
    if command_of(policy):
        return [Finding("policy", Mark.NOTE, "a command that is sent by hand, and no policy")]
    if text is None:
        return [Finding("policy", Mark.NO, f"the journal knows no policy {policy!r}")]
    if text.source is None:
        since = render_time(text.since or 0.0)
        return [Finding("policy", Mark.NO, f"it was not loaded: it went at {since}")]
    revision = text.revision[:12]
    if eye is None:
        reason = f"its text of then (revision {revision}) is refused by this version of reactor"
        return [Finding("policy", Mark.NOTE, f"{reason}: events cannot be looked at again")]
    if text.since is None:
        known = f"which revision was in force at {render_time(at)} is not known"
        return [Finding("policy", Mark.NOTE, f"{known}; events are looked at with {revision}")]
    since = f"in force since {render_time(text.since)}"
    if text.since > at:
        reason = f"it was not loaded before {render_time(text.since)}: then revision {revision}"
        return [Finding("policy", Mark.NO, reason)]
    return [Finding("policy", Mark.OK, f"revision {revision}, {since}")]


def _of_others(texts: Sequence[Text], text: Text | None) -> list[Finding]:
    """That the policy was another one before or behind, in the time that is looked at."""
    found = []
    for other in texts:
        if other is not text and other.since is not None:
            what = f"revision {other.revision[:12]}" if other.source is not None else "it was gone"
            told = f"from {render_time(other.since)} on: {what}"
            found.append(Finding("policy", Mark.NOTE, told))
    return found


def _of_absence(at: float, absence: Absence) -> Finding:
    """What happened meanwhile nobody saw: that nothing came then is not known."""
    mark = Mark.NO if absence.covers(at) else Mark.NOTE
    return Finding("daemon", mark, absence.sentence)


def _of_monitor(at: float, record: Record, when: float, said: Connected | Disconnected) -> Finding:
    """What was said of it last: what came behind the time that is asked about only tells."""
    since = render_time(when)
    if isinstance(said, Disconnected):
        text = f"its monitor was away since {since}: {said.reason}"
        return Finding("guest", Mark.NO if when <= at else Mark.NOTE, text)
    if when > at:
        return Finding("guest", Mark.NOTE, f"its monitor was connected at {since}")
    text = f"its monitor was connected since {since}"
    if any(when <= absence.since <= at for absence in record.absences):
        return Finding("guest", Mark.NOTE, f"{text}, until reactor ended")
    return Finding("guest", Mark.OK, text)


def _of_guest(guest: str, at: float, record: Record, eye: Eye | None) -> list[Finding]:
    found = []
    if record.monitor is None and not record.events:
        text = f"the journal holds nothing about a guest {guest!r} at that time"
        return [Finding("guest", Mark.NO, text)]
    found += [_of_absence(at, absence) for absence in record.absences]
    if record.monitor is not None:
        found.append(_of_monitor(at, record, *record.monitor))
    if eye is not None and record.labels is not None:
        is_selected, text = selection(eye.policy.guests, guest, record.labels)
        found.append(Finding("selected", Mark.OK if is_selected else Mark.NO, text))
    if eye is not None:
        found += _of_trigger(record, eye.policy)
    return found


def _of_trigger(record: Record, policy: Policy) -> list[Finding]:
    found = []
    names = [name for t in policy.triggers if isinstance(t, EventTrigger) for name in t.events]
    if names:
        found.append(Finding("trigger", Mark.NOTE, f"it waits for {', '.join(names)}"))
    if record.fired:
        times = ", ".join(map(render_time, record.fired[-_OTHERS_SHOWN:]))
        found.append(Finding("trigger", Mark.NOTE, f"its schedule was due at {times}"))
    topics = [t.topic for t in policy.triggers if isinstance(t, MessageTrigger)]
    if topics:
        came = f"{len(record.messages)} came over MQTT in that time, on these and other topics"
        text = f"it waits for messages on {', '.join(topics)}; {came}"
        found.append(Finding("messages", Mark.NOTE, text))
    found += _of_missed(record, names)
    counted = Counter(seen.event.name for seen in record.events)
    if counted:
        cut = ", the nearest of more" if record.cut else ""
        found.append(Finding("events", Mark.NOTE, f"events of that time: {_most(counted)}{cut}"))
    else:
        # What stands in the way where events are waited for only tells something elsewhere.
        mark = Mark.NO if names else Mark.NOTE
        found.append(Finding("events", mark, "no event of this guest came in that time"))
    return found


def _most(counted: Counter[str]) -> str:
    """The names that are met most often, and how often."""
    return ", ".join(f"{name} {n}x" for name, n in counted.most_common(_OTHERS_SHOWN))


def _of_missed(record: Record, names: Sequence[str]) -> list[Finding]:
    """The events that were dropped; those that the policy waits for stood in the way."""
    found = []
    for at, missed in record.missed[-_OTHERS_SHOWN:]:
        mark = Mark.NO if any(named(name, names) for name in missed) else Mark.NOTE
        text = f"too many inputs waited, events were dropped: {_most(Counter(missed))}"
        text += f"; the guest was asked how it stands at {render_time(at)}"
        found.append(Finding("events", mark, text))
    return found


def _verdict(at: float, found: Sequence[Finding], moments: Sequence[Moment], record: Record) -> str:
    """The sentence to read first: a run, else a refusal, else what stood in the way.

    Of several the nearest to ``at``.
    """
    runs = {run.id: run for run in record.runs if not is_handler(run)}
    refused = [moment for moment in moments if not (moment.evaluated or moment.run)]
    if runs:
        started = [moment for moment in moments if moment.run]
        nearest = _nearest(at, started) if started else None
        run = runs[nearest.run] if nearest else list(runs.values())[-1]
        return _came_to(run) + (_but_then(at, nearest, refused) if nearest else "")
    looked_at = [moment for moment in moments if moment.evaluated and moment.verdict != FITS]
    for some in (refused, looked_at, moments):
        if some:
            one = _nearest(at, some)
            reason = f": {one.reason}" if one.reason else ""
            return f"it did not run on {one.event}: {one.verdict}{reason}"
    first = next((one for one in found if one.mark is Mark.NO), None)
    if first is not None:
        return f"it did not run: {first.text}"
    return "it did not run: nothing came that its trigger waits for"


def _but_then(at: float, run: Moment, refused: Sequence[Moment]) -> str:
    """What was refused nearer to the time that is asked about than the run; empty without that."""
    if not refused:
        return ""
    one = _nearest(at, refused)
    if abs(one.at - at) >= abs(run.at - at):
        return ""
    reason = f": {one.reason}" if one.reason else ""
    return f"; not on {one.event} at {render_time(one.at)}: {one.verdict}{reason}"


def _nearest(at: float, moments: Sequence[Moment]) -> Moment:
    return min(moments, key=lambda moment: abs(moment.at - at))
