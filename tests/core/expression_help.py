"""What the tests of expressions share: a scope, and short ways to compile and ask."""

import pytest

from reactor.core.expr import STEPS, Expression, Names, Scope, compile_expression
from reactor.errors import ExpressionError

NEW_YEAR = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""

EVENT = {
    "name": "QUORUM_REPORT_BAD",
    "time": NEW_YEAR,
    "received": NEW_YEAR + 0.25,
    "guest": "web-1",
    "synthetic": False,
    "own": False,
}
DATA = {
    "node-name": "drive0",
    "type": "read",
    "sectors-count": 8,
    "sector_num": 4096,
    "share": 1.5,
    "open": True,
    "nothing": None,
    "names": ["a", "b", "c"],
    "children": [{"node-name": "c0", "ok": True}, {"node-name": "c1", "ok": False}],
    "result": {"status": "completed", "bytes-written": 512},
}
GUEST = {
    "name": "web-1",
    "status": "running",
    "memory": 4 << 30,
    "migrating": False,
    "labels": {"tier": "prod", "on-panic": "keep"},
    "marks": [],
}
RUN = {"id": "r-7", "policy": "p", "started": NEW_YEAR + 60, "attempt": 1, "nth": 2}


def marked(kind: str, mark_id: str, word: str | None) -> bool:
    """Only drive0 is marked, as degraded."""
    return (kind, mark_id) == ("disk", "drive0") and word in {None, "degraded"}


def scope(**more: object) -> Scope:
    """A scope of a run's step, with these variables instead of its own."""
    values: dict[str, object] = {
        "event": EVENT,
        "data": DATA,
        "trigger": {"event": EVENT, "data": DATA, "count": 1, "index": 0},
        "guest": GUEST,
        "host": {"name": "h1", "labels": {}},
        "run": RUN,
        "vars": {"limit": 3},
        "steps": {"q": {"ok": True, "error": "", "result": {"job-id": "j0"}}},
    }
    return Scope({**values, **more}, now=NEW_YEAR + 100, marked=marked)


def compiled(source: str, names: Names = STEPS, *, condition: bool = False) -> Expression:
    """The expression, which must be right."""
    return compile_expression(source, condition=condition, names=names)


def value(source: str, **more: object) -> object:
    """What the expression gives in that scope."""
    return compiled(source).value(scope(**more))


def refused(source: str, names: Names = STEPS, *, condition: bool = False) -> tuple[int, str, str]:
    """Column, problem and fix of an expression that must be wrong."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source, condition=condition, names=names)
    return caught.value.column, caught.value.problem, caught.value.fix
