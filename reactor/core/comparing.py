"""The snapshots of one guest: asked for where somebody needs them, kept current by events."""

from collections.abc import Iterable

import msgspec

from reactor.core import subjects
from reactor.core.effect import Execute
from reactor.core.event import Event
from reactor.core.facts import QUERY_LIMIT
from reactor.core.guest import Asking, Guest
from reactor.core.inputs import Answered, Facts
from reactor.core.needs import compared
from reactor.core.subject import Compared, Proved, Query
from reactor.core.subjects_disks import IO_ERROR, IO_ERRORS
from reactor.core.world import World

HELD_BACK = 1.5
"""Seconds behind a connect in which an event may come that QEMU's limiter had held back.

It holds for one second; the rest is the way to us.
"""

ASK_AGAIN = 60.0
"""Seconds after which a QEMU that did not answer is asked again for what is to be compared."""


def taken(world: World, guest: Guest, facts: Facts, *, same: bool) -> tuple[Facts, list[Proved]]:
    """The facts as they are kept, and the events that the snapshots in them prove.

    What is needed and was not answered keeps its snapshot of before: it is still what the
    policies have been told, and the answer that comes late is compared with it.

    ``same``: it is the QEMU of before; of another one nothing can be compared.
    """
    before: Compared = guest.facts.compared if same else {}
    made = list(subjects.differences(before, facts.compared))
    owed = [n for n in compared(world, guest.name) if n in before and n not in facts.compared]
    guest.unanswered = frozenset(owed)
    # Over a second connect too, and a restart: QEMU's limiter knows nothing of either.
    held = {of: until for of, until in guest.ahead.items() if same and until >= world.now}
    guest.ahead = held | dict.fromkeys(_ahead(before, facts.compared), world.now + HELD_BACK)
    kept = {**{name: before[name] for name in owed}, **subjects.merged(before, facts.compared)}
    return msgspec.structs.replace(facts, compared=kept), made


def told_by_state(guest: Guest, by_state: Iterable[Proved]) -> None:
    """What the guest's state proved is told: its late answer proves the same once more.

    The state does not say which disk or pass it was, so that the two cannot be told apart.
    """
    told = {subject.name for name, _ in by_state for subject in subjects.told_by(name)}
    told &= guest.unanswered
    if not told:
        return
    guest.unanswered -= told
    rest = {name: kept for name, kept in guest.facts.compared.items() if name not in told}
    guest.facts = msgspec.structs.replace(guest.facts, compared=rest)


def _ahead(before: Compared, after: Compared) -> Iterable[tuple[str, str]]:
    """What is told ahead of an event that QEMU may still hold back."""
    for name, snapshot in after.items():
        known = before.get(name)
        if known is not None and subjects.SUBJECTS[name].limited:
            for key, state in snapshot.items():
                if state is not None and state != known.get(key):
                    yield name, key


def by_disk(
    guest: Guest, facts: Facts, by_state: Iterable[Proved], *, same: bool
) -> list[Proved] | None:
    """What the guest's state proves, with its error told by the disks; None where they cannot.

    A guest that stands in `io-error` proves that some disk failed, `query-block` says which.
    """
    snapshot = facts.compared.get(IO_ERRORS.name, {})
    before = guest.facts.compared.get(IO_ERRORS.name, {}) if same else {}
    disks = list(IO_ERRORS.differences(before, snapshot))
    if not disks and None not in snapshot.values():
        return None
    told = list[Proved]()
    for proved in by_state:
        told.extend(disks if proved[0] == IO_ERROR else [proved])
    return told


def heard(world: World, guest: Guest, event: Event) -> bool:
    """Whether the event is news; what it says is in the snapshots from now on.

    It is none where the connect made up for it, and QEMU's limiter let it go only now.
    """
    if event.synthetic or not (guest.facts.compared or guest.asking):
        return True  # of a synthetic one the snapshot tells already
    news = True
    for subject in subjects.told_by(event.name):
        told = subject.told[event.name](event.data)
        if told is not None:
            news = _say(world, guest, subject.name, *told) and news
    return news


