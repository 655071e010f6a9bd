"""What editors offer where a policy names an event, a command or its arguments.

It is offered and explained, and never demanded: another QEMU may know other names, and a
template may stand for any value. What is wrong is for `reactor check` to say.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from reactor.policyfile.event_shapes import known_events
from reactor.qapi.facts import CommandFacts, EventFacts, facts
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import AnyOf, Choice, ListOf, Member, Plain, Record, Schema, Type

Json = dict[str, Any]

PREFIX = "qapi."
"""What the names of QAPI's own types begin with, among the definitions."""


def with_names(definitions: Mapping[str, Json], offered: Mapping[str, Json]) -> Json:
    """The definitions, the models among them, with what is offered.

    Args:
        offered: the schemas of names by what they name: ``events``, ``commands``,
            ``agent``; each gets the names that there are.
    """
    known = facts()
    arguments = _Arguments(schema_of(versions()[-1]))
    step = definitions["QmpStep"]
    names = {
        "events": {name: _of_event(known.events.get(name)) for name in known_events()},
        "commands": {name: _lasting(one) for name, one in known.commands.items()},
        "agent": {name: one.meaning for name, one in known.agent.items()},
    }
    return {
        **definitions,
        "QmpStep": {**step, "allOf": arguments.conditions()},
        **{kind: _offer(names[kind], schema) for kind, schema in offered.items()},
        **arguments.definitions(),
    }


def _offer(names: Mapping[str, str], schema: Json) -> Json:
    ordered = sorted(names)
    # Not of JSON Schema: the editors' language servers show it beside each name.
    told = {"enumDescriptions": [names[name] for name in ordered]}
    return {"anyOf": [{"type": "string", "enum": ordered, **told}, schema]}


def _of_event(known: EventFacts | None) -> str:
    return _lasting(known) if known else "an event of reactor itself"


def _lasting(known: EventFacts | CommandFacts) -> str:
    parts = [known.meaning, f"QEMU {known.since} and newer" if known.since else ""]
    if known.deprecated:
        parts.append(f"deprecated since {known.deprecated}")
    if known.removed:
        parts.append(f"removed in {known.removed}")
    if known.replaced_by:
        parts.append(f"use {known.replaced_by}")
    return "; ".join(filter(None, parts))


class _Arguments:
    """The types that the arguments of a QEMU's commands are made of, as definitions."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        taken = {name: one.arguments for name, one in schema.commands.items()}
        self._taken = {name: of for name, of in taken.items() if schema.record(of).members}
        # QAPI's names have brackets, which cannot stand in a reference.
        self._numbers = {name: str(number) for number, name in enumerate(self._reached())}

    def conditions(self) -> list[Json]:
        """For each command that takes any, what they are."""
        return [
            {
                "if": {"properties": {"qmp": {"const": name}}, "required": ["qmp"]},
                "then": {"properties": {"args": self._use(arguments)}},
            }
            for name, arguments in sorted(self._taken.items())
        ]

    def definitions(self) -> Json:
        """Each type that has parts."""
        return {PREFIX + number: self._type(name) for name, number in self._numbers.items()}

    def _reached(self) -> list[str]:
        found: set[str] = set()
        waiting = list(self._taken.values())
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._below(self._schema.types[name])
        return sorted(name for name in found if not isinstance(self._schema.types[name], Plain))

    def _below(self, found: Type) -> Iterable[str]:
        match found:
            case Record():
                return [member.type for member in self._members(found).values()]
            case ListOf(element):
                return [element]
            case AnyOf(branches):
                return branches
            case Plain() | Choice():
                return []

    def _members(self, record: Record) -> dict[str, Member]:
        """All that it may have, whatever its tag says; of two with one name the first."""
        found = dict(record.members)
        for name in sorted(set((record.variants or {}).values())):
            found = self._members(self._schema.record(name)) | found
        return found

    def _type(self, name: str) -> Json:
        """The type as a schema that every value fits."""
        match self._schema.types[name]:
            case Record() as record:
                members = self._members(record)
                return {"properties": {key: self._member(one) for key, one in members.items()}}
            case Choice(values):
                return {"anyOf": [{"enum": list(values)}, {}]}
            case ListOf(element):
                return {"items": self._use(element)}
            case AnyOf(branches):
                return {"anyOf": [self._use(branch) for branch in branches]}
            case Plain(json):
                return {"description": json.value}

    def _member(self, member: Member) -> Json:
        used = self._use(member.type)
        notes = [used.get("description", "")]
        notes += ["may be left out"] if member.optional else []
        notes += ["deprecated"] if member.deprecated else []
        said = ", ".join(filter(None, notes))
        return {**used, "description": said} if said else used

    def _use(self, name: str) -> Json:
        number = self._numbers.get(name)
        return self._type(name) if number is None else {"$ref": f"#/$defs/{PREFIX}{number}"}
