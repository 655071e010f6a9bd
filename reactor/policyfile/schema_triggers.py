"""What starts a run, as pydantic models: one model for each kind of trigger."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from reactor.core.text import render_duration
from reactor.policyfile.foreign import EVENT_TRIGGER, STATE_TRIGGER
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.spellings import Cron, EventName, EventNames, TimeZone, TopicFilter
from reactor.policyfile.values import (
    Choice,
    Condition,
    Duration,
    Maybe,
    OneOrMany,
    Span,
    Template,
    Value,
    Whole,
    wrong,
)

COUNT_MAX = 1000
"""The largest ``count``: so many times are kept for each key."""

EVERY_LEAST = 1.0
"""Seconds of the shortest ``every``: each firing is a run on every selected guest."""


class Cancel(Model):
    """Events of the guest that end the wait for a second event."""

    event: Annotated[EventNames, Field(description="Event names or globs; any of them counts.")]
    where: Annotated[
        Condition | None,
        Maybe(),
        Field(description="CEL over the candidate; `trigger` is the first event."),
    ] = None


class Sequel(Cancel):
    """The second event that is waited for after the first."""

    by: Annotated[
        Value | None,
        Maybe(),
        Field(description="CEL over the candidate; the trigger's own `by` when left out."),
    ] = None
    within: Annotated[Span, Field(description="How long it is waited for.", examples=["2m"])]


def _cancel_kind(data: object) -> str:
    return "<match>" if isinstance(data, Mapping) else "<name>"


AnyCancel = Annotated[
    Annotated[EventName, Tag("<name>")] | Annotated[Cancel, Tag("<match>")],
    Discriminator(_cancel_kind),
]


def _pairs(schema: dict[str, Any]) -> None:
    """Writes into the JSON Schema what `complaints` says of the keys."""
    schema["dependentRequired"] = {"count": ["within"], "within": ["count"]}
    schema["not"] = {"required": ["followed_by", "not_followed_by"]}
    sequel = [{"required": ["followed_by"]}, {"required": ["not_followed_by"]}]
    schema["dependentSchemas"] = {"cancel_on": {"anyOf": sequel}}


class EventTrigger(Model):
    """Which events start a run."""

    model_config = ConfigDict(json_schema_extra=_pairs)
    foreign = EVENT_TRIGGER
    misplaced: ClassVar[Mapping[str, str]] = {
        "for": "`for` belongs to a `state` trigger; for events use `count` and `within`",
        "guest": "select with `guests`, or ask `event.guest` in `where`",
    }

    event: Annotated[
        EventNames,
        Field(description="Event names or globs; any of them.", examples=["GUEST_PANICKED"]),
    ]
    where: Annotated[
        Condition | None,
        Maybe(),
        Field(description="CEL over the event: no match when false."),
    ] = None
    by: Annotated[
        Value | None,
        Maybe(),
        Field(description="CEL: what, beside the guest, tells one incident from another."),
    ] = None
    count: Annotated[
        Annotated[int, Whole(1, COUNT_MAX)] | None,
        Maybe(),
        Field(description="So many of them within `within` are one match.", examples=[5]),
    ] = None
    within: Annotated[
        Span | None, Maybe(), Field(description="The window of `count`.", examples=["10m"])
    ] = None
    followed_by: Annotated[
        Sequel | None, Maybe(), Field(description="A match when this event comes in time.")
    ] = None
    not_followed_by: Annotated[
        Sequel | None, Maybe(), Field(description="A match when this event does not come in time.")
    ] = None
    cancel_on: Annotated[
        tuple[AnyCancel, ...],
        OneOrMany(1),
        Field(description="Events that end the wait for the second one."),
    ] = ()
    own: Annotated[
        bool, Field(description="Take events that reactor's own commands have caused, too.")
    ] = False
    synthetic: Annotated[
        bool, Field(description="Take events that are made up for after a reconnect.")
    ] = True

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Keys that need one another, or that cannot stand together."""
        for key, other, example in (("count", "within", "10m"), ("within", "count", "5")):
            if key in data and other not in data and not cls.is_meant(other, data):
                yield Complaint(key, f"`{key}` needs `{other}`", f"add `{other}: {example}`")
        sequels = [key for key in ("followed_by", "not_followed_by") if key in data]
        if len(sequels) > 1:
            problem = "a trigger waits for a second event or for its absence, not for both"
            yield Complaint("not_followed_by", problem, "make them two triggers")
        if "cancel_on" in data and not sequels:
            problem = "there is no wait for a second event that this could end"
            fix = "add `followed_by` or `not_followed_by`, or take it out"
            yield Complaint("cancel_on", problem, fix)


