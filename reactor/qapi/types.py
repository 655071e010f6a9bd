"""The types of QAPI as values: what a command takes and gives, what an event carries.

Types name each other by their name in one schema, since they can be recursive. In what
QEMU tells of itself these names are numbers: they mean nothing to people, and nothing in
another schema.

Source: QEMU docs/devel/qapi-code-gen.rst and qapi/introspect.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Json(StrEnum):
    """What a plain type is in JSON; ``value`` may be anything."""

    STRING = "string"
    NUMBER = "number"
    INT = "int"
    BOOLEAN = "boolean"
    NULL = "null"
    OBJECT = "object"
    ARRAY = "array"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Plain:
    """A type without parts."""

    json: Json


@dataclass(frozen=True, slots=True)
class Choice:
    """A text that is one of these; ``deprecated`` are those of them that QEMU will drop."""

    values: tuple[str, ...]
    deprecated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose elements are of the type of that name."""

    element: str


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a record: the name of its type, and whether it may be left out."""

    type: str
    optional: bool = False
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A map with these members.

    Where ``tag`` names one of them (a union), its value chooses further members: those
    of the record that ``variants`` names for it, or none where it is not in there.
    """

    members: Mapping[str, Member]
    tag: str | None = None
    variants: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A value of one of these types; what it is in JSON tells which (QAPI: alternate)."""

    branches: tuple[str, ...]


Type = Plain | Choice | ListOf | Record | AnyOf


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the types of its arguments and of its reply, and QEMU's word of its end."""

    arguments: str
    reply: str
    oob: bool = False
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """An event: the type of its data."""

    data: str
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """All that one QEMU knows; ``version`` is its own, such as ``7.2``."""

    version: str
    types: Mapping[str, Type]
    commands: Mapping[str, Command]
    events: Mapping[str, Event]

    def record(self, name: str) -> Record:
        """The record of that name, which is what arguments and data of events are."""
        found = self.types[name]
        if not isinstance(found, Record):
            raise TypeError(f"the type {name} of QEMU {self.version} is no record")
        return found
