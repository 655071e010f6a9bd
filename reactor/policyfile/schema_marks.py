"""Marks as pydantic models."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from reactor.core.marks import SELF, MarkKind
from reactor.policyfile.foreign import MARK
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.schema_step import Step
from reactor.policyfile.values import Maybe, Span, Template

_KINDS = tuple(kind.value for kind in MarkKind)
_SELF_KINDS = (MarkKind.GUEST.value, MarkKind.HOST.value)


def _one_kind(schema: dict[str, Any]) -> None:
    """Writes into the JSON Schema that exactly one kind is given."""
    schema["oneOf"] = [{"required": [kind]} for kind in _KINDS]


class ClearTarget(Model):
    """Which marks: one kind with its id."""

    foreign = MARK
    model_config = ConfigDict(json_schema_extra=_one_kind)

    guest: Annotated[
        Template | None, Maybe(), Field(description="`self`: the guest as a whole.")
    ] = None
    host: Annotated[Template | None, Maybe(), Field(description="`self`: the host as a whole.")] = (
        None
    )
    disk: Annotated[Template | None, Maybe(), Field(description="A block node's name.")] = None
    memory: Annotated[Template | None, Maybe(), Field(description="A memory device's id.")] = None
    port: Annotated[Template | None, Maybe(), Field(description="A port's id.")] = None
    migration: Annotated[Template | None, Maybe(), Field(description="A migration's id.")] = None
    as_: Annotated[
        Template | None,
        Maybe(),
        Field(alias="as", description="The mark's word; without it all of that id."),
    ] = None

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Not exactly one kind; or an id other than `self` where there is only one."""
        kinds = [kind for kind in _KINDS if kind in data]
        if len(kinds) != 1:
            what = " and ".join(f"`{kind}`" for kind in kinds) or "none"
            fix = f"keep one of: {', '.join(_KINDS)}"
            yield Complaint(None, f"a mark is on exactly one thing, not on {what}", fix)
        for kind in kinds:
            if kind in _SELF_KINDS and isinstance(data[kind], str) and data[kind] != SELF:
                problem = f"a mark on the {kind} has the id `self`, not `{data[kind]}`"
                yield Complaint(kind, problem, f"write `{kind}: self`")


class MarkTarget(ClearTarget):
    """A mark: one kind with its id, and what is said of it."""

    as_: Annotated[Template, Field(alias="as", description="The mark's word: `degraded`.")]
    reason: Annotated[Template | None, Maybe(), Field(description="Why; for people.")] = None
    expires: Annotated[Span | None, Maybe(), Field(description="Taken away after so long.")] = None


class MarkStep(Step):
    """Put a mark on the guest or one of its devices."""

    mark: Annotated[MarkTarget, Field(description="What, and as what.")]


class ClearStep(Step):
    """Take marks away."""

    clear: Annotated[ClearTarget, Field(description="Which ones.")]
