"""What retention takes away, what it spares, and that nobody waits for it."""

from pathlib import Path

import pytest

from reactor.adapters.journal import (
    GONE,
    Batch,
    Bounds,
    InputRow,
    IntentRow,
    Journal,
    Limits,
    Loaded,
    OutboxRow,
    OutcomeRow,
    Reader,
    RunRow,
)
from reactor.adapters.journal.care import Care, Pace
from reactor.adapters.journal.schema import open_for_writing
from reactor.core.effect import Keep, Trace
from tests.adapters.journal.support import connected, until

pytestmark = pytest.mark.asyncio

DAY = 86_400.0
NOW = 2_000 * DAY
FAST = Pace(every_s=0.02, pause_s=0.0, rest=0.0)


def stands(kind: str, body: bytes) -> str:
    """As the daemon says it, for rows that are made up."""
    return GONE if body == b"forgotten" else kind


def waits(run: bytes) -> bool:
    """What is kept of a run says whether it waits."""
    return b"waits" in run


def limits(keep_days: float | None = 90, size: int | None = None, pace: Pace = FAST) -> Limits:
    """A journal that is swept all the time."""
    keep = None if keep_days is None else keep_days * DAY
    bounds = Bounds(keep, size, ("policies", "guest", "monitor"), stands, waits)
    return Limits(bounds=bounds, pace=pace)


class Clock:
    """Days of age become times; the present can be moved on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


def ago(days: float) -> float:
    """The time so many days before the present."""
    return NOW - days * DAY


def event(days: float, name: str = "RESET") -> InputRow:
    """An event of so many days ago."""
    return InputRow(ago(days), "g", "event", name, b"{}")


def trace(days: float, run: str = "") -> Trace:
    """A trace of so many days ago."""
    return Trace(ago(days), "p", "g", "steps/0", "begun", run=run)


def run(name: str, admitted: float, ended: float | None) -> RunRow:
    """A run between two ages."""
    end = None if ended is None else ago(ended)
    return RunRow(name, "p", "g", "ended", admitted=ago(admitted), ended=end)


async def fill(path: Path, *batches: Batch) -> None:
    """A journal of everything that is given, closed again; nothing is removed."""
    journal = Journal.open(path, now=Clock())
    for each in batches:
        await journal.commit(each)
    await journal.close()


def swept(path: Path, bounds: Limits, now: float = NOW) -> Care:
    """One whole sweep, as the writer's thread does it."""
    opened = open_for_writing(path, now=now, check_s=10.0)
    care = Care(opened.connection, bounds.bounds, Pace(pause_s=0.0, rest=0.0), lambda: now)
    care.step()
    while care.due_s() < 1.0:
        care.step()
    opened.connection.close()
    return care


def rows(path: Path, query: str) -> list[object]:
    """The first column of what the file holds."""
    with connected(path) as connection:
        return [first for first, *_ in connection.execute(query).fetchall()]


def size(path: Path) -> int:
    """The file alone."""
    return path.stat().st_size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "journal.db"


async def test_history_goes_by_its_age(path: Path) -> None:
    """Before the bound it goes; at it and after it, and the newest row in any case, it stays."""
    await fill(path, Batch(inputs=[event(91, "A"), event(90, "B"), event(89, "C")]))
    swept(path, limits())
    assert rows(path, "SELECT name FROM history") == ["B", "C"]
    swept(path, limits(), NOW + 1000 * DAY)
    assert rows(path, "SELECT name FROM history") == ["C"]


async def test_how_things_stood_stays(path: Path) -> None:
    """The last row of each guest and kind, and nothing of a guest that was forgotten."""

    def row(days: float, guest: str, kind: str, name: str, body: bytes = b"") -> InputRow:
        return InputRow(ago(days), guest, kind, name, body)

    history = [
        row(200, "", "policies", "old policies"),
        row(199, "g", "guest", "g known"),
        row(198, "h", "guest", "h known"),
        row(197, "g", "monitor", "g connected"),
        row(196, "h", "monitor", "h connected"),
        row(195, "", "policies", "new policies"),
        row(194, "h", "guest", "h forgotten", b"forgotten"),
        row(100, "g", "monitor", "g connected again"),
        row(99, "g", "event", "an event"),
        row(10, "g", "guest", "g known again"),
        row(9, "g", "event", "the newest"),
    ]
    await fill(path, Batch(inputs=history))
    for now in (ago(90), NOW, NOW):
        swept(path, limits(), now)
    assert rows(path, "SELECT name FROM history ORDER BY seq") == [
        *("g known", "new policies", "g connected again", "g known again", "the newest"),
    ]
    swept(path, limits(), NOW + 85 * DAY)
    assert rows(path, "SELECT name FROM history ORDER BY seq") == [
        *("new policies", "g connected again", "g known again", "the newest"),
    ]
    reader = Reader(path)
    assert reader.counts()["history"] == 4
    assert reader.figures().oldest == ago(9)
    assert reader.figures().removed == {"history": 7}
    assert reader.figures().removed_at == NOW + 85 * DAY
    reader.close()


