"""Who sent a message that is not decoded."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from reactor.adapters.mqtt import Incoming
from reactor.adapters.mqtt.sender import sender_of

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def packed(**members: Any) -> bytes:  # noqa: ANN401 - as paho has them
    """The properties of a PUBLISH as paho packs them, without their length."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in members.items():
        setattr(properties, name, value)
    whole = bytes(properties.pack())  # type: ignore[no-untyped-call]
    return whole[next(at for at, byte in enumerate(whole) if byte < 128) + 1 :]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "PayloadFormatIndicator": st.integers(0, 1),
            "MessageExpiryInterval": st.integers(0, 2**32 - 1),
            "ContentType": TEXTS,
            "ResponseTopic": TEXTS,
            "CorrelationData": st.binary(max_size=300),
            "SubscriptionIdentifier": st.lists(st.integers(1, 268_435_455), min_size=1, max_size=3),
            "TopicAlias": st.integers(1, 65_535),
            "UserProperty": st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5),
        },
    )
)
def test_it_is_read_as_it_was_written(members: dict[str, Any]) -> None:
    """Whatever stands beside it; cut anywhere it says no more than it did, or nothing."""
    raw = packed(**members)
    whole = Incoming(
        "t",
        b"",
        properties=tuple(members.get("UserProperty", ())),
        response_topic=members.get("ResponseTopic", ""),
        correlation=members.get("CorrelationData", b""),
    )
    assert sender_of("t", raw) == whole
    for cut in range(len(raw)):
        found = sender_of("t", raw[:cut])
        assert found is None or found.response_topic in {"", whole.response_topic}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x7f", id="nobody knows this one"),
        pytest.param(b"\x08\x00\x05abc", id="a topic that is cut"),
        pytest.param(b"\x08\x00\x02\xff\xfe", id="a topic that is no text"),
        pytest.param(b"\x26\x00\x01a", id="half a pair"),
        pytest.param(b"\x0b\xff\xff", id="a number without an end"),
        pytest.param(b"\x02\x00\x00", id="a short expiry"),
    ],
)
def test_what_is_no_properties_has_no_sender(raw: bytes) -> None:
    """Nobody is answered then."""
    assert sender_of("t", raw) is None


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(raw: bytes) -> None:
    """Whatever somebody sends."""
    found = sender_of("t", raw)
    assert found is None or found.topic == "t"
