"""The commands that a document sends, with their arguments as values that have holes."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from reactor.core.cel_guards import Seen
from reactor.core.cel_shapes import Kind, Member
from reactor.core.expr import Expression
from reactor.core.template import Template, Tree
from reactor.errors import Place
from reactor.policyfile.nodes import Node
from reactor.qapi.types import Json
from reactor.qapi.values import Hole, Value


class To(StrEnum):
    """Who is sent a command; the value is the verb of the step."""

    QEMU = "qmp"
    AGENT = "agent"


class Call(NamedTuple):
    """A command as it is written: where, and what it is given.

    ``args`` is None where there are none. ``path`` leads to the step.
    """

    to: To
    command: str
    place: Place
    args: Node | None
    value: Value
    path: str


class Named(NamedTuple):
    """An event that is named: where, and the way there."""

    event: str
    place: Place
    path: str


class Heard(NamedTuple):
    """The events one of which is enough; empty where a glob or a vendor's own is among them."""

    names: tuple[Named, ...]

    @classmethod
    def made(cls, names: Iterable[Named]) -> "Heard":
        """The events of a list, if all of them are plain names of QEMU's."""
        found = tuple(names)
        return cls(found if all(map(_is_plain, found)) else ())


class Read(NamedTuple):
    """A member that an expression reads as if QEMU knew it: where, and the way there."""

    seen: Seen
    place: Place
    path: str


Ask = Call | Heard | Read
"""What a policy needs of a QEMU."""


def _is_plain(name: Named) -> bool:
    return not name.event.startswith(("__", "REACTOR_")) and not set(name.event) & set("*?[]")


_JSON = {
    Kind.TEXT: Json.STRING,
    Kind.WHOLE: Json.INT,
    Kind.FRACTION: Json.NUMBER,
    Kind.TRUTH: Json.BOOLEAN,
    Kind.MAP: Json.OBJECT,
    Kind.LIST: Json.ARRAY,
    Kind.NULL: Json.NULL,
    Kind.ANY: Json.VALUE,
}


def value_of(tree: Tree) -> Value:
    """The value of a tree, with a hole for each template."""
    match tree:
        case Template():
            given = given_by(tree)
            return Hole(frozenset(_JSON[kind] for kind in given.kinds), given.values)
        case None | str() | int() | float():
            return tree
        case Mapping():
            return {key: value_of(item) for key, item in tree.items()}
        case _:
            return [value_of(item) for item in tree]


_TEXT = Member(frozenset({Kind.TEXT}))


def given_by(template: Template) -> Member:
    """What a template gives: one `${...}` keeps its kind, anything else is a text."""
    match template.parts:
        case (Expression() as only,):
            return only.gives
        case _:
            return _TEXT


def member_of(tree: Tree) -> Member:
    """What kind a tree gives; what is in a map or list is not looked at.

    Which text it is does not count: who writes a constant may change it.
    """
    match tree:
        case Template():
            return given_by(tree)
        case str():
            return _TEXT
        case bool():
            return Member(frozenset({Kind.TRUTH}))
        case int():
            return Member(frozenset({Kind.WHOLE}))
        case float():
            return Member(frozenset({Kind.FRACTION}))
        case _:
            return Member(frozenset({Kind.ANY}))
