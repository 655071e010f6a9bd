"""What is wrong with an expression: column, problem and fix, as its author reads them."""

import pytest

from reactor.core.cel_explain import explain
from reactor.core.expr import ARM, CONDITION, STEPS, TRIGGER, Names
from tests.core.expression_help import compiled, refused

KNOWN = (
    "known are: glob, slug, marked, now, free, size, contains, startsWith, endsWith, matches, has,"
    " all, exists, exists_one, map, filter, int, double, string, bool, type, duration, timestamp,"
    " orValue, hasValue, optMap, getHours, getMinutes, getDayOfWeek"
)


@pytest.mark.parametrize(
    ("source", "column", "problem", "fix"),
    [
        pytest.param(
            'gest.name == "x"',
            1,
            "`gest` is not known",
            "did you mean guest?",
            id="a letter is missing",
        ),
        pytest.param(
            "Data.x == 1", 1, "`Data` is not known", "did you mean data?", id="a capital letter"
        ),
        pytest.param(
            "data.x == 1 &&\n\n  guest.uuid.x == 2",
            29,
            "a text has no members",
            "take the dot and what follows it away",
            id="over three lines",
        ),
        pytest.param(
            "event.data.x == 1",
            7,
            "event has no member 'data'",
            "write data, without the event before it",
            id="the data of the event, by a longer way",
        ),
        pytest.param(
            "{{ data.x == 1 }}",
            4,
            "braces around an expression are of other templates",
            "write data.x == 1 without them",
            id="the braces of Jinja",
        ),
        pytest.param(
            "data.x == yes", 11, "`yes` is not known", "write true", id="a truth as YAML had it"
        ),
        pytest.param(
            "memory > 5",
            1,
            "`memory` is not known",
            "did you mean guest.memory?",
            id="a member of one variable",
        ),
        pytest.param(
            'labels.tier == "x"',
            1,
            "`labels` is not known",
            "did you mean guest.labels or host.labels?",
            id="a member of two variables",
        ),
        pytest.param(
            "data.a-b == 1 && gest.x == data.c-1",
            1,
            "`data.a-b` is read as a subtraction",
            "write data.a_b",
            id="the first of two",
        ),
        pytest.param(
            "data.c-1 == 1 && gest.x",
            18,
            "`gest` is not known",
            "did you mean guest?",
            id="beside a subtraction",
        ),
        pytest.param(
            "x.y == 1",
            1,
            "`x` is not known",
            'write data.x for a member of the event, "x" for a text',
            id="a member of nothing that is known",
        ),
        pytest.param(
            "data.type == read",
            14,
            "`read` is not known",
            'write data.read for a member of the event, "read" for a text',
            id="a text without quotes",
        ),
        pytest.param(
            "web-1 == data.x",
            1,
            "`web-1` is read as a subtraction",
            'write it in quotes if it is a text: "web-1"',
            id="a text with a hyphen without quotes",
        ),
        pytest.param(
            'guest-name == "x"',
            1,
            "`guest-name` is read as a subtraction",
            'write it in quotes if it is a text: "guest-name"',
            id="a variable and a hyphen",
        ),
        pytest.param("data.x == True", 11, "`True` is not known", "write true", id="Python's true"),
        pytest.param("data.x == None", 11, "`None` is not known", "write null", id="Python's None"),
        pytest.param(
            "[1,2].exists(x, y)",
            17,
            "`y` is not known",
            'write data.y for a member of the event, "y" for a text',
            id="a macro's variable of another name",
        ),
        pytest.param(
            "data.x ==\n  gest.name",
            13,
            "`gest` is not known",
            "did you mean guest?",
            id="over two lines",
        ),
        pytest.param(
            'data.x == "é😀" && gest.x',
            19,
            "`gest` is not known",
            "did you mean guest?",
            id="after a letter that is not ASCII",
        ),
        pytest.param(
            'guest.sttus == "x"',
            7,
            "guest has no member 'sttus'",
            "write guest.status",
            id="a member of the guest",
        ),
        pytest.param(
            'event.xyz == "x"',
            7,
            "event has no member 'xyz'",
            "known are: guest, name, own, received, synthetic, time",
            id="a member that is like nothing",
        ),
        pytest.param(
            "event.tme > now()",
            7,
            "event has no member 'tme'",
            "write event.time",
            id="a member of the event",
        ),
        pytest.param(
            'event["tme"] > now()',
            7,
            "event has no member 'tme'",
            "write event.time",
            id="a member in brackets",
        ),
        pytest.param(
            "guest.?sttus.hasValue()",
            8,
            "guest has no member 'sttus'",
            "write guest.status",
            id="an optional member",
        ),
        pytest.param(
            "has(guest.sttus)",
            5,
            "guest has no member 'sttus'",
            "write guest.status",
            id="has() of a member",
        ),
        pytest.param(
            "trigger.event.nme == 1",
            15,
            "trigger.event has no member 'nme'",
            "write trigger.event.name",
            id="a member of the trigger's event",
        ),
        pytest.param(
            "steps.q.rslt == 1",
            9,
            "steps.q has no member 'rslt'",
            "write steps.q.result",
            id="a member of a saved step",
        ),
        pytest.param(
            'run.outcome == "failed"',
            5,
            "run.outcome is not known in a step",
            "use it in on_failure, on_limit or finally",
            id="a member for handlers",
        ),
        pytest.param(
            'message.payload == "x"',
            1,
            "`message` is not known in a step",
            "give the policy an `mqtt` trigger, or do without it",
            id="a variable of mqtt triggers",
        ),
        pytest.param(
            'host.free("/var") > 1',
            6,
            "host.free() cannot stand in a step",
            "ask it in `if`, `check`, `when`, `until` or `stays`",
            id="free space where it is not asked",
        ),
        pytest.param(
            "host.free > 1",
            6,
            "host.free() is a function",
            'write host.free("/var/crash")',
            id="free space as a member",
        ),
        pytest.param(
            "host.free(guest.name) > 1",
            6,
            "host.free() takes one absolute path that is written out",
            'write host.free("/var/crash")',
            id="free space at a path that is computed",
        ),
        pytest.param(
            'host.free("crash") > 1',
            6,
            "host.free() takes one absolute path that is written out",
            'write host.free("/var/crash")',
            id="free space at a relative path",
        ),
        pytest.param(
            "trigger.next.event.name == 'X'",
            9,
            "trigger.next is not known in a step",
            "give the policy a trigger with `followed_by`, or do without it",
            id="the second event, where there is none",
        ),
    ],
)
def test_an_unknown_name_is_explained(source: str, column: int, problem: str, fix: str) -> None:
    """Names, members, and what was probably meant."""
    assert refused(source) == (column, problem, fix)


