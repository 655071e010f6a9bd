"""How expressions look into values: paths such as ``data.node_name``, members, items.

QEMU's names have hyphens, CEL's cannot: below ``data`` (and where else a QMP
value stands) a name with underscores finds the one with hyphens too.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from reactor.core.cel_tree import Path
from reactor.core.cel_values import (
    ABSENT,
    EMPTY,
    EvaluationFailed,
    Maybe,
    described,
    find,
    mismatch,
    moment,
)

Env = dict[str, Any]
"""The variables of one evaluation, the variables of its macros among them."""

Evaluate = Callable[[Env], object]

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)

_EVENT_TIMES = ("time", "received")
TIMES: frozenset[Path] = frozenset(
    {("run", "started")}
    | {
        (*event, name)
        for event in (("event",), ("trigger", "event"), ("trigger", "next", "event"))
        for name in _EVENT_TIMES
    }
)
"""Members that are times; their values are seconds since the epoch."""

_ABOVE_TIMES = frozenset(path[:end] for path in TIMES for end in range(1, len(path)))


def show(path: Path) -> str:
    """The path as its author writes it."""
    text = str(path[0])
    for part in path[1:]:
        if isinstance(part, str) and _IDENTIFIER.fullmatch(part):
            text += f".{part}"
        else:
            text += f"[{part}]" if isinstance(part, int) else f'["{part}"]'
    return text


def qmp_depth(path: Path) -> int:
    """How many parts of the path lead to QEMU's own value; the rest are QMP names."""
    match path:
        case ("data", *_):
            return 1
        case ("trigger", "next", "data", *_) | ("steps", _, "result", *_):
            return 3
        case ("trigger", "data", *_):
            return 2
        case _:
            return len(path)


def holds_qmp(path: Path) -> bool:
    """Whether a QMP value stands at or below the path."""
    return qmp_depth(path) < len(path) or path[0] in {"data", "trigger", "steps"}


def path_reader(path: Path) -> Evaluate:
    """The function that reads the path; times are times, also inside a whole event."""
    read = _quick(path)
    shown = show(path)
    if path in TIMES:
        return lambda env: moment(read(env), shown)
    if path in _ABOVE_TIMES:
        return lambda env: _with_times(read(env), path)
    return read


def _quick(path: Path) -> Evaluate:
    """Plain look-ups for what is as expected, the careful walk for everything else."""
    root, *parts = path
    names = [part for part in parts if isinstance(part, str)]
    if len(names) < len(parts):
        return lambda env: _walk(env, path)
    depth = qmp_depth(path)
    steps = [
        (name, name.replace("_", "-") if place >= depth and "_" in name else None)
        for place, name in enumerate(names, 1)
    ]

    def quick(env: Env) -> object:
        value = env.get(str(root), ABSENT)
        for name, hyphened in steps:
            if type(value) is not dict:
                return _walk(env, path)
            found = value.get(name, ABSENT)
            if found is ABSENT and hyphened is not None:
                found = value.get(hyphened, ABSENT)
            value = found
        return _walk(env, path) if value is ABSENT else value

    return quick


def _walk(env: Env, path: Path) -> object:
    value = env.get(str(path[0]), ABSENT)
    if value is ABSENT:
        raise EvaluationFailed(f"`{path[0]}` is not known here")
    depth = qmp_depth(path)
    for place, part in enumerate(path[1:], 1):
        value = index(value, part, qmp=place >= depth, shown=path[:place])
    return value


def _with_times(value: object, path: Path) -> object:
    if not isinstance(value, Mapping):
        return value
    return {
        key: moment(item, show((*path, key)))
        if (*path, key) in TIMES
        else _with_times(item, (*path, key))
        for key, item in value.items()
    }


Shown = str | Path
"""How a failure names a value: words, or the path that its author wrote."""


def _name(shown: Shown) -> str:
    return shown if isinstance(shown, str) else show(shown)


def _lacks(shown: Shown, key: object) -> EvaluationFailed:
    return EvaluationFailed(f"{_name(shown)} has no member '{key}'")


def _unwrap(
    look: Callable[..., object], value: Maybe, key: object, *, qmp: bool, shown: Shown
) -> Maybe:
    """What a member of an optional is: an optional again."""
    if not value.there:
        return EMPTY
    found = look(value.value, key, qmp=qmp, shown=shown)
    return found if isinstance(found, Maybe) else Maybe(found)


def select(value: object, name: str, *, qmp: bool, shown: Shown) -> object:
    """``value.name``."""
    if isinstance(value, Mapping):
        found = find(value, name, qmp=qmp)
        if found is ABSENT:
            raise _lacks(shown, name)
        return found
    if isinstance(value, Maybe):
        return _unwrap(optional, value, name, qmp=qmp, shown=shown)
    raise EvaluationFailed(f"{_name(shown)} is {described(value)}, it has no member '{name}'")


def has(value: object, name: str, *, qmp: bool, shown: Shown) -> bool:
    """``has(value.name)``."""
    if isinstance(value, Maybe):
        return value.there and has(value.value, name, qmp=qmp, shown=shown)
    if isinstance(value, Mapping):
        return find(value, name, qmp=qmp) is not ABSENT
    raise EvaluationFailed(f"{_name(shown)} is {described(value)}, it has no members")


def index(value: object, key: object, *, qmp: bool, shown: Shown) -> object:
    """``value[key]``; ``value.name`` where the name is written out."""
    match value:
        case list() | tuple():
            place = _place(key, shown)
            if 0 <= place < len(value):
                return value[place]
            raise EvaluationFailed(
                f"{_name(shown)} has no item {place}: it has {len(value)}, counted from 0"
            )
        case Maybe():
            return _unwrap(optional, value, key, qmp=qmp, shown=shown)
        case Mapping() if not isinstance(key, str):
            found = find(value, key, qmp=False)
            if found is ABSENT:
                raise _lacks(shown, key)
            return found
        case _ if isinstance(key, str):
            return select(value, key, qmp=qmp, shown=shown)
        case _:
            raise mismatch("[]", value, key)


def _place(key: object, shown: Shown) -> int:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    if isinstance(key, float) and key.is_integer():
        return int(key)
    raise EvaluationFailed(f"{_name(shown)} is a list: its items have whole numbers")


def optional(value: object, key: object, *, qmp: bool, shown: Shown) -> Maybe:
    """``value.?key`` and ``value[?key]``: an empty optional where nothing is."""
    match value:
        case Maybe():
            return _unwrap(optional, value, key, qmp=qmp, shown=shown)
        case Mapping():
            found = find(value, key, qmp=qmp)
            return EMPTY if found is ABSENT else Maybe(found)
        case list() | tuple() if not isinstance(key, float):
            place = _place(key, shown)
            return Maybe(value[place]) if 0 <= place < len(value) else EMPTY
        case _:
            raise EvaluationFailed(f"{_name(shown)} is {described(value)}, it has no members")
