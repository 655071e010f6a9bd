"""What a replay reads: journals, recordings and plain QMP captures; each twice, as a stream."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from msgspec.structs import replace

from reactor.adapters.journal import Reader
from reactor.app.depth import is_too_deep
from reactor.app.replay import journal
from reactor.app.replay.recording import VERSION, Head, Line
from reactor.core.event import Event
from reactor.core.foreign import UNREADABLE
from reactor.core.inputs import Happened
from reactor.errors import RecordingError

LINE_MAX = 16 << 20
"""Bytes of the longest line."""

TOLD_MAX = 20
"""Lines that are told one by one when they cannot be read; the others are counted."""

_SQLITE = b"SQLite format 3\0"
_EVENT = b'"input":{"type":"event"'
_FOREKNOWN = frozenset({"DUMP_COMPLETED"})


class Source(Protocol):
    """One file of what happened; ``label`` is how it was called.

    Raises:
        ReactorError: from any of the methods, when it cannot be read at all.
    """

    label: str

    def head(self) -> Head:
        """Whose it is; of a capture nothing is known."""
        ...

    def beforehand(self) -> Iterator[Line]:
        """What must be known before it is played, in any order; most inputs are left out."""
        ...

    def lines(self) -> Iterator[Line]:
        """What came in and what was in force, in order."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


@dataclass(slots=True)
class Skipped:
    """Lines that could not be read, counted; the first are told as they come.

    ``set_back`` counts lines with an earlier time than one before: they are played with
    that one's time.
    """

    tell: Callable[[str], None]
    count: int = 0
    set_back: int = 0

    def add(self, place: str, reason: str) -> None:
        """A line that is left out."""
        self.count += 1
        if self.count <= TOLD_MAX:
            self.tell(f"{place}: {reason}")


def open_source(path: Path, skipped: Skipped, guest: str | None = None) -> Source:
    """The source at this path; ``-`` is standard input.

    Args:
        guest: whose the events of a capture are that name none; None: it is called like
            the file.

    Raises:
        RecordingError: it cannot be opened.
        JournalError: it is a journal that cannot be read.
    """
    if str(path) == "-":
        return _Lines(_spooled(), Path("standard-input"), skipped, guest)
    try:
        with path.open("rb") as file:
            is_journal = file.read(len(_SQLITE)) == _SQLITE
        if not is_journal:
            return _Lines(path.open("rb"), path, skipped, guest)
    except OSError as error:
        problem = f"it cannot be read: {error.strerror}"
        raise RecordingError(path, problem, "name a journal or a recording") from None
    return _Journal(path, skipped)


