"""MQTT: the link to the broker, the outbox published over it, what comes in over it."""

from reactor.adapters.mqtt.gate import Drop, InCounters, InLimits, Tree
from reactor.adapters.mqtt.inbox import Inbox, Incoming, Receiver
from reactor.adapters.mqtt.messages import (
    Counters,
    Fate,
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
    "Drop",
    "Fate",
    "InCounters",
    "InLimits",
    "Inbox",
    "Incoming",
    "Limits",
    "Listener",
    "Message",
    "MqttOptions",
    "OutMessage",
    "Outbox",
    "OutboxRow",
    "Publisher",
    "Receiver",
    "Tree",
]
