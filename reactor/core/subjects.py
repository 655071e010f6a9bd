"""The subjects that are compared at a connect, and what their differences prove.

Source: seen on QEMU 7.2; the QAPI schemas of 7.2 and 11.1; hw/char/virtio-console.c.
"""

from collections.abc import Iterable, Iterator, Mapping

from reactor.core.subject import (
    KEYS_MAX,
    Answers,
    Compared,
    Proved,
    Query,
    Snapshot,
    Subject,
    Told,
    rows,
    text,
)

PERIPHERAL = "/machine/peripheral"

_CHILDREN = Query("qom-list", "qom-list", {"path": PERIPHERAL})
_CHARDEVS = Query("query-chardev", "query-chardev")

PORTS_MAX = 128
"""Ports of virtio-serial that are asked for their character device, each with a query."""

_PORT = "child<virtserialport>"


def _ports(answers: Answers) -> list[str]:
    found = [text(row, "name") for row in rows(answers.get("qom-list")) if row.get("type") == _PORT]
    return found[:PORTS_MAX]


def _ask_ports(answers: Answers) -> Iterator[Query]:
    ports = _ports(answers)
    for port in ports:
        arguments = {"path": f"{PERIPHERAL}/{port}", "property": "chardev"}
        yield Query(f"qom-get {port}", "qom-get", arguments)
    if ports:
        # Last of all: what happens until then is in its answer.
        yield _CHARDEVS


def _read_ports(answers: Answers) -> Snapshot:
    """Which ports are open; of one without a character device nothing can be known."""
    open_ = {
        text(row, "label"): row.get("frontend-open") for row in rows(answers.get(_CHARDEVS.name))
    }
    behind = {port: answers.get(f"qom-get {port}") for port in _ports(answers)}
    found = {port: open_.get(label) for port, label in behind.items() if isinstance(label, str)}
    return {port: state for port, state in found.items() if isinstance(state, bool)}


def _port_told(data: Mapping[str, object]) -> Told | None:
    port, state = text(data, "id"), data.get("open")
    return (port, state) if port and isinstance(state, bool) else None


def _port_proved(port: str, before: object, after: object) -> Iterator[Proved]:
    # A port begins closed, and QEMU says nothing of one that is unplugged while it is open.
    if after is not None and bool(before) is not after:
        yield "VSERPORT_CHANGE", {"id": port, "open": after}


def _port_awaited(port: str, state: object) -> Iterator[Proved]:
    yield "VSERPORT_CHANGE", {"id": port, "open": not state}


PORTS = Subject(
    name="ports",
    events=("VSERPORT_CHANGE",),
    queries=(_CHILDREN,),
    more=_ask_ports,
    read=_read_ports,
    told={"VSERPORT_CHANGE": _port_told},
    proved=_port_proved,
    awaited=_port_awaited,
    limited=True,
)
"""A port of virtio-serial, by the id of its device.

Its character device is open at the frontend exactly while the guest has it open. A
``virtconsole`` sends the event too, but its character device is open always.
"""

SUBJECTS: Mapping[str, Subject] = {subject.name: subject for subject in (PORTS,)}
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
            if told is not None and subject.name in found:
                found[subject.name][told[0]] = None
    return {name: snapshot for name, snapshot in found.items() if len(snapshot) <= KEYS_MAX}


def merged(before: Compared, after: Compared) -> Compared:
    """The snapshots of a connect, with the states of before where an event is on its way."""
    return {name: _merged(before.get(name, {}), snapshot) for name, snapshot in after.items()}


def _merged(before: Snapshot, after: Snapshot) -> Snapshot:
    if None not in after.values():
        return after
    known = ((key, before.get(key) if state is None else state) for key, state in after.items())
    return {key: state for key, state in known if state is not None}


def differences(before: Compared, after: Compared) -> Iterator[Proved]:
    """The events that led from the snapshots of before to these, subject by subject.

    What there is no snapshot of from before is seen for the first time: nothing is made up.
    """
    for name, snapshot in after.items():
        known = before.get(name)
        if known is not None:
            yield from SUBJECTS[name].differences(known, snapshot)


def moved(snapshot: Snapshot, key: str, state: object) -> Snapshot:
    """The snapshot after an event has left this key in this state; the same where it was."""
    if snapshot.get(key) == state:
        return snapshot
    rest = {known: value for known, value in snapshot.items() if known != key}
    if state is None:
        return rest
    return {**snapshot, key: state} if key in snapshot or len(snapshot) < KEYS_MAX else snapshot
