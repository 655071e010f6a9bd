"""All members of a value, nested ones too, as a list that can be read and compared.

A way is written ``info.type``; ``nodes[].name`` is in each element of a list;
``info.<type=s390>.core`` is there where the tag says so, and ``file.<object>.driver``
where an alternate is a map.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reactor.qapi.types import AnyOf, Choice, Json, ListOf, Member, Plain, Record, Schema, Type

_WORDS = {Json.VALUE: "any"}


@dataclass(frozen=True, slots=True)
class Part:
    """A member by its way: its type in words, and the texts that it or its elements may be.

    ``like`` is a way whose members it has too, and where they stand in the list.
    """

    type: str
    values: tuple[str, ...] = ()
    optional: bool = False
    deprecated: bool = False
    like: str | None = None


def parts_of(schema: Schema, type_name: str, *, once: bool = False) -> Mapping[str, Part]:
    """The parts of a value of that type, by their ways, in QEMU's order.

    Args:
        once: the members of a type are listed in one place only. Else they are left out
            only where the type would hold itself.
    """
    return dict(_Walk(schema, once).inside(type_name, ""))


@dataclass(slots=True)
class _Walk:
    schema: Schema
    once: bool
    ways: dict[str, str] = field(default_factory=dict)
    """Where the members of a type are listed already."""

    def inside(self, name: str, way: str) -> Iterator[tuple[str, Part]]:
        """What is in a value of that type at that way."""
        kind = self.schema.types[name]
        if isinstance(kind, Record | AnyOf) and kind != Record({}):
            self.ways[name] = way
        match kind:
            case Record():
                yield from self._of_record(kind, way)
            case ListOf(element):
                yield from self._more(element, f"{way}[]")
            case AnyOf(branches):
                for branch in branches:
                    word = words_of(self.schema, self.schema.types[branch])
                    yield from self._more(branch, _below(way, f"<{word}>"))
            case Plain() | Choice():
                pass
        if not self.once:
            self.ways.pop(name, None)

    def _of_record(self, record: Record, way: str) -> Iterator[tuple[str, Part]]:
        for key, member in record.members.items():
            yield from self._member(member, _below(way, key))
        for case, branch in (record.variants or {}).items():
            yield from self._more(branch, _below(way, f"<{record.tag}={case}>"))

    def _member(self, member: Member, way: str) -> Iterator[tuple[str, Part]]:
        kind = self.schema.types[member.type]
        words, values = words_of(self.schema, kind), _values(self.schema, kind)
        like = self.ways.get(member.type)
        yield way, Part(words, values, member.optional, member.deprecated, like)
        if like is None:
            yield from self.inside(member.type, way)

    def _more(self, name: str, way: str) -> Iterator[tuple[str, Part]]:
        """What is in an element or a branch, which is no member itself."""
        if name in self.ways:
            yield way, Part(words_of(self.schema, self.schema.types[name]), like=self.ways[name])
        else:
            yield from self.inside(name, way)


def _below(way: str, name: str) -> str:
    return f"{way}.{name}" if way else name


def words_of(schema: Schema, kind: Type) -> str:
    """The type in a word or two: ``string``, ``enum``, ``list of int``, ``string or object``."""
    match kind:
        case Plain(json):
            return _WORDS.get(json, json.value)
        case Choice():
            return "enum"
        case Record():
            return "object"
        case ListOf(element):
            return f"list of {words_of(schema, schema.types[element])}"
        case AnyOf(branches):
            return " or ".join(words_of(schema, schema.types[branch]) for branch in branches)


def _values(schema: Schema, kind: Type) -> tuple[str, ...]:
    match kind:
        case Choice(values):
            return values
        case ListOf(element):
            return _values(schema, schema.types[element])
        case AnyOf(branches):
            return tuple(text for one in branches for text in _values(schema, schema.types[one]))
        case Plain() | Record():
            return ()
