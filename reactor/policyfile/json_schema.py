"""The policy language as JSON Schema, for editors."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic.json_schema import models_json_schema

from reactor.policyfile.json_schema_names import with_names
from reactor.policyfile.schema import Policy
from reactor.policyfile.schema_base import Model
from reactor.policyfile.schema_runbook import Runbook
from reactor.policyfile.schema_tests import Test
from reactor.policyfile.values import OFFERED

_DOCUMENTS: Mapping[str, type[Model]] = {
    "runbook": Runbook,
    "test": Test,
    "policy": Policy,
}
"""The kinds of documents; what is of no kind is held against the last one."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one document of any kind, with descriptions."""
    models: list[tuple[type[Model], Literal["validation"]]] = [
        (model, "validation") for model in _DOCUMENTS.values()
    ]
    _, whole = models_json_schema(models, by_alias=True)
    branches = [(kind, {"$ref": f"#/$defs/{model.__name__}"}) for kind, model in _DOCUMENTS.items()]
    choice: dict[str, Any] = branches[-1][1]
    for kind, branch in reversed(branches[:-1]):
        choice = {"if": {"required": [kind]}, "then": branch, "else": choice}
    offered: dict[str, dict[str, Any]] = {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "reactor policy file",
        "type": "object",
        **choice,
        "$defs": with_names(_tidy(whole["$defs"], offered), offered),
    }


def _tidy(schema: Any, offered: dict[str, dict[str, Any]]) -> Any:  # noqa: ANN401 - any JSON
    """The schema without the names of our classes and without `default: null`.

    What is ``offered`` stands there once, and is named where it is used.
    """
    if isinstance(schema, list):
        return [_tidy(part, offered) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if kind := schema.get(OFFERED):
        offered[kind] = {key: schema[key] for key in ("type", "pattern")}
        said = {key: schema[key] for key in ("description", "examples") if key in schema}
        return {"$ref": f"#/$defs/{kind}", **said}
    return {
        key: _tidy(part, offered)
        for key, part in schema.items()
        if not (key == "title" and isinstance(part, str))
        and not (key == "default" and part is None)
    }
