"""The commands of the QEMU guest agent as a schema; no guest tells it, the facts do."""

import functools

from reactor.qapi.facts import AgentFacts, facts
from reactor.qapi.types import Command, Json, ListOf, Member, Plain, Record, Schema, Type

_PLAIN = {
    "int": Plain(Json.INT),
    "str": Plain(Json.STRING),
    "bool": Plain(Json.BOOLEAN),
}
_ANY = Plain(Json.VALUE)


@functools.cache
def agent_schema() -> Schema:
    """What agents up to the newest known one take; of types of their own any value fits."""
    types: dict[str, Type] = {}
    commands = {}
    for name, known in facts().agent.items():
        types[name] = _arguments(known, types)
        commands[name] = Command(name, "any")
    return Schema("agent", types | {"any": _ANY}, commands, {})


def _arguments(known: AgentFacts, types: dict[str, Type]) -> Record:
    for argument in known.arguments:
        element = argument.type.removeprefix("[").removesuffix("]")
        types[element] = _PLAIN.get(element, _ANY)
        if element != argument.type:
            types[argument.type] = ListOf(element)
    return Record({one.name: Member(one.type, one.optional) for one in known.arguments})
