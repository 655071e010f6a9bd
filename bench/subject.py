"""Reactor itself as a helper process: monitors, dispatcher, engine and journal, wired as ever.

What the daemon has beside them (settings, rules folders, discovery, broker)
stands still while events come, and is left out.
"""

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench import policies
from bench.memory import build
from bench.serving import requests, spent_s, until
from bench.talk import End, Reply, Request, Spent, Watch, paths, say
from reactor import __version__
from reactor.adapters.agent import Agents
from reactor.adapters.filesystem import FreeSpace
from reactor.adapters.http import HttpClient
from reactor.adapters.journal import Batch, Chain, InputRow, Journal
from reactor.adapters.process import Programs
from reactor.app.clock import Clock
from reactor.app.dispatcher import Dispatcher
from reactor.app.dumps import Dumps
from reactor.app.guests import Guests
from reactor.app.logs import set_up_logs
from reactor.app.ports import Outside
from reactor.app.projection import Projection
from reactor.app.settings import DumpsSettings
from reactor.core.config import EngineConfig
from reactor.core.engine import Engine

if TYPE_CHECKING:
    from reactor.app.ports import JournalPort


class NoJournal:
    """A journal that is off: everything counts as durable at once."""

    def post(self, _batch: Batch, _chain: Chain) -> asyncio.Future[None]:
        """Nothing is written."""
        written = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    def lazily(self, rows: list[InputRow]) -> None:
        """Nothing is written."""


class Subject:
    """The daemon's event path, told by the bench what to watch."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._clock = Clock()
        self._engine = Engine(EngineConfig(), "bench0")
        port: JournalPort = NoJournal() if journal is None else journal
        agents = Agents()
        self._dispatcher = Dispatcher(
            engine=self._engine,
            journal=port,
            outside=Outside(
                monitors=self,
                agents=agents,
                http=HttpClient(),
                programs=Programs(frozenset()),
                space=FreeSpace(),
                dumps=Dumps(DumpsSettings(Path("/nowhere"))),
            ),
            projection=Projection("reactor", "bench", __version__),
            clock=self._clock,
            nudge=None,
        )
        self._guests = Guests(self._dispatcher.submit, self._clock.now, (), agents)
        self.send = self._guests.monitors.send

    async def live(self, documents: Sequence[str]) -> None:
        """Serve until the bench says ``End``."""
        loaded = build(documents)
        now = self._clock.now()
        effects = self._engine.load(loaded, now)
        await self._dispatcher.take_up(effects, loaded, now)
        loop = asyncio.create_task(self._dispatcher.run())
        async for request in requests():
            say(await self._done(request))
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    async def _done(self, request: Request) -> Reply:
        match request:
            case Watch(folder, count):
                for number, path in enumerate(paths(folder, count)):
                    self._guests.add(f"guest-{number:04}", path, {})
                return await until(lambda: self._settled(count), f"{count} monitors")
            case Spent(events):
                return await self._spent(events)
            case End():
                self._guests.close()
                await self._guests.monitors.close()
                if self._journal is not None:
                    await self._journal.close()
                return Reply()
            case _:
                return Reply(problem=f"reactor cannot {request}")

    def _settled(self, count: int) -> bool:
        connected = len(self._guests.monitors.connected())
        return connected == count and not self._dispatcher.waiting

    async def _spent(self, events: int) -> Reply:
        """Processor time and events so far, with a journal also its rows; no run may have begun."""
        counters = self._guests.monitors.counters
        reply = await until(
            lambda: counters.events >= events and not self._dispatcher.waiting, f"event {events}"
        )
        if reply.problem:
            return reply
        if self._engine.world.number:
            return Reply(problem="an event that fits no policy started a run")
        values = [0.0, float(counters.events)]
        if self._journal is not None:
            # What nobody waits for is written with what somebody waits for.
            await self._journal.commit(Batch())
            values.append(float(self._journal.reader.last()))
        values[0] = spent_s()
        return Reply(values)


def main() -> None:
    """Be reactor, with the policies and the journal that the arguments name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--mixed", type=int, default=0)
    arguments = parser.parse_args()
    documents = [policies.REACTION]
    if arguments.mixed:
        documents = policies.mixed(arguments.mixed).documents
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        # Lines are made and written as ever; only the disk does not get them.
        set_up_logs("json", "info", nowhere)
        journal = None
        if arguments.journal is not None:
            journal = Journal.open(arguments.journal, now=Clock().now)
        uvloop.run(Subject(journal).live(documents))


if __name__ == "__main__":
    main()
