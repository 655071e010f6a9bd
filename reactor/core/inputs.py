"""Everything that can enter the engine, as data that a journal can keep."""

from collections.abc import Mapping

import msgspec

from reactor.core.event import Event


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a monitor answered about its QEMU right after the connect.

    ``status`` is ``query-status``'s word, or ``none`` for a storage daemon
    (it has no such command). ``dump`` is ``query-dump``'s status, empty where
    unknown. ``memory_bytes`` is base plus plugged memory.
    """

    kind: str = "vm"
    status: str = "none"
    uuid: str = ""
    qemu_version: str = ""
    memory_bytes: int = 0
    migrating: bool = False
    dump: str = ""


class Happened(msgspec.Struct, frozen=True, tag="event", gc=False):
    """An event arrived."""

    event: Event


class GuestKnown(msgspec.Struct, frozen=True, tag="known"):
    """A guest was named by the settings or discovered; its monitor may be away."""

    guest: str
    labels: Mapping[str, str] = {}


class GuestForgotten(msgspec.Struct, frozen=True, tag="forgotten"):
    """The settings or the discovery no longer name this guest."""

    guest: str


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """A monitor is ready: greeting, capabilities and facts are in.

    ``epoch`` names one life of one QEMU process; another epoch means that
    QEMU was restarted and nothing known of the old one holds.
    """

    guest: str
    epoch: str
    facts: Facts


class Disconnected(msgspec.Struct, frozen=True, tag="disconnected"):
    """A monitor went away; ``reason`` is a sentence for people."""

    guest: str
    reason: str


class Refusal(msgspec.Struct, frozen=True):
    """QEMU's ``error`` member: ``class`` and ``desc``."""

    error_class: str
    description: str


class Answered(msgspec.Struct, frozen=True, tag="answered", omit_defaults=True):
    """What became of an ``Execute`` or ``AskPath`` effect.

    Exactly one holds: a ``result``; an ``error``; ``lost``, the reason why the
    outcome is unknown (sent, and the monitor died); ``unsent``, the reason why
    it certainly was not sent.
    """

    id: str
    result: object = None
    error: Refusal | None = None
    lost: str = ""
    unsent: str = ""


class Ticked(msgspec.Struct, frozen=True, tag="tick"):
    """Time passed: a deadline of ``next_deadline`` is due."""


Input = Happened | GuestKnown | GuestForgotten | Connected | Disconnected | Answered | Ticked
