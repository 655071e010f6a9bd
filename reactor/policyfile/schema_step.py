"""The options that every step has, as pydantic models."""

from typing import Annotated

from pydantic import Field

from reactor.policyfile.foreign import ON_ERROR, OPTIONS, ROUNDS
from reactor.policyfile.schema_base import Model
from reactor.policyfile.spellings import SaveName
from reactor.policyfile.values import (
    Choice,
    Condition,
    Duration,
    Label,
    Maybe,
    OneOrMany,
    Span,
    Whole,
)


class Retry(Model):
    """Further attempts after a failed one."""

    foreign = ROUNDS

    times: Annotated[
        int, Whole(1, 100), Field(description="Attempts after the first.", examples=[3])
    ]
    backoff: Annotated[
        tuple[Duration, ...],
        OneOrMany(),
        Field(description="Pauses before the attempts; the last one repeats."),
    ] = ()


class Step(Model):
    """The options that every step may have."""

    foreign = OPTIONS

    name: Annotated[
        Label | None, Maybe(), Field(description="A name for people: in traces and topics.")
    ] = None
    if_: Annotated[
        Condition | None,
        Maybe(),
        Field(alias="if", description="CEL: the step is left out when false."),
    ] = None
    timeout: Annotated[
        Span | None, Maybe(), Field(description="For one attempt of the step, its waits included.")
    ] = None
    retry: Annotated[Retry | None, Maybe(), Field(description="Try again when the step fails.")] = (
        None
    )
    on_error: Annotated[
        Annotated[str, Choice(("fail", "continue"), foreign=ON_ERROR)] | None,
        Maybe(),
        Field(description="What a failure means after the last attempt."),
    ] = None
    save: Annotated[
        SaveName | None,
        Maybe(),
        Field(description="Keep the result as `steps.NAME.result`, `.ok`, `.error`."),
    ] = None
