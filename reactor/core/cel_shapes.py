"""What members QEMU's own values have: a misspelt one is found before it is read in vain."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reactor.core.cel_access import show
from reactor.core.cel_tree import (
    Call,
    Const,
    Fold,
    Items,
    Misuse,
    Node,
    Path,
    Select,
    children,
    static_path,
)
from reactor.core.text import closest


class Kind(StrEnum):
    """What a member holds; the value is how a sentence names it."""

    TEXT = "a text"
    WHOLE = "a whole number"
    TRUTH = "true or false"
    MAP = "a map"
    ANY = "any value"


@dataclass(frozen=True, slots=True)
class Member:
    """A member: its kinds, all texts that it may be (None: any), whether it may be absent."""

    kinds: frozenset[Kind]
    values: frozenset[str] | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """All members of a value, by their dotted path with underscores; ``whose`` they are.

    ``whose`` stands in a sentence: "GUEST_PANICKED", "RESET or STOP".
    """

    whose: str
    members: Mapping[str, Member]


_NAMES_SHOWN = 3
_MEMBERS_SHOWN = 12


def merged(shapes: Iterable[Shape]) -> Shape:
    """What one of these values may be: each member that any of them has."""
    all_of_them = list(shapes)
    found: dict[str, Member] = {}
    for shape in all_of_them:
        for path, member in shape.members.items():
            found[path] = _either(found[path], member) if path in found else member
    for path, member in found.items():
        above = path.rpartition(".")[0]
        if any(path not in one.members for one in all_of_them if not above or above in one.members):
            found[path] = Member(member.kinds, member.values, optional=True)
    names = list(dict.fromkeys(shape.whose for shape in all_of_them))
    whose = " or ".join(names) if len(names) <= _NAMES_SHOWN else "any of these events"
    return Shape(whose, found)


def _either(one: Member, other: Member) -> Member:
    values = None
    if one.values is not None and other.values is not None:
        values = one.values | other.values
    return Member(one.kinds | other.kinds, values, one.optional or other.optional)


Shapes = Mapping[Path, Shape]
"""The values whose members are known, by the path that leads to each: ``("data",)``."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A member at which a path ends, with the path as its author wrote it."""

    member: Member
    shown: str


def check_path(path: Path, offsets: tuple[int, ...], shapes: Shapes) -> None:
    """See that each member of the path may be there.

    Raises:
        Misuse: one is not a member of the value, whatever it may be.
    """
    for root, shape in shapes.items():
        if path[: len(root)] == root:
            _check_below(path, offsets, len(root), shape)


def _check_below(path: Path, offsets: tuple[int, ...], start: int, shape: Shape) -> None:
    dotted = ""
    for end in range(start, len(path)):
        above, name = dotted, str(path[end]).replace("-", "_")
        dotted = f"{above}.{name}" if above else name
        parent = shape.members.get(above)
        if parent is not None and Kind.ANY in parent.kinds:
            return
        if dotted in shape.members:
            continue
        shown = show(path[:end])
        if parent is not None and Kind.MAP not in parent.kinds:
            kinds = " or ".join(sorted(parent.kinds))
            raise Misuse(offsets[end], f"{shown} is {kinds}, it has no members", "take it out")
        here = _names_below(above, shape)
        near = closest(name, here)
        fix = f"write {show((*path[:end], near))}" if near else _known(shape.whose, here)
        raise Misuse(offsets[end], f"{shown} has no member '{path[end]}'", fix)


def _known(whose: str, names: list[str]) -> str:
    if not names:
        return f"{whose} has no data"
    if len(names) > _MEMBERS_SHOWN:
        return "look it up in QEMU's QMP reference"
    return f"{whose} has: {', '.join(names)}"


def _names_below(above: str, shape: Shape) -> list[str]:
    prefix = f"{above}." if above else ""
    found = (path.removeprefix(prefix) for path in shape.members if path.startswith(prefix))
    return sorted(name for name in found if "." not in name)


