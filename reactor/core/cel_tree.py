"""The syntax tree of a compiled CEL expression, read from the library's own bytes.

``Expression.serialize()`` of cel-expr-python gives a ``google.protobuf.Any``
that holds a ``cel.expr.CheckedExpr``. Of that message only the tree and the
places of its nodes are read here; the protobuf library is not needed for it.

Source: cel-spec, proto/cel/expr/checked.proto and syntax.proto (field numbers).
"""

import struct
from collections.abc import Callable, Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Const:
    """A literal. Unsigned numbers and bytes come as ``Unsupported``."""

    at: int
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A literal that no policy needs; ``what`` names it, ``fix`` says what to write."""

    at: int
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Ident:
    """A name: a variable, a macro's own variable, or a type."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """``operand.field``; with ``test`` it is ``has(operand.field)``."""

    at: int
    operand: "Node"
    field: str
    test: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator (``_&&_``); ``target`` is before the dot, if any."""

    at: int
    function: str
    target: "Node | None"
    args: tuple["Node", ...]

    @property
    def operands(self) -> tuple["Node", ...]:
        """The target, if there is one, and the arguments."""
        return self.args if self.target is None else (self.target, *self.args)


@dataclass(frozen=True, slots=True)
class Items:
    """``[a, ?b]``; ``optional`` holds the places of the ``?`` ones."""

    at: int
    items: tuple["Node", ...]
    optional: frozenset[int]


@dataclass(frozen=True, slots=True)
class Entries:
    """``{key: value, ?key: value}``; each entry is key, value, is optional."""

    at: int
    entries: tuple[tuple["Node", "Node", bool], ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """What the macros (``all``, ``exists``, ``map``, ...) expand to.

    For each item of ``source`` as ``item``, while ``condition`` holds,
    ``result`` (the variable ``total``) becomes ``step``; the value is ``end``.
    """

    at: int
    item: str
    source: "Node"
    total: str
    start: "Node"
    condition: "Node"
    step: "Node"
    end: "Node"


Node = Const | Unsupported | Ident | Select | Call | Items | Entries | Fold

Path = tuple[str | int, ...]
"""A variable and the names and places below it that are written out."""

TYPE_NAMES = frozenset(
    {
        "bool",
        "bytes",
        "double",
        "google.protobuf.Duration",
        "google.protobuf.Timestamp",
        "int",
        "list",
        "map",
        "null_type",
        "optional_type",
        "string",
        "type",
        "uint",
    }
)


class Misuse(Exception):  # noqa: N818 - becomes an ExpressionError with its source
    """A part of an expression that CEL allows and policies do not; ``at`` is its offset."""

    def __init__(self, at: int, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem
        self.fix = fix


def static_path(node: Node, local: Container[str], *, maybe: bool = False) -> Path | None:
    """The path that the node reads, if it is written out; ``maybe`` takes ``.?`` for a dot.

    ``local``: the names of macros' variables, which are no paths.
    """
    match node:
        case Ident(_, name):
            return None if name in local or name in TYPE_NAMES else (name,)
        case Select(_, operand, key):
            pass
        case Call(_, "_[_]", None, (operand, Const(_, (str() | int()) as key))):
            pass
        case Call(_, "_?._" | "_[?_]", None, (operand, Const(_, (str() | int()) as key))) if maybe:
            pass
        case _:
            return None
    path = static_path(operand, local, maybe=maybe)
    return path and (*path, key)


def offsets_of(node: Node) -> tuple[int, ...]:
    """The offsets in the source of the parts of a path that is written out."""
    match node:
        case Select(at, operand):
            return (*offsets_of(operand), at + 1)
        case Call(at, "_?._", None, (operand, _)):
            return (*offsets_of(operand), at + 2)
        case Call(_, _, None, (operand, key)):
            return (*offsets_of(operand), key.at)
        case _:
            return (node.at,)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below."""
    match node:
        case Select(_, operand):
            return (operand,)
        case Call():
            return node.operands
        case Items(_, items):
            return items
        case Entries(_, entries):
            return tuple(part for key, value, _ in entries for part in (key, value))
        case Fold():
            return (node.source, node.start, node.condition, node.step, node.end)
        case Const() | Unsupported() | Ident():
            return ()


def count(node: Node) -> int:
    """How many nodes the tree has."""
    return 1 + sum(map(count, children(node)))


def parse_tree(serialized: bytes) -> Node:
    """The tree of an expression; ``at`` of a node is its offset in the source."""
    checked = _Message(_Message(serialized).blob(2))
    places = {}
    for blob in _Message(checked.blob(5)).blobs(4):
        place = _Message(blob)
        places[place.number(1)] = place.number(2)
    return _Reader(places).node(_Message(checked.blob(4)))