@pytest.mark.parametrize(
    ("source", "column", "problem", "fix"),
    [
        pytest.param(
            'data.node-name == "x"',
            1,
            "`data.node-name` is read as a subtraction",
            "write data.node_name",
            id="a member",
        ),
        pytest.param(
            "data.a-b-c == 1",
            1,
            "`data.a-b-c` is read as a subtraction",
            "write data.a_b_c",
            id="two hyphens",
        ),
        pytest.param(
            'steps.q.result.job-id == "x"',
            1,
            "`steps.q.result.job-id` is read as a subtraction",
            "write steps.q.result.job_id",
            id="further down",
        ),
        pytest.param(
            'guest.labels.on-panic == "x"',
            1,
            "`guest.labels.on-panic` is read as a subtraction",
            'write guest.labels["on-panic"]',
            id="a label",
        ),
        pytest.param(
            'guest.labels.a-b.c == "x"',
            1,
            "`guest.labels.a-b` is read as a subtraction",
            'write guest.labels["a-b"]',
            id="a label with a dot behind",
        ),
        pytest.param(
            "vars.a-b == 1",
            1,
            "`vars.a-b` is read as a subtraction",
            'write vars["a-b"]',
            id="a variable of the policy",
        ),
        pytest.param(
            "data.x-event",
            7,
            "`data.x-event` is a subtraction",
            "write data.x_event",
            id="a member whose end is a variable",
        ),
        pytest.param(
            "data.x - guest == 1",
            8,
            "`data.x-guest` is a subtraction",
            "write data.x_guest",
            id="with spaces",
        ),
        pytest.param(
            'guest.labels."on-panic" == "x"',
            14,
            "`on-panic` cannot stand after a dot",
            'write ["on-panic"] without the dot',
            id="a member in quotes behind a dot",
        ),
    ],
)
def test_a_hyphen_is_no_part_of_a_name(source: str, column: int, problem: str, fix: str) -> None:
    """QEMU's hyphens are underscores, those of labels stand in brackets."""
    assert refused(source) == (column, problem, fix)


