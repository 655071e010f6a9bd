"""A runbook document as pydantic models: steps that policies share, with typed params."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag
from pydantic.json_schema import WithJsonSchema

from reactor.core.cel_tokens import closing_brace
from reactor.core.steps import ParamKind
from reactor.policyfile.mistakes import spell
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.schema_steps import AnyStep
from reactor.policyfile.spellings import RunbookName, SaveName
from reactor.policyfile.values import AnyTemplate, Choice, Many, Maybe, Text, meant

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    ParamKind.STRING: str,
    ParamKind.INTEGER: int,
    ParamKind.NUMBER: (int, float),
    ParamKind.BOOLEAN: bool,
    ParamKind.LIST: list,
    ParamKind.MAP: Mapping,
}

Kind = Annotated[str, Choice(tuple(kind.value for kind in ParamKind))]
Literal = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean"]})]


def value_problem(kind: str, choices: object, value: object) -> tuple[str, str] | None:
    """Why a param of this kind cannot have this value, and the fix; None where it can.

    A text with a template in it is a string at least; one that is nothing else may
    be anything, and is looked at when it is rendered.

    Args:
        kind: one of `ParamKind`; of another word nothing is known.
        choices: the list of values that the param may have; None for any.
        value: as YAML gives it.
    """
    is_template = isinstance(value, str) and "${" in value
    if kind not in _TYPES or (is_template and _is_one_template(str(value))):
        return None
    if not isinstance(value, _TYPES[kind]) or (
        isinstance(value, bool) and kind != ParamKind.BOOLEAN
    ):
        a = "an" if kind == ParamKind.INTEGER else "a"
        given = "nothing" if value is None else spell(value)
        fix = "put it in single quotes" if kind == ParamKind.STRING else f"write {a} {kind}"
        return f"it takes {a} {kind}, not {given}", fix
    if isinstance(choices, list) and choices and not is_template and value not in choices:
        known = [str(choice) for choice in choices]
        return f"it takes one of its values only, not {spell(value)}", meant(str(value), known)
    return None


def _is_one_template(text: str) -> bool:
    return text.startswith("${") and closing_brace(text, 2) == len(text) - 1


class Param(Model):
    """What a runbook is told by who runs it."""

    type: Annotated[Kind, Field(description="What it takes.")]
    default: Annotated[
        AnyTemplate, Field(description="Its value where none is given; without it one must be.")
    ] = None
    enum: Annotated[
        tuple[Literal, ...] | None,
        Maybe(),
        Many(1),
        Field(description="The values that it may have."),
    ] = None
    description: Annotated[Text | None, Maybe(), Field(description="What it is for.")] = None

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """A default or a choice that is of another type; a default that is no choice."""
        kind, choices = str(data.get("type")), data.get("enum")
        for place, choice in enumerate(choices if isinstance(choices, list) else ()):
            if found := value_problem(kind, None, choice):
                yield Complaint(("enum", place), *found)
        if "default" in data and (found := value_problem(kind, choices, data["default"])):
            yield Complaint("default", *found)


def _param_kind(data: object) -> str:
    return "<param>" if isinstance(data, Mapping) else "<type>"


AnyParam = Annotated[
    Annotated[Kind, Tag("<type>")] | Annotated[Param, Tag("<param>")],
    Discriminator(_param_kind),
]


def kind_of(param: str | Param) -> str:
    """What the param takes."""
    return param.type if isinstance(param, Param) else param


class Runbook(Model):
    """Steps that policies share."""

    runbook: Annotated[RunbookName, Field(description="Its one unique name.")]
    description: Annotated[Text, Field(description="What it does; read at 3 am.")]
    params: Annotated[
        dict[SaveName, AnyParam],
        Field(
            default_factory=dict,
            description="Names to types, or to mappings with `type` and more.",
        ),
    ]
    steps: Annotated[tuple[AnyStep, ...], Many(1), Field(description="Its steps, in order.")]
