"""An answer to who sent too much, or too often: bounded, or a flood would become two."""

from collections.abc import Callable, Mapping

from reactor.adapters.control import Answer, Code
from reactor.adapters.mqtt import Drop, InLimits, OutMessage
from reactor.adapters.mqtt.sender import sender_of
from reactor.app.messages import message_of
from reactor.app.requests.reading import sender_of as called
from reactor.app.requests.replying import reply_message, reply_topic
from reactor.core.bucket import Bucket

LOOKED_AT = (100.0, 100)
"""Dropped messages whose properties are read: a second, and at once."""

ANSWERED = (1.0, 10)
"""Those that are answered: a second, and at once."""

_LIMITS = InLimits()
_FIXES: Mapping[Drop, str] = {
    Drop.TOO_LARGE: f"send at most {_LIMITS.payload} bytes",
    Drop.TOO_MANY_THERE: "wait a moment, and send it again",
    Drop.TOO_MANY: "wait a moment, and send it again",
}
"""What to do about what is answered; the others have no sender, or one that is not looked for."""


class TurnedAway:
    """Tells senders that their message was dropped unread, where they listen for an answer.

    Args:
        base: ``<prefix>/<host>``.
        publish: takes a reply; False where nobody will get it.
        clock: seconds that never go back.
    """

    def __init__(
        self, base: str, publish: Callable[[OutMessage], bool], clock: Callable[[], float]
    ) -> None:
        self.unanswered = 0
        self._base = base
        self._publish = publish
        self._clock = clock
        self._looks = Bucket(*LOOKED_AT)
        self._answers = Bucket(*ANSWERED)

    def tell(self, reason: Drop, topic: str, properties: bytes) -> None:
        """Answer to a message that was dropped, if its sender wants that and may have it."""
        fix = _FIXES.get(reason)
        if fix is None or not properties or not self._looks.take(self._clock()):
            return
        incoming = sender_of(topic, properties)
        message = message_of(incoming, self._base) if incoming is not None else None
        if message is None:
            return
        name = called(message).id
        to = reply_topic(message, self._base, name)
        if not to:
            return
        if not self._answers.take(self._clock()):
            self.unanswered += 1
            return
        text = f"the message was dropped unread: {reason.value}"
        answer = Answer(Code.REFUSED, text, fix)
        if not self._publish(reply_message(to, message, name, answer)):
            self.unanswered += 1
