"""When reactor did not run: what its journal tells of its lives."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from reactor.adapters.journal import Batch, InputRow, Journal, Reader
from reactor.app.absences import Absence, absences, standing
from reactor.app.records import rulebook_row, stopped_row
from reactor.core.config import EngineConfig

AT = 1_800_000_000.0


def starts(after: float, *, loads: bool = False) -> InputRow:
    """The daemon starts, or only loads its policies anew."""
    return rulebook_row(AT + after, [], EngineConfig(), starts=not loads)


def tick(after: float) -> InputRow:
    """Something that the daemon wrote."""
    return InputRow(AT + after, "", "tick", "", b"")


def read(path: Path, *rows: InputRow) -> tuple[list[Absence], Absence | None]:
    """Those between the rows of a journal, and the one that goes on."""

    async def write() -> None:
        journal = Journal.open(path / "j.db", now=lambda: AT)
        await journal.commit(Batch(inputs=list(rows)))
        await journal.close()

    asyncio.run(write())
    reader = Reader(path / "j.db")
    try:
        return absences(reader, 0, reader.last()), standing(reader)
    finally:
        reader.close()


OTHER = msgspec.structs.replace(starts(5), body=b"{")


@pytest.mark.parametrize(
    ("rows", "found", "last"),
    [
        pytest.param([], [], None, id="an empty journal"),
        pytest.param(
            [starts(0), tick(1)], [], Absence(AT + 1, None, stopped=False), id="the first life"
        ),
        pytest.param(
            [starts(0), tick(1), starts(9)],
            [Absence(AT + 1, AT + 9, stopped=False)],
            Absence(AT + 9, None, stopped=False),
            id="killed, and started again",
        ),
        pytest.param(
            [starts(0), stopped_row(AT + 2), starts(9), stopped_row(AT + 10)],
            [Absence(AT + 2, AT + 9, stopped=True)],
            Absence(AT + 10, None, stopped=True),
            id="stopped in order, and started again",
        ),
        pytest.param(
            [starts(0), tick(1), starts(5, loads=True), OTHER],
            [],
            Absence(AT + 5, None, stopped=False),
            id="new policies are no start; what another version wrote is not guessed",
        ),
    ],
)
def test_when_there_was_no_daemon(
    tmp_path: Path, rows: list[InputRow], found: list[Absence], last: Absence | None
) -> None:
    """From the last row of one life to the first of the next."""
    assert read(tmp_path, *rows) == (found, last)


@pytest.mark.parametrize(
    ("absence", "sentence"),
    [
        pytest.param(
            Absence(AT, AT + 60, stopped=True),
            "reactor did not run from 2027-01-15T08:00:00Z to 2027-01-15T08:01:00Z: it was stopped",
            id="stopped",
        ),
        pytest.param(
            Absence(AT, AT + 60, stopped=False),
            "reactor did not run from 2027-01-15T08:00:00Z to 2027-01-15T08:01:00Z: "
            "it was killed, or its host went down",
            id="killed",
        ),
        pytest.param(
            Absence(AT, None, stopped=True),
            "no daemon runs with this journal: it was stopped at 2027-01-15T08:00:00Z",
            id="stopped, and not started",
        ),
        pytest.param(
            Absence(AT, None, stopped=False),
            "no daemon runs with this journal: the last in its journal is of 2027-01-15T08:00:00Z",
            id="killed, and not started",
        ),
    ],
)
def test_what_is_said_of_it(absence: Absence, sentence: str) -> None:
    """From when to when, and how it ended."""
    assert absence.sentence == sentence


@pytest.mark.parametrize(
    ("at", "covers"),
    [
        pytest.param(-0.1, False, id="before"),
        pytest.param(0.0, True, id="its begin"),
        pytest.param(59.9, True, id="just before the start"),
        pytest.param(60.0, False, id="the start"),
    ],
)
def test_which_times_it_covers(at: float, covers: bool) -> None:
    """From the last that was written up to the start; without one for ever."""
    assert Absence(AT, AT + 60, stopped=True).covers(AT + at) is covers
    assert Absence(AT, None, stopped=True).covers(AT + at) is (at >= 0)
