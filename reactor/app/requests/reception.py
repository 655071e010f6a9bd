"""Takes requests in, lets those through that may act, and answers all that can be answered."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import structlog

from reactor.adapters.control import Answer, Code
from reactor.adapters.mqtt import Incoming, OutMessage, Tree
from reactor.app.control.asks import Ask
from reactor.app.messages import is_clearing, message_of
from reactor.app.refusals import Refusals
from reactor.app.requests.in_topics import with_topics
from reactor.app.requests.kinds import Kind
from reactor.app.requests.names import Names, Refused
from reactor.app.requests.reading import Sender, read_order, read_question, sender_of
from reactor.app.requests.replying import (
    is_answered_later,
    reply_message,
    reply_topic,
    with_answer,
)
from reactor.app.requests.routes import about
from reactor.app.seen import Seen
from reactor.core.inputs import Message
from reactor.core.message_telling import brief
from reactor.core.messages import age_problem
from reactor.core.text import render_duration
from reactor.core.world import World
from reactor.errors import ReactorError

AGE_MAX_S = 60.0
"""Seconds that an order may be old."""

UNDER_WAY_MAX = 64
"""Requests that are being carried out at a time."""

DEADLINE_S = 60.0
"""Seconds after which who asked is told that there is no answer yet."""

TELL_S = 60.0
"""Seconds between two log lines about requests that are refused for the same reason."""

log = structlog.get_logger("reactor")


class Why(StrEnum):
    """Why a request was refused before it came to anybody who could carry it out."""

    NOT_TEXT = "the payload is not UTF-8"
    RETAINED = "the message was retained: nobody sends it now"
    FOREIGN = "the response topic is not below reply/"
    AGE = "it is too old, or does not say how old it is"
    REPEATED = "a request of that id was here before"
    FORM = "it is not understood"
    BUSY = "too many requests are under way"
    REFUSED = "it cannot be carried out"
    FAILED = "it failed"


@dataclass(frozen=True, slots=True)
class Ports:
    """What requests need of the daemon.

    ``carry`` gives an order or asks a question: who, what, and the id that an order has in
    the journal. ``publish`` takes a reply; False where nobody will get it. ``ahead`` is by how
    many seconds the engine's clock, ``now``, is ahead of the wall clock. ``clock`` never goes
    back. ``refusals`` are kept for who looks for them afterwards.
    """

    carry: Callable[[str, Ask, str], Awaitable[Answer]]
    publish: Callable[[OutMessage], bool]
    world: Callable[[], World]
    now: Callable[[], float]
    ahead: Callable[[], float]
    clock: Callable[[], float]
    refusals: Refusals


class Requests:
    """Orders and questions that come over MQTT, of the kinds that the settings allow.

    Args:
        base: ``<prefix>/<host>``.
    """

    def __init__(self, allowed: Iterable[Kind], base: str, ports: Ports) -> None:
        self.refused: dict[Why, int] = {}
        self.unanswered = 0
        self.seen = Seen(ports.clock)
        self._allowed = tuple(sorted(allowed))
        self._base = base
        self._ports = ports
        self._names = Names(ports.world)
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: dict[Why, tuple[float, int]] = {}

    @property
    def trees(self) -> list[Tree]:
        """What is to be subscribed for them."""
        return [Tree(f"{self._base}/{kind}/#", orders=True) for kind in self._allowed]

    @property
    def dropped(self) -> dict[str, int]:
        """How many were refused since the start, by the reason, and replies that nobody got."""
        counted = {f"requests: {why.value}": count for why, count in self.refused.items()}
        return counted | {"requests: nobody gets the reply": self.unanswered}

    def takes(self, topic: str) -> bool:
        """Whether a message on this topic is a request."""
        return self._kind(topic) is not None

    def on_message(self, incoming: Incoming) -> None:
        """Refuse it at once, or carry it out in a task of its own."""
        if is_clearing(incoming):
            return
        message = message_of(incoming, self._base, self._ports.ahead())
        if message is None:
            self._count(Why.NOT_TEXT, incoming.topic, _no(Why.NOT_TEXT.value), "mqtt")
            return
        try:
            refusal, answer = self._admit(message)
        except Refused as refused:
            refusal, answer = Why.FORM, Answer(Code.WRONG, refused.problem, refused.fix)
        if refusal is not None and answer is not None:
            self._refuse(message, refusal, answer)

    def _admit(self, message: Message) -> tuple[Why | None, Answer | None]:
        """Begin with it, or say why not."""
        sender = sender_of(message)
        name = order_name(message.topic, sender.id)
        if message.retain:
            return Why.RETAINED, _no(Why.RETAINED.value, "publish requests without `retain`")
        reply = reply_topic(message, self._base, sender.id)
        if reply is None:
            fix = f"name a response topic below {self._base}/reply/"
            return Why.FOREIGN, _no(Why.FOREIGN.value, fix)
        is_question = self._kind(message.topic) is Kind.ASK
        # Before its age: of what cannot be read nobody knows how old it is.
        ask = (read_question if is_question else read_order)(message, self._names)
        if name and self.seen.knows(name):
            return Why.REPEATED, _no(Why.REPEATED.value, "give each request an id of its own")
        if old := _age(message, self._ports.now(), is_question=is_question):
            return Why.AGE, _no(old, "say `sent_at`, the time now: seconds since 1970 or RFC 3339")
        if len(self._tasks) >= UNDER_WAY_MAX:
            return Why.BUSY, _no(Why.BUSY.value, "try again in a moment")
        if name:
            self.seen.remember(name)
        ask = with_answer(ask, message, reply.removeprefix(f"{self._base}/"), sender.id)
        task = asyncio.create_task(self._carry(message, sender, ask, name), name="request")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return None, None

    async def _carry(self, message: Message, sender: Sender, ask: Ask, name: str) -> None:
        """Carry it out, and answer."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self._ports.carry(sender.who, ask, name)
        except TimeoutError:
            text = f"there was no answer within {render_duration(DEADLINE_S)}"
            answer = Answer(Code.LATE, text, "look before you ask again: it may yet be done")
        except ReactorError as error:
            answer = Answer(Code.FAILED, error.problem, error.fix)
        if answer.code is Code.DONE:
            if not is_answered_later(ask):
                self._answer(message, sender, answer)
        else:
            why = Why.REFUSED if answer.code in {Code.REFUSED, Code.WRONG} else Why.FAILED
            self._refuse(message, why, answer)

    async def close(self) -> None:
        """Wait for nobody any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _kind(self, topic: str) -> Kind | None:
        below = topic.removeprefix(f"{self._base}/")
        fitting = (kind for kind in self._allowed if f"{below}/".startswith(f"{kind}/"))
        return None if below == topic else next(fitting, None)

    def _refuse(self, message: Message, why: Why, answer: Answer) -> None:
        self._count(why, message.topic, answer, sender_of(message).who)
        if why is not Why.RETAINED:
            self._answer(message, sender_of(message), answer)

    def _answer(self, message: Message, sender: Sender, answer: Answer) -> None:
        """Publish the answer, where the sender wants one and may have it."""
        topic = reply_topic(message, self._base, sender.id)
        if not topic:
            return
        if Kind.ASK in self._allowed:
            answer = msgspec.structs.replace(answer, fix=with_topics(answer.fix))
        if not self._ports.publish(reply_message(topic, message, sender.id, answer)):
            self.unanswered += 1

    def _count(self, why: Why, topic: str, answer: Answer, who: str) -> None:
        """Count it, keep it, and say it: at once the first time, then once a minute."""
        self.refused[why] = self.refused.get(why, 0) + 1
        below = topic.removeprefix(f"{self._base}/")
        self._ports.refusals.note(
            why, below, answer.text, fix=answer.fix, who=who, about=self._about(below)
        )
        at, untold = self._told.get(why, (-TELL_S, 0))
        now = self._ports.clock()
        if now - at < TELL_S:
            self._told[why] = (at, untold + 1)
            return
        self._told[why] = (now, 0)
        log.warning("request refused", topic=brief(topic), reason=brief(answer.text), more=untold)

    def _about(self, below: str) -> tuple[str, str]:
        """The policy and the guest that a topic names, the guest as it is called."""
        policy, guest = about(below)
        try:
            return policy, self._names.guest(guest) if guest else ""
        except Refused:
            return policy, guest


def order_name(topic: str, name: str) -> str:
    """The id of an order that came with an id of its sender's; empty where it came without."""
    if not name:
        return ""
    return f"m-{hashlib.sha256(msgspec.json.encode([topic, name])).hexdigest()[:24]}"


def _no(text: str, fix: str = "") -> Answer:
    return Answer(Code.REFUSED, text, fix)


def _age(message: Message, now: float, *, is_question: bool) -> str:
    """Why it is too old; empty where it is not. A question need not say how old it is."""
    if is_question and message.sent_at is None and message.expires is None:
        return ""
    if problem := age_problem(message, AGE_MAX_S, now):
        return problem
    if message.sent_at is None and message.expires is not None and message.expires > AGE_MAX_S:
        most = render_duration(AGE_MAX_S)
        return f"it does not say when it was sent, and does not expire within {most}"
    return ""
