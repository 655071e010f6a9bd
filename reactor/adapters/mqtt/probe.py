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

    ``repeated`` are the outcomes of words that were said once more; a topic on which none could
    be said is not in it. ``takes`` is what the broker says of itself.
    """

    protocol: str
    outcomes: tuple[Outcome, ...]
    retained: Mapping[str, bytes]
    repeated: Mapping[str, Outcome]
    takes: Takes


async def visit(
    options: MqttOptions, probes: Iterable[Probe], words: Mapping[str, bytes | None]
) -> Visit:
    """Go there as a client of our own name with ``-doctor`` behind it, and leave nothing.

    Args:
        words: topics on which others listen for a word, so that a probe would be a false one.
            What the broker keeps there is said once more, not retained; where it keeps nothing
            the word that is given here, or, if we may read there at all, an empty message,
            which says nothing.

    Raises:
        BrokerError: the broker does not let us in, or hangs up.
    """
    visitor = _Visitor(options, tuple(probes), words)
    return await visitor.go()


class _Visitor:
    """Keeps what came in during one visit."""

    def __init__(
        self,
        options: MqttOptions,
        probes: tuple[Probe, ...],
        words: Mapping[str, bytes | None],
    ) -> None:
        self._options = replace(options, client_id=f"{options.client_id}-doctor")
        self._probes = probes
        self._words = words
        self._payload = MARK + f'"{secrets.token_hex(8)}"}}'.encode()
        self._changed = asyncio.Event()
        self._sent: dict[str, bytes] = {}
        self._echoes: set[str] = set()
        self._retained: dict[str, bytes] = {}
        self._inbox = Inbox(self, time.monotonic, _TOPICS)
        self._inbox.ask_for([*(probe.filter for probe in probes), *words])

    async def go(self) -> Visit:
        """See it all."""
        link = await connect(
            self._options, Limits(), self._changed.set, self._inbox, has_will=False
        )
        try:
            subscribed = await self._subscribe(link)
            topics = [probe.topic for probe in self._probes if probe.topic]
            published = await self._publish(link, dict.fromkeys(topics, self._payload))
            # What is retained came before the echoes: so it is known now.
            published |= await self._publish(link, self._known_words())
        finally:
            await link.close(1.0)

        def outcome(topic_filter: str, topic: str) -> Outcome:
            refused = subscribed.get(topic_filter), published.get(topic)
            return Outcome(*refused, topic in self._echoes)

        return Visit(
            protocol="5" if link.version is V5 else "3.1.1",
            outcomes=tuple(outcome(probe.filter, probe.topic) for probe in self._probes),
            retained=self._retained,
            repeated={topic: outcome(topic, topic) for topic in self._words if topic in self._sent},
            takes=link.takes,
        )

    def _known_words(self) -> dict[str, bytes]:
        """What can be said on the topics of words without saying anything new."""
        nothing = b"" if self._echoes else None
        found = {
            topic: self._retained.get(topic, nothing if word is None else word)
            for topic, word in self._words.items()
        }
        return {topic: word for topic, word in found.items() if word is not None}

    async def _subscribe(self, link: Link) -> dict[str, str]:
        """The filters that are refused, and why; silence is a refusal too."""
        filters = sorted({*(probe.filter for probe in self._probes), *self._words})
        link.subscribe(filters, echo=True)
        await self._until(link, lambda: bool(link.grants))
        answers = {one: (code, name) for grant in link.grants for one, code, name in grant}
        silent = (128, "no answer")
        judged = {one: answers.get(one, silent) for one in filters}
        return {one: name.lower() for one, (code, name) in judged.items() if code >= 128}

    async def _publish(self, link: Link, payloads: Mapping[str, bytes]) -> dict[str, str]:
        """The topics that are refused, and why. Returns when the others had their echo, or time."""
        self._sent |= payloads
        unsent = dict[str, str]()
        link.answers.clear()
        for topic, payload in payloads.items():
            message = OutMessage(topic, payload, retain=False, expiry_s=10.0)
            try:
                link.publish(Job(message), 10.0)
            except Unsendable as why:
                unsent[topic] = why.problem
        await self._until(link, lambda: len(link.answers) + len(unsent) == len(payloads))
        told = {answer.job.message.topic: answer for answer in link.answers}
        refused = {topic: one.name.lower() for topic, one in told.items() if one.refused}
        silent = {topic: "no answer" for topic in payloads if topic not in told}
        failed = refused | silent | unsent
        wanted = payloads.keys() - failed.keys()
        await self._until(link, lambda: wanted <= self._echoes)
        return failed

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
        if message.retain and message.topic in self._words:
            self._retained[message.topic] = message.payload
        elif message.payload == self._sent.get(message.topic):
            self._echoes.add(message.topic)
        self._changed.set()

    def on_dropped(self, reason: Drop, topic: str, properties: bytes) -> None:
        """Somebody else's message, too large or too many."""
