"""Replies of commands as expressions see them."""

import pytest

from reactor.core.cel_shapes import Kind, Member
from reactor.policyfile.qemu_shapes import guest_shape, shape_of_reply, shape_of_type
from reactor.qapi.types import AnyOf, Choice, Json, ListOf, Plain, Record, Schema
from reactor.qapi.types import Member as Part

TEXT, WHOLE, MAP, LIST = (
    frozenset({kind}) for kind in (Kind.TEXT, Kind.WHOLE, Kind.MAP, Kind.LIST)
)

SMALL = Schema(
    "1",
    {
        "str": Plain(Json.STRING),
        "int": Plain(Json.INT),
        "word": Choice(("a", "b")),
        "either": AnyOf(("str", "inner", "words")),
        "words": ListOf("word"),
        "inner": Record({"size": Part("int")}),
        "tree": Record({"name": Part("str"), "below": Part("tree", optional=True)}),
        "top": Record({"either": Part("either"), "trees": Part("trees")}),
        "trees": ListOf("tree"),
    },
    {},
    {},
)


def test_a_member_that_is_one_of_several_types_and_one_that_holds_itself() -> None:
    """What is below one of the types may be absent; below itself anything may stand."""
    assert shape_of_type(SMALL, "top", "it").members == {
        "either": Member(TEXT | MAP | LIST),
        "either.size": Member(WHOLE, None, optional=True),
        "either.[]": Member(TEXT, frozenset({"a", "b"}), optional=True),
        "trees": Member(LIST),
        "trees.[]": Member(MAP),
        "trees.[].name": Member(TEXT),
        "trees.[].below": Member(frozenset({Kind.ANY}), None, optional=True),
    }


def test_a_value_that_is_a_list() -> None:
    """It stands at the empty path, its items below."""
    members = shape_of_type(SMALL, "words", "it").members
    assert members == {"": Member(LIST), "[]": Member(TEXT, frozenset({"a", "b"}))}


@pytest.mark.parametrize(
    ("command", "path", "optional"),
    [
        pytest.param("query-migrate", "ram", True, id="as the schema says"),
        pytest.param("query-migrate-parameters", "max_bandwidth", False, id="always sent"),
        pytest.param("query-status", "singlestep", True, id="gone in the newer one"),
        pytest.param("query-status", "status", False, id="in both"),
    ],
)
def test_what_a_reply_may_leave_out(command: str, path: str, optional: bool) -> None:
    """It is noted where it is read without a guard."""
    shape = shape_of_reply(command)
    assert shape is not None
    assert shape.members[path].optional is optional


def test_a_command_that_no_shipped_qemu_has() -> None:
    """Of its reply nothing is known."""
    assert shape_of_reply("query-frobs") is None


def test_the_status_of_a_guest() -> None:
    """All that QEMU knows, and what the engine says where there is none."""
    values = guest_shape().members["status"].values
    assert values is not None
    assert {"running", "guest-panicked", "disconnected", "none"} < values
