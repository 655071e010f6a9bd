"""Values made from a schema: such that fit, and ways to damage them."""

from collections.abc import Iterator, Mapping

from hypothesis import strategies as st

from reactor.qapi.types import AnyOf, Choice, Json, ListOf, Plain, Record, Schema
from reactor.qapi.values import Value, Way

_PLAIN: Mapping[Json, st.SearchStrategy[Value]] = {
    Json.STRING: st.text("ab-", max_size=3),
    Json.INT: st.integers(-(1 << 63), (1 << 64) - 1),
    Json.NUMBER: st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers()),
    Json.BOOLEAN: st.booleans(),
    Json.NULL: st.none(),
    Json.OBJECT: st.just({}),
    Json.ARRAY: st.just([]),
    Json.VALUE: st.one_of(st.none(), st.booleans(), st.just({"a": [1]})),
}


@st.composite
def fitting(draw: st.DrawFn, schema: Schema, type_name: str, depth: int = 3) -> Value:
    """A value of the type of that name; below ``depth`` only what must be."""
    match schema.types[type_name]:
        case Plain(json):
            return draw(_PLAIN[json])
        case Choice(values):
            return draw(st.sampled_from(values))
        case ListOf(element):
            size = draw(st.integers(0, 2 if depth > 0 else 0))
            return [draw(fitting(schema, element, depth - 1)) for _ in range(size)]
        case AnyOf(branches):
            plain = [one for one in branches if not isinstance(schema.types[one], Record)]
            some = branches if depth > 0 or not plain else plain
            return draw(fitting(schema, draw(st.sampled_from(some)), depth - 1))
        case Record() as record:
            return draw(_filled(schema, record, depth))


@st.composite
def _filled(draw: st.DrawFn, schema: Schema, record: Record, depth: int) -> dict[str, Value]:
    made: dict[str, Value] = {}
    for name, member in record.members.items():
        if not member.optional or (depth > 0 and draw(st.integers(0, 3)) == 0):
            made[name] = draw(fitting(schema, member.type, depth - 1))
    branch = (record.variants or {}).get(str(made.get(record.tag or "")))
    if branch is not None:
        made |= draw(_filled(schema, schema.record(branch), depth))
    return made


def ways(value: Value, way: Way = ()) -> Iterator[Way]:
    """The ways to all parts of a value, the whole first."""
    yield way
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from ways(item, (*way, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from ways(item, (*way, place))


def at(value: Value, way: Way) -> Value:
    """The part at the end of the way."""
    for step in way:
        value = value[step]  # type: ignore[index]
    return value


def replaced(value: Value, way: Way, part: Value) -> Value:
    """The value with another part at the end of the way."""
    if not way:
        return part
    step, *rest = way
    below = replaced(at(value, (step,)), tuple(rest), part)
    if isinstance(value, Mapping):
        return {**value, str(step): below}
    items = list(value)  # type: ignore[arg-type]
    items[int(step)] = below
    return items
