"""The auditor's rules: which dump and which reset belong to which panic, and what is wrong.

Pure: events in, sentences out. The events come from a monitor of their own, of which the daemon
knows nothing.
"""

import itertools
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reactor.demo.control import Seen
from tests.lab.lab import HOST_RESET


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept; ``since`` and ``until`` bound it, in seconds since 1970."""

    guest: str
    text: str
    since: float = 0.0
    until: float = float("inf")

    def __str__(self) -> str:
        """The sentence."""
        return f"{self.guest}: {self.text}"


@dataclass(slots=True)
class Incident:
    """What happened from one panic to the next; ``panic`` is None before the first."""

    panic: Seen | None
    events: list[Seen] = field(default_factory=list)

    @property
    def dumps(self) -> list[Seen]:
        """Dumps that succeeded."""
        return [event for event in self.events if _dumped(event)]

    @property
    def broken_dumps(self) -> list[Seen]:
        """Dumps that failed."""
        ended = [event for event in self.events if event.name == "DUMP_COMPLETED"]
        return [event for event in ended if not _dumped(event)]

    @property
    def resets(self) -> list[Seen]:
        """Resets that somebody commanded; the firmware's own do not count."""
        return [event for event in self.events if _by_host(event)]

    @property
    def is_whole(self) -> bool:
        """Whether it was brought to its end."""
        return len(self.dumps) == 1 and len(self.resets) == 1


def _dumped(event: Seen) -> bool:
    data = event.data
    return (
        event.name == "DUMP_COMPLETED"
        and data["result"]["status"] == "completed"
        and "error" not in data
    )


def _by_host(event: Seen) -> bool:
    return event.name == "RESET" and event.data["reason"] == HOST_RESET


def incidents(events: Iterable[Seen]) -> list[Incident]:
    """The events of one life of QEMU, cut at its panics; the first has no panic."""
    found = [Incident(None)]
    for event in events:
        if event.name == "GUEST_PANICKED":
            found.append(Incident(event))
        else:
            found[-1].events.append(event)
    return found


@dataclass(frozen=True, slots=True)
class Life:
    """One QEMU process of a guest.

    Args:
        killed: we killed it; its last incident may have been cut short.
        console: how often the guest said that it panicked, None where nobody asked it.
        dropped: events that the auditor could not keep.
    """

    guest: str
    number: int
    events: Sequence[Seen]
    killed: bool = False
    console: int | None = None
    dropped: int = 0

    @property
    def panics(self) -> int:
        """How many panics the monitor told."""
        return len(incidents(self.events)) - 1


def wrong_files(lives: Sequence[Life], whole: int) -> Iterator[Violation]:
    """What is wrong with so many whole dumps of a guest, after all its lives.

    Each dump that the monitor told is whole. One more may be of each QEMU that was killed while
    it dumped: it had written the last byte, and not told it yet.
    """
    found = [incidents(life.events) for life in lives]
    told = sum(len(incident.dumps) for each in found for incident in each)
    cut = sum(
        life.killed and each[-1].panic is not None and not each[-1].dumps
        for life, each in zip(lives, found, strict=True)
    )
    if not told <= whole <= told + cut and lives:
        text = f"{told} dumps by its monitor, {cut} cut short by a kill, {whole} whole files"
        yield Violation(lives[0].guest, text)


def violations(life: Life) -> Iterator[Violation]:
    """What is wrong with one life of a guest's QEMU."""
    where = f"{life.guest} (QEMU {life.number})"
    if life.dropped:
        yield Violation(life.guest, f"the auditor lost {life.dropped} events")
    if life.console not in {None, life.panics}:
        text = f"it panicked {life.console} times by its console, {life.panics} by its monitor"
        yield Violation(life.guest, text)
    found = incidents(life.events)
    ends = [incident.panic.occurred for incident in found[1:] if incident.panic is not None]
    for number, (incident, end) in enumerate(zip(found, [*ends, float("inf")], strict=True)):
        cut = life.killed and incident is found[-1]
        since = incident.panic.occurred if incident.panic else 0.0
        which = f"panic {number}" if number else "before any panic"
        for text in _wrong(incident, cut=cut):
            yield Violation(life.guest, f"{where}, {which}: {text}", since, end)


