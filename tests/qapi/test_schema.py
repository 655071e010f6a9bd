"""What QEMU tells of itself, read as types."""

import msgspec
import pytest

from reactor.qapi.schema import convert_schema, decode_schema
from reactor.qapi.types import (
    AnyOf,
    Choice,
    Command,
    Event,
    Json,
    ListOf,
    Member,
    Plain,
    Record,
    Type,
)

TYPES: list[tuple[str, dict[str, object], Type]] = [
    ("builtin", {"meta-type": "builtin", "name": "t", "json-type": "int"}, Plain(Json.INT)),
    (
        "enum of 7.2, with both lists",
        {"meta-type": "enum", "name": "t", "values": ["a"], "members": [{"name": "a"}]},
        Choice(("a",)),
    ),
    (
        "enum whose value is deprecated",
        {
            "meta-type": "enum",
            "name": "t",
            "members": [{"name": "a"}, {"name": "b", "features": ["deprecated"]}],
        },
        Choice(("a", "b"), frozenset({"b"})),
    ),
    ("enum of 5.2", {"meta-type": "enum", "name": "t", "values": ["a", "b"]}, Choice(("a", "b"))),
    ("array", {"meta-type": "array", "name": "t", "element-type": "str"}, ListOf("str")),
    (
        "object",
        {
            "meta-type": "object",
            "name": "t",
            "members": [
                {"name": "must", "type": "str"},
                {"name": "may", "type": "int", "default": None, "features": ["deprecated"]},
            ],
        },
        Record({"must": Member("str"), "may": Member("int", optional=True, deprecated=True)}),
    ),
    (
        "union",
        {
            "meta-type": "object",
            "name": "t",
            "members": [{"name": "kind", "type": "1"}],
            "tag": "kind",
            "variants": [{"case": "a", "type": "2"}],
        },
        Record({"kind": Member("1")}, "kind", {"a": "2"}),
    ),
    (
        "alternate",
        {"meta-type": "alternate", "name": "t", "members": [{"type": "str"}, {"type": "null"}]},
        AnyOf(("str", "null")),
    ),
]


@pytest.mark.parametrize(
    ("entity", "wanted"), [pytest.param(entity, wanted, id=name) for name, entity, wanted in TYPES]
)
def test_every_kind_of_type_is_read(entity: dict[str, object], wanted: Type) -> None:
    """With what may be left out, and what is deprecated; from text and from a decoded reply."""
    assert convert_schema([entity], "7.2").types == {"t": wanted}
    assert decode_schema(msgspec.json.encode([entity]), "7.2").types == {"t": wanted}


def test_commands_and_events_are_read() -> None:
    """By name, with the types of their arguments, reply and data."""
    schema = convert_schema(
        [
            {"meta-type": "command", "name": "cont", "arg-type": "0", "ret-type": "0"},
            {
                "meta-type": "command",
                "name": "old",
                "arg-type": "1",
                "ret-type": "2",
                "allow-oob": True,
                "features": ["deprecated"],
            },
            {"meta-type": "event", "name": "STOP", "arg-type": "0"},
            {"meta-type": "event", "name": "OLD", "arg-type": "0", "features": ["deprecated"]},
            {"meta-type": "object", "name": "0", "members": []},
            {"meta-type": "array", "name": "1", "element-type": "0"},
        ],
        "7.2",
    )
    assert schema.commands == {
        "cont": Command("0", "0"),
        "old": Command("1", "2", oob=True, deprecated=True),
    }
    assert schema.events == {"STOP": Event("0"), "OLD": Event("0", deprecated=True)}
    assert schema.record(schema.events["STOP"].data) == Record({})
    with pytest.raises(TypeError, match=r"^the type 1 of QEMU 7\.2 is no record$"):
        schema.record("1")


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param({"name": "x"}, id="no list"),
        pytest.param([{"meta-type": "thing", "name": "x"}], id="of a kind that nobody knows"),
        pytest.param([{"meta-type": "event", "name": "X"}], id="an event without its type"),
    ],
)
def test_what_is_no_schema_is_refused(reply: object) -> None:
    """Whatever stands in its place."""
    with pytest.raises(msgspec.ValidationError):
        convert_schema(reply, "7.2")
