"""Members that are certain to be there behind a condition: it asked for them, or has read them.

A condition that cannot be computed counts as false, so of one that was not true only little
is known.
"""

from reactor.core.cel_access import qmp_depth
from reactor.core.cel_tree import Call, Const, Fold, Node, Path, Select, children, static_path

Facts = frozenset[Path]
"""Whole paths; what is above each is there too."""

NOTHING: Facts = frozenset()
_LABELS = ("guest", "labels")


def where_true(node: Node) -> Facts:
    """What is there where the condition was true."""
    match node:
        case Call(_, "_&&_", None, (one, other)):
            return where_true(one) | where_true(other)
        case Call(_, "_||_", None, (one, other)):
            return where_true(one) & where_true(other)
        case Call(_, "!_", None, (inner,)):
            return _where_false(inner)
        case Select(_, operand, name, test=True):
            return _member(operand, name)
        case Call(_, "@in", None, (Const(_, str(name)), container)):
            return _member(container, name) | where_computed(container)
        case Call(_, "hasValue", Call() as asked, ()):
            return _asked(asked)
        case Call(_, "orValue", Call() as asked, (Const(_, False),)):
            return _asked(asked)
        case _:
            return _not_default(node) | where_computed(node)


def where_not_true(node: Node) -> Facts:
    """What is there where the condition was false or could not be computed."""
    match node:
        case Call(_, "_||_", None, (one, other)):
            return where_not_true(one) | where_not_true(other)
        case Call(_, "_&&_", None, (one, other)):
            return where_not_true(one) & where_not_true(other)
        case Call(_, "!_", None, (Select(_, operand, name, test=True),)):
            return frozenset(path for path in _member(operand, name) if _is_certain(path[:-1]))
        case _:
            return NOTHING


def _is_certain(path: Path) -> bool:
    """Whether it is a value that is always there, so that asking for its members never fails."""
    return path == _LABELS or qmp_depth((*path, "")) == len(path)


def _where_false(node: Node) -> Facts:
    """What is there where the condition was false, and could be computed."""
    match node:
        case Call(_, "_&&_", None, (one, other)):
            return _where_false(one) & _where_false(other)
        case Call(_, "_||_", None, (one, other)):
            return _where_false(one) | _where_false(other)
        case Call(_, "!_", None, (inner,)):
            return where_true(inner)
        case _:
            return where_computed(node)


def _member(above: Node, name: str) -> Facts:
    path = static_path(above, frozenset(), maybe=True)
    return NOTHING if path is None else frozenset({(*path, name)})


def _asked(optional: Node) -> Facts:
    path = static_path(optional, frozenset(), maybe=True)
    return NOTHING if path is None else frozenset({path})


def _not_default(node: Node) -> Facts:
    """What is there where an optional has another value than the one that stands for nothing."""
    match node:
        case Call(_, "_==_" | "_!=_" as compares, None, (left, right)):
            for side, other in ((left, right), (right, left)):
                match side, other:
                    case Call(_, "orValue", Call() as asked, (Const(_, default),)), Const(_, value):
                        is_another = (value != default) == (compares == "_==_")
                        return _asked(asked) if is_another else NOTHING
                    case _:
                        pass
        case _:
            pass
    return NOTHING


def where_computed(node: Node) -> Facts:
    """What is there where the expression had a value: it must have been read for that."""
    path = None if isinstance(node, Select) and node.test else static_path(node, frozenset())
    if path is not None:
        return frozenset({path}) if len(path) > 1 else NOTHING
    match node:
        case Call(_, "_&&_" | "_||_", None, _):
            return where_true(node) & _where_false(node)
        case Call(_, "_?_:_", None, (asked, *_)):
            below: tuple[Node, ...] = (asked,)
        case Call(_, "orValue" | "or", Call() as optional, _):
            below = (optional,)
        case Fold():
            below = (node.source,)
        case _:
            below = children(node)
    return NOTHING.union(*map(where_computed, below))


def is_there(path: Path, facts: Facts) -> bool:
    """Whether the path is certain, or leads to one that is."""
    return any(fact[: len(path)] == path for fact in facts)


def is_below(path: Path, facts: Facts) -> bool:
    """Whether the path is one of those that are certain, or stands below one."""
    return any(path[: len(fact)] == fact for fact in facts)
