"""The members of an event or a command over all shipped versions of QEMU."""

from collections.abc import Callable, Iterator, Mapping

from reactor.app.catalogue.entry import Line
from reactor.qapi.members import Part, parts_of
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import Schema


def lines_of(type_in: Callable[[Schema], str | None], *, once: bool) -> tuple[Line, ...]:
    """The members as the newest version has them, then those that are gone.

    Args:
        type_in: the name of their type in a schema; None where that version has none.
        once: each type is listed once, as in ``parts_of``.
    """
    found = {
        version: parts_of(schema, name, once=once)
        for version in versions()
        for schema in (schema_of(version),)
        if (name := type_in(schema)) is not None
    }
    newest_first = [parts for _, parts in reversed(found.items())]
    ways = dict.fromkeys(way for parts in newest_first for way in parts)
    return tuple(_line(way, found) for way in ways)


def _line(way: str, found: Mapping[str, Mapping[str, Part]]) -> Line:
    having = {version: parts[way] for version, parts in found.items() if way in parts}
    newest = list(having.values())[-1]
    values = tuple(dict.fromkeys(value for part in having.values() for value in part.values))
    return Line(
        way=way,
        type=newest.type,
        values=values,
        optional=newest.optional,
        deprecated=newest.deprecated,
        like=newest.like,
        versions=tuple(having) if len(having) < len(found) else (),
        newer=dict(_newer(values, having)),
    )


def _newer(
    values: tuple[str, ...], having: Mapping[str, Part]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for value in values:
        knowing = tuple(version for version, part in having.items() if value in part.values)
        if len(knowing) < len(having):
            yield value, knowing