@pytest.mark.parametrize(
    ("source", "column", "problem", "fix"),
    [
        pytest.param(
            'data.x.startWith("a")',
            8,
            "there is no function startWith()",
            'did you mean data.x.startsWith("...")?',
            id="a letter is missing",
        ),
        pytest.param(
            'Glob(data.x, "a")',
            1,
            "there is no function Glob()",
            'did you mean glob(data.id, "web-*")?',
            id="a capital letter",
        ),
        pytest.param(
            "length(data.x) > 1",
            1,
            "there is no function length()",
            "did you mean size(data.x)?",
            id="the name of another language",
        ),
        pytest.param(
            "frobnicate(data.x)",
            1,
            "there is no function frobnicate()",
            KNOWN,
            id="a word that is like nothing",
        ),
        pytest.param(
            'data.free("/x") > 1',
            6,
            "only the host has free()",
            'write host.free("/var/crash")',
            id="free space of something else",
        ),
        pytest.param(
            'data.x.glob("a")',
            8,
            "glob() is not written like this",
            'write glob(data.id, "web-*")',
            id="a function behind a dot",
        ),
        pytest.param(
            "glob(data.x)",
            1,
            "glob() is not written like this",
            'write glob(data.id, "web-*")',
            id="too few values",
        ),
        pytest.param(
            "now(5)", 1, "now() is not written like this", "write now()", id="too many values"
        ),
        pytest.param(
            "event.time.getHour() > 5",
            12,
            "there is no function getHour()",
            "did you mean event.time.getHours()?",
            id="a getter",
        ),
        pytest.param(
            "data.x.map(5, 1)",
            12,
            "the first argument of a macro is the name for an item",
            "write data.x.map(item, item.name)",
            id="a macro without a name",
        ),
        pytest.param(
            "has(data)",
            5,
            "has() asks for a member",
            "write has(data.x)",
            id="has() without a member",
        ),
        pytest.param(
            'marked("disc", "x")',
            8,
            "a mark cannot be on a 'disc'",
            'write "disk"',
            id="a kind of mark, nearly",
        ),
        pytest.param(
            'marked("xyz", "x")',
            8,
            "a mark cannot be on a 'xyz'",
            "write one of guest, host, disk, memory, port, migration",
            id="a kind of mark",
        ),
        pytest.param(
            "uint(5) > uint(4)",
            1,
            "uint() is not known in policies",
            "do without it",
            id="unsigned",
        ),
        pytest.param(
            'event.time.getHours("Europe/Berlin") > 1',
            12,
            "time zones are not known in policies: times are UTC",
            "write getHours()",
            id="a time zone",
        ),
        pytest.param(
            "data.x.matches(guest.name)",
            8,
            "the pattern of matches() must be written out",
            'write it in quotes, such as r"^web-[0-9]+$"',
            id="a pattern that is computed",
        ),
    ],
)
def test_an_unknown_function_is_explained(source: str, column: int, problem: str, fix: str) -> None:
    """With the way to write it."""
    assert refused(source) == (column, problem, fix)


