"""What is answered to a request, and where."""

import msgspec

from reactor.adapters.control import Answer, Code
from reactor.adapters.mqtt import OutMessage
from reactor.app.control.asks import Ask, GiveOrder
from reactor.core.inputs import Message
from reactor.core.message_telling import brief
from reactor.core.messages import COMMON, REPLIES
from reactor.core.orders import AnswerTo, RunCommand
from reactor.core.topics import CORRELATION, topic_problem

EXPIRY_S = 60.0
"""Seconds after which nobody waits for a reply any more."""

REPLY_MAX = 1 << 20
"""Bytes of the longest reply: many brokers end the connection of who sends more."""


def reply_topic(message: Message, base: str, name: str) -> str | None:
    """Where the sender is answered; empty where it wants no answer, None where it may not be.

    Args:
        base: ``<prefix>/<host>``.
        name: the id that the sender gave the request.
    """
    wanted = message.response_topic
    if not wanted:
        return f"{base}/{REPLIES}{COMMON}" if name else ""
    # Anywhere else our right to write would become the sender's.
    here = wanted.startswith(f"{base}/{REPLIES}") and not topic_problem(wanted)
    return wanted if here else None


def is_answered_later(ask: Ask) -> bool:
    """Whether what was begun is told by its end, and not by who begins it."""
    return isinstance(ask, GiveOrder) and isinstance(ask.order, RunCommand)


def with_answer(ask: Ask, message: Message, reply: str, name: str) -> Ask:
    """The same, with where its end is told, if it is one that is answered later.

    Args:
        reply: below the host's topics; empty where nobody wants an answer.
        name: the id that the sender gave the request.
    """
    if not isinstance(ask, GiveOrder) or not isinstance(ask.order, RunCommand) or not reply:
        return ask
    answer = AnswerTo(reply, brief(message.topic), brief(name), message.correlation)
    return GiveOrder(msgspec.structs.replace(ask.order, answer=answer))


def reply_message(topic: str, message: Message, name: str, answer: Answer) -> OutMessage:
    """The reply: what became of it, with all by which the sender knows its request again."""
    payload = _payload(message, name, answer)
    if len(payload) > REPLY_MAX:
        text = f"the answer has {len(payload)} bytes, and {REPLY_MAX} may be published"
        payload = _payload(message, name, Answer(Code.FAILED, text, "ask for less"))
    properties = {CORRELATION: message.correlation} if message.correlation else {}
    return OutMessage(
        topic,
        payload,
        retain=False,
        expiry_s=EXPIRY_S,
        content_type="application/json",
        properties=properties,
    )


def _payload(message: Message, name: str, answer: Answer) -> bytes:
    reply: dict[str, object] = {"ok": answer.code is Code.DONE}
    if answer.code is Code.DONE:
        reply |= {"text": answer.text} if answer.text else {}
        reply["data"] = answer.data
    else:
        reply |= {"error": answer.text, "fix": answer.fix}
        if answer.data != msgspec.Raw(b"null"):
            reply["data"] = answer.data
    reply["topic"] = brief(message.topic)
    if name:
        reply["id"] = name
    if message.correlation:
        reply["correlation"] = message.correlation
    return msgspec.json.encode(reply)
