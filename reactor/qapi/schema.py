"""The reply of ``query-qmp-schema`` as a schema."""

from collections.abc import Iterable, Mapping

import msgspec

from reactor.qapi.types import (
    AnyOf,
    Choice,
    Command,
    Event,
    Json,
    ListOf,
    Member,
    Plain,
    Record,
    Schema,
    Type,
)

DEPRECATED = "deprecated"


class _Base(msgspec.Struct, tag_field="meta-type", rename="kebab"):
    name: str


class _Builtin(_Base, tag="builtin"):
    json_type: Json


class _Value(msgspec.Struct):
    name: str
    features: tuple[str, ...] = ()


class _Enum(_Base, tag="enum"):
    values: tuple[str, ...] = ()
    members: tuple[_Value, ...] = ()


class _Array(_Base, tag="array"):
    element_type: str


class _Member(msgspec.Struct):
    name: str
    type: str
    features: tuple[str, ...] = ()
    # A default, which is always null, says that the member may be left out.
    default: msgspec.UnsetType | None = msgspec.UNSET


class _Variant(msgspec.Struct):
    case: str
    type: str


class _Object(_Base, tag="object"):
    members: tuple[_Member, ...]
    tag: str | None = None
    variants: tuple[_Variant, ...] = ()


class _Branch(msgspec.Struct):
    type: str


class _Alternate(_Base, tag="alternate"):
    members: tuple[_Branch, ...]


class _Command(_Base, tag="command"):
    arg_type: str
    ret_type: str
    allow_oob: bool = False
    features: tuple[str, ...] = ()


class _Event(_Base, tag="event"):
    arg_type: str
    features: tuple[str, ...] = ()


_Entity = _Builtin | _Enum | _Array | _Object | _Alternate | _Command | _Event

_decoder = msgspec.json.Decoder(tuple[_Entity, ...])


def decode_schema(text: bytes, version: str) -> Schema:
    """The schema in this JSON list, the ``return`` of ``query-qmp-schema``.

    Raises:
        msgspec.ValidationError: it is JSON, and no schema.
        msgspec.DecodeError: it is no JSON.
    """
    return _schema(_decoder.decode(text), version)


def convert_schema(reply: object, version: str) -> Schema:
    """The schema in a reply that is decoded already.

    Raises:
        msgspec.ValidationError: it is no schema.
    """
    return _schema(msgspec.convert(reply, tuple[_Entity, ...]), version)


def _schema(entities: Iterable[_Entity], version: str) -> Schema:
    types: dict[str, Type] = {}
    commands: dict[str, Command] = {}
    events: dict[str, Event] = {}
    for entity in entities:
        match entity:
            case _Command(name, arguments, reply, oob, features):
                commands[name] = Command(arguments, reply, oob, DEPRECATED in features)
            case _Event(name, data, features):
                events[name] = Event(data, DEPRECATED in features)
            case _:
                types[entity.name] = _type(entity)
    return Schema(version, types, commands, events)


def _type(entity: _Builtin | _Enum | _Array | _Object | _Alternate) -> Type:
    match entity:
        case _Builtin(_, json):
            return Plain(json)
        case _Enum(_, values, members):
            old = frozenset(one.name for one in members if DEPRECATED in one.features)
            # Before QEMU 6.2 there was no list `members`; `values` will go some day.
            return Choice(values or tuple(one.name for one in members), old)
        case _Array(_, element):
            return ListOf(element)
        case _Object(_, members, tag, variants):
            return Record(_members(members), tag, _variants(variants))
        case _Alternate(_, members):
            return AnyOf(tuple(one.type for one in members))


def _members(members: Iterable[_Member]) -> Mapping[str, Member]:
    return {
        one.name: Member(one.type, one.default is None, DEPRECATED in one.features)
        for one in members
    }


def _variants(variants: Iterable[_Variant]) -> Mapping[str, str] | None:
    return {one.case: one.type for one in variants} or None
