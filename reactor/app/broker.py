"""The link to the broker, both ways, as the daemon uses it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog

from reactor.adapters.control import Answer
from reactor.adapters.journal import Batch, Journal
from reactor.adapters.mqtt import Incoming, MqttOptions, Outbox, OutMessage, Publisher
from reactor.app.broker_files import watch_files
from reactor.app.control.asks import Ask
from reactor.app.inbound import Inbound
from reactor.app.own_words import OwnWords
from reactor.app.projection import Projection
from reactor.app.records import outbox_row
from reactor.app.refusals import Refusals
from reactor.app.requests.kinds import Kind
from reactor.app.requests.reception import Ports, Requests
from reactor.app.requests.turned_away import TurnedAway
from reactor.core.inputs import Received
from reactor.core.policy import Policy
from reactor.core.world import World
from reactor.errors import BrokerError, JournalError

GREET_S = 5.0
"""Seconds within which a Home Assistant that was started hears everything again."""

log = structlog.get_logger("reactor")


class Broker:
    """What is published, and what the policies hear.

    Args:
        projection: knows what must stand retained after every connect.
        journal: where messages wait until the broker has them.
        offer: takes a message that came in; False when there is no room for it.
        now: the engine's clock.
        is_stopping: whether the daemon is about to end.
        allowed: which requests are taken.
        carry: gives an order or asks a question, see ``requests.reception.Ports``.
        world: the engine's.
        refusals: keeps what was not done.
    """

    def __init__(  # noqa: PLR0913 - its ports, by keyword
        self,
        options: MqttOptions,
        outbox: Outbox,
        *,
        projection: Projection,
        journal: Journal,
        offer: Callable[[Received], bool],
        now: Callable[[], float],
        is_stopping: Callable[[], bool],
        allowed: Iterable[Kind],
        carry: Callable[[str, Ask, str], Awaitable[Answer]],
        world: Callable[[], World],
        refusals: Refusals,
    ) -> None:
        self._options = options
        self._projection = projection
        self._journal = journal
        self._rng = random.Random()  # noqa: S311 - jitter
        self._asked = asyncio.Event()
        ahead = partial(_ahead, now)
        ports = Ports(carry, self._reply, world, now, ahead, time.monotonic, refusals)
        allowed = tuple(allowed)
        self.requests = Requests(allowed, options.base, ports) if allowed else None
        self.own_words = self._watch(options.base)
        self.inbound = self._hear(offer, ahead, refusals)
        if projection.home_assistant is not None:
            self.inbound.hear(projection.home_assistant.status_topic, self._on_status)
        self.publisher = Publisher(
            options,
            outbox,
            announce=self._retained,
            inbox=self.inbound.inbox,
            listener=_BrokerLog(is_stopping),
            now=now,
            rng=self._rng,
        )

    def _watch(self, base: str) -> OwnWords:
        return OwnWords(base, self._retained, self._reply, self._is_old, time.monotonic)

    def _hear(
        self, offer: Callable[[Received], bool], ahead: Callable[[], float], refusals: Refusals
    ) -> Inbound:
        base = self._options.base
        return Inbound(
            offer,
            base,
            ahead,
            requests=self.requests,
            own=self.own_words,
            refusals=refusals,
            turned_away=TurnedAway(base, self._reply, time.monotonic),
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

    def _is_old(self) -> bool:
        return self.publisher.protocol == "3.1.1"

    def _on_status(self, message: Incoming) -> None:
        """Home Assistant says how it is; a retained word is an old one."""
        if message.payload == b"online" and not message.retain:
            self._asked.set()

    async def watch_files(self) -> None:
        """Say which of the files that the link needs should not stay as they are."""
        await watch_files(self._options)

    async def greet(self) -> None:
        """Announce everything again to a Home Assistant that was started, and may know nothing."""
        while True:
            await self._asked.wait()
            # Whoever runs many hosts has all of them asked at the same moment.
            await asyncio.sleep(self._rng.uniform(0, GREET_S))
            self._asked.clear()
            home_assistant = self._projection.home_assistant
            if home_assistant is None:
                return
            rows = list(map(outbox_row, home_assistant.retained()))
            try:
                await self._journal.commit(Batch(messages=rows))
            except JournalError as error:
                log.warning("home assistant is not greeted", problem=error.problem)
                continue
            self.publisher.nudge()

    def _retained(self) -> list[OutMessage]:
        return [
            OutMessage(m.topic, m.payload, m.qos, content_type=m.content_type)
            for m in self._projection.retained()
        ]


def _ahead(now: Callable[[], float]) -> float:
    """By how many seconds the engine's clock is ahead of the wall clock."""
    return now() - time.time()


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
