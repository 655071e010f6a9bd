"""The ports of the publisher: what it sends, where it takes it from, whom it tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from reactor.errors import BrokerError


class Message(Protocol):
    """Anything that can be published.

    MQTT 3.1.1 has no expiry, no content type and no properties: they are left
    out there.
    """

    @property
    def topic(self) -> str:
        """The complete topic."""

    @property
    def payload(self) -> bytes:
        """What is published, as it is; empty and retained takes a retained message away."""

    @property
    def qos(self) -> int:
        """0, 1 or 2; only 1 tells when a broker refuses the message."""

    @property
    def retain(self) -> bool:
        """Whether the broker keeps it for those who subscribe later."""

    @property
    def expiry_s(self) -> float | None:
        """Seconds after which it is of no use any more; None means never."""

    @property
    def content_type(self) -> str | None:
        """Its MIME type; None or empty where it has none."""

    @property
    def properties(self) -> Mapping[str, str]:
        """MQTT 5 user properties."""


class OutboxRow(Message, Protocol):
    """A message that waits in the outbox."""

    @property
    def seq(self) -> int:
        """Its number, from 1; it grows from row to row."""

    @property
    def added(self) -> float:
        """When the row was written, in seconds on the engine's clock."""


class Fate(StrEnum):
    """What became of a row: the broker has it, or it was dropped unsent."""

    SENT = "sent"
    EXPIRED = "expired"
    DENIED = "denied"


class Outbox(Protocol):
    """The queue on disk. A row stays in it until the publisher says ``done``.

    ``pending`` may raise ``ReactorError``: it is asked again a little later.
    """

    async def pending(self, after: int, limit: int) -> Sequence[OutboxRow]:
        """The first ``limit`` rows whose ``seq`` is greater than ``after``, in order of ``seq``.

        Fewer than ``limit`` means that there are no more now; ``Publisher.nudge``
        says when that changes. ``after`` never goes back, so that a row that is
        ``done`` but not yet deleted is not read again.
        """
        ...

    def done(self, fates: Mapping[int, Fate]) -> None:
        """The rows of these numbers are through: acknowledged, expired or refused for good.

        Must return at once: whoever implements it writes behind our back. A row
        whose deletion is lost in a crash is published again after the restart.
        """
        ...


class Listener(Protocol):
    """Who wants to know how the link to the broker is. Called in the event loop."""

    def on_connected(self) -> None:
        """The broker accepted us; retained state is on its way."""
        ...

    def on_disconnected(self) -> None:
        """A connection that ``on_connected`` told of is gone."""
        ...

    def on_trouble(self, error: BrokerError) -> None:
        """Why there is no connection, or why a message was refused.

        Told once for each change of the reason, not once for each attempt.
        """
        ...


@dataclass(frozen=True, slots=True)
class OutMessage:
    """A message that comes from no outbox: availability and retained state."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
    expiry_s: float | None = None
    content_type: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Counters:
    """What became of the outbox's rows since the start, and of the connection.

    ``published``: acknowledged by the broker. ``retried``: sent again, because
    the connection was lost before the acknowledgement or the broker was over
    its quota. ``expired``: dropped unsent. ``refused``: dropped because the
    broker, or MQTT itself, does not take them; this one counts retained state
    too. ``reconnects``: connections after the first one.
    """

    published: int = 0
    retried: int = 0
    expired: int = 0
    refused: int = 0
    reconnects: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a publisher; only tests have a reason to change them.

    Times are seconds. ``window`` is how many messages may be unacknowledged,
    ``lookahead`` how many rows are held in memory. ``ack_s`` without an
    acknowledgement means that the broker hangs. A connection that lasted
    ``stable_s`` forgives the failures before it; why one was lost is told again
    when the last loss is ``recent_s`` ago. A row that was alone in
    flight when the connection broke ``strikes`` times is given up, and so is
    one that met the broker's quota that often. Who is thrown out, most likely by another
    client with the same id, waits ``fight_s``, twice as long each time up to ``fight_max_s``; a
    connection that lasted ``calm_s`` ends that.
    """

    window: int = 100
    lookahead: int = 1000
    connect_s: float = 5.0
    ack_s: float = 30.0
    stable_s: float = 10.0
    recent_s: float = 120.0
    first_delay_s: float = 0.25
    max_delay_s: float = 30.0
    fight_s: float = 15.0
    fight_max_s: float = 60.0
    calm_s: float = 600.0
    retry_s: float = 1.0
    strikes: int = 3
