"""What is told of the journal, and what is left of how things stood."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from reactor.adapters.journal import GONE, Bounds, InputRow, Journal, Limits, Reader
from reactor.adapters.journal.care import Pace
from reactor.app import upkeep
from reactor.app.records import POLICIES, STANDING, input_row, stands_for, waits_for_an_end
from reactor.app.replay import journal as lines_of
from reactor.app.settings import JournalSettings
from reactor.app.upkeep import Upkeep, limits_of
from reactor.core.event import Event
from reactor.core.inputs import (
    Connected,
    Disconnected,
    Facts,
    GuestForgotten,
    GuestKnown,
    Happened,
    Input,
)
from reactor.core.intent import Doubt
from reactor.core.run import Cursor, Origin, Run
from tests.adapters.journal.support import until

DAY = 86_400.0
NOW = 2_000 * DAY

KNOWN, FORGOTTEN = GuestKnown("g"), GuestForgotten("g")
THERE, AWAY = Connected("g", "e", Facts()), Disconnected("g", "gone")


@pytest.mark.parametrize(
    ("input_", "word"),
    [
        pytest.param(KNOWN, "guest", id="a guest is known"),
        pytest.param(FORGOTTEN, GONE, id="a guest is forgotten"),
        pytest.param(THERE, "monitor", id="a monitor comes"),
        pytest.param(AWAY, "monitor", id="a monitor goes"),
    ],
)
def test_what_a_row_stands_for(input_: Input, word: str) -> None:
    """Two rows of a guest that stand for the same replace each other."""
    row = input_row(NOW, input_)
    assert row.kind in STANDING
    assert stands_for(row.kind, row.body) == word


@pytest.mark.parametrize(
    ("cursor", "waits"),
    [
        pytest.param(Cursor(), False, id="it has gone on"),
        pytest.param(Cursor(armed=3, deadline=9.0), False, id="it waits for an event"),
        pytest.param(Cursor(sent="r-1.1"), True, id="a command is in flight"),
        pytest.param(Cursor(doubt=Doubt("lost", 1.0)), True, id="a command is in doubt"),
    ],
)
def test_what_an_open_run_waits_for(cursor: Cursor, *, waits: bool) -> None:
    """As it is kept, so that the history before it may go."""
    run = Run("r-1", "p", "rev", "g", "g", Origin(Event("GO", "g", {})), 1.0, cursor=cursor)
    assert waits_for_an_end(msgspec.json.encode(run)) is waits


def test_a_run_that_nobody_can_read_waits() -> None:
    """Another version wrote it."""
    assert waits_for_an_end(b"\xff")


def test_a_row_that_nobody_can_read_stands_for_its_kind() -> None:
    """Another version wrote it."""
    assert stands_for("guest", b"\xff") == "guest"
    assert stands_for(POLICIES, b"") == POLICIES


def test_the_bounds_are_those_of_the_settings() -> None:
    """In seconds and bytes."""
    bounds = limits_of(JournalSettings(Path("j.db"), keep=3600.0, max=1 << 30)).bounds
    assert (bounds.keep_s, bounds.max_bytes, bounds.kinds) == (3600.0, 1 << 30, STANDING)


def journal_of(path: Path, bounds: Bounds) -> Journal:
    """A journal that is swept all the time."""
    pace = Pace(every_s=0.02, pause_s=0.0, rest=0.0)
    return Journal.open(path, now=lambda: NOW, limits=Limits(bounds=bounds, pace=pace))


def write(path: Path, *inputs: tuple[float, Input]) -> None:
    """Inputs of so many days ago."""
    journal = Journal.open(path, now=lambda: NOW)
    journal.lazily([input_row(NOW - days * DAY, input_) for days, input_ in inputs])
    journal.close_now()


def event(days: float) -> tuple[float, Input]:
    """An event of so many days ago."""
    return days, Happened(Event("STOP", "g", {}, NOW - days * DAY, NOW - days * DAY))


@contextlib.asynccontextmanager
async def looking(journal: Journal) -> AsyncIterator[Upkeep]:
    """Somebody looks at the journal all the time."""
    one = Upkeep(journal)
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await journal.close()


@pytest.mark.asyncio
async def test_what_was_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the figures at every look, in the log as the sum since the last line."""
    monkeypatch.setattr(upkeep, "LOOK_S", 0.01)
    monkeypatch.setattr(upkeep, "TELL_S", 0.0)
    path = tmp_path / "journal.db"
    write(path, *(event(days) for days in (93, 92, 91, 1, 0)))
    clock = NOW - 2 * DAY
    pace = Pace(every_s=0.02, pause_s=0.0, rest=0.0)
    limits = Limits(bounds=Bounds(90 * DAY, None, STANDING, stands_for), pace=pace)
    journal = Journal.open(path, now=lambda: clock, limits=limits)
    with capture_logs() as told:
        async with looking(journal) as one:
            await until(lambda: bool((f := one.line().figures) and f.removed == {"history": 1}))
            clock = NOW
            await until(lambda: any(line.get("history") == 2 for line in told))
            figures = one.line().figures
    assert figures is not None
    assert figures.removed == {"history": 3}
    assert figures.rows["history"] == 2
    removed = [line for line in told if line["event"] == "old rows removed from the journal"]
    assert [line["history"] for line in removed][-1] == 2


