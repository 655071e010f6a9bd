"""Who sent a message that is not decoded, by its properties: read in one pass, and nothing else.

paho takes quadratic time for them, see ``gate``.
"""

from reactor.adapters.mqtt.inbox import Incoming

_FIXED = {0x01: 1, 0x02: 4, 0x23: 2}
"""Bytes of the properties of one length: form of the payload, expiry, alias of the topic."""

_CONTENT_TYPE, _RESPONSE_TOPIC, _CORRELATION, _SUBSCRIPTION, _USER = 0x03, 0x08, 0x09, 0x0B, 0x26


class _Reader:
    """Takes one thing after the other."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._raw)

    def take(self, size: int) -> bytes:
        taken = self._raw[self._at : self._at + size]
        if len(taken) < size:
            raise EOFError
        self._at += size
        return taken

    def block(self) -> bytes:
        return self.take(int.from_bytes(self.take(2)))

    def skip_number(self) -> None:
        while self.take(1)[0] & 128:
            pass


def sender_of(topic: str, raw: bytes) -> Incoming | None:
    """The message without its payload: where its sender listens, and what it calls the message.

    None where the properties are not as they should be.

    Source: MQTT 5.0, 2.2.2 and 3.3.2.3.
    """
    reader = _Reader(raw)
    response_topic, correlation = "", b""
    properties = []
    try:
        while not reader.is_at_end:
            kind = reader.take(1)[0]
            if kind == _RESPONSE_TOPIC:
                response_topic = reader.block().decode()
            elif kind == _CORRELATION:
                correlation = reader.block()
            elif kind == _USER:
                properties.append((reader.block().decode(), reader.block().decode()))
            elif kind == _CONTENT_TYPE:
                reader.block()
            elif kind == _SUBSCRIPTION:
                reader.skip_number()
            else:
                reader.take(_FIXED[kind])
    except (ValueError, KeyError, EOFError):
        return None
    return Incoming(
        topic,
        b"",
        properties=tuple(properties),
        response_topic=response_topic,
        correlation=correlation,
    )
