"""Whether a value fits a type of QAPI, as QEMU itself reads it."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import (
    AnyOf,
    Choice,
    Command,
    Json,
    ListOf,
    Member,
    Plain,
    Record,
    Schema,
)
from reactor.qapi.values import (
    Fit,
    Hole,
    Misfit,
    Old,
    Value,
    Way,
    Wrong,
    fit_call,
    fit_event,
    fit_value,
    kinds_of,
)
from tests.qapi.making import at, fitting, replaced, ways

OLD, NEW = schema_of("7.2"), schema_of("11.1")
UNKNOWN, MISSING, VALUE = Wrong.UNKNOWN, Wrong.MISSING, Wrong.VALUE

TEXT = Hole(frozenset({Json.STRING}))
WHOLE = Hole(frozenset({Json.INT}))
TRUTH = Hole(frozenset({Json.BOOLEAN}))
TEXT_OR_NULL = Hole(frozenset({Json.STRING, Json.NULL}))
INT_RANGE = "write a whole number from -9223372036854775808 to 18446744073709551615"
NULL_FIX = "write the value, or take `{}` out: null is not the same as left out"


@dataclass(frozen=True)
class Row:
    """A call, and what QEMU 7.2 would refuse of it: the ways, and the first in full."""

    command: str
    arguments: Value
    ways: tuple[tuple[Way, Wrong], ...] = ()
    problem: str = ""
    fix: str = ""


def resized(size: Value) -> Value:
    """Arguments of block_resize."""
    return {"node-name": "x", "size": size}


def wrong(way: Way) -> tuple[tuple[Way, Wrong], ...]:
    """A value that does not fit."""
    return ((way, VALUE),)


SIZE = wrong(("size",))

ROWS = {
    # Tried one by one on QEMU 7.2.22.
    "whole number": Row("block_resize", resized(1)),
    "negative": Row("block_resize", resized(-1)),
    "least": Row("block_resize", resized(-(1 << 63))),
    "below the least": Row(
        "block_resize", resized(-(1 << 63) - 1), SIZE, "`size` is out of range", INT_RANGE
    ),
    "most": Row("block-set-write-threshold", {"node-name": "x", "write-threshold": 2**64 - 1}),
    "above the most": Row("block_resize", resized(1 << 64), SIZE, "`size` is out of range"),
    "1.0 is no whole number": Row(
        "block_resize",
        resized(1.0),
        SIZE,
        "`size` is a whole number, and this is a fraction",
        "write 1",
    ),
    "1.5": Row("block_resize", resized(1.5), SIZE, "", "write a whole number"),
    "infinite": Row("block_resize", resized(math.inf), SIZE, "", "write a whole number"),
    "number in quotes": Row(
        "block_resize",
        resized("-12"),
        SIZE,
        "`size` is a whole number, and this is a text",
        "write it without quotes: -12",
    ),
    "size": Row("block_resize", resized("512MiB"), SIZE, "", "QEMU takes bytes: write 536870912"),
    "any text": Row("block_resize", resized("big"), SIZE, "", "write a whole number"),
    "digits of others": Row("block_resize", resized("\u0663"), SIZE, "", "write a whole number"),
    "true for an int": Row(
        "block_resize",
        {"node-name": "x", "size": True},
        SIZE,
        "`size` is a whole number, and this is true or false",
        "write a whole number",
    ),
    "null is not left out": Row(
        "block_resize",
        {"node-name": None, "size": 1},
        wrong(("node-name",)),
        "`node-name` is a text, and this is null",
        NULL_FIX.format("node-name"),
    ),
    "list for an int": Row(
        "block_resize",
        resized([]),
        SIZE,
        "`size` is a whole number, and this is a list",
        "write a whole number",
    ),
    "int for a text": Row(
        "job-pause",
        {"id": 7},
        wrong(("id",)),
        "`id` is a text, and this is a whole number",
        "put it in quotes: '7'",
    ),
    "no number for a text": Row(
        "job-pause", {"id": math.nan}, wrong(("id",)), "", "put it in quotes"
    ),
    "map for a text": Row("job-pause", {"id": {}}, wrong(("id",)), "", "put it in quotes"),
    "text for a truth": Row(
        "set_link",
        {"name": "n", "up": "on"},
        wrong(("up",)),
        "`up` is true or false, and this is a text",
        "write true",
    ),
    "other text for a truth": Row(
        "set_link", {"name": "n", "up": "x"}, wrong(("up",)), "", "write true or false"
    ),
    "int for a truth": Row(
        "set_link", {"name": "n", "up": 1}, wrong(("up",)), "", "write true or false"
    ),
    "missing": Row(
        "block_resize",
        {"node-name": "x"},
        (((), MISSING),),
        "`block_resize` needs `size`",
        "add `size: ...`",
    ),
    "unknown": Row(
        "block_resize",
        {**dict.fromkeys(["frob"], 1), "size": 1},
        ((("frob",), UNKNOWN),),
        "`block_resize` has no argument `frob`",
        "write one of: device, node-name, size",
    ),
    "a misspelt one is not missing, too": Row(
        "block_resize", {"sizee": 1}, ((("sizee",), UNKNOWN),), "", "did you mean `size`?"
    ),
    "underscores": Row(
        "block_resize",
        {"node_name": "x", "size": 1},
        ((("node_name",), UNKNOWN),),
        "",
        "did you mean `node-name`?",
    ),
    "none at all": Row(
        "query-status",
        {"x": 1},
        ((("x",), UNKNOWN),),
        "`query-status` takes no arguments",
        "take `x` out",
    ),
    "a value of an enum": Row("set-action", {"panic": "pause"}),
    "no value of an enum": Row(
        "set-action",
        {"panic": "pasue"},
        wrong(("panic",)),
        "`panic` cannot be `pasue`",
        "did you mean `pause`?",
    ),
    "far from all few": Row(
        "set-action",
        {"shutdown": "xyz"},
        wrong(("shutdown",)),
        "`shutdown` cannot be `xyz`",
        "write one of: poweroff, pause",
    ),
    "far from all many": Row("query-command-line-options", {"option": "xyz"}),
    "key that nobody has": Row(
        "send-key",
        {"keys": [{"type": "qcode", "data": "!"}]},
        wrong(("keys", 0, "data")),
        "`keys[0].data` cannot be `!`",
        "look it up with `reactor docs`",
    ),
    "item of a list": Row(
        "block-latency-histogram-set",
        {"id": "x", "boundaries": [1, 2.0]},
        wrong(("boundaries", 1)),
        "`boundaries[1]` is a whole number, and this is a fraction",
        "write 2",
    ),
    "empty list": Row("transaction", {"actions": []}),
    "map for a list": Row(
        "transaction",
        {"actions": {}},
        wrong(("actions",)),
        "`actions` is a list, and this is a map",
        "write it as a list: [...]",
    ),
    "text for a map": Row(
        "nbd-server-start",
        {"addr": "here"},
        wrong(("addr",)),
        "`addr` is a map, and this is a text",
        "write it as `key: value`",
    ),
    "deep inside": Row(
        "nbd-server-start",
        {"addr": {"type": "inet", "data": {"host": "x"}}},
        ((("addr", "data"), MISSING),),
        "`addr.data` needs `port`",
        "add `port: ...`",
    ),
    "member of a union": Row("query-stats", {"target": "vcpu", "vcpus": ["a"]}),
    "member of another branch": Row(
        "query-stats",
        {"target": "vm", "vcpus": ["a"]},
        ((("vcpus",), UNKNOWN),),
        "`query-stats` has no argument `vcpus` where `target` is `vm`",
        "write one of: target, providers",
    ),
    "missing in this branch": Row(
        "netdev_add",
        {"type": "hubport", "id": "a"},
        (((), MISSING),),
        "`netdev_add` needs `hubid` where `type` is `hubport`",
        "add `hubid: ...`",
    ),
    "missing in every branch": Row(
        "netdev_add",
        {"type": "user"},
        (((), MISSING),),
        "`netdev_add` needs `id`",
        "add `id: ...`",
    ),
    "unknown tag, known member of some branch": Row(
        "netdev_add",
        {"type": "usr", "id": "a", "hubid": 1},
        wrong(("type",)),
        "`type` cannot be `usr`",
        "did you mean `user`?",
    ),
    "no tag, member of no branch": Row(
        "netdev_add",
        {"id": "a", "frobnicate": 1},
        ((("frobnicate",), UNKNOWN), ((), MISSING)),
        "`netdev_add` has no argument `frobnicate`",
        "look it up with `reactor docs`",
    ),
    "tag of another kind": Row(
        "query-stats",
        {"target": 5},
        wrong(("target",)),
        "`target` is a text, and this is a whole number",
        "put it in quotes: '5'",
    ),
    "tag that is a hole": Row("query-stats", {"target": TEXT, "vcpus": ["a"]}),
    "tag that is a hole, and a member of no kind that it can have": Row(
        "query-stats",
        {"target": TEXT, "vcpus": 5},
        wrong(("vcpus",)),
        "`vcpus` is a list, and this is a whole number",
        "write it as a list: [...]",
    ),
    "tag that is one of two": Row(
        "query-stats",
        {"target": Hole(TEXT.kinds, frozenset({"vm", "none of them"})), "vcpus": ["a"]},
        ((("vcpus",), UNKNOWN),),
    ),
    "a member that branches read in their own ways": Row(
        "object-add", {"qom-type": TEXT, "id": "a", "size": 5}
    ),
    "alternate: text": Row("blockdev-add", {"driver": "raw", "file": "node"}),
    "alternate: map": Row("blockdev-add", {"driver": "raw", "file": {"driver": "null-co"}}),
    "alternate: neither": Row(
        "blockdev-add",
        {"driver": "raw", "file": 5},
        wrong(("file",)),
        "`file` is a text or a map, and this is a whole number",
        "put it in quotes: '5'",
    ),
    "alternate: wrong inside": Row(
        "blockdev-add",
        {"driver": "raw", "file": {"driver": "null-co", "size": "1"}},
        wrong(("file", "size")),
    ),
    "alternate: null is one": Row(
        "blockdev-add", {"driver": "qcow2", "file": "n", "backing": None}
    ),
    "alternate: null is none": Row(
        "blockdev-add", {"driver": "raw", "file": None}, wrong(("file",))
    ),
    "alternate: of an enum": Row(
        "blockdev-add",
        {"driver": "qcow2", "file": "n", "overlap-check": "nope"},
        wrong(("overlap-check",)),
    ),
    "alternate: a hole that may be either": Row("blockdev-add", {"driver": "raw", "file": Hole()}),
    "alternate: a hole of one kind": Row(
        "blockdev-add",
        {
            "driver": "qcow2",
            "file": "n",
            "overlap-check": Hole(TEXT.kinds, frozenset({"y"})),
        },
        wrong(("overlap-check",)),
    ),
    "alternate: a hole of two kinds": Row(
        "blockdev-add", {"driver": "qcow2", "file": "n", "backing": TEXT_OR_NULL}
    ),
    "any value": Row("qom-set", {"path": "p", "property": "q", "value": None}),
    "any value is one all the same": Row(
        "qom-set", {"path": "p", "property": "q"}, (((), MISSING),)
    ),
    "device_add takes what the device takes": Row(
        "device_add", {"driver": "nvme", "serial": "x", "addr": {}}
    ),
    "device_add needs its driver": Row("device_add", {"id": "x"}, (((), MISSING),)),
    "a hole of any kind": Row("block_resize", resized(Hole())),
    "a hole of the right kind": Row("block_resize", resized(WHOLE)),
    "a hole of another kind": Row(
        "block_resize",
        resized(TEXT),
        SIZE,
        "`size` is a whole number, and this gives a text",
        "convert it: a template that is nothing but ${int(...)} keeps its type",
    ),
    "a whole number for a text": Row(
        "job-pause",
        {"id": WHOLE},
        wrong(("id",)),
        "`id` is a text, and this gives a whole number",
        "convert it: a template that is nothing but ${string(...)} keeps its type",
    ),
    "a list for a text": Row(
        "job-pause",
        {"id": Hole(frozenset({Json.ARRAY}))},
        wrong(("id",)),
        "`id` is a text, and this gives a list",
        "let the template give a text",
    ),
    "a text for a map": Row(
        "nbd-server-start",
        {"addr": TEXT},
        wrong(("addr",)),
        "`addr` is a map, and this gives a text",
        "let the template give a map",
    ),
    "a map that is a hole": Row("nbd-server-start", {"addr": Hole(frozenset({Json.OBJECT}))}),
    "a list that is a hole": Row("transaction", {"actions": Hole(frozenset({Json.ARRAY}))}),
    "a hole of two kinds, one of them right": Row("job-pause", {"id": TEXT_OR_NULL}),
    "texts of which one is right": Row(
        "set-action", {"panic": Hole(TEXT.kinds, frozenset({"pause", "x"}))}
    ),
    "texts of which none is right": Row(
        "set-action",
        {"panic": Hole(TEXT.kinds, frozenset({"pose", "pasue"}))},
        wrong(("panic",)),
        "`panic` cannot be what this gives (`pasue`, `pose`)",
        "did you mean `pause`?",
    ),
    "all arguments are a hole": Row("block_resize", Hole(frozenset({Json.OBJECT}))),
    "several": Row(
        "dump-guest-memory",
        {"paging": TRUTH, "protocol": 5, "format": "elff", "frob": 1},
        (
            (("protocol",), VALUE),
            (("format",), VALUE),
            (("frob",), UNKNOWN),
        ),
    ),
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items()])
def test_what_qemu_would_refuse_is_found_with_its_place_and_its_fix(row: Row) -> None:
    """And nothing else is."""
    misfits = fit_call(OLD, row.command, row.arguments).misfits
    assert tuple((one.way, one.wrong) for one in misfits) == row.ways
    if row.problem:
        assert misfits[0].problem == row.problem
    if row.fix:
        assert misfits[0].fix == row.fix


SMALL = Schema(
    "1",
    {
        "str": Plain(Json.STRING),
        "number": Plain(Json.NUMBER),
        "map": Plain(Json.OBJECT),
        "word": Choice(("new", "old"), frozenset({"old"})),
        "words": ListOf("word"),
        "two": Choice(("a", "b")),
        "way": AnyOf(("number", "word")),
        "none": Record({}),
        "open": Record({"kind": Member("str"), "word": Member("str")}, "kind", {"a": "none"}),
        "inner": Record({"way": Member("two")}, "way", {"a": "deep"}),
        "deep": Record({"size": Member("number")}),
        "nested": Record({"kind": Member("two")}, "kind", {"a": "inner"}),
        "ways": Record({"kind": Member("two")}, "kind", {"a": "left", "b": "right"}),
        "left": Record({"x": Member("words", deprecated=True)}),
        "right": Record({"x": Member("word")}),
        "top": Record({"word": Member("word", optional=True, deprecated=True)}),
    },
    {"go": Command("top", "none")},
    {},
)

MORE: list[tuple[str, str, Value, Fit]] = [
    ("a number may be whole", "number", 1 << 70, Fit()),
    ("a number may be a fraction", "number", 0.5, Fit()),
    (
        "a number is finite",
        "number",
        math.inf,
        Fit((Misfit((), VALUE, "`it` is a number, and JSON has no inf", "write a number"),)),
    ),
    (
        "numbers and words",
        "way",
        True,
        Fit(
            (
                Misfit(
                    (),
                    VALUE,
                    "`it` is a number or a text, and this is true or false",
                    "put it in quotes: 'true'",
                ),
            )
        ),
    ),
    ("an old word", "word", "old", Fit((), (Old((), "`old` of `it`"),))),
    (
        "words of which one is old",
        "words",
        ["new", "old"],
        Fit((), (Old((1,), "`old` of `it[1]`"),)),
    ),
    ("a map of any kind", "map", {"x": 1}, Fit()),
    ("a tag that is any text", "open", {"kind": "z", "word": "x"}, Fit()),
    ("a branch of a branch", "nested", {"kind": "a", "way": "a", "size": 1}, Fit()),
    ("the other branch of a branch", "nested", {"kind": "a", "way": "b"}, Fit()),
    ("no branch", "nested", {"kind": "b"}, Fit()),
    ("a branch that may need more, and may not", "nested", {"kind": Hole()}, Fit()),
    (
        "missing in the branch of a branch",
        "nested",
        {"kind": "a", "way": "a"},
        Fit((Misfit((), MISSING, "`it` needs `size` where `way` is `a`", "add `size: ...`"),)),
    ),
    (
        "the member is old in the branch that fits",
        "ways",
        {"kind": Hole(), "x": ["old"]},
        Fit((), (Old(("x",), "`x`"), Old(("x", 0), "`old` of `x[0]`"))),
    ),
    ("the member is not old in the other", "ways", {"kind": Hole(), "x": "new"}, Fit()),
]


@pytest.mark.parametrize(
    ("type_name", "value", "fit"), [pytest.param(*row, id=name) for name, *row in MORE]
)
def test_a_value_is_held_against_a_type(type_name: str, value: Value, fit: Fit) -> None:
    """What no command of QEMU 7.2 shows."""
    assert fit_value(SMALL, type_name, value, "it") == fit


@pytest.mark.parametrize(
    ("data", "ways"),
    [
        pytest.param({"action": "pause"}, [], id="as it is sent"),
        pytest.param({"action": "x", "y": 1}, [("data", "action"), ("data", "y")], id="not so"),
        pytest.param([], [("data",)], id="no map"),
        pytest.param({"action": Hole()}, [], id="not known yet"),
    ],
)
def test_the_data_of_an_event_is_held_against_it(data: Value, ways: list[Way]) -> None:
    """Each way leads there from the entry that has the data."""
    assert [one.way for one in fit_event(OLD, "GUEST_PANICKED", data).misfits] == ways


def test_what_qemu_will_drop_fits_and_is_told() -> None:
    """An argument, and a word."""
    old = (Old(("word",), "`word`"), Old(("word",), "`old` of `word`"))
    assert fit_call(SMALL, "go", {"word": "old"}) == Fit((), old)


def test_what_is_no_command_has_no_arguments() -> None:
    """The caller asks for commands first."""
    with pytest.raises(KeyError):
        fit_call(OLD, "frobnicate", {})


CALLS = [(schema_of(one), name) for one in versions() for name in schema_of(one).commands]


@st.composite
def calls(draw: st.DrawFn) -> tuple[Schema, str, Value]:
    """A command of a shipped schema with arguments that fit."""
    schema, command = draw(st.sampled_from(CALLS))
    return schema, command, draw(fitting(schema, schema.commands[command].arguments))


@given(calls())
def test_a_value_made_from_the_schema_fits(call: tuple[Schema, str, Value]) -> None:
    """Whatever the command, in every shipped version."""
    assert fit_call(*call).misfits == ()


@given(calls(), st.data())
def test_with_an_unknown_key_it_does_not(
    call: tuple[Schema, str, Value], data: st.DataObject
) -> None:
    """At whatever depth, unless anything may stand there."""
    schema, command, value = call
    maps = [way for way in ways(value) if isinstance(at(value, way), dict)]
    way = data.draw(st.sampled_from(maps))
    key = "no such key"
    damaged = replaced(value, way, {**at(value, way), key: 1})  # type: ignore[dict-item]
    misfits = fit_call(schema, command, damaged).misfits
    if misfits or command != "device_add":
        is_any = at(value, way) == {"a": [1]}
        assert [one.way for one in misfits] == ([] if is_any else [(*way, key)])


@given(calls(), st.data())
def test_a_hole_in_the_place_of_any_part_fits(
    call: tuple[Schema, str, Value], data: st.DataObject
) -> None:
    """If it may be anything, and if it is of the kind of the part."""
    schema, command, value = call
    way = data.draw(st.sampled_from(list(ways(value))))
    hole = data.draw(st.sampled_from([Hole(), Hole(kinds_of(at(value, way)))]))
    assert fit_call(schema, command, replaced(value, way, hole)).misfits == ()


@given(calls(), st.data())
def test_a_value_of_another_kind_is_found_at_its_place(
    call: tuple[Schema, str, Value], data: st.DataObject
) -> None:
    """A truth or a fraction, of which no type takes both unless anything may stand there."""
    schema, command, value = call
    ends = [way for way in ways(value) if way and not isinstance(at(value, way), dict | list)]
    if not ends:
        return
    way = data.draw(st.sampled_from(ends))
    found = [
        {one.way for one in fit_call(schema, command, replaced(value, way, damage)).misfits}
        for damage in (True, 0.5)
    ]
    assert any(way in ways_found for ways_found in found) or at(value, way) in (
        None,
        True,
        False,
        1,
    )


def test_every_hole_says_what_it_is() -> None:
    """The kinds of holes are their own."""
    assert kinds_of(TEXT_OR_NULL) == {Json.STRING, Json.NULL}
