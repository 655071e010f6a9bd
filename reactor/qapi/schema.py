"""The reply of ``query-qmp-schema`` as a schema."""

from collections.abc import Iterable, Mapping

from reactor.qapi.entities import (
    DEPRECATED,
    AlternateEntity,
    ArrayEntity,
    BuiltinEntity,
    CommandEntity,
    Entity,
    EnumEntity,
    EventEntity,
    MemberEntity,
    ObjectEntity,
    TypeEntity,
    VariantEntity,
    convert_entities,
    decode_entities,
)
from reactor.qapi.types import (
    AnyOf,
    Choice,
    Command,
    Event,
    ListOf,
    Member,
    Plain,
    Record,
    Schema,
    Type,
)


def decode_schema(text: bytes, version: str) -> Schema:
    """The schema in this JSON list, the ``return`` of ``query-qmp-schema``.

    Raises:
        msgspec.ValidationError: it is JSON, and no schema.
        msgspec.DecodeError: it is no JSON.
    """
    return schema_from(decode_entities(text), version)


def convert_schema(reply: object, version: str) -> Schema:
    """The schema in a reply that is decoded already.

    Raises:
        msgspec.ValidationError: it is no schema.
    """
    return schema_from(convert_entities(reply), version)


def schema_from(entities: Iterable[Entity], version: str) -> Schema:
    """The schema of that version that these entities make."""
    types: dict[str, Type] = {}
    commands: dict[str, Command] = {}
    events: dict[str, Event] = {}
    for entity in entities:
        match entity:
            case CommandEntity(name, arguments, reply, oob, features):
                commands[name] = Command(arguments, reply, oob, DEPRECATED in features)
            case EventEntity(name, data, features):
                events[name] = Event(data, DEPRECATED in features)
            case _:
                types[entity.name] = _type(entity)
    return Schema(version, types, commands, events)


def _type(entity: TypeEntity) -> Type:
    match entity:
        case BuiltinEntity(_, json):
            return Plain(json)
        case EnumEntity():
            values = entity.all_members
            old = frozenset(one.name for one in values if DEPRECATED in one.features)
            return Choice(tuple(one.name for one in values), old)
        case ArrayEntity(_, element):
            return ListOf(element)
        case ObjectEntity(_, members, tag, variants):
            return Record(_members(members), tag, _variants(variants))
        case AlternateEntity(_, branches):
            return AnyOf(tuple(one.type for one in branches))


def _members(members: Iterable[MemberEntity]) -> Mapping[str, Member]:
    return {
        one.name: Member(one.type, one.default is None, DEPRECATED in one.features)
        for one in members
    }


def _variants(variants: Iterable[VariantEntity]) -> Mapping[str, str] | None:
    return {one.case: one.type for one in variants} or None
