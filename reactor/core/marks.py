"""Marks: named facts about a guest or one of its devices that outlive QEMU and the daemon."""

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
