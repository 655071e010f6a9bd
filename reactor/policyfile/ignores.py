"""Comments such as ``# reactor: ignore R040 REASON``: who wrote the policy knows better.

Only what a lint says can be ignored, on the comment's own line, or below a comment that
stands alone. An ignore of nothing is a warning: it would hide what comes later.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reactor.core.text import closest
from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.mistakes import brief
from reactor.policyfile.nodes import Broken, Dictionary, Node, Scalar
from reactor.policyfile.nodes import Sequence as Items

_MARK = "reactor: ignore"
_COMMENT = re.compile(rf"(?:^|(?<=\s))#\s*{_MARK}(?:\s+(\S+)\s*(.*))?$")

LINTS = frozenset(code for code in Code if code.value >= "R020") | {Code.UNKNOWN_NAME}
"""The codes of what is allowed, and may be meant as it is."""

_NOT_ALWAYS = frozenset(
    {
        Code.LOOP,
        Code.NEEDS_PERMISSION,
        Code.OPPOSED,
        Code.OUTDATED,
        Code.SILENT_MIGRATION,
        Code.UNARMED,
        Code.UNAWAITED_UNPLUG,
        Code.UNKNOWN_NAME,
    }
)
"""Those that come and go with the other policies and the QEMUs that are looked at."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """What is not to be told about a ``line``; ``place`` is that of the comment."""

    place: Place
    line: int
    code: str
    reason: str

    def hides(self, problem: Problem) -> bool:
        """Whether the problem is not to be told."""
        at = problem.place
        is_here = (at.file, at.line) == (self.place.file, self.line)
        return is_here and problem.code in LINTS and problem.code.value == self.code


def ignores_of(text: str, file: str, first_line: int, roots: Iterable[Node]) -> list[Ignore]:
    """The comments of a file that ask for something not to be told.

    Args:
        first_line: the number of the text's first line in that file.
        roots: the documents of the file: what stands in one of their texts is no comment.
    """
    if _MARK not in text:
        return []
    texts = [scalar for root in roots for scalar in _scalars(root)]
    lines = text.split("\n")
    found = []
    for index, line in enumerate(lines):
        comment = _COMMENT.search(line)
        if comment is None:
            continue
        place = Place(file, first_line + index, comment.start() + 1)
        if not any(one.place <= place < one.end for one in texts):
            about = first_line + _line_meant(lines, index)
            found.append(Ignore(place, about, comment[1] or "", comment[2] or ""))
    return found


def _scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Items(_, items):
            for item in items:
                yield from _scalars(item)
        case Dictionary(_, entries):
            for entry in entries.values():
                yield from _scalars(entry.value)
        case Broken():
            pass


def _line_meant(lines: Sequence[str], index: int) -> int:
    """The index of the line that a comment is about: its own, or the next that is more."""
    if not lines[index].lstrip().startswith("#"):
        return index
    below = range(index + 1, len(lines))
    return next((at for at in below if not _is_bare(lines[at])), index)


def _is_bare(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def without_ignored(problems: Iterable[Problem], ignores: Sequence[Ignore]) -> list[Problem]:
    """The problems that are to be told."""
    return [one for one in problems if not any(ignore.hides(one) for ignore in ignores)]


def useless(problems: Sequence[Problem], ignores: Iterable[Ignore]) -> Iterator[Problem]:
    """What is wrong with the ignores.

    Args:
        problems: all of them, also those that are not told. Of a file with an error
            nobody knows what the lints would say.
    """
    unsound = {one.place.file for one in problems if one.severity is Severity.ERROR}
    for ignore in ignores:
        if ignore.place.file not in unsound and (wrong := _wrong(problems, ignore)):
            yield Problem(ignore.place, Code.USELESS_IGNORE, *wrong, Severity.WARNING)


def _wrong(problems: Sequence[Problem], ignore: Ignore) -> tuple[str, str] | None:
    known = [code.value for code in Code]
    if ignore.code not in known:
        guess = closest(ignore.code.upper(), known)
        fix = f"did you mean `{guess}`?" if guess else f"write `# {_MARK} CODE REASON`"
        return f"`{brief(ignore.code)}` is no code", fix
    if Code(ignore.code) not in LINTS:
        return f"{ignore.code} cannot be ignored", "mend what it is about"
    if Code(ignore.code) not in _NOT_ALWAYS and not any(ignore.hides(one) for one in problems):
        return f"{ignore.code} is not told here: there is nothing to ignore", "take the comment out"
    if not ignore.reason:
        fix = f"write it behind the code: `# {_MARK} {ignore.code} REASON`"
        return "this ignore says no reason", fix
    return None
