"""Answers what operators ask: questions from the engine's state and the journal, orders by it.

The state is read in one go, between two inputs; what the journal is asked for runs in a
thread with a connection of its own, so that it holds up neither the engine nor the outbox.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec

from reactor.adapters.control import Answer, Code, ControlServer
from reactor.adapters.filesystem import FreeSpace
from reactor.adapters.journal import Reader
from reactor.app.control import readiness, views
from reactor.app.control.answers import Status
from reactor.app.control.asks import (
    Ask,
    AskGuests,
    AskMarks,
    AskMetrics,
    AskReadiness,
    AskRun,
    AskRuns,
    AskSilences,
    AskStatus,
    AskWhy,
    GiveOrder,
)
from reactor.app.control.fitting import misfit
from reactor.app.control.orders import Orders
from reactor.app.control.vitals import Parts, daemon_line, journal_trouble, rules_trouble
from reactor.app.known import Unknown, of_journal, unknown
from reactor.app.metrics.collect import Sources, collect
from reactor.app.metrics.text import render
from reactor.app.refusals import about_order
from reactor.app.timeline import read_timeline, run_line
from reactor.app.why.asking import recent, why_at, why_now
from reactor.app.why.reasons import Finding, Mark, Why
from reactor.core import scopes
from reactor.core.effect import AskFree
from reactor.core.foreign import UNREADABLE
from reactor.core.world import World

READERS_MAX = 2
"""Questions to the journal that are looked at side by side; the others wait for their turn."""

T = TypeVar("T")

_decode = msgspec.json.Decoder(Ask).decode


class Desk:
    """Answers requests of the control socket."""

    def __init__(self, parts: Parts, orders: Orders) -> None:
        self._parts = parts
        self._orders = orders
        self._reading = asyncio.Semaphore(READERS_MAX)
        self._since = parts.clock.now()
        self._space = FreeSpace()

    async def answer(self, who: str, body: bytes, server: ControlServer) -> Answer:
        """What somebody is answered.

        Raises:
            ReactorError: the journal cannot be read, or too many orders wait.
        """
        try:
            ask: Ask = _decode(body)
        except UNREADABLE as error:
            text = f"the request is not understood: {error}"
            fix = "use the reactor command of the version that the daemon is"
            return Answer(Code.WRONG, text, fix)
        answer = await self.carry(who, ask, server)
        if isinstance(ask, GiveOrder) and answer.code is Code.REFUSED:
            self._note(who, ask, answer)
        return answer

    def _note(self, who: str, ask: GiveOrder, answer: Answer) -> None:
        """Keep it that an order was refused; those over MQTT are kept with their topics."""
        order = msgspec.to_builtins(ask.order)
        what, about = order["type"], about_order(order)
        self._parts.refusals.note(
            f"order {what}", what, answer.text, fix=answer.fix, who=who, about=about
        )

    async def carry(  # noqa: C901 - one case for each kind
        self, who: str, ask: Ask, server: ControlServer, name: str = ""
    ) -> Answer:
        """What somebody is answered to a question or order.

        Args:
            name: the order's id in the journal, where it has one.

        Raises:
            ReactorError: the journal cannot be read, or too many orders wait.
        """
        match ask:
            case AskStatus():
                return _done(self._status(server))
            case AskMetrics():
                return _done(await self._metrics(self._status(server)))
            case AskGuests():
                return _done(views.guests(self._world, self._parts.troubles(), self._parts.judge))
            case AskReadiness():
                return self._readiness(ask)
            case AskMarks(guest):
                return self._marks(guest)
            case AskSilences():
                return _done(views.silences(self._world))
            case AskRuns():
                return await self._runs(ask)
            case AskRun(run):
                return await self._run(run)
            case AskWhy():
                return _done(await self._why(ask))
            case GiveOrder(order):
                if refused := await misfit(self._world, self._parts.judge, order):
                    return refused
                reply = await self._orders.give(who, order, name)
                code = Code.DONE if reply.ok else Code.REFUSED
                return Answer(code, reply.text, reply.fix, _raw(reply.data))

    @property
    def _world(self) -> World:
        return self._parts.engine.world

    def _status(self, server: ControlServer) -> Status:
        line = daemon_line(self._parts, server, self._since)
        return views.status(self._world, line, self._parts.troubles(), self._parts.judge)

    async def _metrics(self, status: Status) -> str:
        parts = self._parts
        folder = str(parts.journal.path.parent)
        free = (await self._space.ask(AskFree("metrics", folder))).result
        return render(
            collect(
                Sources(
                    status,
                    parts.journal.statistics(),
                    parts.settings.journal,
                    parts.dispatcher.teller.tally,
                    free if isinstance(free, int) else None,
                )
            )
        )

    def _readiness(self, ask: AskReadiness) -> Answer:
        policy, guest = ask.policy, ask.guest
        if wrong := readiness.unanswerable(self._world, policy, guest):
            return Answer(Code.REFUSED, wrong.problem, wrong.fix)
        judge = self._parts.judge
        return _done(readiness.matrix(self._world, judge, policy, guest, whole=ask.whole))

    def _marks(self, guest: str) -> Answer:
        """The marks of one guest, which may be gone and still have them, or of all."""
        found = views.marks(self._world, guest)
        if guest and not found and (wrong := unknown("guest", guest, self._world.guests)):
            return Answer(Code.REFUSED, wrong.problem, wrong.fix)
        return _done(found)

    async def _runs(self, ask: AskRuns) -> Answer:
        """The runs of the journal; those that are open as they are now."""
        world = self._world
        alive = {run.id: run for run in world.runs.values()}
        rows = await self._read(
            lambda reader: reader.runs(
                ask.limit,
                policy=ask.policy,
                guest=ask.guest,
                only_open=ask.only_open,
            )
        )
        if not rows and (wrong := await self._unknown(ask)):
            return Answer(Code.REFUSED, wrong.problem, wrong.fix)
        return _done(
            [
                views.run_line(world, alive[row.id]) if row.id in alive else run_line(row)
                for row in rows
            ]
        )

    async def _unknown(self, ask: AskRuns) -> Unknown | None:
        """The first name that neither the daemon nor its journal knows."""
        policies, guests = list(self._world.index.policies), list(self._world.guests)
        return await self._read(
            lambda reader: of_journal(
                reader, ask.policy, ask.guest, policies=policies, guests=guests
            )
        )

    async def _run(self, run: str) -> Answer:
        timeline = await self._read(lambda reader: read_timeline(reader, run))
        if timeline is None:
            text = f"no run is called {run!r}"
            return Answer(Code.REFUSED, text, "`reactor runs` lists them")
        return _done(timeline)

    async def _why(self, ask: AskWhy) -> Why:
        world, now = self._world, self._parts.clock.now()
        host = scopes.host_view(world)
        policy = world.index.policies.get(ask.policy)
        if ask.at is not None:
            loaded = [policy] if policy else []
            at, around = ask.at, ask.around
            why = await self._read(
                lambda reader: why_at(
                    reader, ask.policy, ask.guest, at=at, around=around, host=host, loaded=loaded
                )
            )
            return msgspec.structs.replace(why, online=True)
        guest = world.guests.get(ask.guest)
        near = self._parts.engine.near_misses(ask.policy)
        labels = guest.labels if guest and not guest.forgotten else None
        lacks = self._parts.judge.of(policy, guest) if policy and guest else ()
        why = why_now(world, ask.policy, ask.guest, now, lacks, journal_trouble(self._parts))
        if trouble := rules_trouble(self._parts):
            note = Finding("rules", Mark.NOTE, trouble)
            why = msgspec.structs.replace(why, findings=[note, *why.findings])
        return await self._read(
            lambda reader: recent(
                reader, why, policy=policy, near=near, now=now, labels=labels, host=host
            )
        )

    async def _read(self, question: Callable[[Reader], T]) -> T:
        def ask() -> T:
            reader = Reader(self._parts.journal.path)
            try:
                return question(reader)
            finally:
                reader.close()

        # The threads are those that the outbox and the rules need too.
        async with self._reading:
            return await asyncio.to_thread(ask)


def _done(data: object) -> Answer:
    return Answer(data=_raw(data))


def _raw(data: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(data))
