"""MQTT: the link to the broker, and the outbox published over it."""

from reactor.adapters.mqtt.messages import (
    Counters,
    Limits,
    Listener,
    Message,
    Outbox,
    OutboxRow,
    OutMessage,
)
from reactor.adapters.mqtt.options import BrokerAddress, MqttOptions
from reactor.adapters.mqtt.publisher import Publisher

__all__ = [
    "BrokerAddress",
    "Counters",
    "Limits",
    "Listener",
    "Message",
    "MqttOptions",
    "OutMessage",
    "Outbox",
    "OutboxRow",
    "Publisher",
]
