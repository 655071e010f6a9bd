"""The pages of an SQLite file that may be damaged, with what its write-ahead log holds of them.

Nothing here believes what it reads: a page is there or not, and every number is held against its
bounds. The file is never written to and never opened by SQLite.

Source: SQLite's file format, "The Database Header", "Pointer Map or Ptrmap Pages" and "The
Write-Ahead Log".
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

PAGE_BYTES: Final = 4096
"""What a journal of ours has, believed where the header says nothing sensible."""

_MAGIC: Final = b"SQLite format 3\x00"
_LOG_HEAD: Final = struct.Struct(">4s4sI4s8s8s")
_LOG_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_FRAME: Final = struct.Struct(">II8s8s")
_POINTER_BYTES: Final = 5
_CLIMB_MAX: Final = 40
_IN_TREE: Final = 5


class Header(NamedTuple):
    """What the first page says: ``sound`` is False when it is not to be believed."""

    sound: bool
    application: int
    version: int


class Pages:
    """Pages by number, from 1 to ``count``; ``read`` gives None where one cannot be had."""

    def __init__(self, path: Path) -> None:
        """Look at the file and its log.

        Raises:
            OSError: the file cannot be read.
        """
        with path.open("rb") as file:
            size = path.stat().st_size
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        self.size = _page_size(bytes(self._map[:100]))
        self._newer = dict(_log_pages(Path(f"{path}-wal"), self.size))
        self.count = max(size // self.size, *self._newer, 0)
        self.header = _header(self.read(1) or b"")

    def close(self) -> None:
        """The file is free again."""
        if isinstance(self._map, mmap.mmap):
            self._map.close()

    def read(self, number: int) -> bytes | None:
        """The newest content of a page; None when there is none of this number."""
        if (newer := self._newer.get(number)) is not None:
            return newer
        page = self._map[(number - 1) * self.size : number * self.size] if number > 0 else b""
        return page if len(page) == self.size else None

    def is_map(self, number: int) -> bool:
        """Whether the page says of others where they belong, and belongs nowhere itself."""
        return number >= 2 and (number - 2) % (self.size // _POINTER_BYTES + 1) == 0

    def orphans(self, seen: bytearray) -> Iterator[tuple[int, list[int]]]:
        """Pages of trees that were not ``seen``, and those above them, up to the root."""
        for number in range(1, self.count + 1):
            if not seen[number] and not self.is_map(number):
                above = self._above(number)
                if above:
                    yield number, above

    def _above(self, number: int) -> list[int]:
        found: list[int] = []
        for _ in range(_CLIMB_MAX):
            kind, parent = self._pointer(number)
            if kind != _IN_TREE or not 0 < parent <= self.count:
                break
            found.append(parent)
            number = parent
        return found

    def _pointer(self, number: int) -> tuple[int, int]:
        """What the map says of a page: its kind, and the page above it."""
        each = self.size // _POINTER_BYTES
        at = 2 + (number - 2) // (each + 1) * (each + 1)
        page = self.read(at)
        if page is None or number < 3:
            return 0, 0
        offset = (number - at - 1) * _POINTER_BYTES
        return page[offset], int.from_bytes(page[offset + 1 : offset + _POINTER_BYTES], "big")


def _page_size(head: bytes) -> int:
    size = int.from_bytes(head[16:18], "big") if head.startswith(_MAGIC) else 0
    # Only a power of two can be one.
    return size if size >= 512 and size & (size - 1) == 0 else PAGE_BYTES


def _header(page: bytes) -> Header:
    if not page.startswith(_MAGIC):
        return Header(sound=False, application=0, version=0)
    version, application = (int.from_bytes(page[at : at + 4], "big") for at in (60, 68))
    return Header(sound=True, application=application, version=version)


def _log_pages(path: Path, size: int) -> Iterator[tuple[int, bytes]]:
    """The pages of the log's commits, the newest last; up to its first frame that is not sound."""
    try:
        log = path.open("rb")
    except OSError:
        return
    with log:
        head = log.read(_LOG_HEAD.size)
        if len(head) < _LOG_HEAD.size:
            return
        magic, _, page_size, _, salts, _ = _LOG_HEAD.unpack(head)
        if magic not in _LOG_MAGIC or page_size != size:
            return
        order = "big" if magic == _LOG_MAGIC[1] else "little"
        sums = _summed(head[:24], order, (0, 0))
        if sums != struct.unpack(">II", head[24:32]):
            return
        waiting: list[tuple[int, bytes]] = []
        while len(frame := log.read(_FRAME.size + size)) == _FRAME.size + size:
            number, pages, frame_salts, told = _FRAME.unpack(frame[: _FRAME.size])
            page = frame[_FRAME.size :]
            sums = _summed(frame[:8] + page, order, sums)
            if frame_salts != salts or sums != struct.unpack(">II", told):
                return
            waiting.append((number, page))
            if pages:  # a commit ends here
                yield from waiting
                waiting = []


def _summed(octets: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """SQLite's checksum of the log, going on from ``sums``."""
    one, two = sums
    sign = ">" if order == "big" else "<"
    words = struct.unpack(f"{sign}{len(octets) // 4}I", octets)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
