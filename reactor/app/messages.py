"""An MQTT message as policies see it: text, JSON, times, who wants an answer."""

import base64
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from reactor.app.depth import is_too_deep
from reactor.core.foreign import UNREADABLE
from reactor.core.inputs import Message

if TYPE_CHECKING:
    # Policy tests read messages too, and need no MQTT library for it.
    from reactor.adapters.mqtt import Incoming

_TIME_END = 253_402_300_800.0  # the year 10000
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_LEAST, _MOST = -(2**63), 2**64 - 1


def message_of(incoming: "Incoming", base: str, ahead: float = 0.0) -> Message | None:
    """The message for the engine; None when its payload is not UTF-8.

    Args:
        base: ``<prefix>/<host>``.
        ahead: seconds by which the engine's clock is ahead of the senders'.
    """
    try:
        payload = incoming.payload.decode()
    except UnicodeDecodeError:
        return None
    value, is_json = read_json(payload)
    properties: dict[str, str] = {}
    for name, text in incoming.properties:
        properties.setdefault(name, text)
    sent = sent_at(value, properties)
    head = f"{base}/"
    is_below = incoming.topic.startswith(head)
    return Message(
        topic=incoming.topic,
        payload=payload,
        below=incoming.topic[len(head) :] if is_below else "",
        json=value,
        is_json=is_json,
        retain=incoming.retain,
        qos=incoming.qos,
        sent_at=None if sent is None else sent + ahead,
        expires=incoming.expires,
        properties=properties,
        response_topic=incoming.response_topic,
        correlation=base64.b64encode(incoming.correlation).decode(),
    )


def is_clearing(incoming: "Incoming") -> bool:
    """Whether it only takes away what the broker kept on the topic: it says nothing to anybody."""
    return incoming.retain and not incoming.payload


def identity(message: Message) -> str | None:
    """What tells the message from all others on its topic, where its sender says so.

    The user property ``id``, or ``id`` and ``source`` of a CloudEvent. No other
    ``id`` in a payload: it may name a thing, and come again for good reasons.
    """
    parts: list[object]
    if "id" in message.properties:
        parts = [message.properties["id"], message.properties.get("source", "")]
    elif isinstance(message.json, dict) and "specversion" in message.json:
        parts = [message.json.get("id"), message.json.get("source")]
    else:
        return None
    return msgspec.json.encode([message.topic, *parts]).decode()


def sent_at(value: object, properties: Mapping[str, str]) -> float | None:
    """When a message was sent, as its sender says; None where it says nothing.

    The member ``sent_at`` of a JSON object, or the user property of that name: seconds
    since the epoch, or a time of RFC 3339; anything else says nothing.
    """
    told = value.get("sent_at") if isinstance(value, dict) else None
    return _time(properties.get("sent_at") if told is None else told)


def read_json(text: str) -> tuple[object, bool]:
    """The value and True; None and False where the text is no JSON that we can keep."""
    try:
        value = msgspec.json.decode(text)
    except UNREADABLE:
        return None, False
    # Depth first: what looks at numbers goes as deep as the value does.
    if is_too_deep(value) or not _has_short_numbers(value):
        return None, False
    return value, True


def _has_short_numbers(value: object) -> bool:
    """Whether all whole numbers fit into 64 bits, as those of expressions do."""
    if isinstance(value, dict):
        return all(map(_has_short_numbers, value.values()))
    if isinstance(value, list):
        return all(map(_has_short_numbers, value))
    return not isinstance(value, int) or _LEAST <= value <= _MOST


def _time(value: object) -> float | None:
    """Seconds since the epoch of a number or a text; None where it is no time of the calendar."""
    seconds = math.nan
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            seconds = datetime.fromisoformat(value.upper()).timestamp()
        except ValueError:
            return None
    return seconds if 0 <= seconds < _TIME_END else None
