"""The publisher: keeps a link to the broker and empties the outbox over it."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable

from reactor.adapters.mqtt import faults
from reactor.adapters.mqtt.backlog import Backlog, Job
from reactor.adapters.mqtt.faults import Lost, NoAnswerError, Unsendable
from reactor.adapters.mqtt.gate import Tree
from reactor.adapters.mqtt.inbox import Inbox
from reactor.adapters.mqtt.link import V5, V311, Answer, Link, connect
from reactor.adapters.mqtt.losses import Losses
from reactor.adapters.mqtt.messages import (
    Counters,
    Fate,
    Limits,
    Listener,
    Outbox,
    OutMessage,
)
from reactor.adapters.mqtt.options import MqttOptions
from reactor.adapters.mqtt.replies import Replies
from reactor.adapters.mqtt.subscriber import Subscriber
from reactor.errors import BrokerError

log = logging.getLogger(__name__)


class _LinkLostError(Exception):
    """The connection is gone."""

    def __init__(self, how: Lost) -> None:
        super().__init__(how)
        self.how = how


class _TimeIsUpError(Exception):
    """``close`` wants us to stop now."""


class Publisher:
    """Publishes the outbox at least once, in order per topic, across broker outages.

    ``run`` is a task of its owner; all other calls are made from the same loop.

    Args:
        announce: the retained state to publish after every connect, before
            the outbox: the broker may have lost all it knew.
        inbox: what is subscribed, and who gets what comes in.
        now: the engine's clock, on which rows expire.
        rng: the jitter of the reconnects.
    """

    def __init__(  # noqa: PLR0913 - its ports, each of them once
        self,
        options: MqttOptions,
        outbox: Outbox,
        *,
        announce: Callable[[], Iterable[OutMessage]],
        inbox: Inbox,
        listener: Listener,
        now: Callable[[], float],
        rng: random.Random,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self.counters = Counters()
        self.replies = Replies()
        self._options = options
        self._announce = announce
        self._listener = listener
        self._now = now
        self._rng = rng
        self._limits = limits
        self._rows = Backlog(outbox, limits, self.counters)
        self._inbox = inbox
        self._subscriber = Subscriber(options, limits, inbox, listener.on_trouble)
        self._link: Link | None = None
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._stopped = asyncio.Event()
        self._running = False
        self._connecting: asyncio.Timeout | None = None
        self._flush_until = self._close_until = 0.0
        self._quiet_until = 0.0
        self._connections = 0
        self._unanswered = 0
        self._losses = Losses(options, limits)
        self._careful = False
        self._progress = False
        self._told_connect = ""
        self._told_refused: set[str] = set()

    # ---------------------------------------------------------- public

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._link is not None

    @property
    def protocol(self) -> str | None:
        """``5`` or ``3.1.1`` while connected."""
        if self._link is None:
            return None
        return "5" if self._link.version is V5 else "3.1.1"

    def nudge(self) -> None:
        """There are new rows in the outbox."""
        self._rows.nudge()
        self._wake.set()

    def reply(self, message: OutMessage) -> bool:
        """Publish a reply on this connection, once at most; False when nobody will get it."""
        if self._link is None or not self.replies.put(message, self._now()):
            return False
        self._wake.set()
        return True

    def ask_for(self, trees: Iterable[str | Tree]) -> None:
        """Subscribe to these trees, now and after every connect, and to no others."""
        self._inbox.ask_for(trees)
        self._wake.set()

    async def run(self) -> None:
        """Connect, publish, reconnect; returns after ``close``.

        Cancelled, it hangs up at once and leaves ``offline`` to the last will.
        """
        self._running = True
        try:
            while not self._closing.is_set():
                link = await self._connect()
                if link is not None:
                    await self._serve(link)
                if not self._closing.is_set():
                    await self._pause()
        finally:
            self._stopped.set()

    async def close(self, within_s: float = 5.0) -> None:
        """Publish what can be published in time, say ``offline``, end ``run``.

        Three quarters of ``within_s`` belong to the outbox. What is left stays
        in it. Returns a second after ``within_s`` at the latest.
        """
        now = asyncio.get_running_loop().time()
        self._flush_until = now + 0.75 * within_s
        self._close_until = now + within_s
        self._closing.set()
        self._wake.set()
        if self._connecting is not None:
            self._connecting.reschedule(now)
        if self._running:
            try:
                async with asyncio.timeout(within_s + 1):
                    await self._stopped.wait()
            except TimeoutError:
                log.warning("publisher did not stop in time")

    # -------------------------------------------------------- connects

    async def _connect(self) -> Link | None:
        """A link, or None where there is none or ``close`` came first."""
        # A broker that hangs up twice without a word may be one that does not
        # know MQTT 5: every other attempt then speaks 3.1.1.
        old = self._unanswered >= 2 and self._unanswered % 2 == 0
        try:
            async with asyncio.timeout(None) as self._connecting:
                link = await connect(
                    self._options, self._limits, self._wake.set, self._inbox, V311 if old else V5
                )
        except TimeoutError:
            return None
        except BrokerError as error:
            self._losses.no_connect()
            self._unanswered = self._unanswered + 1 if isinstance(error, NoAnswerError) else 0
            if str(error) != self._told_connect:
                self._told_connect = str(error)
                self._listener.on_trouble(error)
            return None
        finally:
            self._connecting = None
        self._told_connect = ""
        self._unanswered = 0
        return link

    async def _pause(self) -> None:
        """Wait before the next connect."""
        try:
            async with asyncio.timeout(self._losses.pause(self._rng)):
                await self._closing.wait()
        except TimeoutError:
            return

    # ---------------------------------------------------- a connection

    async def _serve(self, link: Link) -> None:
        """One connection, from ``online`` to its end."""
        self._link = link
        self._progress = False
        self._told_refused.clear()
        self.counters.reconnects += 1 if self._connections else 0
        self._connections += 1
        started = asyncio.get_running_loop().time()
        how = None
        try:
            self._listener.on_connected()
            await self._talk(link)
        except _LinkLostError as lost:
            how = lost.how
        except _TimeIsUpError:
            log.warning("no time left to say offline: the last will does")
        finally:
            link.abort()
            self._link = None
            self._take_back(link, how)
            self.replies.clear()
            self._rows.settle()
            self._listener.on_disconnected()
        if how is not None:
            self._subscriber.on_lost(link, how)
            self._judge_loss(how, asyncio.get_running_loop().time() - started)

    async def _talk(self, link: Link) -> None:
        """``online``, the state, the outbox until ``close``, then ``offline``."""
        availability = self._options.availability
        # Before `online`: who waits for that word may speak at once.
        self._subscriber.renew(link)
        try:
            await self._say(link, [OutMessage(availability, b"online")])
            await self._say(link, self._announce())
            await self._pump(link)
        except _TimeIsUpError:
            log.info("outbox not empty at close, the rest is sent after the next start")
        self._flush_until = self._close_until
        await self._say(link, [OutMessage(availability, b"offline")])
        await link.close(self._close_until - asyncio.get_running_loop().time())

    async def _say(self, link: Link, messages: Iterable[OutMessage]) -> None:
        """Returns when the broker has answered to all of them."""
        jobs: deque[Job] = deque()
        for message in messages:
            while len(link.in_flight) >= min(self._limits.window, link.receive_maximum):
                await self._wait(link)
            jobs.append(Job(message))
            self._offer(link, jobs[-1], message.expiry_s)
        while jobs:
            if jobs[0].settled:
                jobs.popleft()
            else:
                await self._wait(link)

    async def _pump(self, link: Link) -> None:
        """Publish rows as they come; returns when ``close`` was called and all are through."""
        while True:
            await self._rows.fill()
            self._send(link)
            self._rows.settle()
            if self._closing.is_set() and self._rows.idle:
                return
            await self._wait(link)

    def _send(self, link: Link) -> None:
        """Fill the window."""
        if asyncio.get_running_loop().time() < self._quiet_until:
            return
        window = 1 if self._careful else min(self._limits.window, link.receive_maximum)
        while len(link.in_flight) < window:
            now = self._now()
            job = self.replies.take() or self._rows.take(now)
            if job is None:
                return
            self._offer(link, job, None if job.expires is None else job.expires - now)

    def _offer(self, link: Link, job: Job, remaining_s: float | None) -> None:
        try:
            link.publish(job, remaining_s)
        except Unsendable as why:
            self._refuse(job, faults.unsendable(self._options, job.message.topic, why))

    # --------------------------------------------------------- answers

    async def _wait(self, link: Link) -> None:
        """Returns when something happened, after dealing with the acknowledgements.

        Raises:
            _LinkLostError: the connection is gone, or nothing is acknowledged any more.
            _TimeIsUpError: the time that ``close`` gave is over.
        """
        try:
            async with asyncio.timeout_at(self._alarm(link)):
                await self._wake.wait()
        except TimeoutError:
            pass  # whose alarm it was shows below
        self._wake.clear()
        self._take_answers(link)
        self._subscriber.renew(link)
        if link.ended is not None:
            raise _LinkLostError(link.ended)
        now = asyncio.get_running_loop().time()
        since = link.waits_since
        if since is not None and since + self._limits.ack_s <= now:
            raise _LinkLostError(Lost(silent=True))
        if self._closing.is_set() and self._flush_until <= now:
            raise _TimeIsUpError

    def _alarm(self, link: Link) -> float | None:
        """When to look again although nothing happened, on the loop's clock."""
        now = asyncio.get_running_loop().time()
        alarms = [at for at in (self._quiet_until, self._rows.retry_at) if at > now]
        if (since := link.waits_since) is not None:
            alarms.append(since + self._limits.ack_s)
        if self._closing.is_set():
            alarms.append(self._flush_until)
        return min(alarms, default=None)

    def _take_answers(self, link: Link) -> None:
        while link.answers:
            answer = link.answers.popleft()
            job = answer.job
            if answer.refused:
                self._take_refusal(job, answer)
                continue
            job.settled = True
            if job.seq:
                self.counters.published += 1
                self._progress = True
                self._careful = False
                self._rows.finish(job)

    def _take_refusal(self, job: Job, answer: Answer) -> None:
        """A quota passes, every other reason stays: such a message is dropped."""
        job.over_quota += answer.code == faults.QUOTA_EXCEEDED
        if job.seq and 0 < job.over_quota < self._limits.strikes:
            self.counters.retried += 1
            self._quiet_until = asyncio.get_running_loop().time() + self._limits.retry_s
            self._rows.put_back([job])
            return
        self._refuse(job, faults.denied(self._options, job.message.topic, answer.code, answer.name))

    def _refuse(self, job: Job, error: BrokerError) -> None:
        """Drop a message for good; each reason is told once per connection."""
        self.counters.refused += 1
        job.settled = True
        if job.seq:
            self._rows.finish(job, Fate.DENIED)
        if error.fix in self._told_refused:
            log.debug("message refused", extra={"topic": job.message.topic})
            return
        self._told_refused.add(error.fix)
        self._listener.on_trouble(error)

    # ------------------------------------------------------ after loss

    def _take_back(self, link: Link, how: Lost | None) -> None:
        """Rows that were in flight wait again; one that breaks every connection is dropped."""
        stuck = [job for job, _ in link.in_flight.values() if job.seq]
        if stuck and not self._progress and how is not None:
            # Nothing went through. One at a time from now on, to find out
            # whether a single message is the cause, as one too large for an
            # MQTT 3.1.1 broker is: it hangs up without a word.
            alone, self._careful = self._careful, True
            # Who does not take a message says so or hangs up: silence is a broker's own trouble.
            if alone and not (how.blameless or how.silent):
                stuck[0].broken += 1
        given_up = [job for job in stuck if job.broken >= self._limits.strikes]
        kept = [job for job in stuck if job not in given_up]
        for job in given_up:
            self._refuse(
                job, faults.given_up(self._options, job.message.topic, self._limits.strikes)
            )
        self.counters.retried += len(kept)
        self._rows.put_back(kept)

    def _judge_loss(self, how: Lost, lasted_s: float) -> None:
        """Say why, once for each change of the reason, and set the back-off."""
        error = self._losses.judge(how, lasted_s, asyncio.get_running_loop().time())
        if error is not None:
            self._listener.on_trouble(error)
