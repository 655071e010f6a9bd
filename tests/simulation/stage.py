"""A host on a stage: the real daemon, again and again, and everything around it simulated.

Real are the daemon's wiring, engine, dispatcher, the QMP adapter down to its bytes, the
MQTT publisher down to its link, the journal down to its file. Simulated are clocks,
threads, connections, QEMU, the broker and the disk's failures. ADR 0017 says why.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import structlog

from reactor.adapters.journal import schema, store
from reactor.adapters.journal.rows import Batch
from reactor.adapters.mqtt import publisher
from reactor.adapters.qmp import Monitors, monitor, pool
from reactor.adapters.qmp.address import UnixAddress
from reactor.adapters.qmp.shared import Limits
from reactor.app import broker as app_broker
from reactor.app import clock
from reactor.app import daemon as app_daemon
from reactor.app import guests as guests_module
from reactor.app.daemon import Daemon
from reactor.app.dumps import Dumps
from reactor.app.lacks import judge
from reactor.app.settings import (
    DumpsSettings,
    HostSettings,
    JournalSettings,
    MqttSettings,
    NamedGuest,
    Settings,
)
from reactor.core import world
from reactor.core.effect import AskPath, Dumped
from reactor.core.inputs import Answered, Operated
from reactor.core.orders import Approve, HoldGuests, Order
from reactor.core.policy import Policy
from reactor.core.program import compile_program
from reactor.core.run import Phase
from reactor.errors import JournalError, Problem
from reactor.policyfile.needs import needs_of
from tests.simulation.broker import Broker
from tests.simulation.cable import Cable
from tests.simulation.chained import Chained
from tests.simulation.disk import Disk, LoopIntake, LoopWriter, Where
from tests.simulation.loop import START, THREAD_S, VirtualLoop, virtual_time
from tests.simulation.policies import ALL, CHANGED
from tests.simulation.qemus import Monitor, Qemus
from tests.simulation.thrift import once_each
from tests.simulation.watch import Watch

DUMPS = Path("/var/crash")

COMPILE = once_each((*ALL, *CHANGED), compile_program)
NEEDS = once_each((*ALL, *CHANGED), needs_of)
"""Neither is ever changed, and it costs as much as the rest of a start."""

LIMITS = Limits(line_bytes=64 * 1024)
"""Of a monitor: a line without an end is short here."""


class NoControl:
    """No operator's socket: orders come through the dispatcher."""

    def __init__(self, *_parts: object) -> None:
        """Nothing is listened to."""

    async def start(self) -> None:
        """Nothing to start."""

    async def run(self) -> None:
        """Nothing to run."""

    async def close(self) -> None:
        """Nothing to close."""


class StagedRules:
    """The rules folders of the daemon: what the stage says."""

    def __init__(
        self, stage: "Stage", _paths: object, adopt: Callable[[Sequence[Policy]], None]
    ) -> None:
        self._stage = stage
        self.adopt = adopt
        self.problems: Sequence[Problem] = ()

    async def start(self) -> Sequence[Policy]:
        """Today's policies."""
        return self._stage.policies

    async def watch(self) -> None:
        """Changes come by ``adopt``."""

    async def reload(self) -> bool:
        """Nobody sends a signal."""
        return False


class StagedDumps(Dumps):
    """The dumps folder: there is always room, and the files that the QEMUs wrote."""

    def __init__(self, files: set[str], *rest: Any) -> None:
        super().__init__(*rest)
        self.files = files

    async def problem(self, question: AskPath) -> str:
        """Why a dump must not be written there."""
        await asyncio.sleep(THREAD_S)
        path = question.path
        return f"the dump target {path} exists already" if path in self.files else ""

    async def dumped(self, dump: Dumped) -> None:
        """Nobody counts."""

    async def run(self) -> None:
        """Nothing is to be put in order."""

    async def size(self, name: str, path: str) -> Answered:
        """Whether there is a file; how much is in it matters to nobody."""
        await asyncio.sleep(THREAD_S)
        return Answered(name, result=1 if path in self.files else None)

    async def discard(self, path: str) -> None:
        """It is gone."""
        await asyncio.sleep(THREAD_S)
        self.files.discard(path)


