"""What the broker keeps as our own word: somebody else may overwrite it, and it is said again."""

from collections import deque
from collections.abc import Callable, Iterable

import structlog

from reactor.adapters.mqtt import Incoming, OutMessage, Tree
from reactor.core.message_telling import brief
from reactor.core.topic_filters import fits

SAID_AGAIN = 10
"""How often it is said again within ``WITHIN_S``: two daemons of one name might quarrel."""

WITHIN_S = 60.0

log = structlog.get_logger("reactor")


class OwnWords:
    """Watches the topics of availability: the host's, and those of its guests.

    Args:
        base: ``<prefix>/<host>``.
        announced: what stands retained by our own word.
        say: publishes at once; False when there is no connection.
        is_old: whether MQTT 3.1.1 is spoken. There our own messages come back to us, and what
            the broker keeps comes at every connect.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        base: str,
        announced: Callable[[], Iterable[OutMessage]],
        say: Callable[[OutMessage], bool],
        is_old: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self.overwritten = 0
        self._host = f"{base}/availability"
        self._guests = f"{base}/guest/+/availability"
        self._announced = announced
        self._say = say
        self._is_old = is_old
        self._clock = clock
        self._said: deque[float] = deque(maxlen=SAID_AGAIN)

    @property
    def trees(self) -> list[Tree]:
        """What is to be heard for it."""
        return [Tree(self._host), Tree(self._guests)]

    def takes(self, topic: str) -> bool:
        """Whether a topic is one of these."""
        return topic == self._host or fits(self._guests, topic)

    def on_message(self, message: Incoming) -> None:
        """Somebody said it: we ourselves (MQTT 3.1.1), or somebody who should not."""
        if self._is_old() and (message.retain or message.topic != self._host):
            return
        word = self._word(message.topic)
        if word is None or message.payload == word.payload:
            return
        self.overwritten += 1
        now = self._clock()
        if len(self._said) == SAID_AGAIN and now < self._said[0] + WITHIN_S:
            return
        self._said.append(now)
        log.warning(
            "own word overwritten",
            topic=brief(message.topic),
            payload=brief(message.payload.decode(errors="replace")),
            said_again=self._say(word),
            fix="stop the other daemon of this name, or let nobody else write there",
        )

    def _word(self, topic: str) -> OutMessage | None:
        """What we say on this topic; None where we say nothing."""
        if topic == self._host:
            return OutMessage(topic, b"online")
        return next((one for one in self._announced() if one.topic == topic), None)
