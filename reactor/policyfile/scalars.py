"""What a plain YAML scalar means: the core schema of YAML 1.2, nothing of YAML 1.1."""

import math
import re

from reactor.policyfile.nodes import PlainValue

_WORDS: dict[str, PlainValue] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_NUMBER_STARTS = frozenset("0123456789+-.")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

# What QMP's JSON and CEL can hold: int64 and uint64.
_LEAST, _MOST = -(2**63), 2**64 - 1
_LONGEST_NUMBER = 400


class NumberError(ValueError):
    """The text is a YAML number that neither QMP nor CEL can hold."""


def resolve(text: str) -> PlainValue:
    """The value of a plain scalar; what is no null, boolean or number is a string.

    ``on``, ``yes``, ``1:30``, ``1_000`` and dates are strings; ``010`` is ten.

    Raises:
        NumberError: infinite, not a number, or beyond 64 bits.

    Source: YAML 1.2.2, chapter 10.3.2.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _NOT_FINITE.fullmatch(text):
        raise NumberError
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(text):
            return _integer(text, base)
    return _fraction(text) if _FLOAT.fullmatch(text) else text


def _integer(text: str, base: int) -> int:
    # Python refuses decimal texts of more than 4,300 digits with an error of its own.
    if len(text) > _LONGEST_NUMBER:
        raise NumberError
    number = int(text if base == 10 else text[2:], base)
    if not _LEAST <= number <= _MOST:
        raise NumberError
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NumberError
    return number
