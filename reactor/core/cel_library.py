"""The CEL library: parses and checks expressions, and computes what is not ours.

cel-expr-python 0.1.3 (Google's C++ runtime) judges every expression; the
evaluation itself is ours (``cel_closures``). Its runtime is only asked for
single functions of plain values, because, in this version, reading a null
lets go of Python's ``None`` once too often (Python 3.11 then aborts), a
function in Python leaks its values, a text ends at its first NUL character,
and deep or large values have no bound. docs/adr/0007-cel.md has the figures.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

from reactor.core.cel_shapes import Kind
from reactor.core.cel_tree import Node, parse_tree
from reactor.core.cel_values import EvaluationFailed, mismatch
from reactor.core.text import render_json

VARIABLES = (
    "event",
    "data",
    "trigger",
    "guest",
    "host",
    "run",
    "vars",
    "steps",
    "params",
    "message",
    "topic",
    "params",
)
"""The names that expressions know; which of them stand where is `Names`' business."""

_T = cel.Type
_LABELS = _T.Map(_T.STRING, _T.STRING)
_EVENT = {
    "name": _T.STRING,
    "time": _T.TIMESTAMP,
    "received": _T.TIMESTAMP,
    "guest": _T.STRING,
    "synthetic": _T.BOOL,
    "own": _T.BOOL,
}
_MEMBERS: dict[str, dict[str, cel.Type]] = {
    "event": _EVENT,
    "trigger": {"event": _T.DYN, "data": _T.DYN, "next": _T.DYN, "count": _T.INT, "index": _T.INT},
    "trigger.event": _EVENT,
    "trigger.next": {"event": _T.DYN, "data": _T.DYN},
    "trigger.next.event": _EVENT,
    "guest": {
        "name": _T.STRING,
        "uuid": _T.STRING,
        "host": _T.STRING,
        "kind": _T.STRING,
        "labels": _LABELS,
        "status": _T.STRING,
        "qemu_version": _T.STRING,
        "memory": _T.INT,
        "migrating": _T.BOOL,
        "marks": _T.DYN,
    },
    "host": {"name": _T.STRING, "labels": _LABELS},
    "run": {
        "id": _T.STRING,
        "policy": _T.STRING,
        "started": _T.TIMESTAMP,
        "attempt": _T.INT,
        "nth": _T.INT,
        "failed_step": _T.STRING,
        "error": _T.STRING,
        "outcome": _T.STRING,
    },
    "message": {
        "topic": _T.STRING,
        "payload": _T.STRING,
        "json": _T.DYN,
        "retain": _T.BOOL,
        "qos": _T.INT,
        "properties": _LABELS,
    },
}
MEMBERS: Mapping[str, frozenset[str]] = {
    path: frozenset(members) for path, members in _MEMBERS.items()
}
"""The members of variables that are the same for every event; data is not among them."""

_STEP_MEMBERS = frozenset({"result", "ok", "error"})


def members_of(path: tuple[str | int, ...]) -> frozenset[str] | None:
    """The names that may follow a path; None where anything may."""
    if len(path) == 2 and path[0] == "steps":
        return _STEP_MEMBERS
    return MEMBERS.get(".".join(map(str, path)))


def _overloads(name: str, result: cel.Type, *counts: int) -> cel.FunctionDecl:
    return cel.FunctionDecl(
        name, [cel.Overload(f"{name}_{count}", result, [_T.STRING] * count) for count in counts]
    )


def _environment(variables: Mapping[str, cel.Type]) -> cel.Env:
    functions = [
        _overloads("glob", _T.BOOL, 2),
        _overloads("slug", _T.STRING, 1),
        _overloads("marked", _T.BOOL, 2, 3),
        _overloads("now", _T.TIMESTAMP, 0),
        cel.FunctionDecl(
            "free", [cel.Overload("host_free", _T.INT, [_T.DYN, _T.DYN], is_member=True)]
        ),
    ]
    ours = cel.CelExtension("reactor", functions)
    return cel.NewEnv(variables=dict(variables), extensions=[ext_optional.ExtOptional(), ours])


@functools.cache
def untyped() -> cel.Env:
    """The library's environment in which every variable may be anything."""
    return _environment(dict.fromkeys(VARIABLES, _T.DYN))


Declared = tuple[tuple[str, Kind], ...]
"""Members of QEMU's values by their names with dots, and what they are."""

_ENVIRONMENTS_MAX = 256
KEPT = 4096
"""Expressions that are remembered: policies are read again and again, and many are alike."""

_OF_KIND = {
    Kind.FRACTION: _T.DOUBLE,
    Kind.LIST: _T.List(_T.DYN),
    Kind.TEXT: _T.STRING,
    Kind.TRUTH: _T.BOOL,
    Kind.WHOLE: _T.INT,
}