def _spooled() -> BinaryIO:
    """Standard input in a file without a name, since it is read twice."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - its owner closes it
    shutil.copyfileobj(sys.stdin.buffer, file)
    file.seek(0)
    return file


class _Journal:
    """A journal, also one that a daemon writes to: up to what it holds at the opening."""

    def __init__(self, path: Path, skipped: Skipped) -> None:
        self.label = str(path)
        self._skipped = skipped
        self._reader = Reader(path)
        self._last = self._reader.last()

    def head(self) -> Head:
        """Its own."""
        return journal.head(self._reader, whole=True)

    def beforehand(self) -> Iterator[Line]:
        """Its tables, and some of its history."""
        for all_ in (journal.texts, journal.sent, journal.ran):
            for _, line in all_(self._reader):
                yield line
        for row in journal.history(self._reader, 0, self._last):
            if row.kind in {"answered", "fired", "policies"} or row.name in _FOREKNOWN:
                try:
                    found = journal.line_of(row)
                except UNREADABLE:
                    continue  # told when it is played
                if found is not None:
                    yield found

    def lines(self) -> Iterator[Line]:
        """Its history."""
        begin = self._reader.removed_upto()
        yield from journal.standing(self._reader, begin)
        for row in journal.history(self._reader, begin, self._last):
            try:
                line = journal.line_of(row)
            except UNREADABLE as error:
                self._skipped.add(f"{self.label}: row {row.seq}", str(error))
                continue
            if line is not None:
                yield line

    def close(self) -> None:
        """Close its connection."""
        self._reader.close()


class _Lines:
    """A file of lines; see ``recording``, or a capture of QMP."""

    def __init__(self, file: BinaryIO, path: Path, skipped: Skipped, guest: str | None) -> None:
        self.label = str(path)
        self._file = file
        self._skipped = skipped
        self._guest = guest or path.stem

    def head(self) -> Head:
        """What the first line says.

        Raises:
            RecordingError: a newer reactor wrote it, or it is none at all.
        """
        self._file.seek(0)
        line = self._file.readline(LINE_MAX)
        try:
            found = msgspec.json.decode(line, type=Head)
        except UNREADABLE:
            self._demand_a_line()
            return Head(0)
        if found.recording > VERSION:
            raise RecordingError(
                self.label,
                f"a newer reactor made this recording: its version is {found.recording}, "
                f"this reactor knows {VERSION}",
                "replay it with the newer reactor",
            )
        return found

    def beforehand(self) -> Iterator[Line]:
        """Its lines but for most events; what cannot be read is told when it is played."""
        names = [name.encode() for name in _FOREKNOWN]
        for _, raw in self._raw():
            if (_EVENT in raw or b'"at"' not in raw) and not any(name in raw for name in names):
                continue
            line = self._line(raw)
            if isinstance(line, Line):
                yield line

    def lines(self) -> Iterator[Line]:
        """All of them, each with the time of the line before where its own is earlier."""
        latest = 0.0
        for number, raw in self._raw():
            line = self._line(raw)
            if isinstance(line, str):
                self._skipped.add(f"{self.label}: line {number}", line)
                continue
            if line is None or line.text or line.run or line.sent:
                continue
            if line.at < latest:
                self._skipped.set_back += bool(line.at)
                line = _put_off(line, latest)
            latest = line.at
            yield line

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _demand_a_line(self) -> None:
        """Refuse a file of which nothing is understood: a typo must not read as a good result."""
        lines = 0
        for number, raw in self._raw():
            lines = number
            if isinstance(self._line(raw), Line):
                return
        how = f"none of its {lines} lines is one" if lines else "it is empty"
        problem = f"this is neither a journal nor a recording: {how}"
        fix = "name a journal, what `reactor record` wrote, or QMP events as JSON lines"
        raise RecordingError(self.label, problem, fix)

    def _raw(self) -> Iterator[tuple[int, bytes]]:
        self._file.seek(0)
        number = 0
        while raw := self._file.readline(LINE_MAX + 1):
            number += 1
            yield number, raw
            is_cut = len(raw) > LINE_MAX
            while is_cut and raw and not raw.endswith(b"\n"):
                raw = self._file.readline(LINE_MAX)

    def _line(self, raw: bytes) -> Line | str | None:
        """A line; None for one that says nothing, a reason for one that cannot be read."""
        if len(raw) > LINE_MAX:
            return f"longer than {LINE_MAX} bytes"
        if not raw.strip():
            return None
        try:
            if raw.startswith(b'{"at":'):
                return _recorded(raw)
            read = _any(raw)
            if read.at is not None:
                return _recorded(raw)
        except UNREADABLE as error:
            return str(error)
        if read.recording is not None:
            return None
        return _captured(read, self._guest)


class _Stamp(msgspec.Struct, frozen=True):
    seconds: int
    microseconds: int = 0


class _Any(msgspec.Struct, frozen=True):
    """What tells a head, a line of QMP and a line of a recording apart."""

    recording: int | None = None
    at: float | None = None
    event: str | None = None
    data: dict[str, object] = {}
    timestamp: _Stamp | None = None
    guest: str | None = None


_any = msgspec.json.Decoder(_Any).decode
_line = msgspec.json.Decoder(Line).decode


def _recorded(raw: bytes) -> Line | str:
    line = _line(raw)
    said = (line.input, line.policies, line.text, line.run, line.sent)
    if not line.stopped and all(one is None for one in said):
        return "it has a time, and says nothing that this reactor knows"
    return line


def _put_off(line: Line, at: float) -> Line:
    """The line at a later time: an event came then, whenever it happened."""
    if isinstance(line.input, Happened):
        event = line.input.event
        told = replace(event, time=event.time or at, received=at)
        return replace(line, at=at, input=Happened(told))
    return replace(line, at=at)


def _captured(read: _Any, guest: str) -> Line | str:
    """An event as QEMU sent it; one without a time came when the line before it came."""
    if read.event is None:
        return "it is neither a line of a recording nor an event of QMP"
    if is_too_deep(read.data):
        return "its data is nested too deep"
    stamp = read.timestamp
    # QEMU says -1 where it has no clock.
    at = 0.0 if stamp is None or stamp.seconds < 0 else stamp.seconds + stamp.microseconds / 1e6
    return Line(at, Happened(Event(read.event, read.guest or guest, read.data, at, at)))
