"""What the CEL library says about an expression, in one sentence with a fix."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from reactor.core.cel_library import MEMBERS
from reactor.core.cel_names import Names
from reactor.core.cel_tokens import open_bracket, open_quote, outside
from reactor.core.cel_tree import Misuse
from reactor.core.text import closest

SIGNATURES = {
    "glob": 'glob(data.id, "web-*")',
    "slug": "slug(data.device)",
    "marked": 'marked("disk", data.node_name) or marked("disk", data.node_name, "degraded")',
    "now": "now()",
    "free": 'host.free("/var/crash")',
    "size": "size(data.x)",
    "contains": 'data.x.contains("...")',
    "startsWith": 'data.x.startsWith("...")',
    "endsWith": 'data.x.endsWith("...")',
    "matches": 'data.x.matches(r"^web-[0-9]+$")',
    "has": "has(data.x)",
    "all": "data.x.all(item, item > 0)",
    "exists": "data.x.exists(item, item > 0)",
    "exists_one": "data.x.exists_one(item, item > 0)",
    "map": "data.x.map(item, item.name)",
    "filter": "data.x.filter(item, item > 0)",
    "int": "int(data.x)",
    "double": "double(data.x)",
    "string": "string(data.x)",
    "bool": "bool(data.x)",
    "type": "type(data.x)",
    "duration": 'duration("24h")',
    "timestamp": 'timestamp("2026-01-31T12:00:00Z")',
    "orValue": 'data.?x.orValue("")',
    "hasValue": "data.?x.hasValue()",
    "optMap": "data.?x.optMap(item, item + 1)",
    "getHours": "event.time.getHours()",
    "getMinutes": "event.time.getMinutes()",
    "getDayOfWeek": "event.time.getDayOfWeek()",
}
"""How each function is written, for who wrote it otherwise."""

_OTHER_NAMES = {
    "coalesce": "orValue",
    "count": "size",
    "default": "orValue",
    "fnmatch": "glob",
    "len": "size",
    "length": "size",
    "match": "matches",
    "str": "string",
}

_WORDS = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "AND": "&&",
    "OR": "||",
    "NOT": "!",
    "is": "==",
    "like": 'glob(data.x, "web-*")',
    "then": "a ? b : c",
}
_VALUES = {
    **dict.fromkeys(("True", "TRUE", "yes", "Yes", "on", "On"), "true"),
    **dict.fromkeys(("False", "FALSE", "no", "No", "off", "Off"), "false"),
    **dict.fromkeys(("None", "nil", "NULL", "undefined"), "null"),
}
_OPERATORS = {
    "===": "==",
    "<>": "!=",
    "=~": '.matches(r"...")',
    "!~": '.matches(r"...") with a ! in front',
    "??": ".orValue(...), and .? instead of the dot",
    "=>": ">=",
    "=<": "<=",
    "~=": '.matches(r"...")',
    "&": "&&",
    "|": "||",
    "=": "==",
}
_KINDS = {
    "bool": "true or false",
    "double": "a fraction",
    "dyn": "any value",
    "google.protobuf.Duration": "a duration",
    "google.protobuf.Timestamp": "a time",
    "int": "a whole number",
    "list": "a list",
    "map": "a map",
    "null": "null",
    "null_type": "null",
    "optional_type": "an optional",
    "string": "a text",
    "type": "a type",
    "uint": "an unsigned number",
}
_PLAIN = {"_?_:_": "? :", "_[_]": "[ ]", "@in": "in"}

_FIRST = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_HYPHENS = re.compile(r"[A-Za-z_][\w.]*(?:-\w+)+", re.ASCII)
_FOREIGN = re.compile(
    r"===|=~|!~|~=|<>|=>|=<|\?\?|(?<![=!<>])=(?!=)|(?<!&)&(?!&)|(?<!\|)\|(?!\|)"
    rf"|(?<![\w.])(?:{'|'.join(_WORDS)})(?!\w)"
)
_SMART = frozenset("\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb")


@dataclass(frozen=True, slots=True)
class _Case:
    """One complaint of the library: what it says, and the offset where."""

    source: str
    at: int
    text: str
    names: Names

    def misuse(self, problem: str, fix: str, at: int | None = None) -> Misuse:
        """The complaint in our words."""
        return Misuse(self.at if at is None else at, problem, fix)


def explain(source: str, complaint: str, names: Names) -> Misuse:
    """The library's first complaint as a problem with a place and a fix."""
    found = _FIRST.search(complaint)
    if found is None or found[1] == "-1":
        problem = "the expression is nested too deeply, or a chain in it is too long"
        return Misuse(0, problem, "split it: a part in `vars`, or a list of conditions")
    lines = source.split("\n")
    at = sum(len(line) + 1 for line in lines[: int(found[1]) - 1]) + int(found[2]) - 1
    case = _Case(source, at, found[3], names)
    for pattern, handle in _HANDLERS:
        match = re.match(pattern, case.text)
        if match is not None:
            return handle(case, *match.groups())
    return case.misuse(f"the library says: {case.text}", _GENERAL)


_GENERAL = 'write it like data.action == "pause" && guest.status == "running"'


