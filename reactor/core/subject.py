"""What of a guest is compared over a break of its monitor: by whom it is asked and read.

A snapshot says for each key (a port, a job, a device) in which state it was. It is made at
a connect, from what QEMU answers, and kept current by the events themselves: so it always
says what the policies have been told, and the next connect tells them the difference.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

KEYS_MAX = 1000
"""Keys of one snapshot. Of a guest that has more nothing is compared: half a snapshot would
tell of things as gone that are merely left out."""

Snapshot = Mapping[str, object]
"""The state of each key; None: an event that is on its way says it."""

Compared = Mapping[str, Snapshot]
"""Snapshots by the name of their subject."""

Answers = Mapping[str, object]
"""What QEMU returned, by the name of the query; None where it refused."""

Told = tuple[str | None, object]
"""A key, and the state that an event leaves it in; None: it is gone. No key: all are gone."""

Proved = tuple[str, Mapping[str, object]]
"""An event that must have come: its name, and all that is proved of its data."""


class Query(NamedTuple):
    """A question; ``name`` is the id of its line, one for each command and arguments."""

    name: str
    command: str
    arguments: Mapping[str, object] = {}


def no_more(_answers: Answers) -> Iterable[Query]:
    """Nothing: the first questions tell all."""
    return ()


def nothing_more(_key: str, _state: object) -> Iterable[Proved]:
    """Nothing: of such waits the subject decides none."""
    return ()


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that is compared.

    Args:
        events: the events that a difference proves: who selects or awaits one of them has
            the subject asked.
        queries: what is asked for it.
        more: what is asked behind that, once the answers to it are known.
        read: the states in the answers; a query that was refused tells of no key.
        told: what an event says, by the names of all events that say something.
        proved: the events that led from the state before to that after; None where there
            was none.
        awaited: the events that a key in this state may still send; a wait for one of them
            goes on, and one for another of the subject's is over undecided.
        changed_by: the commands that add to what is compared, and make QEMU send no event.
        idle: a state that is not worth keeping: a key that had it before is as good as new.
        limited: QEMU may hold an event back for up to a second: it can come behind the
            answer that has told of it already.
    """

    name: str
    events: tuple[str, ...]
    queries: tuple[Query, ...]
    read: Callable[[Answers], Snapshot]
    told: Mapping[str, Callable[[Mapping[str, object]], Told | None]]
    proved: Callable[[str, object, object], Iterable[Proved]]
    more: Callable[[Answers], Iterable[Query]] = no_more
    awaited: Callable[[str, object], Iterable[Proved]] = nothing_more
    changed_by: tuple[str, ...] = ()
    idle: object = None
    limited: bool = False

    def differences(self, before: Snapshot, after: Snapshot) -> Iterator[Proved]:
        """The events that led from one snapshot to the other."""
        for key, state in after.items():
            if state is not None and state != before.get(key):
                yield from self.proved(key, before.get(key), state)
        for key, state in before.items():
            if key not in after:
                yield from self.proved(key, state, None)


def rows(answer: object) -> Iterator[Mapping[str, object]]:
    """The objects of a list that QEMU returned; whatever else stands there is left out."""
    if isinstance(answer, list):
        yield from (row for row in answer if isinstance(row, dict))


def text(data: Mapping[str, object], member: str) -> str:
    """A member that is a text, empty where it is not there."""
    value = data.get(member)
    return value if isinstance(value, str) else ""
