"""What a replay reads: a journal, a recording, or a plain capture of QMP events."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reactor.adapters.journal import Reader
from reactor.app.replay.recording import VERSION, Header, Line, Ran, history, input_of, runs_of
from reactor.core.event import Event
from reactor.core.inputs import Happened, Input
from reactor.errors import ReactorError

LINE_MAX = 16 * 2**20
"""Bytes of the longest line."""

TOLD_MAX = 20
"""Unreadable lines that are told one by one; the others are counted."""

_SQLITE = b"SQLite format 3\0"
_RUN = b'"run":{'
_DUMP_COMPLETED = "DUMP_COMPLETED"


class ReplayError(ReactorError):
    """What shall be replayed cannot be read."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An input with its time, seconds since the epoch."""

    at: float
    input: Input


@dataclass
class Source:
    """A file of inputs. ``moments`` may be read once; then ``ran`` and ``skipped`` are known.

    ``ran`` are the runs that were, where the file knows them (``knows_runs``). ``skipped``
    are the lines that could not be read, as places with reasons.
    """

    path: Path
    since: float = 0.0
    until: float = float("inf")
    guest: str | None = None
    ran: list[Ran] = field(default_factory=list)
    knows_runs: bool = False
    skipped: list[str] = field(default_factory=list)
    skipped_count: int = 0

    def moments(self) -> Iterator[Moment]:
        """The inputs in the order of the file.

        Raises:
            ReplayError: the file cannot be read at all.
            JournalError: it is a journal that cannot be read.
        """
        self.ran = []
        yield from self._moments()

    def _moments(self, only: str | None = None) -> Iterator[Moment]:
        """Those of one event's name, or all."""
        try:
            with self.path.open("rb") as file:
                is_journal = file.read(len(_SQLITE)) == _SQLITE
        except OSError as error:
            problem = f"it cannot be read: {error.strerror}"
            raise ReplayError(self.path, problem, "name a journal or a recording") from None
        yield from self._of_journal(only) if is_journal else self._of_lines(only)

    def _of_journal(self, only: str | None) -> Iterator[Moment]:
        reader = Reader(self.path)
        try:
            self.knows_runs = True
            self.ran = [ran for ran in runs_of(reader, self.since, self.until) if self._wants(ran)]
            for row in history(reader, self.since, self.until, self.guest, only):
                try:
                    input_ = input_of(row)
                except msgspec.MsgspecError as error:
                    self._skip(f"row {row.seq}", str(error))
                    continue
                if input_ is not None:
                    yield Moment(row.at, input_)
        finally:
            reader.close()

    def dump_ends(self) -> list[Event]:
        """Every DUMP_COMPLETED of ours in the file, in order; found before it is played.

        Raises:
            ReplayError: the file cannot be read at all.
            JournalError: it is a journal that cannot be read.
        """
        scan = Source(self.path, self.since, self.until, self.guest)
        moments = scan._moments(only=_DUMP_COMPLETED)
        events = [m.input.event for m in moments if isinstance(m.input, Happened)]
        self.ran = scan.ran
        return [event for event in events if event.own and event.name == _DUMP_COMPLETED]

    def run(self, name: str) -> tuple[str, str] | None:
        """The policy and the guest of a recorded run."""
        return next(((ran.policy, ran.guest) for ran in self.ran if ran.run == name), None)

    def _wants(self, ran: Ran) -> bool:
        return self.guest in {None, ran.guest}

    def _of_lines(self, only: str | None) -> Iterator[Moment]:
        wanted = None if only is None else only.encode()
        with self.path.open("rb") as file:
            number = 0
            while line := file.readline(LINE_MAX + 1):
                number += 1
                if len(line) > LINE_MAX:
                    self._skip(f"line {number}", f"longer than {LINE_MAX} bytes")
                    while line and not line.endswith(b"\n"):
                        line = file.readline(LINE_MAX)
                elif wanted is not None and not (wanted in line or _RUN in line):
                    continue
                elif line.strip():
                    yield from self._of_line(line, number)

    def _of_line(self, line: bytes, number: int) -> Iterator[Moment]:
        try:
            read = msgspec.json.decode(line, type=_Any)
        except msgspec.MsgspecError as error:
            self._skip(f"line {number}", str(error))
            return
        if read.recording is not None:
            self._header(msgspec.json.decode(line, type=Header))
        elif read.event is not None:
            moment = _captured(read, self.path.stem)
            if self._in_time(moment.at) and self.guest in {None, moment.input.event.guest}:
                yield Moment(moment.at, moment.input)
        else:
            yield from self._recorded(line, number)

    def _header(self, header: Header) -> None:
        if header.recording > VERSION:
            raise ReplayError(
                self.path,
                f"a newer reactor made this recording: its version is {header.recording}, "
                f"this reactor knows {VERSION}",
                "replay it with the newer reactor",
            )
        self.knows_runs = True

    def _recorded(self, line: bytes, number: int) -> Iterator[Moment]:
        try:
            recorded = msgspec.json.decode(line, type=Line)
        except msgspec.MsgspecError as error:
            self._skip(f"line {number}", str(error))
            return
        if not self._in_time(recorded.at):
            return
        if recorded.run is not None:
            if self._wants(recorded.run):
                self.ran.append(recorded.run)
        elif recorded.input is None:
            self._skip(f"line {number}", "it is neither an input, a run nor an event")
        elif self.guest in {None, _guest_of(recorded.input)}:
            yield Moment(recorded.at, recorded.input)

    def _in_time(self, at: float) -> bool:
        return self.since <= at <= self.until

    def _skip(self, place: str, reason: str) -> None:
        self.skipped_count += 1
        if len(self.skipped) < TOLD_MAX:
            self.skipped.append(f"{self.path}: {place}: {reason}")


class _Stamp(msgspec.Struct, frozen=True):
    seconds: int
    microseconds: int = 0


class _Any(msgspec.Struct, frozen=True):
    """What tells a header, a line of QMP and a line of a recording apart."""

    recording: int | None = None
    event: str | None = None
    data: dict[str, object] = {}
    timestamp: _Stamp | None = None
    guest: str | None = None


@dataclass(frozen=True, slots=True)
class _Captured:
    at: float
    input: Happened


def _captured(line: _Any, stem: str) -> _Captured:
    """An event as QEMU sent it; the file's name is the guest's where the line names none."""
    stamp = line.timestamp or _Stamp(0)
    at = stamp.seconds + stamp.microseconds / 1e6
    return _Captured(at, Happened(Event(line.event or "", line.guest or stem, line.data, at, at)))


def _guest_of(input_: Input) -> str | None:
    """The guest that an input is about; None when it is about none, and always wanted."""
    if isinstance(input_, Happened):
        return input_.event.guest
    return getattr(input_, "guest", None)
