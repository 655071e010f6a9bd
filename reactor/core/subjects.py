"""The subjects that are compared at a connect: how all of them are asked, read and compared."""

from collections.abc import Iterable, Iterator, Mapping

from reactor.core import subjects_devices, subjects_disks, subjects_jobs
from reactor.core.subject import KEYS_MAX, Answers, Compared, Proved, Query, Snapshot, Subject

SUBJECTS: Mapping[str, Subject] = {
    subject.name: subject
    for subject in (
        subjects_jobs.MIGRATION,
        subjects_jobs.BLOCK_JOBS,
        subjects_jobs.JOB_ERRORS,
        subjects_jobs.JOBS,
        subjects_devices.PORTS,
        subjects_devices.DEVICES,
        subjects_devices.MEMORY,
        subjects_devices.BALLOON,
        subjects_devices.SLOTS,
        subjects_disks.IO_ERRORS,
        subjects_disks.THRESHOLDS,
        subjects_disks.IMAGES,
        subjects_disks.TRAYS,
        subjects_disks.EXPORTS,
        subjects_disks.MANAGERS,
    )
}
"""All subjects by name, in the order in which their differences are told."""

RECOVERED = frozenset(event for subject in SUBJECTS.values() for event in subject.events)
"""The events that a difference of some subject proves."""

_BY_EVENT: Mapping[str, tuple[Subject, ...]] = {
    name: tuple(subject for subject in SUBJECTS.values() if name in subject.told)
    for name in {name for subject in SUBJECTS.values() for name in subject.told}
}

TELLING = frozenset(_BY_EVENT)
"""The events that say something of a subject, and keep its snapshot current."""


def told_by(name: str) -> tuple[Subject, ...]:
    """The subjects of which an event of this name says something."""
    return _BY_EVENT.get(name, ())


def first_queries(names: Iterable[str]) -> tuple[Query, ...]:
    """What is asked first for these subjects, each question once."""
    asked = [query for name in names for query in SUBJECTS[name].queries]
    return tuple({query.name: query for query in asked}.values())


def more_queries(names: Iterable[str], answers: Answers) -> tuple[Query, ...]:
    """What is asked behind that, by what was answered."""
    asked = [query for name in names for query in SUBJECTS[name].more(answers)]
    return tuple({query.name: query for query in asked if query.name not in answers}.values())


def read(
    names: Iterable[str], answers: Answers, held: Iterable[tuple[str, Mapping[str, object]]] = ()
) -> Compared:
    """The snapshots in all answers.

    Args:
        held: the events, name and data, that came while QEMU was asked and are still to be
            handed on. They say themselves what became of their keys.
    """
    found = {name: dict(SUBJECTS[name].read(answers)) for name in names}
    for event, data in held:
        for subject in told_by(event):
            told = subject.told[event](data)
            if told is None or subject.name not in found:
                continue
            if told[0] is None:
                del found[subject.name]  # the answer may be older, and then of no worth
            else:
                found[subject.name][told[0]] = None
    return {name: snapshot for name, snapshot in found.items() if len(snapshot) <= KEYS_MAX}


def merged(before: Compared, after: Compared) -> Compared:
    """The snapshots of a connect, with the states of before where an event is on its way."""
    return {
        name: _merged(before.get(name, {}), snapshot, SUBJECTS[name].idle)
        for name, snapshot in after.items()
    }


def _merged(before: Snapshot, after: Snapshot, idle: object) -> Snapshot:
    known = ((key, before.get(key) if state is None else state) for key, state in after.items())
    return {key: state for key, state in known if state is not None and state != idle}


def differences(before: Compared, after: Compared) -> Iterator[Proved]:
    """The events that led from the snapshots of before to these, subject by subject.

    What there is no snapshot of from before is seen for the first time: nothing is made up.
    """
    for name, snapshot in after.items():
        known = before.get(name)
        if known is not None:
            yield from SUBJECTS[name].differences(known, snapshot)


def moved(snapshot: Snapshot, key: str | None, state: object) -> Snapshot:
    """The snapshot after an event has left this key in this state; the same where it was."""
    if key is None:
        return {} if snapshot else snapshot
    if snapshot.get(key) == state:
        return snapshot
    rest = {known: value for known, value in snapshot.items() if known != key}
    if state is None:
        return rest
    return {**snapshot, key: state} if key in snapshot or len(snapshot) < KEYS_MAX else snapshot
