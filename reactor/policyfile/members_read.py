"""Members of events and replies that expressions read, held against the schemas of targets."""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reactor.core.cel_guards import Seen
from reactor.core.cel_shapes import Kind, Shape
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.calls import Read
from reactor.policyfile.expressions import asked
from reactor.policyfile.qemu_shapes import shape_of_type
from reactor.qapi.types import Schema

_SHAPES_KEPT = 1024


def members_lacking(read: Read, targets: Sequence[tuple[str, Schema]]) -> Iterator[Problem]:
    """A problem where a target has not the member: an error where none of them has it.

    A target that has not the event or the command at all says so elsewhere.

    Args:
        targets: what sentences call each, and its schema.
    """
    lacking = [name for name, schema in targets if lacks_member(schema, read.seen)]
    if not lacking:
        return
    everywhere = len(lacking) == len(targets)
    whose = "" if everywhere else f"{' and '.join(lacking)}: "
    problem = f"{whose}{none_has(read.seen)}"
    fix = f"write {asked(read.seen.shown)}.orValue(...), or ask with has() first"
    severity = Severity.ERROR if everywhere else Severity.WARNING
    yield Problem(read.place, Code.CALL, problem, fix, severity, path=read.path)


def none_has(seen: Seen) -> str:
    """The sentence that says it."""
    if len(seen.events) > 1:
        return f"none of these events has the member `{seen.member}`"
    has_no = f"has no member `{seen.member}`"
    return f"the reply of {seen.command} {has_no}" if seen.command else f"{seen.events[0]} {has_no}"


def lacks_member(schema: Schema, seen: Seen) -> bool:
    """Whether no value that this QEMU sends there has the member."""
    shapes = list(_sent(schema, seen))
    return bool(shapes) and not any(_has(shape, seen.member) for shape in shapes)


def _sent(schema: Schema, seen: Seen) -> Iterator[Shape]:
    for event in seen.events:
        if event in schema.events:
            yield _shape(_Key(schema, schema.events[event].data))
    if seen.command in schema.commands:
        yield _shape(_Key(schema, schema.commands[seen.command].reply))


def _has(shape: Shape, member: str) -> bool:
    """Whether the member is there, or may be, below one of which nothing is known."""
    above = member
    while above and above not in shape.members:
        above = above.rpartition(".")[0]
    return above == member or (bool(above) and Kind.ANY in shape.members[above].kinds)


class _Key(NamedTuple):
    """A type of a schema; one schema is told from another by its identity."""

    schema: Schema
    type_name: str

    def __hash__(self) -> int:
        return hash((id(self.schema), self.type_name))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Key)
            and self.schema is other.schema
            and self.type_name == other.type_name
        )


@functools.lru_cache(maxsize=_SHAPES_KEPT)
def _shape(key: _Key) -> Shape:
    return shape_of_type(key.schema, key.type_name, "")
