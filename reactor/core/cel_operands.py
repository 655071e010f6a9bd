"""What an expression does with QEMU's own values, held against what they may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor.core.cel_shapes import (
    Kind,
    Member,
    Reading,
    Shapes,
    check_members,
    dotted,
    named,
)
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
    offsets_of,
    static_path,
)
from reactor.core.text import closest

_COMPARISONS = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
_LOGIC = frozenset({"_&&_", "_||_", "!_"})


_FOREIGN = {
    **dict.fromkeys(("crashed", "panic", "panicked", "oops"), "guest-panicked"),
    **dict.fromkeys(("shutoff", "shut off", "off", "dead", "halted", "poweroff"), "shutdown"),
    **dict.fromkeys(("stopped", "stop"), "paused"),
    **dict.fromkeys(("up", "active", "started", "on", "resumed"), "running"),
    **dict.fromkeys(("pmsuspended", "sleeping"), "suspended"),
}
"""States of guests as others call them, libvirt first."""


def check_values(tree: Node, shapes: Shapes, *, condition: bool) -> None:
    """See that members are compared with what they may be.

    Raises:
        Misuse: a comparison never holds, a member that is not true or false decides, or
            an item of a list has not the member that is read.
    """
    view = View(shapes)
    if condition:
        _check_truth(tree, view)
    _check(tree, view)


@dataclass(frozen=True, slots=True)
class View:
    """The known values, and what the variables of macros stand for.

    ``local`` has the path of the items that a variable goes through, None where it is
    not known.
    """

    shapes: Shapes
    local: Mapping[str, Path | None] = field(default_factory=dict)

    def inside(self, fold: Fold) -> "View":
        """The view inside of a macro."""
        source = self.reading(fold.source)
        found = self.member(fold.source)
        is_list = source is not None and found is not None and Kind.LIST in found.kinds
        item = (*source.path, 0) if source is not None and is_list else None
        return View(self.shapes, {**self.local, fold.total: None, fold.item: item})

    def reading(self, node: Node, *, maybe: bool = False) -> Reading | None:
        """The path that a node reads, if it is written out and known where it leads."""
        if isinstance(node, Select) and node.test:
            return None
        wrote = static_path(node, (), maybe=maybe)
        if wrote is None:
            return None
        root = str(wrote[0])
        path = wrote
        if root in self.local:
            base = self.local[root]
            if base is None:
                return None
            path = (*base, *wrote[1:])
        return Reading(path, wrote, offsets_of(node))

    def member(self, node: Node, *, maybe: bool = False) -> Member | None:
        """The member that the node reads, if it is one of a known value."""
        reading = self.reading(node, maybe=maybe)
        for root, shape in self.shapes.items() if reading else ():
            if reading and reading.path[: len(root)] == root:
                found = shape.members.get(dotted(reading.path[len(root) :]))
                if found is not None:
                    return found
        return None

    def check_item(self, node: Node) -> None:
        """See that an item of a list has the members that are read through a variable.

        Raises:
            Misuse: it has not.
        """
        reading = self.reading(node, maybe=True)
        if reading is None or reading.path == reading.wrote:
            return
        for root, shape in self.shapes.items():
            if reading.path[: len(root)] == root:
                check_members(reading, len(root), shape)


def _check(node: Node, view: View) -> None:
    match node:
        case Call(_, function, None, (left, right)) if function in _COMPARISONS:
            _check_pair(left, right, view)
            _check_pair(right, left, view)
        case Call(_, "@in", None, (value, Items(_, items))):
            for item in items:
                _check_pair(value, item, view)
        case Call(_, function, None, sides) if function in _LOGIC:
            for side in sides:
                _check_truth(side, view)
        case _:
            view.check_item(node)
    for child in children(node):
        is_inside = isinstance(node, Fold) and child is not node.source and child is not node.start
        _check(child, view.inside(node) if is_inside and isinstance(node, Fold) else view)


def _check_truth(node: Node, view: View) -> None:
    found = view.member(node)
    if found and not found.kinds & {Kind.TRUTH, Kind.ANY}:
        problem = f"{_shown(node, view)} is {named(found.kinds)}, not true or false"
        raise Misuse(node.at, problem, "compare it with something")


def _shown(node: Node, view: View) -> str:
    reading = view.reading(node)
    return reading.shown(len(reading.path)) if reading else ""


def _check_pair(side: Node, other: Node, view: View) -> None:
    found = view.member(side)
    if found is None or not isinstance(other, Const) or Kind.ANY in found.kinds:
        return
    kind, shown = kind_of(other.value), _shown(side, view)
    # Of two numbers it can be told which is larger, whole or not; null is never wrong.
    is_known = kind is Kind.NULL or (kind is Kind.FRACTION and Kind.WHOLE in found.kinds)
    if kind not in found.kinds and not is_known:
        kinds = named(found.kinds)
        problem = f"{shown} is {kinds}, and this is {kind}"
        raise Misuse(other.at, problem, f"compare it with {kinds}")
    if found.values is not None and kind is Kind.TEXT and other.value not in found.values:
        meant = _FOREIGN.get(str(other.value), "")
        near = meant if meant in found.values else closest(str(other.value), found.values)
        fix = f'write "{near}"' if near else f"it is one of: {', '.join(sorted(found.values))}"
        raise Misuse(other.at, f'{shown} is never "{other.value}"', fix)


def kind_of(value: object) -> Kind:
    """What a literal is."""
    match value:
        case bool():
            return Kind.TRUTH
        case int():
            return Kind.WHOLE
        case float():
            return Kind.FRACTION
        case str():
            return Kind.TEXT
        case _:
            return Kind.NULL
