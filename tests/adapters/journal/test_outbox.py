"""The outbox: at least once, in order, bounded, with a reason for every drop."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.adapters.journal import Batch, Journal, Limits, OutboxMessage, OutboxRow
from reactor.adapters.journal.ledger import SPARE
from reactor.adapters.journal.tail import BYTES, ROWS
from reactor.errors import JournalError
from tests.adapters.journal.support import NOW, now, opened, until

NONE_DROPPED = {"expired": 0, "superseded": 0, "evicted": 0, "refused": 0, "denied": 0}


def event(topic: str, expiry_s: float = 3600.0) -> OutboxRow:
    """A message that may be lost: it expires."""
    return OutboxRow(topic, b"event", expiry_s=expiry_s)


def alert(topic: str) -> OutboxRow:
    """A message that should not be lost."""
    return OutboxRow(topic, b"alert")


def state(topic: str, payload: bytes = b"state") -> OutboxRow:
    """A retained message: only the last one counts."""
    return OutboxRow(topic, payload, retain=True)


def notice(topic: str) -> OutboxRow:
    """A message that tells of drops: it may go beyond the bound."""
    return OutboxRow(topic, b"notice", spare=True)


def loose(topic: str) -> OutboxRow:
    """A message that may be lost: qos 0, without an expiry."""
    return OutboxRow(topic, b"loose", qos=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "journal.db"


def topics(journal: Journal) -> list[str]:
    """What waits, in order."""
    return [message.topic for message in journal.reader.outbox(0, 1000)]


@pytest.mark.asyncio
async def test_a_message_comes_back_as_it_was_given(path: Path) -> None:
    """With the time of the journal's clock, every float exact, and bytes that are no text."""
    async with opened(path) as journal:
        await journal.commit(
            Batch(
                messages=[
                    OutboxRow('a/"ü\x00', b"\x00\xff", 2, retain=True, expiry_s=0.1),
                    OutboxRow("b", b"", 0, content_type="text/plain", properties={"k": "ü"}),
                ]
            )
        )
        assert await journal.outbox.pending(0, 10) == [
            OutboxMessage(1, NOW, 'a/"ü\x00', b"\x00\xff", 2, True, NOW + 0.1, "", {}),  # noqa: FBT003 - a row
            OutboxMessage(2, NOW, "b", b"", 0, False, None, "text/plain", {"k": "ü"}),  # noqa: FBT003 - a row
        ]


@pytest.mark.asyncio
async def test_pending_pages_by_number(path: Path) -> None:
    """At most so many, beyond the number given, in order."""
    async with opened(path) as journal:
        await journal.commit(Batch(messages=[alert(f"t/{n}") for n in range(1, 6)]))
        assert [m.seq for m in await journal.outbox.pending(0, 2)] == [1, 2]
        assert [m.seq for m in await journal.outbox.pending(2, 2)] == [3, 4]
        assert [m.seq for m in await journal.outbox.pending(4, 2)] == [5]
        assert await journal.outbox.pending(5, 2) == []


@pytest.mark.asyncio
async def test_what_is_done_is_gone_also_after_a_restart(path: Path) -> None:
    """Without a commit, without an fsync; unknown numbers are ignored."""
    async with opened(path) as journal:
        await journal.commit(Batch(messages=[alert(f"t/{n}") for n in range(1, 5)]))
        journal.outbox.done([1, 3, 99])
        await until(lambda: topics(journal) == ["t/2", "t/4"])
        await until(lambda: journal.outbox.counters() == {"waiting": 2, **NONE_DROPPED})
        assert journal.statistics().synced == 1
    async with opened(path) as journal:
        assert topics(journal) == ["t/2", "t/4"]
        assert journal.outbox.counters()["waiting"] == 2


