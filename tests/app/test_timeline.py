"""A run as a time line, from the journal alone."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from reactor.adapters.journal import (
    Batch,
    IntentRow,
    Journal,
    OutcomeRow,
    Reader,
    RunRow,
)
from reactor.app.absences import Absence
from reactor.app.records import input_row, rulebook_row, stopped_row
from reactor.app.timeline import Entry, Timeline, read_timeline, waits
from reactor.core.config import EngineConfig
from reactor.core.effect import Keep, Trace
from reactor.core.event import Event
from reactor.core.inputs import Happened
from reactor.core.run import Cursor, Origin, Phase, Run

AT = 1_800_000_000.0

RUN = Run(
    *("r-1", "p", "rev", "web-1", "web-1/disk0"),
    Origin(Event("GO", "web-1", {"a": 1}, AT, AT)),
    AT,
    phase=Phase.RUNNING,
    started=AT,
    deadline=AT + 3600,
)

ENDED = RunRow(
    *("r-1", "p", "web-1", "ended", "succeeded"), started=AT, ended=AT + 9, admitted=AT, body=b"run"
)


def trace(after: float, path: str, verdict: str, reason: str = "") -> Trace:
    """A line of the run's story."""
    return Trace(AT + after, "p", "web-1", path, verdict, reason, "r-1")


def event(after: float, name: str = "GO", guest: str = "web-1", **data: object) -> Batch:
    """An event in the history."""
    at = AT + after
    return Batch(inputs=[input_row(at, Happened(Event(name, guest, data, at, at)))])


def told(tmp_path: Path, *batches: Batch) -> Timeline:
    """The time line of r-1 in a journal that holds these."""
    path = tmp_path / "journal.db"

    async def write() -> None:
        journal = Journal.open(path, now=lambda: AT)
        for batch in batches:
            await journal.commit(batch)
        await journal.close()

    asyncio.run(write())
    reader = Reader(path)
    try:
        found = read_timeline(reader, "r-1")
        assert read_timeline(reader, "r-2") is None
    finally:
        reader.close()
    assert found is not None
    return found


def lines(timeline: Timeline) -> list[tuple[float, str, str, str]]:
    """When, where, what and why."""
    return [(e.at - AT, e.path, e.what, e.reason) for e in timeline.entries]


def test_a_run_that_has_ended(tmp_path: Path) -> None:
    """Its event, its decisions and its commands with their ends, in order of time."""
    story = [
        trace(0, "trigger", "admitted", "GO"),
        trace(0, "steps/0", "begun", "qmp: stop"),
        trace(2, "steps/0", "done"),
    ]
    intents = [
        IntentRow("r-1.1", AT + 0.5, "web-1", "stop", b'{"a":1}', "r-1"),
        IntentRow("r-1.2", AT + 3, "web-1", "cont", b"{}", "r-1"),
        IntentRow("r-1.3", AT + 4, "web-1", "quit", b"{}", "r-1"),
    ]
    ends = [
        OutcomeRow("r-1.1", AT + 2, "done"),
        OutcomeRow("r-1.2", AT + 3.002, "refused", b"no"),
    ]
    timeline = told(
        tmp_path,
        event(-1, x=0),
        event(0, guest="web-2", x=1),
        event(0, x=2),
        event(1, x=3),
        Batch(runs=[ENDED], traces=story, intents=intents),
        Batch(outcomes=ends),
    )
    assert lines(timeline) == [
        (0.0, "", "event", "GO"),
        (0.0, "trigger", "admitted", "GO"),
        (0.0, "steps/0", "begun", "qmp: stop"),
        (0.5, "", "command", 'stop {"a":1}: done after 1s500ms'),
        (2.0, "steps/0", "done", ""),
        (3.0, "", "command", "cont: refused after 2ms: no"),
        (4.0, "", "command", "quit: no answer yet"),
    ]
    assert timeline.entries[0].values == {"x": 2}
    assert (timeline.run.outcome, timeline.waits, timeline.revision) == ("succeeded", "", "")


