"""The tree of one YAML document, with the place of every key and of every value."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from reactor.errors import Place

PlainValue = str | int | float | bool | None


class Scalar(msgspec.Struct, frozen=True):
    """One value; ``style`` is ``'``, ``"``, ``|``, ``>``, or empty for a plain one.

    ``end`` is the place just behind its last character. ``comment`` is what follows a
    plain one on its line, spaces first, where that is a comment.
    """

    place: Place
    end: Place
    value: PlainValue
    style: str
    comment: str = ""

    @property
    def is_absent(self) -> bool:
        """Whether nothing at all was written: the value of ``x`` in ``{x}``."""
        return self.place == self.end

    def place_of(self, index: int) -> Place:
        """The place of the character at ``index`` (from 0) of the value.

        Exact where the text on the line shows the value as it is: plain and
        single-quoted ones on one line, double-quoted ones without escapes. The
        start of the scalar otherwise.
        """
        value, place = str(self.value), self.place
        width = self.end.column - place.column if self.end.line == place.line else -1
        if self.style == "'" and width >= 0:
            return _right(place, 1 + index + value[:index].count("'"))
        if self.style == '"' and width == len(value) + 2:
            return _right(place, 1 + index)
        if not self.style and width == len(value):
            return _right(place, index)
        return place


def _right(place: Place, columns: int) -> Place:
    return Place(place.file, place.line, place.column + columns)


class Sequence(msgspec.Struct, frozen=True):
    """A list of nodes."""

    place: Place
    items: tuple["Node", ...]


class Entry(msgspec.Struct, frozen=True):
    """A key's place and its value."""

    key_place: Place
    value: "Node"


class Dictionary(msgspec.Struct, frozen=True):
    """A YAML mapping; its keys are always strings, in the order of the file."""

    place: Place
    entries: Mapping[str, Entry]

    def get(self, key: str) -> "Node | None":
        """The value of this key, or None."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value

    def inner(self, key: str) -> "Dictionary":
        """The mapping below this key; an empty one where there is none."""
        node = self.get(key)
        return node if isinstance(node, Dictionary) else Dictionary(self.place, {})


class Broken(msgspec.Struct, frozen=True):
    """A value that the reader has complained about already: nobody looks at it again."""

    place: Place


Node = Scalar | Sequence | Dictionary | Broken


def items_of(node: Node | None, path: str) -> Iterator[tuple[Node, str]]:
    """The items of a list with their paths, or the one node that stands for a list."""
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield item, f"{path}/{index}"
    elif node is not None:
        yield node, path


def mappings_of(node: Node | None, path: str) -> Iterator[tuple[Dictionary, str]]:
    """Those of the items that are mappings."""
    for item, below in items_of(node, path):
        if isinstance(item, Dictionary):
            yield item, below


def plain(node: Node) -> object:
    """The node as lists, dicts and scalars; what is broken is null."""
    match node:
        case Scalar(_, _, value):
            return value
        case Sequence(_, items):
            return [plain(item) for item in items]
        case Dictionary(_, entries):
            return {key: plain(entry.value) for key, entry in entries.items()}
        case Broken():
            return None


def way(node: Node, path: str) -> Iterator[Node]:
    """The nodes from this one along a path such as ``steps/0/wait``, as far as there are any."""
    yield node
    for step in path.split("/"):
        below: Node | None = None
        match node:
            case Sequence(_, items):
                below = items[int(step)] if step.isdecimal() and int(step) < len(items) else None
            case Dictionary():
                below = node.get(step)
            case Scalar() | Broken():
                pass
        if below is None:
            return
        node = below
        yield node


def find(node: Node, path: Iterable[str | int]) -> Node:
    """The node at the end of this way of keys and indices; a scalar ends the way."""
    for step in path:
        match node:
            case Sequence(_, items):
                node = items[int(step)]
            case Dictionary(_, entries):
                node = entries[str(step)].value
            case Scalar() | Broken():
                return node
    return node


def key_place(node: Node, path: tuple[str | int, ...]) -> Place:
    """The place of the key that ends this way; the value's own where it is no key."""
    *above, key = path
    around = find(node, above)
    entry = around.entries.get(str(key)) if isinstance(around, Dictionary) else None
    return find(node, path).place if entry is None else entry.key_place