@pytest.mark.parametrize(
    ("source", "column", "problem", "fix"),
    [
        pytest.param(
            "",
            1,
            "the expression is empty",
            'write one, such as data.action == "pause"',
            id="nothing",
        ),
        pytest.param(
            "  ",
            1,
            "the expression is empty",
            'write one, such as data.action == "pause"',
            id="spaces",
        ),
        pytest.param("data.x = 1", 8, "`=` is not known", "write ==", id="one equals sign"),
        pytest.param("data.x === 1", 8, "`===` is not known", "write ==", id="three equals signs"),
        pytest.param("data.x <> 1", 8, "`<>` is not known", "write !=", id="not equal in SQL"),
        pytest.param("data.x =< 5", 8, "`=<` is not known", "write <=", id="at most, turned round"),
        pytest.param(
            "data.x => 5", 8, "`=>` is not known", "write >=", id="at least, turned round"
        ),
        pytest.param(
            'data.x =~ "a"',
            8,
            "`=~` is not known",
            'write .matches(r"...")',
            id="a regular expression",
        ),
        pytest.param(
            'data.x !~ "a"',
            8,
            "`!~` is not known",
            'write .matches(r"...") with a ! in front',
            id="no regular expression",
        ),
        pytest.param(
            "data.x ?? 1",
            8,
            "`??` is not known",
            "write .orValue(...), and .? instead of the dot",
            id="or a default",
        ),
        pytest.param("data.x & 1", 8, "`&` is not known", "write &&", id="one ampersand"),
        pytest.param("data.x | 1", 8, "`|` is not known", "write ||", id="one bar"),
        pytest.param("data.x == 1 and data.y == 2", 13, "`and` is not known", "write &&", id="and"),
        pytest.param("data.x == 1 or data.y == 2", 13, "`or` is not known", "write ||", id="or"),
        pytest.param("not data.x", 1, "`not` is not known", "write !", id="not"),
        pytest.param("data.x AND data.y", 8, "`AND` is not known", "write &&", id="AND"),
        pytest.param("data.x is null", 8, "`is` is not known", "write ==", id="is"),
        pytest.param(
            'data.x like "web"', 8, "`like` is not known", 'write glob(data.x, "web-*")', id="like"
        ),
        pytest.param(
            "if data.x then 1", 1, "`if` has no place in an expression", "write a ? b : c", id="if"
        ),
        pytest.param(
            'data.x == "a" then 1 else 2', 15, "`then` is not known", "write a ? b : c", id="then"
        ),
        pytest.param(
            'data.x == "a and b" or true',
            21,
            "`or` is not known",
            "write ||",
            id="and in a text is no word",
        ),
        pytest.param(
            'data.x == "abc', 11, "a quote is not closed", 'close it with "', id="a double quote"
        ),
        pytest.param(
            "data.x == 'it's'", 16, "a quote is not closed", "close it with '", id="a single quote"
        ),
        pytest.param(
            'data.x == r"a', 12, "a quote is not closed", 'close it with "', id="a raw text"
        ),
        pytest.param(
            "data.x == “a”",
            11,
            "typographic quotes are no quotes",
            "write \" or '",
            id="typographic quotes",
        ),
        pytest.param(
            'data.x == "\\d+"',
            11,
            "a text holds an escape that CEL does not know",
            'write r"..." for a pattern, or double the backslash',
            id="an escape",
        ),
        pytest.param("(data.x", 1, "`(` is not closed", "close it", id="a round bracket"),
        pytest.param("data.x[0", 7, "`[` is not closed", "close it", id="a square bracket"),
        pytest.param("{", 1, "`{` is not closed", "close it", id="a curly bracket"),
        pytest.param(
            "data.x.all(n, n > 1))",
            21,
            "`)` closes nothing",
            "take it away, or open it before",
            id="a bracket too many",
        ),
        pytest.param(
            "[1, 2)",
            6,
            "`)` closes nothing",
            "take it away, or open it before",
            id="brackets that do not fit",
        ),
        pytest.param(
            "data.x ==",
            10,
            "the expression ends too early",
            "write what is missing at its end",
            id="no right side",
        ),
        pytest.param(
            "data.x.",
            8,
            "the expression ends too early",
            "write what is missing at its end",
            id="no member",
        ),
        pytest.param(
            "&& data.x",
            1,
            "`&&` is not expected here",
            "a value is missing before it",
            id="no left side",
        ),
        pytest.param(
            "data..x",
            6,
            "the syntax is wrong here",
            'write it like data.action == "pause" && guest.status == "running"',
            id="two dots",
        ),
        pytest.param("data.x ? 1", 11, "a `?` has no `:`", "write a ? b : c", id="no other way"),
        pytest.param(
            'data.x "a"',
            8,
            '`"a"` is not expected here',
            "an operator is missing before it",
            id="no operator",
        ),
        pytest.param(
            "guest.memory > 4GiB",
            17,
            "`GiB` cannot follow a number",
            'write sizes in bytes (4 * 1024 * 1024 * 1024), durations as duration("30s")',
            id="a size",
        ),
        pytest.param(
            "data.in == 1",
            6,
            "`in` cannot stand after a dot",
            'write ["in"] without the dot',
            id="a word of CEL after a dot",
        ),
        pytest.param(
            "while == 1",
            1,
            "`while` is a word that CEL keeps for itself",
            "use another name",
            id="a word that CEL keeps",
        ),
        pytest.param(
            "data.x == ${guest.name}",
            11,
            "`${ }` stands around an expression only inside a text",
            "write the expression alone",
            id="a template",
        ),
        pytest.param(
            "data.x # comment",
            8,
            "`#` has no place in an expression",
            "write // before a comment",
            id="a comment",
        ),
        pytest.param(
            "data.x @ 1",
            8,
            "`@` has no place in an expression",
            'write it like data.action == "pause" && guest.status == "running"',
            id="a character",
        ),
        pytest.param(
            "99999999999999999999 > 1",
            1,
            "the number does not fit into 64 bits",
            "write a smaller number",
            id="a number that is too large",
        ),
        pytest.param(
            "((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))",
            1,
            "the expression is nested too deeply, or a chain in it is too long",
            "split it: a part in `vars`, or a list of conditions",
            id="nested too deeply",
        ),
    ],
)
def test_wrong_syntax_is_explained(source: str, column: int, problem: str, fix: str) -> None:
    """Above all what other languages write."""
    assert refused(source) == (column, problem, fix)


