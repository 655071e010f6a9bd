"""Everything that can enter the engine, as data that a journal can keep."""

from collections.abc import Mapping

import msgspec

from reactor.core.event import Event
from reactor.core.orders import Order


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a monitor answered about its QEMU right after the connect.

    ``status`` is ``query-status``'s word, or ``none`` for a storage daemon
    (it has no such command). ``dump`` and ``migration`` are the status of ``query-dump``
    and ``query-migrate``, empty where unknown. ``memory_bytes`` is base plus plugged memory.
    ``compared`` are the states of what is compared at the next connect: by subject and key,
    only of subjects that were asked for.
    """

    kind: str = "vm"
    status: str = "none"
    uuid: str = ""
    qemu_version: str = ""
    memory_bytes: int = 0
    migrating: bool = False
    dump: str = ""
    migration: str = ""
    compared: Mapping[str, Mapping[str, object]] = {}


class Happened(msgspec.Struct, frozen=True, tag="event", gc=False):
    """An event arrived."""

    event: Event


class GuestKnown(msgspec.Struct, frozen=True, tag="known"):
    """A guest was named by the settings or discovered; its monitor may be away.

    ``agent``: the settings say where its guest agent is reached.
    """

    guest: str
    labels: Mapping[str, str] = {}
    agent: bool = False


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


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """An MQTT message as ``message`` and ``topic`` in expressions see it.

    ``topic`` is as the broker sent it; ``below`` is its part below
    ``<prefix>/<host>/``, empty where it stands elsewhere. ``json`` is the payload
    read as JSON where ``is_json``. ``sent_at`` (seconds since the epoch) is what the sender
    says, ``expires`` what its expiry leaves of its time; None where it says neither.
    """

    topic: str
    payload: str
    below: str = ""
    json: object = None
    is_json: bool = False
    retain: bool = False
    qos: int = 0
    sent_at: float | None = None
    expires: float | None = None
    properties: Mapping[str, str] = {}
    response_topic: str = ""
    correlation: str = ""


class Missed(msgspec.Struct, frozen=True, tag="missed"):
    """Events of a guest found no room and were dropped: how many of each name.

    Only those that a policy, a step or the guest's state may have needed. It stands among the
    guest's inputs where the first of them would have stood.
    """

    guest: str
    events: Mapping[str, int]


class Fired(msgspec.Struct, frozen=True, tag="fired"):
    """A schedule of a policy is due: trigger ``index`` of it, at its own time ``at``.

    ``seed`` was drawn by who delivers it; each guest's jitter follows from it.
    """

    policy: str
    index: int
    at: float
    seed: int = 0


class Received(msgspec.Struct, frozen=True, tag="message"):
    """An MQTT message came in."""

    message: Message


class Operated(msgspec.Struct, frozen=True, tag="operator"):
    """An operator's order; ``who`` is known by the way it came in (``uid 1000 (anna)``).

    It is answered with a ``Reply`` of the same id.
    """

    id: str
    who: str
    order: Order


class Answered(msgspec.Struct, frozen=True, tag="answered", omit_defaults=True):
    """What became of an effect that has an id and asks or commands something.

    Exactly one holds: a ``result``; an ``error``; ``lost``, the reason why the
    outcome is unknown (sent, and the monitor died); ``unsent``, the reason why
    it certainly was not sent.
    """

    id: str
    result: object = None
    error: Refusal | None = None
    lost: str = ""
    unsent: str = ""


class Dropped(msgspec.Struct, frozen=True, tag="dropped", omit_defaults=True):
    """How many messages the outbox has dropped, in all lives of the daemon, by why.

    ``expired``: too old. ``evicted``: they gave way to what must last. ``refused``: there was no
    room. ``superseded``: retained ones, before a newer one of their topic. ``denied``: the
    broker does not take them.
    """

    expired: int = 0
    evicted: int = 0
    refused: int = 0
    superseded: int = 0
    denied: int = 0


class Ticked(msgspec.Struct, frozen=True, tag="tick"):
    """Time passed: a deadline of ``next_deadline`` is due."""


Input = (
    Happened
    | GuestKnown
    | GuestForgotten
    | Connected
    | Disconnected
    | Missed
    | Fired
    | Received
    | Operated
    | Answered
    | Dropped
    | Ticked
)
