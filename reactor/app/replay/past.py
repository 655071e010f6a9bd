"""What was done then, and what else of a record must be known before it is played."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from reactor.app.records import Rulebook
from reactor.app.replay.recording import Line, Ran, Sent, Text
from reactor.core.event import Event
from reactor.core.inputs import Answered, Fired, Happened

NEAR_S = 60.0
"""Seconds by which a command of now may lie beside the one of then that it is taken for."""

KNOWN_MAX = 2_000_000
"""Commands, runs and answers that are known beforehand; beyond them they are counted only."""

DUMP = "dump-guest-memory"
RESET = "system_reset"
_ECHO_S = 11.0
"""Seconds behind a reset of ours within which a RESET is the doing of that reset."""


@dataclass(slots=True)
class Command:
    """A command of then: what was answered, when; how its dump ended, if it was one.

    ``taken``: a command of now was taken for it.
    """

    at: float
    sent: Sent
    answer: Answered | None = None
    dumped: Event | None = None
    taken: bool = False


@dataclass(slots=True)
class Past:
    """All of it. ``seeds`` are those of the firings of schedules, by policy, index and time.

    ``books`` are the policies in force, with the times since when; ``forgotten`` counts what
    was more than can be known.
    """

    texts: dict[str, Text] = field(default_factory=dict)
    books: list[tuple[float, Rulebook]] = field(default_factory=list)
    runs: dict[str, Ran] = field(default_factory=dict)
    seeds: dict[tuple[str, int, float], int] = field(default_factory=dict)
    forgotten: int = 0
    _sent: dict[str, Command] = field(default_factory=dict)
    _answers: dict[str, tuple[float, Answered]] = field(default_factory=dict)
    _dumped: dict[str, list[Event]] = field(default_factory=dict)
    _by_kind: dict[tuple[str, str], list[Command]] = field(default_factory=dict)

    def take(self, lines: Iterable[Line]) -> None:
        """Learn from a source; ``settle`` when all of them were read."""
        for line in lines:
            self._take(line)

    def _take(self, line: Line) -> None:
        if line.text is not None:
            self.texts[line.text.revision] = line.text
        elif line.policies is not None:
            self.books.append((line.at, line.policies))
        elif self._is_full():
            self.forgotten += 1
        elif line.run is not None:
            self.runs[line.run.run] = line.run
        elif line.sent is not None:
            self._sent[line.sent.id] = Command(line.at, line.sent)
        else:
            self._input(line)

    def _is_full(self) -> bool:
        return len(self._sent) + len(self._answers) + len(self.runs) >= KNOWN_MAX

    def _input(self, line: Line) -> None:
        match line.input:
            case Answered() if "." in line.input.id and not line.asked.startswith("query-"):
                self._answers[line.input.id] = (line.at, line.input)
            case Fired(policy, index, at, seed):
                self.seeds[policy, index, at] = seed
            case Happened(event) if event.own and event.name == "DUMP_COMPLETED":
                self._dumped.setdefault(event.guest, []).append(event)
            case _:
                return

    def settle(self) -> None:
        """Put together what belongs together."""
        for name, command in sorted(self._sent.items(), key=lambda item: item[1].at):
            _, command.answer = self._answers.get(name, (0.0, None))
            kind = command.sent.guest, command.sent.command
            if command.sent.command == DUMP:
                ends = self._dumped.get(command.sent.guest, [])
                place = bisect_left(ends, command.at, key=lambda event: event.received)
                command.dumped = ends[place] if place < len(ends) else None
            self._by_kind.setdefault(kind, []).append(command)
        self._answers.clear()

    # ------------------------------------------------------------ questions

    def recall(self, guest: str, command: str, now: float) -> Command | None:
        """The command of then that one of now is taken for: the nearest that was not yet."""
        commands = self._by_kind.get((guest, command), ())
        place = bisect_left(commands, now - NEAR_S, key=lambda one: one.at)
        best: Command | None = None
        for one in commands[place:]:
            if one.at > now + NEAR_S:
                break
            if not one.taken and (best is None or abs(one.at - now) < abs(best.at - now)):
                best = one
        if best is not None:
            best.taken = True
        return best

    def has_sent(self, guest: str, command: str, begin: float, end: float) -> bool:
        """Whether such a command was sent in that time."""
        return any(begin <= one.at <= end for one in self._near(guest, command, begin))

    def explains(self, event: Event) -> bool:
        """Whether an event that was taken for our own doing can have been that.

        A RESET by command always is taken so, although somebody else may have sent it.
        """
        if event.name != "RESET":
            return True
        at = event.received
        return self.has_sent(event.guest, RESET, at - _ECHO_S, at + 1.0)

    def untaken(self, guest: str, commands: Iterable[str], begin: float, end: float) -> bool:
        """Whether one of these was sent then, in that time, and not now."""
        return any(
            begin <= one.at <= end and not one.taken
            for command in commands
            for one in self._near(guest, command, begin)
        )

    def _near(self, guest: str, command: str, begin: float) -> Iterable[Command]:
        commands = self._by_kind.get((guest, command), [])
        place = bisect_left(commands, begin, key=lambda one: one.at)
        return commands[place : place + 1000]
