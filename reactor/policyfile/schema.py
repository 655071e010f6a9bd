"""A policy document as pydantic models."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from reactor.core.text import closest
from reactor.policyfile.foreign import ENFORCEMENT, GUESTS, MODE, POLICY
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.schema_steps import AnyArmStep, AnyStep
from reactor.policyfile.schema_triggers import AnyTrigger
from reactor.policyfile.spellings import PolicyName, SaveName
from reactor.policyfile.values import (
    AnyTemplate,
    Choice,
    Condition,
    LimitText,
    Many,
    Maybe,
    OneOrMany,
    Span,
    Template,
    Text,
    Whole,
    wrong,
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

    foreign = GUESTS

    @classmethod
    def fix_of(cls, key: str) -> str:
        """A key that nobody knows is most likely a label."""
        label = f"write `labels: {{{key}: VALUE}}` if it is a label"
        return super().fix_of(key) or ("" if closest(key, cls.words()) else label)

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


class Quiet(Model):
    """How long nothing more must come before a run starts."""

    quiet: Annotated[Span, Field(description="So long no further match of the key.")]
    at_most: Annotated[
        Span | None, Maybe(), Field(description="Start then at the latest, after the first match.")
    ] = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.at_most is not None and self.at_most < self.quiet:
            problem = "`at_most` is shorter than `quiet`: it would always be what decides"
            raise wrong(problem, "write a longer `at_most`, or a shorter `quiet`")
        return self


def _debounce_kind(data: object) -> str:
    return "<quiet>" if isinstance(data, Mapping) else "<span>"


AnyDebounce = Annotated[
    Annotated[Span, Tag("<span>")] | Annotated[Quiet, Tag("<quiet>")],
    Discriminator(_debounce_kind),
]


class Approval(Model):
    """An operator must say yes before the run starts."""

    ask: Annotated[Template, Field(description="What the operator is asked.")] = ""
    expires: Annotated[
        Span,
        Field(
            description="Cancelled when nobody has said yes for so long.",
            json_schema_extra={"default": "1h"},
        ),
    ] = 3600.0


class Policy(Model):
    """A reaction of reactor to events of QEMU guests."""

    foreign = POLICY

    policy: Annotated[PolicyName, Field(description="Its one unique name.")]
    description: Annotated[Text, Field(description="The first thing that is read at 3 am.")]
    enforcement: Annotated[
        str,
        Choice(("audit", "approve", "enforce"), foreign=ENFORCEMENT),
        Field(
            description="`audit`: everything is decided and recorded, nothing is done."
            " `approve`: an operator is asked before each run."
        ),
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
        tuple[AnyTrigger, ...],
        OneOrMany(1),
        Field(description="What starts a run; of several any."),
    ]
    if_: Annotated[
        tuple[Condition, ...],
        OneOrMany(),
        Field(alias="if", description="CEL, with the guest's fresh state; all must hold."),
    ] = ()
    debounce: Annotated[
        AnyDebounce | None,
        Maybe(),
        Field(description="Start when no further match of the key came for so long."),
    ] = None
    cooldown: Annotated[
        Span | None,
        Maybe(),
        Field(description="No new run of the same key for so long after a start."),
    ] = None
    mode: Annotated[
        str,
        Choice(("single", "restart", "queued", "parallel"), foreign=MODE),
        Field(description="What becomes of a match while a run of its key is open."),
    ] = "single"
    max: Annotated[int, Whole(1, 1000), Field(description="How many may wait, or be open.")] = 10
    limits: Annotated[
        tuple[LimitText, ...],
        Many(),
        Field(description="`3 per 1h per guest`, `1 at once per host`."),
    ] = ()
    inhibit_if: Annotated[
        tuple[Condition, ...],
        OneOrMany(),
        Field(description="CEL: the run is refused when one of them holds."),
    ] = ()
    approval: Annotated[
        Approval | None,
        Maybe(),
        Field(description="Wait for an operator's yes; `{}` asks without a text."),
    ] = None
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
