"""The syntax tree of a compiled CEL expression, read from the library's own bytes.

``Expression.serialize()`` of cel-expr-python gives a ``google.protobuf.Any``
that holds a ``cel.expr.CheckedExpr``. Of that message only the tree and the
places of its nodes are read here; the protobuf library is not needed for it.

Source: cel-spec, proto/cel/expr/checked.proto and syntax.proto (field numbers).
"""

import struct
from collections.abc import Callable, Container

import msgspec


class Const(msgspec.Struct, frozen=True):
    """A literal. Unsigned numbers and bytes come as ``Unsupported``."""

    at: int
    value: str | int | float | bool | None


class Unsupported(msgspec.Struct, frozen=True):
    """A literal that no policy needs; ``what`` names it, ``fix`` says what to write."""

    at: int
    what: str
    fix: str


class Ident(msgspec.Struct, frozen=True):
    """A name: a variable, a macro's own variable, or a type."""

    at: int
    name: str


class Select(msgspec.Struct, frozen=True):
    """``operand.field``; with ``test`` it is ``has(operand.field)``."""

    at: int
    operand: "Node"
    field: str
    test: bool


class Call(msgspec.Struct, frozen=True):
    """A function or an operator (``_&&_``); ``target`` is before the dot, if any."""

    at: int
    function: str
    target: "Node | None"
    args: tuple["Node", ...]

    @property
    def operands(self) -> tuple["Node", ...]:
        """The target, if there is one, and the arguments."""
        return self.args if self.target is None else (self.target, *self.args)


class Items(msgspec.Struct, frozen=True):
    """``[a, ?b]``; ``optional`` holds the places of the ``?`` ones."""

    at: int
    items: tuple["Node", ...]
    optional: frozenset[int]


class Entries(msgspec.Struct, frozen=True):
    """``{key: value, ?key: value}``; each entry is key, value, is optional."""

    at: int
    entries: tuple[tuple["Node", "Node", bool], ...]


class Fold(msgspec.Struct, frozen=True):
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
    # Asked of every node of every expression, many times: a `match` takes twice as long.
    parts: list[str | int] = []
    while not isinstance(node, Ident):
        if isinstance(node, Select):
            parts.append(node.field)
            node = node.operand
            continue
        if not isinstance(node, Call) or len(node.args) != 2 or node.target is not None:
            return None
        if node.function != "_[_]" and not (maybe and node.function in _MAYBE):
            return None
        node, key = node.args
        if not isinstance(key, Const) or not isinstance(key.value, str | int):
            return None
        parts.append(key.value)
    if node.name in local or node.name in TYPE_NAMES:
        return None
    parts.append(node.name)
    return tuple(reversed(parts))


_MAYBE = frozenset({"_?._", "_[?_]"})


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
        case Const() | Ident() | Unsupported():
            return ()
        case Call():
            return node.operands
        case Select():
            return (node.operand,)
        case Items():
            return node.items
        case Entries():
            return tuple(part for key, value, _ in node.entries for part in (key, value))
        case Fold():
            return (node.source, node.start, node.condition, node.step, node.end)


def count(node: Node) -> int:
    """How many nodes the tree has."""
    return 1 + sum(map(count, children(node)))


def parse_tree(serialized: bytes) -> Node:
    """The tree of an expression; ``at`` of a node is its offset in the source."""
    checked = _Message(_Message(serialized).blob(2))
    places = {}
    for blob in _Message(checked.blob(5)).blobs.get(4, ()):
        place = _Message(blob)
        places[place.number(1)] = place.number(2)
    return _Reader(places).node(_Message(checked.blob(4)))


class _Message:
    """The fields of a protobuf message by number, in the order they came.

    ``blobs`` are messages, texts and eight bytes, ``numbers`` whole numbers.
    """

    __slots__ = ("blobs", "numbers")

    def __init__(self, data: bytes) -> None:
        self.blobs: dict[int, list[bytes]] = {}
        self.numbers: dict[int, list[int]] = {}
        at, end = 0, len(data)
        while at < end:
            # Nearly every number fits into one byte: those are not worth a call.
            key, at = data[at], at + 1
            if key > 0x7F:
                key, at = _varint(data, at - 1)
            kind = key & 7
            size = 8
            if kind != 1:
                size, at = data[at], at + 1
                if size > 0x7F:
                    size, at = _varint(data, at - 1)
            if kind == 0:
                self.numbers.setdefault(key >> 3, []).append(size)
                continue
            # 1 is eight bytes; the only other kind in these messages is 2.
            self.blobs.setdefault(key >> 3, []).append(data[at : at + size])
            at += size

    @property
    def kind(self) -> int:
        """The highest number of a field: which of its alternatives a message is."""
        return max(*self.blobs, *self.numbers, 0)

    def blob(self, number: int) -> bytes:
        """The value of a field that is a message, a text or eight bytes; empty without it."""
        found = self.blobs.get(number)
        return found[0] if found else b""

    def text(self, number: int) -> str:
        """The value of a text."""
        return self.blob(number).decode()

    def packed(self, number: int) -> list[int]:
        """All values of a field of whole numbers, which may come packed."""
        found = list(self.numbers.get(number, ()))
        for value in self.blobs.get(number, ()):
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                found.append(one)
        return found

    def number(self, number: int) -> int:
        """The value of a whole number; 0 when it is not there."""
        found = self.numbers.get(number)
        return found[0] if found else 0


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
        kind = message.kind
        return _KINDS[kind](self, at, _Message(message.blob(kind)))

    def child(self, body: _Message, number: int) -> Node:
        """The node in a field of its own."""
        return self.node(_Message(body.blob(number)))

    def children(self, body: _Message, number: int) -> tuple[Node, ...]:
        """The nodes in a repeated field."""
        return tuple(self.node(_Message(blob)) for blob in body.blobs.get(number, ()))

    def const(self, at: int, body: _Message) -> Node:
        """A literal."""
        kind = body.kind
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
        target = self.child(body, 1) if 1 in body.blobs else None
        return Call(at, body.text(2), target, self.children(body, 3))

    def items(self, at: int, body: _Message) -> Node:
        """A list literal."""
        return Items(at, self.children(body, 1), frozenset(body.packed(2)))

    def entries(self, at: int, body: _Message) -> Node:
        """A map literal; a message literal has a name and is not for policies."""
        if 1 in body.blobs:
            return Unsupported(at, f"the message {body.text(1)}", 'write a map: {"key": value}')
        entries = [_Message(blob) for blob in body.blobs.get(2, ())]
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
