"""Commits: durable, in order, merged, and each responsible for its own rows only."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import uvloop

from reactor.adapters.journal import (
    Batch,
    InputRow,
    IntentRow,
    Journal,
    Limits,
    OutboxRow,
    OutcomeRow,
    Reader,
    RunRow,
)
from reactor.core.effect import Keep, Trace
from reactor.errors import JournalError
from tests.adapters.journal.support import (
    batch,
    connected,
    locked,
    now,
    numbers,
    opened,
    row,
    stuck,
    until,
)

Main = Callable[[Coroutine[object, object, None]], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "journal.db"


@pytest.mark.asyncio
async def test_a_batch_is_there_after_its_commit_for_every_kind_of_row(path: Path) -> None:
    """Inputs, keeps, traces, intents, outcomes, messages, runs and revisions are read back."""
    trace = Trace(1.0, "p", "g", "steps/0", "done", "it is so", "r-1", {"a": [1, None, "x"]})
    run = RunRow("r-1", "p", "g", "running", "", "", 1.5, None, 1.25, b"\x00body")
    async with opened(path) as journal:
        await journal.commit(
            Batch(
                inputs=[InputRow(0.1, "g", "event", "RESET", b"\xff\x00")],
                keeps=[Keep("run", "r-1", b"\x00snapshot")],
                traces=[trace],
                intents=[
                    IntentRow("i-1", 2.0, "g", "cont", b"{}", "r-1"),
                    IntentRow("i-2", 1.0, "g", "stop", b"[]"),
                    IntentRow("i-3", 3.0, "g", "stop", b"[]"),
                ],
                outcomes=[OutcomeRow("i-1", 4.0, "done", b"{}"), OutcomeRow("i-9", 4.0, "done")],
                messages=[OutboxRow("t", b"m")],
                runs=[run],
                revisions=[("a1", "p", "policy: p")],
            )
        )
        reader = journal.reader
        (history,) = reader.history(0, 10)
        assert (history.seq, history.at, history.guest) == (1, 0.1, "g")
        assert (history.kind, history.name, history.body) == ("event", "RESET", b"\xff\x00")
        assert reader.state() == [("run", "r-1", b"\x00snapshot")]
        assert [(kept.seq, kept.trace) for kept in reader.traces("r-1")] == [(1, trace)]
        assert [intent.id for intent in reader.open_intents()] == ["i-2", "i-3"]
        assert reader.open_intents()[0] == IntentRow("i-2", 1.0, "g", "stop", b"[]")
        assert reader.outcome("i-1") == ("done", b"{}")
        assert reader.outcome("i-2") is None
        assert reader.runs(10) == [run]
        assert reader.run("r-1") == run
        assert reader.revision("a1") == ("a1", "p", "policy: p")
        assert [message.topic for message in reader.outbox(0, 10)] == ["t"]


@pytest.mark.parametrize("number", [51, 111, 512, 513, 1100])
@pytest.mark.asyncio
async def test_so_many_rows_of_each_kind_arrive(path: Path, number: int) -> None:
    """At most 512 in a statement, which may have room for more: none is lost, none made up."""
    many = range(number)
    async with opened(path) as journal:
        await journal.commit(
            Batch(
                inputs=[row(n) for n in many],
                keeps=[Keep("k", f"{n:04}", b"%d" % n) for n in many],
                intents=[IntentRow(f"i-{n}", float(n), "g", "cont", b"") for n in many],
                messages=[OutboxRow(f"t/{n}", b"") for n in many],
                runs=[RunRow(f"r-{n}", "p", "g", "running") for n in many],
            )
        )
        assert numbers(journal) == list(many)
        assert journal.reader.state() == [("k", f"{n:04}", b"%d" % n) for n in many]
        assert [m.topic for m in journal.reader.outbox(0, 2000)] == [f"t/{n}" for n in many]
        assert [run.id for run in journal.reader.runs(2000)] == [f"r-{n}" for n in many][::-1]
        ended = [OutcomeRow(f"i-{n}", 1.0, "done") for n in many if n != 50]
        gone = [Keep("k", f"{n:04}", None) for n in many if n != 50]
        await journal.commit(Batch(outcomes=ended, keeps=gone))
        assert [intent.id for intent in journal.reader.open_intents()] == ["i-50"]
        assert journal.reader.state() == [("k", "0050", b"50")]


@pytest.mark.asyncio
async def test_the_last_keep_of_a_key_wins(path: Path) -> None:
    """Within a batch and across batches, and None takes the key away."""
    async with opened(path) as journal:
        await journal.commit(
            Batch(keeps=[Keep("a", "1", b"old"), Keep("a", "1", b"new"), Keep("b", "1", b"other")])
        )
        await journal.commit(Batch(keeps=[Keep("b", "1", None), Keep("a", "2", b"x")]))
        await journal.commit(Batch(keeps=[Keep("a", "2", None), Keep("a", "2", b"again")]))
        assert journal.reader.state() == [("a", "1", b"new"), ("a", "2", b"again")]


@pytest.mark.asyncio
async def test_the_first_outcome_of_an_intent_stays(path: Path) -> None:
    """In one batch and in a later one."""
    async with opened(path) as journal:
        await journal.commit(Batch(intents=[IntentRow("i", 1.0, "g", "cont", b"")]))
        await journal.commit(
            Batch(outcomes=[OutcomeRow("i", 2.0, "done"), OutcomeRow("i", 3.0, "unknown")])
        )
        await journal.commit(Batch(outcomes=[OutcomeRow("i", 4.0, "failed")]))
        assert journal.reader.outcome("i") == ("done", b"")
    with connected(path) as connection:
        assert connection.execute("SELECT ended FROM intent").fetchall() == [(2.0,)]


@pytest.mark.asyncio
async def test_a_run_is_one_row_that_keeps_its_place(path: Path) -> None:
    """A run that is journaled again is changed, not added, and does not become the newest."""
    async with opened(path) as journal:
        await journal.commit(Batch(runs=[RunRow("r-1", "p", "g", "running")]))
        await journal.commit(Batch(runs=[RunRow("r-2", "p", "g", "running")]))
        ended = RunRow("r-1", "p", "g", "ended", "failed", "why", 1.0, 2.0, 0.5, b"b")
        await journal.commit(Batch(runs=[RunRow("r-1", "p", "g", "waiting"), ended]))
        assert journal.reader.runs(10) == [RunRow("r-2", "p", "g", "running"), ended]
        assert [run.id for run in journal.reader.runs(1)] == ["r-2"]
        assert journal.reader.run("r-3") is None


@pytest.mark.asyncio
async def test_a_revision_is_kept_as_it_was_first_given(path: Path) -> None:
    """A second text for one revision is ignored."""
    async with opened(path) as journal:
        await journal.commit(Batch(revisions=[("a1", "p", "first"), ("a1", "p", "second")]))
        await journal.commit(Batch(revisions=[("a1", "q", "third")]))
        assert journal.reader.revision("a1") == ("a1", "p", "first")
        assert journal.reader.revision("a2") is None


@pytest.mark.parametrize(
    "main", [pytest.param(asyncio.run, id="asyncio"), pytest.param(uvloop.run, id="uvloop")]
)
def test_commits_that_wait_together_are_one_transaction(path: Path, main: Main) -> None:
    """Sixty commits behind a slow one cost one fsync, and keep the order of the calls."""

    async def play() -> None:
        async with opened(path) as journal:
            with locked(path):
                first = await stuck(journal)
                rest = [asyncio.create_task(journal.commit(batch(n))) for n in range(1, 61)]
                await until(lambda: journal.statistics().commits_waiting == 60)
            await asyncio.gather(first, *rest)
            statistics = journal.statistics()
            assert (statistics.commits, statistics.transactions, statistics.synced) == (61, 2, 2)
            assert numbers(journal) == list(range(61))

    main(play())


@pytest.mark.asyncio
async def test_commits_from_two_loops_reach_their_own(path: Path) -> None:
    """A future is settled in the loop that waits for it."""
    async with opened(path) as journal:
        elsewhere = asyncio.to_thread(lambda: asyncio.run(journal.commit(batch(1))))
        await asyncio.gather(journal.commit(batch(2)), elsewhere)
        assert sorted(numbers(journal)) == [1, 2]


@pytest.mark.asyncio
async def test_a_loop_that_ended_harms_nobody(path: Path) -> None:
    """Its commit is journaled, and the next loop's commit is answered."""
    async with opened(path) as journal:

        async def leave() -> None:
            asyncio.get_running_loop().create_task(journal.commit(batch(1)))
            await asyncio.sleep(0)

        with locked(path):
            loop = asyncio.new_event_loop()
            await asyncio.to_thread(loop.run_until_complete, leave())
            await until(lambda: journal.statistics().commits_waiting == 0)
            left = asyncio.all_tasks(loop)
            loop.close()
        await journal.commit(batch(2))
        assert numbers(journal) == [1, 2]
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - no API for a task whose loop is gone