def _undeclared(case: _Case, name: str) -> Misuse:
    if case.source[case.at : case.at + 1] == "(":
        return _unknown_function(case, name.rpartition(".")[2])
    root = name.partition(".")[0]
    start = max(case.source.rfind(name, 0, case.at + len(name)), 0)
    for hyphened in _HYPHENS.finditer(case.source):
        first = hyphened.start() + ("." in hyphened[0])
        if first <= start < hyphened.end():
            return _hyphen(case, hyphened[0], hyphened.start())
    if root in _VALUES:
        return case.misuse(f"`{root}` is not known", f"write {_VALUES[root]}", start)
    return case.misuse(f"`{root}` is not known", _unknown_fix(case, root), start)


def _unknown_fix(case: _Case, name: str) -> str:
    near = closest(name, case.names.allowed)
    if near is not None:
        return f"did you mean {near}?"
    owners = [path for path in case.names.allowed if name in MEMBERS.get(path, ())]
    if owners:
        return f"did you mean {' or '.join(f'{owner}.{name}' for owner in owners)}?"
    if "data" not in case.names.allowed:
        return f"known are: {case.names.listed()}"
    if shape := case.names.shapes.get(("data",)):
        return f"write data.{name}" if name in shape.members else f'write "{name}" if it is a text'
    return f'write data.{name} for a member of the event, "{name}" for a text'


def _hyphen(case: _Case, text: str, at: int) -> Misuse:
    above, _, name = text.rpartition(".")
    if not above:
        fix = f'write it in quotes if it is a text: "{text}"'
    elif above.startswith(("data", "trigger", "steps")):
        fix = f"write {above}.{name.replace('-', '_')}"
    else:
        fix = f'write {above}["{name}"]'
    return case.misuse(f"`{text}` is read as a subtraction", fix, at)


def _unknown_function(case: _Case, name: str) -> Misuse:
    start = max(case.source.rfind(name, 0, case.at), 0)
    if name in SIGNATURES:
        return case.misuse(f"{name}() is not written like this", f"write {SIGNATURES[name]}", start)
    near = closest(name, [*SIGNATURES, *_OTHER_NAMES])
    meant = SIGNATURES[_OTHER_NAMES.get(near, near)] if near else ""
    fix = f"did you mean {meant}?" if meant else f"known are: {', '.join(SIGNATURES)}"
    return case.misuse(f"there is no function {name}()", fix, start)


def _overload(case: _Case, function: str, kinds: str) -> Misuse:
    types = _split(kinds)
    words = [_KINDS.get(kind, kind) for kind in types]
    symbol = _PLAIN.get(function) or function.strip("_")
    if function == "_?_:_":
        return _sides(case, types, words)
    shown = symbol if not symbol.isidentifier() or symbol == "in" else f"{symbol}()"
    problem = f"`{shown}` cannot take {' and '.join(words)}"
    return case.misuse(problem, _overload_fix(function, types, words))


def _sides(case: _Case, types: list[str], words: list[str]) -> Misuse:
    if types[0] not in {"bool", "dyn"}:
        problem = f"the condition of `? :` is {words[0]}, not true or false"
        return case.misuse(problem, "compare it with something")
    problem = f"the two sides of `? :` are {words[1]} and {words[2]}"
    return case.misuse(problem, "make them the same kind")


def _overload_fix(function: str, types: list[str], words: list[str]) -> str:
    kinds = set(types)
    otherwise = _FIXES.get(function, "use values that go together")
    if function in _COMPARISONS:
        otherwise = f"compare {words[0]} with {words[0]}"
    if function == "_+_" and "string" in kinds:
        otherwise = "make a text of the other with string(...)"
    if function in {"or", "orValue"}:
        return otherwise
    if "optional_type" in kinds:
        return "end the optional with .orValue(...)"
    if function in SIGNATURES:
        return f"write {SIGNATURES[function]}"
    if kinds == {"int", "double"}:
        return "write both as whole numbers or both as fractions, or use double(...)"
    if kinds & {"google.protobuf.Duration", "google.protobuf.Timestamp"}:
        return 'times go with timestamp("2026-01-31T12:00:00Z"), durations with duration("24h")'
    return otherwise


_COMPARISONS = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
_TRUTH = "compare it with something, so that it is true or false"
_FIXES = {
    "_&&_": _TRUTH,
    "_||_": _TRUTH,
    "!_": _TRUTH,
    "or": "give both sides one kind",
    "orValue": "give both sides one kind",
}


def _split(kinds: str) -> list[str]:
    """The names of the types without their parameters."""
    found, depth = [""], 0
    for character in kinds:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            found.append("")
        elif not depth and character not in " )":
            found[-1] += character
    return found


def _no_members(case: _Case, kind: str) -> Misuse:
    word = _KINDS.get(kind.partition("(")[0], kind)
    return case.misuse(f"{word} has no members", "take the dot and what follows it away")


def _expected(case: _Case, wanted: str, found: str) -> Misuse:
    words = [_KINDS.get(_split(kind)[0], kind) for kind in (found, wanted)]
    fix = "write .? instead of the dot" if "optional" in wanted else "use values that go together"
    return case.misuse(f"{words[0]} stands where {words[1]} is needed", fix)


