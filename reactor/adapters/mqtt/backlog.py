"""The rows that wait in memory, and which of them may go next.

Of each topic only one row is in flight. So a lost connection can repeat the
last message of a topic, but can never bring an older one after a newer one:
a subscriber sees 1, 2, 2, 3 and not 2, 3, 2, 3. Topics take turns, so that a
busy one does not hold the others up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from reactor.adapters.mqtt.messages import (
    Counters,
    Fate,
    Limits,
    Message,
    Outbox,
    OutboxRow,
)
from reactor.errors import ReactorError

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Job:
    """A message on its way; ``seq`` 0 means that it comes from no outbox.

    ``over_quota`` and ``broken`` count how often the broker was over its quota
    with it, and how often the connection broke with it alone in flight.
    """

    message: Message
    seq: int = 0
    expires: float | None = None
    settled: bool = False
    over_quota: int = 0
    broken: int = 0

    @classmethod
    def of(cls, row: OutboxRow) -> "Job":
        """The job of a row; its expiry counts from when the row was written."""
        expires = None if row.expiry_s is None else row.added + row.expiry_s
        return cls(row, row.seq, expires)


class Backlog:
    """At most ``limits.lookahead`` rows of the outbox, those in flight included."""

    def __init__(self, outbox: Outbox, limits: Limits, counters: Counters) -> None:
        self._outbox = outbox
        self._limits = limits
        self._counters = counters
        self._after = 0
        self._more = True
        self._held = 0
        self._finished: dict[int, Fate] = {}
        self._waiting: dict[str, deque[Job]] = {}
        self._ready: deque[str] = deque()
        self._busy: set[str] = set()
        self._trouble = ""
        self.retry_at = 0.0

    @property
    def idle(self) -> bool:
        """Whether every row that we know of is through."""
        return not self._held and not self._more

    def nudge(self) -> None:
        """There are rows to read."""
        self._more = True

    async def fill(self) -> None:
        """Read rows while there is room and there are any; never raises."""
        loop = asyncio.get_running_loop()
        room = self._limits.lookahead - self._held
        # Half empty before it is filled: one large read instead of many small.
        while self._more and 2 * room >= self._limits.lookahead and loop.time() >= self.retry_at:
            # Before the read: a nudge that comes while it runs must not be lost.
            self._more = False
            try:
                async with asyncio.timeout(self._limits.connect_s):
                    rows = await self._outbox.pending(self._after, room)
            except (ReactorError, TimeoutError) as error:
                self._more = True
                self.retry_at = loop.time() + self._limits.retry_s
                self._complain(str(error) or "no answer in time")
                return
            self._complain("")
            self._add(rows)
            room -= len(rows)
            self._more = self._more or not room

    def _complain(self, problem: str) -> None:
        """Log a problem of the outbox when it is not the same as before."""
        if problem and problem != self._trouble:
            log.warning("outbox cannot be read", extra={"problem": problem})
        self._trouble = problem

    def _add(self, rows: Iterable[OutboxRow]) -> None:
        for row in rows:
            self._after = row.seq
            self._held += 1
            queue = self._waiting.setdefault(row.topic, deque())
            queue.append(Job.of(row))
            if len(queue) == 1 and row.topic not in self._busy:
                self._ready.append(row.topic)

    def take(self, now: float) -> Job | None:
        """The row that goes next; those that expired by ``now`` are dropped on the way."""
        while self._ready:
            topic = self._ready.popleft()
            job = self._waiting[topic].popleft()
            self._busy.add(topic)
            if job.expires is None or job.expires > now:
                return job
            self._counters.expired += 1
            self.finish(job, Fate.EXPIRED)
        return None

    def finish(self, job: Job, fate: Fate = Fate.SENT) -> None:
        """A row that was taken is through; the next of its topic may go."""
        topic = job.message.topic
        self._held -= 1
        self._finished[job.seq] = fate
        self._busy.discard(topic)
        if self._waiting[topic]:
            self._ready.append(topic)
        else:
            del self._waiting[topic]

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Rows that were taken wait again, before all others, oldest first."""
        for job in jobs:
            self._waiting[job.message.topic].appendleft(job)
            self._busy.discard(job.message.topic)
        free = [
            topic for topic, queue in self._waiting.items() if queue and topic not in self._busy
        ]
        self._ready = deque(sorted(free, key=lambda topic: self._waiting[topic][0].seq))

    def settle(self) -> None:
        """Tell the outbox which rows are through."""
        if self._finished:
            finished, self._finished = self._finished, {}
            self._outbox.done(finished)