@pytest.mark.asyncio
async def test_one_batch_that_cannot_be_journaled_fails_alone(path: Path) -> None:
    """The others of its group succeed; of the bad one nothing stays; the journal is healthy."""
    bad = Batch(inputs=[row(7)], intents=[IntentRow("i", 1.0, "g", "cont", b"")])
    async with opened(path) as journal:
        await journal.commit(Batch(intents=[IntentRow("i", 0.0, "g", "cont", b"")]))
        with locked(path):
            first = await stuck(journal)
            tasks = [
                asyncio.create_task(journal.commit(each)) for each in (batch(1), bad, batch(2))
            ]
            await until(lambda: journal.statistics().commits_waiting == 3)
        await first
        one, error, two = await asyncio.gather(*tasks, return_exceptions=True)
        assert (one, two) == (None, None)
        assert isinstance(error, JournalError)
        assert str(error) == (
            f"{path}: rows that cannot be journaled "
            "(IntegrityError: UNIQUE constraint failed: intent.id)\n"
            "  fix: this is a fault of reactor: report it with this text"
        )
        assert numbers(journal) == [0, 1, 2]
        assert journal.healthy
        assert journal.statistics().commits == 4


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        pytest.param(
            Batch(inputs=[InputRow(float("nan"), "g", "event", "X", b"")]),
            "IntegrityError: NOT NULL constraint failed: history.at",
            id="a time that is no number",
        ),
        pytest.param(
            Batch(inputs=[InputRow(1.0, "\ud800", "event", "X", b"")]),
            "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 0: "
            "surrogates not allowed",
            id="text that is no Unicode",
        ),
        pytest.param(
            Batch(traces=[Trace(1.0, "p", "g", "x", "done", values={"a": object()})]),
            "TypeError: Encoding objects of type object is unsupported",
            id="a value that is not JSON",
        ),
        pytest.param(
            Batch(messages=[OutboxRow("t", b"", qos=2**70)]),
            "OverflowError: Python int too large to convert to SQLite INTEGER",
            id="a number beyond 64 bits",
        ),
    ],
)
@pytest.mark.asyncio
async def test_rows_that_sqlite_cannot_hold_are_refused(
    path: Path, bad: Batch, problem: str
) -> None:
    """The error names the reason, and the next commit is served."""
    async with opened(path) as journal:
        with pytest.raises(JournalError) as caught:
            await journal.commit(bad)
        assert str(caught.value) == (
            f"{path}: rows that cannot be journaled ({problem})\n"
            "  fix: this is a fault of reactor: report it with this text"
        )
        await journal.commit(batch(1))
        assert numbers(journal) == [1]