def _wrong(incident: Incident, *, cut: bool) -> Iterator[str]:
    dumps, resets = incident.dumps, incident.resets
    wanted = 1 if incident.panic else 0
    for what, count in (("dumps", len(dumps)), ("resets", len(resets))):
        if count > wanted or (count < wanted and not cut):
            yield f"{count} {what} instead of {wanted}"
    for broken in incident.broken_dumps:
        yield f"a dump failed: {broken.data.get('error', 'no reason given')}"
    if incident.panic is None:
        return
    first = resets[0].number if resets else float("inf")
    if resets and not any(dump.number < first for dump in dumps):
        yield "it was reset before it was dumped"
    if any(event.name == "RESUME" and event.number < first for event in incident.events):
        yield "its dead kernel was let run on"


@dataclass(frozen=True, slots=True)
class Window:
    """While the journal could not be written: from when the daemon said so until there was room."""

    told: float
    room: float


def acts_without_journal(life: Life, windows: Iterable[Window]) -> Iterator[Violation]:
    """What was done about a panic that could not be journaled."""
    for window, incident in itertools.product(windows, incidents(life.events)):
        panic = incident.panic
        if panic is None or not window.told < panic.occurred < window.room:
            continue
        for event in (*incident.dumps, *incident.broken_dumps, *incident.resets):
            if event.occurred < window.room:
                text = f"{event.name} while the journal could not be written"
                yield Violation(life.guest, text, panic.occurred, window.room)


def unheard(owed: Mapping[str, str], heard: Container[str]) -> Iterator[Violation]:
    """Runs that ended and were never heard of: run to guest, and who was heard."""
    for run, guest in owed.items():
        if run not in heard:
            yield Violation(guest, f"run {run} ended and its message never arrived")


@dataclass(frozen=True, slots=True)
class Owed:
    """A message that the outbox promised and let go; ``at`` in seconds since 1970."""

    seq: int
    at: float
    topic: str
    payload: bytes
    retain: bool = False

    @property
    def word(self) -> tuple[str, bytes]:
        """What a subscriber gets of it."""
        return self.topic, self.payload


def unpublished(owed: Iterable[Owed], heard: Iterable[tuple[str, bytes]]) -> Iterator[Violation]:
    """Messages that left the outbox and reached nobody; of several alike each counts.

    Args:
        heard: topic and payload of what a subscriber got; more of it is no fault.
    """
    left = Counter(heard)
    for message in owed:
        if left[message.word]:
            left[message.word] -= 1
            continue
        text = f"message {message.seq} on {message.topic} left the outbox and never arrived"
        yield Violation("broker", text, message.at, message.at)


def out_of_order(owed: Sequence[Owed], heard: Iterable[tuple[str, bytes]]) -> Iterator[Violation]:
    """Messages that arrived first when a later one of their topic had arrived already.

    What comes once more may come behind others. Messages alike cannot be told apart, and retained
    ones are told at each connect: neither counts.
    """
    once = {word for word, count in Counter(message.word for message in owed).items() if count == 1}
    places = {word: place for place, word in reversed(list(enumerate(heard)))}
    latest: dict[str, Owed] = {}
    for message in owed:
        if message.retain or message.word not in once or message.word not in places:
            continue
        before = latest.setdefault(message.topic, message)
        if places[message.word] < places[before.word]:
            text = f"message {message.seq} on {message.topic} arrived before {before.seq}"
            yield Violation("broker", text, before.at, message.at)
        else:
            latest[message.topic] = message


def miscounted(guest: str, lives: Sequence[Life], outcomes: Sequence[str]) -> Iterator[Violation]:
    """When the runs of a guest do not tell the story that its monitor tells.

    One that finds the guest beyond what it was about ends as ``stopped``, which is as good as
    ``succeeded``: what it left undone would be seen at the monitor. An incident that was cut
    short by the end of QEMU may end in any way, or its run never begins.
    """
    found = [incident for life in lives for incident in incidents(life.events)[1:]]
    whole = sum(incident.is_whole for incident in found)
    cut = sum(life.killed and life.panics > 0 for life in lives)
    well = sum(outcome in {"succeeded", "stopped"} for outcome in outcomes)
    if not whole - cut <= well <= whole + cut:
        text = f"{whole} recoveries by its monitor, {well} by its runs"
        yield Violation(guest, text)
    badly = [outcome for outcome in outcomes if outcome in {"failed", "timed-out", "unknown"}]
    if len(badly) > cut:
        text = f"runs ended {', '.join(badly)}, {cut} of them because QEMU was killed"
        yield Violation(guest, text)
