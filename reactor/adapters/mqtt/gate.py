"""What of the messages that come in is looked at: decided before anything is decoded.

Whoever may publish on a topic of ours decides how much we get. paho decodes the
properties of a message in quadratic time: 64 KiB of them take half a second in
which nothing else happens. So a message is judged by its head.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from reactor.core.bucket import Bucket


class Drop(StrEnum):
    """Why a message that came in is not looked at; the value is what operators read."""

    UNWANTED = "no policy asks for this topic"
    TOPIC = "its topic is not UTF-8"
    TOO_LARGE = "its payload is too large"
    PROPERTIES = "its properties are too large"
    RETAINED = "too many retained messages: they start nothing"
    TOO_MANY_THERE = "too many messages of one topic tree in a short time"
    TOO_MANY = "too many messages in a short time"


@dataclass(frozen=True, slots=True)
class InLimits:
    """The bounds of what comes in; sizes in bytes, rates in messages a second.

    ``packet`` is announced to a broker that speaks MQTT 5: it keeps back what is
    larger. ``burst`` is how many may come at once after a silence. Retained
    messages have a small count of their own: a reconnect must not spend the
    others'. Each tree of topics is counted too, so that a flood on one leaves
    room for the others; those that bring orders are counted by themselves.
    ``trees`` counts are kept, the latest.
    """

    payload: int = 65_536
    properties: int = 4096
    packet: int = 131_072
    rate: float = 100.0
    burst: int = 200
    tree_rate: float = 50.0
    tree_burst: int = 100
    order_rate: float = 10.0
    order_burst: int = 50
    trees: int = 1000
    retained_rate: float = 1.0
    retained_burst: int = 20


@dataclass(frozen=True, slots=True, order=True)
class Tree:
    """Topics that are asked for together, and counted together.

    With ``apart`` those that differ in the level of this index are counted apart.
    ``orders``: what comes there has a smaller count, which no other message uses up.
    """

    filter: str
    apart: int | None = None
    orders: bool = False

    def key(self, topic: str) -> str:
        """Under which name a topic of this tree is counted."""
        if self.apart is None:
            return self.filter
        return "/".join(topic.split("/")[: self.apart + 1])


class Head(NamedTuple):
    """What a PUBLISH packet says before its properties; sizes in bytes."""

    topic: bytes
    qos: int
    retain: bool
    packet_id: int
    properties: int
    payload: int


def read_head(command: int, packet: bytes | bytearray, *, has_properties: bool) -> Head | None:
    """The head of a PUBLISH packet; None when it is cut off.

    Source: MQTT 5.0, 3.3 (``command`` is the first byte) and 1.5.5 (the length of
    the properties: seven bits a byte, at most four bytes).
    """
    qos = command >> 1 & 3
    start = 2 + int.from_bytes(packet[:2])
    topic = bytes(packet[2:start])
    identity = packet[start : start + 2] if qos else b""
    position = start + len(identity)
    if len(packet) < start or (qos and len(identity) < 2):
        return None
    properties = 0
    if has_properties:
        for index, byte in enumerate(packet[position : position + 4]):
            properties |= (byte & 127) << 7 * index
            if byte < 128:
                position += index + 1
                break
        else:
            return None
    payload = len(packet) - position - properties
    if payload < 0:
        return None
    return Head(topic, qos, bool(command & 1), int.from_bytes(identity), properties, payload)


@dataclass(slots=True)
class InCounters:
    """What became of the messages that came in since the start."""

    received: int = 0
    dropped: dict[Drop, int] = field(default_factory=dict)


class Gate:
    """Judges heads.

    Args:
        tree_of: the tree in which a topic is asked for; None where nobody asks.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        limits: InLimits,
        tree_of: Callable[[str], Tree | None],
        clock: Callable[[], float],
    ) -> None:
        self._limits = limits
        self._tree_of = tree_of
        self._clock = clock
        self._all = Bucket(limits.rate, limits.burst)
        self._retained = Bucket(limits.retained_rate, limits.retained_burst)
        self._trees: OrderedDict[str, Bucket] = OrderedDict()

    def judge(self, head: Head) -> Drop | None:
        """Why the message is dropped; None when it is let in."""
        try:
            topic = head.topic.decode()
        except UnicodeDecodeError:
            return Drop.TOPIC
        tree = self._tree_of(topic)
        if tree is None:
            return Drop.UNWANTED
        if head.payload > self._limits.payload:
            return Drop.TOO_LARGE
        if head.properties > self._limits.properties:
            return Drop.PROPERTIES
        if head.retain:
            return None if self._retained.take(self._clock()) else Drop.RETAINED
        return self._count(tree, topic)

    def _count(self, tree: Tree, topic: str) -> Drop | None:
        now = self._clock()
        if not self._bucket(tree, topic).take(now):
            return Drop.TOO_MANY_THERE
        return None if tree.orders or self._all.take(now) else Drop.TOO_MANY

    def _bucket(self, tree: Tree, topic: str) -> Bucket:
        """What is left of this tree's count; of those that nobody used for long none is kept."""
        key = tree.key(topic)
        bucket = self._trees.get(key)
        if bucket is None:
            limits = self._limits
            if tree.orders:
                bucket = Bucket(limits.order_rate, limits.order_burst)
            else:
                bucket = Bucket(limits.tree_rate, limits.tree_burst)
            if len(self._trees) >= limits.trees:
                self._trees.popitem(last=False)
            self._trees[key] = bucket
        self._trees.move_to_end(key)
        return bucket
