"""Does a value fit a type, as QEMU itself reads it: what it would refuse, and how to mend it.

The rules are those of QEMU's own reader (qapi/qobject-input-visitor.c, qobject/qnum.c),
tried on QEMU 7.2: a whole number is one that is written without point and exponent and
fits into 64 bits, signed or not (``1.0`` is none; QEMU's schema does not tell the smaller
ints apart); sizes are numbers, never texts such as ``512M``; null is a value of its own,
and never the same as left out; a member that no one knows is an error at every depth.

In the place of a value that is only known when it is rendered stands a ``Hole``.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from reactor.core.text import closest
from reactor.qapi import sentences
from reactor.qapi.types import (
    AnyOf,
    Choice,
    Json,
    ListOf,
    Member,
    Plain,
    Record,
    Schema,
    Type,
)

FREE_COMMANDS = frozenset({"device_add"})
"""Commands that take more arguments than the schema names: those of the device.

Source: QEMU qapi/qdev.json (``gen: false``). What the schema names holds all the same.
"""

_LEAST, _MOST = -(1 << 63), (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Hole:
    """A value that is not known yet.

    ``kinds``: what it may be in JSON (``Json.VALUE``: anything). ``texts``: where it is a
    text, all texts that it may be; None where it may be any.
    """

    kinds: frozenset[Json] = frozenset({Json.VALUE})
    texts: frozenset[str] | None = None


Value: TypeAlias = (
    Hole | Mapping[str, "Value"] | Sequence["Value"] | str | int | float | bool | None
)
"""A JSON value in which holes may stand."""

Way = tuple[str | int, ...]
"""The keys and places that lead to a part of a value."""


class Wrong(StrEnum):
    """In which way a part does not fit.

    ``UNKNOWN``: the way ends at a key that nobody knows. ``MISSING``: it ends at the map
    in which the key is missing. ``VALUE``: it ends at the value.
    """

    UNKNOWN = "unknown"
    MISSING = "missing"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Misfit:
    """What QEMU would refuse: where, in which way, the sentence and how to mend it."""

    way: Way
    wrong: Wrong
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Old:
    """A part that QEMU takes and will drop: the way to it, and what it is."""

    way: Way
    what: str


@dataclass(frozen=True, slots=True)
class Fit:
    """All that there is to say about a value: it fits where there are no ``misfits``."""

    misfits: tuple[Misfit, ...] = ()
    deprecated: tuple[Old, ...] = ()


def fit_call(schema: Schema, command: str, arguments: Value) -> Fit:
    """How the arguments fit a command that this schema has.

    Raises:
        KeyError: it has no such command.
    """
    walk = _Walk(schema)
    walk.record(
        schema.record(schema.commands[command].arguments),
        arguments,
        _Spot((), command, is_open=command in FREE_COMMANDS),
    )
    return walk.fit


def fit_event(schema: Schema, event: str, data: Value) -> Fit:
    """How the data fits an event that this schema has; each way begins with ``data``.

    Raises:
        KeyError: it has no such event.
    """
    walk = _Walk(schema)
    walk.value(schema.events[event].data, data, _Spot(("data",), "data"))
    return walk.fit


def fit_value(schema: Schema, type_name: str, value: Value, called: str) -> Fit:
    """How a value fits the type of that name; ``called`` is what sentences call the value."""
    walk = _Walk(schema)
    walk.value(type_name, value, _Spot((), called))
    return walk.fit


def kinds_of(value: Value) -> frozenset[Json]:
    """What the value is in JSON; several where a hole may be one of them."""
    match value:
        case Hole(kinds):
            return kinds
        case None:
            return _ONLY[Json.NULL]
        case str():
            return _ONLY[Json.STRING]
        case bool():
            return _ONLY[Json.BOOLEAN]
        case int():
            return _ONLY[Json.INT]
        case float():
            return _ONLY[Json.NUMBER]
        case Mapping():
            return _ONLY[Json.OBJECT]
        case _:
            return _ONLY[Json.ARRAY]


_ONLY = {kind: frozenset({kind}) for kind in Json}
_ANY_NUMBER = frozenset({Json.NUMBER, Json.INT})


def kinds_taken(schema: Schema, type_name: str) -> frozenset[Json]:
    """What a value of this type may be in JSON; an int is also taken where a number is."""
    match schema.types[type_name]:
        case Plain(json):
            return _ANY_NUMBER if json is Json.NUMBER else _ONLY[json]
        case Choice():
            return _ONLY[Json.STRING]
        case ListOf():
            return _ONLY[Json.ARRAY]
        case Record():
            return _ONLY[Json.OBJECT]
        case AnyOf(branches):
            return frozenset().union(*(kinds_taken(schema, one) for one in branches))


@dataclass(frozen=True, slots=True)
class Layout:
    """The members that a record has for one choice of its tags; ``where`` says which."""

    members: Mapping[str, Member]
    where: str = ""


def layouts(schema: Schema, record: Record, value: Mapping[str, Value]) -> Iterator[Layout]:
    """All layouts that this value of a record may have: one, if its tag is known.

    Where the tag is missing, wrong or a hole, there is one for each branch that can be.
    """
    if record.tag is None or record.variants is None:
        yield Layout(record.members)
        return
    tag, done = record.tag, set()
    for word in _words(schema, record, value.get(tag, Hole())):
        branch = record.variants.get(word)
        if branch in done:
            continue
        done.add(branch)
        where = f" where `{tag}` is `{word}`"
        if branch is None:
            yield Layout(record.members, where)
            continue
        for inner in layouts(schema, schema.record(branch), value):
            yield Layout({**record.members, **inner.members}, inner.where or where)


def _words(schema: Schema, record: Record, tag: Value) -> Sequence[str]:
    """The words that the tag may be, in the order of the schema."""
    found = schema.types[record.members[record.tag or ""].type]
    known = found.values if isinstance(found, Choice) else tuple(record.variants or ())
    match tag:
        case str() if tag in known:
            return (tag,)
        case Hole(_, frozenset() as texts) if not texts.isdisjoint(known):
            return tuple(word for word in known if word in texts)
        case _:
            return known


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a value stands: the way to it, what sentences call it; ``is_open``: takes more."""

    way: Way
    called: str
    is_open: bool = False

    def below(self, step: str | int) -> "_Spot":
        """The spot of a member or item; members of the whole go by their own names."""
        if isinstance(step, int):
            called = f"{self.called}[{step}]"
        else:
            called = f"{self.called}.{step}" if self.way else step
        return _Spot((*self.way, step), called)


