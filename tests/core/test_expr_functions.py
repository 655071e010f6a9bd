"""What expressions compute: members, operators, macros, optionals, functions."""

from types import MappingProxyType

import pytest

from reactor.core.expr import Scope
from reactor.core.marks import MarkKind
from tests.core.expression_help import NEW_YEAR, compiled, value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("data.type", "read", id="a member"),
        pytest.param("data.node_name", "drive0", id="a member with a hyphen"),
        pytest.param("data.sector_num", 4096, id="a member with an underscore of its own"),
        pytest.param('data["node-name"]', "drive0", id="QEMU's own name in brackets"),
        pytest.param('data["node_name"]', "drive0", id="our name in brackets"),
        pytest.param("data.`node-name`", "drive0", id="QEMU's own name in backticks"),
        pytest.param(".data.type", "read", id="a dot before"),
        pytest.param("data.result.bytes_written", 512, id="a hyphen further down"),
        pytest.param("data.children[1].node_name", "c1", id="a hyphen inside a list"),
        pytest.param(
            "data.children[data.sectors_count - 7].node_name", "c1", id="a computed place"
        ),
        pytest.param('data["no" + "de_name"]', "drive0", id="a computed name"),
        pytest.param("(data.open ? data : data).node_name", "drive0", id="behind a choice"),
        pytest.param("[data][0].node_name", "drive0", id="behind a list"),
        pytest.param('{"x": data}.x.node_name', "drive0", id="behind a map"),
        pytest.param("steps.q.result.job_id", "j0", id="a saved result"),
        pytest.param("trigger.data.node_name", "drive0", id="the trigger's data"),
        pytest.param('guest.labels["on-panic"]', "keep", id="a label"),
        pytest.param("[1, 2.5][1]", 2.5, id="a list literal"),
        pytest.param("data.names[1.0]", "b", id="a whole fraction as a place"),
        pytest.param("{1: 'a'}[1]", "a", id="a whole number as a key"),
        pytest.param("{1: 'a'}[dyn(1.0)]", "a", id="the same number as a fraction"),
    ],
)
def test_a_member_is_found_where_its_author_looks(source: str, expected: object) -> None:
    """QEMU's hyphens are underscores, labels are as they are."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("data", "source", "expected"),
    [
        pytest.param({"a-b": 1, "a_b": 2}, "data.a_b", 2, id="the underscore wins"),
        pytest.param({"a-b-c": 1}, "data.a_b_c", 1, id="all hyphens"),
        pytest.param({"a_b-c": 1}, "data.a_b_c", 1, id="mixed"),
        pytest.param({"x": {"a_b-c": 1}}, "data.x.a_b_c", 1, id="mixed, further down"),
        pytest.param({"a_b-c": 1, "a-b_c": 2}, "data.a_b_c", 1, id="the first of two mixed ones"),
        pytest.param(
            {"x": 18_446_744_073_709_551_617}, "data.x", 1 + (1 << 64), id="beyond 64 bits"
        ),
        pytest.param({"x": 1 << 63}, "data.x > 9223372036854775807", True, id="an unsigned number"),
        pytest.param({"x": 1 << 63}, "data.x / 2", 1 << 62, id="half an unsigned number"),
        pytest.param({"x": "a\0b"}, 'data.x == "a"', False, id="a NUL does not end a text"),
        pytest.param({"x": "a\ud800"}, 'data.x == "a"', False, id="half of a surrogate pair"),
        pytest.param({"x": MarkKind.DISK}, 'data.x == "disk"', True, id="an enum is its text"),
        pytest.param({"x": MarkKind.DISK}, 'data.x in ["disk"]', True, id="also in a list"),
        pytest.param({"x": MappingProxyType({"a-b": 1})}, "data.x.a_b", 1, id="any mapping"),
        pytest.param({"x": ("a", "b")}, "data.x[1]", "b", id="a tuple is a list"),
        pytest.param({"x": ("a", "b")}, 'data.x == ["a", "b"]', True, id="and equals one"),
    ],
)
def test_whatever_qemu_sends_can_be_read(
    data: dict[str, object], source: str, expected: object
) -> None:
    """Clashing names, large numbers and odd characters."""
    assert value(source, data=data) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("1 + 2", 3, id="sum"),
        pytest.param("1.5 + 2.0", 3.5, id="sum of fractions"),
        pytest.param("data.type + '!'", "read!", id="texts"),
        pytest.param("data.names + [1]", ["a", "b", "c", 1], id="lists"),
        pytest.param("5 - data.sectors_count", -3, id="difference"),
        pytest.param("data.share * 2.0", 3.0, id="product"),
        pytest.param("data.sectors_count / 3", 2, id="quotient"),
        pytest.param("-data.sectors_count / 3", -2, id="quotient cut towards zero"),
        pytest.param("-data.sectors_count / -3", 2, id="both negative"),
        pytest.param("-data.sectors_count % 3", -2, id="rest with the sign of the left"),
        pytest.param("data.share / 2.0", 0.75, id="ratio"),
        pytest.param("data.share / 0.0 > 9.0", True, id="infinite"),
        pytest.param("-data.share / 0.0 < -9.0", True, id="infinite and negative"),
        pytest.param("data.share / -0.0 < -9.0", True, id="through a negative zero"),
        pytest.param("data.share / (0.0 / 0.0) == 1.0", False, id="not a number"),
        pytest.param("(data.share - 1.5) / 0.0 == 0.0", False, id="nothing through nothing"),
        pytest.param("-data.share", -1.5, id="negated"),
        pytest.param("data.sectors_count > 7", True, id="greater"),
        pytest.param("data.sectors_count >= data.share", True, id="whole and fraction"),
        pytest.param("data.type < 'reae'", True, id="texts in order"),
        pytest.param("data.open <= true", True, id="false before true"),
        pytest.param("data.sectors_count == 8.0", True, id="equal by value"),
        pytest.param("data.open == dyn(1)", False, id="true is no number"),
        pytest.param("data.nothing == null", True, id="null"),
        pytest.param("data.type != 'write'", True, id="not equal"),
        pytest.param("data.names == ['a', 'b', 'c']", True, id="equal lists"),
        pytest.param("data.names == ['a', 'b']", False, id="a shorter list"),
        pytest.param("data.names == data.names", True, id="a list and itself"),
        pytest.param("data.type == data.type", True, id="a text and itself"),
        pytest.param("data.share == data.share", True, id="a fraction and itself"),
        pytest.param(
            "data.result == {'status': 'completed', 'bytes-written': 512}", True, id="maps"
        ),
        pytest.param("data.result == {'status': 'completed'}", False, id="a smaller map"),
        pytest.param("data.result != data.names", True, id="a map and a list"),
        pytest.param("'b' in data.names", True, id="in a list"),
        pytest.param("data.type in ['read', 'write']", True, id="in a written list"),
        pytest.param("data.sectors_count in [8.0]", True, id="a number in a written list"),
        pytest.param("data.type in {'read': 1}", True, id="a key of a written map"),
        pytest.param("'status' in data.result", True, id="a key"),
        pytest.param("!data.open", False, id="not"),
        pytest.param("data.open ? 1 : 2", 1, id="yes"),
        pytest.param("!data.open ? 1 : 2", 2, id="no"),
        pytest.param("10 * 60 * 1024", 614_400, id="constants are computed at once"),
    ],
)
def test_operators(source: str, expected: object) -> None:
    """They do what CEL says."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "truth"),
    [
        pytest.param("data.miss == 1 && false", False, id="failure and false"),
        pytest.param("false && data.miss == 1", False, id="false and failure"),
        pytest.param("data.miss == 1 || true", True, id="failure or true"),
        pytest.param("true || data.miss == 1", True, id="true or failure"),
        pytest.param("data.names.exists(n, n == data.miss || n == 'b')", True, id="a later item"),
        pytest.param(
            "data.names.all(n, data.miss == n && n != 'b')", False, id="a later false item"
        ),
    ],
)
def test_a_side_that_decides_makes_up_for_a_failure(source: str, truth: bool) -> None:
    """In either order, also inside macros."""
    assert value(source) is truth


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("data.names.all(n, size(n) == 1)", True, id="all"),
        pytest.param("data.names.exists(n, n == 'b')", True, id="exists"),
        pytest.param("data.names.exists_one(n, n == 'b')", True, id="exactly one"),
        pytest.param("data.names.exists_one(n, n != 'b')", False, id="more than one"),
        pytest.param("data.names.map(n, n + '!')", ["a!", "b!", "c!"], id="map"),
        pytest.param("data.names.map(n, n != 'b', n)", ["a", "c"], id="map some"),
        pytest.param("data.names.filter(n, n > 'a')", ["b", "c"], id="filter"),
        pytest.param(
            "data.result.map(k, k)", ["status", "bytes-written"], id="keys, in their order"
        ),
        pytest.param(
            "data.children.filter(c, c.ok).map(c, c.node_name)", ["c0"], id="hyphens inside"
        ),
        pytest.param(
            "data.children.map(c, {'n': c.node_name}.n)", ["c0", "c1"], id="further inside"
        ),
        pytest.param(
            "data.names.map(x, data.names.map(x, x + x))[2]",
            ["aa", "bb", "cc"],
            id="one name twice",
        ),
        pytest.param(
            "[[1], [2]].map(x, x.map(y, y + x[0]))", [[2], [4]], id="the outer's variable"
        ),
        pytest.param("[1, 2].map(x, data.sectors_count - x)", [7, 6], id="a difference inside"),
        pytest.param(
            "[1].map(guest, data.sectors_count - guest)", [7], id="which hides a variable"
        ),
        pytest.param("[1, 2].map(data, data * 2)", [2, 4], id="a variable's name for an item"),
        pytest.param("data.names.map(n, now() > event.time)[0]", True, id="what fails nowhere"),
        pytest.param("data.names.map(n, slug(n + '/'))", ["a-", "b-", "c-"], id="ours inside"),
        pytest.param("data.names.all(n, n.matches('[a-c]'))", True, id="the library's inside"),
        pytest.param("data.names.map(n, [n] + [n])[0]", ["a", "a"], id="lists inside"),
    ],
)
def test_macros(source: str, expected: object) -> None:
    """They see each item once, in order."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("has(data.type)", True, id="there"),
        pytest.param("has(data.node_name)", True, id="there with a hyphen"),
        pytest.param("has(data.miss)", False, id="not there"),
        pytest.param("has(data.?miss.x)", False, id="not there, behind an empty optional"),
        pytest.param("has(data.?result.status)", True, id="there, behind an optional"),
        pytest.param("data.?type.orValue('')", "read", id="a value"),
        pytest.param("data.?node_name.orValue('')", "drive0", id="a value with a hyphen"),
        pytest.param("data.?error.orValue('none')", "none", id="instead of a value"),
        pytest.param("data[?'error'].orValue('none')", "none", id="in brackets"),
        pytest.param("data.names[?1].orValue('')", "b", id="an item"),
        pytest.param("data.names[?9].orValue('')", "", id="no such item"),
        pytest.param("data.?result.?status.orValue('')", "completed", id="two in a row"),
        pytest.param("data.?result.status.orValue('')", "completed", id="a dot behind an optional"),
        pytest.param("data.?result['status'].orValue('')", "completed", id="brackets behind one"),
        pytest.param("data.?result[?'miss'].orValue('')", "", id="nothing behind one"),
        pytest.param("data.?miss.?status.orValue('')", "", id="two in a row, nothing"),
        pytest.param("data.?miss.or(data.?type).orValue('')", "read", id="the second of two"),
        pytest.param("data.?type.or(data.?miss).orValue('')", "read", id="the first of two"),
        pytest.param("data.?type.hasValue()", True, id="has a value"),
        pytest.param("data.?miss.hasValue()", False, id="has none"),
        pytest.param("data.?type.value()", "read", id="the value itself"),
        pytest.param("data.?sectors_count.optMap(n, n * 2).orValue(0)", 16, id="computed"),
        pytest.param("data.?miss.optMap(n, n * 2).orValue(0)", 0, id="not computed"),
        pytest.param("data.?result.optFlatMap(r, r.?miss).orValue(0)", 0, id="nothing inside"),
        pytest.param("optional.none().optMap(n, n).orValue(0)", 0, id="nothing written out"),
        pytest.param("optional.of(1).orValue(2)", 1, id="made"),
        pytest.param("optional.ofNonZeroValue('').orValue('y')", "y", id="made of nothing"),
        pytest.param("optional.ofNonZeroValue('x').orValue('y')", "x", id="made of something"),
        pytest.param("[?data.?miss, ?data.?type]", ["read"], id="in a list"),
        pytest.param(
            "{'a': 1, ?'b': data.?miss, ?'c': data.?type}", {"a": 1, "c": "read"}, id="map"
        ),
        pytest.param("data.?miss == optional.none()", True, id="two empty ones are equal"),
        pytest.param("data.?type == optional.of('read')", True, id="two of one value are equal"),
        pytest.param("data.?type == optional.none()", False, id="one is empty"),
        pytest.param("event.?time.hasValue()", True, id="of a time"),
    ],
)
def test_optionals(source: str, expected: object) -> None:
    """What may be absent has a value all the same."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param('glob(data.node_name, "drive*")', True, id="glob"),
        pytest.param('glob(data.node_name, "Drive*")', False, id="glob minds capitals"),
        pytest.param('slug("a/b c")', "a-b-c", id="slug"),
        pytest.param('marked("disk", data.node_name)', True, id="marked"),
        pytest.param('marked("disk", data.node_name, "degraded")', True, id="marked as that"),
        pytest.param('marked("disk", data.node_name, "lost")', False, id="not marked as that"),
        pytest.param('marked("port", data.node_name)', False, id="nothing of that kind"),
        pytest.param('now() - event.time == duration("100s")', True, id="now"),
        pytest.param("size(data.names) + data.type.size()", 7, id="size"),
        pytest.param("size(data.result)", 2, id="size of a map"),
        pytest.param('"größe".size()', 5, id="size counts characters"),
        pytest.param('data.type.contains("ea")', True, id="contains"),
        pytest.param('data.type.startsWith("re")', True, id="starts with"),
        pytest.param('data.type.endsWith("re")', False, id="ends with"),
        pytest.param('data.type.matches("^r.*d$")', True, id="matches"),
        pytest.param('matches(data.type, "x")', False, id="matches, written as a function"),
        pytest.param('int("12") + int(1.9)', 13, id="int"),
        pytest.param("int(event.time)", int(NEW_YEAR), id="int of a time"),
        pytest.param('double("1.5")', 1.5, id="double"),
        pytest.param("double(data.sectors_count)", 8.0, id="double of a whole number"),
        pytest.param("string(data.share) + string(data.open)", "1.5true", id="string"),
        pytest.param("string(event.time)", "2026-01-01T00:00:00Z", id="string of a time"),
        pytest.param('bool("true")', True, id="bool"),
        pytest.param("dyn(1)", 1, id="dyn"),
        pytest.param("type(data.type) == string", True, id="type"),
        pytest.param("type(data.open) == int", False, id="type of true"),
        pytest.param("type(event.time) == google.protobuf.Timestamp", True, id="type of a time"),
        pytest.param("type(data.names)", "list", id="a type as a value"),
        pytest.param("event.time.getFullYear()", 2026, id="year"),
        pytest.param("event.time.getDayOfWeek()", 4, id="a Thursday"),
        pytest.param('duration("90m").getHours()', 1, id="hours of a duration"),
    ],
)
def test_functions(source: str, expected: object) -> None:
    """CEL's and our own."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("event.time", "2026-01-01T00:00:00Z", id="QEMU's stamp"),
        pytest.param("event.received", "2026-01-01T00:00:00.25Z", id="the arrival"),
        pytest.param("run.started", "2026-01-01T00:01:00Z", id="the start of the run"),
        pytest.param("trigger.event.time", "2026-01-01T00:00:00Z", id="the trigger's"),
        pytest.param('event["time"]', "2026-01-01T00:00:00Z", id="in brackets"),
        pytest.param('event["ti" + "me"]', "2026-01-01T00:00:00Z", id="in brackets, computed"),
        pytest.param("event.?time.value()", "2026-01-01T00:00:00Z", id="optional"),
        pytest.param("run.started - event.time", "60s", id="difference"),
        pytest.param("event.time - run.started", "-60s", id="negative difference"),
        pytest.param("event.received - event.time", "0.25s", id="fraction of a second"),
        pytest.param('event.time + duration("1h30m")', "2026-01-01T01:30:00Z", id="later"),
        pytest.param(
            'duration("1h") + event.time', "2026-01-01T01:00:00Z", id="later, turned round"
        ),
        pytest.param('event.time - duration("24h")', "2025-12-31T00:00:00Z", id="earlier"),
        pytest.param('duration("1h") - duration("90m")', "-1800s", id="durations"),
        pytest.param(
            'timestamp("2026-01-01T02:00:00+02:00")', "2026-01-01T00:00:00Z", id="written"
        ),
        pytest.param('event.time == timestamp("2026-01-01T00:00:00Z")', True, id="equal"),
        pytest.param('event.received - event.time < duration("1s")', True, id="in order"),
    ],
)
def test_times_and_durations(source: str, expected: object) -> None:
    """They are computed with, and leave as text in UTC and as seconds."""
    assert value(source) == expected


def test_a_whole_event_has_its_times() -> None:
    """Also when it is taken whole, its times leave as text."""
    whole = value("trigger.event")
    assert isinstance(whole, dict)
    assert whole["time"] == "2026-01-01T00:00:00Z"
    assert whole["received"] == "2026-01-01T00:00:00.25Z"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("data.result", {"status": "completed", "bytes-written": 512}, id="whole"),
        pytest.param(
            "[data.result][0]", {"status": "completed", "bytes-written": 512}, id="listed"
        ),
        pytest.param("steps.q.result", {"job-id": "j0"}, id="a saved result"),
        pytest.param(
            "{1: data.children[0]}", {"1": {"node-name": "c0", "ok": True}}, id="in a map"
        ),
    ],
)
def test_a_value_of_qemu_leaves_with_its_own_names(source: str, expected: object) -> None:
    """Hyphens stay hyphens; keys of maps become text."""
    assert value(source) == expected


def test_a_value_does_not_share_its_containers() -> None:
    """Who changes what an expression gave changes nothing of the event."""
    data = {"list": [1]}
    found = value("data.list", data=data)
    assert isinstance(found, list)
    found.append(2)
    assert data == {"list": [1]}


def test_equal_scopes_give_equal_values() -> None:
    """Nothing but the scope comes into a value, not even the order of evaluations."""
    expression = compiled("data.names.map(n, n + guest.name)")
    first = [expression.value(Scope({"data": {"names": ["a"]}, "guest": {"name": "g"}}))]
    second = [expression.value(Scope({"data": {"names": ["a"]}, "guest": {"name": "g"}}))]
    assert first == second == [["ag"]]
