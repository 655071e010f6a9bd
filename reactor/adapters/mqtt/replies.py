"""Replies to who asked over MQTT: they wait for no connection, and outlive none."""

from collections import deque

from reactor.adapters.mqtt.backlog import Job
from reactor.adapters.mqtt.messages import OutMessage

REPLIES_MAX = 1000
"""Replies that may wait for their turn on a connection."""


class Replies:
    """The replies of one connection, in order; ``dropped`` counts those that nobody gets.

    They are in no outbox: whoever asked gives up after a while, and asks again.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Job] = deque()

    def put(self, message: OutMessage, now: float) -> bool:
        """Let a reply wait; False when there are too many already."""
        if len(self._waiting) >= REPLIES_MAX:
            self.dropped += 1
            return False
        expires = None if message.expiry_s is None else now + message.expiry_s
        self._waiting.append(Job(message, expires=expires))
        return True

    def take(self) -> Job | None:
        """The next one; None when there is none."""
        return self._waiting.popleft() if self._waiting else None

    def clear(self) -> None:
        """The connection is gone."""
        self.dropped += len(self._waiting)
        self._waiting.clear()
