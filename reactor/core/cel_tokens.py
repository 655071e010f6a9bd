"""Where the texts of an expression begin and end: for templates and for good errors."""

import re
from collections.abc import Iterator

# A raw text needs no rule of its own: a quote behind a backslash does not end it
# for the library either.
_TEXT_OR_COMMENT = re.compile(
    r"""
    \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | //[^\n]*
    """,
    re.VERBOSE | re.DOTALL,
)

# An expression without texts, comments and braces, as nearly all of them are.
_PLAIN = re.compile(r"[^{}\"'/]*\}")

_CLOSING = {")": "(", "]": "[", "}": "{"}


def outside(source: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """The characters that stand in no text and no comment, with their offsets.

    A quote that opens a text without an end is one of them.
    """
    at = start
    while at < len(source):
        found = _TEXT_OR_COMMENT.match(source, at)
        if found is None:
            yield at, source[at]
        at = found.end() if found else at + 1


def open_quote(source: str) -> int | None:
    """The offset of a quote that is not closed."""
    return next((at for at, character in outside(source) if character in "\"'"), None)


def open_bracket(source: str) -> tuple[int, str] | None:
    """The offset of the first bracket without its other half, and the bracket."""
    waiting: list[tuple[int, str]] = []
    for at, character in outside(source):
        if character in "([{":
            waiting.append((at, character))
        elif character in _CLOSING:
            if not waiting or waiting[-1][1] != _CLOSING[character]:
                return at, character
            waiting.pop()
    return waiting[-1] if waiting else None


def closing_brace(source: str, start: int) -> int | None:
    """The offset of the `}` that ends a `${` whose expression begins at ``start``."""
    if plain := _PLAIN.match(source, start):
        return plain.end() - 1
    depth = 0
    for at, character in outside(source, start):
        if character == "{":
            depth += 1
        elif character == "}":
            if not depth:
                return at
            depth -= 1
    return None


def name_start(source: str, at: int) -> int:
    """Where the name before a bracket begins: the library says of a call where its `(` is."""
    if source[at : at + 1] == "(":
        while at > 0 and (source[at - 1].isalnum() or source[at - 1] == "_"):
            at -= 1
    return at
