"""The reply of ``query-qmp-schema`` as QEMU writes it: a list of entities.

Source: QEMU qapi/introspect.json.
"""

import msgspec

from reactor.qapi.types import Json

DEPRECATED = "deprecated"
"""The feature of what QEMU will drop."""


class _Part(msgspec.Struct, rename="kebab", omit_defaults=True):
    name: str


class _Entity(_Part, tag_field="meta-type"):
    pass


class ValueEntity(_Part):
    """A value of an enum."""

    features: tuple[str, ...] = ()


class MemberEntity(_Part):
    """A member of an object; a default, which is always null, says that it may be left out."""

    type: str
    default: msgspec.UnsetType | None = msgspec.UNSET
    features: tuple[str, ...] = ()


class VariantEntity(msgspec.Struct):
    """The object whose members come with this value of the tag."""

    case: str
    type: str


class BranchEntity(msgspec.Struct):
    """One of the types of an alternate."""

    type: str


class BuiltinEntity(_Entity, tag="builtin"):
    """A type without parts."""

    json_type: Json


class EnumEntity(_Entity, tag="enum"):
    """An enum: before QEMU 6.2 there was no list ``members``; ``values`` will go some day."""

    members: tuple[ValueEntity, ...] = ()
    values: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    @property
    def all_members(self) -> tuple[ValueEntity, ...]:
        """Its values, whichever list they stand in."""
        return self.members or tuple(map(ValueEntity, self.values))


class ArrayEntity(_Entity, tag="array"):
    """A list."""

    element_type: str


class ObjectEntity(_Entity, tag="object"):
    """An object, which is a union where it has a tag."""

    members: tuple[MemberEntity, ...]
    tag: str | None = None
    variants: tuple[VariantEntity, ...] = ()
    features: tuple[str, ...] = ()


class AlternateEntity(_Entity, tag="alternate"):
    """One of several types, which JSON tells apart."""

    members: tuple[BranchEntity, ...]


class CommandEntity(_Entity, tag="command"):
    """A command, with the types of its arguments and of its reply."""

    arg_type: str
    ret_type: str
    allow_oob: bool = False
    features: tuple[str, ...] = ()


class EventEntity(_Entity, tag="event"):
    """An event, with the type of its data."""

    arg_type: str
    features: tuple[str, ...] = ()


TypeEntity = BuiltinEntity | EnumEntity | ArrayEntity | ObjectEntity | AlternateEntity
Entity = TypeEntity | CommandEntity | EventEntity

_decoder = msgspec.json.Decoder(tuple[Entity, ...])


def decode_entities(text: bytes) -> tuple[Entity, ...]:
    """The entities in this JSON list, the ``return`` of ``query-qmp-schema``.

    Raises:
        msgspec.ValidationError: it is JSON, and no schema.
        msgspec.DecodeError: it is no JSON.
    """
    return _decoder.decode(text)


def convert_entities(reply: object) -> tuple[Entity, ...]:
    """The entities in a reply that is decoded already.

    Raises:
        msgspec.ValidationError: it is no schema.
    """
    return msgspec.convert(reply, tuple[Entity, ...])