@pytest.mark.parametrize(
    ("source", "column", "problem", "fix"),
    [
        pytest.param(
            "guest.status == 1",
            14,
            "`==` cannot take a text and a whole number",
            "compare a text with a text",
            id="a text and a number",
        ),
        pytest.param(
            'guest.memory > "4GiB"',
            14,
            "`>` cannot take a whole number and a text",
            "compare a whole number with a whole number",
            id="a number and a text",
        ),
        pytest.param(
            "guest.memory * 1.1 > 2.0",
            14,
            "`*` cannot take a whole number and a fraction",
            "write both as whole numbers or both as fractions, or use double(...)",
            id="whole numbers and fractions",
        ),
        pytest.param(
            'guest.name + 1 == "x"',
            12,
            "`+` cannot take a text and a whole number",
            "make a text of the other with string(...)",
            id="a text and a number, added",
        ),
        pytest.param(
            "[1] + 1 == [2]",
            5,
            "`+` cannot take a list and a whole number",
            "use values that go together",
            id="a list and a number, added",
        ),
        pytest.param(
            "guest.labels.tier == 5",
            19,
            "`==` cannot take a text and a whole number",
            "compare a text with a text",
            id="a label and a number",
        ),
        pytest.param(
            "5 in guest.labels",
            3,
            "`in` cannot take a whole number and a map",
            "use values that go together",
            id="a number among labels",
        ),
        pytest.param(
            "data.?x == 1",
            9,
            "`==` cannot take an optional and a whole number",
            "end the optional with .orValue(...)",
            id="an optional, compared",
        ),
        pytest.param(
            "data.?x && true",
            9,
            "`&&` cannot take an optional and true or false",
            "end the optional with .orValue(...)",
            id="an optional, in a condition",
        ),
        pytest.param(
            "[?data.x] == []",
            7,
            "any value stands where an optional is needed",
            "write .? instead of the dot",
            id="a member instead of an optional",
        ),
        pytest.param(
            'data.?x.orValue("") == "" && optional.of(1).orValue("") == 1',
            45,
            "`orValue()` cannot take an optional and a text",
            "give both sides one kind",
            id="two kinds instead of one",
        ),
        pytest.param(
            "guest.name && true",
            12,
            "`&&` cannot take a text and true or false",
            "compare it with something, so that it is true or false",
            id="a text as a condition",
        ),
        pytest.param(
            "!guest.name",
            1,
            "`!` cannot take a text",
            "compare it with something, so that it is true or false",
            id="a text, negated",
        ),
        pytest.param(
            "guest.name ? true : false",
            12,
            "the condition of `? :` is a text, not true or false",
            "compare it with something",
            id="a text before a question mark",
        ),
        pytest.param(
            'data.x ? 1 : "a"',
            8,
            "the two sides of `? :` are a whole number and a text",
            "make them the same kind",
            id="two kinds behind one",
        ),
        pytest.param(
            "now() - event.time > 60",
            20,
            "`>` cannot take a duration and a whole number",
            'times go with timestamp("2026-01-31T12:00:00Z"), durations with duration("24h")',
            id="a duration and a number",
        ),
        pytest.param(
            'event.time > "2026"',
            12,
            "`>` cannot take a time and a text",
            'times go with timestamp("2026-01-31T12:00:00Z"), durations with duration("24h")',
            id="a time and a text",
        ),
        pytest.param(
            'event.time + "1h" > now()',
            12,
            "`+` cannot take a time and a text",
            'times go with timestamp("2026-01-31T12:00:00Z"), durations with duration("24h")',
            id="a time and a text, added",
        ),
        pytest.param(
            'slug(5) == "5"',
            1,
            "`slug()` cannot take a whole number",
            "write slug(data.device)",
            id="a wrong value of a function",
        ),
        pytest.param(
            "data.x.endsWith(1)",
            8,
            "`endsWith()` cannot take any value and a whole number",
            'write data.x.endsWith("...")',
            id="a wrong value of a method",
        ),
        pytest.param(
            "guest.name.x == 1",
            11,
            "a text has no members",
            "take the dot and what follows it away",
            id="a member of a text",
        ),
        pytest.param(
            "null > 1",
            6,
            "`>` cannot take null and a whole number",
            "compare null with null",
            id="null and a number",
        ),
    ],
)
def test_types_that_do_not_fit_are_explained(
    source: str, column: int, problem: str, fix: str
) -> None:
    """As far as they are known without an event."""
    assert refused(source) == (column, problem, fix)