async def test_runs_go_as_a_whole(path: Path) -> None:
    """Traces and commands of a run stay until its end is old; those of an open run for ever."""
    names = {"over": (200, 91), "lasted": (200, 89), "open": (200, None), "newest": (1, 1)}
    batch = Batch(
        runs=[run(name, begin, end) for name, (begin, end) in names.items()],
        traces=[trace(200, name) for name in names for _ in range(50)] + [trace(200), trace(1)],
        intents=[IntentRow(f"{n}-1", ago(200), "g", "cont", b"", n) for n in names]
        + [IntentRow("lone", ago(200), "g", "stop", b""), IntentRow("z", ago(1), "g", "c", b"")],
        outcomes=[OutcomeRow(f"{name}-1", ago(200), "done") for name in names],
    )
    await fill(path, batch)
    swept(path, limits())
    left = ["lasted", "open", "newest"]
    assert rows(path, "SELECT id FROM run ORDER BY seq") == left
    traced = rows(path, "SELECT run FROM trace ORDER BY seq")
    assert traced == [name for name in left for _ in range(50)] + [""]
    assert rows(path, "SELECT id FROM intent ORDER BY rowid") == [f"{n}-1" for n in left] + ["z"]
    reader = Reader(path)
    assert reader.counts()["traces"] == 151
    reader.close()


async def test_history_since_a_command_in_doubt_stays(path: Path) -> None:
    """What came behind a command whose end an open run waits for may say what became of it."""
    await fill(path, in_doubt("open", b"{waits}"))
    swept(path, limits())
    assert rows(path, "SELECT name FROM history") == ["B", "C", "D"]
    await fill(path, Batch(outcomes=[OutcomeRow("open-1", NOW, "done")]))
    swept(path, limits())
    assert rows(path, "SELECT name FROM history") == ["D"]


def in_doubt(key: str, kept: bytes) -> Batch:
    """A run that is open, of whose command no end is written, and what is kept under this key."""
    return Batch(
        inputs=[event(201, "A"), event(200, "B"), event(199, "C"), event(1, "D")],
        runs=[run("open", 200, None)],
        intents=[IntentRow("open-1", ago(200), "g", "system_reset", b"", "open")],
        keeps=[Keep("run", key, kept)],
    )


@pytest.mark.parametrize(
    ("key", "kept", "left"),
    [
        pytest.param("open", b"{waits}", ["B", "C", "D"], id="it waits for it"),
        pytest.param("open", b"{}", ["D"], id="it has gone on since"),
        pytest.param("b", b'{"root":"open",waits}', ["B", "C", "D"], id="a branch of it waits"),
        pytest.param("b", b'{"root":"other",waits}', ["D"], id="a branch of another run waits"),
    ],
)
async def test_a_run_that_is_open_for_weeks_holds_up_nothing(
    path: Path, key: str, kept: bytes, left: list[str]
) -> None:
    """Of a command whose reply was lost in a crash no end is ever written."""
    await fill(path, in_doubt(key, kept))
    swept(path, limits())
    assert rows(path, "SELECT name FROM history") == left


async def test_state_and_outbox_stay(path: Path) -> None:
    """However old they are: they are no history."""
    keeps = [Keep("mark", "g/disk/0", b"{}"), Keep("ledger", "r-1", b"{}")]
    await fill(
        path, Batch(inputs=[event(500), event(400)], keeps=keeps, messages=[OutboxRow("t", b"p")])
    )
    swept(path, limits(1, 1), NOW + 1000 * DAY)
    assert rows(path, "SELECT kind FROM state") == ["ledger", "mark"]
    assert rows(path, "SELECT topic FROM outbox") == ["t"]


async def test_texts_stay_while_anything_needs_them(path: Path) -> None:
    """In force at any time that is kept, named by state, or the newest of all."""
    await fill(
        path,
        Batch(
            revisions=[(name, name[0], "text") for name in ("p1", "p2", "p3", "q1", "r1", "z9")],
            keeps=[Keep("run", "open", b'{"revision":"q1"}')],
            loaded=Loaded(ago(300), {"p": "p1", "q": "q1", "r": "r1"}),
        ),
        Batch(loaded=Loaded(ago(200), {"p": "p2"})),
        Batch(loaded=Loaded(ago(10), {"p": "p3"})),
    )
    swept(path, limits())
    assert rows(path, "SELECT revision FROM revision ORDER BY rowid") == ["p2", "p3", "q1", "z9"]
    assert rows(path, "SELECT revision FROM loaded ORDER BY policy, at") == ["p2", "p3"]
    reader = Reader(path)
    assert reader.in_force("p", ago(80)) == (ago(200), "p2")
    reader.close()


