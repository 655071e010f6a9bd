"""The rows of an SQLite file's trees, as far as its pages can be read.

A page that is damaged takes its own rows with it, not those of the pages below: these are found by
the file's own map of what belongs where.

Source: SQLite's file format, "B-tree Pages" and "Record Format".
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from reactor.adapters.journal.pages import Pages

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

_INNER: Final = {5: 13, 2: 10}
"""Kinds of pages that have others below them: of tables, of indexes; and of the leaves there."""

_TABLE_LEAF, _INDEX_LEAF, _TABLE, _INDEX = 13, 10, 5, 2
_HEAD: Final = {13: 8, 10: 8, 5: 12, 2: 12}
_INT_BYTES: Final = (0, 1, 2, 3, 4, 6, 8)
_ROW_MAX: Final = 1 << 30


class _DamagedError(Exception):
    """This is no row."""


@dataclass
class Tree:
    """The rows of one tree; ``damaged`` counts its pages that cannot be read, ``torn`` its rows.

    ``indexed``: the rows stand in an index of their own, as those of a table without row ids do.
    """

    pages: Pages
    seen: bytearray
    indexed: bool
    damaged: int = 0
    torn: int = 0
    _todo: list[int] = field(default_factory=list)

    def rows(self, root: int) -> Iterator[Row]:
        """The rows that can be reached from this page, each with its row id in front, if any."""
        self._todo.append(root)
        while self._todo:
            number = self._todo.pop()
            if not 0 < number <= self.pages.count or self.pages.is_map(number):
                self.damaged += 1
            elif not self.seen[number]:
                self.seen[number] = 1
                yield from self._page(self.pages.read(number), 100 if number == 1 else 0)

    def _page(self, page: bytes | None, start: int) -> Iterator[Row]:
        kind = page[start] if page else 0
        mine = (_INDEX, _INDEX_LEAF) if self.indexed else (_TABLE, _TABLE_LEAF)
        if page is None or kind not in mine:
            self.damaged += 1
            return
        cells = self._cells(page, start, kind)
        if cells is None:
            self.damaged += 1
            return
        if kind in _INNER:
            self._todo.append(_number(page, start + 8))
            self._todo += [_number(page, at) for at in cells]
        if kind == _TABLE:
            return
        for at in cells:
            try:
                yield self._row(page, at + 4 if kind == _INDEX else at, kind)
            except (_DamagedError, IndexError, ValueError, struct.error):
                self.torn += 1

    def _cells(self, page: bytes, start: int, kind: int) -> Sequence[int] | None:
        """Where the cells of a page begin; None when that is nonsense."""
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        first, end = start + _HEAD[kind], start + _HEAD[kind] + 2 * count
        if end > len(page):
            return None
        found = struct.unpack(f">{count}H", page[first:end])
        return found if all(end <= at <= len(page) - 4 for at in found) else None

    def _row(self, page: bytes, at: int, kind: int) -> Row:
        size, at = _varint(page, at)
        key: Row = ()
        if kind == _TABLE_LEAF:
            number, at = _varint(page, at)
            key = (number,)
        if size > _ROW_MAX:
            raise _DamagedError
        return key + _values(self._payload(page, at, size, kind))

    def _payload(self, page: bytes, at: int, size: int, kind: int) -> bytes:
        usable = len(page)
        least = (usable - 12) * 32 // 255 - 23
        most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        here = size
        if size > most:
            here = least + (size - least) % (usable - 4)
            here = here if here <= most else least
        parts = [page[at : at + here]]
        left, following = size - here, at + here
        number = _number(page, following) if left else 0
        while left > 0:
            more = self.pages.read(number) if number <= self.pages.count else None
            if more is None or self.pages.is_map(number):
                raise _DamagedError
            parts.append(more[4 : 4 + left])
            left -= len(parts[-1])
            number = _number(more, 0)
        whole = b"".join(parts)
        # The last page of a row has none behind it.
        if len(whole) != size or (size > here and number):
            raise _DamagedError
        return whole


def _number(page: bytes, at: int) -> int:
    return int.from_bytes(page[at : at + 4], "big")


def _varint(octets: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        octet = octets[at + index]
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            return value, at + index + 1
    value = value << 8 | octets[at + 8]
    return value - (1 << 64) if value >= 1 << 63 else value, at + 9


def _values(record: bytes) -> Row:
    end, at = _varint(record, 0)
    if not 0 < end <= len(record):
        raise _DamagedError
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        value, at = _value(record, at, kind)
        values.append(value)
    if at != len(record):
        raise _DamagedError
    return tuple(values)


def _value(record: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in {8, 9}:
        return kind - 8, at
    if kind < 0 or kind in {10, 11}:
        raise _DamagedError
    size = (kind - 12) // 2 if kind >= 12 else 8 if kind == 7 else _INT_BYTES[kind]
    octets = record[at : at + size]
    if len(octets) != size:
        raise _DamagedError
    if kind == 7:
        (number,) = struct.unpack(">d", octets)
        return number, at + size
    if kind < 7:
        return int.from_bytes(octets, "big", signed=True), at + size
    return octets.decode() if kind % 2 else octets, at + size
