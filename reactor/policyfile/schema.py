"""The policy language of this version as pydantic models, and as JSON Schema for editors."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from reactor.policyfile import unbuilt
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.schema_steps import AnyArmStep, AnyStep, EventNames
from reactor.policyfile.values import (
    AnyTemplate,
    Choice,
    Condition,
    LimitText,
    Many,
    Maybe,
    OneOrMany,
    PolicyName,
    SaveName,
    Span,
    Text,
    Value,
    Whole,
)

Globs = Annotated[tuple[str, ...], OneOrMany(1)]


class Except(Model):
    """Guests that are left out."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Annotated[
        Globs | None, Maybe(), Field(description="A glob of names, or a list of them.")
    ] = None
    labels: Annotated[
        dict[str, Globs] | None,
        Maybe(),
        Field(description="Labels that must all hold."),
    ] = None

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Nothing said: that would leave every guest out."""
        if data.keys() <= {"labels"} and not data.get("labels"):
            yield Complaint(None, "an empty `except` leaves every guest out", "take it out")


class Guests(Model):
    """Which guests; what is given must all hold."""

    name: Annotated[
        Globs | None, Maybe(), Field(description="A glob of names, or a list of them.")
    ] = None
    labels: Annotated[
        dict[str, Globs] | None,
        Maybe(),
        Field(description="Labels that must all hold; a value may be a glob or a list."),
    ] = None
    except_: Annotated[
        Except | None, Maybe(), Field(alias="except", description="Of these, which are left out.")
    ] = None


class Trigger(Model):
    """Which events start a run."""

    later: ClassVar[Mapping[str, str]] = unbuilt.TRIGGER_KEYS

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


class Policy(Model):
    """A reaction of reactor to events of QEMU guests."""

    later: ClassVar[Mapping[str, str]] = unbuilt.POLICY_KEYS

    policy: Annotated[PolicyName, Field(description="Its one unique name.")]
    description: Annotated[Text, Field(description="The first thing that is read at 3 am.")]
    enforcement: Annotated[
        str,
        Choice(("audit", "enforce"), unbuilt.ENFORCEMENTS),
        Field(description="`audit`: everything is decided and recorded, nothing is done."),
    ] = "enforce"
    guests: Annotated[
        Guests | None, Maybe(), Field(description="Which guests; all when left out.")
    ] = None
    arm: Annotated[
        tuple[AnyArmStep, ...],
        Many(),
        Field(description="Sent at each connect; until it succeeded the policy is not ready."),
    ] = ()
    trigger: Annotated[
        tuple[Trigger, ...],
        OneOrMany(1),
        Field(description="What starts a run; of several any."),
    ]
    if_: Annotated[
        tuple[Condition, ...],
        OneOrMany(),
        Field(alias="if", description="CEL, with the guest's fresh state; all must hold."),
    ] = ()
    cooldown: Annotated[
        Span | None,
        Maybe(),
        Field(description="No new run of the same key for so long after a start."),
    ] = None
    mode: Annotated[
        str,
        Choice(("single", "queued"), unbuilt.MODES),
        Field(description="While a run of the key is open: refuse a match, or let it wait."),
    ] = "single"
    max: Annotated[int, Whole(1, 1000), Field(description="How many may wait.")] = 10
    limits: Annotated[
        tuple[LimitText, ...],
        Many(),
        Field(description="`3 per 1h per guest`, `1 at once per host`."),
    ] = ()
    timeout: Annotated[
        Span,
        Field(
            description="Deadline of a run, from its start.",
            json_schema_extra={"default": "1h"},
        ),
    ] = 3600.0
    vars: Annotated[
        dict[SaveName, AnyTemplate],
        Field(
            default_factory=dict,
            description="Names to values, computed once when a run starts.",
            json_schema_extra={"propertyNames": {"pattern": "^[a-z_][a-z0-9_]*$"}},
        ),
    ]
    steps: Annotated[
        tuple[AnyStep, ...],
        Many(1),
        Field(description="The runbook: steps, done in order."),
    ]
    on_failure: Annotated[
        tuple[AnyStep, ...],
        Many(),
        Field(description="Once, after a step failed, the run timed out, or is unknown."),
    ] = ()
    on_limit: Annotated[
        tuple[AnyStep, ...], Many(), Field(description="Once, when a limit refused a run.")
    ] = ()
    finally_: Annotated[
        tuple[AnyStep, ...],
        Many(),
        Field(alias="finally", description="Always last, however the run ended."),
    ] = ()


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one policy document, with descriptions."""
    schema: dict[str, Any] = _tidy(Policy.model_json_schema(by_alias=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "reactor policy",
        **schema,
    }


def _tidy(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """The schema without the names of our classes and without `default: null`."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _tidy(part)
        for key, part in schema.items()
        if not (key == "title" and isinstance(part, str))
        and not (key == "default" and part is None)
    }