@pytest.mark.asyncio
async def test_a_bound_that_cannot_be_kept_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And stands in the status as long as it is so; what the opening found is told first."""
    monkeypatch.setattr(upkeep, "LOOK_S", 0.01)
    path = tmp_path / "journal.db"
    write(path, event(1))
    journal = journal_of(path, Bounds(None, 1, STANDING, stands_for))
    journal.warnings = ("something was found",)
    trouble = "it is larger than 'journal.max' by what is still needed"
    with capture_logs() as told:
        async with looking(journal) as one:
            await until(lambda: one.line().trouble == trouble)
            await until(lambda: len(told) >= 2)
            seen = one.line().figures
            await until(lambda: one.line().figures is not seen)
    assert [line["problem"] for line in told] == ["something was found", trouble]


@pytest.mark.asyncio
async def test_a_journal_that_cannot_be_read_is_looked_at_again(tmp_path: Path) -> None:
    """The figures are unknown until then."""
    journal = Journal.open(tmp_path / "journal.db", now=lambda: NOW)
    await journal.close()
    one = Upkeep(journal)
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0)
    assert one.line().figures is None
    assert not task.done()
    task.cancel()


@pytest.mark.asyncio
async def test_what_is_left_begins_with_how_things_stood(tmp_path: Path) -> None:
    """A recording of it says so at the time where the history begins, and that it is not whole."""
    path = tmp_path / "journal.db"
    write(path, (200, KNOWN), (199, THERE), event(198), event(3), event(2))
    reader = Reader(path)
    assert lines_of.head(reader, whole=True).whole is False  # no policies stand at its beginning
    assert list(lines_of.standing(reader, reader.removed_upto())) == []
    reader.close()
    journal = journal_of(path, Bounds(90 * DAY, None, STANDING, stands_for))
    await until(lambda: journal.reader.removed_upto() == 3)
    lines = list(lines_of.standing(journal.reader, 3))
    await journal.close()
    assert [(line.at, line.input) for line in lines] == [
        (NOW - 3 * DAY, KNOWN),
        (NOW - 3 * DAY, THERE),
    ]


@pytest.mark.asyncio
async def test_a_trimmed_journal_is_not_whole(tmp_path: Path) -> None:
    """Also where its first row is still there."""
    path = tmp_path / "journal.db"
    journal = Journal.open(path, now=lambda: NOW)
    journal.lazily([InputRow(NOW - 200 * DAY, "", POLICIES, "", b"{}")])
    journal.lazily([input_row(NOW - days * DAY, KNOWN) for days in (150, 1, 0)])
    await journal.close()
    reader = Reader(path)
    assert lines_of.head(reader, whole=True).whole
    reader.close()
    journal = journal_of(path, Bounds(90 * DAY, None, STANDING, stands_for))
    await until(lambda: journal.reader.removed_upto() == 2)
    assert journal.reader.history(0, 1)[0].seq == 1
    assert not lines_of.head(journal.reader, whole=True).whole
    await journal.close()
