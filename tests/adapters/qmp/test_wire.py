"""Lines out of chunks: what is taken from a stream does not depend on how it arrives."""

import asyncio
import itertools
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from reactor.adapters.qmp import Limits
from reactor.adapters.qmp.messages import Message
from reactor.adapters.qmp.shared import Shared
from reactor.adapters.qmp.wire import LINES_AT_ONCE, BufferedWire, Wire, wire_for
from tests.adapters.qmp.scene import Recorder, chance, eventually
from tests.fakes.qmp_server import event_line

PANIC = event_line("GUEST_PANICKED", {"action": "pause"}, 3.25)
REPLY = b'{"return": {"status": "running"}, "id": 7}\r\n'


class Notes:
    """An owner that writes down what it is told, and stops the wire at a fault."""

    def __init__(self, limit: int = 1000, event_limit: int = 1000) -> None:
        self.told: list[object] = []
        limits = Limits(line_bytes=limit, event_bytes=event_limit)
        shared = Shared(Recorder(), limits, chance())
        self.shared = shared
        self.wire = Wire("web-1", self, shared, self.event)
        self.counters = shared.counters

    def event(self, guest: str, name: str, data: dict[str, object], when: float) -> None:
        """Note an event."""
        self.told.append((guest, name, data, when))

    def made(self) -> None:
        """Note the connect."""
        self.told.append("made")

    def answered(self, message: Message, line: bytes | bytearray) -> None:
        """Note what is not an event."""
        self.told.append((message.id, message.result, bytes(line).strip()))

    def unreadable(self, line: bytes | bytearray, why: Exception) -> None:
        """Note it, and stop."""
        self.told.append(("unreadable", bytes(line).strip(), type(why)))
        self.wire.stop()

    def too_long(self, limit: int) -> None:
        """Note it, and stop."""
        self.told.append(f"longer than {limit}")
        self.wire.stop()

    def lost(self, error: Exception | None) -> None:
        """Note the end."""
        self.told.append(("lost", error))


def told(chunks: list[bytes], limit: int = 1000) -> list[object]:
    """What comes out when these chunks go in."""
    notes = Notes(limit)
    for chunk in chunks:
        notes.wire.data_received(chunk)
    return notes.told


