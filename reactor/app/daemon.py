"""The daemon: everything wired together, started in order and stopped in order."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import structlog

from reactor import __version__
from reactor.adapters.agent import Agents
from reactor.adapters.control import Answer
from reactor.adapters.filesystem import FreeSpace
from reactor.adapters.http import HttpClient
from reactor.adapters.journal import Journal
from reactor.adapters.mqtt.options import MqttOptions
from reactor.adapters.process import Programs
from reactor.adapters.qmp.commands import Then
from reactor.adapters.qmp.discovery import Discovery
from reactor.adapters.supervisor import Supervisor
from reactor.app.broker import Broker
from reactor.app.clock import Clock
from reactor.app.control.asks import Ask
from reactor.app.control.control import Control
from reactor.app.control.orders import Orders
from reactor.app.control.vitals import Parts
from reactor.app.dispatcher import Dispatcher
from reactor.app.dumps import Dumps
from reactor.app.guests import Guests
from reactor.app.inbound import earlier_messages
from reactor.app.lacks.looking import CHANGING_COMMANDS, Looker
from reactor.app.outbox import DropTeller, OutboxPort
from reactor.app.ports import Outside
from reactor.app.preflight import (
    raise_file_limit,
    share_the_interpreter,
    warn_of,
    warn_of_clock,
    warn_of_nothing,
)
from reactor.app.projection import LAST_RUNS, Projection, last_runs
from reactor.app.refusals import Refusals
from reactor.app.rules import Rules
from reactor.app.scheduling import Scheduling, earlier_life
from reactor.app.settings import Settings
from reactor.app.supervision import Supervision, status_words
from reactor.app.tidying import tidy
from reactor.app.upkeep import Upkeep, limits_of
from reactor.core.effect import Effect, Keep
from reactor.core.engine import Engine
from reactor.core.inputs import Input, Received
from reactor.core.marks import Mark
from reactor.core.policy import Policy
from reactor.core.run import Run
from reactor.errors import Place, PolicyError
from reactor.policyfile.check import build_policy

STOP_S = 5.0
"""Seconds for the commands in flight to be answered when the daemon stops."""

log = structlog.get_logger("reactor")


async def serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP reloads the rules.

    Raises:
        ReactorError: the journal or the settings cannot be used at all; a
            monitor, broker or policy that cannot is told in the log instead.
    """
    raise_file_limit()
    supervisor = Supervisor.of(os.environ, os.getpid())
    with contextlib.closing(supervisor):
        supervisor.describe("starting: opens the journal")
        await run_alone(Daemon(settings, supervisor))
    return 0


async def run_alone(daemon: "Daemon") -> None:
    """Run a daemon that has its process to itself.

    Its threads take short turns, and garbage is looked for when nobody waits.
    """
    share_the_interpreter()
    tidying = asyncio.create_task(tidy(daemon.ready, daemon.is_quiet), name="garbage collector")
    try:
        await daemon.run()
    finally:
        tidying.cancel()
        await asyncio.wait([tidying])


