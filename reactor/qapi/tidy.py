"""The schema of a QEMU in the form in which it is shipped: one that can be compared.

QEMU numbers its types in the order in which it meets them, so that a new command early
in its schema gives most types another name. Here a type is named after what uses it
first, the shallowest use and then the alphabet deciding, and each entity has a line.
A type that nothing uses is left out.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from reactor.qapi.entities import (
    AlternateEntity,
    ArrayEntity,
    BranchEntity,
    BuiltinEntity,
    CommandEntity,
    Entity,
    EnumEntity,
    EventEntity,
    MemberEntity,
    ObjectEntity,
    TypeEntity,
    VariantEntity,
)

EMPTY = "empty"
"""The object without members: what most commands reply."""


def tidy_text(entities: Sequence[Entity]) -> bytes:
    """The same schema as JSON: types with names of their own, sorted, one entity on a line."""
    names = _names(entities)
    used = (
        one for one in entities if isinstance(one, CommandEntity | EventEntity) or one.name in names
    )
    renamed = {_key(one): one for one in (_renamed(one, names) for one in used)}
    lines = (msgspec.json.encode(renamed[key]) for key in sorted(renamed))
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def _key(entity: Entity) -> tuple[int, str]:
    match entity:
        case EventEntity(name):
            return 0, name
        case CommandEntity(name):
            return 1, name
        case _:
            return 2, entity.name


def _names(entities: Sequence[Entity]) -> Mapping[str, str]:
    """The new name of each type."""
    types: dict[str, TypeEntity] = {}
    asked: deque[tuple[str, str]] = deque()
    for entity in sorted(entities, key=_key):
        match entity:
            case EventEntity(name, data):
                asked.append((data, f"{name}:data"))
            case CommandEntity(name, arguments, reply):
                asked += ((arguments, f"{name}:arguments"), (reply, f"{name}:reply"))
            case _:
                types[entity.name] = entity
    names: dict[str, str] = {}
    while asked:
        old, wish = asked.popleft()
        if old not in names:
            names[old] = _named(types[old], wish)
            asked += _uses(types[old], names[old], wish)
    return {old: _listed(old, types, names) for old in names}


def _named(entity: TypeEntity, wish: str) -> str:
    match entity:
        case BuiltinEntity(name):
            return name
        case ObjectEntity(_, (), None, (), ()):
            return EMPTY
        case ObjectEntity() | ArrayEntity() | EnumEntity() | AlternateEntity():
            return wish


def _uses(entity: TypeEntity, name: str, wish: str) -> Iterator[tuple[str, str]]:
    """The types that this one is made of, each with the name that it would get for it."""
    match entity:
        case ArrayEntity(_, element):
            yield element, wish
        case ObjectEntity(_, members, tag, variants):
            yield from ((one.type, f"{name}.{one.name}") for one in members)
            yield from ((one.type, f"{name}.<{tag}={one.case}>") for one in variants)
        case AlternateEntity(_, branches):
            yield from ((one.type, f"{name}|{place}") for place, one in enumerate(branches))
        case BuiltinEntity() | EnumEntity():
            pass


def _listed(old: str, types: Mapping[str, TypeEntity], names: Mapping[str, str]) -> str:
    """The name of a type; that of a list is that of its elements in brackets, as in QEMU."""
    found = types[old]
    if isinstance(found, ArrayEntity):
        return f"[{_listed(found.element_type, types, names)}]"
    return names[old]


def _renamed(entity: Entity, names: Mapping[str, str]) -> Entity:
    match entity:
        case EventEntity(name, data, features):
            return EventEntity(name, names[data], features)
        case CommandEntity(name, arguments, reply, oob, features):
            return CommandEntity(name, names[arguments], names[reply], oob, features)
        case BuiltinEntity():
            return entity
        case EnumEntity(name, _, _, features):
            return EnumEntity(names[name], entity.all_members, (), features)
        case ArrayEntity(name, element):
            return ArrayEntity(names[name], names[element])
        case ObjectEntity(name, members, tag, variants, features):
            return ObjectEntity(
                names[name],
                tuple(MemberEntity(m.name, names[m.type], m.default, m.features) for m in members),
                tag,
                tuple(VariantEntity(one.case, names[one.type]) for one in variants),
                features,
            )
        case AlternateEntity(name, branches):
            return AlternateEntity(
                names[name], tuple(BranchEntity(names[one.type]) for one in branches)
            )
