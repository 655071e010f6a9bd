"""From a message to what paho publishes, or why that cannot be."""

import base64
import binascii
import math
import re

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from reactor.adapters.mqtt.faults import Unsendable
from reactor.adapters.mqtt.messages import Message
from reactor.core.topics import CORRELATION

# What the four bytes of a packet's "remaining length" can say, and its first byte.
_MOST_BYTES = 268_435_455 + 5
_LONGEST_TEXT_BYTES = 65_535
# Mosquitto takes control characters and surrogates for a malformed packet and
# hangs up: such a message would be sent again for ever.
_BAD_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_WILDCARD = re.compile("[+#]")


def check(message: Message) -> None:
    """Pass what every broker can take.

    Raises:
        Unsendable: MQTT has no form for this message.
    """
    topic = message.topic
    if not topic or _BAD_TEXT.search(topic) or _WILDCARD.search(topic):
        raise Unsendable("this is not a topic", "write a topic without wildcards")
    texts = [topic, message.content_type or "", *message.properties, *message.properties.values()]
    if any(_BAD_TEXT.search(text) for text in texts):
        raise Unsendable(
            "its content type or a property has a control character", "leave the character out"
        )
    if any(len(text.encode()) > _LONGEST_TEXT_BYTES for text in texts):
        raise Unsendable("its topic or a property is longer than 65535 bytes", "shorten it")
    if message.qos not in {0, 1, 2}:
        raise Unsendable(f"qos is {message.qos}", "write 0, 1 or 2")


def properties(message: Message, remaining_s: float | None) -> Properties | None:
    """The MQTT 5 properties of a message; None where it has none.

    Args:
        remaining_s: what is left of its expiry; None means that it never
            expires. Rounded up: 0 would be "at once".

    Raises:
        Unsendable: its correlation data cannot be read.
    """
    result = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho has none
    if remaining_s is not None:
        result.MessageExpiryInterval = min(max(1, math.ceil(remaining_s)), 0xFFFFFFFF)
    if message.content_type:
        result.ContentType = message.content_type
    users = {name: text for name, text in message.properties.items() if name != CORRELATION}
    if users:
        result.UserProperty = list(users.items())
    if CORRELATION in message.properties:
        result.CorrelationData = _bytes_of(message.properties[CORRELATION])
    return None if result.isEmpty() else result  # type: ignore[no-untyped-call]


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        fix = "write base64, or leave it out"
        raise Unsendable(f"its property {CORRELATION!r} is not base64", fix) from None


def check_size(message: Message, packed: Properties | None, most_bytes: int | None) -> None:
    """Pass what fits into one packet of at most ``most_bytes``.

    Raises:
        Unsendable: the broker announced that it takes no packet as large.
    """
    # The length of the topic takes two bytes, and so does the packet id.
    rest = 2 + len(message.topic.encode()) + (2 if message.qos else 0) + len(message.payload)
    rest += 1 if packed is None else len(packed.pack())  # type: ignore[no-untyped-call]
    size = 1 + max(1, math.ceil(rest.bit_length() / 7)) + rest
    limit = _MOST_BYTES if most_bytes is None else most_bytes
    if size > limit:
        raise Unsendable(
            f"it needs {size} bytes, and the broker takes {limit}",
            "raise the broker's limit, or publish less",
        )