def check_values(tree: Node, shapes: Shapes, *, condition: bool) -> None:
    """See that members are compared with what they may be.

    Raises:
        Misuse: a comparison never holds, or a member that is not true or false decides.
    """
    if condition:
        _check_truth(tree, shapes, frozenset())
    _check(tree, shapes, frozenset())


_COMPARISONS = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
_LOGIC = frozenset({"_&&_", "_||_", "!_"})


def _check(node: Node, shapes: Shapes, local: frozenset[str]) -> None:
    match node:
        case Call(_, function, None, (left, right)) if function in _COMPARISONS:
            _check_pair(left, right, shapes, local)
            _check_pair(right, left, shapes, local)
        case Call(_, "@in", None, (value, Items(_, items))):
            for item in items:
                _check_pair(value, item, shapes, local)
        case Call(_, function, None, sides) if function in _LOGIC:
            for side in sides:
                _check_truth(side, shapes, local)
        case _:
            pass
    for child in children(node):
        inner = local
        if isinstance(node, Fold) and child is not node.source and child is not node.start:
            inner = local | {node.total, node.item}
        _check(child, shapes, inner)


def _check_truth(node: Node, shapes: Shapes, local: frozenset[str]) -> None:
    found = _member(node, shapes, local)
    if found and not found.member.kinds & {Kind.TRUTH, Kind.ANY}:
        kinds = " or ".join(sorted(found.member.kinds))
        problem = f"{found.shown} is {kinds}, not true or false"
        raise Misuse(node.at, problem, "compare it with something")


def _check_pair(side: Node, other: Node, shapes: Shapes, local: frozenset[str]) -> None:
    found = _member(side, shapes, local)
    if found is None or not isinstance(other, Const) or Kind.ANY in found.member.kinds:
        return
    member, shown = found.member, found.shown
    kind = _kind_of(other.value)
    if kind is None:
        return
    if kind not in member.kinds:
        kinds = " or ".join(sorted(member.kinds))
        problem = f"{shown} is {kinds}, and this is {kind}"
        raise Misuse(other.at, problem, f"compare it with {kinds}")
    if member.values is not None and kind is Kind.TEXT and other.value not in member.values:
        near = closest(str(other.value), member.values)
        fix = f'write "{near}"' if near else f"it is one of: {', '.join(sorted(member.values))}"
        raise Misuse(other.at, f'{shown} is never "{other.value}"', fix)


def _kind_of(value: object) -> Kind | None:
    match value:
        case bool():
            return Kind.TRUTH
        case int() | float():
            return Kind.WHOLE
        case str():
            return Kind.TEXT
        case _:
            return None


def _member(node: Node, shapes: Shapes, local: frozenset[str]) -> _Found | None:
    """The member that the node reads, if it is one of a known value."""
    path = None if isinstance(node, Select) and node.test else static_path(node, local)
    for root, shape in shapes.items() if path else ():
        if path and path[: len(root)] == root:
            dotted = ".".join(str(part).replace("-", "_") for part in path[len(root) :])
            if dotted in shape.members:
                return _Found(shape.members[dotted], show(path))
    return None


def unguarded(tree: Node, shapes: Shapes) -> Iterator[str]:
    """The members and labels that are read as if they were always there, and may not be.

    What ``has()``, ``in`` or ``.?`` asks about anywhere in the expression is guarded.
    """
    guarded = set(_guards(tree))
    for path in _plain_reads(tree, frozenset()):
        if path not in guarded and _may_be_absent(path, shapes):
            yield show(path)


def _may_be_absent(path: Path, shapes: Shapes) -> bool:
    if path[:2] == ("guest", "labels") and len(path) == 3:
        return True
    for root, shape in shapes.items():
        rest = [str(part).replace("-", "_") for part in path[len(root) :]]
        if path[: len(root)] == root:
            ways = [".".join(rest[: end + 1]) for end in range(len(rest))]
            return any(way in shape.members and shape.members[way].optional for way in ways)
    return False


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
