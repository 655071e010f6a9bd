"""The strict reader: what it refuses, in which words, and what it hands on."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reactor.errors import Place
from reactor.policyfile import reader
from reactor.policyfile.chunks import MAX_BYTES, decode
from reactor.policyfile.nodes import Broken, Dictionary, Scalar, find, plain
from reactor.policyfile.reader import MAX_DEPTH, MAX_NODES, read

LOADERS = [
    pytest.param(yaml.CSafeLoader, id="libyaml"),
    pytest.param(yaml.SafeLoader, id="PyYAML"),
]
TAIL = "check the indentation and the quotes of this line and of the one above"
IF_PART = "put it in single quotes if it is part of a value"


def problems_of(text: str) -> str:
    """All the problems of a text as people read them."""
    return "\n".join(map(str, read(text, "f").problems))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        # what is forbidden although it is YAML
        pytest.param(
            "a: *foo\n",
            "f:1:4: R004 `*foo` is a YAML alias, which is not allowed\n"
            "  fix: put it in single quotes: '*foo'",
            id="alias",
        ),
        pytest.param(
            "a: &x b\n",
            "f:1:4: R004 `&x` is a YAML anchor, which is not allowed\n"
            "  fix: take it out; write the value where it is needed",
            id="anchor on a scalar",
        ),
        pytest.param(
            "a: &x [b]\n",
            "f:1:4: R004 `&x` is a YAML anchor, which is not allowed\n"
            "  fix: take it out; write the value where it is needed",
            id="anchor on a list",
        ),
        pytest.param(
            "a: !!str 5\nb: !data.open\n",
            "f:1:4: R004 `!!str` is a YAML tag, which is not allowed\n"
            "  fix: take it out; put it in single quotes: '5' if it is a text\n"
            "f:2:4: R004 `!data.open` is a YAML tag, which is not allowed\n"
            "  fix: put it in single quotes: '!data.open'",
            id="tags",
        ),
        pytest.param(
            "<<: {a: b}\n'<<': c\n",
            "f:1:1: R004 `<<` (merge) is not allowed\n  fix: write the keys out",
            id="merge, but not in quotes",
        ),
        pytest.param(
            "%YAML 1.1\n---\na: 1\n",
            "f:1:1: R004 a YAML directive is not allowed\n  fix: take the line out",
            id="directive",
        ),
        pytest.param(
            "a: 1\nb: 2\na: 3\n",
            "f:3:1: R002 the key `a` stands twice, first in line 1\n  fix: keep one of them",
            id="duplicate key",
        ),
        pytest.param(
            "{a: 1, b: {c: 1, c: 2}}\n",
            "f:1:18: R002 the key `c` stands twice, first in line 1\n  fix: keep one of them",
            id="duplicate key in braces",
        ),
        pytest.param(
            "1: a\ntrue: b\n~: c\n1.5: d\n",
            "f:1:1: R004 a key must be a string, not the number 1\n"
            "  fix: put it in single quotes\n"
            "f:2:1: R004 a key must be a string, not the boolean true\n"
            "  fix: put it in single quotes\n"
            "f:3:1: R004 a key must be a string, not nothing\n"
            "  fix: put it in single quotes\n"
            "f:4:1: R004 a key must be a string, not the number 1.5\n"
            "  fix: put it in single quotes",
            id="keys that are no strings",
        ),
        pytest.param(
            "[a]: b\n? {c: d}\n: e\n",
            "f:1:1: R004 a key must be a string, not a list or a mapping\n"
            "  fix: give it a name\n"
            "f:2:3: R004 a key must be a string, not a list or a mapping\n"
            "  fix: give it a name",
            id="keys that are collections",
        ),
        pytest.param(
            "*a : b\n",
            "f:1:1: R004 `*a` is a YAML alias, which is not allowed\n"
            "  fix: put it in single quotes: '*a'",
            id="a key that is an alias",
        ),
        pytest.param(
            "a: .inf\nb: 18446744073709551616\n",
            "f:1:4: R005 `.inf` is no number that QEMU could take\n"
            "  fix: use a finite number of at most 64 bits, or put it in single quotes\n"
            "f:2:4: R005 `18446744073709551616` is no number that QEMU could take\n"
            "  fix: use a finite number of at most 64 bits, or put it in single quotes",
            id="numbers out of reach",
        ),
        # an expression that is not quoted
        pytest.param(
            "if: !data.open && x\n",
            "f:1:5: R001 a value that begins with ! is a YAML tag\n"
            "  fix: put it in single quotes: '!data.open && x'",
            id="begins with !",
        ),
        pytest.param(
            "name: *\n",
            "f:1:7: R001 a value that begins with * is a YAML alias\n"
            "  fix: put it in single quotes: '*'",
            id="begins with *",
        ),
        pytest.param(
            "- a: && b\n",
            "f:1:6: R001 a value that begins with & is a YAML anchor\n"
            "  fix: put it in single quotes: '&& b'",
            id="begins with &",
        ),
        pytest.param(
            "a: {x: 1}.x == 1\n",
            "f:1:4: R001 a value that begins with { is a YAML mapping\n"
            "  fix: put it in single quotes: '{x: 1}.x == 1'",
            id="begins with {",
        ),
        pytest.param(
            "a: [1] == data.x\n",
            "f:1:4: R001 a value that begins with [ is a YAML list\n"
            "  fix: put it in single quotes: '[1] == data.x'",
            id="begins with [",
        ),
        pytest.param(
            'a: "x" == data.y\n',
            'f:1:4: R001 a value that begins with " is a quoted YAML string\n'
            "  fix: put it in single quotes: '\"x\" == data.y'",
            id='begins with "',
        ),
        pytest.param(
            "a: 'it's'\n",
            "f:1:4: R001 a value that begins with ' is a quoted YAML string\n"
            "  fix: put it in single quotes: '''it''s'''",
            id="begins with '",
        ),
        pytest.param(
            "a: > 3\n",
            "f:1:4: R001 a value that begins with > is a YAML text block\n"
            "  fix: put it in single quotes: '> 3'",
            id="begins with >",
        ),
        pytest.param(
            "a: @x\n",
            "f:1:4: R001 a value that begins with @ is nothing that YAML knows\n"
            "  fix: put it in single quotes: '@x'",
            id="begins with @",
        ),
        pytest.param(
            'if: data.x == "a: b"\n',
            "f:1:17: R001 a value without quotes cannot hold a colon and a space\n"
            "  fix: put it in single quotes: 'data.x == \"a: b\"'",
            id="holds a colon and a space",
        ),
        pytest.param(
            "a: " + "x" * 56 + " y: z\n",
            "f:1:62: R001 a value without quotes cannot hold a colon and a space\n"
            "  fix: put it in single quotes",
            id="61 characters are not repeated",
        ),
        pytest.param(
            "a: " + "x" * 55 + " y: z\n",
            "f:1:61: R001 a value without quotes cannot hold a colon and a space\n"
            f"  fix: put it in single quotes: '{'x' * 55} y: z'",
            id="60 characters are",
        ),
        pytest.param(
            "steps:\n  - log: " + "long " * 20 + "a: b\n",
            "f:2:111: R001 a value without quotes cannot hold a colon and a space\n"
            "  fix: put it in single quotes",
            id="a long value is not repeated",
        ),
        pytest.param(
            "payload: {guest: ${guest.name}, b: c}\n",
            "f:1:19: R001 YAML expects a comma or } here, not `{`\n"
            "  fix: put it in single quotes: '${guest.name}'",
            id="template in braces",
        ),
        pytest.param(
            "a: [b, ${c}]\n",
            "f:1:9: R001 YAML expects a comma or ] here, not `{`\n"
            "  fix: put it in single quotes: '${c}'",
            id="template in brackets",
        ),
        pytest.param(
            "a: {b: data.x[0] > 1}\n",
            "f:1:14: R001 YAML expects a comma or } here, not `[`\n"
            "  fix: put it in single quotes: 'data.x[0] > 1'",
            id="brackets in braces",
        ),
        pytest.param(
            "a: {b: data.c in [\"d\", 'e'], own: true}\n",
            "f:1:18: R001 YAML expects a comma or } here, not `[`\n"
            "  fix: put it in single quotes: 'data.c in [\"d\", ''e'']'",
            id="the whole value is quoted, and no more",
        ),
        pytest.param(
            'a: {b: "c" == data.d, e: f}\n',
            "f:1:12: R001 YAML expects a comma or } here, not `=`\n"
            "  fix: put it in single quotes: '\"c\" == data.d'",
            id="a value that begins with a quote in braces",
        ),
        pytest.param(
            "- {log: guest: down, b: c}\n",
            "f:1:14: R001 YAML expects a comma or } here, not `:`\n  fix: put it in single"
            " quotes: 'guest: down'; or write the comma that is missing",
            id="a colon in braces",
        ),
        pytest.param(
            "a: {b: 'it's'}\n",
            f"f:1:12: R001 YAML expects a comma or }} here, not `s`\n"
            f"  fix: {IF_PART}; else write the comma",
            id="nobody can tell where the value ends",
        ),
        pytest.param(
            "- {'it's'}\n",
            f"f:1:8: R001 YAML expects a comma or }} here, not `s`\n"
            f"  fix: {IF_PART}; else write the comma",
            id="nobody can tell where the value begins",
        ),
        pytest.param(
            "a: !b [c\n",
            "f:1:4: R004 `!b` is a YAML tag, which is not allowed\n  fix: take it out",
            id="of one line the first problem is told, and not what may come of it",
        ),
        pytest.param(
            "a: {b: c[0\n  , d: e}\n",
            f"f:1:9: R001 YAML expects a comma or }} here, not `[`\n"
            f"  fix: {IF_PART}; else write the comma",
            id="a value that goes on in the next line",
        ),
        pytest.param(
            "a: {b: c}, d\n",
            "f:1:10: R001 `, d` stands behind the end of the value\n"
            "  fix: take it out, or move the bracket that closes before it",
            id="something behind the brace",
        ),
        pytest.param(
            "a: {text: disk #3 is bad, b: c}\n",
            "f:1:16: R001 ` #` begins a comment: the rest of the line is lost, and its }\n"
            "  fix: put it in single quotes: 'disk #3 is bad'",
            id="a comment in braces",
        ),
        pytest.param(
            "- {a: ' #x', log: disk #3}\n- {log: y}\n",
            "f:1:24: R001 ` #` begins a comment: the rest of the line is lost, and its }\n"
            "  fix: put it in single quotes: 'disk #3'",
            id="a comment in braces, told further below",
        ),
        pytest.param(
            "a: [b, # ]\n",
            "f:1:8: R001 ` #` begins a comment: the rest of the line is lost, and its ]\n"
            "  fix: close it with ] before the comment",
            id="a comment with the bracket",
        ),
        pytest.param(
            "a: {b: c # d\n",
            "f:1:4: R001 the { that opens here is never closed\n  fix: close it with }",
            id="a comment without the brace",
        ),
        pytest.param(
            "a: {{ guest.name }}\n",
            "f:1:5: R004 `{{ }}` is no template here\n"
            "  fix: put it in single quotes: '${guest.name}'",
            id="a template of Jinja",
        ),
        pytest.param(
            "a: {b: *c, d: e}\n",
            "f:1:8: R004 `*c` is a YAML alias, which is not allowed\n"
            "  fix: put it in single quotes: '*c'",
            id="an alias in braces",
        ),
        pytest.param(
            "a: {where: !data.x}\n",
            "f:1:12: R001 a value that begins with ! is a YAML tag\n"
            "  fix: put it in single quotes: '!data.x'",
            id="begins with ! in braces",
        ),
        pytest.param(
            "a: {b: [, c]}\n",
            f"f:1:9: R001 YAML expects a value here, not `,`\n  fix: {IF_PART}",
            id="a comma and no value",
        ),
        # what is not closed, not begun, not aligned
        pytest.param(
            "a: {b: c\n",
            "f:1:4: R001 the { that opens here is never closed\n  fix: close it with }",
            id="brace not closed",
        ),
        pytest.param(
            "a: [\n",
            "f:1:4: R001 the [ that opens here is never closed\n  fix: close it with ]",
            id="bracket without anything",
        ),
        pytest.param(
            "a: [1, 2\nb: c\n",
            "f:1:4: R001 the [ that opens here is never closed\n  fix: close it with ]",
            id="bracket not closed before the next key",
        ),
        pytest.param(
            "a: {b: c}}\n",
            f"f:1:10: R001 this }} closes nothing\n  fix: take it out, or {IF_PART}",
            id="one brace too many",
        ),
        pytest.param(
            "a: 'x\nb: c\n",
            "f:1:4: R001 the quote ' that opens here is never closed\n  fix: close it",
            id="single quote not closed",
        ),
        pytest.param(
            'a: "x\n---\nb: c\n',
            'f:1:4: R001 the quote " that opens here is never closed\n  fix: close it',
            id="double quote not closed",
        ),
        pytest.param(
            'a: "C:\\path"\n',
            "f:1:7: R001 this is no escape that YAML knows in double quotes\n"
            "  fix: put the value in single quotes, where a backslash is a backslash",
            id="backslash in double quotes",
        ),
        pytest.param(
            "a:\n\tb: c\n",
            "f:2:1: R001 a tab stands where YAML wants spaces\n  fix: use spaces",
            id="tab",
        ),
        pytest.param(
            "a:\n  b: c\n \td: e\n",
            "f:3:2: R001 a tab stands where YAML wants spaces\n  fix: use spaces",
            id="tab behind a space",
        ),
        pytest.param(
            "a: b\n  c: d\n",
            "f:2:4: R001 this key stands inside the value of the line above\n"
            "  fix: indent it like the keys that it belongs to",
            id="key inside a value",
        ),
        pytest.param(
            "a:\n  b: 1\n c: 2\n",
            f"f:3:2: R001 YAML cannot be read from here\n  fix: {TAIL}",
            id="key between two depths",
        ),
        pytest.param(
            "a: - b\n",
            f"f:1:4: R001 a list cannot begin on the line of its key\n"
            f"  fix: begin a new line; or {IF_PART}",
            id="list on the line of its key",
        ),
        pytest.param(
            "a:\n- b\nc\n",
            "f:3:1: R001 `c` is not followed by a colon\n  fix: write it as `key: value`",
            id="no colon",
        ),
        pytest.param(
            "--- a: b\n",
            "f:1:6: R001 a document cannot begin on its `---` line\n  fix: begin a new line",
            id="document on its own marker",
        ),
        pytest.param(
            "a: b\n... c\n",
            f"f:2:5: R001 YAML cannot be read from here\n  fix: {TAIL}",
            id="text behind the end",
        ),
        # characters
        pytest.param(
            "a: b\0\nc: \x85\ufeff\n",
            "f:1:5: R001 the character U+0000 is not allowed\n"
            "  fix: take it out, or write it as an escape in double quotes\n"
            "f:2:4: R001 the character U+0085 is not allowed\n"
            "  fix: take it out, or write it as an escape in double quotes\n"
            "f:2:5: R001 the character U+FEFF is not allowed\n"
            "  fix: take it out, or write it as an escape in double quotes",
            id="NUL and line breaks of YAML 1.1",
        ),
        pytest.param(
            "\n\0\n",
            "f:2:1: R001 the character U+0000 is not allowed\n"
            "  fix: take it out, or write it as an escape in double quotes",
            id="NUL behind an empty line",
        ),
        pytest.param(
            "a: b\rc: d\n",
            "f:1:5: R001 the character U+000D is not allowed\n"
            "  fix: take it out, or write it as an escape in double quotes\n"
            "f:1:7: R001 a value without quotes cannot hold a colon and a space\n"
            "  fix: put it in single quotes: 'b_c: d'",
            id="a carriage return alone is no line end",
        ),
        # several documents
        pytest.param(
            "a: [\n---\nb: *c\n---\nd: 1\nd: 2\n",
            "f:1:4: R001 the [ that opens here is never closed\n  fix: close it with ]\n"
            "f:3:4: R004 `*c` is a YAML alias, which is not allowed\n"
            "  fix: put it in single quotes: '*c'\n"
            "f:6:1: R002 the key `d` stands twice, first in line 5\n  fix: keep one of them",
            id="a broken document does not hide the next ones",
        ),
    ],
)
def test_what_is_refused(
    text: str, message: str, loader: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake is named with its place and its fix, whichever parser is there."""
    monkeypatch.setattr(reader, "_LOADER", loader)
    assert problems_of(text) == message


