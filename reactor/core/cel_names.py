"""Which names stand where, and what an expression reads: all that its tree tells."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reactor.core.cel_access import show
from reactor.core.cel_library import VARIABLES, members_of
from reactor.core.cel_tree import (
    Call,
    Const,
    Fold,
    Ident,
    Misuse,
    Node,
    Path,
    Select,
    children,
    static_path,
)
from reactor.core.text import closest

_NOT_BUILT = frozenset({"message", "topic"})


@dataclass(frozen=True, slots=True)
class Names:
    """The names that an expression may use at its place in a policy.

    ``place`` names the place in a sentence ("a trigger's `where`"). ``members``
    closes what is open in general: the `vars` of the policy, its saved `steps`.
    """

    place: str
    allowed: tuple[str, ...]
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def at(self, place: str) -> "Names":
        """The same names at a place that is called otherwise."""
        return replace(self, place=place)

    def knowing(
        self, *, variables: Iterable[str] | None = None, steps: Iterable[str] | None = None
    ) -> "Names":
        """The same, where only these `vars` and these saved steps exist."""
        known = {
            name: frozenset(members)
            for name, members in (("vars", variables), ("steps", steps))
            if members is not None
        }
        return replace(self, members={**self.members, **known})

    def listed(self) -> str:
        """The names in a sentence."""
        return ", ".join(self.allowed)


_RUN = frozenset({"id", "policy", "started", "attempt", "nth"})
_EVENT_AND_GUEST = ("event", "data", "guest", "host")

TRIGGER = Names("a trigger's `where`", _EVENT_AND_GUEST)
"""``where`` and ``by`` of a trigger."""

CONDITION = Names("a policy's `if`", ("event", "data", "trigger", "guest", "host"))
"""``if`` and ``inhibit_if`` of a policy."""

STEPS = Names("a step", (*CONDITION.allowed, "run", "vars", "steps"), {"run": _RUN})
"""``vars``, and everything in ``steps``."""

HANDLERS = Names("a handler", STEPS.allowed)
"""``on_failure``, ``on_limit``, ``finally``: they know how the run ended."""

ARM = Names("`arm`", ("guest", "host"))
"""``arm``: there is no event."""


def reads(
    tree: Node, local: frozenset[str] = frozenset()
) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """The paths that the tree reads, as far as they are written out, in their order.

    With each path the offsets of its parts in the source.
    """
    node = tree
    if isinstance(tree, Select) and tree.test:
        node = Select(tree.at, tree.operand, tree.field, test=False)
    path = static_path(node, local, maybe=True)
    if path is not None:
        yield path, _offsets(node)
        return
    for child in children(node):
        inner = local
        if isinstance(node, Fold) and child is not node.source and child is not node.start:
            inner = local | {node.total, node.item}
        yield from reads(child, inner)


def _offsets(node: Node) -> tuple[int, ...]:
    match node:
        case Select(at, operand):
            return (*_offsets(operand), at + 1)
        case Call(at, "_?._", None, (operand, _)):
            return (*_offsets(operand), at + 2)
        case Call(_, _, None, (operand, key)):
            return (*_offsets(operand), key.at)
        case _:
            return (node.at,)


def check_names(tree: Node, names: Names) -> None:
    """See that each variable is known here and has the members that are read.

    Raises:
        Misuse: one is not.
    """
    for path, offsets in reads(tree):
        _check_variable(str(path[0]), offsets[0], names)
        for end in range(1, len(path)):
            _check_member(path[: end + 1], offsets[end], names)
    _check_hyphens(tree)


def _check_variable(name: str, at: int, names: Names) -> None:
    if name in names.allowed:
        return
    if name in _NOT_BUILT:
        problem = f"`{name}` belongs to mqtt triggers, which are not built yet"
        raise Misuse(at, problem, "do without it for now")
    raise Misuse(at, f"`{name}` is not known in {names.place}", f"known are: {names.listed()}")


def _check_member(path: Path, at: int, names: Names) -> None:
    *above, name = path
    general = members_of(tuple(above))
    known = names.members.get(str(above[0]), general) if len(above) == 1 else general
    if known is None or name in known:
        return
    if path == ("host", "free"):
        raise Misuse(at, "host.free() is not built yet", "do without it for now")
    shown = show(tuple(above))
    if general is not None and name in general:
        problem = f"{show(path)} is not known in {names.place}"
        raise Misuse(at, problem, "use it in on_failure, on_limit or finally")
    near = closest(str(name), known)
    if near is not None:
        fix = f"write {show((*above, near))}"
    else:
        fix = f"known are: {', '.join(sorted(known))}" if known else _NONE_KNOWN[shown]
    raise Misuse(at, f"{shown} has no member '{name}'", fix)


_NONE_KNOWN = {
    "vars": "add it to the policy's `vars`",
    "steps": "give an earlier step `save:` and this name",
}


def _check_hyphens(node: Node, variables: frozenset[str] = frozenset(VARIABLES)) -> None:
    """`data.x-host` is a subtraction, and of a whole map: nobody means that."""
    if isinstance(node, Call) and node.function == "_-_" and isinstance(node.args[1], Ident):
        path, name = static_path(node.args[0], frozenset()), node.args[1].name
        if path is not None and name in variables:
            problem = f"`{show(path)}-{name}` is a subtraction"
            raise Misuse(node.at, problem, f"write {show(path)}_{name}")
    inner = variables - {node.item} if isinstance(node, Fold) else variables
    for child in children(node):
        _check_hyphens(child, inner)


Literal = str | int | bool


def conjuncts(tree: Node) -> list[Node]:
    """What `&&` holds together, from left to right."""
    if isinstance(tree, Call) and tree.function == "_&&_":
        return [part for side in tree.args for part in conjuncts(side)]
    return [tree]


def joined(parts: list[Node]) -> Node | None:
    """The parts held together by `&&` again; None when there are none."""
    whole: Node | None = None
    for part in parts:
        whole = part if whole is None else Call(part.at, "_&&_", None, (whole, part))
    return whole


def equality(node: Node) -> tuple[str, Literal] | None:
    """The dotted path below `data` and the literal that it must equal, if it is that."""
    match node:
        case Call(_, "_==_", None, (Const(_, value), side)) | Call(
            _, "_==_", None, (side, Const(_, value))
        ):
            path = static_path(side, frozenset())
        case _:
            return None
    if (
        path is None
        or path[0] != "data"
        or len(path) == 1
        or show(path) != ".".join(map(str, path))
    ):
        return None
    return (show(path), value) if isinstance(value, str | int) else None
