"""The link to the broker, both ways, as the daemon uses it."""

import random
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog

from reactor.adapters.control import Answer
from reactor.adapters.mqtt import MqttOptions, Outbox, OutMessage, Publisher
from reactor.app.control.asks import Ask
from reactor.app.inbound import Inbound
from reactor.app.projection import Outgoing
from reactor.app.requests.kinds import Kind
from reactor.app.requests.reception import Ports, Requests
from reactor.core.inputs import Received
from reactor.core.policy import Policy
from reactor.core.world import World
from reactor.errors import BrokerError

log = structlog.get_logger("reactor")


class Broker:
    """What is published, and what the policies hear.

    Args:
        announce: what must stand retained after every connect.
        offer: takes a message that came in; False when there is no room for it.
        now: the engine's clock.
        is_stopping: whether the daemon is about to end.
        allowed: which requests are taken.
        carry: gives an order or asks a question, see ``requests.reception.Ports``.
        world: the engine's.
    """

    def __init__(  # noqa: PLR0913 - its ports, by keyword
        self,
        options: MqttOptions,
        outbox: Outbox,
        *,
        announce: Callable[[], Iterable[Outgoing]],
        offer: Callable[[Received], bool],
        now: Callable[[], float],
        is_stopping: Callable[[], bool],
        allowed: Iterable[Kind],
        carry: Callable[[str, Ask, str], Awaitable[Answer]],
        world: Callable[[], World],
    ) -> None:
        self._announce = announce

        def ahead() -> float:
            return now() - time.time()

        ports = Ports(carry, self._reply, world, now, ahead, time.monotonic)
        allowed = tuple(allowed)
        self.requests = Requests(allowed, options.base, ports) if allowed else None
        self.inbound = Inbound(offer, options.base, ahead, requests=self.requests)
        self.publisher = Publisher(
            options,
            outbox,
            announce=self._retained,
            inbox=self.inbound.inbox,
            listener=_BrokerLog(is_stopping),
            now=now,
            rng=random.Random(),  # noqa: S311 - jitter
        )

    def adopt(self, policies: Iterable[Policy]) -> None:
        """Hear what these policies ask for, and nothing else."""
        self.publisher.ask_for(self.inbound.trees(policies))

    async def close(self) -> None:
        """Take no more requests; say what can be said in time, and disconnect."""
        if self.requests is not None:
            await self.requests.close()
        await self.publisher.close()

    def _reply(self, message: OutMessage) -> bool:
        return self.publisher.reply(message)

    def _retained(self) -> list[OutMessage]:
        return [
            OutMessage(m.topic, m.payload, m.qos, content_type=m.content_type)
            for m in self._announce()
        ]


class _BrokerLog:
    """Tells the operator how the link to the broker is."""

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        self._is_stopping = is_stopping

    def on_connected(self) -> None:
        log.info("broker connected")

    def on_disconnected(self) -> None:
        if self._is_stopping():
            log.info("broker disconnected")
        else:
            log.warning("broker disconnected: messages wait in the outbox")

    def on_trouble(self, error: BrokerError) -> None:
        log.warning("broker trouble", place=str(error.place), problem=error.problem, fix=error.fix)
