"""Whether a memory dump that QEMU wrote is whole, without any tool of others.

QEMU 7.2 writes two formats here. ``elf`` is an ELF core whose program headers say how
long the file must be. ``kdump-zlib`` is makedumpfile's *flattened* form: a header of
4096 bytes, then blocks of (offset, size, octets), big-endian, the last with both -1;
the block for offset 0 starts with ``KDUMP   `` (makedumpfile, IMPLEMENTATION).
"""

import struct
from pathlib import Path
from typing import BinaryIO, Final

_ELF: Final = b"\x7fELF"
_FLATTENED: Final = b"makedumpfile\0"
_KDUMP: Final = b"KDUMP   "
_FLATTENED_HEADER_BYTES: Final = 4096
_BLOCK: Final = struct.Struct(">qq")
_END: Final = -1


def dump_files(folder: Path) -> list[Path]:
    """The dumps in a folder, without the cards that reactor puts beside them."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def dump_is_valid(path: Path) -> bool:
    """Whether the file holds a whole memory dump."""
    return dump_problem(path) is None


def dump_problem(path: Path) -> str | None:
    """What is wrong with a dump file, in words; None for a whole dump."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return _problem(file, size)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _problem(file: BinaryIO, size: int) -> str | None:
    start = file.read(64)
    if not start:
        return "it is empty"
    if start.startswith(_ELF):
        return _elf_problem(file, start, size)
    if start.startswith(_FLATTENED):
        return _flattened_problem(file, size)
    return f"it is no dump: it starts with {start[:8]!r}"


def _elf_problem(file: BinaryIO, start: bytes, size: int) -> str | None:
    """A 64-bit little-endian core: segments and sections must lie inside the file (elf(5)).

    Even a guest in real mode is dumped as 64-bit: its firmware ends at 4 GiB.
    """
    if len(start) < 64 or start[4:6] != b"\x02\x01":
        return "its ELF header is cut off, or not of a 64-bit x86 guest"
    segments, sections = struct.unpack_from("<32xQQ", start)
    segment_bytes, segment_count, section_bytes, section_count = struct.unpack_from("<54x4H", start)
    needed = max(
        _farthest(file, segments, segment_bytes, segment_count, "<8xQ16xQ"),
        _farthest(file, sections, section_bytes, section_count, "<24xQQ"),
    )
    return f"it is cut off: {size} of {needed} bytes" if size < needed else None


def _farthest(file: BinaryIO, table: int, entry_bytes: int, entries: int, layout: str) -> int:
    """The end of the last thing that a table points to, or of the table if that is cut off."""
    file.seek(table)
    rows = file.read(entry_bytes * entries)
    end = table + entry_bytes * entries
    if len(rows) < entry_bytes * entries or entry_bytes < struct.calcsize(layout):
        return end
    ends = (struct.unpack_from(layout, rows, row) for row in range(0, len(rows), entry_bytes))
    return max((at + length for at, length in ends), default=end)


def _flattened_problem(file: BinaryIO, size: int) -> str | None:
    at = _FLATTENED_HEADER_BYTES
    signed = False
    while True:
        file.seek(at)
        block = file.read(_BLOCK.size)
        if len(block) < _BLOCK.size:
            return f"it is cut off: no end mark in {size} bytes"
        offset, length = _BLOCK.unpack(block)
        if offset == _END and length == _END:
            return None if signed else "it holds no KDUMP header"
        if offset < 0 or length < 0:
            return f"its block at {at} makes no sense"
        signed = signed or (offset == 0 and file.read(len(_KDUMP)) == _KDUMP)
        at += _BLOCK.size + length
