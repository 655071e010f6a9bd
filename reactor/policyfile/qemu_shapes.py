"""The values that QEMU sends, as expressions see them: data of events, replies of commands.

A member is optional where any QEMU that is known may leave it out. What a text may be is
all that any of them says. Source: the shipped schemas, and what the facts say of the
versions between them.
"""

import functools
import re
from collections.abc import Iterator

from msgspec.structs import replace

from reactor.core.catalog import DISCONNECTED, STORAGE_DAEMON
from reactor.core.cel_library import MEMBERS
from reactor.core.cel_shapes import ITEM, Kind, Member, Shape, below, merged, merged_member
from reactor.qapi.facts import EventFacts, facts
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import AnyOf, Choice, Json, ListOf, Plain, Record, Schema, Type

_DEPTH_MAX = 8

_KINDS = {
    Json.STRING: {Kind.TEXT},
    Json.NUMBER: {Kind.WHOLE, Kind.FRACTION},
    Json.INT: {Kind.WHOLE},
    Json.BOOLEAN: {Kind.TRUTH},
    Json.NULL: {Kind.NULL},
    Json.OBJECT: {Kind.ANY},
    Json.ARRAY: {Kind.ANY},
    Json.VALUE: {Kind.ANY},
}


def shape_of_type(schema: Schema, type_name: str, whose: str) -> Shape:
    """The members of a type of this schema, as deep as anybody reads."""
    found: dict[str, Member] = {}
    for path, member in _parts(schema, type_name, "", ()):
        found[path] = merged_member(found[path], member) if path in found else member
    if isinstance(schema.types[type_name], Record):
        del found[""]
    return Shape(whose, found)


def _parts(
    schema: Schema, type_name: str, path: str, above: tuple[str, ...]
) -> Iterator[tuple[str, Member]]:
    """What the value at this path is, and what is below it; ``above`` are the types around it."""
    if type_name in above or len(above) > _DEPTH_MAX:
        yield path, Member(frozenset({Kind.ANY}))
        return
    inside = (*above, type_name)
    found = schema.types[type_name]
    yield path, _whole(schema, found)
    match found:
        case Plain() | Choice():
            pass
        case ListOf(element):
            yield from _parts(schema, element, below(path, 0), inside)
        case Record():
            yield from _members(schema, found, path, inside)
        case AnyOf(branches):
            for branch in branches:
                _, *parts = _parts(schema, branch, path, inside)
                yield from ((where, _optional(member)) for where, member in parts)


def _whole(schema: Schema, found: Type) -> Member:
    """What a value of this type is itself."""
    match found:
        case Plain(json):
            return Member(frozenset(_KINDS[json]))
        case Choice(values):
            return Member(frozenset({Kind.TEXT}), frozenset(values))
        case ListOf():
            return Member(frozenset({Kind.LIST}))
        case Record():
            return Member(frozenset({Kind.MAP}))
        case AnyOf(branches):
            kinds = (_whole(schema, schema.types[branch]).kinds for branch in branches)
            return Member(frozenset().union(*kinds))


def _members(
    schema: Schema, record: Record, path: str, inside: tuple[str, ...]
) -> Iterator[tuple[str, Member]]:
    for name, member in record.members.items():
        here = below(path, name)
        for where, part in _parts(schema, member.type, here, inside):
            yield where, _optional(part) if where == here and member.optional else part
    # Several words of a tag can choose one branch.
    for branch in dict.fromkeys((record.variants or {}).values()):
        around = {below(path, name) for name in schema.record(branch).members}
        for where, part in _members(schema, schema.record(branch), path, inside):
            yield where, _optional(part) if where in around else part


def _optional(member: Member) -> Member:
    return Member(member.kinds, member.values, optional=True)


_ENUM = re.compile(r"enum\((.+)\)")


def _changed(known: EventFacts, shape: Shape) -> Shape:
    """The shape with what the versions say that come before or between the shipped ones."""
    members = dict(shape.members)
    for change in known.changes:
        # `info.<type=tdx>.gpa` is a member of one branch.
        names = [name for name in change.path.split(".") if not name.startswith("<")]
        path = ".".join(names).replace("-", "_").replace(ITEM, f".{ITEM}")
        member = members[path]
        texts = [
            found[1].split("|")
            for found in map(_ENUM.match, (change.before, change.after))
            if found
        ]
        values = member.values
        if values is not None:
            values = values.union(*texts)
        optional = member.optional or not change.before
        members[path] = Member(member.kinds, values, optional)
    return Shape(shape.whose, members, shape.events)


@functools.cache
def shape_of_event(name: str) -> Shape:
    """The data of an event that is in the facts."""
    schemas = [schema_of(version) for version in versions()]
    found = [
        shape_of_type(schema, schema.events[name].data, name)
        for schema in schemas
        if name in schema.events
    ]
    return _changed(facts().events[name], replace(merged(found), events=(name,)))


_COMPLETE = frozenset({"query-migrate-parameters"})
"""Commands whose reply has every member, though their type says otherwise.

Source: QEMU qapi/migration.json, MigrationParameters.
"""


@functools.cache
def shape_of_reply(command: str) -> Shape | None:
    """What a command answers; None where no shipped schema has it."""
    schemas = [schema_of(version) for version in versions()]
    found = [
        shape_of_type(schema, schema.commands[command].reply, f"the reply of {command}")
        for schema in schemas
        if command in schema.commands
    ]
    if command in _COMPLETE:
        found = [_complete(shape) for shape in found]
    return replace(merged(found), command=command) if found else None


def _complete(shape: Shape) -> Shape:
    members = {path: Member(one.kinds, one.values) for path, one in shape.members.items()}
    return Shape(shape.whose, members)


@functools.cache
def guest_shape() -> Shape:
    """What expressions know of a guest: the texts that its status and kind may be."""
    known = dict.fromkeys(MEMBERS["guest"], Member(frozenset({Kind.ANY})))
    status = shape_of_reply("query-status")
    states = None if status is None else status.members["status"].values
    texts = frozenset({Kind.TEXT})
    known["status"] = Member(texts, frozenset({DISCONNECTED, "none", "preconfig", *(states or ())}))
    known["kind"] = Member(texts, frozenset({"vm", STORAGE_DAEMON}))
    return Shape("guest", known)
