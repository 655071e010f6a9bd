"""What comes in from the broker: for whom, how much of it, and as what."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from paho.mqtt.client import MQTTMessage

from reactor.adapters.mqtt.gate import Drop, Gate, Head, InCounters, InLimits, Tree
from reactor.core.topic_filters import disjoint, fits

_TOLD_TOPIC = 200


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as the broker sent it, within the bounds.

    ``expires`` is what is left of its time in seconds, None where it never ends.
    Of ``properties`` (MQTT 5 user properties) the first of a name counts. MQTT
    3.1.1 knows neither these nor ``response_topic`` and ``correlation``.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    expires: float | None = None
    properties: tuple[tuple[str, str], ...] = ()
    response_topic: str = ""
    correlation: bytes = b""


class Receiver(Protocol):
    """Who takes what comes in. Called in the event loop; must not raise."""

    def on_message(self, message: Incoming) -> None:
        """A message that a policy asks for."""
        ...

    def on_dropped(self, reason: Drop, topic: str, properties: bytes) -> None:
        """A message was not looked at; ``topic`` may be cut or mended for people.

        ``properties`` (MQTT 5, packed) tell who sent it; empty where nobody is to be told: it was
        retained, or they are too large.
        """
        ...


class Inbox:
    """Which topics are asked for, over all connections, and the way of a message in.

    Args:
        clock: seconds that never go back.
    """

    def __init__(
        self,
        receiver: Receiver,
        clock: Callable[[], float],
        limits: InLimits = InLimits(),  # noqa: B008 - frozen
    ) -> None:
        self.limits = limits
        self.counters = InCounters()
        self.filters: tuple[str, ...] = ()
        self._asked: tuple[Tree, ...] = ()
        self._receiver = receiver
        self._gate = Gate(limits, self._tree_of, clock)

    def ask_for(self, trees: Iterable[str | Tree]) -> None:
        """Ask for the topics of these trees (or filters), and no others.

        ``filters`` becomes what is to be subscribed for them: no two of these
        match one topic, so that a message comes once. They may match more.
        """
        asked = {tree if isinstance(tree, Tree) else Tree(tree) for tree in trees}
        # A topic that two trees hold belongs to the one that brings orders.
        self._asked = tuple(sorted(asked, key=lambda tree: (not tree.orders, tree.filter)))
        self.filters = disjoint(tree.filter for tree in self._asked)

    def lets_in(self, head: Head, packet: bytes | bytearray) -> bool:
        """Whether the message of this head is to be decoded; ``packet`` is all of it."""
        reason = self._gate.judge(head)
        if reason is None:
            return True
        self.counters.dropped[reason] = self.counters.dropped.get(reason, 0) + 1
        if reason is not Drop.UNWANTED:
            topic = head.topic[:_TOLD_TOPIC].decode(errors="replace")
            self._receiver.on_dropped(reason, topic, self._properties(head, packet))
        return False

    def _properties(self, head: Head, packet: bytes | bytearray) -> bytes:
        if head.retain or head.properties > self.limits.properties:
            return b""
        end = len(packet) - head.payload
        return bytes(packet[end - head.properties : end])

    def take(self, message: MQTTMessage) -> None:
        """Hand over a message that was let in."""
        self.counters.received += 1
        self._receiver.on_message(_incoming(message))

    def _tree_of(self, topic: str) -> Tree | None:
        return next((tree for tree in self._asked if fits(tree.filter, topic)), None)


def _incoming(message: MQTTMessage) -> Incoming:
    found = message.properties
    expires = getattr(found, "MessageExpiryInterval", None)
    return Incoming(
        topic=message.topic,
        payload=bytes(message.payload),
        qos=message.qos,
        retain=message.retain,
        expires=None if expires is None else float(expires),
        properties=tuple(getattr(found, "UserProperty", ())),
        response_topic=getattr(found, "ResponseTopic", ""),
        correlation=getattr(found, "CorrelationData", b""),
    )