class _Message:
    """The fields of a protobuf message by number, in the order they came."""

    __slots__ = ("fields",)

    def __init__(self, data: bytes) -> None:
        self.fields: dict[int, list[int | bytes]] = {}
        at = 0
        while at < len(data):
            key, at = _varint(data, at)
            if key & 7 == 0:
                value, at = _varint(data, at)
                self.fields.setdefault(key >> 3, []).append(value)
                continue
            # 1 is eight bytes; the only other kind in these messages is 2.
            size, at = (8, at) if key & 7 == 1 else _varint(data, at)
            self.fields.setdefault(key >> 3, []).append(data[at : at + size])
            at += size

    def blobs(self, number: int) -> list[bytes]:
        """All values of a field that is a message, a text or eight bytes."""
        return [value for value in self.fields.get(number, ()) if isinstance(value, bytes)]

    def blob(self, number: int) -> bytes:
        """The value of such a field; empty when it is not there."""
        return next(iter(self.blobs(number)), b"")

    def text(self, number: int) -> str:
        """The value of a text."""
        return self.blob(number).decode()

    def numbers(self, number: int) -> list[int]:
        """All values of a field of whole numbers, which may come packed."""
        found = []
        for value in self.fields.get(number, ()):
            if isinstance(value, int):
                found.append(value)
                continue
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                found.append(one)
        return found

    def number(self, number: int) -> int:
        """The value of a whole number; 0 when it is not there."""
        return next(iter(self.numbers(number)), 0)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


class _Reader:
    """Turns messages into nodes; knows where each stands in the source."""

    __slots__ = ("_places",)

    def __init__(self, places: dict[int, int]) -> None:
        self._places = places

    def node(self, message: _Message) -> Node:
        """The node that an ``Expr`` message describes."""
        at = self._places.get(message.number(2), 0)
        kind = max(message.fields)
        body = _Message(message.blob(kind))
        return _KINDS[kind](self, at, body)

    def child(self, body: _Message, number: int) -> Node:
        """The node in a field of its own."""
        return self.node(_Message(body.blob(number)))

    def children(self, body: _Message, number: int) -> tuple[Node, ...]:
        """The nodes in a repeated field."""
        return tuple(self.node(_Message(blob)) for blob in body.blobs(number))

    def const(self, at: int, body: _Message) -> Node:
        """A literal."""
        kind = max(body.fields)
        match kind:
            case 1:
                return Const(at, None)
            case 2:
                return Const(at, bool(body.number(2)))
            case 3:
                number = body.number(3)
                return Const(at, number - (1 << 64) if number >> 63 else number)
            case 5:
                return Const(at, struct.unpack("<d", body.blob(5))[0])
            case 6:
                return Const(at, body.text(6))
            case _:
                if kind == 4:
                    return Unsupported(at, "an unsigned number", "write it without `u`")
                return Unsupported(at, "a literal of bytes", "write a text, without `b`")

    def ident(self, at: int, body: _Message) -> Node:
        """A name; ``.data`` means ``data``."""
        return Ident(at, body.text(1).lstrip("."))

    def select(self, at: int, body: _Message) -> Node:
        """A member or the test for one."""
        return Select(at, self.child(body, 1), body.text(2), bool(body.number(3)))

    def call(self, at: int, body: _Message) -> Node:
        """A function or an operator."""
        target = self.child(body, 1) if 1 in body.fields else None
        return Call(at, body.text(2), target, self.children(body, 3))

    def items(self, at: int, body: _Message) -> Node:
        """A list literal."""
        return Items(at, self.children(body, 1), frozenset(body.numbers(2)))

    def entries(self, at: int, body: _Message) -> Node:
        """A map literal; a message literal has a name and is not for policies."""
        if 1 in body.fields:
            return Unsupported(at, f"the message {body.text(1)}", 'write a map: {"key": value}')
        entries = [_Message(blob) for blob in body.blobs(2)]
        return Entries(
            at,
            tuple((self.child(e, 3), self.child(e, 4), bool(e.number(5))) for e in entries),
        )

    def fold(self, at: int, body: _Message) -> Node:
        """An expanded macro."""
        return Fold(
            at,
            item=body.text(1),
            source=self.child(body, 2),
            total=body.text(3),
            start=self.child(body, 4),
            condition=self.child(body, 5),
            step=self.child(body, 6),
            end=self.child(body, 7),
        )


_KINDS: dict[int, Callable[[_Reader, int, _Message], Node]] = {
    3: _Reader.const,
    4: _Reader.ident,
    5: _Reader.select,
    6: _Reader.call,
    7: _Reader.items,
    8: _Reader.entries,
    9: _Reader.fold,
}
