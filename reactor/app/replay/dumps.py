"""How long recorded dumps took, and how they ended: the one answer that must be the real one.

A dump takes milliseconds or half an hour, and what comes meanwhile waits for it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from reactor.app.replay.recording import Ran
from reactor.app.scenario.answers import Answerer
from reactor.core.event import Event
from reactor.policyfile.policy_tests import Answering

DUMP = "dump-guest-memory"
NEAR_S = 2.0
"""Seconds by which a dump of now may lie beside that of then."""


@dataclass(frozen=True, slots=True)
class RecordedDump:
    """A dump of ours: when it began and ended, and why it failed, if it did."""

    start: float
    end: float
    problem: str | None


def recorded_dumps(
    ran: Iterable[Ran], ends: Iterable[Event]
) -> Mapping[str, tuple[RecordedDump, ...]]:
    """The dumps of each guest: each command with the first DUMP_COMPLETED of ours behind it."""
    completed: dict[str, list[Event]] = {}
    for event in ends:
        completed.setdefault(event.guest, []).append(event)
    dumps: dict[str, list[RecordedDump]] = {}
    for one in ran:
        for command, start in zip(one.commands, one.times, strict=False):
            end = next((e for e in completed.get(one.guest, ()) if e.received >= start), None)
            if command == DUMP and end is not None:
                dump = RecordedDump(start, end.received, _problem(end.data))
                dumps.setdefault(one.guest, []).append(dump)
    return {guest: tuple(found) for guest, found in dumps.items()}


def _problem(data: Mapping[str, object]) -> str | None:
    result = data.get("result")
    if isinstance(result, Mapping) and result.get("status") == "failed":
        return str(data.get("error", "the dump failed"))
    return None


class AsRecorded(Answerer):
    """Answers of one guest: its dumps end as those of then did, the rest as QEMU would."""

    def __init__(self, dumps: tuple[RecordedDump, ...], now: Callable[[], float]) -> None:
        super().__init__({})
        self._dumps, self._clock = dumps, now

    def take(self, *names: str) -> Answering:
        """The answer to this command."""
        now = self._clock()
        for dump in self._dumps if DUMP in names else ():
            if abs(dump.start - now) <= NEAR_S:
                return Answering(takes=max(0.0, dump.end - now), breaks=dump.problem)
        return super().take(*names)
