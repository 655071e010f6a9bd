"""Which row goes next, whatever is acknowledged, lost or expired in between."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.adapters.mqtt import Counters, Limits
from reactor.adapters.mqtt.backlog import Backlog, Job
from tests.adapters.mqtt.support import MemoryOutbox, until


def backlog(topics: str, lookahead: int = 1000) -> tuple[Backlog, MemoryOutbox, Counters]:
    """A backlog of one row for each letter, the letter being its topic."""
    outbox = MemoryOutbox()
    for topic in topics:
        outbox.add(topic, b"")
    counters = Counters()
    return Backlog(outbox, Limits(lookahead=lookahead), counters), outbox, counters


def take_all(rows: Backlog) -> list[Job]:
    """Everything that may go now."""
    return list(iter(lambda: rows.take(0.0), None))


def seqs(jobs: list[Job]) -> list[int]:
    """The numbers of rows."""
    return [job.seq for job in jobs]


def test_one_row_of_each_topic_goes_at_a_time() -> None:
    """The next of a topic goes when the one before is through."""
    rows, outbox, _ = backlog("aabca")
    asyncio.run(rows.fill())
    first = take_all(rows)
    assert seqs(first) == [1, 3, 4]
    assert take_all(rows) == []
    rows.finish(first[0])
    assert seqs(take_all(rows)) == [2]
    rows.settle()
    assert outbox.done_seqs == [1]


def test_a_busy_topic_does_not_hold_the_others_up() -> None:
    """Topics take turns."""
    rows, _, _ = backlog("aaab")
    asyncio.run(rows.fill())
    order = []
    while (job := rows.take(0.0)) is not None:
        order.append(job.message.topic)
        rows.finish(job)
    assert order == ["a", "b", "a", "a"]


def test_what_was_lost_goes_first_and_oldest_first() -> None:
    """After a lost connection the rows in flight go before those that never went."""
    rows, _, _ = backlog("abcab")
    asyncio.run(rows.fill())
    lost = take_all(rows)
    rows.put_back([lost[2], lost[0], lost[1]])
    again = take_all(rows)
    assert seqs(again) == [1, 2, 3]
    for job in again:
        rows.finish(job)
    assert seqs(take_all(rows)) == [4, 5]


def test_a_row_that_comes_back_lets_no_other_topic_overtake_itself() -> None:
    """Only its own topic is free again; the one that is still in flight stays busy."""
    rows, _, _ = backlog("aab")
    asyncio.run(rows.fill())
    first, second = take_all(rows)
    rows.put_back([second])
    assert seqs(take_all(rows)) == [3]
    rows.finish(first)
    assert seqs(take_all(rows)) == [2]


def test_a_full_backlog_reads_no_more_until_it_is_half_empty() -> None:
    """Four of four held: nothing is read; two through: two more are read."""
    rows, outbox, _ = backlog("abcdefgh", lookahead=4)
    asyncio.run(rows.fill())
    jobs = take_all(rows)
    assert seqs(jobs) == [1, 2, 3, 4]
    rows.finish(jobs[0])
    reads = outbox.reads
    asyncio.run(rows.fill())
    assert outbox.reads == reads
    rows.finish(jobs[1])
    asyncio.run(rows.fill())
    assert outbox.reads == reads + 1
    assert seqs(take_all(rows)) == [5, 6]


def test_a_nudge_during_a_read_is_not_lost() -> None:
    """A row that is written while the outbox answers "no more" is read all the same."""
    rows, outbox, _ = backlog("a")

    async def race() -> None:
        reading = asyncio.create_task(rows.fill())
        await until(lambda: outbox.reads)
        rows.nudge()
        outbox.gate.set()
        await reading

    outbox.gate.clear()
    asyncio.run(race())
    assert outbox.reads == 2


def test_idle_means_that_nothing_is_left() -> None:
    """Unread, waiting and in flight each count."""
    rows, _, _ = backlog("a")
    idle = [rows.idle]
    asyncio.run(rows.fill())
    idle.append(rows.idle)
    (job,) = take_all(rows)
    idle.append(rows.idle)
    rows.finish(job)
    idle.append(rows.idle)
    rows.nudge()
    idle.append(rows.idle)
    assert idle == [False, False, False, True, False]


@pytest.mark.parametrize(("now", "expired"), [(109.9, 0), (110.0, 1), (110.1, 1)])
def test_an_expired_row_makes_room_for_the_next_of_its_topic(now: float, expired: int) -> None:
    """Before, at and after its expiry."""
    rows, outbox, counters = backlog("")
    outbox.add("a", b"", added=100.0, expiry_s=10.0)
    outbox.add("a", b"")
    asyncio.run(rows.fill())
    job = rows.take(now)
    assert job is not None
    assert job.seq == 1 + expired
    assert counters.expired == expired
    rows.settle()
    assert outbox.done_seqs == [1][:expired]


class Traffic:
    """A backlog under way: what was sent of each topic, and what is in flight."""

    def __init__(self, topics: str, lookahead: int) -> None:
        self.rows, self.outbox, _ = backlog(topics, lookahead)
        self.sent: dict[str, list[int]] = {}
        self.flying: list[Job] = []

    def step(self, what: str, pick: int) -> None:
        """One thing that can happen; ``pick`` chooses what is acknowledged."""
        if what == "read":
            asyncio.run(self.rows.fill())
        elif what == "send" and (job := self.rows.take(0.0)) is not None:
            self.sent.setdefault(job.message.topic, []).append(job.seq)
            self.flying.append(job)
        elif what == "acknowledge" and self.flying:
            self.rows.finish(self.flying.pop(pick % len(self.flying)))
        elif what == "refuse" and self.flying:
            self.rows.put_back([self.flying.pop(pick % len(self.flying))])
        elif what == "lose":
            self.rows.put_back(self.flying)
            self.flying.clear()


EVENTS = ["read", "send", "acknowledge", "refuse", "lose"]
STEPS = st.tuples(st.sampled_from(EVENTS), st.integers(0, 9))


@settings(max_examples=200)
@given(
    topics=st.text("abc", max_size=30),
    lookahead=st.integers(1, 8),
    steps=st.lists(STEPS, min_size=20),
)
def test_no_row_overtakes_another_of_its_topic_and_none_is_forgotten(
    topics: str, lookahead: int, steps: list[tuple[str, int]]
) -> None:
    """Whatever the order of reads, sends, answers and lost connections."""
    traffic = Traffic(topics, lookahead)
    for what, pick in steps:
        traffic.step(what, pick)
        in_flight = Counter(job.message.topic for job in traffic.flying)
        assert max(in_flight.values(), default=1) == 1
        assert len(traffic.flying) <= lookahead
    while not traffic.rows.idle:
        for what in ("read", "send", "acknowledge"):
            traffic.step(what, 0)
    traffic.rows.settle()
    assert sorted(traffic.outbox.done_seqs) == list(range(1, len(topics) + 1))
    assert all(order == sorted(order) for order in traffic.sent.values())
