"""What is said about a value that does not fit its type: the problem, and how to mend it."""

import math
from collections.abc import Collection, Iterable

from reactor.core.text import closest, parse_size, render_json
from reactor.qapi.types import Json

Said = tuple[str, str]
"""A problem and its fix."""

_WORDS_SHOWN = 12
_LOOK_IT_UP = "look it up with `reactor docs`"

_NAMES = {
    Json.STRING: "a text",
    Json.NUMBER: "a fraction",
    Json.INT: "a whole number",
    Json.BOOLEAN: "true or false",
    Json.NULL: "null",
    Json.OBJECT: "a map",
    Json.ARRAY: "a list",
    Json.VALUE: "any value",
}

_FIXES = {
    Json.STRING: "put it in quotes",
    Json.NUMBER: "write a number",
    Json.INT: "write a whole number",
    Json.BOOLEAN: "write true or false",
    Json.OBJECT: "write it as `key: value`",
    Json.ARRAY: "write it as a list: [...]",
}

_CONVERSIONS = {
    Json.STRING: "string",
    Json.INT: "int",
    Json.NUMBER: "double",
    Json.BOOLEAN: "bool",
}


def named(kinds: Iterable[Json]) -> str:
    """What these are, in a sentence."""
    found = set(kinds)
    if {Json.INT, Json.NUMBER} <= found:
        words = ["a number", *(_NAMES[kind] for kind in Json if kind in found - _NUMBERS)]
    else:
        words = [_NAMES[kind] for kind in Json if kind in found]
    return " or ".join(words)


_NUMBERS = {Json.INT, Json.NUMBER}
_JSON = (bool, int, float, str, list, tuple, dict)


def wrong_kind(
    called: str, taken: Collection[Json], found: Collection[Json], value: object
) -> Said:
    """It is a text, and a number is taken. ``value`` is the value, or a hole in it."""
    verb = "is" if value is None or isinstance(value, _JSON) else "gives"
    problem = f"`{called}` is {named(taken)}, and this {verb} {named(found)}"
    return problem, _mended(called, taken, found, value)


def _mended(called: str, taken: Collection[Json], found: Collection[Json], value: object) -> str:
    match value:
        case None:
            return f"write the value, or take `{called}` out: null is not the same as left out"
        case str():
            return _unquoted(taken, value) or _general(taken)
        case float() if Json.INT in taken and value.is_integer():
            return f"write {int(value)}"
        case bool() | int() | float() if Json.STRING in taken and math.isfinite(value):
            return f"put it in quotes: '{render_json(value)}'"
        case _ if isinstance(value, _JSON):
            return _general(taken)
        case _:
            return _converted(taken, found)


def _unquoted(taken: Collection[Json], text: str) -> str | None:
    """The fix for a text that holds what is taken."""
    if Json.INT in taken:
        if text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal():
            return f"write it without quotes: {int(text)}"
        try:
            return f"QEMU takes bytes: write {parse_size(text)}"
        except ValueError:
            return None
    if Json.BOOLEAN in taken and text.lower() in _TRUTH:
        return f"write {_TRUTH[text.lower()]}"
    return None


_TRUTH = {
    **dict.fromkeys(("true", "yes", "on", "1"), "true"),
    **dict.fromkeys(("false", "no", "off", "0"), "false"),
}


def _general(taken: Collection[Json]) -> str:
    return next((fix for kind, fix in _FIXES.items() if kind in taken), _LOOK_IT_UP)


def _converted(taken: Collection[Json], found: Collection[Json]) -> str:
    """The fix for an expression that gives something else."""
    for kind, function in _CONVERSIONS.items():
        if kind in taken and not {Json.OBJECT, Json.ARRAY, Json.NULL} & set(found):
            return f"convert it: a template that is nothing but ${{{function}(...)}} keeps its type"
    return f"let the template give {named(taken)}"


def no_number(called: str, value: float) -> Said:
    """A fraction that JSON cannot hold."""
    return f"`{called}` is a number, and JSON has no {value}", "write a number"


def out_of_range(called: str, least: int, most: int) -> Said:
    """A whole number that no integer of QEMU can hold."""
    return f"`{called}` is out of range", f"write a whole number from {least} to {most}"


def no_such_word(called: str, word: str, words: Collection[str]) -> Said:
    """A text that is none of an enum's."""
    return f"`{called}` cannot be `{word}`", _meant(word, words)


def never_a_word(called: str, texts: Collection[str], words: Collection[str]) -> Said:
    """An expression that gives none of an enum's texts."""
    given = ", ".join(f"`{text}`" for text in sorted(texts)[:3])
    more = ", ..." if len(texts) > 3 else ""
    return f"`{called}` cannot be what this gives ({given}{more})", _meant(min(texts), words)


def missing(called: str, name: str, where: str) -> Said:
    """A key that must be there and is not."""
    return f"`{called}` needs `{name}`{where}", f"add `{name}: ...`"


def unknown(called: str, key: str, known: Collection[str], where: str, *, whole: bool) -> Said:
    """A key that nobody knows; ``whole``: it is an argument of a command."""
    what = "argument" if whole else "member"
    if whole and not known:
        return f"`{called}` takes no arguments", f"take `{key}` out"
    return f"`{called}` has no {what} `{key}`{where}", _meant(key, known)


def _meant(word: str, words: Collection[str]) -> str:
    if guess := closest(word, words):
        return f"did you mean `{guess}`?"
    if len(words) > _WORDS_SHOWN:
        return _LOOK_IT_UP
    return f"write one of: {', '.join(words)}" if words else f"take `{word}` out"
