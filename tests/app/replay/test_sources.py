"""What a replay reads: journals, recordings, captures, and what is in none of them."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from reactor.app.replay import sources
from reactor.app.replay.recording import Head, Line, Ran, Sent, Text, written
from reactor.app.replay.sources import Skipped, Source, open_source
from reactor.core.event import Event
from reactor.core.inputs import Answered, Fired, Happened, Ticked
from reactor.errors import RecordingError

EVENT = {"event": "STOP", "timestamp": {"seconds": 100, "microseconds": 500000}}
OF_GUEST = {**EVENT, "guest": "db-1", "data": {"a": 1}}

Opened = Callable[..., tuple[Source, list[str], Skipped]]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """A file of these lines, opened; what is told of it, and counted."""
    made: list[Source] = []

    def make(*lines: object, guest: str | None = None) -> tuple[Source, list[str], Skipped]:
        path = tmp_path / "web-1.jsonl"
        path.write_bytes(
            b"".join(
                line
                if isinstance(line, bytes)
                else written(line)
                if isinstance(line, Head | Line)
                else msgspec.json.encode(line) + b"\n"
                for line in lines
            )
        )
        told: list[str] = []
        skipped = Skipped(told.append)
        made.append(open_source(path, skipped, guest))
        return made[-1], told, skipped

    yield make
    for source in made:
        source.close()


def _stop(at: float, guest: str, data: dict[str, object] | None = None) -> Line:
    return Line(at, Happened(Event("STOP", guest, data or {}, at, at)))


@pytest.mark.parametrize(
    ("guest", "names"),
    [
        pytest.param(None, ["web-1", "db-1"], id="called like the file"),
        pytest.param("vm", ["vm", "db-1"], id="called as it is said"),
    ],
)
def test_a_capture_of_qmp_is_read(opened: Opened, guest: str | None, names: list[str]) -> None:
    """A line that names a guest is that guest's."""
    source, told, skipped = opened(EVENT, OF_GUEST, guest=guest)
    assert list(source.lines()) == [_stop(100.5, names[0]), _stop(100.5, names[1], {"a": 1})]
    assert source.head() == Head(0)
    assert (told, skipped.count) == ([], 0)


def test_what_else_a_client_of_qmp_saw_is_counted(opened: Opened) -> None:
    """Greetings and replies are no events; the first are told with their line's number."""
    source, told, skipped = opened(
        {"QMP": {"version": {}}}, {"return": {}}, EVENT, b"{\n", b"\n", b"[1]\n", b"\xff\n"
    )
    assert len(list(source.lines())) == 1
    assert skipped.count == 5
    assert [line.split(": ", 2)[1] for line in told] == [f"line {n}" for n in (1, 2, 4, 6, 7)]
    assert told[0].endswith("it is neither a line of a recording nor an event of QMP")


def test_an_event_without_a_time_came_with_the_one_before(opened: Opened) -> None:
    """QEMU says -1 where it has no clock; an earlier time is played now, and counted."""
    clockless = {"event": "A", "timestamp": {"seconds": -1, "microseconds": -1}}
    earlier = {"event": "B", "timestamp": {"seconds": 40, "microseconds": 0}}
    source, _, skipped = opened(EVENT, clockless, {"event": "C"}, earlier, EVENT)
    lines = list(source.lines())
    assert [line.at for line in lines] == [100.5] * 5
    events = [line.input.event for line in lines if isinstance(line.input, Happened)]
    assert [(e.name, e.time, e.received) for e in events] == [
        ("STOP", 100.5, 100.5),
        ("A", 100.5, 100.5),
        ("C", 100.5, 100.5),
        ("B", 40.0, 100.5),
        ("STOP", 100.5, 100.5),
    ]
    assert skipped.set_back == 1


def test_a_recording_is_read_as_it_was_written(opened: Opened) -> None:
    """Inputs and what was in force in their order; what was done is known beforehand."""
    ticked, fired = Line(3.0, Ticked()), Line(4.0, Fired("p", 0, 4.0, 7))
    answered = Line(2.0, Answered("x-1.1", result={}), "web-1", "stop")
    text, ran = Line(0.0, text=Text("p", "r", "s")), Line(1.0, run=Ran(1.0, "p", "web-1", "x-1"))
    sent = Line(1.5, sent=Sent("x-1.1", "web-1", "stop", "x-1"))
    dumped = Line(5.0, Happened(Event("DUMP_COMPLETED", "web-1", own=True)))
    head, stopped = Head(1, "abc123", "0.1", whole=True), Line(6.0, stopped=True)
    source, told, _ = opened(
        head, text, ran, sent, _stop(1.0, "web-1"), answered, ticked, fired, dumped, stopped
    )
    assert source.head() == head
    lines = list(source.lines())
    assert lines == [_stop(1.0, "web-1"), answered, ticked, fired, dumped, stopped]
    assert list(source.beforehand()) == [text, ran, sent, answered, ticked, fired, dumped, stopped]
    assert told == []


def test_what_a_newer_reactor_may_have_written_is_told(opened: Opened) -> None:
    """A line that says nothing known, and one that is of another type."""
    source, told, skipped = opened(b'{"at": 1.0}\n', b'{"at":1.0,"input":{"type":"new"}}\n')
    assert list(source.lines()) == []
    assert skipped.count == 2
    assert "says nothing that this reactor knows" in told[0]
    assert list(source.beforehand()) == []
    assert len(told) == 2


def test_a_line_without_end_is_skipped(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never in memory as a whole."""
    monkeypatch.setattr(sources, "LINE_MAX", 200)
    source, told, _ = opened(b"x" * 1000 + b"\n", EVENT)
    assert len(list(source.lines())) == 1
    assert [line.partition(": ")[2] for line in told] == ["line 1: longer than 200 bytes"]


def test_many_wrong_lines_are_counted(opened: Opened) -> None:
    """The first twenty are told."""
    source, told, skipped = opened(*[b"{\n"] * 30)
    assert list(source.lines()) == []
    assert (skipped.count, len(told)) == (30, 20)


def test_a_recording_of_a_newer_reactor_is_refused(opened: Opened) -> None:
    """With a way out."""
    source, _, _ = opened({"recording": 2})
    with pytest.raises(RecordingError) as refused:
        source.head()
    assert refused.value.problem == (
        "a newer reactor made this recording: its version is 2, this reactor knows 1"
    )


@pytest.mark.parametrize("name", ["no", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """Said before anything is played."""
    with pytest.raises(RecordingError, match="cannot be read"):
        open_source(tmp_path / name, Skipped(lambda _line: None))


def test_standard_input_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe cannot be: it is put aside first."""

    class Stdin:
        buffer = io.BytesIO(written(Head(1, "abc")) + written(_stop(1.0, "web-1")))

    monkeypatch.setattr(sys, "stdin", Stdin())
    source = open_source(Path("-"), Skipped(lambda _line: None))
    assert list(source.beforehand()) == []
    assert source.head().journal == "abc"
    assert list(source.lines()) == [_stop(1.0, "web-1")]
    source.close()
