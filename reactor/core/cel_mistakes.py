"""All mistakes of an expression: behind the first one, what is wrong with the rest of it.

The library and our own checks stop at a mistake. So its part of the source is taken out, in a
way that nothing follows from, and the rest is asked again. All offsets stay as they are.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from reactor.core.cel_tokens import outside
from reactor.core.expr import Names, compile_expression
from reactor.errors import ExpressionError

MISTAKES_MAX = 5
"""So many are told of one expression: who makes more has to write it anew."""

_TRUE = "true"
_WORDS = {
    "and": "&&",
    "AND": "&&",
    "or": "||",
    "OR": "||",
    "not": "!",
    "NOT": "!",
    "True": "true",
    "TRUE": "true",
    "False": "false",
    "FALSE": "false",
    "None": "null",
    "===": "==",
    "<>": "!=",
    "=>": ">=",
    "=<": "<=",
    "= ": "==",
    "& ": "&&",
    "| ": "||",
}
"""What can be mended where it stands: what is written in its place is not longer."""

_WORD = re.compile(r"===|<>|=>|=<|[=&|] |(?:and|or|not|true|false|none)\b", re.IGNORECASE)
_COMPARED = re.compile(r"[=!]= *(\w+)(?![\w.(\[])", re.ASCII)


def mistakes(first: ExpressionError, *, condition: bool, names: Names) -> Iterator[ExpressionError]:
    """This mistake, and those in the rest of its expression that do not follow from it.

    Args:
        first: what `compile_expression` raised of the same, with the same names.
    """
    source, masked, error = first.source, first.source, first
    told: set[int] = set()
    while True:
        told.add(error.column)
        yield ExpressionError(source, error.column, error.problem, error.fix)
        rest = _without(masked, error.column - 1, names)
        if rest is None or len(told) == MISTAKES_MAX:
            return
        masked = rest
        try:
            compile_expression(masked, condition=condition, names=names)
        except ExpressionError as other:
            error = other
        else:
            return
        if error.column in told:
            return


def _without(source: str, at: int, names: Names) -> str | None:
    """The source with what stands at this offset mended or taken out; None where it cannot be."""
    word = _WORD.match(source, at)
    if word is not None and word[0] in _WORDS:
        return _with(source, word.start(), word.end(), _WORDS[word[0]])
    for compared in _COMPARED.finditer(source):
        if compared.start(1) == at:
            # A variable as a whole can be compared with anything.
            anything = min(names.allowed, key=len)
            if len(anything) <= len(compared[1]):
                return _with(source, at, compared.end(1), anything)
    part = _operand(source, at)
    if part is None or part.end - part.start < len(_TRUE):
        return None
    return _with(source, part.start, part.end, _TRUE)


def _with(source: str, start: int, end: int, text: str) -> str:
    return source[:start] + text.ljust(end - start) + source[end:]


class _Part(NamedTuple):
    """A part of a source, from ``start`` to before ``end``."""

    start: int
    end: int


_LOGIC = frozenset({"&&", "||"})


def _operand(source: str, at: int) -> _Part | None:
    """The innermost operand of `&&` or `||` around this offset; None where there is none."""
    signs = _signs(source)
    while True:
        left = _bound(reversed([sign for sign in signs if sign.end <= at]), ")]}", "([{")
        right = _bound((sign for sign in signs if sign.start >= at), "([{", ")]}")
        if any(sign and sign.text in _LOGIC for sign in (left, right)):
            return _Part(left.end if left else 0, right.start if right else len(source))
        if left is None or right is None or left.text not in "([{":
            return None
        at = left.start


class _Sign(NamedTuple):
    """A bracket or an operator that bounds operands."""

    start: int
    end: int
    text: str


_SIGNS = re.compile(r"&&|\|\||[()\[\]{},?:]")


def _signs(source: str) -> list[_Sign]:
    bare = bytearray(b"x" * len(source))
    for at, character in outside(source):
        if character.isascii():
            bare[at] = ord(character)
    found = _SIGNS.finditer(bare.decode("ascii"))
    return [_Sign(sign.start(), sign.end(), sign[0]) for sign in found]


def _bound(signs: Iterator[_Sign], opens: str, closes: str) -> _Sign | None:
    """The first sign that is in no bracket of its own."""
    depth = 0
    for sign in signs:
        if sign.text in opens:
            depth += 1
        elif not depth:
            return sign
        elif sign.text in closes:
            depth -= 1
    return None
