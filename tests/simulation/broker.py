"""The simulated broker, and the links that the real publisher talks over."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from reactor.adapters.mqtt import faults
from reactor.adapters.mqtt.backlog import Job
from reactor.adapters.mqtt.faults import Lost
from reactor.adapters.mqtt.inbox import Inbox
from reactor.adapters.mqtt.link import V5, Answer
from reactor.adapters.mqtt.messages import Limits
from reactor.adapters.mqtt.options import MqttOptions
from tests.simulation.cable import Pipe
from tests.simulation.loop import VirtualLoop


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that the broker took; ``seq`` is its number in the outbox, 0 for none."""

    at: float
    life: int
    seq: int
    topic: str
    payload: bytes


class Broker:
    """It is up or down; it may lose its acknowledgements or fall silent."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.is_up = True
        self.is_silent = False
        self.heard: list[Heard] = []
        self.retained: dict[str, bytes] = {}
        self.life = 0
        self.cut_at: int | None = None
        self._link: SimLink | None = None

    async def connect(
        self,
        options: MqttOptions,
        _limits: Limits,
        changed: Callable[[], None],
        _inbox: Inbox,
        _version: object = V5,
    ) -> "SimLink":
        """A link, as ``reactor.adapters.mqtt.link.connect`` gives one."""
        if not self.is_up:
            raise faults.unreachable(options, ConnectionRefusedError(111, "Connection refused"))
        self._link = SimLink(self, self.life, changed)
        return self._link

    def take(self, life: int, job: Job) -> None:
        """A message came in."""
        message = job.message
        self.heard.append(
            Heard(self.loop.time(), life, job.seq, message.topic, bytes(message.payload))
        )
        if message.retain:
            self.retained[message.topic] = bytes(message.payload)

    def is_cut_before(self) -> bool:
        """Whether the connection breaks before the message that comes now is taken.

        ``cut_at`` counts messages; below 0, and it breaks after the last of them.
        """
        if self.cut_at is None or self.cut_at <= 0:
            return False
        self.cut_at -= 1
        return self.cut_at == 0

    def is_cut_after(self) -> bool:
        """Whether it breaks before the message that was taken now is acknowledged."""
        if self.cut_at is None or self.cut_at >= 0:
            return False
        self.cut_at += 1
        return self.cut_at == 0

    def cut(self, *, lose_messages: bool) -> None:
        """The connection breaks; acknowledgements on their way are lost."""
        if self._link is not None:
            self._link.cut(lose_messages=lose_messages)

    def down(self) -> None:
        """The broker ends."""
        self.is_up = False
        self.cut(lose_messages=True)

    def up(self) -> None:
        """The broker runs and answers."""
        self.is_up, self.is_silent = True, False


class SimLink:
    """What the publisher needs of a ``Link``, without a socket."""

    def __init__(self, broker: Broker, life: int, changed: Callable[[], None]) -> None:
        self.version = V5
        self.receive_maximum = 20
        self.ended: Lost | None = None
        self.asked: dict[int, tuple[list[str], float]] = {}
        self.grants: deque[list[tuple[str, int, str]]] = deque()
        self.answers: deque[Answer] = deque()
        self.in_flight: dict[int, tuple[Job, float]] = {}
        self._broker = broker
        self._life = life
        self._changed = changed
        self._there = Pipe(broker.loop)
        self._back = Pipe(broker.loop)
        self._last = 0

    @property
    def waits_since(self) -> float | None:
        """When the oldest message without an answer was sent."""
        return min((sent for _, sent in self.in_flight.values()), default=None)

    def publish(self, job: Job, _remaining_s: float | None) -> None:
        """Hand a message over."""
        self._last += 1
        number = self._last
        self.in_flight[number] = (job, self._broker.loop.time())
        if self.ended is None:
            self._there.put(lambda: self._arrive(number, job))

    def subscribe(self, _filters: list[str]) -> None:
        """Nobody publishes to reactor here."""

    def unsubscribe(self, _filters: list[str]) -> None:
        """Nobody publishes to reactor here."""

    async def close(self, _within_s: float) -> None:
        """Say goodbye."""
        self.abort()

    def abort(self) -> None:
        """Hang up; what was sent arrives, and nobody hears the answer."""
        self._back.lose()
        self.ended = self.ended or Lost()

    def cut(self, *, lose_messages: bool) -> None:
        """The connection is gone."""
        if lose_messages:
            self._there.lose()
        self._back.lose()
        if self.ended is None:
            self.ended = Lost()
            self._changed()

    def _arrive(self, number: int, job: Job) -> None:
        if self._broker.is_cut_before():
            self.cut(lose_messages=True)
            return
        self._broker.take(self._life, job)
        if self._broker.is_cut_after():
            self.cut(lose_messages=True)
            return
        if not self._broker.is_silent:
            self._back.put(lambda: self._answer(number, job))

    def _answer(self, number: int, job: Job) -> None:
        if self.in_flight.pop(number, None) is not None:
            self.answers.append(Answer(job, 0, "Success"))
            self._changed()