@functools.lru_cache(maxsize=_ENVIRONMENTS_MAX)
def _typed(declared: Declared) -> cel.Env:
    """Knows the types of fixed members: a variable may have a dotted name in CEL.

    ``has()`` of such a name does not mean what it says, so the tree always
    comes from the other environment.
    """
    members = {
        f"{path}.{name}": kind for path, names in _MEMBERS.items() for name, kind in names.items()
    }
    known = {name: kind for name, kind in members.items() if kind != _T.DYN}
    own = {name: _OF_KIND[kind] for name, kind in declared}
    variables = dict.fromkeys(VARIABLES, _T.DYN) | {"topic": _T.List(_T.STRING)}
    return _environment(variables | own | known)


class Refused(Exception):  # noqa: N818 - becomes an ExpressionError with a place and a fix
    """The library does not accept an expression; the text is its own."""


_ERRORS = (RuntimeError, ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression that the library accepted; ``kind`` is the name of its type."""

    tree: Node
    kind: str


@functools.lru_cache(maxsize=KEPT)
def compile_untyped(source: str) -> Checked:
    """The tree of the expression, with every variable's members of any type.

    Raises:
        Refused: the syntax is wrong, a name or function is unknown, types clash.
    """
    compiled = _compiled(untyped(), source)
    return Checked(parse_tree(compiled.serialize()), compiled.return_type().name())


@functools.lru_cache(maxsize=KEPT)
def type_of(source: str, declared: Declared = ()) -> str:
    """The name of the type that it computes, with the types of fixed members known.

    Raises:
        Refused: the types of fixed members, or of these declared ones, do not fit.
    """
    return _compiled(_typed(declared), source).return_type().name()


def _compiled(env: cel.Env, source: str) -> cel.Expression:
    try:
        return env.compile(source)
    except _ERRORS as error:
        raise Refused(str(error)) from None


GETTERS = frozenset(
    {
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
    }
)
_NEEDS = {
    "bool": "true or false",
    "double": "a fraction",
    "duration": "a duration (write 90s, 15m or 24h)",
    "int": "a whole number",
    "matches": "a regular expression",
    "string": "a text",
    "timestamp": "a time (write 2026-01-31T12:00:00Z)",
}
COMPUTED = GETTERS | _NEEDS.keys()
"""The functions that the library computes, one value or two in, one out."""

MATCHES_MAX = 8192
"""Characters that ``matches()`` looks at: its time is linear, but not its factor."""


def compute(function: str, *values: object) -> object:
    """What a function of ``COMPUTED`` gives for plain values.

    Raises:
        EvaluationFailed: the function cannot take these values.
    """
    if function == "matches":
        _check_matches(*values)
    bound: dict[str, object] = {}
    for place, value in enumerate(values):
        bound[_argument(value, place)] = _clean(value)
    program = _program(function, tuple(bound))
    found = None if program is None else program.eval(data=bound)
    if found is None or (found.type() == _T.ERROR and "overload" in str(found.value())):
        raise mismatch(f"{function}()", *values)
    if found.type() == _T.ERROR:
        raise EvaluationFailed(f"{_quoted(values[-1])} is not {_NEEDS[function]}")
    return found.value()


def _check_matches(value: object, pattern: object) -> None:
    if not isinstance(value, str) or not isinstance(pattern, str):
        raise mismatch("matches()", value, pattern)
    if len(value) > MATCHES_MAX:
        raise EvaluationFailed(f"matches() takes at most {MATCHES_MAX} characters")


def _argument(value: object, place: int) -> str:
    """The variable through which a value goes to the library; empty where it cannot go."""
    match value:
        case datetime():
            return "time"
        case timedelta():
            return "duration"
        case str() | int() | float():
            return f"value{place}"
        case _:
            return ""


def _clean(value: object) -> object:
    """A text without the two things that the library cannot read.

    It would end at a NUL character, and fail at half of a surrogate pair.
    """
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()


def _quoted(value: object) -> str:
    text = render_json(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 100 else text[:99] + "…"


@functools.cache
def _plain_values() -> cel.Env:
    variables = {"value0": _T.DYN, "value1": _T.DYN, "time": _T.TIMESTAMP, "duration": _T.DURATION}
    return cel.NewEnv(variables=variables)


@functools.cache
def _program(function: str, names: tuple[str, ...]) -> cel.Expression | None:
    """The library's program for one function; None where it has no such overload."""
    of_target = function in GETTERS or function == "matches"
    first, rest = ("", names) if not of_target else (f"{names[0]}.", names[1:])
    try:
        return _plain_values().compile(f"{first}{function}({', '.join(rest)})")
    except _ERRORS:
        return None