def _macro(case: _Case, _name: str) -> Misuse:
    problem = "the first argument of a macro is the name for an item"
    return case.misuse(problem, f"write {SIGNATURES['map']}")


def _has(case: _Case) -> Misuse:
    return case.misuse("has() asks for a member", "write has(data.x)")


def _too_large(case: _Case) -> Misuse:
    return case.misuse("the number does not fit into 64 bits", "write a smaller number")


def _reserved(case: _Case, word: str) -> Misuse:
    if word == "if":
        return case.misuse("`if` has no place in an expression", "write a ? b : c")
    return case.misuse(f"`{word}` is a word that CEL keeps for itself", "use another name")


def _syntax(case: _Case, text: str) -> Misuse:
    quote = open_quote(case.source)
    if double := _DOUBLE.fullmatch(case.source):
        problem = "braces around an expression are of other templates"
        return case.misuse(problem, f"write {double[1]} without them", double.start(1))
    if case.source[case.at : case.at + 1] in _SMART:
        return case.misuse("typographic quotes are no quotes", "write \" or '")
    if quote is not None:
        return case.misuse("a quote is not closed", f"close it with {case.source[quote]}", quote)
    if re.match(r"token recognition error at: '[\"'].*\\", text):
        problem = "a text holds an escape that CEL does not know"
        return case.misuse(problem, 'write r"..." for a pattern, or double the backslash')
    return _foreign(case) or _brackets(case) or _unexpected(case, text)


def _foreign(case: _Case) -> Misuse | None:
    """The first operator or word that other languages have and CEL has not."""
    bare = bytearray(b'"' * len(case.source))
    for at, character in outside(case.source):
        bare[at] = ord(character) if character.isascii() else ord("x")
    found = _FOREIGN.search(bare.decode("ascii"))
    if found is None:
        return None
    token = found[0]
    if token in _OPERATORS:
        return case.misuse(f"`{token}` is not known", f"write {_OPERATORS[token]}", found.start())
    return case.misuse(f"`{token}` is not known", f"write {_WORDS[token]}", found.start())


def _brackets(case: _Case) -> Misuse | None:
    found = open_bracket(case.source)
    if found is None:
        return None
    at, bracket = found
    if bracket in ")]}":
        return case.misuse(f"`{bracket}` closes nothing", "take it away, or open it before", at)
    return case.misuse(f"`{bracket}` is not closed", "close it", at)


def _unexpected(case: _Case, text: str) -> Misuse:
    if case.source[case.at : case.at + 1] == "$":
        problem = "`${ }` stands around an expression only inside a text"
        return case.misuse(problem, "write the expression alone")
    unknown = re.match(r"token recognition error at: '(.)", text)
    if unknown is not None:
        fix = "write // before a comment" if unknown[1] == "#" else _GENERAL
        return case.misuse(f"`{unknown[1]}` has no place in an expression", fix)
    after_dot = re.fullmatch(r"""no viable alternative at input '\.["']?(\w[\w-]*)["']?'""", text)
    if after_dot is not None:
        problem = f"`{after_dot[1]}` cannot stand after a dot"
        return case.misuse(problem, f'write ["{after_dot[1]}"] without the dot')
    if text.endswith("expecting ':'"):
        return case.misuse("a `?` has no `:`", "write a ? b : c")
    if case.at >= len(case.source.rstrip()):
        return case.misuse("the expression ends too early", "write what is missing at its end")
    return _out_of_place(case, text)


def _out_of_place(case: _Case, text: str) -> Misuse:
    found = re.match(r"(?:extraneous|mismatched) input '(.+?)' expecting", text)
    if found is None:
        return case.misuse("the syntax is wrong here", _GENERAL)
    with_unit = _UNIT.match(case.source, max(case.at - 1, 0))
    if with_unit is not None:
        problem = f"`{with_unit[1]}` cannot follow a number"
        fix = 'write sizes in bytes (4 * 1024 * 1024 * 1024), durations as duration("30s")'
        return case.misuse(problem, fix)
    missing = "an operator" if re.match(r"[\w\"']", found[1]) else "a value"
    return case.misuse(f"`{found[1]}` is not expected here", f"{missing} is missing before it")


_DOUBLE = re.compile(r"\s*\$?\{+\s*([^{}:]*[^{}:\s])\s*\}+\s*")
_UNIT = re.compile(r"\d([A-Za-z]+)")

_HANDLERS: tuple[tuple[str, Callable[..., Misuse]], ...] = (
    (r"undeclared reference to '(.*?)' \(in", _undeclared),
    (r"found no matching overload for '(.*?)' applied to '\((.*)\)'", _overload),
    (r"expected type '(.*)' but found '(.*)'", _expected),
    (r"expression of type '(.*)' cannot be the operand", _no_members),
    (r"(\w+)\(\) variable name must be", _macro),
    (r"has\(\) argument must be", _has),
    (r"invalid (?:int|uint|double|floating point) literal", _too_large),
    (r"reserved identifier: (\w+)", _reserved),
    (r"Syntax error: (.*)", _syntax),
)
