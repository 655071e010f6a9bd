"""The members of a value as a list."""

import pytest

from reactor.qapi.members import Part, parts_of
from reactor.qapi.shipped import schema_of, versions
from tests.qapi.schemas import Told, array, either, enum, member, record, schema, union

CASES: list[tuple[str, list[Told], dict[str, Part]]] = [
    ("nothing", [record("x")], {}),
    (
        "plain members, in QEMU's order",
        [
            record(
                "x",
                member("name", "str"),
                member("any", "any", optional=True),
                member("id", "int", "deprecated"),
            )
        ],
        {
            "name": Part("string"),
            "any": Part("any", optional=True),
            "id": Part("int", deprecated=True),
        },
    ),
    (
        "an enum, and a list of them",
        [record("x", member("a", "e"), member("b", "[e]")), enum("e", "on", "off"), array("e")],
        {"a": Part("enum", ("on", "off")), "b": Part("list of enum", ("on", "off"))},
    ),
    (
        "an object in a list in an object",
        [
            record("x", member("nodes", "[y]"), member("node", "y")),
            array("y"),
            record("y", member("id", "int")),
        ],
        {
            "nodes": Part("list of object"),
            "nodes[].id": Part("int"),
            "node": Part("object"),
            "node.id": Part("int"),
        },
    ),
    (
        "a union: its branches by the tag",
        [
            union("x", "type", {"a": "y", "b": "0"}, member("type", "e")),
            enum("e", "a", "b", "c"),
            record("y", member("id", "int")),
        ],
        {"type": Part("enum", ("a", "b", "c")), "<type=a>.id": Part("int")},
    ),
    (
        "an alternate: what is in its map, and the texts of its enum",
        [
            record("x", member("file", "f")),
            either("f", "y", "str", "e"),
            record("y", member("id", "int")),
            enum("e", "auto"),
        ],
        {
            "file": Part("object or string or enum", ("auto",)),
            "file.<object>.id": Part("int"),
        },
    ),
    (
        "a type that holds itself",
        [record("x", member("next", "x", optional=True), member("all", "[x]")), array("x")],
        {
            "next": Part("object", optional=True, like=""),
            "all": Part("list of object"),
            "all[]": Part("object", like=""),
        },
    ),
]


@pytest.mark.parametrize(
    ("entities", "wanted"), [pytest.param(told, wanted, id=name) for name, told, wanted in CASES]
)
def test_members_are_listed_with_their_ways(entities: list[Told], wanted: dict[str, Part]) -> None:
    """Nested ones below what holds them."""
    found = parts_of(schema(entities), "x")
    assert found == wanted
    assert list(found) == list(wanted)


def test_a_list_may_name_each_type_once() -> None:
    """What stands somewhere else already is said to be like it; an empty object is not."""
    built = schema(
        [
            union("x", "t", {"p": "y", "q": "0", "r": "0"}, member("t", "e"), member("a", "y")),
            enum("e", "p", "q", "r"),
            record("y", member("id", "int")),
        ]
    )
    assert parts_of(built, "x", once=True) == {
        "t": Part("enum", ("p", "q", "r")),
        "a": Part("object"),
        "a.id": Part("int"),
        "<t=p>": Part("object", like="a"),
    }


@pytest.mark.parametrize("version", versions())
def test_every_command_and_event_of_the_shipped_schemas_can_be_listed(version: str) -> None:
    """Each in a bounded number of lines, those that hold themselves as well."""
    shipped = schema_of(version)
    lengths = [
        len(parts_of(shipped, name, once=True))
        for one in shipped.commands.values()
        for name in (one.arguments, one.reply)
    ]
    assert 100 < max(lengths) < 500
    data = [parts_of(shipped, one.data) for one in shipped.events.values()]
    assert 10 < max(map(len, data)) < 40
    assert all(part.like is None for parts in data for part in parts.values())