@pytest.mark.parametrize(
    ("source", "column", "problem", "fix"),
    [
        pytest.param(
            'duration("1 day") > duration("1h")',
            1,
            '"1 day" is not a duration (write 90s, 15m or 24h)',
            "correct it: it would fail every time",
            id="a duration",
        ),
        pytest.param(
            'timestamp("yesterday") > now()',
            1,
            '"yesterday" is not a time (write 2026-01-31T12:00:00Z)',
            "correct it: it would fail every time",
            id="a time",
        ),
        pytest.param(
            'int("x") > 1',
            1,
            '"x" is not a whole number',
            "correct it: it would fail every time",
            id="a number",
        ),
        pytest.param(
            "1 / 0 > 1",
            3,
            "division by zero",
            "correct it: it would fail every time",
            id="a division",
        ),
        pytest.param(
            "9223372036854775807 + 1 > 1",
            21,
            "the number does not fit into 64 bits",
            "correct it: it would fail every time",
            id="an overflow",
        ),
        pytest.param(
            'data.x.matches("(")',
            8,
            '"(" is not a regular expression',
            "correct it: it would fail every time",
            id="a pattern",
        ),
        pytest.param(
            "5u > 4u",
            1,
            "an unsigned number is not known in policies",
            "write it without `u`",
            id="unsigned",
        ),
        pytest.param(
            'b"x" == b"x"',
            1,
            "a literal of bytes is not known in policies",
            "write a text, without `b`",
            id="bytes",
        ),
        pytest.param(
            'google.protobuf.Duration{seconds: 5} > duration("1s")',
            1,
            "the message google.protobuf.Duration is not known in policies",
            'write a map: {"key": value}',
            id="a message",
        ),
    ],
)
def test_what_can_only_fail_is_refused(source: str, column: int, problem: str, fix: str) -> None:
    """A constant that fails would fail for every event."""
    assert refused(source) == (column, problem, fix)