class Daemon:
    """One host's reactor."""

    def __init__(self, settings: Settings, supervisor: Supervisor | None = None) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._config = config = settings.engine_config()
        options = settings.mqtt_options()
        prefix = options.prefix if options else "reactor"
        self.clock = clock = Clock()
        path, limits = settings.journal.path, limits_of(settings.journal)
        self.journal = Journal.open(path, now=clock.now, limits=limits, settle=clock.take_up)
        self.upkeep = Upkeep(self.journal)
        self.refusals = Refusals(self.journal.lazily, clock.now)
        self.engine = Engine(config, self.journal.identity)
        discovery = settings.mqtt.home_assistant if settings.mqtt else None
        self.projection = Projection(prefix, config.host, __version__, discovery)
        self.broker = self._broker(options) if options else None
        self.agents = Agents()
        self.http = HttpClient(f"qemu-reactor/{__version__}")
        self.orders = Orders(self._submit)
        self.dumps = Dumps(settings.dumps, self.journal, self._is_open, clock.now, time.time)
        self.dispatcher = Dispatcher(
            engine=self.engine,
            journal=self.journal,
            outside=self._outside(),
            projection=self.projection,
            clock=self.clock,
            nudge=self.broker.publisher.nudge if self.broker else None,
            replied=self.orders.replied,
        )
        self.scheduling = Scheduling(
            self.dispatcher.submit,
            wall=time.time,
            settled=self._is_settled,
            rng=random.Random(),  # noqa: S311 - jitter
        )
        self.rules = Rules(settings.rules, self._adopt)
        self.looker = Looker(lambda: self.engine.world, self.send, self.agents)
        self.control = Control(self._parts(), self.orders)
        self.supervision = Supervision(supervisor, lambda: status_words(self._parts()))
        self.ready = asyncio.Event()

    def _broker(self, options: MqttOptions) -> Broker:
        return Broker(
            options,
            OutboxPort(self.journal.outbox),
            projection=self.projection,
            journal=self.journal,
            offer=self._offer,
            now=self.clock.now,
            is_stopping=self._stop.is_set,
            allowed=self._settings.mqtt.kinds if self._settings.mqtt else (),
            carry=self._carry,
            world=lambda: self.engine.world,
            refusals=self.refusals,
        )

    async def _carry(self, who: str, ask: Ask, name: str) -> Answer:
        return await self.control.carry(who, ask, name)

    def is_quiet(self) -> bool:
        """Whether nothing waits to be handled, or for the disk."""
        return not self.dispatcher.waiting and not self.dispatcher.commits.under_way

    def _outside(self) -> Outside:
        return Outside(
            monitors=self,
            agents=self.agents,
            http=self.http,
            programs=Programs(self._config.exec_allow),
            space=FreeSpace(),
            dumps=self.dumps,
        )

    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        then: Then | None = None,
    ) -> asyncio.Future[object]:
        """Send a command to a guest's monitor."""
        if command in CHANGING_COMMANDS:
            self.looker.changed(guest)
        return self.guests.monitors.send(guest, command, arguments, timeout=timeout, then=then)

    def _adopt(self, policies: Sequence[Policy]) -> None:
        warn_of(policies, self._settings)
        # First: what was due before the change is for the policies before it.
        self.scheduling.adopt(policies)
        self.dispatcher.adopt(policies)
        self.looker.adopt(policies)
        if self.broker is not None:
            self.broker.adopt(policies)

    def _offer(self, message: Received) -> bool:
        return self.dispatcher.offer(message)

    async def _tell_drops(self, broker: Broker) -> None:
        def is_connected() -> bool:
            return broker.publisher.connected

        outbox, submit = self.journal.outbox, self.dispatcher.submit
        await DropTeller(outbox, submit, is_connected, self.clock.now).run()

    def _is_open(self, run: str) -> bool:
        return run in self.engine.world.runs

    def _is_settled(self) -> bool:
        return all(guest.connected for guest in self.engine.world.guests.values())

    def _submit(self, input_: Input) -> None:
        self.dispatcher.submit(input_)

    def _parts(self) -> Parts:
        return Parts(
            settings=self._settings,
            engine=self.engine,
            dispatcher=self.dispatcher,
            journal=self.journal,
            upkeep=self.upkeep,
            clock=self.clock,
            rules=self.rules,
            broker=self.broker,
            scheduling=self.scheduling,
            troubles=self._troubles,
            judge=self.looker.judge,
            refusals=self.refusals,
        )

    def _troubles(self) -> Mapping[str, str]:
        return self.guests.troubles

    def stop(self) -> None:
        """Let ``run`` come to its end; runs are left resumable."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until stopped.

        Raises:
            SettingsError: a pattern of the discovery is wrong.
            InUseError: another process listens on the control socket.
            JournalError: what was left could not be journaled at the end.
        """
        try:
            await self._serve()
        finally:
            await self.control.close()
            self.guests.close()
            await self.guests.monitors.close()
            await self.agents.close()
            await self.http.close()
            try:
                await self.journal.close()
            finally:
                # Last: a second signal (`timeout` sends two) must not cut the journal's end short.
                self._uninstall_signals()
        log.info("stopped")

    async def _serve(self) -> None:
        found = self._settings.discoveries
        self.guests = Guests(
            self.dispatcher.submit,
            self.clock.now,
            found,
            self.agents,
            self._settings.control_socket,
            compared=self.engine.compared,
            looker=self.looker,
        )
        discovery = Discovery([each.discover for each in found], self.guests)
        self._install_signals()
        start = await self._take_up()
        await self.control.start()
        async with asyncio.TaskGroup() as tasks:
            loop_task = tasks.create_task(self._dispatch(*start), name="dispatcher")
            others = [
                tasks.create_task(self.rules.watch(), name="rules"),
                tasks.create_task(self._reload_when_told(), name="reload"),
                tasks.create_task(self.scheduling.run(), name="schedules"),
                tasks.create_task(self.control.run(), name="control"),
                tasks.create_task(self.upkeep.run(), name="upkeep"),
                tasks.create_task(self.dumps.run(), name="dumps"),
                tasks.create_task(self.looker.run(), name="looks"),
                tasks.create_task(self.supervision.run(), name="supervisor"),
            ]
            if found:
                others.append(tasks.create_task(discovery.run(), name="discovery"))
            if self.broker is not None:
                tasks.create_task(self.broker.publisher.run(), name="broker")
                others.append(tasks.create_task(self.broker.greet(), name="greeter"))
                others.append(tasks.create_task(self.broker.watch_files(), name="broker's files"))
                others.append(tasks.create_task(self._tell_drops(self.broker), name="drops"))
            for guest in self._settings.guests:
                self.guests.name(guest)
            self.ready.set()
            log.info("ready", host=self._settings.host.name, journal=str(self.journal.path))
            await self._stop.wait()
            await self._shut_down(loop_task, others)

    async def _take_up(self) -> tuple[list[Effect], Sequence[Policy], float]:
        """Load the policies and restore what an earlier life kept: effects, policies, time."""
        policies = await self.rules.start()
        warn_of(policies, self._settings)
        warn_of_nothing(self._settings)
        before = await asyncio.to_thread(earlier_life, self.journal.reader, policies)
        self.scheduling.take_up(policies, before)
        if self.broker is not None:
            self.broker.adopt(policies)
            rows_before = await asyncio.to_thread(
                earlier_messages, self.journal.reader, self.clock.now()
            )
            self.broker.inbound.take_up(rows_before, self.clock.now())
        now = self.clock.now()
        effects = self.engine.load(policies, now)
        rows = [Keep(*row) for row in await asyncio.to_thread(self.journal.reader.state)]
        await self._remember(rows)
        effects += self.engine.restore(rows, self._revisions(rows, policies), now)
        for guest in self.engine.world.guests:
            self.guests.expect(guest)
        log.info("policies loaded", policies=len(policies))
        warn_of_clock(self.clock.set_by)
        if runs := sum(row.kind == "run" and row.value is not None for row in rows):
            log.info("open runs go on", runs=runs)
        return effects, policies, now

    async def _remember(self, rows: Iterable[Keep]) -> None:
        """Give what the world reads its memory back: marks, and the last run of each guest."""
        marks = [
            msgspec.json.decode(r.value, type=Mark) for r in rows if r.kind == "mark" and r.value
        ]
        runs = await asyncio.to_thread(self.journal.reader.runs, LAST_RUNS)
        self.projection.adopt(marks, last_runs(runs))

    async def _dispatch(self, effects: list[Effect], policies: Sequence[Policy], at: float) -> None:
        """The start's effects first; a disk that refuses them holds up nobody's end."""
        await self.dispatcher.take_up(effects, policies, at)
        await self.dispatcher.run()

    def _revisions(self, rows: Iterable[Keep], policies: Sequence[Policy]) -> dict[str, Policy]:
        """The policies of the open runs, today's or as the journal kept their text."""
        known = {policy.revision: policy for policy in policies}
        for row in rows:
            if row.kind != "run" or row.value is None:
                continue
            revision = msgspec.json.decode(row.value, type=Run).revision
            if revision in known:
                continue
            stored = self.journal.reader.revision(revision)
            if stored is None:
                continue
            try:
                known[revision] = build_policy(stored.source, Place(f"journal:{revision}", 1, 1))
            except PolicyError as error:
                log.error("a policy of an open run is gone", problem=str(error))  # noqa: TRY400
        return known

    def _install_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)

    def _uninstall_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)

    async def _reload_when_told(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            with self.supervision.reloading():
                await self.rules.reload()

    async def _shut_down(
        self, loop_task: asyncio.Task[None], others: list[asyncio.Task[None]]
    ) -> None:
        """Stop in order: no new guests, no new commands, then the broker; the journal is last."""
        log.info("stopping")
        self.supervision.stopping()
        for task in others:
            task.cancel()
        await self.control.close()
        self.guests.close()
        self.dispatcher.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await asyncio.shield(loop_task)
        loop_task.cancel()
        await self.dispatcher.abandon()
        await self.guests.monitors.close()
        if self.broker is not None:
            await self.broker.close()
