"""What is known of QEMU's events, and of reactor's own."""

from collections.abc import Mapping

from reactor.app.catalogue.entry import Entry, Line, Missed
from reactor.app.catalogue.examples import event_example
from reactor.app.catalogue.lines import lines_of
from reactor.core.cel_shapes import Kind
from reactor.core.made_up import made_up_for
from reactor.policyfile.event_shapes import shape_named
from reactor.qapi.facts import EventFacts, facts
from reactor.qapi.types import Schema

OWN: Mapping[str, str] = {
    "REACTOR_GUEST_CONNECTED": "a monitor is ready",
    "REACTOR_GUEST_LOST": (
        "a monitor closed without a SHUTDOWN before and the same QEMU was not back within 5 s,"
        " or another QEMU came in its place"
    ),
    "REACTOR_MARK_CLEARED": "a mark was cleared or has expired",
    "REACTOR_MARK_SET": "a mark is new",
    "REACTOR_OUTBOX_DROPPED": (
        "messages were dropped before the broker had them: at the first of an outage, and when"
        " the broker is there again"
    ),
    "REACTOR_POLICY_NOT_READY": "an arm failed; once, until it succeeded",
    "REACTOR_RUN_FAILED": "a run ended as failed, timed-out or unknown",
    "REACTOR_RUN_LIMITED": "a limit refused a match; as rarely as on_limit",
}
"""What reactor's own events say."""

_TYPES = {
    Kind.TEXT: "string",
    Kind.WHOLE: "int",
    Kind.TRUTH: "boolean",
    Kind.MAP: "object",
    Kind.ANY: "any",
}


def event_entry(name: str) -> Entry:
    """All about an event of QEMU."""
    known = facts().events[name]

    def data(schema: Schema) -> str | None:
        return schema.events[name].data if name in schema.events else None

    lines = lines_of(data, once=False)
    return Entry(
        name=name,
        kind="event",
        meaning=known.meaning,
        since=known.since,
        deprecated=known.deprecated,
        removed=known.removed,
        replaced_by=known.replaced_by,
        unstable=known.unstable,
        versions=known.present,
        topic=known.topic,
        severity=known.severity,
        requires=known.requires,
        rate_limit=known.rate_limit,
        missed=_missed(name, known),
        followed_by=known.followed_by,
        members=lines,
        changes=known.changes,
        note=known.note,
        example=event_example(name, known.severity, lines, needs_switch=bool(known.requires)),
    )


def _missed(name: str, known: EventFacts) -> Missed:
    made_up, trace = made_up_for(name), known.trace
    return Missed(
        shown_by=made_up.shown_by if made_up else "",
        waits_only=bool(made_up and made_up.waits),
        kept=trace.kept.value,
        ask=trace.how,
        note=trace.note,
    )


def own_entry(name: str) -> Entry:
    """All about one of reactor's own events, which it never misses."""
    lines = tuple(
        Line(
            path,
            " or ".join(sorted(_TYPES[kind] for kind in member.kinds)),
            optional=member.optional,
        )
        for path, member in shape_named(name).members.items()
    )
    return Entry(
        name=name,
        kind="event of reactor",
        meaning=OWN[name],
        members=lines,
        example=event_example(name, "notice", lines),
    )