async def test_texts_of_unknown_times_stay(path: Path) -> None:
    """A journal of version 1 did not keep what was in force when."""
    await fill(path, Batch(revisions=[("p1", "p", ""), ("p2", "p", "")]))
    swept(path, limits())
    assert rows(path, "SELECT revision FROM revision") == ["p1", "p2"]


async def test_a_journal_that_is_too_large_loses_its_oldest_part(path: Path) -> None:
    """However young it is, and the file itself gets smaller; what is needed stays and is told."""
    big = [InputRow(ago(9), "g", "event", "OLD", b"x" * 4000) for _ in range(2000)]
    new = [InputRow(ago(1), "g", "event", "NEW", b"x" * 4000) for _ in range(500)]
    await fill(path, Batch(inputs=big), Batch(inputs=new))
    before = size(path)
    care = swept(path, limits(None, 4 << 20))
    names = rows(path, "SELECT name FROM history")
    assert 400 <= names.count("NEW") == len(names) - names.count("OLD")
    assert len(names) * 4000 <= 4 << 20
    assert size(path) < before / 2
    assert care.trouble == ""
    care = swept(path, limits(None, 20_000))
    assert care.trouble == "it is larger than 'journal.max' by what is still needed"
    assert len(rows(path, "SELECT name FROM history")) == 1


async def test_numbers_never_come_back(path: Path) -> None:
    """Who follows the journal by numbers misses nothing after all of it was removed."""
    intents = [IntentRow(str(n), ago(500), "g", "stop", b"") for n in range(5)]
    await fill(path, Batch(inputs=[event(500)] * 5, traces=[trace(500)] * 5, intents=intents))
    swept(path, limits(), NOW + 1000 * DAY)
    await fill(path, Batch(inputs=[event(0)], intents=[IntentRow("new", NOW, "g", "cont", b"")]))
    reader = Reader(path)
    assert reader.last() == 6
    assert [number for number, _ in reader.deeds(4, 10)] == [5, 6]
    reader.close()


async def test_the_daemon_sweeps_beside_its_commits(path: Path) -> None:
    """By itself, soon after the start and again when something has become old."""
    await fill(path, Batch(inputs=[event(91, "A"), event(10, "B"), event(9, "C")]))
    clock = Clock()
    journal = Journal.open(path, now=clock, limits=limits())
    try:
        await until(lambda: journal.reader.counts()["history"] == 2)
        clock.now += 81 * DAY
        await until(lambda: journal.reader.counts()["history"] == 1)
        assert journal.statistics().care_trouble == ""
    finally:
        await journal.close()


async def test_a_sweep_that_fails_is_told_and_tried_again(path: Path) -> None:
    """Commits go on meanwhile."""
    await fill(path, Batch(inputs=[event(91), event(10), event(9)]))
    opened = open_for_writing(path, now=NOW, check_s=1.0)
    pace = Pace(every_s=0.0, pause_s=0.0, rest=0.0)
    care = Care(opened.connection, limits().bounds, pace, Clock())
    opened.connection.execute("PRAGMA query_only = ON")
    care.step()
    assert care.trouble == "old rows cannot be removed: attempt to write a readonly database"
    assert not opened.connection.in_transaction
    opened.connection.execute("PRAGMA query_only = OFF")

    def mended() -> bool:
        care.step()
        return not care.trouble

    await until(mended)
    opened.connection.close()
    assert len(rows(path, "SELECT name FROM history")) == 2


async def test_commits_do_not_wait_for_a_sweep(path: Path) -> None:
    """A sweep over 20,000 rows is cut into slices; commits come in between."""
    old = [InputRow(ago(500), "g", "event", "OLD", b"x" * 500) for _ in range(20_000)]
    await fill(path, Batch(inputs=old, traces=[trace(500) for _ in range(2_000)]))
    journal = Journal.open(path, now=Clock(), limits=limits(pace=Pace(rest=1.0)))
    between = 0
    try:
        while (left := journal.reader.counts()["history"]) > 1000:
            await journal.commit(Batch(inputs=[event(0)]))
            between += journal.reader.counts()["history"] < 20_000 and left > 2000
    finally:
        await journal.close()
    assert between >= 10


@pytest.mark.parametrize(
    ("took", "before", "after"),
    [
        pytest.param(0.1, 64, 32, id="too long: half"),
        pytest.param(0.1, 16, 16, id="not below the least"),
        pytest.param(0.0, 64, 128, id="short: twice"),
        pytest.param(0.0, 2048, 2048, id="not beyond the most"),
        pytest.param(0.002, 64, 64, id="as it should be"),
    ],
)
async def test_slices_follow_the_disk(path: Path, took: float, before: int, after: int) -> None:
    """A slow one gets small slices, a fast one large ones."""
    opened = open_for_writing(path, now=NOW, check_s=1.0)
    care = Care(opened.connection, Bounds(), Pace(), Clock())
    care._retention.rows = before  # noqa: SLF001 - the subject
    care._adjust(took)  # noqa: SLF001 - the subject
    assert care._retention.rows == after  # noqa: SLF001 - the subject
    opened.connection.close()
