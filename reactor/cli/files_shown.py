"""Where a problem is, as programs of others count and name it: relative paths, lines, columns."""

import contextlib
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from reactor.errors import Place

_OPEN = 8
"""Problems come file by file, so few texts are needed at a time."""


class Texts:
    """The lines of policy files, read when they are asked for."""

    def __init__(self, typed: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """``typed``: files that are not as they stand on the disk."""
        self._typed = typed
        self._read = lru_cache(maxsize=_OPEN)(self._lines)

    def line(self, place: Place) -> str:
        """The line of this place; empty where there is none, or none that can be read."""
        lines = self._read(place.file) if place.line else []
        return lines[place.line - 1] if 0 < place.line <= len(lines) else ""

    def _lines(self, file: str) -> list[str]:
        data = self._typed.get(file)
        try:
            text = (Path(file).read_bytes() if data is None else data).decode("utf-8", "replace")
        except (OSError, ValueError):
            return []  # the problem is told all the same
        return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


def from_here(file: str) -> str:
    """The path of a file as seen from the current folder; as it is where it lies elsewhere."""
    path = os.path.normpath(file)
    with contextlib.suppress(OSError):  # the folder may be gone
        path = path.removeprefix(str(Path.cwd()).rstrip("/") + "/")
    return path


def uri_of(file: str) -> str:
    """The file as a URI: relative where it lies below the current folder.

    The bytes of its name are kept, also those that are no UTF-8.
    """
    path = from_here(file)
    # Behind a file: there is always a host, here an empty one.
    return ("file://" if path.startswith("/") else "") + quote(os.fsencode(path))


def utf16_column(line: str, column: int) -> int:
    """The column (from 1) counted in the units of UTF-16, of which an emoji has two."""
    before = line[: max(column - 1, 0)]
    return column + sum(character > "\uffff" for character in before)