@pytest.mark.asyncio
async def test_what_was_not_sent_is_counted_once_by_why(path: Path) -> None:
    """Also when it is told twice, and over restarts; what was sent is not."""
    dropped = {**NONE_DROPPED, "expired": 2, "denied": 1}
    async with opened(path) as journal:
        await journal.commit(Batch(messages=[alert(f"t/{n}") for n in range(1, 6)]))
        journal.outbox.done([1, 99])
        journal.outbox.done([2, 3], "expired")
        journal.outbox.done([4], "denied")
        await until(lambda: journal.outbox.counters() == {"waiting": 1, **dropped})
        journal.outbox.done([1, 2, 3], "expired")
        await journal.commit(Batch(messages=[alert("t/6")]))
        assert journal.outbox.counters() == {"waiting": 2, **dropped}
    async with opened(path) as journal:
        assert topics(journal) == ["t/5", "t/6"]
        assert journal.outbox.counters() == {"waiting": 2, **dropped}


@pytest.mark.asyncio
@pytest.mark.parametrize("waiting", [SPARE - 1, SPARE, SPARE + 1])
async def test_what_tells_of_drops_has_places_of_its_own(path: Path, waiting: int) -> None:
    """In an outbox that is full of what must last; those places are bounded as well."""
    async with opened(path, Limits(outbox_rows=3)) as journal:
        await journal.commit(Batch(messages=[alert("a"), alert("b"), alert("c")]))
        for number in range(waiting):
            await journal.commit(Batch(messages=[notice(f"n/{number}"), alert("d")]))
        kept = min(waiting, SPARE)
        assert topics(journal) == ["a", "b", "c", *(f"n/{n}" for n in range(kept))]
        counted = {**NONE_DROPPED, "refused": waiting + waiting - kept}
        assert journal.outbox.counters() == {"waiting": 3 + kept, **counted}


@pytest.mark.asyncio
async def test_one_goes_for_one_also_beyond_the_bound(path: Path) -> None:
    """An alert takes an event's place where a notice had none: it is not refused for that."""
    async with opened(path, Limits(outbox_rows=2)) as journal:
        await journal.commit(Batch(messages=[event("a"), event("b")]))
        await journal.commit(Batch(messages=[notice("n")]))
        await journal.commit(Batch(messages=[alert("c")]))
        assert topics(journal) == ["b", "n", "c"]
        assert journal.outbox.counters() == {"waiting": 3, **NONE_DROPPED, "evicted": 1}


@pytest.mark.asyncio
async def test_numbers_are_never_used_again(path: Path) -> None:
    """Also when the outbox was empty at the restart: a cursor would skip messages."""
    async with opened(path) as journal:
        await journal.commit(Batch(messages=[alert("t"), alert("t")]))
        journal.outbox.done([1, 2])
    async with opened(path) as journal:
        await journal.commit(Batch(messages=[alert("t")]))
        assert [m.seq for m in journal.reader.outbox(0, 10)] == [3]


