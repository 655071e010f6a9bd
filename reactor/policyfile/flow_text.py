"""What stands inside of `{ }` and `[ ]`, as its author meant it and YAML does not read it."""

import re

_KEY = re.compile(r"(?:^|[{\[,]|- )\s*[\w.-]+:\s+")
_ITEM = re.compile(r"[\[,]\s*")
_NEXT_KEY = re.compile(r",\s*[\w.-]+:(?:\s|$)")
_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "\"'"
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'")
_COMMENT = re.compile(r"[ \t]#")


def value_around(line: str, at: int, *, is_list: bool) -> str:
    """The value of which the character at this index is a part; empty where nobody can tell.

    It begins behind the key or comma before, and ends where the next key or the bracket
    comes that it did not open.
    """
    before = [found.end() for found in (_ITEM if is_list else _KEY).finditer(line, 0, at + 1)]
    if not before:
        return ""
    start = index = before[-1]
    depth = 0
    while index < len(line):
        sign = line[index]
        if sign in _QUOTES:
            text = _TEXT.match(line, index)
            if text is None:
                return ""
            index = text.end()
            continue
        if not depth and (sign in _CLOSE or (sign == "," and _ends(line, index, is_list))):
            return line[start:index].rstrip()
        depth += (sign in _OPEN) - (sign in _CLOSE)
        index += 1
    return ""


def _ends(line: str, index: int, is_list: bool) -> bool:
    return is_list or _NEXT_KEY.match(line, index) is not None


def comment_in(line: str, start: int, closing: str) -> int | None:
    """Where a comment begins that swallows the bracket which closes; from 0."""
    index = start
    while (found := _COMMENT.search(line, index)) is not None:
        text = _TEXT.search(line, index)
        if text is not None and text.start() < found.start():
            index = text.end()
            continue
        return found.start() + 1 if closing in line[found.end() :] else None
    return None