@pytest.mark.parametrize(
    ("text", "loader", "message"),
    [
        pytest.param(
            "a: {where: data.?x == 1, b: c}\n",
            yaml.CSafeLoader,
            "f:1:12: R001 inside { } or [ ] a value without quotes cannot hold `?`\n"
            "  fix: put it in single quotes: 'data.?x == 1'",
            id="question mark in braces, libyaml",
        ),
        pytest.param(
            "a: {where: data.x ? 1}\n",
            yaml.SafeLoader,
            "f:1:19: R001 YAML expects a comma or } here, not `?`\n"
            "  fix: put it in single quotes: 'data.x ? 1'",
            id="question mark in braces, PyYAML",
        ),
        pytest.param(
            'a: "\\ud800"\n',
            yaml.SafeLoader,
            "f:1:4: R001 half a surrogate pair is no character\n  fix: write the whole character",
            id="surrogate, PyYAML",
        ),
        pytest.param(
            "a:\tb\n",
            yaml.SafeLoader,
            "f:1:3: R001 a tab stands where YAML wants spaces\n  fix: use spaces",
            id="tab behind a colon, PyYAML",
        ),
    ],
)
def test_what_the_two_parsers_refuse_in_different_places(
    text: str, loader: type, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both refuse it or take it for the same; the place or the words may differ."""
    monkeypatch.setattr(reader, "_LOADER", loader)
    assert problems_of(text) == message


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("# only\n\n---\n# comments\n...\n", [], id="comments only"),
        pytest.param("\ufeffa: 1\r\nb: 2\r\n", [{"a": 1, "b": 2}], id="BOM, Windows line ends"),
        pytest.param("a: on\n---\nb: 010\n", [{"a": "on"}, {"b": 10}], id="two documents"),
        pytest.param("a: 1\n...\nb: 2\n", [{"a": 1}, {"b": 2}], id="dots end a document"),
        pytest.param("---\na: 1\n--- # x\nb: 2", [{"a": 1}, {"b": 2}], id="comment on a marker"),
        pytest.param("--- {a: 1}\n--- [b]\n", [{"a": 1}, ["b"]], id="values on their markers"),
        pytest.param("a: |\n  ---\n  x\n", [{"a": "---\nx\n"}], id="indented dashes are text"),
        pytest.param("a: 'on'\nb: \"010\"\n", [{"a": "on", "b": "010"}], id="quoted is text"),
        pytest.param("a: data.?x[0] == {}\n", [{"a": "data.?x[0] == {}"}], id="expression"),
        pytest.param("a: b # c\n", [{"a": "b"}], id="comment"),
        pytest.param("a: {b, c: }\n", [{"a": {"b": None, "c": None}}], id="keys without values"),
        pytest.param("a: ${x}\n", [{"a": "${x}"}], id="template"),
    ],
)
def test_what_is_read(
    text: str, values: list[object], loader: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values of each document, without a problem."""
    monkeypatch.setattr(reader, "_LOADER", loader)
    reading = read(text, "f")
    assert reading.problems == ()
    assert [plain(document.root) for document in reading.documents] == values


@pytest.mark.parametrize(
    ("text", "first", "sources"),
    [
        pytest.param("a: 1\n", 1, [("f:1:1", "a: 1\n")], id="one"),
        pytest.param(
            "# c\n\na: 1\n# d\nb: 2\n\n\n---\n\nc: 3\n",
            1,
            [("f:3:1", "a: 1\n# d\nb: 2\n"), ("f:10:1", "c: 3\n")],
            id="from the first key, without what surrounds it",
        ),
        pytest.param("--- {a: 1}\n", 1, [("f:1:5", "    {a: 1}\n")], id="columns stay"),
        pytest.param(
            "a: |+\n  x\n\n\n---\n>",
            1,
            [("f:1:1", "a: |+\n  x\n"), ("f:6:1", ">\n")],
            id="text blocks at the end",
        ),
        pytest.param("  a: 1\n  b: 2\n", 7, [("f:7:3", "  a: 1\n  b: 2\n")], id="other line"),
    ],
)
def test_the_source_of_a_document(text: str, first: int, sources: list[tuple[str, str]]) -> None:
    """It begins with the line of the first key, and gives the same tree when read again there."""
    documents = read(text, "f", first).documents
    assert [(str(document.place), document.source) for document in documents] == sources
    for document in documents:
        assert read(document.source, "f", document.place.line).documents == (document,)


def test_places_of_keys_and_values() -> None:
    """Lines and columns count from 1, also behind letters of several bytes."""
    root = read("é: ü\nb:\n- {c: d}\n", "f").documents[0].root
    assert isinstance(root, Dictionary)
    first = root.entries["é"]
    assert (str(first.key_place), str(first.value.place)) == ("f:1:1", "f:1:4")
    assert str(root.entries["b"].value.place) == "f:3:1"


@pytest.mark.parametrize(
    ("text", "column"),
    [
        pytest.param("a: abc", 6, id="plain"),
        pytest.param("a: 'abc'", 7, id="single quotes"),
        pytest.param("a: '''''c'", 9, id="single quotes, doubled before"),
        pytest.param('a: "abc"', 7, id="double quotes"),
        pytest.param('a: "\\tbc"', 4, id="double quotes with an escape: the start"),
        pytest.param("a: ab\n  c", 4, id="two lines: the start"),
        pytest.param("a: 'a\n  b'", 4, id="two lines in quotes: the start"),
        pytest.param("a: |\n  abc", 4, id="block: the start"),
    ],
)
def test_the_place_of_a_character_inside_a_scalar(text: str, column: int) -> None:
    """The third character of the value, where the line shows the value as it is."""
    root = read(text, "f").documents[0].root
    assert isinstance(root, Dictionary)
    scalar = root.get("a")
    assert isinstance(scalar, Scalar)
    assert scalar.place_of(2) == Place("f", 1, column)


def test_find() -> None:
    """Keys and indices lead down; a scalar ends the way."""
    root = read("a: [{b: c}]\n", "f").documents[0].root
    assert plain(find(root, ("a", 0, "b"))) == "c"
    assert plain(find(root, ("a", 0, "b", 1, "x"))) == "c"


def test_what_was_complained_about_is_broken() -> None:
    """The value of a forbidden tag, anchor or alias is handed on as broken, the rest is there."""
    text = "a: !x y\nb: &z {c: 1}\nd: *z\ne: 1\n*z : 1\n1: 1\n[e]: 1\ne: 2\n<<: 1\n"
    root = read(text, "f").documents[0].root
    assert isinstance(root, Dictionary)
    kinds = {key: type(entry.value) for key, entry in root.entries.items()}
    assert kinds == {"a": Broken, "b": Broken, "d": Broken, "e": Scalar}
    assert root.get("f") is None
    assert plain(root) == {"a": None, "b": None, "d": None, "e": 1}


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        pytest.param(MAX_DEPTH - 1, "", id="at the bound"),
        pytest.param(
            MAX_DEPTH,
            f"f:1:{MAX_DEPTH + 1}: R001 values are nested deeper than {MAX_DEPTH}\n"
            "  fix: nest them less",
            id="beyond",
        ),
        pytest.param(
            500_000,
            f"f:1:{MAX_DEPTH + 1}: R001 values are nested deeper than {MAX_DEPTH}\n"
            "  fix: nest them less",
            id="a bomb",
        ),
    ],
)
def test_the_depth_is_bounded(depth: int, message: str) -> None:
    """A document of lists in lists is read or refused, and never hangs."""
    text = "[" * depth + "1" + "]" * depth
    assert problems_of(text) == message