@pytest.mark.asyncio
async def test_wait_returns_when_a_message_is_there(path: Path) -> None:
    """At once for one that is there already, otherwise with the commit, never for other rows."""
    async with opened(path) as journal:
        async with asyncio.timeout(5):
            waiter = asyncio.create_task(journal.outbox.wait(0))
            await journal.commit(Batch())
            assert not waiter.done()
            await journal.commit(Batch(messages=[alert("t")]))
            await waiter
            await journal.outbox.wait(0)
        second = asyncio.create_task(journal.outbox.wait(1))
        await journal.commit(Batch())
        assert not second.done()
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
    async with opened(path) as journal, asyncio.timeout(5):
        await journal.outbox.wait(0)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("held", "new", "left", "dropped"),
    [
        pytest.param(
            [alert("a"), alert("b")],
            [alert("c")],
            ["a", "b", "c"],
            {},
            id="room for one more",
        ),
        pytest.param(
            [event("a", 0.0), event("b")],
            [event("c")],
            ["a", "b", "c"],
            {},
            id="nothing gives way while there is room",
        ),
        pytest.param(
            [event("a"), event("b"), event("c")],
            [event("d"), event("e")],
            ["a", "b", "c"],
            {"refused": 2},
            id="a new event is refused",
        ),
        pytest.param(
            [event("a"), event("b"), event("c")],
            [loose("d")],
            ["a", "b", "c"],
            {"refused": 1},
            id="a new message of qos 0 is refused",
        ),
        pytest.param(
            [event("a", 20.0), event("b", 10.0), event("c", 30.0)],
            [alert("d")],
            ["a", "c", "d"],
            {"evicted": 1},
            id="an alert takes the place of the event that expires first",
        ),
        pytest.param(
            [event("a", 10.0), loose("b"), event("c", 10.0)],
            [alert("d"), alert("e")],
            ["c", "d", "e"],
            {"evicted": 2},
            id="qos 0 without an expiry goes before all events, then the oldest",
        ),
        pytest.param(
            [alert("a"), state("s"), event("c")],
            [state("s", b"new")],
            ["a", "c", "s"],
            {"superseded": 1},
            id="a retained message takes the place of its topic's",
        ),
        pytest.param(
            [state("s"), state("s"), event("c")],
            [state("s"), state("s")],
            ["c", "s", "s"],
            {"superseded": 2},
            id="all of its topic's are replaced by one",
        ),
        pytest.param(
            [alert("a"), event("b"), alert("c")],
            [state("s")],
            ["a", "c", "s"],
            {"evicted": 1},
            id="a retained message of another topic takes an event's place",
        ),
        pytest.param(
            [alert("a"), alert("b"), state("c")],
            [alert("d"), state("e"), event("f")],
            ["a", "b", "c"],
            {"refused": 3},
            id="nothing is dropped for others when all that waits should last",
        ),
        pytest.param(
            [event("a", 0.0), event("b", 0.0), event("c")],
            [event("d"), event("e"), event("f")],
            ["c", "d", "e"],
            {"expired": 2, "refused": 1},
            id="what has expired makes room first, exactly at its time",
        ),
        pytest.param(
            [event("a", 0.0), alert("b"), alert("c")],
            [alert("d")],
            ["b", "c", "d"],
            {"expired": 1},
            id="the expired are not counted as evicted",
        ),
        pytest.param(
            [OutboxRow("a", b"", retain=True, expiry_s=0.0), alert("b"), alert("c")],
            [alert("d")],
            ["a", "b", "c"],
            {"refused": 1},
            id="a retained message never counts as expired",
        ),
    ],
)
async def test_a_full_outbox_drops_by_the_rules(
    path: Path,
    held: list[OutboxRow],
    new: list[OutboxRow],
    left: list[str],
    dropped: dict[str, int],
) -> None:
    """Three messages fit; what gives way, what is refused and the counters are as stated."""
    async with opened(path, Limits(outbox_rows=3)) as journal:
        await journal.commit(Batch(messages=held))
        await journal.commit(Batch(messages=new))
        assert topics(journal) == left
        expected = {"waiting": 3, **NONE_DROPPED, **dropped}
        assert journal.outbox.counters() == expected
    async with opened(path, Limits(outbox_rows=3)) as journal:
        assert journal.outbox.counters() == expected
        stored = {f"outbox.{name}": expected[name] for name in NONE_DROPPED}
        assert journal.reader.counters() == (stored if dropped else {})


@pytest.mark.asyncio
async def test_the_newest_retained_message_is_the_one_that_stays(path: Path) -> None:
    """After a replacement the payload is the new one's."""
    async with opened(path, Limits(outbox_rows=2)) as journal:
        await journal.commit(Batch(messages=[state("s", b"old"), alert("a")]))
        await journal.commit(Batch(messages=[state("s", b"new")]))
        assert [m.payload for m in journal.reader.outbox(0, 10)] == [b"alert", b"new"]