@dataclass(slots=True)
class _Walk:
    schema: Schema
    misfits: list[Misfit] = field(default_factory=list)
    deprecated: list[Old] = field(default_factory=list)

    @property
    def fit(self) -> Fit:
        """What was found."""
        return Fit(tuple(self.misfits), tuple(self.deprecated))

    def value(self, type_name: str, value: Value, spot: _Spot) -> None:
        """Hold a value against the type of that name."""
        found, taken = kinds_of(value), kinds_taken(self.schema, type_name)
        if Json.VALUE in taken or Json.VALUE in found:
            return
        if taken.isdisjoint(found):
            self._wrong(spot, *sentences.wrong_kind(spot.called, taken, found, value))
        elif isinstance(value, float) and not math.isfinite(value):
            self._wrong(spot, *sentences.no_number(spot.called, value))
        else:
            self._inside(self.schema.types[type_name], value, spot)

    def _inside(self, known: Type, value: Value, spot: _Spot) -> None:
        """Hold a value of the right kind against its type."""
        match known:
            case Plain(json):
                # A larger one may stand for a fraction: QEMU reads it as one.
                is_whole = json is Json.INT
                if is_whole and isinstance(value, int) and not _LEAST <= value <= _MOST:
                    self._wrong(spot, *sentences.out_of_range(spot.called, _LEAST, _MOST))
            case Choice():
                self._choice(known, value, spot)
            case ListOf(element):
                for place, item in enumerate(value if isinstance(value, list | tuple) else ()):
                    self.value(element, item, spot.below(place))
            case Record():
                self.record(known, value, spot)
            case AnyOf(branches):
                self._any_of(branches, value, spot)

    def _choice(self, known: Choice, value: Value, spot: _Spot) -> None:
        match value:
            case str() if value not in known.values:
                self._wrong(spot, *sentences.no_such_word(spot.called, value, known.values))
            case str() if value in known.deprecated:
                self.deprecated.append(Old(spot.way, f"`{value}` of `{spot.called}`"))
            case Hole(_, frozenset() as texts) if texts.isdisjoint(known.values):
                self._wrong(spot, *sentences.never_a_word(spot.called, texts, known.values))
            case _:
                pass

    def _any_of(self, branches: Sequence[str], value: Value, spot: _Spot) -> None:
        """An alternate: its branches differ in what they are in JSON."""
        fitting = [
            one for one in branches if not kinds_taken(self.schema, one).isdisjoint(kinds_of(value))
        ]
        if not isinstance(value, Hole) or len(fitting) == 1:
            self.value(fitting[0], value, spot)

    def record(self, record: Record, value: Value, spot: _Spot) -> None:
        """Hold a map against a record; a hole may have any members."""
        if not isinstance(value, Mapping):
            return
        found = list(layouts(self.schema, record, value))
        meant = {self._entry(key, item, spot, found) for key, item in value.items()}
        for name in found[0].members:
            # Who wrote `sizee` is told about that and no more.
            is_missing = name not in value and name not in meant
            if is_missing and all(_needs(one, name) for one in found):
                where = found[0].where if name not in record.members else ""
                problem, fix = sentences.missing(spot.called, name, where)
                self.misfits.append(Misfit(spot.way, Wrong.MISSING, problem, fix))

    def _entry(self, key: str, item: Value, spot: _Spot, found: Sequence[Layout]) -> str | None:
        """Hold a member against what it may be; the name that was meant, if none has this."""
        members = list(dict.fromkeys(one.members[key] for one in found if key in one.members))
        if not members:
            return None if spot.is_open else self._unknown(key, spot, found)
        below = spot.below(key)
        if len(members) == 1:
            self.member(members[0], item, below)
            return None
        tries = [_Walk(self.schema) for _ in members]
        for member, walk in zip(members, tries, strict=True):
            walk.member(member, item, below)
        best = next((walk for walk in tries if not walk.misfits), tries[0])
        self.misfits += best.misfits
        self.deprecated += best.deprecated
        return None

    def member(self, member: Member, item: Value, spot: _Spot) -> None:
        """Hold an item against the member whose it is."""
        if member.deprecated:
            self.deprecated.append(Old(spot.way, f"`{spot.called}`"))
        self.value(member.type, item, spot)

    def _unknown(self, key: str, spot: _Spot, found: Sequence[Layout]) -> str | None:
        known = list(dict.fromkeys(name for one in found for name in one.members))
        where = found[0].where if len(found) == 1 else ""
        said = sentences.unknown(spot.called, key, known, where, whole=not spot.way)
        self.misfits.append(Misfit((*spot.way, key), Wrong.UNKNOWN, *said))
        return closest(key, known)

    def _wrong(self, spot: _Spot, problem: str, fix: str) -> None:
        self.misfits.append(Misfit(spot.way, Wrong.VALUE, problem, fix))


def _needs(layout: Layout, name: str) -> bool:
    return name in layout.members and not layout.members[name].optional