def test_mappings_are_as_deep_as_lists() -> None:
    """A key is one level below its mapping, and so is its value."""
    deep = "{a: " * (MAX_DEPTH - 1) + "1" + "}" * (MAX_DEPTH - 1)
    assert problems_of(deep) == ""
    assert "nested deeper" in problems_of("{a: " + deep + "}")


@pytest.mark.parametrize(
    ("count", "message"),
    [
        pytest.param(MAX_NODES - 1, "", id="at the bound"),
        pytest.param(
            MAX_NODES,
            f"f:{MAX_NODES}:3: R001 a document cannot hold more than {MAX_NODES} values\n"
            "  fix: split it into several",
            id="beyond",
        ),
    ],
)
def test_the_number_of_values_is_bounded(count: int, message: str) -> None:
    """The list itself counts as one."""
    assert problems_of("- 1\n" * count) == message


@pytest.mark.parametrize(
    ("count", "message"),
    [
        pytest.param(2000, "", id="at the bound"),
        pytest.param(
            2001,
            "f:2001:1: R001 a file cannot hold more than 2000 documents\n"
            "  fix: split it into several files",
            id="beyond",
        ),
    ],
)
def test_the_number_of_documents_is_bounded(count: int, message: str) -> None:
    """The first ones are still read."""
    text = "--- 1\n" * count
    assert problems_of(text) == message
    assert len(read(text, "f").documents) == 2000