LONGER = "longer than 1000"
EVENT = ("web-1", "GUEST_PANICKED", {"action": "pause"}, 3.25)
ANSWER = (7, {"status": "running"}, REPLY.strip())


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(PANIC, [EVENT], id="an event"),
        pytest.param(REPLY, [ANSWER], id="a reply"),
        pytest.param(PANIC + REPLY + PANIC, [EVENT, ANSWER, EVENT], id="several, in order"),
        pytest.param(b"\r\n\n" + PANIC + b"\r\n", [EVENT], id="empty lines say nothing"),
        pytest.param(PANIC.replace(b"\r", b""), [EVENT], id="without a carriage return"),
        pytest.param(PANIC + REPLY[:-1], [EVENT], id="half a line is not taken"),
        pytest.param(
            b'{"event": "STOP"}\n', [("web-1", "STOP", {}, 0.0)], id="an event without a stamp"
        ),
        pytest.param(
            PANIC + b"oops\n" + PANIC,
            [EVENT, ("unreadable", b"oops")],
            id="nothing is taken after garbage",
        ),
        pytest.param(b'{"event": 7}\n', [("unreadable", b'{"event": 7}')], id="a wrong type"),
        pytest.param(
            b'{"event": "\xff"}\n', [("unreadable", b'{"event": "\xff"}')], id="not UTF-8"
        ),
        pytest.param(
            b"[" * 999 + b"\n", [("unreadable", b"[" * 999)], id="brackets without an end"
        ),
        pytest.param(
            PANIC + b'{"return": "' + b"x" * 1100,
            [EVENT, LONGER],
            id="a line without an end",
        ),
        pytest.param(b"x" * 1001 + b"\n" + PANIC, [LONGER], id="one byte more than the limit"),
        pytest.param(
            b'{"event": "' + b"x" * 987 + b'"}\n',
            [("web-1", "x" * 987, {}, 0.0)],
            id="as long as the limit",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_a_stream_says(stream: bytes, expected: list[object], size: int) -> None:
    """Messages come out whole and in order, until something is wrong."""
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    said = [
        entry[:2] if isinstance(entry, tuple) and entry[0] == "unreadable" else entry
        for entry in told(chunks)
    ]
    assert said == expected


LINES = st.sampled_from([PANIC, REPLY, b"\n", b"oops\r\n", b"y" * 300 + b"\n", b'{"id": "\xc3'])


@given(st.lists(LINES, max_size=12), st.lists(st.integers(0, 1500)))
def test_chunks_make_no_difference(lines: list[bytes], cuts: list[int]) -> None:
    """However the same bytes are cut, the same is taken from them."""
    stream = b"".join(lines)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert told(chunks, limit=250) == told([stream], limit=250)


@given(st.lists(LINES, max_size=12), st.lists(st.integers(0, 1500)))
def test_a_wire_with_a_buffer_takes_the_same(lines: list[bytes], cuts: list[int]) -> None:
    """What asyncio's own loop uses differs from what uvloop uses in nothing but its cost."""
    stream = b"".join(lines)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    notes = Notes(limit=250)
    notes.wire = wire = BufferedWire("web-1", notes, notes.shared, notes.event)
    for start, end in itertools.pairwise(edges):
        wire.get_buffer(-1)[: end - start] = stream[start:end]
        wire.buffer_updated(end - start)
    assert notes.told == told([stream], limit=250)


async def which_wire() -> type[Wire]:
    """What a session on this loop is given."""
    notes = Notes()
    loop = asyncio.get_running_loop()
    return type(wire_for(loop, "web-1", notes, notes.shared, notes.event))


def test_each_loop_gets_its_wire() -> None:
    """The buffer where it saves, not where it costs."""
    assert asyncio.run(which_wire()) is BufferedWire
    assert uvloop.run(which_wire()) is Wire


def test_every_event_is_counted() -> None:
    """The counter has the events, and nothing else."""
    notes = Notes()
    notes.wire.data_received(PANIC + REPLY + PANIC)
    notes.wire.data_received(PANIC)
    assert notes.counters.events == 3


def test_a_long_line_costs_linear_time() -> None:
    """16 MiB in pieces of 4 KiB: what is there already is not looked at or copied again."""
    line = b'{"return": "' + b"x" * (16 << 20) + b'", "id": 1}\r\n'
    notes = Notes(limit=64 << 20)
    began = time.process_time()
    for start in range(0, len(line), 4096):
        notes.wire.data_received(line[start : start + 4096])
    assert time.process_time() - began < 2
    assert [entry[0] for entry in notes.told if isinstance(entry, tuple)] == [1]


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_last_words_survive_a_write_that_fails(runner: Callable[..., list[object]]) -> None:
    """QEMU said something and ended, then a command is written: what it said is read."""

    async def write_too_late() -> list[object]:
        notes = Notes()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003
        loop = asyncio.get_running_loop()
        wire = wire_for(loop, "web-1", notes, notes.shared, notes.event)
        await loop.create_unix_connection(lambda: wire, sock=ours)
        theirs.send(PANIC)
        theirs.close()
        wire.write(b"{}\n")
        wire.write(b"{}\n")
        await eventually(lambda: len(notes.told) == 3)
        wire.write(b"{}\n")
        return notes.told

    assert runner(write_too_late()) == ["made", EVENT, ("lost", None)]


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_line_waits_for_room_in_the_kernel(runner: Callable[..., bytes]) -> None:
    """Where QEMU has not read yet, the line goes out later, whole and in its place."""

    async def write_into_a_full_socket() -> bytes:
        notes = Notes()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003
        theirs.setblocking(False)  # noqa: FBT003
        loop = asyncio.get_running_loop()
        wire = wire_for(loop, "web-1", notes, notes.shared, notes.event)
        await loop.create_unix_connection(lambda: wire, sock=ours)
        with suppress(BlockingIOError):
            while True:
                os.write(ours.fileno(), b".")
        wire.write(b"first\n")
        wire.write(b"second\n")
        read = bytearray()
        while not read.endswith(b"second\n"):
            read += await loop.sock_recv(theirs, 65536)
        wire.stop()
        theirs.close()
        return bytes(read).lstrip(b".")

    assert runner(write_into_a_full_socket()) == b"first\nsecond\n"


class Flood:
    """A wire on a socket, and a monitor that sends 1,000 events at once."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.wire: Wire | None = None
        self.transport: asyncio.Transport | None = None
        self.seen: list[int] = []
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)  # noqa: FBT003

    async def begin(self) -> None:
        """Connect, and send; from then on each turn of the loop notes what has come by then."""
        loop = asyncio.get_running_loop()
        notes = self.notes
        self.wire = wire_for(loop, "web-1", notes, notes.shared, notes.event)
        wire = self.wire
        self.transport, _ = await loop.create_unix_connection(lambda: wire, sock=self._ours)
        self.theirs.sendall(b"".join(event_line("STOP", {"n": n}, 1.0) for n in range(1000)))
        loop.call_soon(self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self.seen.append(len(self.notes.told))
        if self.notes.told[-1] != ("lost", None):
            loop.call_soon(self._look, loop)

    @property
    def numbers(self) -> list[object]:
        """Of the events that came."""
        return [note[2]["n"] for note in self.notes.told if isinstance(note, tuple) and note[2:]]


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_monitor_that_floods_gets_turns(runner: Callable[..., Flood]) -> None:
    """So many lines, then others; what comes behind keeps its place, and the end is the last."""

    async def flood() -> Flood:
        made = Flood()
        await made.begin()
        await eventually(lambda: len(made.notes.told) > 1)
        made.theirs.sendall(event_line("STOP", {"n": 1000}, 1.0))
        made.theirs.close()
        await eventually(lambda: made.notes.told[-1] == ("lost", None))
        return made

    made = runner(flood())
    assert made.numbers == list(range(1001))
    steps = [after - before for before, after in itertools.pairwise(made.seen)]
    assert max(steps) <= LINES_AT_ONCE + 1


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_wire_that_is_stopped_within_a_flood_says_nothing_more(
    runner: Callable[..., Flood],
) -> None:
    """Neither of the rest nor of what is still in the kernel."""

    async def stop_within() -> Flood:
        made = Flood()
        await made.begin()
        await eventually(lambda: len(made.notes.told) > 1)
        assert made.wire is not None
        made.wire.stop()
        heard = len(made.numbers)
        await eventually(lambda: made.notes.told[-1] == ("lost", None))
        assert len(made.numbers) == heard
        made.theirs.close()
        return made

    numbers = runner(stop_within()).numbers
    assert numbers == list(range(len(numbers)))
    assert LINES_AT_ONCE <= len(numbers) < 1000


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_connection_that_is_lost_within_a_flood_has_said_all_of_it(
    runner: Callable[..., Flood],
) -> None:
    """SHUTDOWN is among the last words."""

    async def lose_within() -> Flood:
        made = Flood()
        await made.begin()
        await eventually(lambda: len(made.notes.told) > 1)
        assert made.transport is not None
        made.transport.abort()
        await eventually(lambda: made.notes.told[-1] == ("lost", None))
        made.theirs.close()
        return made

    assert runner(lose_within()).numbers == list(range(1000))


def test_a_sink_may_stop_the_wire() -> None:
    """A listener that lets a guest go gets none of its events any more."""
    notes = Notes()
    names: list[str] = []

    def once(_guest: str, name: str, _data: dict[str, object], _time: float) -> None:
        names.append(name)
        notes.wire.stop()

    notes.wire.sink = once
    notes.wire.data_received(PANIC + PANIC)
    notes.wire.data_received(PANIC)
    assert names == ["GUEST_PANICKED"]


@pytest.mark.parametrize(
    ("spare", "heard"),
    [
        pytest.param(0, [EVENT, EVENT], id="an event at its limit"),
        pytest.param(-1, [f"longer than {len(PANIC) - 2}"], id="an event beyond it"),
    ],
)
def test_an_event_has_a_limit_of_its_own(spare: int, heard: list[object]) -> None:
    """Events come unasked and wait in memory; in one piece or in many."""
    for size in (1, 7, 10_000):
        notes = Notes(event_limit=len(PANIC) - 1 + spare)
        both = PANIC * 2
        for start in range(0, len(both), size):
            notes.wire.data_received(both[start : start + size])
        assert notes.told == heard


def test_a_reply_may_be_longer_than_an_event() -> None:
    """It was asked for; the events behind it come through."""
    notes = Notes(event_limit=len(PANIC))
    long = b'{"return": "' + b"x" * 500 + b'", "id": 7}'
    notes.wire.data_received(long + b"\n" + PANIC)
    assert notes.told == [(7, "x" * 500, long), EVENT]