def _say(world: World, guest: Guest, subject: str, key: str | None, state: object) -> bool:
    if guest.asking is not None and subject in guest.asking.subjects:
        if key is None:
            said = guest.asking.said
            guest.asking.said = {of: word for of, word in said.items() if of[0] != subject}
        guest.asking.said[subject, key] = state
    snapshots = guest.facts.compared
    before = snapshots.get(subject)
    if before is None:
        return True
    until = guest.ahead.pop((subject, key), None) if key is not None else None
    if until is not None:
        world.keep_guest(guest)
    after = subjects.moved(before, key, state)
    if after is not before:
        _keep(world, guest, {**snapshots, subject: after})
        return True
    return until is None or world.now > until


def _keep(world: World, guest: Guest, snapshots: Compared) -> None:
    guest.facts = msgspec.structs.replace(guest.facts, compared=snapshots)
    world.keep_guest(guest)


def ask_missing(world: World, guest: Guest) -> None:
    """Ask for what is to be compared from now on and was not answered at the connect.

    A policy was loaded, or selects the guest by its new labels: what is answered is the
    first sight of these subjects, and nothing is made up. Or QEMU hung.
    """
    if guest.connected:
        under_way = () if guest.asking is None else guest.asking.subjects
        known = {*(guest.facts.compared.keys() - guest.unanswered), *under_way}
        _ask_for(world, guest, [n for n in compared(world, guest.name) if n not in known])


def compare_anew(world: World, guest: Guest) -> None:
    """Ask for all that is compared, and make up for what came meanwhile: events were dropped."""
    guest.unanswered |= guest.facts.compared.keys()
    ask_missing(world, guest)


def changed_by(world: World, guest: Guest, command: str) -> None:
    """Look again at what a command of ours has changed, and QEMU tells no event of."""
    changed = [n for n in guest.facts.compared if command in subjects.SUBJECTS[n].changed_by]
    if guest.connected:
        _ask_for(world, guest, changed)


def _ask_for(world: World, guest: Guest, names: Iterable[str]) -> None:
    names = tuple(names)
    if guest.asking is not None:
        guest.asking.later.update(dict.fromkeys(names))
    elif names:
        guest.asking = Asking(names)
        _ask(world, guest, guest.asking, subjects.first_queries(names))


def _ask(world: World, guest: Guest, asking: Asking, queries: Iterable[Query]) -> None:
    for query in queries:
        world.questions += 1
        question = f"q-{world.questions}"
        world.asked[question] = guest.name
        asking.pending[question] = query.name
        deadline = world.now + QUERY_LIMIT
        world.emit(
            Execute(question, guest.name, query.command, query.arguments, deadline, changes=False)
        )


def answered(world: World, guest: Guest, answer: Answered) -> bool:
    """Take an answer to what is asked for the snapshots; whether it was one."""
    asking = guest.asking
    if asking is None or answer.id not in asking.pending:
        return False
    name = asking.pending.pop(answer.id)
    if answer.lost or answer.unsent:
        # The next connect asks for all; one that does not come must not be waited for.
        guest.asking = None
        if guest.connected:
            world.timers.set(f"ask {guest.name}", world.now + ASK_AGAIN)
        return True
    asking.answers[name] = None if answer.error is not None else answer.result
    if asking.pending:
        return True
    more = subjects.more_queries(asking.subjects, asking.answers)
    if more and not asking.last:
        asking.last = True
        _ask(world, guest, asking, more)
        return True
    _take(world, guest, asking)
    return True


def _take(world: World, guest: Guest, asking: Asking) -> None:
    """Keep what was answered, and make up for what the connect could not compare."""
    found = subjects.read(asking.subjects, asking.answers)
    for (name, key), state in asking.said.items():
        # Before the answer it is in it, and behind it, it is newer.
        if name in found:
            found = {**found, name: subjects.moved(found[name], key, state)}
    snapshots = guest.facts.compared
    late = guest.unanswered & set(asking.subjects)
    before = {name: snapshots[name] for name in subjects.SUBJECTS if name in late}
    after = {name: found[name] for name in before if name in found}
    guest.unanswered -= late
    guest.ahead |= dict.fromkeys(_ahead(before, after), world.now + HELD_BACK)
    guest.asking = None
    rest = {name: kept for name, kept in snapshots.items() if name not in late}
    _keep(world, guest, {**rest, **subjects.merged({}, found)})
    for name, data in subjects.differences(before, after):
        world.occur(Event(name, guest.name, data, world.now, world.now, synthetic=True))
    _ask_for(world, guest, asking.later)
