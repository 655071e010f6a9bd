"""Expressions of policies: compiled and checked once, evaluated for every event.

The language is CEL (docs/adr/0007-cel.md says which part of it). An evaluation
asks no clock and does no I/O; the same scope gives the same answer; it ends
after a bounded amount of work, whatever the guest put into the data.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from reactor.core.cel_access import Env, Evaluate, path_reader, show
from reactor.core.cel_closures import FREE_BYTES, MARKED, NOW, Translator
from reactor.core.cel_evaluate import METER
from reactor.core.cel_explain import explain
from reactor.core.cel_guards import Seen, seen, unguarded
from reactor.core.cel_kinds import ANYTHING, check_kind, declared, given, is_harmless, without_has
from reactor.core.cel_library import KEPT, Declared, Refused, compile_untyped, type_of
from reactor.core.cel_names import (
    ARM,
    ASK,
    CONDITION,
    HANDLERS,
    MESSAGE,
    MESSAGE_GUEST,
    PARAM_DEFAULT,
    RUNBOOK,
    SEQUEL,
    STATE,
    STEPS,
    TRIGGER,
    Literal,
    Names,
    Near,
    check_names,
    conjuncts,
    equality,
    frees,
    joined,
    reads,
)
from reactor.core.cel_operands import check_values
from reactor.core.cel_shapes import Member
from reactor.core.cel_tokens import name_start
from reactor.core.cel_tree import Misuse, Node, Path
from reactor.core.cel_values import EvaluationFailed, Meter, described, plain
from reactor.core.text import clip, render_json
from reactor.errors import ExpressionError

__all__ = [
    "ARM",
    "ASK",
    "CONDITION",
    "HANDLERS",
    "MESSAGE",
    "MESSAGE_GUEST",
    "PARAM_DEFAULT",
    "RUNBOOK",
    "SEQUEL",
    "SOURCE_MAX",
    "STATE",
    "STEPS",
    "TRIGGER",
    "Answer",
    "EvaluationFailed",
    "Expression",
    "Names",
    "Scope",
    "compile_expression",
]

SOURCE_MAX = 4096
"""Characters of the longest expression."""

Marked = Callable[[str, str, str | None], bool]
"""Whether a mark (kind, id, word or None for any word) is set on the guest or the host."""


class Scope:
    """The variables of expressions, made once for an event or a step and used for many.

    Args:
        values: the variables by name, as JSON knows values (dicts, lists, str,
            int, float, bool, None); QMP's with QEMU's own names. Times
            (``event.time``, ``event.received``, ``run.started``) are seconds
            since the epoch. They are not copied and must not change meanwhile.
        now: the time of the input at hand, seconds since the epoch.
        marked: answers ``marked(kind, id, as)``.
        free: the bytes that are free at each path that `host.free()` was asked about, or
            why they cannot be told.
    """

    __slots__ = ("env",)

    def __init__(
        self,
        values: Mapping[str, object],
        *,
        now: float | None = None,
        marked: Marked | None = None,
        free: Mapping[str, int | str] | None = None,
    ) -> None:
        self.env: Env = {**values, NOW: now, MARKED: marked, FREE_BYTES: free}


@dataclass(slots=True)
class Answer:
    """What a condition came to: ``failed`` means that it has no answer, and counts as false."""

    # Not frozen: one is made for every condition that is false, and a frozen
    # dataclass takes twice the time.

    truth: bool
    failed: bool = False
    _failure: str = ""
    _asked: "tuple[Expression, Scope] | None" = field(default=None, repr=False, compare=False)

    @property
    def values(self) -> dict[str, object]:
        """What the condition looked at, by path; long values are cut.

        Read it before the scope changes: nothing is gathered until then.
        """
        if self._asked is None:
            return {}
        expression, scope = self._asked
        return expression.values(scope)

    @property
    def reason(self) -> str:
        """Why it is not true, for the trace; empty when it is."""
        if self.truth or self._failure:
            return self._failure
        seen = [f"{path} is {render_json(value)}" for path, value in self.values.items()]
        if not seen and self._asked is not None and "marked(" in self._asked[0].source:
            return "the marks that are set say so"
        return ", ".join(seen) or "it is always false"


_YES = Answer(truth=True)
_NOT_THERE = "<absent>"


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression.

    ``reads`` are the paths that it looks at as far as they are written out
    (``guest.status``, ``data.action``, ``guest.labels["on-panic"]``,
    ``host.free("/var/crash")``). ``frees`` are the paths of files whose free room must
    be asked first. ``unguarded`` are the labels and QMP members that it reads as if they
    were always there. ``seen`` are those of QMP that it does not ask for before.
    ``gives`` is what it computes, as far as that is known before it is evaluated.
    ``equalities`` are the conditions ``data.a.b == literal`` that all must
    hold; ``residue`` is what must hold besides, None when nothing. ``tree`` is what it is
    made of, for who looks at it without a scope.
    """

    source: str
    tree: Node = field(repr=False)
    reads: frozenset[str]
    frees: tuple[str, ...]
    unguarded: tuple[str, ...]
    equalities: tuple[tuple[str, Literal], ...]
    _paths: tuple[Path, ...] = field(repr=False)
    _evaluate: Evaluate = field(repr=False)
    _metered: bool = field(repr=False)
    _residue: "Expression | None" = field(repr=False)
    gives: Member = ANYTHING
    seen: tuple[Seen, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., "Expression"], tuple[object, ...]]:
        # Closures cannot go to another process: there they are made of the tree again.
        names = (one.name for one in fields(self) if one.name != "_evaluate")
        return _again, ({name: getattr(self, name) for name in names},)

    @property
    def residue(self) -> "Expression | None":
        """What is left to ask when the equalities are known to hold."""
        return self._residue if self.equalities else self

    def needs(self, path: str) -> bool:
        """Whether its value may depend on this path, such as ``guest.status``."""
        return any(
            read == path or path.startswith(f"{read}.") or read.startswith((f"{path}.", f"{path}["))
            for read in self.reads
        )

    def value(self, scope: Scope) -> object:
        """The value as JSON knows it; a QMP value keeps QEMU's own names.

        Raises:
            EvaluationFailed: it has none here; ``reason`` is for the trace.
        """
        return plain(self._compute(scope))

    def holds(self, scope: Scope) -> Answer:
        """Whether it is true; a failure counts as false, and the answer says so."""
        try:
            value = self._compute(scope)
        except EvaluationFailed as failure:
            return Answer(truth=False, failed=True, _failure=failure.reason, _asked=(self, scope))
        if value is True:
            return _YES
        if value is False:
            return Answer(truth=False, _asked=(self, scope))
        reason = f"the condition is {described(value)}, not true or false"
        return Answer(truth=False, failed=True, _failure=reason, _asked=(self, scope))

    def values(self, scope: Scope) -> dict[str, object]:
        """What stands at the paths that it reads, long values cut."""
        seen = {show(path): _seen(path, scope) for path in self._paths}
        known = scope.env[FREE_BYTES] or {}
        return seen | {_free(path): known.get(path, _NOT_THERE) for path in self.frees}

    def _compute(self, scope: Scope) -> object:
        if self._metered:
            return self._evaluate({**scope.env, METER: Meter()})
        return self._evaluate(scope.env)