def test_a_match_that_had_to_wait(tmp_path: Path) -> None:
    """For an arm or for quiet: the latest event before it was admitted."""
    story = [trace(5, "trigger", "admitted", "GO by anna")]
    timeline = told(tmp_path, event(0, x=0), event(1, x=1), Batch(runs=[ENDED], traces=story))
    assert lines(timeline)[0] == (1.0, "", "event", "GO")
    assert timeline.entries[0].values == {"x": 1}


def test_an_on_limit(tmp_path: Path) -> None:
    """The event that the limit refused, the refusal, then what the handler did."""
    refused = Trace(AT, "p", "web-1", "trigger", "limited", "3 per 1h", "", {"event": "GO"})
    other = Trace(AT, "p", "web-1", "trigger", "silenced", "s-1", "", {"event": "STOP"})
    story = [other, refused, refused, trace(0, "on_limit/0", "begun", "publish")]
    handler = msgspec.structs.replace(ENDED, body=b"on_limit", admitted=AT, started=AT)
    timeline = told(tmp_path, event(0, x=1), Batch(runs=[handler], traces=story))
    assert lines(timeline) == [
        (0.0, "", "event", "GO"),
        (0.0, "trigger", "limited", "3 per 1h"),
        (0.0, "on_limit/0", "begun", "publish"),
    ]
    assert timeline.run.stands == "on_limit: succeeded"


def test_an_on_limit_of_which_only_its_end_is_known(tmp_path: Path) -> None:
    """What is not there is not told."""
    handler = msgspec.structs.replace(ENDED, body=b"on_limit", admitted=None)
    assert told(tmp_path, Batch(runs=[handler])).entries == []


@pytest.mark.parametrize(
    "batches",
    [
        pytest.param([Batch(traces=[trace(0, "trigger", "admitted", "GO")])], id="no such event"),
        pytest.param([event(0)], id="no admission"),
        pytest.param(
            [
                Batch(traces=[trace(0, "trigger", "admitted", "GO")]),
                Batch(inputs=[msgspec.structs.replace(event(0).inputs[0], body=b"?")]),
            ],
            id="an event of another version",
        ),
    ],
)
def test_a_run_whose_event_is_not_known(tmp_path: Path, batches: list[Batch]) -> None:
    """The rest is told all the same."""
    timeline = told(tmp_path, *batches, Batch(runs=[ENDED]))
    assert "event" not in [entry.what for entry in timeline.entries]


def test_a_run_that_is_open(tmp_path: Path) -> None:
    """It is kept whole: its event, its key, its revision, and what it waits for."""
    row = RunRow("r-1", "p", "web-1", "running", started=AT, admitted=AT, body=b"run")
    kept = Keep("run", "r-1", msgspec.json.encode(RUN))
    timeline = told(tmp_path, Batch(runs=[row], keeps=[kept]))
    assert lines(timeline) == [(0.0, "", "event", "GO")]
    assert timeline.entries[0].values == {"a": 1}
    assert (timeline.key, timeline.revision) == ("web-1/disk0", "rev")
    assert timeline.waits == "running; the run has until 2027-01-15T09:00:00Z"


def test_a_time_without_reactor_stands_in_the_time_line(tmp_path: Path) -> None:
    """Of a run that it cut in two: a delay of a minute took an hour. Earlier and later ones not."""
    starts = [rulebook_row(AT + after, [], EngineConfig(), starts=True) for after in (-90, 5, 20)]
    stops = [stopped_row(AT + after) for after in (-99, 2, 15)]
    rows = [row for pair in zip(stops, starts, strict=True) for row in pair]
    rows.insert(2, event(0).inputs[0])
    story = [trace(0, "trigger", "admitted", "GO"), trace(2, "steps/0", "begun", "delay")]
    timeline = told(tmp_path, Batch(inputs=rows), Batch(runs=[ENDED], traces=story))
    assert lines(timeline)[1:] == [
        (0.0, "trigger", "admitted", "GO"),
        (2.0, "steps/0", "begun", "delay"),
        (
            *(2.0, "", "away"),
            "reactor did not run from 2027-01-15T08:00:02Z to 2027-01-15T08:00:05Z: it was stopped",
        ),
    ]


