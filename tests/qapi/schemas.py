"""Small schemas for tests, as QEMU would tell them."""

from collections.abc import Iterable

from reactor.qapi.schema import convert_schema
from reactor.qapi.types import Schema

Told = dict[str, object]
INT: Told = {"meta-type": "builtin", "name": "int", "json-type": "int"}
STR: Told = {"meta-type": "builtin", "name": "str", "json-type": "string"}
ANY: Told = {"meta-type": "builtin", "name": "any", "json-type": "value"}
NOTHING: Told = {"meta-type": "object", "name": "0", "members": []}


def enum(name: str, *values: str) -> Told:
    """An enum."""
    return {"meta-type": "enum", "name": name, "members": [{"name": value} for value in values]}


def member(name: str, type_name: str, *features: str, optional: bool = False) -> Told:
    """A member of an object."""
    told: Told = {"name": name, "type": type_name, "features": list(features)}
    return told | ({"default": None} if optional else {})


def record(name: str, *members: Told) -> Told:
    """An object."""
    return {"meta-type": "object", "name": name, "members": list(members)}


def union(name: str, tag: str, variants: dict[str, str], *members: Told) -> Told:
    """An object whose tag says which more members it has."""
    told = [{"case": case, "type": type_name} for case, type_name in variants.items()]
    return record(name, *members) | {"tag": tag, "variants": told}


def array(element: str) -> Told:
    """A list, which QEMU names after its elements."""
    return {"meta-type": "array", "name": f"[{element}]", "element-type": element}


def either(name: str, *types: str) -> Told:
    """An alternate."""
    return {"meta-type": "alternate", "name": name, "members": [{"type": one} for one in types]}


def event(name: str, data: str = "0", *features: str) -> Told:
    """An event."""
    return {"meta-type": "event", "name": name, "arg-type": data, "features": list(features)}


def command(name: str, arguments: str = "0", reply: str = "0", *features: str) -> Told:
    """A command."""
    told = {"meta-type": "command", "name": name, "arg-type": arguments, "ret-type": reply}
    return {**told, "features": list(features)}


def told(*entities: Told) -> list[Told]:
    """The whole reply: these, and the types that all have."""
    return [INT, STR, ANY, NOTHING, *entities]


def schema(entities: Iterable[Told], version: str = "7.2") -> Schema:
    """A schema of these, with the types that all have."""
    return convert_schema(told(*entities), version)
