"""A checked expression as Python functions, each of the variables (``Env``).

0.2 to 0.7 us for a condition, where the library takes 4 to 7, and bounded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from reactor.core.cel_access import (
    Env,
    Evaluate,
    Shown,
    has,
    holds_qmp,
    index,
    optional,
    path_reader,
    select,
)
from reactor.core.cel_evaluate import (
    METER,
    Constant,
    Loop,
    appended,
    charged,
    choice,
    equality,
    fallback,
    listed,
    literal_equality,
    local,
    logic,
    mapped,
    membership,
    negation,
    not_strictly_false,
    strict,
)
from reactor.core.cel_functions import STRICT, is_in
from reactor.core.cel_library import COMPUTED, GETTERS, compute
from reactor.core.cel_names import FREE, frees
from reactor.core.cel_tree import (
    TYPE_NAMES,
    Call,
    Const,
    Entries,
    Fold,
    Ident,
    Items,
    Misuse,
    Node,
    Select,
    Unsupported,
    children,
    count,
    static_path,
)
from reactor.core.cel_values import EvaluationFailed, TypeName, mismatch, moment
from reactor.core.marks import MarkKind
from reactor.core.text import closest

NOW = "@now"
MARKED = "@marked"
FREE_BYTES = "@free"


@dataclass(frozen=True, slots=True)
class _Local:
    """A macro's variable: where its value stands, and whether QEMU's values come into it."""

    slot: str
    qmp: bool


_NODE_WORK = 5
_CALL_WORK = 400
_CHARGED = frozenset({"_+_", "contains", "endsWith", "glob", "slug", "startsWith"})


class Translator:
    """Turns one tree into functions; ``metered`` afterwards says that it needs a meter."""

    __slots__ = ("_depth", "_locals", "metered")

    def __init__(self) -> None:
        self.metered = False
        self._locals: dict[str, _Local] = {}
        self._depth = 0

    def translate(self, node: Node) -> Evaluate:
        """The function that computes the node.

        Raises:
            Misuse: policies do not have this part of CEL, or it can only fail.
        """
        match node:
            case Const() | Unsupported():
                return _literal(node)
            case Ident(_, name):
                return self._name(name)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case Items():
                return self._items(node)
            case Entries(_, entries):
                return mapped([(self.translate(k), self.translate(v), o) for k, v, o in entries])
            case Fold():
                return self._fold(node)

    def _name(self, name: str) -> Evaluate:
        variable = self._locals.get(name)
        if variable is not None:
            return local(variable.slot)
        return Constant(TypeName(name)) if name in TYPE_NAMES else path_reader((name,))

    def _select(self, node: Select) -> Evaluate:
        path = None if node.test else static_path(node, self._locals)
        if path is not None:
            return path_reader(path)
        look = has if node.test else select
        return self._looking(look, node.operand, Constant(node.field))

    def _looking(self, look: Callable[..., object], operand: Node, key: Evaluate) -> Evaluate:
        value, shown, qmp = self.translate(operand), self._shown(operand), self._qmp(operand)
        return lambda env: look(value(env), key(env), qmp=qmp, shown=shown)

    def _shown(self, node: Node) -> Shown:
        if isinstance(node, Ident):
            return node.name
        return static_path(node, self._locals, maybe=True) or "the value"

    def _qmp(self, node: Node) -> bool:
        """Whether the value may be QEMU's own, with hyphens in its names."""
        if isinstance(node, Ident) and node.name in self._locals:
            return self._locals[node.name].qmp
        path = static_path(node, self._locals)
        return any(map(self._qmp, children(node))) if path is None else holds_qmp(path)

    def _call(self, node: Call) -> Evaluate:
        special = _SPECIAL.get(node.function)
        if special is not None:
            return special(self, node)
        arguments = [self.translate(operand) for operand in node.operands]
        if node.function == "_+_" and _is_total(node.args[0]):
            return appended(*arguments)
        if node.function in COMPUTED:
            _check_computed(node, arguments)
            return self._strict(node, partial(compute, node.function), arguments, _CALL_WORK)
        function = STRICT.get(node.function)
        if function is None:
            raise Misuse(node.at, f"{node.function}() is not known in policies", "do without it")
        price = 0 if node.function in _CHARGED else None
        return self._strict(node, function, arguments, price)

    def _strict(
        self,
        node: Call,
        function: Callable[..., object],
        arguments: list[Evaluate],
        price: int | None,
    ) -> Evaluate:
        # value() of a constant stands in optMap(), where nobody may ever ask for it.
        constant = all(isinstance(argument, Constant) for argument in arguments)
        if constant and node.function != "value":
            return _computed_now(node, function, arguments)
        if self._depth and price is not None:
            return charged(function, arguments, price)
        return strict(function, arguments)

    def _items(self, node: Items) -> Evaluate:
        items = [self.translate(item) for item in node.items]
        if not node.optional and all(isinstance(item, Constant) for item in items):
            return Constant([item({}) for item in items])
        return listed([(item, place in node.optional) for place, item in enumerate(items)])

    def _fold(self, node: Fold) -> Evaluate:
        self.metered = True
        # A list that grows must be a new one for each evaluation.
        grows = isinstance(node.start, Items) and not node.start.items
        start: Evaluate = (lambda _env: []) if grows else self.translate(node.start)
        source = self.translate(node.source)
        qmp = self._qmp(node.source) or self._qmp(node.start)
        item = _Local(f"{node.item}#{self._depth}", qmp)
        total = _Local(f"{node.total}#{self._depth}", qmp)
        outer = self._locals
        self._depth += 1
        self._locals = {**outer, node.item: item, node.total: total}
        condition, step = self.translate(node.condition), self.translate(node.step)
        self._locals = {**outer, node.total: total}
        end = self.translate(node.end)
        self._locals = outer
        self._depth -= 1
        work = _NODE_WORK * (count(node.condition) + count(node.step))
        return Loop(source, item.slot, total.slot, start, condition, step, end, work)

    def logic(self, node: Call) -> Evaluate:
        """``&&`` and ``||``."""
        left, right = map(self.translate, node.args)
        return logic(node.function.strip("_"), left, right)

    def equality(self, node: Call) -> Evaluate:
        """``==`` and ``!=``."""
        left, right = map(self.translate, node.args)
        same = node.function == "_==_"
        if isinstance(left, Constant):
            left, right = right, left
        if isinstance(right, Constant):
            return literal_equality(left, right.value, same=same)
        self.metered = True
        return equality(left, right, same=same)

    def containment(self, node: Call) -> Evaluate:
        """``value in list``."""
        value, container = map(self.translate, node.args)
        if isinstance(container, Constant):
            return membership(value, container.value)
        self.metered = True
        return lambda env: is_in(value(env), container(env), env[METER])

    def lookup(self, node: Call) -> Evaluate:
        """``value[key]``."""
        path = static_path(node, self._locals)
        if path is not None:
            return path_reader(path)
        operand, key = node.args
        return self._looking(index, operand, self.translate(key))

    def optional_lookup(self, node: Call) -> Evaluate:
        """``value.?key``, ``value[?key]``."""
        operand, key = node.args
        return self._looking(optional, operand, self.translate(key))

    def simple(self, node: Call) -> Evaluate:
        """What has a builder of its own and needs no context."""
        return _BUILDERS[node.function](*map(self.translate, node.operands))

    def marked(self, node: Call) -> Evaluate:
        """``marked(kind, id[, as])``."""
        arguments = [self.translate(argument) for argument in node.args]
        kind = node.args[0]
        if isinstance(kind, Const) and kind.value not in set(MarkKind):
            known = ", ".join(MarkKind)
            near = closest(str(kind.value), MarkKind)
            fix = f'write "{near}"' if near else f"write one of {known}"
            raise Misuse(kind.at, f"a mark cannot be on a '{kind.value}'", fix)
        return lambda env: _marked(env, *(argument(env) for argument in arguments))

    def free(self, node: Call) -> Evaluate:
        """``host.free(path)``, of a path that is written out."""
        ((path, _),) = frees(node)
        return lambda env: _free(env, path)

    def now(self, _node: Call) -> Evaluate:
        """``now()``."""
        return lambda env: moment(env.get(NOW), "now()")


