"""What an expression gives: its kind, and all texts that it may be.

The members of QEMU's own values are declared to the library as variables with dotted
names, so that its checker judges every operator and function on them.
"""

import re
from collections.abc import Iterator

from reactor.core.cel_operands import View, kind_of
from reactor.core.cel_shapes import Kind, Member, Shapes, merged_member
from reactor.core.cel_tree import Call, Const, Entries, Items, Misuse, Node

DECLARABLE = frozenset({Kind.TEXT, Kind.WHOLE, Kind.FRACTION, Kind.TRUTH, Kind.LIST})
"""The kinds that the library knows too."""

ANYTHING = Member(frozenset({Kind.ANY}))

_NAMES = {
    "BOOL": Kind.TRUTH,
    "DOUBLE": Kind.FRACTION,
    # Times and durations leave an expression as texts.
    "DURATION": Kind.TEXT,
    "INT": Kind.WHOLE,
    "LIST": Kind.LIST,
    "MAP": Kind.MAP,
    "NULL": Kind.NULL,
    "STRING": Kind.TEXT,
    "TIMESTAMP": Kind.TEXT,
}

_HAS = re.compile(r"\bhas\(\s*[A-Za-z_][\w.]*\s*\)")
_HARMLESS = re.compile(
    r"found no matching overload for '_(==|!=|<|<=|>|>=)_' applied to"
    r" '\((int, double|double, int|.+, null_type|null_type, .+)\)'"
)


def without_has(source: str) -> str | None:
    """A source of the same length in which each `has(...)` is true; None if one is left.

    The library takes `has()` of a variable with a dotted name for something else.
    """
    masked = _HAS.sub(lambda found: "true".ljust(len(found[0])), source)
    return None if "has(" in masked else masked


_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)


def declared(source: str, shapes: Shapes) -> tuple[tuple[str, Kind], ...]:
    """The members of one kind that this source may read, by their names with dots."""
    wrote = {name for path in set(_DOTTED.findall(source)) for name in _starts(path)}
    found = {
        name: _only(shape.members.get(name.removeprefix(prefix)))
        for prefix, shape in ((f"{'.'.join(map(str, root))}.", one) for root, one in shapes.items())
        for name in wrote
        if name.startswith(prefix)
    }
    return tuple(sorted((name, kind) for name, kind in found.items() if kind is not None))


def _starts(path: str) -> Iterator[str]:
    """The path, and each that leads to it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def _only(member: Member | None) -> Kind | None:
    """The one kind of a member, where the library knows it too."""
    if member is None or len(member.kinds) != 1:
        return None
    (kind,) = member.kinds
    return kind if kind in DECLARABLE else None


def is_harmless(complaint: str) -> bool:
    """Whether the library refuses what can be computed: a whole number beside a fraction.

    A comparison with null is never true, and never wrong.
    """
    return _HARMLESS.search(complaint) is not None


def given(tree: Node, shapes: Shapes, kind: str) -> Member:
    """What the expression gives; ``kind`` is the library's name of its type."""
    found = _given(tree, View(shapes))
    if Kind.ANY not in found.kinds:
        # Where it is absent, nothing is given at all.
        return Member(found.kinds, found.values)
    name = _NAMES.get(kind.partition("<")[0])
    return ANYTHING if name is None else Member(frozenset({name}))


def _given(node: Node, view: View) -> Member:
    match node:
        case Const(_, value):
            texts = frozenset({value}) if isinstance(value, str) else None
            return Member(frozenset({kind_of(value)}), texts)
        case Call(_, "_?_:_", None, (_, left, right)):
            return merged_member(_given(left, view), _given(right, view))
        case Call(_, "orValue", target, (other,)) if target is not None:
            found = view.member(target, maybe=True) or ANYTHING
            return merged_member(found, _given(other, view))
        case Items():
            return Member(frozenset({Kind.LIST}))
        case Entries():
            return Member(frozenset({Kind.MAP}))
        case _:
            return view.member(node) or ANYTHING


_IN_WORDS = {
    "BYTES": "bytes",
    "DOUBLE": "a fraction",
    "DURATION": "a duration",
    "INT": "a whole number",
    "LIST": "a list",
    "MAP": "a map",
    "NULL": "null",
    "STRING": "a text",
    "TIMESTAMP": "a time",
    "TYPE": "a type",
    "UINT": "an unsigned number",
}


def check_kind(kind: str, *, condition: bool) -> None:
    """That an expression of this kind has a value, and one that its place takes.

    Raises:
        Misuse: it has none, or is no condition where one is needed.
    """
    name = kind.partition("<")[0]
    if name == "optional_type":
        raise Misuse(0, "an optional is no value", "end it with .orValue(...)")
    if condition and name not in {"BOOL", "DYN"}:
        problem = f"the condition is {_IN_WORDS.get(name, 'a value')}, not true or false"
        raise Misuse(0, problem, "compare it with something")
