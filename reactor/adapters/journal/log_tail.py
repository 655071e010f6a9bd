"""Whether the write-ahead log holds commits that SQLite cannot read any more.

SQLite takes the log up to its first damaged frame and says nothing of the rest: what was
committed behind it is gone without a word. After a power cut that is as it should be for what
was not synced; it must be told all the same.

Source: SQLite's file format, "The Write-Ahead Log": 32 bytes of header, then frames of a header
of 24 bytes and a page. Frames of this log repeat the salts of its header; the last one of
a commit says how many pages the file has, all others say 0 there.
"""

import struct
from pathlib import Path

_HEADER = struct.Struct(">4s4sI4s8s8s")
_FRAME = struct.Struct(">4sI8s8s")


def last_commit(path: Path) -> int:
    """The number of the last frame that ends a commit in the log of the journal; 0 without one.

    To be asked before SQLite opens the journal: it may begin the log anew. The log itself may be
    opened by anybody, SQLite's locks are on other files.
    """
    try:
        log = Path(f"{path}-wal").open("rb")  # noqa: SIM115 - closed below, whatever comes
    except OSError:
        return 0
    with log:
        head = log.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return 0
        _, _, page, _, salts, _ = _HEADER.unpack(head)
        last = number = 0
        while len(frame := log.read(_FRAME.size)) == _FRAME.size:
            _, pages, frame_salts, _ = _FRAME.unpack(frame)
            if frame_salts != salts:
                break
            number += 1
            last = number if pages else last
            log.seek(page, 1)
        return last