@pytest.mark.parametrize(
    ("kept", "waits_"),
    [
        pytest.param(True, "; running; the run has until 2027-01-15T09:00:00Z", id="kept whole"),
        pytest.param(False, "", id="kept by another version"),
    ],
)
def test_without_reactor_an_open_run_stands_still(tmp_path: Path, kept: bool, waits_: str) -> None:
    """Whatever it waits for, nobody goes on with it; one that has ended has nothing to wait for."""
    row = RunRow("r-1", "p", "web-1", "running", started=AT, admitted=AT, body=b"run")
    keep = Keep("run", "r-1", msgspec.json.encode(RUN) if kept else b"{}")
    told(tmp_path, Batch(runs=[row], keeps=[keep]))
    down = Absence(AT + 5, None, stopped=False)
    reader = Reader(tmp_path / "journal.db")
    try:
        timeline = read_timeline(reader, "r-1", down)
    finally:
        reader.close()
    assert timeline is not None
    assert lines(timeline)[-1] == (5.0, "", "away", down.sentence)
    assert timeline.waits == (
        "it stands still: the daemon does not run, and goes on with it when it is started" + waits_
    )


def test_a_run_that_another_version_kept(tmp_path: Path) -> None:
    """Only what that version kept of itself is missing."""
    row = RunRow("r-1", "p", "web-1", "running", started=AT, admitted=AT, body=b"on_limit")
    timeline = told(tmp_path, Batch(runs=[row], keeps=[Keep("run", "r-1", b'{"id": 7}')]))
    assert (timeline.run.role, timeline.waits) == ("on_limit", "")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"phase": Phase.WAITING_TURN}, "waiting for its turn", id="turn"),
        pytest.param(
            {"phase": Phase.WAITING_APPROVAL, "ask": "may I?"},
            "waiting for an operator's approval; `reactor approve r-1` answers it (may I?)",
            id="approval",
        ),
        pytest.param(
            {"cursor": Cursor(attempt=2, deadline=AT + 60), "deadline": None},
            "running; attempt 2; the step has until 2027-01-15T08:01:00Z",
            id="a step that is tried again",
        ),
        pytest.param(
            {"cancelled": "cancelled by anna", "deadline": None},
            "running; it ends as soon as its command in flight is answered: cancelled by anna",
            id="cancelled",
        ),
    ],
)
def test_what_an_open_run_waits_for(changes: dict[str, object], text: str) -> None:
    """In one sentence."""
    assert waits(msgspec.structs.replace(RUN, **changes)) == text


@pytest.mark.parametrize(
    ("entries", "limit", "text"),
    [
        pytest.param(
            [Entry(AT, "steps/1", "begun", "delay"), Entry(AT, "", "command", "stop: done")],
            AT + 60,
            "steps/1 delay, until 2027-01-15T08:01:00Z at most",
            id="a delay",
        ),
        pytest.param(
            [Entry(AT, "steps/1", "waiting", "the monitor is away")],
            None,
            "steps/1: the monitor is away",
            id="it waits for somebody else",
        ),
        pytest.param([Entry(AT, "steps/1", "done")], None, "", id="between two steps"),
        pytest.param([Entry(AT, "", "event", "GO")], None, "", id="before its first step"),
    ],
)
def test_the_step_where_an_open_run_stands(
    entries: list[Entry], limit: float | None, text: str
) -> None:
    """What it does there, why it waits, and until when."""
    cursor = Cursor(limit=limit)
    run = msgspec.structs.replace(RUN, cursor=cursor, deadline=None)
    assert waits(run, entries) == "; ".join(filter(None, ("running", text)))
