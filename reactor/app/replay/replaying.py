"""A replay from the files to its result: which policies, which answers, what is assumed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from reactor.app.replay.differences import Difference, differences
from reactor.app.replay.exact import ExactPlayer
from reactor.app.replay.host import SIMULATED, THEN_TOO
from reactor.app.replay.past import Past
from reactor.app.replay.player import INTRODUCED, LEFT_OUT, NOBODYS, Player
from reactor.app.replay.recording import Line, Ran
from reactor.app.replay.sources import Source
from reactor.app.replay.tally import Tally, Told, Wanted
from reactor.app.replay.texts import Texts
from reactor.app.scenario.agenda import Restless
from reactor.core.config import EngineConfig
from reactor.core.inputs import Connected, Disconnected, GuestKnown, Happened
from reactor.core.policy import Policy
from reactor.errors import RecordingError

QEMU = "7.2.22"
"""Whose manners the simulated guests have, unless the record names another version."""

GUESTS_KEPT = 10_000
"""Guests whose names are remembered."""


_ASSUMED = (
    (
        f"one command is assumed to succeed as a QEMU {QEMU} would answer it",
        f"{{count}} commands are assumed to succeed as a QEMU {QEMU} would answer them",
    ),
    (
        "one command was sent then too, and ends as it did",
        "{count} commands were sent then too, and end as they did",
    ),
    (
        "one event was reactor's own doing then, and is left out",
        "{count} events were reactor's own doing then, and are left out",
    ),
    (
        "one guest is assumed to run at its first event: the record does not say how it was",
        "{count} guests are assumed to run at their first events: the record does not say so",
    ),
    (
        "one order of an operator was about a run that there is not now",
        "{count} orders of operators were about runs that there are not now",
    ),
    (
        "one command or run of then is not looked at: there are too many",
        "{count} commands and runs of then are not looked at: there are too many",
    ),
)
"""What a simulated replay rests on: for one, and for many."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be replayed.

    ``policies`` None: those of then. ``config`` None: that of then, else the defaults.
    ``labels`` are those of guests of which the record knows none. ``until`` in seconds
    since the epoch is the last time that is played; what is ``wanted`` is told.
    """

    policies: Sequence[Policy] | None = None
    config: EngineConfig | None = None
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    until: float = float("inf")
    compares: bool = False
    tell: Callable[[Told], None] | None = None


@dataclass(slots=True)
class Replayed:
    """What came of it. ``first`` and ``last`` are the times of the lines that were played.

    ``policies`` and ``guests`` are the names of those that were played; of guests at most
    ``GUESTS_KEPT``. ``has_guest``: one that is wanted was among them.

    ``assumed`` are sentences: what the result rests on. ``knows_runs``: the record says
    what was done, so that it could be compared.
    """

    tally: Tally
    exact: bool
    inputs: int = 0
    first: float | None = None
    last: float | None = None
    policies: set[str] = field(default_factory=set)
    guests: set[str] = field(default_factory=set)
    has_guest: bool = False
    assumed: list[str] = field(default_factory=list)
    knows_runs: bool = False
    differing: list[Difference] = field(default_factory=list)


def replay(sources: Sequence[Source], request: Request) -> Replayed:
    """Play the sources, one behind the other.

    Raises:
        RecordingError: one cannot be read, a text of then is not there, or policies start
            each other for ever.
        JournalError: a journal cannot be read.
        PolicyError: a text of then is none of today's language.
    """
    heads = [source.head() for source in sources]
    past = Past()
    for source in sources:
        past.take(source.beforehand())
    past.settle()
    texts = Texts(past, sources[0].label)
    is_whole = len(heads) == 1 and heads[0].whole
    exact = is_whole and _are_those_of_then(request, past)
    now: list[Ran] = []
    tally = Tally(request.wanted, request.tell, now.append if request.compares else None)
    replayed = Replayed(tally, exact, knows_runs=any(head.journal for head in heads))
    replayed.policies = _names(request, past)
    replayed.guests = set(request.labels)
    replayed.has_guest = any(map(request.wanted.wants_guest, request.labels))
    lines = _played(replayed, sources, request.until)
    try:
        if exact:
            _exactly(replayed, lines, ExactPlayer(heads[0].journal, texts.of_book, tally.watch))
        else:
            _simulated(replayed, lines, _player(request, past, texts, tally), past, request)
    except Restless as error:
        fix = "look with -v at what they do; `reactor check` names policies that can do so"
        raise RecordingError(sources[0].label, str(error), fix) from None
    if request.compares:
        replayed.differing = _compared(past, now + tally.open_runs(), replayed, request)
    return replayed


def _names(request: Request, past: Past) -> set[str]:
    """The policies that are played, some of them perhaps for a part of the time only."""
    if request.policies is not None:
        return {policy.name for policy in request.policies}
    books = {name for _, book in past.books for name in book.revisions}
    return books or {text.policy for text in past.texts.values()}


def _are_those_of_then(request: Request, past: Past) -> bool:
    """Whether the policies and settings that are played are those of then, all the time."""
    if not past.books or not past.books[0][1].starts:
        return False
    if request.policies is None:
        return request.config is None
    revisions = {policy.name: policy.revision for policy in request.policies}
    return all(
        book.revisions == revisions and request.config in (None, book.config)
        for _, book in past.books
    )


def _played(replayed: Replayed, sources: Sequence[Source], until: float) -> Iterator[Line]:
    """The lines that are played, noted as they go by."""
    for line in chain.from_iterable(source.lines() for source in sources):
        if line.at > until:
            return
        if replayed.first is None:
            replayed.first = line.at
        replayed.last = line.at
        replayed.inputs += line.input is not None
        _note_guest(replayed, line)
        yield line


def _note_guest(replayed: Replayed, line: Line) -> None:
    """Remember whose the line is."""
    match line.input:
        case Happened(event):
            name = event.guest
        case GuestKnown(name) | Connected(name) | Disconnected(name):
            pass
        case _:
            return
    if name in replayed.guests:
        return
    replayed.has_guest |= replayed.tally.wanted.wants_guest(name)
    if len(replayed.guests) < GUESTS_KEPT:
        replayed.guests.add(name)


def _player(request: Request, past: Past, texts: Texts, tally: Tally) -> Player:
    config = request.config
    if config is None:
        config = past.books[-1][1].config if past.books else EngineConfig()
    is_of_then = request.policies is None
    return Player(
        policies=texts.first() if request.policies is None else request.policies,
        config=config,
        watch=tally.watch,
        past=past,
        of_book=texts.of_book if is_of_then and past.books else None,
        labels=request.labels,
    )


def _exactly(replayed: Replayed, lines: Iterator[Line], player: ExactPlayer) -> None:
    player.play(lines)
    replayed.assumed = ["answers: as they came then; policies and settings are those of then"]
    if player.unasked:
        replayed.assumed.append(
            f"{player.unasked} answers of then were to what is not asked now: this reactor decides "
            "otherwise than the one that recorded it"
        )
    _tell_open(replayed)


def _simulated(
    replayed: Replayed, lines: Iterator[Line], player: Player, past: Past, request: Request
) -> None:
    player.play(lines)
    counted = (
        player.answered.get(SIMULATED, 0),
        player.answered.get(THEN_TOO, 0),
        player.counts[LEFT_OUT],
        player.counts[INTRODUCED],
        player.counts[NOBODYS],
        past.forgotten,
    )
    for count, sentences in zip(counted, _ASSUMED, strict=True):
        replayed.assumed += _told(count, *sentences)
    if request.policies is None and not past.books:
        note = "policies: the newest text of each, since the record does not say when"
        replayed.assumed.append(note)
    _tell_open(replayed)


def _tell_open(replayed: Replayed) -> None:
    still = len(replayed.tally.open_runs())
    replayed.assumed += _told(
        still, "one run is still open at the end", "{count} runs are still open at the end"
    )


def _told(count: int, one: str, many: str) -> list[str]:
    """The sentence for so many; none for nothing."""
    if not count:
        return []
    return [one if count == 1 else many.format(count=count)]


def _compared(
    past: Past, now: Sequence[Ran], replayed: Replayed, request: Request
) -> list[Difference]:
    last = replayed.last or 0.0
    wanted = request.wanted
    then = [
        ran
        for ran in past.runs.values()
        if wanted.wants(ran.policy, ran.guest, ran.at) and ran.at <= last
    ]
    return differences(then, (ran for ran in now if ran.at <= last))
