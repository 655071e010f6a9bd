"""What a text looks like that its author sees otherwise than YAML and reactor do."""

import re

TEMPLATE = re.compile(
    r"(?<!\$)\{\{?\s*((?:data|event|guest|host|message|run|steps|topic|trigger|vars)"
    r"(?:\.\w+|\[\w+\])+)\s*\}\}?"
)
"""An expression of ours in the braces of Jinja, Python or a shell without its dollar."""

_MARKS = re.compile(r"#+(?:[A-Z]{3,}\b|no[a-z]+\b|\s*reactor:)")
_PAIRS = ("()", "[]", "{}")


def comment_behind(text: str, rest: str) -> str:
    """The comment behind a text that was most likely meant as a part of it; empty for others.

    A comment has a space behind its ``#``, and whoever leaves that out leaves two before it. So
    `disk #3 is bad` is a text, and `5 disks  #our spares` is not. A bracket or quote that opens
    in the text and not closes says so, too.

    Args:
        rest: what stands on the line behind the text, with its spaces.
    """
    found = rest.strip()
    if not found.startswith("#") or _MARKS.match(found):
        return ""
    if any(text.count(pair[0]) > text.count(pair[1]) for pair in _PAIRS) or text.count('"') % 2:
        return found
    sign = found[1:2]
    is_glued = bool(sign) and sign not in " \t#-=!"
    is_near = rest.startswith(" #") or sign.isdecimal()
    return found if is_glued and is_near else ""
