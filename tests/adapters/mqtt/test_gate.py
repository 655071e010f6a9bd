"""What of the messages that come in is looked at."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from reactor.adapters.mqtt import Drop, InLimits, Tree
from reactor.adapters.mqtt.gate import Gate, Head, read_head

SMALL = InLimits(payload=10, properties=5, rate=2.0, burst=3, retained_rate=1.0, retained_burst=1)


def packed(pairs: list[tuple[str, str]]) -> bytes:
    """User properties as paho packs them, with their length before them."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if pairs:
        properties.UserProperty = pairs
    return bytes(properties.pack())  # type: ignore[no-untyped-call]


PAIRS = st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=20)


@given(
    st.builds(
        Head,
        st.binary(max_size=50),
        st.integers(0, 2),
        st.booleans(),
        st.integers(1, 65_535),
        st.just(0),
        st.integers(0, 300),
    ),
    PAIRS,
)
def test_a_head_says_what_is_in_the_packet(head: Head, pairs: list[tuple[str, str]]) -> None:
    """With and without properties, for every quality of service; a packet cut short is none."""
    command = 0x30 | head.qos << 1 | head.retain
    identity = struct.pack("!H", head.packet_id) if head.qos else b""
    start = struct.pack("!H", len(head.topic)) + head.topic + identity
    properties = packed(pairs)
    size = len(properties) - (1 if len(properties) <= 128 else 2)
    expected = head._replace(packet_id=head.packet_id if head.qos else 0)
    payload = b"x" * head.payload
    packet = start + properties + payload
    for form in (packet, bytearray(packet)):
        found = read_head(command, form, has_properties=True)
        assert found == expected._replace(properties=size)
    assert read_head(command, start + payload, has_properties=False) == expected
    for cut in range(len(start) + len(properties)):
        assert read_head(command, packet[:cut], has_properties=True) is None
    for cut in range(len(start)):
        assert read_head(command, start[:cut], has_properties=False) is None


def test_a_length_without_an_end_is_no_head() -> None:
    """Four bytes at most, says the standard."""
    assert read_head(0x30, b"\0\1a" + b"\xff" * 10, has_properties=True) is None


ALL = Tree("#")


def gate(wanted: Callable[[str], bool] = lambda _topic: True, now: float = 0.0) -> Gate:
    """A gate with small bounds, at a time that stands still."""
    return Gate(SMALL, lambda topic: ALL if wanted(topic) else None, lambda: now)


HEAD = Head(b"a/b", 1, retain=False, packet_id=1, properties=0, payload=0)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(HEAD._replace(payload=10, properties=5), None, id="all at their bounds"),
        pytest.param(HEAD._replace(payload=11), Drop.TOO_LARGE, id="a byte too large"),
        pytest.param(HEAD._replace(properties=6), Drop.PROPERTIES, id="properties too large"),
        pytest.param(HEAD._replace(topic=b"\xff"), Drop.TOPIC, id="a topic that is not UTF-8"),
        pytest.param(HEAD._replace(topic=b"x"), Drop.UNWANTED, id="a topic nobody asks for"),
        pytest.param(HEAD._replace(retain=True), None, id="retained"),
    ],
)
def test_a_message_is_judged_by_its_head(head: Head, expected: Drop | None) -> None:
    """Before its properties and payload are decoded."""
    assert gate(lambda topic: topic == "a/b").judge(head) is expected


def test_a_burst_is_let_in_and_then_the_rate() -> None:
    """Two a second after three at once; what is refused does not count."""
    times = [0.0]
    made = Gate(SMALL, lambda _topic: ALL, lambda: times[0])
    let_in: list[float] = []
    for tenth in range(31):
        times[0] = tenth / 10
        let_in += [times[0] for _ in range(4) if made.judge(HEAD) is None]
    assert let_in == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]


def test_a_silence_saves_no_more_than_a_burst() -> None:
    """A day without a message is no day's worth of messages."""
    times = [0.0]
    made = Gate(SMALL, lambda _topic: ALL, lambda: times[0])
    for day in (0.0, 86_400.0):
        times[0] = day
        assert [made.judge(HEAD) for _ in range(5)] == [None] * 3 + [Drop.TOO_MANY] * 2