_BUILDERS: dict[str, Callable[..., Evaluate]] = {
    "!_": negation,
    "@not_strictly_false": not_strictly_false,
    "_?_:_": choice,
    "or": partial(fallback, unwrap=False),
    "orValue": partial(fallback, unwrap=True),
}

_SPECIAL: dict[str, Callable[[Translator, Call], Evaluate]] = {
    **dict.fromkeys(_BUILDERS, Translator.simple),
    "_&&_": Translator.logic,
    "_||_": Translator.logic,
    "_==_": Translator.equality,
    "_!=_": Translator.equality,
    "@in": Translator.containment,
    "_[_]": Translator.lookup,
    "_?._": Translator.optional_lookup,
    "_[?_]": Translator.optional_lookup,
    FREE: Translator.free,
    "marked": Translator.marked,
    "now": Translator.now,
}


def _literal(node: Const | Unsupported) -> Constant:
    if isinstance(node, Const):
        return Constant(node.value)
    raise Misuse(node.at, f"{node.what} is not known in policies", node.fix)


def _is_total(node: Node) -> bool:
    # No author can write this name.
    return isinstance(node, Ident) and node.name == "@result"


def _check_computed(node: Call, arguments: list[Evaluate]) -> None:
    if node.function in GETTERS and node.args:
        problem = "time zones are not known in policies: times are UTC"
        raise Misuse(node.at, problem, f"write {node.function}()")
    if node.function == "matches":
        pattern = arguments[-1]
        if not isinstance(pattern, Constant):
            problem = "the pattern of matches() must be written out"
            raise Misuse(node.at, problem, 'write it in quotes, such as r"^web-[0-9]+$"')
        _computed_now(node, partial(compute, "matches"), [Constant(""), pattern])


def _computed_now(
    node: Call, function: Callable[..., object], arguments: list[Evaluate]
) -> Constant:
    """What a function of constants gives: what can only fail, fails when it is loaded."""
    try:
        return Constant(function(*(argument({}) for argument in arguments)))
    except EvaluationFailed as failure:
        raise Misuse(node.at, failure.reason, "correct it: it would fail every time") from None


def _marked(env: Env, kind: object, mark_id: object, word: object = "") -> object:
    if not (isinstance(kind, str) and isinstance(mark_id, str) and isinstance(word, str)):
        raise mismatch("marked()", kind, mark_id, word)
    look_up = env.get(MARKED)
    if look_up is None:
        raise EvaluationFailed("marks are not known here")
    return bool(look_up(kind, mark_id, word or None))


def _free(env: Env, path: str) -> object:
    known = env.get(FREE_BYTES) or {}
    found = known.get(path, "host.free() was not asked")
    if isinstance(found, str):
        raise EvaluationFailed(found)
    return found
