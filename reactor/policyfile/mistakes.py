"""The classic mistakes behind a YAML syntax error, each with the way to mend it.

A parser says what it did not expect; the author wants to know what to change.
PyYAML has two parsers whose marks agree and whose words do not: only the marks
and the few words that both share decide here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import yaml

from reactor.policyfile.flow_text import comment_in, value_around


class Finding(NamedTuple):
    """What is wrong and how to mend it."""

    problem: str
    fix: str


class Spot(NamedTuple):
    """Line and column in a text, both from 0."""

    line: int
    column: int


class _Mark(Protocol):
    line: int
    column: int


_QUOTE_IT = "put it in single quotes"
_ELSE = "if it is part of a value"
_NEXT_KEY = re.compile(r"[ \t]*(- +)*[\w-]+:([ \t]|$)")
# `- `, `key: ` and the value behind them.
_BLOCK_VALUE = re.compile(r"[ ]*(?:- +)*(?:[\w.-]+:[ \t]+)?(?P<value>.*)$")
_MEANING = {
    "!": "a YAML tag",
    "*": "a YAML alias",
    "&": "a YAML anchor",
    "|": "a YAML text block",
    ">": "a YAML text block",
    "{": "a YAML mapping",
    "[": "a YAML list",
    "'": "a quoted YAML string",
    '"': "a quoted YAML string",
    "@": "nothing that YAML knows",
    "`": "nothing that YAML knows",
    "%": "a YAML directive",
    ",": "nothing that YAML knows",
}


def brief(text: str) -> str:
    """The text as it can stand in a sentence: cut when it is long."""
    return text if len(text) <= 60 else f"{text[:59]}…"


def spell(value: object) -> str:
    """The value with its kind, as a sentence names it."""
    match value:
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the string {value!r}" if len(value) <= 40 else "a long string"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"


def in_quotes(text: str) -> str:
    """The fix that quotes this value, written out when it is short."""
    quoted = text.replace("'", "''")
    return f"{_QUOTE_IT}: '{quoted}'" if 0 < len(text) <= 60 else _QUOTE_IT


def spot_of(mark: _Mark | None, otherwise: Spot | None = None) -> Spot:
    """Where PyYAML's mark stands; it makes one for all that we ask about."""
    return Spot(mark.line, mark.column) if mark is not None else (otherwise or Spot(0, 0))


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What the parser said: ``here`` it stopped, at ``opened`` began what it was at."""

    here: Spot
    opened: Spot
    problem: str
    context: str
    lines: list[str]

    def sign(self, spot: Spot) -> str:
        """The character at the spot, empty at the end of its line."""
        return self.lines[spot.line][spot.column : spot.column + 1]


def explain(error: yaml.MarkedYAMLError, text: str, innermost: Spot | None) -> tuple[Spot, Finding]:
    """Where a syntax error in this text is, and what to do about it.

    Args:
        innermost: where the innermost ``{`` or ``[`` stands that is still open.
    """
    here = spot_of(error.problem_mark)
    opened = spot_of(error.context_mark, here)
    # The end of the stream may be marked one line further.
    lines = [*text.split("\n"), ""]
    refusal = _Refusal(here, opened, error.problem or "", error.context or "", lines)
    line = lines[here.line]
    tab = line.find("\t", 0, len(line) - len(line.lstrip()))
    if tab >= 0 or refusal.sign(here) == "\t":
        finding = Finding("a tab stands where YAML wants spaces", "use spaces")
        return (Spot(here.line, tab) if tab >= 0 else here), finding
    if "quoted" in refusal.context:
        return _quoted(refusal)
    if "flow" in refusal.context:
        return _flow(refusal, innermost or opened)
    if "simple key" in refusal.context:
        key = lines[opened.line][opened.column :].strip()
        finding = Finding(f"`{key[:40]}` is not followed by a colon", "write it as `key: value`")
        return opened, finding
    return _block(refusal)


def _quoted(refusal: _Refusal) -> tuple[Spot, Finding]:
    if "unexpected" in refusal.problem:
        quote = refusal.sign(refusal.opened)
        finding = Finding(f"the quote {quote} that opens here is never closed", "close it")
        return refusal.opened, finding
    # One parser marks the backslash, the other what follows it.
    line, column = refusal.here
    finding = Finding(
        "this is no escape that YAML knows in double quotes",
        "put the value in single quotes, where a backslash is a backslash",
    )
    return Spot(line, refusal.lines[line].rfind("\\", 0, column + 1)), finding


def _flow(refusal: _Refusal, innermost: Spot) -> tuple[Spot, Finding]:
    here, sign = refusal.here, refusal.sign(refusal.here)
    opening = refusal.sign(innermost)
    closing = "]" if opening == "[" else "}"
    for number in range(innermost.line, here.line + 1):
        start = innermost.column if number == innermost.line else 0
        cut = comment_in(refusal.lines[number], start, closing)
        if cut is not None:
            return Spot(number, cut), _swallowed(refusal.lines[number], cut, closing)
    on_next_key = here.line > innermost.line and _NEXT_KEY.match(refusal.lines[here.line])
    if not sign or on_next_key:
        problem = f"the {opening} that opens here is never closed"
        return innermost, Finding(problem, f"close it with {closing}")
    if "flow node" in refusal.context:
        return here, Finding(f"YAML expects a value here, not `{sign}`", f"{_QUOTE_IT} {_ELSE}")
    problem = f"YAML expects a comma or {closing} here, not `{sign}`"
    value = value_around(refusal.lines[here.line], here.column, is_list=closing == "]")
    if not value:
        return here, Finding(problem, f"{_QUOTE_IT} {_ELSE}; else write the comma")
    comma = "; or write the comma that is missing" if sign == ":" or sign.isalnum() else ""
    return here, Finding(problem, f"{in_quotes(value)}{comma}")


def _swallowed(line: str, cut: int, closing: str) -> Finding:
    """A comment that begins where a text was meant, and with which the bracket goes."""
    problem = f"` #` begins a comment: the rest of the line is lost, and its {closing}"
    # Read as if it were none, for what is to be written: no sign changes its place.
    value = value_around(line.replace(" #", "_#"), cut, is_list=closing == "]")
    if not value or value.startswith("_#"):
        return Finding(problem, f"close it with {closing} before the comment")
    return Finding(problem, in_quotes(value.replace("_#", " #")))


def _block(refusal: _Refusal) -> tuple[Spot, Finding]:
    here, opened = refusal.here, refusal.opened
    found = _BLOCK_VALUE.match(refusal.lines[here.line])
    value = found["value"].rstrip() if found else ""
    start = found.start("value") if found else 0
    sign = refusal.sign(opened)
    if value[:1] in {"{", "["} and sign in _MEANING and "scanning" in refusal.context:
        problem = f"a value that begins with {sign} is {_MEANING[sign]}"
        inner = value_around(refusal.lines[opened.line], opened.column, is_list=value[0] == "[")
        return opened, Finding(problem, in_quotes(inner) if inner else _QUOTE_IT)
    behind = refusal.lines[here.line][here.column :].rstrip()
    if value[:1] in {"{", "["} and start < here.column and behind[:1] == ",":
        problem = f"`{brief(behind)}` stands behind the end of the value"
        return here, Finding(problem, "take it out, or move the bracket that closes before it")
    if refusal.sign(here) in {"}", "]"}:
        problem = f"this {refusal.sign(here)} closes nothing"
        return here, Finding(problem, f"take it out, or {_QUOTE_IT} {_ELSE}")
    if value[:1] in _MEANING and start <= here.column:
        problem = f"a value that begins with {value[0]} is {_MEANING[value[0]]}"
        return Spot(here.line, start), Finding(problem, in_quotes(value))
    return here, _misplaced(refusal, value, start)


def _misplaced(refusal: _Refusal, value: str, start: int) -> Finding:
    if "sequence entries are not allowed" in refusal.problem:
        problem = "a list cannot begin on the line of its key"
        return Finding(problem, f"begin a new line; or {_QUOTE_IT} {_ELSE}")
    if "mapping values are not allowed" not in refusal.problem:
        return Finding(
            "YAML cannot be read from here",
            "check the indentation and the quotes of this line and of the one above",
        )
    if refusal.lines[refusal.here.line].startswith("---"):
        return Finding("a document cannot begin on its `---` line", "begin a new line")
    if start and start < refusal.here.column:
        problem = "a value without quotes cannot hold a colon and a space"
        return Finding(problem, in_quotes(value))
    return Finding(
        "this key stands inside the value of the line above",
        "indent it like the keys that it belongs to",
    )
