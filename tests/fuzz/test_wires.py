"""What comes over sockets: any bytes give messages, or a refusal with a reason."""

import asyncio
import io
import itertools
import json
from contextlib import suppress
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from reactor.adapters.agent.channel import Channel, ClosedError, TooLongError, UnreadableError
from reactor.adapters.control.messages import Misread, read_request
from reactor.adapters.mqtt import Incoming
from reactor.adapters.mqtt.gate import read_head
from reactor.app.messages import identity, message_of
from reactor.app.replay.sources import Skipped, _Lines
from reactor.core.event import Event
from reactor.core.inputs import Happened, Received
from reactor.errors import RecordingError
from reactor.policyfile.check import load
from tests.adapters.qmp.test_wire import told
from tests.core.simulation import Host
from tests.fuzz.mutations import ROOT, cheap, damaged, files

CAPTURE = [line + b"\n" for line in files("tests/golden/capture-7.2.jsonl")[0].splitlines()[::6]]
REPLIES = [
    b'{"return": {"status": "running", "singlestep": false, "running": true}, "id": 7}\r\n',
    b'{"id": 8, "error": {"class": "GenericError", "desc": "Device not found"}}\r\n',
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}}\n',
]
REQUESTS = [
    b'{"version":1,"ask":{"type":"why","policy":"p","guest":"g","at":5.0}}\n',
    b'{"version":1,"ask":{"type":"order","order":{"type":"hold","comment":"c"}}}\n',
]
PUBLISHES = [
    b"\x00\x0areactor/h/x\x00\x01\x00{}",
    b"\x00\x03a/b\x00\x07\x0c\x26\x00\x02id\x00\x01x\x03\x00\x01tpayload",
]
CLOUD = [
    b'{"specversion": "1.0", "id": "7", "source": "/s", "type": "t", "time": "2026-01-01T00:00Z"}',
    b'{"sent_at": 1796000000.5, "guest": "web-1", "deep": [[[[{"a": 1}]]]]}',
]
SHIPPED = load([ROOT / "rules", *sorted(ROOT.glob("examples/*/rules"))]).policies
EVENTS = [json.loads(line) for line in CAPTURE]


class Nowhere(asyncio.WriteTransport):
    """The other end is gone already."""

    def is_closing(self) -> bool:
        """It is."""
        return True


@given(
    st.lists(damaged([*CAPTURE, *REPLIES]), max_size=4), st.lists(st.integers(0, 3000), max_size=6)
)
def test_a_monitor(lines: list[bytes], cuts: list[int]) -> None:
    """Messages until something is wrong, the same however the bytes are cut."""
    stream = b"".join(lines)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    with cheap():
        whole = told([stream], limit=5000)
        chunks = [stream[start:end] for start, end in itertools.pairwise(edges)]
        assert told(chunks, limit=5000) == whole


def values() -> st.SearchStrategy[object]:
    """Anything that JSON can say, with numbers and texts that hurt."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.sampled_from(["${run.id}", "../../etc/passwd", "\x1b[2J", "/machine/peripheral/dimm1"]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=8,
    )


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.data(), st.floats(-10, 10)), max_size=6))
def test_an_event(moves: list[tuple[dict[str, object], st.DataObject, float]]) -> None:
    """No data of any event, under any shipped policy, raises in the engine or stops it."""
    host = Host(SHIPPED, guests=("web-1",)).connect()
    for line, draw, shift in moves:
        data = dict(line.get("data", {}))  # type: ignore[call-overload]
        for name in draw.draw(st.lists(st.sampled_from(sorted(data) or ["x"]), max_size=3)):
            data[name] = draw.draw(values())
        with cheap():
            host.give(Happened(Event(str(line["event"]), "web-1", data, host.now + shift)))
            host.run(1.0)
    for _, effect in host.effects:
        assert msgspec.json.encode(effect)


@given(damaged(PUBLISHES), st.integers(0, 255), st.booleans())
def test_the_head_of_a_message(packet: bytes, command: int, has_properties: bool) -> None:
    """Parts that are inside the packet, or none."""
    head = read_head(command, packet, has_properties=has_properties)
    if head is not None:
        assert 0 <= head.payload <= len(packet)
        assert 0 <= head.properties <= len(packet)
        assert len(head.topic) <= len(packet)


@given(damaged(CLOUD), st.text(max_size=30), st.binary(max_size=20))
def test_a_message_from_the_broker(payload: bytes, text: str, correlation: bytes) -> None:
    """Is text that the journal can hold, or is not taken."""
    incoming = Incoming(text, payload, properties=((text, text),), correlation=correlation)
    with cheap():
        message = message_of(incoming, "reactor/h")
        if message is not None:
            identity(message)
            received = Received(message)
            assert msgspec.json.decode(msgspec.json.encode(received), type=Received) == received


@given(damaged(REQUESTS))
def test_a_request_of_an_operator(line: bytes) -> None:
    """Is understood, or answered with what is wrong."""
    with cheap(), suppress(Misread):
        read_request(line)


@given(damaged([b'\xff{"return": 5}\n', b'{"return": {"a": 1}}\n', b'{"error": {"class": "C"}}\n']))
def test_a_guest_agent(stream: bytes) -> None:
    """Answers, or one of three errors; the guest decides what stands there."""

    async def read() -> None:
        reader = asyncio.StreamReader(limit=2000)
        reader.feed_data(stream)
        reader.feed_eof()
        loop = asyncio.get_running_loop()
        writer = asyncio.StreamWriter(Nowhere(), asyncio.Protocol(), reader, loop)
        channel = Channel(reader, writer)
        while True:
            await channel.answer()

    with cheap(), suppress(ClosedError, TooLongError, UnreadableError):
        asyncio.run(read())


@given(st.lists(damaged(CAPTURE), max_size=5))
def test_a_recording(lines: list[bytes]) -> None:
    """Each line is played, or is counted as left out."""
    told: list[str] = []
    skipped = Skipped(told.append)
    source = _Lines(io.BytesIO(b"".join(lines)), Path("f"), skipped, None)
    played = 0
    # It may be no recording at all, and is refused as a whole then.
    with cheap(), suppress(RecordingError):
        source.head()
        played = sum(1 for _ in source.lines())
    source.close()
    assert played + skipped.count <= sum(line.count(b"\n") + 1 for line in lines)
