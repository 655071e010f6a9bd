"""Calls by chance: arguments that fit a schema, and the same with one thing wrong."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reactor.qapi.types import AnyOf, Choice, Json, ListOf, Member, Plain, Record, Schema
from reactor.qapi.values import FREE_COMMANDS, Value
from tests.qapi.making import at, replaced, ways

DEPTH = 4
"""Below it only what must be is made: some types hold themselves."""

WORDS = ("", "a", "disk0", "x" * 300, "\u00e9\u20ac", "1", "true", "off", "null", "512M")
NUMBERS = (0.5, -1.25, 1e300, 3, 0)
WHOLE_MAX = 100
"""The schema does not tell 8 bits from 64: what is made fits into all of them."""

OTHERS: Sequence[Value] = (
    *(None, True, False, 0, 7, 0.5, 1.0, "", "a", "7", "true", [], [1], ["a"], {}, {"a": 1}),
    *(1 << 64, -(1 << 63) - 1, 1 << 70, 1e19),
)
"""What is put in the place of something else; no whole number that fits into some ints only."""

_ANYTHING = OTHERS[:16]
_EMPTY: Mapping[Json, Value] = {Json.NULL: None, Json.OBJECT: {}, Json.ARRAY: []}


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its arguments."""

    command: str
    arguments: Mapping[str, Value]


class Maker:
    """Calls of one schema; the seed gives the same ones again."""

    def __init__(self, schema: Schema, seed: int) -> None:
        self._schema = schema
        self._chance = random.Random(seed)
        self._commands = sorted(schema.commands.keys() - FREE_COMMANDS)

    def call(self, number: int) -> Call:
        """Every command in its turn; two of three with damage."""
        chance = self._chance
        command = self._commands[number % len(self._commands)]
        made = self._value(self._schema.commands[command].arguments, DEPTH)
        for _ in range(chance.randrange(3)):
            made = self._damaged(made)
        assert isinstance(made, Mapping)
        return Call(command, made)

    def _value(self, type_name: str, depth: int) -> Value:
        chance = self._chance
        match self._schema.types[type_name]:
            case Plain(json):
                return self._plain(json)
            case Choice(values):
                return chance.choice(values)
            case ListOf(element):
                count = chance.randrange(3) if depth > 0 else 0
                return [self._value(element, depth - 1) for _ in range(count)]
            case AnyOf(branches):
                flat = [one for one in branches if not self._is_record(one)]
                some = flat if depth <= 0 and flat else branches
                return self._value(chance.choice(some), depth - 1)
            case Record() as record:
                return self._record(record, depth)

    def _is_record(self, type_name: str) -> bool:
        return isinstance(self._schema.types[type_name], Record)

    def _plain(self, json: Json) -> Value:
        chance = self._chance
        match json:
            case Json.STRING:
                return chance.choice(WORDS)
            case Json.INT:
                return chance.randrange(WHOLE_MAX)
            case Json.NUMBER:
                return chance.choice(NUMBERS)
            case Json.BOOLEAN:
                return chance.random() < 0.5
            case Json.NULL | Json.OBJECT | Json.ARRAY:
                return _EMPTY[json]
            case Json.VALUE:
                return chance.choice(_ANYTHING)

    def _record(self, record: Record, depth: int) -> dict[str, Value]:
        made = self._members(record.members, depth)
        branch = (record.variants or {}).get(str(made.get(record.tag or "")))
        if branch is not None:
            made |= self._record(self._schema.record(branch), depth)
        return made

    def _members(self, members: Mapping[str, Member], depth: int) -> dict[str, Value]:
        chance = self._chance
        return {
            name: self._value(member.type, depth - 1)
            for name, member in members.items()
            if not member.optional or (depth > 0 and chance.random() < 0.3)
        }

    def _damaged(self, value: Value) -> Value:
        damages: list[Callable[[Value], Value]] = [
            self._without, self._with_more, self._other, self._other, self._misspelt,
        ]  # fmt: skip
        return self._chance.choice(damages)(value)

    def _somewhere(self, value: Value, kind: type) -> tuple[str | int, ...] | None:
        found = [way for way in ways(value) if isinstance(at(value, way), kind)]
        return self._chance.choice(found) if found else None

    def _without(self, value: Value) -> Value:
        """A member is missing."""
        way = self._somewhere(value, dict)
        members = {} if way is None else at(value, way)
        if way is None or not isinstance(members, dict) or not members:
            return value
        gone = self._chance.choice(sorted(members))
        return replaced(value, way, {k: v for k, v in members.items() if k != gone})

    def _with_more(self, value: Value) -> Value:
        """A member that nobody knows."""
        way = self._somewhere(value, dict)
        members = {} if way is None else at(value, way)
        if way is None or not isinstance(members, dict):
            return value
        return replaced(value, way, {**members, "no-such": self._chance.choice(OTHERS)})

    def _other(self, value: Value) -> Value:
        """Something else in its place."""
        found = [way for way in ways(value) if way]
        if not found:
            return value
        return replaced(value, self._chance.choice(found), self._chance.choice(OTHERS))

    def _misspelt(self, value: Value) -> Value:
        """A word with another letter, such as one of an enum or the tag of a union."""
        way = self._somewhere(value, str)
        if not way:
            return value
        return replaced(value, way, f"{at(value, way)}x")
