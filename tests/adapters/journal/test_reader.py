"""Reading: pages, filters, followers, counts, beside a writer and without one."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from reactor.adapters.journal import Batch, IntentRow, OutboxRow, OutcomeRow, Reader, RunRow
from reactor.core.effect import Keep, Trace
from reactor.errors import JournalError
from tests.adapters.journal.support import connected, opened, row, until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "journal.db"


@pytest.mark.parametrize(
    ("after", "limit", "filters", "seqs"),
    [
        pytest.param(0, 10, {}, [1, 2, 3, 4], id="all"),
        pytest.param(2, 10, {}, [3, 4], id="after a number"),
        pytest.param(4, 10, {}, [], id="after the last one"),
        pytest.param(0, 3, {}, [1, 2, 3], id="a page"),
        pytest.param(0, 10, {"guest": "web-1"}, [1, 3], id="of a guest"),
        pytest.param(0, 10, {"name": "STOP"}, [3, 4], id="of a name"),
        pytest.param(0, 10, {"guest": "web-1", "name": "STOP"}, [3], id="of both"),
        pytest.param(1, 1, {"guest": "web-1"}, [3], id="the limit counts what matches"),
        pytest.param(0, 10, {"guest": "' OR 1 --"}, [], id="a guest's name is never SQL"),
    ],
)
async def test_history_answers_what_was_asked(
    path: Path, after: int, limit: int, filters: dict[str, Any], seqs: list[int]
) -> None:
    """In the order of arrival."""
    async with opened(path) as journal:
        await journal.commit(
            Batch(
                inputs=[
                    row(1, guest="web-1", name="RESET"),
                    row(2, guest="web-2", name="RESET"),
                    row(3, guest="web-1", name="STOP"),
                    row(4, guest="web-2", name="STOP"),
                ]
            )
        )
        rows = await journal.ask(Reader.history, after, limit, **filters)
        assert [each.seq for each in rows] == seqs


async def test_a_follower_sees_each_row_once(path: Path) -> None:
    """Polling by number, from another connection, while rows are being committed."""
    seen: list[float] = []
    async with opened(path) as journal:
        reader = Reader(path)
        assert reader.last() == 0
        writer = asyncio.gather(*(journal.commit(Batch(inputs=[row(n)])) for n in range(50)))
        after = 0
        while len(seen) < 50:
            async with asyncio.timeout(10):
                rows = await asyncio.to_thread(reader.history, after, 7)
            seen += [each.at for each in rows]
            after = rows[-1].seq if rows else after
        await writer
        assert reader.last() == after == 50
        reader.close()
    assert seen == [float(n) for n in range(50)]


async def test_traces_are_a_runs_own(path: Path) -> None:
    """In order, with their values; near misses belong to no run and are not given for one."""
    values = {"s": "x", "n": 1, "f": 0.1, "none": None, "list": [1, {"a": True}]}
    mine = [
        Trace(1.0, "p", "g", "steps/0", "done", "first", "r-1", values),
        Trace(1.0, "p", "g", "steps/1", "failed", run="r-1"),
    ]
    async with opened(path) as journal:
        await journal.commit(Batch(traces=[mine[0], Trace(1.0, "p", "g", "if", "no", run="r-2")]))
        await journal.commit(Batch(traces=[Trace(1.0, "p", "g", "where", "no"), mine[1]]))
        assert [(each.seq, each.trace) for each in journal.reader.traces("r-1")] == [
            (1, mine[0]),
            (4, mine[1]),
        ]
        assert journal.reader.traces("") == []


async def test_counts_count_every_kind(path: Path) -> None:
    """Zero in a new journal; intents only while they are open."""
    async with opened(path) as journal:
        assert journal.reader.counts() == dict.fromkeys(
            ["history", "traces", "runs", "state", "intents_open", "outbox", "revisions"], 0
        )
        intents = [IntentRow(f"i-{n}", 1.0, "g", "cont", b"") for n in range(6)]
        await journal.commit(
            Batch(
                inputs=[row(n) for n in range(1)],
                traces=[Trace(1.0, "p", "g", "x", "done")] * 2,
                runs=[RunRow(f"r-{n}", "p", "g", "running") for n in range(3)],
                keeps=[Keep("k", f"{n}", b"") for n in range(4)],
                intents=intents,
                outcomes=[OutcomeRow("i-0", 1.0, "done")],
                messages=[OutboxRow("t", b"")] * 6,
                revisions=[(f"{n}", "p", "") for n in range(7)],
            )
        )
        assert journal.reader.counts() == {
            "history": 1,
            "traces": 2,
            "runs": 3,
            "state": 4,
            "intents_open": 5,
            "outbox": 6,
            "revisions": 7,
        }
    with connected(path) as connection:
        connection.execute("DELETE FROM trace WHERE seq = 1")
    reader = Reader(path)
    assert reader.counts()["traces"] == 1
    reader.close()


async def test_a_stopped_daemons_journal_can_be_read(path: Path) -> None:
    """Also by way of a name with characters that mean something in an address."""
    odd = path.with_name("a b?%23#c.db")
    async with opened(odd) as journal:
        await journal.commit(Batch(inputs=[row(1)], keeps=[Keep("k", "1", b"v")]))
    reader = Reader(odd)
    assert [each.at for each in reader.history(0, 10)] == [1.0]
    assert reader.state() == [("k", "1", b"v")]
    assert reader.identity() == journal.identity
    reader.close()
    assert stat.S_IMODE(odd.stat().st_mode) == 0o600


async def test_a_long_question_ends_when_the_journal_closes(path: Path) -> None:
    """Close does not wait for it, and who asked is told why there is no answer."""
    endless = (
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )
    async with opened(path) as journal:
        reader = Reader(path)
        question = asyncio.create_task(asyncio.to_thread(reader._ask, endless))  # noqa: SLF001 - no public question is that long
        await until(reader._lock.locked)  # noqa: SLF001 - it is being asked
        reader.close(within_s=0.0)
        assert not question.done()
        reader._closed = False  # noqa: SLF001 - a second try, as the first one gave up
        await asyncio.to_thread(reader.close)
        with pytest.raises(JournalError) as caught:
            await question
        assert str(caught.value) == (
            f"{path}: the journal is closed\n  fix: start the daemon again to use it"
        )
        assert journal.healthy


async def test_the_queries_of_a_start_use_their_indexes(path: Path) -> None:
    """Open intents, traces of a run and the outbox's victims never read whole tables."""
    async with opened(path):
        pass
    queries = [
        "SELECT id FROM intent WHERE outcome IS NULL ORDER BY at, id",
        "SELECT path FROM trace WHERE run = 'r' AND run <> '' ORDER BY seq",
        "SELECT seq FROM outbox WHERE passing = 1 ORDER BY expires LIMIT 1",
        "DELETE FROM outbox WHERE passing = 1 AND expires <= 1",
        "DELETE FROM outbox WHERE retain = 1 AND topic = 't'",
        "DELETE FROM state WHERE kind = 'k' AND key IN ('a', 'b')",
    ]
    with connected(path) as connection:
        plans = [
            str(connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchone()[3])
            for query in queries
        ]
    assert [plan.split("USING ")[-1] for plan in plans] == [
        "INDEX intent_open",
        "INDEX trace_run (run=?)",
        "INDEX outbox_passing",
        "INDEX outbox_passing (expires<?)",
        "INDEX outbox_retained (topic=?)",
        "PRIMARY KEY (kind=? AND key=?)",
    ]