@pytest.mark.parametrize(
    ("names", "source", "problem", "fix"),
    [
        pytest.param(
            TRIGGER,
            'run.id == "x"',
            "`run` is not known in a trigger's `where`",
            "known are: event, data, guest, host",
            id="a run does not exist yet",
        ),
        pytest.param(
            TRIGGER.at("a trigger's `by`"),
            "vars.x",
            "`vars` is not known in a trigger's `by`",
            "known are: event, data, guest, host",
            id="the place is named",
        ),
        pytest.param(
            CONDITION,
            "steps.q.ok",
            "`steps` is not known in a policy's `if`",
            "known are: event, data, trigger, guest, host",
            id="no step was done",
        ),
        pytest.param(
            ARM,
            "data.x == 1",
            "`data` is not known in `arm`",
            "known are: guest, host",
            id="no event",
        ),
        pytest.param(
            ARM, "x == 1", "`x` is not known", "known are: guest, host", id="nor a member"
        ),
        pytest.param(
            STEPS.knowing(variables=["disk"]),
            'vars.dsk == "x"',
            "vars has no member 'dsk'",
            "write vars.disk",
            id="a variable that is not defined",
        ),
        pytest.param(
            STEPS.knowing(variables=[]),
            'vars.dsk == "x"',
            "vars has no member 'dsk'",
            "add it to the policy's `vars`",
            id="no variable is defined",
        ),
        pytest.param(
            STEPS.knowing(steps=["q", "status"]),
            "steps.zzz.ok",
            "steps has no member 'zzz'",
            "known are: q, status",
            id="a step that is not saved",
        ),
        pytest.param(
            STEPS.knowing(steps=()),
            "steps.q.ok",
            "steps has no member 'q'",
            "give an earlier step `save:` and this name",
            id="no step is saved",
        ),
    ],
)
def test_a_name_that_is_not_known_at_its_place(
    names: Names, source: str, problem: str, fix: str
) -> None:
    """The place is named, and what is known there."""
    assert refused(source, names)[1:] == (problem, fix)


def test_what_is_defined_is_known() -> None:
    """Variables and saved steps that the caller names are accepted."""
    names = STEPS.knowing(variables=["disk"], steps=["q"])
    assert compiled("vars.disk == steps.q.result.x", names).reads == {
        "vars.disk",
        "steps.q.result.x",
    }


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        pytest.param('"a" + "b"', "the condition is a text, not true or false", id="a text"),
        pytest.param("1", "the condition is a whole number, not true or false", id="a number"),
        pytest.param("guest.labels", "the condition is a map, not true or false", id="labels"),
        pytest.param("[true]", "the condition is a list, not true or false", id="a list"),
        pytest.param("now()", "the condition is a time, not true or false", id="a time"),
        pytest.param("1.5", "the condition is a fraction, not true or false", id="a fraction"),
        pytest.param("null", "the condition is null, not true or false", id="null"),
        pytest.param("type(1)", "the condition is a type, not true or false", id="a type"),
        pytest.param('duration("1s")', "the condition is a duration, not true or false", id="time"),
    ],
)
def test_a_condition_that_is_certainly_not_true_or_false(source: str, problem: str) -> None:
    """It is refused as a condition, and is a value all the same."""
    assert refused(source, condition=True) == (1, problem, "compare it with something")
    compiled(source)


def test_a_condition_that_may_be_true_is_accepted() -> None:
    """Only an event can tell of what type its members are."""
    assert compiled("data.open", condition=True).reads == {"data.open"}


@pytest.mark.parametrize(
    ("condition", "source"),
    [
        pytest.param(False, "data.?error", id="as a value"),
        pytest.param(True, "data.?error", id="as a condition"),
        pytest.param(True, "has(guest.status) ? guest.?name : optional.none()", id="beside has()"),
    ],
)
def test_an_optional_alone_is_refused(condition: bool, source: str) -> None:
    """It is no value as long as it may be empty."""
    expected = (1, "an optional is no value", "end it with .orValue(...)")
    assert refused(source, condition=condition) == expected


@pytest.mark.parametrize(
    ("length", "allowed"),
    [pytest.param(4096, True, id="the longest"), pytest.param(4097, False, id="one more")],
)
def test_the_length_of_an_expression_is_bounded(length: int, allowed: bool) -> None:
    """Beyond the bound it is refused before anything looks at it."""
    source = "true" + " " * (length - 4)
    if allowed:
        compiled(source)
    else:
        assert refused(source) == (
            4097,
            "the expression is longer than 4096 characters",
            "split it: a part in `vars`, or a list of conditions",
        )


def test_half_of_a_surrogate_pair_is_refused() -> None:
    """The library could not even read it."""
    assert refused('data.x == "\ud800"') == (
        12,
        "the expression holds half of a surrogate pair",
        "write the character itself",
    )


def test_what_the_library_says_otherwise_is_passed_on() -> None:
    """A complaint without a sentence of ours still has its place."""
    misuse = explain("data.x", "ERROR: <input>:1:5: something new\n | data.x", STEPS)
    assert (misuse.at, misuse.problem) == (4, "the library says: something new")