def test_retained_messages_do_not_use_up_what_the_others_need() -> None:
    """A reconnect may bring thousands of them from a broker that speaks 3.1.1."""
    made = gate()
    retained = HEAD._replace(retain=True)
    assert [made.judge(retained) for _ in range(3)] == [None, Drop.RETAINED, Drop.RETAINED]
    assert [made.judge(HEAD) for _ in range(3)] == [None] * 3


TREES = {
    "a/x": Tree("a/#"),
    "a/y": Tree("a/#"),
    "by/p/1": Tree("by/+/+", apart=1),
    "by/p/2": Tree("by/+/+", apart=1),
    "by/q/1": Tree("by/+/+", apart=1),
    "set/x": Tree("set/#", orders=True),
}


@pytest.mark.parametrize(
    ("flooded", "other", "expected"),
    [
        pytest.param("a/x", "a/y", Drop.TOO_MANY_THERE, id="one tree, one count"),
        pytest.param("a/x", "by/p/1", None, id="another tree"),
        pytest.param("by/p/1", "by/p/2", Drop.TOO_MANY_THERE, id="one policy by its name"),
        pytest.param("by/p/1", "by/q/1", None, id="another policy"),
        pytest.param("a/x", "set/x", None, id="an order is beside a flood"),
        pytest.param("set/x", "a/x", None, id="others are beside a flood of orders"),
    ],
)
def test_a_flood_on_one_tree_keeps_nobody_out_of_another(
    flooded: str, other: str, expected: Drop | None
) -> None:
    """What is beyond a tree's own rate does not use up what all have together."""
    limits = InLimits(rate=1.0, burst=5, tree_burst=3, order_burst=3)
    made = Gate(limits, TREES.get, lambda: 0.0)
    first = [made.judge(HEAD._replace(topic=flooded.encode())) for _ in range(50)]
    assert first == [None] * 3 + [Drop.TOO_MANY_THERE] * 47
    assert made.judge(HEAD._replace(topic=other.encode())) is expected


def test_orders_have_a_count_of_their_own() -> None:
    """When all other messages together have used theirs up."""
    limits = InLimits(rate=1.0, burst=2)
    made = Gate(limits, TREES.get, lambda: 0.0)
    judged = [made.judge(HEAD._replace(topic=b"a/x")) for _ in range(3)]
    assert judged == [None, None, Drop.TOO_MANY]
    assert made.judge(HEAD._replace(topic=b"set/x")) is None


def test_only_so_many_counts_are_kept() -> None:
    """Names that somebody makes up need no memory; the whole count still holds."""
    limits = InLimits(rate=1.0, burst=20, tree_burst=1, trees=5)
    made = Gate(limits, lambda _topic: Tree("by/+/+", apart=1), lambda: 0.0)
    judged = [made.judge(HEAD._replace(topic=f"by/{n}/x".encode())) for n in range(30)]
    assert judged == [None] * 20 + [Drop.TOO_MANY] * 10
    assert len(made._trees) == 5  # noqa: SLF001


def test_what_is_dropped_for_another_reason_uses_nothing_up() -> None:
    """A flood on a topic that nobody asks for, or of giants, keeps nobody out."""
    made = gate(lambda topic: topic == "a/b")
    for _ in range(10):
        made.judge(HEAD._replace(payload=11))
        made.judge(HEAD._replace(topic=b"x"))
    assert [made.judge(HEAD) for _ in range(3)] == [None] * 3


@given(st.lists(st.floats(0, 2), max_size=60))
def test_no_window_lets_more_in_than_burst_and_rate(gaps: list[float]) -> None:
    """Whatever the rhythm."""
    times = [0.0]
    made = Gate(SMALL, lambda _topic: ALL, lambda: times[0])
    let_in: list[float] = []
    for gap in gaps:
        times[0] += gap
        if made.judge(HEAD) is None:
            let_in.append(times[0])
    for first, start in enumerate(let_in):
        for last, end in enumerate(let_in[first:], 1):
            assert last <= SMALL.burst + SMALL.rate * (end - start) + 1e-6
