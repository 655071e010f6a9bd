"""Marks: named facts about a guest or one of its devices that outlive QEMU and the daemon."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec


class MarkKind(StrEnum):
    """What a mark can be put on."""

    GUEST = "guest"
    HOST = "host"
    DISK = "disk"
    MEMORY = "memory"
    PORT = "port"
    MIGRATION = "migration"

    @property
    def has_id(self) -> bool:
        """Whether a mark of this kind says which one it is on; a guest and a host have only one."""
        return self not in {MarkKind.GUEST, MarkKind.HOST}


SELF = "self"
"""The id of a mark on the guest or the host itself."""


class Mark(msgspec.Struct, frozen=True):
    """One mark; (``guest``, ``kind``, ``id``, ``word``) is its identity.

    ``word`` is what policies write as ``as`` (a Python keyword). ``since`` and
    ``expires`` are seconds since the epoch; ``expires`` None means never.
    """

    guest: str
    kind: MarkKind
    id: str
    word: str
    reason: str
    since: float
    policy: str
    run: str
    expires: float | None = None

    @property
    def key(self) -> str:
        """The identity as one string; each part has its ``/`` and ``%`` escaped."""
        parts = (self.guest, self.kind.value, self.id, self.word)
        return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


class MarkBook:
    """All marks that are set, by guest and key."""

    __slots__ = ("_guests",)

    def __init__(self) -> None:
        self._guests: dict[str, dict[str, Mark]] = {}

    def __iter__(self) -> Iterator[Mark]:
        """All marks."""
        return (mark for marks in self._guests.values() for mark in marks.values())

    def set(self, mark: Mark) -> tuple[Mark, bool]:
        """Set or renew; returns the mark that now stands and whether it is new.

        A renewed mark keeps its ``since``.
        """
        marks = self._guests.setdefault(mark.guest, {})
        known = marks.get(mark.key)
        if known is not None:
            mark = msgspec.structs.replace(mark, since=known.since)
        marks[mark.key] = mark
        return mark, known is None

    def of(self, guest: str) -> list[Mark]:
        """The marks of one guest."""
        return list(self._guests.get(guest, {}).values())

    def find(self, guest: str, kind: str, id_: str, word: str | None = None) -> list[Mark]:
        """The marks of this kind and id; any ``as`` when none is named."""
        return [
            mark
            for mark in self._guests.get(guest, {}).values()
            if mark.kind == kind and mark.id == id_ and word in (None, mark.word)
        ]

    def remove(self, mark: Mark) -> None:
        """Take one mark away."""
        marks = self._guests[mark.guest]
        del marks[mark.key]
        if not marks:
            del self._guests[mark.guest]

    def expired(self, now: float) -> list[Mark]:
        """The marks whose time is over."""
        return [mark for mark in self if mark.expires is not None and mark.expires <= now]

    def next_expiry(self) -> float | None:
        """When the next mark expires, or None."""
        return min((m.expires for m in self if m.expires is not None), default=None)