@pytest.mark.asyncio
async def test_a_batch_that_fails_leaves_the_outbox_as_it_was(path: Path) -> None:
    """The event that had to make room is still there, and nothing is counted."""
    bad = OutboxRow("t", b"", qos=2**70)
    async with opened(path, Limits(outbox_rows=2)) as journal:
        await journal.commit(Batch(messages=[event("a")]))
        with pytest.raises(JournalError):
            await journal.commit(Batch(messages=[alert("b"), bad]))
        assert topics(journal) == ["a"]
        assert journal.outbox.counters() == {"waiting": 1, **NONE_DROPPED}
        await journal.commit(Batch(messages=[alert("c")]))
        assert topics(journal) == ["a", "c"]
        assert journal.reader.counters() == {}


@pytest.mark.asyncio
async def test_pending_of_a_closed_journal_is_refused(path: Path) -> None:
    """The pump learns that it must end."""
    journal = Journal.open(path, now=now)
    await journal.close()
    with pytest.raises(JournalError) as caught:
        await journal.outbox.pending(0, 1)
    assert str(caught.value) == (
        f"{path}: the journal is closed\n  fix: start the daemon again to use it"
    )


async def both(journal: Journal, after: int, limit: int) -> list[int]:
    """The numbers that memory knows, or else the disk; where memory knows, both know the same."""
    asked = journal.outbox.pending(after, limit)
    recent, stored = await asked, journal.reader.outbox(after, limit)
    assert recent == stored
    return [row.seq for row in recent]


@pytest.mark.asyncio
async def test_what_was_just_journaled_is_not_read_from_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same to the last member; after a restart the disk is asked."""
    rows = [
        OutboxRow("a", b"\x00", 2, retain=True, expiry_s=0.1, properties={"k": "v"}),
        loose("b"),
        notice("c"),
    ]
    async with opened(path) as journal:
        await journal.commit(Batch(messages=rows))
        assert await both(journal, 0, 2) == [1, 2]
        journal.outbox.done([2])
        await until(lambda: topics(journal) == ["a", "c"])
        await until(lambda: journal.outbox.counters()["waiting"] == 2)
        assert await both(journal, 0, 9) == [1, 3]
        monkeypatch.setattr(journal.reader, "outbox", None)
        assert [row.seq for row in await journal.outbox.pending(1, 9)] == [3]
        assert await journal.outbox.pending(3, 9) == []
    async with opened(path) as journal:
        await journal.commit(Batch(messages=[alert("d")]))
        assert await both(journal, 0, 9) == [1, 3, 4]
        assert await both(journal, 1, 1) == [3]
        assert await both(journal, 3, 9) == [4]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("rows", "size"),
    [
        pytest.param(ROWS - 1, 1, id="fewer than are kept"),
        pytest.param(ROWS, 1, id="as many"),
        pytest.param(ROWS + 1, 1, id="one more"),
        pytest.param(9, BYTES // 8, id="too large together"),
    ],
)
async def test_of_what_memory_has_not_the_disk_tells(path: Path, rows: int, size: int) -> None:
    """Nothing is left out at the seam."""
    async with opened(path) as journal:
        await journal.commit(Batch(messages=[OutboxRow("t", b"x" * size)] * rows))
        for after in (0, 1, 2, rows - 1, rows):
            assert await both(journal, after, rows) == list(range(after + 1, rows + 1))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.sets(st.integers(1, 40)))))
@settings(max_examples=20, deadline=None)
def test_memory_and_disk_never_differ(steps: list[tuple[int, int, set[int]]]) -> None:
    """Whatever comes, goes and gives way."""
    kinds = (event, alert, state, notice)

    async def play(path: Path) -> None:
        async with opened(path, Limits(outbox_rows=8)) as journal:
            for kind, number, done in steps:
                journal.outbox.done(done)
                await journal.commit(Batch(messages=[kinds[kind]("t")] * number))
                for after in (0, 5, 20):
                    await both(journal, after, 100)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder) / "journal.db"))