class StateTrigger(Model):
    """A state of the guest that lasts."""

    foreign = STATE_TRIGGER
    misplaced: ClassVar[Mapping[str, str]] = {
        "where": "write it into `state`, with `&&`",
        "within": "`for` is how long it must hold",
    }

    state: Annotated[Condition, Field(description="CEL over the guest, such as its status.")]
    for_: Annotated[
        Duration,
        Field(
            alias="for",
            description="How long it must hold; at once when left out.",
            json_schema_extra={"default": "0s"},
        ),
    ] = 0.0


class _Timed(Model):
    jitter: Annotated[
        Span | None, Maybe(), Field(description="A delay up to this, drawn for each guest.")
    ] = None
    catch_up: Annotated[
        Duration,
        Field(
            description="How late the last missed firing may still come.",
            json_schema_extra={"default": "0s"},
        ),
    ] = 0.0


class CronTrigger(_Timed):
    """Times of a calendar, each for every selected guest that is connected."""

    schedule: Annotated[
        Cron,
        Field(
            description="Minute, hour, day of month, month, day of week (0 is Sunday).",
            examples=["0 3 * * *"],
        ),
    ]
    timezone: Annotated[
        TimeZone, Field(description="An IANA name.", examples=["Europe/Berlin"])
    ] = "UTC"


class EveryTrigger(_Timed):
    """Times at a fixed distance, each for every selected guest that is connected."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "timezone": "take it out: `every` is aligned to UTC, whatever the zone"
    }

    every: Annotated[Span, Field(description="The distance, counted from 1970, UTC.")]

    @model_validator(mode="after")
    def _not_too_often(self) -> Self:
        if self.every < EVERY_LEAST:
            raise wrong("`every` is shorter than a second", "write 1s or more")
        if self.jitter is not None and self.jitter > self.every:
            problem = "`jitter` is longer than `every`: firings would overtake each other"
            raise wrong(problem, f"write {render_duration(self.every)} or less")
        return self


def _below(schema: dict[str, Any]) -> None:
    """Writes into the JSON Schema what `complaints` says of the filter."""
    schema["anyOf"] = [
        {"required": ["topic"]},
        {"properties": {"mqtt": {"pattern": "^[^/$].*$"}}},
    ]


class MessageTrigger(Model):
    """An MQTT message that asks for a run on one guest."""

    model_config = ConfigDict(json_schema_extra=_below)
    misplaced: ClassVar[Mapping[str, str]] = {
        "payload": "ask for `message.json` or `message.payload` in `where`",
        "by": "take it out: the key of a message is its guest",
    }

    mqtt: Annotated[
        TopicFilter,
        Field(description="A topic filter, below `<prefix>/<host>/`.", examples=["request/+/dump"]),
    ]
    guest: Annotated[
        Template,
        Field(description="The guest's name or slug.", examples=["${topic[3]}"]),
    ]
    where: Annotated[
        Condition | None, Maybe(), Field(description="CEL over the message: no run when false.")
    ] = None
    topic: Annotated[
        Annotated[str, Choice(("absolute",))] | None,
        Maybe(),
        Field(description="`absolute`: take the filter as it stands, without a prefix."),
    ] = None
    max_age: Annotated[
        Span | None,
        Maybe(),
        Field(description="Older messages are refused, and such that do not tell their age."),
    ] = None

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """A filter that cannot stand below a prefix."""
        written = data.get("mqtt")
        if "topic" not in data and isinstance(written, str) and written[:1] in {"/", "$"}:
            problem = f"a topic below `<prefix>/<host>/` cannot begin with {written[0]}"
            fix = f"write it without {written[0]}, or add `topic: absolute`"
            yield Complaint("mqtt", problem, fix)


KINDS = ("event", "state", "schedule", "every", "mqtt")
"""The keys of which a trigger has exactly one."""


def _trigger_kind(data: object) -> str | None:
    kinds = [kind for kind in KINDS if isinstance(data, Mapping) and kind in data]
    return f"<{kinds[0]}>" if len(kinds) == 1 else None


AnyTrigger = Annotated[
    Annotated[EventTrigger, Tag("<event>")]
    | Annotated[StateTrigger, Tag("<state>")]
    | Annotated[CronTrigger, Tag("<schedule>")]
    | Annotated[EveryTrigger, Tag("<every>")]
    | Annotated[MessageTrigger, Tag("<mqtt>")],
    Discriminator(_trigger_kind),
]
