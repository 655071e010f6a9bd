"""An MQTT message as policies see it."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.adapters.mqtt import Incoming
from reactor.app.messages import identity, message_of
from reactor.core.inputs import Message, Received

BASE = "reactor/h"
DEEPEST = b"[" * 100 + b"]" * 100
NOON = 1_767_268_800.0


def seen(payload: bytes, **more: object) -> Message:
    """The message of this payload."""
    found = message_of(Incoming("reactor/h/a", payload, **more), BASE)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("payload", "value", "is_json"),
    [
        pytest.param(b'{"a": [1, 2.5, "x"]}', {"a": [1, 2.5, "x"]}, True, id="an object"),
        pytest.param(b"null", None, True, id="null is JSON"),
        pytest.param(b" 1\n", 1, True, id="blanks around it"),
        pytest.param(b'"${guest.name}"', "${guest.name}", True, id="a template stays text"),
        pytest.param(b"", None, False, id="nothing"),
        pytest.param(b"ON", None, False, id="a word"),
        pytest.param(b"{'a': 1}", None, False, id="single quotes"),
        pytest.param(b"[1,]", None, False, id="a comma too many"),
        pytest.param(b'{"a": NaN}', None, False, id="no number"),
        pytest.param(b"1e999", None, False, id="infinite"),
        pytest.param(b"1 2", None, False, id="two values"),
        pytest.param(b'"\\ud800"', None, False, id="half a surrogate"),
        pytest.param(b"18446744073709551615", 2**64 - 1, True, id="the largest number"),
        pytest.param(b"18446744073709551616", None, False, id="one more"),
        pytest.param(b"-9223372036854775808", -(2**63), True, id="the least number"),
        pytest.param(b"[{}, {" + b'"a": [-9223372036854775809]}]', None, False, id="one less"),
        pytest.param(b"9" * 5000, None, False, id="a number of 5,000 digits"),
        pytest.param(DEEPEST, msgspec.json.decode(DEEPEST), True, id="100 levels"),
        pytest.param(b"[" + DEEPEST + b"]", None, False, id="101 levels"),
        pytest.param(b"[" * 30_000 + b"]" * 30_000, None, False, id="30,000 levels"),
        pytest.param(b"[" * 65_536, None, False, id="levels without an end"),
        pytest.param(b'{"a": 1, "a": 2}', {"a": 2}, True, id="of two members of a name the last"),
    ],
)
def test_a_payload_is_json_or_is_not(payload: bytes, value: object, *, is_json: bool) -> None:
    """Its text is kept either way."""
    message = seen(payload)
    assert (message.json, message.is_json) == (value, is_json)
    assert message.payload == payload.decode()


@pytest.mark.parametrize(
    "payload", [b"\xff", b"a\x80", "a".encode("utf-16"), b"\xed\xa0\x80", b"\xc0\x80"]
)
def test_a_payload_that_is_not_utf_8_is_no_message(payload: bytes) -> None:
    """Bytes, half characters, surrogates, characters that are longer than they need be."""
    assert message_of(Incoming("a", payload), BASE) is None


@pytest.mark.parametrize(
    ("topic", "below"),
    [
        pytest.param("reactor/h/trigger/p/g", "trigger/p/g", id="below"),
        pytest.param("reactor/h/", "", id="nothing below"),
        pytest.param("reactor/h", "", id="the base itself"),
        pytest.param("reactor/h2/a", "", id="another host"),
        pytest.param("x/reactor/h/a", "", id="elsewhere"),
    ],
)
def test_below_is_the_topic_without_prefix_and_host(topic: str, below: str) -> None:
    """Empty where the topic stands elsewhere."""
    found = message_of(Incoming(topic, b""), BASE)
    assert found is not None
    assert (found.topic, found.below) == (topic, below)


@pytest.mark.parametrize(
    ("payload", "properties", "sent_at"),
    [
        pytest.param(b'{"sent_at": 1767268800}', (), NOON, id="seconds"),
        pytest.param(b'{"sent_at": 1767268800.5}', (), NOON + 0.5, id="with a fraction"),
        pytest.param(b'{"sent_at": "2026-01-01T12:00:00Z"}', (), NOON, id="RFC 3339"),
        pytest.param(b'{"sent_at": "2026-01-01t14:00:00.25+02:00"}', (), NOON + 0.25, id="zone"),
        pytest.param(b"ON", (("sent_at", "1767268800"),), NOON, id="user property"),
        pytest.param(b"ON", (("sent_at", "2026-01-01 12:00:00z"),), NOON, id="property as text"),
        pytest.param(b'{"sent_at": 1}', (("sent_at", "2"),), 1.0, id="the member wins"),
        pytest.param(b"ON", (("sent_at", "1"), ("sent_at", "2")), 1.0, id="the first of two"),
        pytest.param(b'{"sent_at": 0}', (), 0.0, id="the epoch"),
        pytest.param(b'{"sent_at": 253402300799}', (), 253402300799.0, id="the last second"),
        pytest.param(b'{"sent_at": 253402300800}', (), None, id="beyond the calendar"),
        pytest.param(b'{"sent_at": -1}', (), None, id="before the epoch"),
        pytest.param(b'{"sent_at": true}', (), None, id="a word"),
        pytest.param(b'{"sent_at": [1]}', (), None, id="a list"),
        pytest.param(b'{"sent_at": "2026-01-01"}', (), None, id="a date"),
        pytest.param(b'{"sent_at": "2026-01-01T12:00:00"}', (), None, id="no zone"),
        pytest.param(b'{"sent_at": "2026-13-01T12:00:00Z"}', (), None, id="month 13"),
        pytest.param(b'{"sent_at": "0001-01-01T00:00:00+23:59"}', (), None, id="before year 1"),
        pytest.param(b'{"sent_at": "nan"}', (), None, id="not a number"),
        pytest.param(b'{"sent_at": "inf"}', (), None, id="infinite"),
        pytest.param(b'{"sent_at": "1_000"}', (), None, id="a number of Python's"),
        pytest.param(b"[1]", (), None, id="no object"),
    ],
)
def test_when_a_message_was_sent(
    payload: bytes, properties: tuple[tuple[str, str], ...], sent_at: float | None
) -> None:
    """Of a member or a user property; what cannot be read says nothing."""
    assert seen(payload, properties=properties).sent_at == sent_at


def test_the_rest_is_passed_on() -> None:
    """Bytes become base64, since expressions and journals know text only."""
    found = seen(
        b"x",
        qos=1,
        retain=True,
        expires=30.0,
        properties=(("k", "1"), ("k", "2"), ("l", "3")),
        response_topic="reactor/h/reply/me",
        correlation=b"\x00\xff",
    )
    assert (found.qos, found.retain, found.expires) == (1, True, 30.0)
    assert found.properties == {"k": "1", "l": "3"}
    assert found.response_topic == "reactor/h/reply/me"
    assert base64.b64decode(found.correlation) == b"\x00\xff"


CLOUD = b'{"specversion": "1.0", "id": "7", "source": "/s"}'


@pytest.mark.parametrize(
    ("payload", "properties", "expected"),
    [
        pytest.param(b"ON", (("id", "7"),), '["reactor/h/a","7",""]', id="user property"),
        pytest.param(
            b"ON", (("id", "7"), ("source", "/s")), '["reactor/h/a","7","/s"]', id="with a source"
        ),
        pytest.param(CLOUD, (), '["reactor/h/a","7","/s"]', id="CloudEvent"),
        pytest.param(CLOUD, (("id", "8"),), '["reactor/h/a","8",""]', id="the property wins"),
        pytest.param(b'{"id": "disk0"}', (), None, id="an id of something else"),
        pytest.param(b"ON", (), None, id="none"),
    ],
)
def test_what_tells_a_message_from_all_others(
    payload: bytes, properties: tuple[tuple[str, str], ...], expected: str | None
) -> None:
    """Only where it is said for this purpose."""
    assert identity(seen(payload, properties=properties)) == expected


@given(st.binary(max_size=300), st.binary(max_size=20), st.text(max_size=20))
def test_whatever_comes_in_can_be_journaled(payload: bytes, correlation: bytes, name: str) -> None:
    """And is read again as it was."""
    incoming = Incoming(name, payload, properties=((name, name),), correlation=correlation)
    found = message_of(incoming, BASE)
    if found is None:
        return
    received = Received(found)
    assert msgspec.json.decode(msgspec.json.encode(received), type=Received) == received
    identity(found)
