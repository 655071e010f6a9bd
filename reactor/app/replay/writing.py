"""Recording a journal: its lines for a file, and those that come in later."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reactor.adapters.journal import Reader
from reactor.app.replay import journal
from reactor.app.replay.recording import Line, written
from reactor.core.foreign import UNREADABLE
from reactor.core.inputs import Happened

LATE_S = 1.0
"""Seconds after the end of the time within which what belongs to it is journaled."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part is recorded: a time, and guests (a glob); what is of no guest always is."""

    since: float = 0.0
    until: float = float("inf")
    guest: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it leaves nothing out at the beginning."""
        return self.guest is None and self.since == 0.0

    def has(self, line: Line) -> bool:
        """Whether the line belongs to it."""
        return self.since <= line.at <= self.until and self.is_of_guest(line)

    def is_of_guest(self, line: Line) -> bool:
        """Whether the line is of a guest that is recorded."""
        guest = _guest_of(line)
        return not guest or self.guest is None or fnmatchcase(guest, self.guest)


class Recorder:
    """Writes the lines of a journal that may be in use.

    Args:
        write: takes lines, with their ends.
    """

    def __init__(self, reader: Reader, write: Callable[[bytes], object], part: Part) -> None:
        self._reader, self._write, self._part = reader, write, part
        self._after = reader.last()
        self._texts = self._sent = self._ran = 0
        self._unanswered: dict[str, str] = {}
        self._open: dict[str, None] = {}
        self.unreadable = 0

    def write(self) -> None:
        """Write what the journal holds now: head, what was done, what came in.

        Raises:
            JournalError: it cannot be read.
        """
        reader, part = self._reader, self._part
        self._write(written(journal.head(reader, whole=part.is_whole)))
        self._write_done()
        begin = reader.before(part.since) if part.since else 0
        removed = reader.removed_upto()
        if begin > removed:
            self._put(journal.preamble(reader, begin, part.since))
        else:
            begin = removed
            self._put(journal.standing(reader, begin))
        self._write_history(begin, self._after)

    def write_more(self) -> bool:
        """Write what came in since; whether anything did.

        Raises:
            JournalError: it cannot be read.
        """
        before, self._after = self._after, self._reader.last()
        if before == self._after:
            return False
        self._write_history(before, self._after)
        self._write_done()
        return True

    def is_over(self, now: float) -> bool:
        """Whether nothing more can belong to the time that is recorded."""
        return now > self._part.until + LATE_S

    def _write_history(self, after: int, upto: int) -> None:
        part = self._part
        rows = journal.history(self._reader, after, upto, since=part.since, until=part.until)
        for row in rows:
            try:
                line = journal.line_of(row)
            except UNREADABLE:
                self.unreadable += 1
                continue
            if line is not None and part.is_of_guest(line):
                self._write(written(line))

    def _write_done(self) -> None:
        """What was done since the last time, and how what was open then has ended."""
        reader = self._reader
        for number, found in journal.texts(reader, self._texts):
            self._texts = number
            self._write(written(found))
        for name, run in list(self._unanswered.items()):
            line = journal.sent_of(reader, run, name)
            if line is not None and line.sent is not None and line.sent.outcome:
                del self._unanswered[name]
                self._put([line])
        for number, line in journal.sent(reader, self._sent):
            self._sent = number
            self._put([line])
        for name in list(self._open):
            run_row = reader.run(name)
            if run_row is not None and run_row.ended is not None:
                del self._open[name]
                self._put([journal.ran_line(reader, run_row)])
        for number, line in journal.ran(reader, self._ran):
            self._ran = number
            self._put([line])

    def _put(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if not self._part.has(line):
                continue
            if line.sent is not None and not line.sent.outcome:
                self._unanswered[line.sent.id] = line.sent.run
            if line.run is not None and not line.run.outcome:
                self._open[line.run.run] = None
            self._write(written(line))


def _guest_of(line: Line) -> str:
    """The guest that a line is about; empty where it is about none."""
    if line.sent is not None:
        return line.sent.guest
    if line.run is not None:
        return line.run.guest
    if line.guest:
        return line.guest
    if isinstance(line.input, Happened):
        return line.input.event.guest
    return str(getattr(line.input, "guest", ""))