def test_foreign_characters_do_not_drown_the_rest() -> None:
    """Of a binary file only the first ones are named."""
    assert len(read("\0" * 1000, "f").problems) == 10


@pytest.mark.parametrize(
    ("data", "text", "message"),
    [
        pytest.param("ü".encode(), "ü", "", id="UTF-8"),
        pytest.param(
            b"a: b\nc: \xc3\xbc \xff\n",
            "",
            "f:2:6: R011 byte 0xff is not UTF-8\n  fix: save the file as UTF-8",
            id="not UTF-8",
        ),
        pytest.param(b"x" * MAX_BYTES, "x" * MAX_BYTES, "", id="at the bound"),
        pytest.param(
            b"x" * (MAX_BYTES + 1),
            "",
            "f: R011 the file is larger than 1024 KiB\n  fix: split it into several files",
            id="too large",
        ),
    ],
)
def test_decode(data: bytes, text: str, message: str) -> None:
    """The text, or why there is none."""
    decoded, problems = decode(data, "f")
    assert (decoded, "\n".join(map(str, problems))) == (text, message)


YAMLISH = st.text(
    alphabet=st.sampled_from("ab: -?{}[],&*!|>'\"%@`#\n\t\\~<.0\u00fc\0\ud800\ufeff\u2028"),
    max_size=60,
)


@given(st.one_of(YAMLISH, st.text(max_size=200)))
def test_any_text_gives_documents_or_problems(text: str) -> None:
    """Nothing raises; places lie inside the text; a document can be read again."""
    reading = read(text, "f")
    lines = text.count("\n") + 2
    assert all(1 <= problem.place.line <= lines for problem in reading.problems)
    for document in reading.documents:
        again = read(document.source, "f", document.place.line)
        assert again.documents == (document,) or reading.problems


@given(YAMLISH)
def test_both_parsers_agree_on_what_they_take(text: str) -> None:
    """What passes with both has one meaning."""
    results = []
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader, "_LOADER", loader)
            results.append(read(text, "f"))
    fast, slow = results
    if not fast.problems and not slow.problems:
        assert fast == slow
