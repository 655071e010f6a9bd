"""Which names stand where, and what an expression reads: all that its tree tells."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from reactor.core.cel_access import show
from reactor.core.cel_facts import NOTHING, Facts, is_there
from reactor.core.cel_library import VARIABLES, members_of
from reactor.core.cel_shapes import Shape, Shapes, check_path
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
    offsets_of,
    static_path,
)
from reactor.core.text import closest


class Names(msgspec.Struct, frozen=True):
    """The names that an expression may use at its place in a policy.

    ``place`` names the place in a sentence ("a trigger's `where`"). ``members``
    closes what is open in general: the `vars` of the policy, its saved `steps`.
    ``hints`` says for a name that is known elsewhere what to do. ``free``: the place
    is asked with fresh state, so that `host.free()` has an answer. ``shapes``: the QMP
    values of which all members are known. ``facts``: the members that are there for certain.
    ``unset``: the saved steps that may not have been done.
    """

    place: str
    allowed: tuple[str, ...]
    members: Mapping[str, frozenset[str]] = {}
    hints: Mapping[str, str] = {}
    free: bool = False
    shapes: Shapes = {}
    facts: Facts = NOTHING
    unset: frozenset[str] = frozenset()

    def at(self, place: str) -> "Names":
        """The same names at a place that is called otherwise."""
        return replace(self, place=place)

    def asking(self) -> "Names":
        """The same names at a place that is asked with fresh state."""
        return replace(self, free=True)

    def without(self, *names: str) -> "Names":
        """The same but for these."""
        return replace(self, allowed=tuple(name for name in self.allowed if name not in names))

    def knowing(
        self,
        *,
        variables: Iterable[str] | None = None,
        steps: Iterable[str] | None = None,
        params: Iterable[str] | None = None,
        unset: Iterable[str] = (),
    ) -> "Names":
        """The same, where only these `vars`, these saved steps and these `params` exist.

        Args:
            unset: those of the saved steps that may not have been done.
        """
        known = {
            name: frozenset(members)
            for name, members in (("vars", variables), ("steps", steps), ("params", params))
            if members is not None
        }
        return replace(self, members={**self.members, **known}, unset=frozenset(unset))

    def with_message(self) -> "Names":
        """The same, where an MQTT message can stand at the beginning."""
        return replace(self, allowed=(*self.allowed, "message", "topic"))

    def with_second(self) -> "Names":
        """The same, where a second event can have completed the trigger."""
        return replace(self, members={**self.members, "trigger": _TRIGGER | {"next"}})

    def seeing(self, shapes: Mapping[str, Shape | None]) -> "Names":
        """The same, where of these QMP values (`trigger.data`) all members are known."""
        known = dict(self.shapes)
        for name, shape in shapes.items():
            path = tuple(name.split("."))
            known.pop(path, None)
            if shape is not None:
                known[path] = shape
        return replace(self, shapes=known)

    def where(self, facts: Facts) -> "Names":
        """The same, where these members are there for certain, too."""
        if facts <= self.facts:
            return self
        # In steps `data` and `trigger.data` are one.
        more = {("trigger", *path) for path in facts if path[0] == "data"}
        more |= {path[1:] for path in facts if path[:2] == ("trigger", "data")}
        return replace(self, facts=self.facts.union(facts, more))

    def unsure(self, *path: str) -> "Names":
        """The same, where nothing of this value is certain."""
        if not is_there(path, self.facts):
            return self
        kept = (fact for fact in self.facts if fact[: len(path)] != path)
        return replace(self, facts=frozenset(kept))

    def listed(self) -> str:
        """The names in a sentence."""
        return ", ".join(self.allowed)


_FEW = 12


class Near:
    """The names at a place as far as an expression can read them; equal where they are alike.

    Many policies say the same of the same. What an expression does not name is left out, and
    the values of events, which are long and made once, are taken by their identity.
    """

    __slots__ = ("_key", "names")

    def __init__(self, names: Names, source: str) -> None:
        self.names = names
        members = tuple(item for item in names.members.items() if item[0] in source)
        shapes = tuple(
            (path, _token(shape)) for path, shape in names.shapes.items() if str(path[0]) in source
        )
        facts = frozenset(path for path in names.facts if str(path[0]) in source)
        unset = names.unset if "steps" in source else None
        known = (members, shapes, facts, unset)
        self._key = (names.place, names.allowed, names.free, id(names.hints), known)

    def __eq__(self, other: object) -> bool:
        """Whether an expression means the same with the one as with the other."""
        return isinstance(other, Near) and self._key == other._key

    def __hash__(self) -> int:
        """Equal for equal ones."""
        return hash(self._key)


def _token(shape: Shape) -> object:
    # Nothing else gets this identity: who has the token has the shape, too.
    if len(shape.members) > _FEW:
        return id(shape)
    return shape.whose, shape.events, shape.command, tuple(shape.members.items())


_RUN = frozenset({"id", "policy", "started", "attempt", "nth"})
_TRIGGER = frozenset({"event", "data", "count", "index"})
_EVENT_AND_GUEST = ("event", "data", "guest", "host")
_NO_MESSAGE = "give the policy an `mqtt` trigger, or do without it"
_HINTS = {
    **dict.fromkeys(("message", "topic"), _NO_MESSAGE),
    **dict.fromkeys(
        ("run.failed_step", "run.error", "run.outcome"), "use it in on_failure, on_limit or finally"
    ),
    "trigger.next": "give the policy a trigger with `followed_by`, or do without it",
    "params": "use `vars`: `params` belong to runbooks",
}

TRIGGER = Names("a trigger's `where`", _EVENT_AND_GUEST, hints=_HINTS)
"""``where`` and ``by`` of a trigger."""

SEQUEL = Names(
    "the second event's `where`",
    ("event", "data", "trigger", "guest", "host"),
    {"trigger": frozenset({"event", "data"})},
    _HINTS,
)
"""``where`` and ``by`` of a second event: ``event`` is the candidate, ``trigger`` the first."""

STATE = Names("a trigger's `state`", ("guest", "host"), hints=_HINTS)
"""``state`` of a trigger: there is no event."""

MESSAGE_GUEST = Names("a trigger's `guest`", ("message", "topic", "host"), hints=_HINTS)
"""``guest`` of an ``mqtt`` trigger: it says which guest the message is about."""

MESSAGE = Names("a trigger's `where`", ("message", "topic", "guest", "host"), hints=_HINTS)
"""``where`` of an ``mqtt`` trigger."""

CONDITION = Names(
    "a policy's `if`",
    ("event", "data", "trigger", "guest", "host"),
    {"trigger": _TRIGGER},
    _HINTS,
)
"""``if`` and ``inhibit_if`` of a policy."""

ASK = Names(
    "`approval`",
    (*CONDITION.allowed, "run"),
    {"trigger": _TRIGGER, "run": frozenset({"id", "policy"})},
    _HINTS,
)
"""``ask`` of an approval: the run waits and has not started."""

STEPS = Names(
    "a step",
    (*CONDITION.allowed, "run", "vars", "steps"),
    {"trigger": _TRIGGER, "run": _RUN},
    _HINTS,
)
"""``vars``, and everything in ``steps``."""

HANDLERS = Names("a handler", STEPS.allowed, {"trigger": _TRIGGER}, _HINTS)
"""``on_failure``, ``on_limit``, ``finally``: they know how the run ended."""

_TO_PARAM = "add it to the runbook's `params`, and give it with `with`"

RUNBOOK = Names(
    "a runbook",
    (*CONDITION.allowed, "run", "params", "steps"),
    {"trigger": _TRIGGER, "run": _RUN},
    dict.fromkeys(("vars", "message", "topic", *_HINTS), _TO_PARAM),
)
"""Everything in a runbook: what its policy has beside the event comes in as ``params``."""

PARAM_DEFAULT = Names(
    "the default of a param",
    (*CONDITION.allowed, "run"),
    {"trigger": _TRIGGER, "run": _RUN},
)
"""The value of a param that is not given; it is rendered where the runbook is run."""

ARM = Names("`arm`", ("guest", "host"), hints=_HINTS)
"""``arm``: there is no event."""


def reads(
    tree: Node, local: frozenset[str] = frozenset()
) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """The paths that the tree reads, as far as they are written out, in their order.

    With each path the offsets of its parts in the source. What `host.free()`
    asks for is no path: ``frees`` has it.
    """
    if _is_free(tree):
        return
    node = tree
    if isinstance(tree, Select) and tree.test:
        node = Select(tree.at, tree.operand, tree.field, test=False)
    path = static_path(node, local, maybe=True)
    if path is not None:
        yield path, offsets_of(node)
        return
    for child in children(node):
        inner = local
        if isinstance(node, Fold) and child is not node.source and child is not node.start:
            inner = local | {node.total, node.item}
        yield from reads(child, inner)


FREE = "free"
_FREE_EXAMPLE = 'host.free("/var/crash")'


def _is_free(node: Node) -> bool:
    return isinstance(node, Call) and node.function == FREE and node.target is not None


def frees(tree: Node) -> Iterator[tuple[str, int]]:
    """The paths that `host.free()` is asked about, each with its offset in the source.

    Raises:
        Misuse: it is asked of something else, or about a path that is not written out.
    """
    if isinstance(tree, Call) and _is_free(tree):
        match tree.target, tree.args:
            case Ident(_, "host"), (Const(_, str(path)),) if path.startswith("/"):
                yield path, tree.at
            case Ident(_, "host"), _:
                problem = "host.free() takes one absolute path that is written out"
                raise Misuse(tree.at, problem, f"write {_FREE_EXAMPLE}")
            case _:
                raise Misuse(tree.at, "only the host has free()", f"write {_FREE_EXAMPLE}")
        return
    for child in children(tree):
        yield from frees(child)


def check_names(tree: Node, names: Names) -> None:
    """See that each variable is known here and has the members that are read.

    Raises:
        Misuse: one is not.
    """
    for path, offsets in reads(tree):
        _check_variable(str(path[0]), offsets[0], names)
        for end in range(1, len(path)):
            _check_member(path[: end + 1], offsets[end], names)
        check_path(path, offsets, names.shapes)
    for _, at in frees(tree):
        if not names.free:
            problem = f"host.free() cannot stand in {names.place}"
            raise Misuse(at, problem, "ask it in `if`, `check`, `when`, `until` or `stays`")
    _check_hyphens(tree)


def _check_variable(name: str, at: int, names: Names) -> None:
    if name in names.allowed:
        return
    fix = names.hints.get(name) or f"known are: {names.listed()}"
    raise Misuse(at, f"`{name}` is not known in {names.place}", fix)


def _check_member(path: Path, at: int, names: Names) -> None:
    *above, name = path
    general = members_of(tuple(above))
    known = names.members.get(str(above[0]), general) if len(above) == 1 else general
    if known is None or name in known:
        return
    if path == ("host", FREE):
        raise Misuse(at, "host.free() is a function", f"write {_FREE_EXAMPLE}")
    shown = show(tuple(above))
    if general is not None and name in general:
        fix = names.hints.get(show(path)) or f"known are: {', '.join(sorted(known))}"
        raise Misuse(at, f"{show(path)} is not known in {names.place}", fix)
    near = closest(str(name), known)
    if path == ("event", "data"):
        fix = "write data, without the event before it"
    elif near is not None:
        fix = f"write {show((*above, near))}"
    else:
        fix = f"known are: {', '.join(sorted(known))}" if known else _NONE_KNOWN[shown]
    raise Misuse(at, f"{shown} has no member '{name}'", fix)


_NONE_KNOWN = {
    "vars": "add it to the policy's `vars`",
    "steps": "give an earlier step `save:` and this name",
    "params": "add it to the runbook's `params`",
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
