"""What MQTT can carry, and the properties of a message."""

from collections.abc import Mapping

import pytest

from reactor.adapters.mqtt import OutMessage, packet
from reactor.adapters.mqtt.faults import Unsendable

TOPIC = ("this is not a topic", "write a topic without wildcards")
TEXT = ("its content type or a property has a control character", "leave the character out")
LONG = ("its topic or a property is longer than 65535 bytes", "shorten it")


@pytest.mark.parametrize(
    "topic",
    ["a", "/", "reactor/h1/guest/Größe ✓/state", "a/$x", "x" * 65_535, "ü" * 32_767],
)
def test_a_topic_that_is_taken(topic: str) -> None:
    """Anything that a broker may not refuse, up to its longest form in UTF-8."""
    packet.check(OutMessage(topic, b""))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(OutMessage("", b""), TOPIC, id="empty"),
        pytest.param(OutMessage("a/+/b", b""), TOPIC, id="wildcard for a level"),
        pytest.param(OutMessage("a/#", b""), TOPIC, id="wildcard for the rest"),
        pytest.param(OutMessage("a\0", b""), TOPIC, id="NUL"),
        pytest.param(OutMessage("a\x1f", b""), TOPIC, id="last of the C0 controls"),
        pytest.param(OutMessage("a\x7f", b""), TOPIC, id="DEL"),
        pytest.param(OutMessage("a\x9f", b""), TOPIC, id="last of the C1 controls"),
        pytest.param(OutMessage("a\ud800", b""), TOPIC, id="half a surrogate"),
        pytest.param(OutMessage("a\uffff", b""), TOPIC, id="not a character"),
        pytest.param(OutMessage("x" * 65_536, b""), LONG, id="one byte too long"),
        pytest.param(OutMessage("ü" * 32_768, b""), LONG, id="too long in UTF-8"),
        pytest.param(OutMessage("a", b"", content_type="a\nb"), TEXT, id="content type"),
        pytest.param(OutMessage("a", b"", properties={"a\0": "b"}), TEXT, id="property's name"),
        pytest.param(OutMessage("a", b"", properties={"a": "b\n"}), TEXT, id="property's value"),
        pytest.param(
            OutMessage("a", b"", properties={"a": "b" * 65_536}), LONG, id="property too long"
        ),
        pytest.param(OutMessage("a", b"", qos=3), ("qos is 3", "write 0, 1 or 2"), id="qos"),
    ],
)
def test_what_cannot_be_sent(message: OutMessage, expected: tuple[str, str]) -> None:
    """Each has its problem and its fix."""
    with pytest.raises(Unsendable) as caught:
        packet.check(message)
    assert (caught.value.problem, caught.value.fix) == expected


@pytest.mark.parametrize(
    ("remaining_s", "seconds"),
    [(0.001, 1), (1.0, 1), (1.5, 2), (3600.0, 3600), (1e12, 0xFFFFFFFF)],
)
def test_the_expiry_is_rounded_up(remaining_s: float, seconds: int) -> None:
    """Never 0, which would be no time at all, and never more than MQTT can say."""
    result = packet.properties(OutMessage("a", b""), remaining_s)
    assert vars(result)["MessageExpiryInterval"] == seconds


@pytest.mark.parametrize("content_type", [None, ""])
@pytest.mark.parametrize("properties", [{}])
def test_no_properties_at_all(content_type: str | None, properties: Mapping[str, str]) -> None:
    """A message without any costs no packing."""
    message = OutMessage("a", b"", content_type=content_type, properties=properties)
    assert packet.properties(message, None) is None


@pytest.mark.parametrize(
    ("payload_bytes", "qos", "spare"),
    [(0, 0, 0), (10, 1, 0), (10, 1, 1), (121, 1, 0), (122, 1, 0), (123, 1, 0), (20_000, 2, 0)],
)
def test_the_size_is_that_of_the_packet(payload_bytes: int, qos: int, spare: int) -> None:
    """Counted by hand after MQTT 5, 3.3: header, length, topic, packet id, properties, payload."""
    message = OutMessage("ab", b"x" * payload_bytes, qos=qos)
    rest = 2 + 2 + (2 if qos else 0) + 1 + payload_bytes
    size = 1 + (1 if rest < 128 else 2 if rest < 16_384 else 3) + rest
    packet.check_size(message, None, size + spare)
    with pytest.raises(Unsendable) as caught:
        packet.check_size(message, None, size - 1)
    assert caught.value.problem == f"it needs {size} bytes, and the broker takes {size - 1}"


@pytest.mark.parametrize(
    ("properties", "users", "correlation"),
    [
        pytest.param({"correlation-data": "AAH/"}, None, b"\x00\x01\xff", id="alone"),
        pytest.param({"correlation-data": ""}, None, b"", id="empty"),
        pytest.param({"a": "b"}, [("a", "b")], None, id="none"),
        pytest.param({"correlation-data": "eA==", "a": "b"}, [("a", "b")], b"x", id="both"),
    ],
)
def test_correlation_data_leaves_as_bytes(
    properties: Mapping[str, str],
    users: list[tuple[str, str]] | None,
    correlation: bytes | None,
) -> None:
    """Who asked finds its own bytes again, and no user property of that name."""
    packed = vars(packet.properties(OutMessage("a", b"", properties=properties), None))
    assert packed.get("UserProperty") == users
    assert packed.get("CorrelationData") == correlation


@pytest.mark.parametrize("text", ["x", "ä", "AAH_", "eA"])
def test_correlation_data_that_is_not_base64_cannot_be_sent(text: str) -> None:
    """It is refused, not sent as something else."""
    with pytest.raises(Unsendable) as caught:
        packet.properties(OutMessage("a", b"", properties={"correlation-data": text}), None)
    assert (caught.value.problem, caught.value.fix) == (
        "its property 'correlation-data' is not base64",
        "write base64, or leave it out",
    )
