"""The text of a policy file, checked for foreign characters and cut into its documents."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from reactor.errors import Code, Place, Problem

MAX_BYTES = 1024 * 1024
"""The largest policy file: far above any that people write, far below what hurts."""

MAX_DOCUMENTS = 2000
_MAX_FOREIGN = 10  # a binary file must not drown the others' problems

# Controls, line breaks of YAML 1.1 only, and what is no character at all: where
# they stood, line numbers would differ from those of the editor.
_FOREIGN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
# Such a line ends a document wherever it stands, even inside a quoted value.
_START = re.compile(r"^---(?=[ \t]|$)")
_END = re.compile(r"^\.\.\.[ \t]*(#.*)?$")


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text of one document with its ``---`` line; ``line`` is its first in the file.

    The text ends with exactly one line end.
    """

    text: str
    line: int


def decode(data: bytes, file: str) -> tuple[str, list[Problem]]:
    """The text of a file, empty when it is too large or not UTF-8, with what is wrong."""
    if len(data) > MAX_BYTES:
        place = Place(file)
        return "", [
            Problem(
                place,
                Code.UNREADABLE,
                f"the file is larger than {MAX_BYTES // 1024} KiB",
                "split it into several files",
            )
        ]
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        return "", [
            Problem(
                _place_at(before, len(before), file, 1),
                Code.UNREADABLE,
                f"byte 0x{data[error.start]:02x} is not UTF-8",
                "save the file as UTF-8",
            )
        ]


def clean(text: str, file: str, first_line: int = 1) -> tuple[str, list[Problem]]:
    """The text with Unix line ends and no byte order mark; foreign characters become ``_``."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    problems = [
        Problem(
            _place_at(text, match.start(), file, first_line),
            Code.YAML,
            f"the character U+{ord(match[0]):04X} is not allowed",
            "take it out, or write it as an escape in double quotes",
        )
        for match in islice(_FOREIGN.finditer(text), _MAX_FOREIGN)
    ]
    return (_FOREIGN.sub("_", text) if problems else text), problems


def _place_at(text: str, index: int, file: str, first_line: int) -> Place:
    last = text.rfind("\n", 0, index)
    return Place(file, text.count("\n", 0, index) + first_line, index - last)


def split(text: str, first_line: int = 1) -> Iterator[Chunk]:
    """The documents of a stream, each to be parsed alone: an error in one stays there."""
    lines = text.split("\n")
    first = 0
    for number, line in enumerate(lines):
        if not line.startswith(("---", "...")):
            continue
        ends = _END.match(line)
        if ends or _START.match(line):
            yield _chunk(lines[first:number], first_line + first)
            first = number + 1 if ends else number
    yield _chunk(lines[first:], first_line + first)


def _chunk(lines: list[str], line: int) -> Chunk:
    # The blank lines before the next `---` must not become part of a text block,
    # or the document would be another one when it is read alone.
    return Chunk("\n".join(lines).rstrip(" \t\n") + "\n", line)


def is_empty(chunk: Chunk) -> bool:
    """Whether the chunk holds nothing but its ``---``, comments and blank lines."""
    first, *others = chunk.text.split("\n")
    lines = [_START.sub("", first), *others]
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)
