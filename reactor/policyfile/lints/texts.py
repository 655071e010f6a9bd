"""Texts that are not what their author sees: cut by a comment, or with a template of others."""

from collections.abc import Iterator

from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.mistakes import brief, in_quotes
from reactor.policyfile.nodes import Broken, Dictionary, Node, Scalar, Sequence
from reactor.policyfile.odd_texts import TEMPLATE, comment_behind

_FOR_PEOPLE = frozenset(
    {"args", "ask", "description", "exec", "fail", "headers", "json", "log", "name", "payload"}
    | {"properties", "publish", "reason", "stop", "test", "to", "url", "vars", "with"}
)
"""Keys behind which any text may stand; elsewhere a value is a word of ours, or an expression."""


def odd_texts(root: Dictionary, places: frozenset[Place]) -> Iterator[Problem]:
    """The warnings about texts.

    Args:
        places: where the reader saw something in a text.
    """
    if not places:
        return
    for scalar, path in _scalars(root, ()):
        if scalar.place not in places or _FOR_PEOPLE.isdisjoint(path):
            continue
        text, way = str(scalar.value), "/".join(path)
        if found := comment_behind(text, scalar.comment):
            problem = f"`{brief(found)}` is a comment: the text ends before it"
            fix = in_quotes(f"{text} {found}")
            yield Problem(scalar.end, Code.CUT_TEXT, problem, fix, Severity.WARNING, path=way)
        for other in TEMPLATE.finditer(text):
            place = scalar.place_of(other.start())
            problem = f"`{brief(other[0])}` is no template here: it stays as it stands"
            fix = f"write ${{{other[1]}}}"
            yield Problem(place, Code.FOREIGN_TEMPLATE, problem, fix, Severity.WARNING, path=way)


def _scalars(node: Node, path: tuple[str, ...]) -> Iterator[tuple[Scalar, tuple[str, ...]]]:
    match node:
        case Scalar():
            yield node, path
        case Sequence(_, items):
            for index, item in enumerate(items):
                yield from _scalars(item, (*path, str(index)))
        case Dictionary(_, entries):
            for key, entry in entries.items():
                yield from _scalars(entry.value, (*path, key))
        case Broken():
            pass
