"""Reactor in the row ``outbox`` as a helper process: the daemon whole.

Its one guest has no monitor; its events are given to the dispatcher.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from bench.publishing import BASE, Publisher, live, payload
from bench.serving import until
from bench.talk import EVENT, Stream, Tell
from reactor.adapters.journal import Batch, OutboxRow
from reactor.app.broker import Broker
from reactor.app.daemon import Daemon, run_alone
from reactor.app.logs import set_up_logs
from reactor.app.settings import (
    ControlSettings,
    DumpsSettings,
    HostSettings,
    JournalSettings,
    MqttSettings,
    Settings,
)
from reactor.core.event import Event
from reactor.core.inputs import Connected, Facts, GuestKnown, Happened

QUIET_S = 0.004
"""Without an acknowledgement for so long, all that follows an event is over."""

BATCH = 100
"""Messages that are journaled together, as those of a busy moment are."""

POLICY = f"""\
policy: tell
description: What the row `outbox` times.
mode: queued
trigger: {{event: {EVENT}}}
steps:
  - publish: told/reactor/0
    payload: ${{data.action}}
"""
GUEST = "web-1"


class Reactor:
    """The daemon: a policy tells, or the outbox is filled."""

    def __init__(self, daemon: Daemon, broker: Broker) -> None:
        self._daemon = daemon
        self._broker = broker
        self._counters = broker.publisher.counters

    async def tell(self, asked: Tell) -> None:
        """An event for each message; the policy publishes what the event says."""
        for number in range(asked.count):
            await asyncio.sleep(asked.gap_s)
            before = self._counters.published
            now = self._daemon.clock.now()
            event = Event(EVENT, GUEST, {"action": payload(number)}, now, now)
            self._daemon.dispatcher.submit(Happened(event))
            await self._until_quiet(before)

    async def _until_quiet(self, before: int) -> None:
        """Returns when some more than ``before`` are acknowledged, and then no more come."""
        last = before
        while last == before or last != self._counters.published:
            last = self._counters.published
            await asyncio.sleep(QUIET_S)

    async def stream(self, asked: Stream) -> None:
        """Journal all of it, and see the broker take it meanwhile."""
        journal, counters = self._daemon.journal, self._counters
        wanted = counters.published + asked.count
        for first in range(0, asked.count, BATCH):
            some = range(first, min(first + BATCH, asked.count))
            rows = [
                OutboxRow(f"{BASE}/told/reactor/{n % asked.topics}", payload(n).encode())
                for n in some
            ]
            await journal.commit(Batch(messages=rows))
            self._broker.publisher.nudge()
        while counters.published < wanted:  # noqa: ASYNC110 - nobody rings at the last one
            await asyncio.sleep(0.002)


@asynccontextmanager
async def reactor(folder: Path, port: int) -> AsyncIterator[Publisher]:
    """The daemon of a folder, connected, with nothing left to say."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "tell.yaml").write_text(POLICY, encoding="utf-8")
    settings = Settings(
        host=HostSettings("bench"),
        journal=JournalSettings(folder / "journal.db"),
        control=ControlSettings(folder / "control.sock"),
        rules=(rules,),
        dumps=DumpsSettings(folder / "dumps"),
        mqtt=MqttSettings(f"mqtt://127.0.0.1:{port}"),
    )
    daemon = Daemon(settings)
    serving = asyncio.create_task(run_alone(daemon), name="daemon")
    await daemon.ready.wait()
    daemon.dispatcher.submit(GuestKnown(GUEST))
    daemon.dispatcher.submit(Connected(GUEST, "1-1", Facts(status="running")))
    outbox, broker = daemon.journal.outbox, daemon.broker
    assert broker is not None  # noqa: S101 - the settings name one
    found = await until(
        lambda: (
            broker.publisher.connected
            and GUEST in daemon.engine.world.guests
            and not outbox.counters()["waiting"]
        ),
        "the daemon",
    )
    if found.problem:
        raise RuntimeError(found.problem)
    try:
        yield Reactor(daemon, broker)
    finally:
        daemon.stop()
        await serving


def main() -> None:
    """Be the daemon of a folder."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        # Lines are made and written as ever; only the disk does not get them.
        set_up_logs("json", "info", nowhere)
        uvloop.run(live(reactor, Path(sys.argv[1])))


if __name__ == "__main__":
    main()