class Life:
    """One daemon from its start to its end."""

    def __init__(self, stage: "Stage", number: int) -> None:
        self.number = number
        self.cables: list[Cable] = []
        self.is_stopping = False
        self.daemon = Daemon(stage.settings)
        self.task = stage.loop.create_task(self.daemon.run())
        self.task.add_done_callback(partial(stage.ended, self))


class Stage:
    """The host, its guests, its broker, its disk, and the daemon when there is one.

    Args:
        chance: all that is left to chance, but for the moves of the history.
        monitors: of the guests whose monitor is not an ordinary one, its kind.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        folder: Path,
        guests: Mapping[str, Mapping[str, str]],
        policies: Sequence[Policy],
        chance: Random,
        *,
        monitors: Mapping[str, type[Monitor]] | None = None,
    ) -> None:
        self.loop = loop
        self.policies = policies
        self.chance = chance
        self.qemus = Qemus(loop, guests, monitors or {})
        self.broker = Broker(loop)
        self.disk = Disk(loop, folder / "journal.db", chance)
        self.disk.kill = self.kill
        self.disk.written = self._written
        self.watch = Watch()
        self._now = START
        self.life: Life | None = None
        self.lives = 0
        self.boots = 1
        self.send_crash: int | None = None
        self.refused = 0
        self.was_held = False
        self._over: list[Life] = []
        self._orders = 0
        self.settings = Settings(
            host=HostSettings("h"),
            journal=JournalSettings(self.disk.path),
            guests=tuple(
                NamedGuest(name, f"unix:/sim/{name}", labels) for name, labels in guests.items()
            ),
            mqtt=MqttSettings("mqtt://127.0.0.1"),
            dumps=DumpsSettings(DUMPS),
        )

    # ------------------------------------------------------------- lives

    def start(self) -> None:
        """Start the daemon, if there is none."""
        if self.life is None:
            self.lives += 1
            self.broker.life = self.lives
            self.disk.chained = Chained()
            self.life = Life(self, self.lives)

    def kill(self, where: Where | None = None) -> None:
        """End the daemon as ``kill -9`` does, or the host's power when ``where`` says so."""
        self._clock()
        life, self.life = self.life, None
        if life is None:
            return
        self.boots += where in {Where.TORN, Where.UNSYNCED}
        self.send_crash = self.disk.crash = None
        self._over.append(life)
        self._count_refused(life)
        life.daemon.journal._writer.die(where)  # type: ignore[attr-defined] # it is a LoopWriter
        life.daemon.journal._lock.release()
        for cable in life.cables:
            cable.sever()
        self.broker.cut(lose_messages=False)
        life.task.cancel()

    async def stop(self) -> None:
        """End the daemon in good order, as SIGTERM does."""
        life = self.life
        if life is None:
            return
        self._clock()
        life.is_stopping = True
        life.daemon.stop()
        await asyncio.wait([life.task])
        if self.life is life:
            self.life = None
            self._count_refused(life)
            self._over.append(life)

    def ended(self, life: Life, task: asyncio.Task[None]) -> None:
        """A daemon's task is done; one that was not told to end has failed."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        # The end of the history that a full disk refuses at the stop is told so.
        if not (isinstance(error, JournalError) and not self.disk.is_well and life.is_stopping):
            self.loop.faults.append(f"the daemon ended with {error!r}")

    async def wait_for_ends(self) -> None:
        """Let all that ended be gone."""
        if self._over:
            await asyncio.wait([life.task for life in self._over])

    def _count_refused(self, life: Life) -> None:
        broker = life.daemon.broker
        assert broker is not None
        self.refused += broker.publisher.counters.refused

    # ----------------------------------------------------- what it is told

    def reload(self, policies: Sequence[Policy]) -> None:
        """Other policies are in the rules folders."""
        self.policies = policies
        if self.life is not None and self.life.daemon.ready.is_set():
            self.life.daemon.rules.adopt(policies)  # type: ignore[attr-defined] # StagedRules

    def order(self, order: Order) -> None:
        """An operator gives an order, if there is a daemon to take it."""
        self._orders += 1
        self.was_held = self.was_held or isinstance(order, HoldGuests)
        if self.life is not None and self.life.daemon.ready.is_set():
            self.life.daemon.dispatcher.submit(Operated(f"o-{self._orders}", "anna", order))

    def approve(self, choice: int, *, yes: bool) -> None:
        """An operator answers one of the runs that wait for it, if any does."""
        if self.life is not None and self.life.daemon.ready.is_set():
            runs = self.life.daemon.engine.world.runs.values()
            waiting = [run.id for run in runs if run.phase is Phase.WAITING_APPROVAL]
            if waiting:
                self.order(Approve(waiting[choice % len(waiting)], yes=yes))

    # -------------------------------------------------------- its outside

    async def connect(self, address: UnixAddress) -> Cable:
        """In place of the adapter's ``connect``."""
        cable = self.qemus.connect(Path(address.path).name)
        life = self.life
        if life is None:
            raise ConnectionRefusedError(111, "the daemon is dead")
        cable.name = Path(address.path).name
        cable.before_write = partial(self._about_to_send, life, cable.name)
        life.cables = [one for one in life.cables if not one.is_closing()]
        life.cables.append(cable)
        return cable

    def _about_to_send(self, life: Life, guest: str, data: bytes) -> bool:
        """Whether bytes for QEMU leave; the daemon may die before they do, or right after."""
        if b'"query-' in data:
            return True
        leaves = self.send_crash != -1
        if self.send_crash == 1:
            # After the function that sends: it is dead before it can do anything more.
            self.loop.call_soon(self.kill)
        elif self.send_crash == -1:
            self.kill()
        elif self.send_crash is not None:
            self.send_crash += -1 if self.send_crash > 0 else 1
        if leaves:
            self.watch.sent(guest, data, life.daemon.journal.reader)
        return leaves

    def let_disk_be(self, *, full: bool = False, tight: bool = False) -> None:
        """Let the disk refuse everything, or some, or nothing."""
        self.disk.full, self.disk.tight = full, tight
        self.watch.disk(self._clock(), well=not (full or tight))

    def _clock(self) -> float:
        """What the engine's clock shows, or showed last."""
        if self.life is not None and self.life.daemon.ready.is_set():
            self._now = self.life.daemon.clock.now()
        return self._now

    def _written(self, batches: Sequence[Batch], last: int) -> None:
        self.watch.last_message = last
        self.watch.wrong += self.disk.chained.written(batches)
        if self.life is not None:
            shift = self.life.daemon.clock.now() - self.loop.time() - START
            for batch in batches:
                self.watch.written(batch, self.loop.time(), self.boots, shift)

    def peer(self, cable: Cable) -> str:
        """In place of the adapter's ``peer_of``."""
        return self.qemus.epoch(cable.name)

    @contextmanager
    def patched(self) -> Iterator[None]:
        """The daemon that is started in here lives on this stage."""
        seeded = SimpleNamespace(Random=lambda: Random(self.chance.getrandbits(32)))
        with ExitStack() as stack:
            stack.enter_context(virtual_time(self.loop))
            stack.enter_context(silence(self.loop))
            for place, name, value in (
                (schema, "secrets", self.chance),
                (clock, "boot_id", lambda: str(self.boots)),
                (guests_module, "Monitors", partial(Monitors, limits=LIMITS)),
                (world, "compile_program", COMPILE),
                (judge, "needs_of", NEEDS),
                (store, "Intake", partial(LoopIntake, self.disk)),
                (store, "Writer", LoopWriter),
                (publisher, "connect", self.broker.connect),
                (monitor, "connect", self.connect),
                (monitor, "peer_of", self.peer),
                (pool, "Random", seeded.Random),
                (app_broker, "random", seeded),
                (app_daemon, "random", seeded),
                (app_daemon, "Control", NoControl),
                (app_daemon, "Rules", partial(StagedRules, self)),
                (app_daemon, "Dumps", partial(StagedDumps, self.qemus.files)),
            ):
                stack.enter_context(patch.object(place, name, value))
            yield


@contextmanager
def silence(loop: VirtualLoop) -> Iterator[None]:
    """Of the daemon's log only its own faults are looked at."""

    def keep(_logger: object, _method: str, event: Any) -> Any:
        if event.get("event") == "internal error":
            loop.faults.append(f"internal error: {dict(event)}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        yield
    finally:
        structlog.configure(**before)


def play(loop: VirtualLoop, scene: Awaitable[None]) -> None:
    """Run a scene to its end in virtual time."""

    async def main() -> None:
        await scene

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
