"""What a step may wait for, as pydantic models."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Discriminator, Field, Tag, model_validator

from reactor.policyfile.foreign import EVENT_WAIT
from reactor.policyfile.schema_base import Model
from reactor.policyfile.schema_step import Step
from reactor.policyfile.spellings import EventNames
from reactor.policyfile.values import Condition, Maybe, Span, wrong


class EventWait(Model):
    """Go on when the guest sends an event."""

    foreign = EVENT_WAIT
    misplaced: ClassVar[Mapping[str, str]] = {
        "for": "write `timeout` for the longest time to wait; `for` belongs to `stays`",
    }

    event: Annotated[EventNames, Field(description="Event names or globs; any of them counts.")]
    where: Annotated[
        Condition | None,
        Maybe(),
        Field(description="CEL over the candidate: goes on waiting when false."),
    ] = None
    fail_when: Annotated[
        Condition | None,
        Maybe(),
        Field(description="CEL over the candidate: fails at once when true."),
    ] = None
    timeout: Annotated[
        Span | None, Maybe(), Field(description="Failed when it did not come for so long.")
    ] = None


class UntilWait(Model):
    """Go on when a condition holds; asked with the guest's fresh state."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "for": "write `stays` in the place of `until` if it must hold for a while",
    }

    until: Annotated[Condition, Field(description="CEL: goes on when true.")]
    timeout: Annotated[
        Span | None, Maybe(), Field(description="Failed when it did not hold within so long.")
    ] = None


class StaysWait(Model):
    """Go on when a condition has held for a while without a break."""

    stays: Annotated[Condition, Field(description="CEL: must hold all the time.")]
    for_: Annotated[Span, Field(alias="for", description="How long it must hold.")]
    timeout: Annotated[
        Span | None, Maybe(), Field(description="Failed when it did not within so long.")
    ] = None

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.timeout is not None and self.timeout < self.for_:
            problem = "`timeout` is shorter than `for`: this wait can only fail"
            raise wrong(problem, "write a longer `timeout`, or a shorter `for`")
        return self


WAITS = ("event", "until", "stays")
"""The keys of which a wait has exactly one."""


def _wait_kind(data: object) -> str | None:
    kinds = [kind for kind in WAITS if isinstance(data, Mapping) and kind in data]
    return f"<{kinds[0]}>" if len(kinds) == 1 else None


AnyWait = Annotated[
    Annotated[EventWait, Tag("<event>")]
    | Annotated[UntilWait, Tag("<until>")]
    | Annotated[StaysWait, Tag("<stays>")],
    Discriminator(_wait_kind),
]


class WaitStep(Step):
    """Wait for an event or for a condition."""

    wait: Annotated[AnyWait, Field(description="Exactly one of `event`, `until` and `stays`.")]