def _free(path: str) -> str:
    return f"host.free({render_json(path)})"


def _seen(path: Path, scope: Scope) -> object:
    try:
        value = path_reader(path)(scope.env)
    except EvaluationFailed:
        return _NOT_THERE
    try:
        return clip(plain(value))
    except EvaluationFailed as failure:
        return f"<{failure.reason}>"


def compile_expression(source: str, *, condition: bool, names: Names) -> Expression:
    """The expression, checked as far as it can be without an event.

    Args:
        condition: it must be true or false, as far as its type is known.
        names: what it may use at its place.

    Raises:
        ExpressionError: its author must act; the column counts from 1 in ``source``.
    """
    try:
        _check_source(source)
        return _compile(source, condition, Near(names, source))
    except Misuse as misuse:
        at = name_start(source, misuse.at)
        raise ExpressionError(source, at + 1, misuse.problem, misuse.fix) from None


@functools.lru_cache(maxsize=KEPT)
def _compile(source: str, condition: bool, near: Near) -> Expression:
    names = near.names
    tree, kind = _checked(source, condition, names)
    parts = [(part, equality(part)) for part in conjuncts(tree)]
    rest = joined([part for part, found in parts if found is None])
    equalities = tuple(found for _, found in parts if found is not None)
    residue = None if rest is None or not equalities else _expression(source, _made(rest))
    told = _Told(
        tuple(dict.fromkeys(unguarded(tree, names.shapes, names.facts, names.unset))),
        given(tree, names.shapes, kind),
        tuple(seen(tree, names.shapes, names.facts)),
    )
    return _expression(source, _whole(source), equalities, residue, told)


