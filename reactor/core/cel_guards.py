"""Members and labels that an expression reads as if they were always there."""

from collections.abc import Iterator
from typing import NamedTuple

from reactor.core.cel_access import show
from reactor.core.cel_facts import Facts, is_below, is_there
from reactor.core.cel_shapes import Kind, Shapes, dotted
from reactor.core.cel_tree import Call, Const, Fold, Node, Path, Select, children, static_path


def unguarded(
    tree: Node, shapes: Shapes, facts: Facts, unset: frozenset[str] = frozenset()
) -> Iterator[str]:
    """The members and labels that are read as if they were always there, and may not be.

    What ``has()``, ``in`` or ``.?`` asks about anywhere in the expression is guarded; so is
    what is certain (``facts``) where the expression stands.

    Args:
        unset: the steps that may not have saved anything.
    """
    guarded = frozenset(_guards(tree))
    for path in _plain_reads(tree, frozenset()):
        if path[0] == "steps" and not unset.isdisjoint(path[1:2]):
            if not is_there(path[:2], facts | guarded):
                yield show(path[:2])
        elif path not in guarded and _may_be_absent(path, shapes, facts):
            yield show(path)


class Seen(NamedTuple):
    """A member of a value that QEMU sends, read as if its QEMU knew it: the path, and what it is.

    ``member`` is its dotted path in the value.
    """

    shown: str
    member: str
    events: tuple[str, ...]
    command: str


def seen(tree: Node, shapes: Shapes, facts: Facts) -> Iterator[Seen]:
    """The members of events and replies that are read without asking for them before.

    Where the expression stands what is certain (``facts``) was asked for, or read.
    """
    guarded = facts.union(_guards(tree))
    for path in dict.fromkeys(_plain_reads(tree, frozenset())):
        if not is_below(path, guarded):
            for root, shape in shapes.items():
                member = dotted(path[len(root) :]) if path[: len(root)] == root else ""
                if member and (shape.events or shape.command):
                    yield Seen(show(path), member, shape.events, shape.command)


def _may_be_absent(path: Path, shapes: Shapes, facts: Facts) -> bool:
    if path[:2] == ("guest", "labels") and len(path) == 3:
        return not is_there(path, facts)
    for root, shape in shapes.items():
        if path[: len(root)] == root:
            ends = range(len(root) + 1, len(path) + 1)
            open_ends = (end for end in ends if not is_there(path[:end], facts))
            ways = [dotted(path[len(root) : end]) for end in open_ends]
            return any(way in shape.members and shape.members[way].optional for way in ways)
    return False


def never_null(tree: Node, shapes: Shapes) -> Iterator[tuple[str, bool]]:
    """The members that are held to be null by `== null` and never are; whether each may be absent.

    QEMU leaves out what it has not.
    """
    match tree:
        case Call(_, "_==_", None, (Const(_, None), side) | (side, Const(_, None))):
            path = static_path(side, frozenset()) or ()
            for root, shape in shapes.items():
                member = shape.members.get(dotted(path[len(root) :]))
                if path[: len(root)] != root or member is None:
                    continue
                if member.kinds.isdisjoint((Kind.NULL, Kind.ANY)):
                    yield show(path), member.optional
        case _:
            for child in children(tree):
                yield from never_null(child, shapes)


def _guards(tree: Node) -> Iterator[Path]:
    """What the tree asks for before it reads it."""
    path: Path | None = None
    match tree:
        case Select(_, operand, name, test=True):
            above = static_path(operand, frozenset(), maybe=True)
            path = above and (*above, name)
        case Call(_, "_?._" | "_[?_]"):
            path = static_path(tree, frozenset(), maybe=True)
        case Call(_, "@in", None, (Const(_, str(name)), container)):
            above = static_path(container, frozenset(), maybe=True)
            path = above and (*above, name)
        case _:
            pass
    if path:
        yield path
    for child in children(tree):
        yield from _guards(child)


def _plain_reads(node: Node, local: frozenset[str]) -> Iterator[Path]:
    """The whole paths that are read without asking."""
    path = None if isinstance(node, Select) and node.test else static_path(node, local)
    if path is not None:
        yield path
        return
    for child in children(node):
        inner = local
        if isinstance(node, Fold) and child is not node.source and child is not node.start:
            inner = local | {node.total, node.item}
        yield from _plain_reads(child, inner)
