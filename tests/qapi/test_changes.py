"""What changed from one QEMU to the next."""

import pytest

from reactor.qapi.changes import changed_commands, changed_events, report
from reactor.qapi.shipped import schema_of
from tests.qapi.schemas import Told, command, enum, event, member, record, schema, union

CASES: list[tuple[str, list[Told], list[Told], list[str]]] = [
    ("nothing", [event("STOP"), command("stop")], [event("STOP"), command("stop")], []),
    (
        "an event and a command came, others went",
        [event("OLD"), command("old")],
        [event("NEW"), command("new")],
        ["+ event NEW", "- event OLD", "+ command new", "- command old"],
    ),
    (
        "they are deprecated now, or were so from the beginning",
        [event("A"), event("B", "0", "deprecated"), command("a")],
        [
            event("A", "0", "deprecated"),
            event("B", "0", "deprecated"),
            command("a", "0", "0", "deprecated"),
            command("b", "0", "0", "deprecated"),
        ],
        [
            "~ event A is deprecated",
            "+ command b",
            "~ command a is deprecated",
            "~ command b is deprecated",
        ],
    ),
    (
        "members came and went",
        [event("A", "1"), record("1", member("x", "int"), member("y", "str"))],
        [event("A", "2"), record("2", member("y", "str"), member("z", "any", optional=True))],
        ["- event A x: int", "+ event A z: any, optional"],
    ),
    (
        "a member is another one: its type, whether it must be there, what becomes of it",
        [
            command("a", "1", "1"),
            record("1", member("x", "int"), member("y", "str"), member("z", "str", "deprecated")),
        ],
        [
            command("a", "1", "2"),
            record("1", member("x", "str"), member("y", "str", optional=True), member("z", "str")),
            record("2", member("x", "int"), member("y", "str", "deprecated"), member("z", "str")),
        ],
        [
            "~ command a arguments x: int -> string",
            "~ command a arguments y: string -> string, optional",
            "~ command a arguments z: deprecated no more",
            "~ command a reply y: deprecated",
            "~ command a reply z: deprecated no more",
        ],
    ),
    (
        "an enum has other values, whatever their order",
        [
            event("A", "1"),
            record("1", member("x", "e"), member("y", "f")),
            enum("e", "a", "b"),
            enum("f", "p", "q"),
        ],
        [
            event("A", "1"),
            record("1", member("x", "e"), member("y", "f")),
            enum("e", "c", "b", "d"),
            enum("f", "q", "p"),
        ],
        ["~ event A x: new c|d, gone a"],
    ),
    (
        "a branch came whose members stand elsewhere already",
        [
            command("a", "1"),
            union("1", "t", {"p": "2"}, member("t", "e")),
            enum("e", "p", "q"),
            record("2", member("x", "e"), member("y", "1")),
        ],
        [
            command("a", "1"),
            union("1", "t", {"p": "2", "q": "2"}, member("t", "e")),
            enum("e", "p", "q"),
            record("2", member("x", "e"), member("y", "1")),
        ],
        ["+ command a arguments <t=q>: object, as `<t=p>`"],
    ),
    (
        "a member that is the whole again",
        [event("A", "1"), record("1")],
        [event("A", "1"), record("1", member("next", "1", optional=True))],
        ["+ event A next: object, optional, as the whole"],
    ),
    (
        "a new enum is shown with its values",
        [event("A", "1"), record("1")],
        [event("A", "1"), record("1", member("x", "e")), enum("e", "a", "b")],
        ["+ event A x: enum a|b"],
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [pytest.param(old, new, wanted, id=name) for name, old, new, wanted in CASES],
)
def test_each_change_is_a_line(old: list[Told], new: list[Told], wanted: list[str]) -> None:
    """Commands and events first, their members behind them; type names do not count."""
    assert list(report(schema(old), schema(new, "11.1"))) == wanted


def test_what_changed_between_the_shipped_versions() -> None:
    """As QEMU's own documents have it."""
    old, new = schema_of("7.2"), schema_of("11.1")
    events, commands = changed_events(old, new), changed_commands(old, new)
    assert events.gone == ("MEM_UNPLUG_ERROR", "RDMA_GID_STATUS_CHANGED")
    assert events.deprecated == ()
    assert "qom-list-get" in commands.new
    assert "block-job-pause" in commands.deprecated
    lines = list(report(old, new))
    assert "+ event BLOCK_IO_ERROR qom-path: string" in lines
    assert "~ event GUEST_PANICKED info.type: new tdx|sev" in lines
    assert list(report(new, new)) == []