def _checked(source: str, condition: bool, names: Names) -> tuple[Node, str]:
    """The tree, and the name of the type of what it computes."""
    # The types of fixed members are not known where has() asks for one.
    masked, members = without_has(source), declared(source, names.shapes)
    try:
        # What is sound with the types of QEMU's own values is sound without them.
        kind = _sound_kind(masked, members, condition)
        plain_kind = kind or ("" if masked is None else type_of(masked))
        checked = compile_untyped(source)
    except Refused as refused:
        raise explain(source, str(refused), names) from None
    check_names(checked.tree, names)
    check_kind(plain_kind or checked.kind, condition=condition)
    check_values(checked.tree, names.shapes, condition=condition)
    if not kind and masked is not None and members:
        kind = _check_declared(source, masked, members, names)
    kind = kind or plain_kind or checked.kind
    check_kind(kind, condition=condition)
    return checked.tree, kind


def _sound_kind(masked: str | None, members: Declared, condition: bool) -> str:
    """The name of the type with all that is known; empty where anything is wrong with it."""
    if masked is None or not members:
        return ""
    try:
        kind = type_of(masked, members)
        check_kind(kind, condition=condition)
    except (Refused, Misuse):
        return ""
    return kind


def _check_declared(source: str, masked: str, members: Declared, names: Names) -> str:
    """The same, where the plain types are sound; empty where what is wrong can be computed."""
    try:
        return type_of(masked, members)
    except Refused as refused:
        if is_harmless(str(refused)):
            return ""
        raise explain(source, str(refused), names) from None


def _check_source(source: str) -> None:
    if not source.strip():
        raise Misuse(0, "the expression is empty", 'write one, such as data.action == "pause"')
    if len(source) > SOURCE_MAX:
        problem = f"the expression is longer than {SOURCE_MAX} characters"
        raise Misuse(SOURCE_MAX, problem, "split it: a part in `vars`, or a list of conditions")
    try:
        source.encode()
    except UnicodeEncodeError as error:
        problem = "the expression holds half of a surrogate pair"
        raise Misuse(error.start, problem, "write the character itself") from None


class _Made(NamedTuple):
    """What a tree comes to, whoever wrote it where."""

    tree: Node
    paths: tuple[Path, ...]
    frees: tuple[str, ...]
    evaluate: Evaluate
    metered: bool


@functools.lru_cache(maxsize=KEPT)
def _whole(source: str) -> _Made:
    """What a whole expression comes to; many policies ask for the same."""
    return _made(compile_untyped(source).tree)


def _made(tree: Node) -> _Made:
    translator = Translator()
    evaluate = translator.translate(tree)
    paths = tuple(dict.fromkeys(path for path, _ in reads(tree)))
    free = tuple(dict.fromkeys(path for path, _ in frees(tree)))
    return _Made(tree, paths, free, evaluate, translator.metered)


def _again(values: dict[str, Any]) -> Expression:
    return Expression(**values, _evaluate=Translator().translate(values["tree"]))


class _Told(NamedTuple):
    """What the known values tell of an expression."""

    risky: tuple[str, ...] = ()
    gives: Member = ANYTHING
    seen: tuple[Seen, ...] = ()


def _expression(
    source: str,
    made: _Made,
    equalities: tuple[tuple[str, Literal], ...] = (),
    residue: Expression | None = None,
    told: _Told = _Told(),  # noqa: B008 - it never changes
) -> Expression:
    return Expression(
        source=source,
        tree=made.tree,
        reads=frozenset((*map(show, made.paths), *map(_free, made.frees))),
        frees=made.frees,
        unguarded=told.risky,
        equalities=equalities,
        _paths=made.paths,
        _evaluate=made.evaluate,
        _metered=made.metered,
        _residue=residue,
        gives=told.gives,
        seen=told.seen,
    )