@pytest.mark.asyncio
async def test_a_commit_given_up_in_time_is_withdrawn(path: Path) -> None:
    """A batch whose caller was cancelled before the writer took it is not journaled."""
    async with opened(path) as journal:
        with locked(path):
            first = await stuck(journal)
            second = asyncio.create_task(journal.commit(batch(1)))
            await until(lambda: journal.statistics().commits_waiting == 1)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
        await first
        await journal.commit(batch(2))
        assert numbers(journal) == [0, 2]


@pytest.mark.asyncio
async def test_a_commit_given_up_too_late_harms_nobody(path: Path) -> None:
    """The batch that the writer had taken is journaled, the next commit served, nothing logged."""
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    async with opened(path) as journal:
        with locked(path):
            first = await stuck(journal)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        await journal.commit(batch(1))
        assert numbers(journal) == [0, 1]
        assert complaints == []


@pytest.mark.asyncio
async def test_commits_beyond_the_bound_are_refused(path: Path) -> None:
    """The third commit is refused when two may wait; the two succeed."""
    async with opened(path, Limits(commits=2)) as journal:
        with locked(path):
            first = await stuck(journal)
            tasks = [asyncio.create_task(journal.commit(batch(n))) for n in (1, 2)]
            await until(lambda: journal.statistics().commits_waiting == 2)
            with pytest.raises(JournalError) as caught:
                await journal.commit(batch(3))
        await asyncio.gather(first, *tasks)
        assert str(caught.value) == (
            f"{path}: 2 commits wait for the disk already\n"
            "  fix: look for disk errors in the kernel's log ('dmesg'), "
            "or for another program that keeps the disk busy"
        )
        assert numbers(journal) == [0, 1, 2]


