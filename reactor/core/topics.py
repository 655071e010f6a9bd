"""What a topic of a publish step may look like."""

TOPIC_BYTES_MAX = 65_535

CORRELATION = "correlation-data"
"""The property of a message that leaves as MQTT 5's correlation data; its value is base64."""


def topic_problem(topic: str) -> str | None:
    """Why MQTT would refuse to publish to this topic, or None.

    Source: MQTT 5.0, 4.7 (wildcards, NUL, length) and 4.7.2 (``$`` topics).
    """
    if not topic:
        return "the topic is empty"
    if "+" in topic or "#" in topic:
        return f"the topic {topic!r} holds a wildcard"
    if "\0" in topic:
        return "the topic holds a NUL character"
    if topic.startswith("$"):
        return f"the topic {topic!r} begins with $, which belongs to the broker"
    if topic.startswith("/"):
        return f"the topic {topic!r} begins with a slash"
    if len(topic.encode(errors="replace")) > TOPIC_BYTES_MAX:
        return "the topic is longer than 65,535 bytes"
    return None
