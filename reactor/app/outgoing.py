"""A message on its way to the broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

JSON = "application/json"
CLOUDEVENT = "application/cloudevents+json"
TEXT = "text/plain; charset=utf-8"

EVENT_TYPE = "org.qemu.qmp."
"""Before the name of an event, in the type of its CloudEvent."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One MQTT message; ``expiry_s`` in seconds, None for never.

    ``spare``: it goes into the outbox although that is full.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: float | None = None
    content_type: str = JSON
    properties: Mapping[str, str] = field(default_factory=dict)
    spare: bool = False


def encode(value: object) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)
