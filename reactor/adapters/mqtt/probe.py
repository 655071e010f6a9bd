"""A short visit at the broker: may we be there, what may we write, and what do we hear?"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from reactor.adapters.mqtt.backlog import Job
from reactor.adapters.mqtt.faults import Unsendable
from reactor.adapters.mqtt.gate import Drop, InLimits
from reactor.adapters.mqtt.inbox import Inbox, Incoming
from reactor.adapters.mqtt.link import V5, Link, Takes, connect
from reactor.adapters.mqtt.messages import Limits, OutMessage
from reactor.adapters.mqtt.options import MqttOptions
from reactor.core.topic_filters import fits

MARK = b'{"reactor_doctor":'
"""What every probe's payload begins with; the daemon lets such a message fall."""

ECHO_S = 3.0
"""Seconds that an echo may take; the broker's answers may take as long again."""

_TOPICS = InLimits(rate=1000.0, burst=10_000, tree_rate=1000.0, tree_burst=1000, trees=10_000)


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to the broker: what comes of a message on ``topic``.

    ``filter`` is subscribed for it. Without a topic nothing is published.
    """

    filter: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a probe.

    ``subscribed`` and ``published`` are None where the broker did it, else its own words;
    ``echoed`` is whether the message came back.
    """

    subscribed: str | None
    published: str | None
    echoed: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """What was seen: the protocol (``5``, ``3.1.1``), the probes' outcomes, what is retained.

    ``takes`` is what the broker says of itself.
    """

    protocol: str
    outcomes: tuple[Outcome, ...]
    retained: Mapping[str, bytes]
    takes: Takes


async def visit(options: MqttOptions, probes: Iterable[Probe], retained: Iterable[str]) -> Visit:
    """Go there as a client of our own name with ``-doctor`` behind it, and leave nothing.

    Args:
        retained: topics of which we want to know what the broker keeps.

    Raises:
        BrokerError: the broker does not let us in, or hangs up.
    """
    visitor = _Visitor(options, tuple(probes), tuple(retained))
    return await visitor.go()


class _Visitor:
    """Keeps what came in during one visit."""

    def __init__(
        self, options: MqttOptions, probes: tuple[Probe, ...], kept: tuple[str, ...]
    ) -> None:
        self._options = replace(options, client_id=f"{options.client_id}-doctor")
        self._probes = probes
        self._kept = kept
        self._payload = MARK + f'"{secrets.token_hex(8)}"}}'.encode()
        self._changed = asyncio.Event()
        self._echoes: set[str] = set()
        self._retained: dict[str, bytes] = {}
        self._inbox = Inbox(self, time.monotonic, _TOPICS)
        self._inbox.ask_for([*(probe.filter for probe in probes), *kept])

    async def go(self) -> Visit:
        """See it all."""
        link = await connect(
            self._options, Limits(), self._changed.set, self._inbox, has_will=False
        )
        try:
            subscribed = await self._subscribe(link)
            published = await self._publish(link)
            wanted = {probe.topic for probe in self._probes if probe.topic}
            await self._until(link, lambda: wanted - published.keys() <= self._echoes)
        finally:
            await link.close(1.0)
        outcomes = tuple(
            Outcome(
                subscribed.get(probe.filter),
                published.get(probe.topic),
                probe.topic in self._echoes,
            )
            for probe in self._probes
        )
        protocol = "5" if link.version is V5 else "3.1.1"
        return Visit(protocol, outcomes, self._retained, link.takes)

    async def _subscribe(self, link: Link) -> dict[str, str]:
        """The filters that are refused, and why; silence is a refusal too."""
        filters = sorted({*(probe.filter for probe in self._probes), *self._kept})
        link.subscribe(filters, echo=True)
        await self._until(link, lambda: bool(link.grants))
        answers = {one: (code, name) for grant in link.grants for one, code, name in grant}
        silent = (128, "no answer")
        judged = {one: answers.get(one, silent) for one in filters}
        return {one: name.lower() for one, (code, name) in judged.items() if code >= 128}

    async def _publish(self, link: Link) -> dict[str, str]:
        """The topics that are refused, and why."""
        topics, unsent = [probe.topic for probe in self._probes if probe.topic], dict[str, str]()
        for topic in topics:
            message = OutMessage(topic, self._payload, retain=False, expiry_s=10.0)
            try:
                link.publish(Job(message), 10.0)
            except Unsendable as why:
                unsent[topic] = why.problem
        await self._until(link, lambda: len(link.answers) + len(unsent) == len(topics))
        told = {answer.job.message.topic: answer for answer in link.answers}
        refused = {topic: one.name.lower() for topic, one in told.items() if one.refused}
        silent = {topic: "no answer" for topic in topics if topic not in told}
        return refused | silent | unsent

    async def _until(self, link: Link, true: Callable[[], bool]) -> None:
        """Return when it is so, when the connection is gone, or after a few seconds."""
        try:
            async with asyncio.timeout(ECHO_S):
                while not true() and link.ended is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    def on_message(self, message: Incoming) -> None:
        """An echo of ours, or what the broker keeps."""
        if message.payload == self._payload:
            self._echoes.add(message.topic)
        elif message.retain and any(fits(one, message.topic) for one in self._kept):
            self._retained[message.topic] = message.payload
        self._changed.set()

    def on_dropped(self, reason: Drop, topic: str) -> None:
        """Somebody else's message, too large or too many."""