@pytest.mark.asyncio
async def test_a_commit_ends_with_an_fsync_and_lazy_rows_do_not(path: Path) -> None:
    """Each COMMIT runs at the level that was promised: FULL, or NORMAL for lazy rows alone."""
    async with opened(path, Limits(lazy_s=0.0)) as journal:
        levels, told = [], ["FULL"]
        connection = journal._writer._connection  # noqa: SLF001 - what SQLite is told is the subject

        def record(statement: str) -> None:
            if statement == "COMMIT":
                levels.append(told[-1])
            elif statement.startswith("PRAGMA synchronous"):
                told.append(statement.rpartition(" ")[2])

        connection.set_trace_callback(record)
        await journal.commit(batch(1))
        journal.lazily([row(2)])
        await until(lambda: numbers(journal) == [1, 2])
        await journal.commit(batch(3))
        connection.set_trace_callback(None)
        assert levels == ["FULL", "NORMAL", "FULL"]
        assert journal.statistics().synced == 2
        assert journal.statistics().transactions == 3


@pytest.mark.asyncio
async def test_a_closed_journal_takes_nothing(path: Path) -> None:
    """Commits and questions are refused, lazy rows counted as dropped; closing twice is fine."""
    journal = Journal.open(path, now=now)
    await journal.close()
    text = f"{path}: the journal is closed\n  fix: start the daemon again to use it"
    with pytest.raises(JournalError) as caught:
        await journal.commit(batch(1))
    assert str(caught.value) == text
    with pytest.raises(JournalError) as caught:
        await journal.ask(Reader.state)
    assert str(caught.value) == text
    journal.lazily([row(1), row(2)])
    assert journal.statistics().history_dropped == 2
    await journal.close()


@pytest.mark.asyncio
async def test_what_waits_at_the_end_is_journaled(path: Path) -> None:
    """Close writes the lazy rows and what the broker has, and leaves one file in order."""
    journal = Journal.open(path, now=now)
    await journal.commit(Batch(messages=[OutboxRow("t", b"")]))
    journal.lazily([row(1), row(2)])
    journal.outbox.done([1])
    await journal.close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["journal.db", "journal.db.lock"]
    async with opened(path) as journal:
        assert numbers(journal) == [1, 2]
        assert journal.reader.outbox(0, 10) == []


@pytest.mark.asyncio
async def test_close_has_a_deadline(path: Path) -> None:
    """A disk that does not answer makes close fail in time, and nobody else can take the file."""
    journal = Journal.open(path, now=now)
    with locked(path):
        task = await stuck(journal)
        with pytest.raises(JournalError) as caught:
            await journal.close(within_s=0.05)
        with pytest.raises(JournalError, match="another reactor"):
            Journal.open(path, now=now)
    assert str(caught.value) == (
        f"{path}: the journal could not be closed within 0.05 s: the disk does not answer\n"
        "  fix: look for disk errors in the kernel's log ('dmesg'); what was not committed is lost"
    )
    await task
    await journal.close()
    async with opened(path) as journal:
        assert numbers(journal) == [0]
