"""What conditions say of single values: whether two can hold at once, and one implies another."""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reactor.core.cel_access import show
from reactor.core.cel_library import KEPT
from reactor.core.cel_names import conjuncts
from reactor.core.cel_tree import Call, Const, Items, Node, Select, static_path
from reactor.core.expr import Expression

Value = tuple[bool, str | int | float | None]
"""A literal, and whether it is `true` or `false`: Python takes those for 1 and 0."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a value may be: one of ``only`` (None: any), and none of ``never``."""

    only: frozenset[Value] | None = None
    never: frozenset[Value] = frozenset()

    def __and__(self, other: "Allowed") -> "Allowed":
        """What both allow."""
        if self.only is None or other.only is None:
            only = other.only if self.only is None else self.only
        else:
            only = self.only & other.only
        return Allowed(only, self.never | other.never)

    @property
    def values(self) -> frozenset[Value] | None:
        """All values that are left; None where no list of them is known."""
        return None if self.only is None else self.only - self.never

    def covers(self, other: "Allowed") -> bool:
        """Whether every value that the other allows is allowed here, as far as is known."""
        if other.values is not None:
            return all(self.takes(value) for value in other.values)
        return self.only is None and self.never <= other.never

    def takes(self, value: Value) -> bool:
        """Whether it may be this value."""
        return value not in self.never and (self.only is None or value in self.only)


ANY = Allowed()


def literal(value: str | float | None) -> Value:
    """The value as it stands in what is allowed."""
    return isinstance(value, bool), value


@dataclass(frozen=True, slots=True)
class Said:
    """What some conditions say together; ``rest`` are those that no value alone decides."""

    values: Mapping[str, Allowed] = field(default_factory=dict)
    rest: frozenset[str] = frozenset()
    is_false: bool = False

    @property
    def impossible(self) -> str | None:
        """What has no value left with which all could hold; None when there is nothing such."""
        if self.is_false:
            return ""
        return next((path for path, one in self.values.items() if one.values == frozenset()), None)

    def implies(self, other: "Said") -> bool:
        """Whether the other holds whenever these do, as far as is known."""
        return other.rest <= self.rest and all(
            allowed.covers(self.values.get(path, ANY)) for path, allowed in other.values.items()
        )

    def only(self, path: str, value: str | float | None) -> bool:
        """Whether they hold with no other value at this path."""
        return self.values.get(path, ANY).values == frozenset({literal(value)})


_NOTHING = Said()


def said_by(conditions: Iterable[Expression | None]) -> Said:
    """What these conditions say when all of them hold; None holds always."""
    said = [_said(condition) for condition in conditions if condition is not None]
    if len(said) < 2:
        return said[0] if said else _NOTHING
    values: dict[str, Allowed] = {}
    for one in said:
        for path, allowed in one.values.items():
            values[path] = values.get(path, ANY) & allowed
    rest = frozenset[str]().union(*(one.rest for one in said))
    return Said(values, rest, any(one.is_false for one in said))


@functools.lru_cache(maxsize=KEPT)
def _said(condition: Expression) -> Said:
    """What one condition says; each lint asks it again, and many policies share it."""
    values: dict[str, Allowed] = {}
    rest: set[str] = set()
    is_false = False
    for part in conjuncts(condition.tree):
        match _term(part):
            case None:
                rest.add(key_of(part))
            case bool() as truth:
                is_false = is_false or not truth
            case path, allowed:
                values[path] = values.get(path, ANY) & allowed
    return Said(values, frozenset(rest), is_false)


_AT = re.compile(r"\(at=\d+(, )?")


def key_of(node: Node) -> str:
    """What the node computes, as a key: equal for two that are written alike."""
    # What has() asks is another thing than the value.
    is_test = isinstance(node, Select) and node.test
    path = None if is_test else static_path(node, frozenset())
    return show(path) if path is not None else _AT.sub("(", repr(node))


_YES, _NO = (Allowed(only=frozenset({literal(value=truth)})) for truth in (True, False))
_MORE = frozenset({"_||_", "_?_:_", "_<_", "_<=_", "_>_", "_>=_"})


def _term(node: Node) -> tuple[str, Allowed] | bool | None:
    """What one condition says of one value, or that it is always so or never; None: more."""
    match node:
        case Const(_, bool() as truth):
            return truth
        case Call(_, "!_", None, (Const(_, bool() as truth),)):
            return not truth
        case Call(_, "!_", None, (Call(_, "_==_" | "_!=_" | "@in" as sign, None, (one, other)),)):
            return _compared(one, other, is_in=sign == "@in", is_not=sign != "_!=_")
        case Call(_, "_==_" | "_!=_" | "@in" as sign, None, (one, other)):
            return _compared(one, other, is_in=sign == "@in", is_not=sign == "_!=_")
        case Call(_, "!_", None, (side,)):
            return key_of(side), _NO
        case Call(_, function) if function in _MORE:
            return None
        case _:
            return key_of(node), _YES


def _compared(
    one: Node, other: Node, *, is_in: bool, is_not: bool
) -> tuple[str, Allowed] | bool | None:
    """What a value is, or is not, one of; None where a literal is missing."""
    if isinstance(one, Const) and not is_in:
        one, other = other, one
    found = frozenset(_literals(other if is_in else Items(0, (other,), frozenset())))
    if None in found:
        return None
    values = frozenset(value for value in found if value is not None)
    if isinstance(one, Const):
        return (literal(one.value) in values) is not is_not
    return key_of(one), Allowed(never=values) if is_not else Allowed(only=values)


def _literals(node: Node) -> Iterator[Value | None]:
    """The values of a list that is written out; None in the place of one that is not."""
    for item in node.items if isinstance(node, Items) else (node,):
        yield literal(item.value) if isinstance(item, Const) else None
