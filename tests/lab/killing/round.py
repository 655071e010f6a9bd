"""One round of the kill loop: guests that panic, a daemon that is killed, and the audit."""

import asyncio
import contextlib
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from reactor.adapters.journal import Reader, RunRow
from reactor.demo.bootcode import guest_code
from reactor.demo.dumps import dump_problem
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from reactor.demo.process import DemoError
from reactor.demo.waiting import until, until_async
from reactor.errors import JournalError, MonitorError
from tests.fakes.broker import Mosquitto, Subscriber
from tests.lab.killing import trouble, witness
from tests.lab.killing.audit import Diary, Watched, heard
from tests.lab.killing.disk import Disk
from tests.lab.killing.ledger import (
    Life,
    Violation,
    Window,
    acts_without_journal,
    incidents,
    miscounted,
    out_of_order,
    unheard,
    unpublished,
    violations,
    wrong_files,
)
from tests.lab.killing.plan import HOST, Fault, Places, Plan
from tests.lab.killing.program import Program
from tests.lab.killing.relay import Relay
from tests.lab.killing.timeline import timelines

_RUNS: Final = 10_000
_BEATS_S: Final = 10.0
_HEARD_S: Final = 10.0
_GOOD_ROADS: Final = 0.3
_BAD_ROAD_BYTES: Final = (1500, 9000)  # a life of the daemon sends some 10 KB


@dataclass
class Report:
    """What one round came to; ``stories`` has a time line for each guest with one."""

    plan: Plan
    kills: int = 0
    panics: int = 0
    dumps: int = 0
    resets: int = 0
    qemu_kills: int = 0
    broker_kills: int = 0
    full_disks: int = 0
    publishes: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.plan.name}: seed {self.plan.seed}, {self.kills} kills of the daemon, "
            f"{self.qemu_kills} of QEMU, {self.broker_kills} of the broker, {self.full_disks} full "
            f"disks; {self.panics} panics, {self.dumps} dumps, {self.resets} resets, "
            f"{self.publishes} publishes; runs that were heard of: "
            f"{dict(self.outcomes)}; {len(self.violations)} violations"
        )


class Round:
    """The processes of one round, and what is known of them."""

    def __init__(self, plan: Plan, places: Places, lab: Lab) -> None:
        self.plan = plan
        self.places = places
        self.lab = lab
        self.diary = Diary()
        self.program = Program(places, self.diary.tell, preloaded=plan.preloaded)
        self.disk = Disk(places.journal_folder)
        self.broker = Mosquitto(places.folder / "broker")
        self.ear = Subscriber(self.broker.port, f"reactor/{HOST}/#", qos=0)
        self.relay = Relay(self.broker.port, self._carries)
        self._roads = random.Random(plan.seed)
        self.broken_broker = trouble.BrokerTrouble(self.broker, self.relay, self.ear, self.diary)
        self.guests: list[Watched] = []
        self.windows: list[Window] = []
        self.full_disk = trouble.FullDisk(
            self.disk, self.program, self.guests, self.windows, self.diary
        )
        self.problems: list[Violation] = []
        self.calm = False

    @contextlib.asynccontextmanager
    async def _set_up(self) -> AsyncIterator[None]:
        self.broker.folder.mkdir()
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self.broker)
            stack.enter_context(self.ear)
            await stack.enter_async_context(self.relay)
            self.places.write(
                monitors=self.lab.pattern,
                broker=f"mqtt://127.0.0.1:{self.relay.port}",
                control=self.lab.folder / "control",
            )
            if Fault.DISK in self.plan.faults:
                stack.enter_context(self.disk)
            witness.install(self.places.journal)
            boot = guest_code(panics=self.plan.panics, delay_ticks=self.plan.ticks)
            fleet = await self.lab.fleet(self.plan.guests, GuestPlan(boot=boot, preserved=True))
            self.guests += [Watched(each, self.plan.panics, self.plan.ticks) for each in fleet]
            await stack.enter_async_context(self.program)
            yield

    async def play(self) -> Report:
        """Kill until every guest has its panics behind it; then calm, and the audit."""
        async with self._set_up():
            for each in self.guests:
                await each.guest.run()
            await self._kills()
            await self._calm()
            await self.program.stop()
            with contextlib.suppress(AssertionError):  # the audit names what is missing
                await self.ear.until(lambda: not self._unpublished(), _HEARD_S)
            return self._audited()

    def _carries(self) -> float:
        """How many bytes the next way to the broker takes; in the calm there is no end to it."""
        if self.calm or self._roads.random() < _GOOD_ROADS:
            return float("inf")
        return self._roads.uniform(*_BAD_ROAD_BYTES)

    # ------------------------------------------------------------------ kills

    async def _kills(self) -> None:
        chance = random.Random(self.plan.seed)
        troubles = [asyncio.create_task(each, name="trouble") for each in self._troubles(chance)]
        try:
            end = asyncio.get_running_loop().time() + self.plan.within
            while not self._had_enough(end):
                await self._one_life(chance)
        finally:
            for task in troubles:
                task.cancel()
            if troubles:
                await asyncio.wait(troubles)
        for task in troubles:
            if not task.cancelled():
                task.result()

    def _had_enough(self, end: float) -> bool:
        """Each fault has had its turn, and the guests have their panics behind them or no time."""
        turns = {
            Fault.BROKER: self.broken_broker.kills > 0,
            Fault.QEMU: any(each.over for each in self.guests),
            Fault.DISK: self.full_disk.turns > 0,
        }
        if not all(had for fault, had in turns.items() if fault in self.plan.faults):
            return False
        if all(each.works for each in self.guests):
            return True
        over = asyncio.get_running_loop().time() > end
        if over:
            self.diary.tell("the time for kills is over")
        return over

    def _troubles(self, chance: random.Random) -> list[Coroutine[Any, Any, None]]:
        faults = self.plan.faults
        # Each has chances of its own: how often one draws must not change another's luck.
        seeds = {fault: random.Random(chance.random()) for fault in Fault}
        found: list[Coroutine[Any, Any, None]] = []
        if Fault.BROKER in faults:
            found.append(self.broken_broker.come_and_go(seeds[Fault.BROKER]))
        if Fault.QEMU in faults:
            found.append(trouble.break_qemu(seeds[Fault.QEMU], self.guests, self.diary))
        if Fault.DISK in faults:
            found.append(self.full_disk.come_and_go(seeds[Fault.DISK]))
        return found

    async def _one_life(self, chance: random.Random) -> None:
        """A life of the daemon: killed while it starts, after 0.1 to 0.8 s, or at an event."""
        await self.program.start()
        try:
            if chance.random() < 0.2:
                await asyncio.sleep(chance.uniform(0.05, 0.8))
            elif await self.program.ready():
                await asyncio.sleep(chance.uniform(0.1, 0.8))
                if chance.random() < 0.5:
                    await self._next_event(0.8)
                    await asyncio.sleep(chance.uniform(0.0, 0.05))
        finally:
            await self.program.kill()

    async def _next_event(self, within: float) -> None:
        """Return when some guest tells something: kills just behind it find the most."""
        before = self._seen()
        with contextlib.suppress(DemoError):
            await until("a guest tells something", lambda: self._seen() > before, within)

    def _seen(self) -> int:
        return sum(each.guest.control.seen for each in self.guests)

    # ------------------------------------------------------------------- calm

    async def _calm(self) -> None:
        """Everything works again, and the daemon has time to bring all in order."""
        self.calm = True
        self.diary.tell("calm")
        self.disk.empty(self.program)
        await self.broken_broker.mend()
        for each in self.guests:
            if each.guest.process.exit_code is not None:
                await each.start()
        await self.program.start()
        if not await self.program.ready():
            self.problems.append(Violation("daemon", "it does not start"))
            return
        await asyncio.gather(*(self._works(each) for each in self.guests))
        try:
            await until_async("all is done", self._is_done, self.plan.calm)
        except DemoError:
            self.problems += [
                Violation(run.guest, f"run {run.id} never ended")
                for run in self._runs(only_open=True)
            ]

    async def _works(self, each: Watched) -> None:
        name, guest = each.guest.name, each.guest
        try:
            await until("it works", lambda: each.works, self.plan.calm)
            await guest.alive(_BEATS_S)
        except DemoError:
            try:
                status = await guest.control.status()
            except MonitorError as error:
                status = f"gone: {error}"
            self.problems.append(Violation(name, f"it is left {status}"))

    async def _is_done(self) -> bool:
        return not self._runs(only_open=True) and self._waiting() == 0

    def _runs(self, *, only_open: bool = False) -> list[RunRow]:
        with contextlib.closing(Reader(self.places.journal)) as reader:
            return reader.runs(_RUNS, policy="kill-loop", only_open=only_open)

    def _waiting(self) -> int:
        with contextlib.closing(Reader(self.places.journal)) as reader:
            return reader.counts()["outbox"]

    def _owed(self) -> dict[str, str]:
        """The runs that owe a message, and the guest of each."""
        told = {"succeeded", "stopped", "failed", "timed-out", "unknown"}
        return {run.id: run.guest for run in self._runs() if run.outcome in told}

    # ------------------------------------------------------------------ audit

    def _audited(self) -> Report:
        lives = {each.guest.name: each.lives() for each in self.guests}
        everything = [life for each in lives.values() for life in each]
        report = self._counted(everything)
        report.violations += self.problems
        messages = heard(self.ear)
        for life in everything:
            report.violations += violations(life)
            report.violations += acts_without_journal(life, self.windows)
        report.violations += unheard(self._owed(), messages)
        report.violations += self._unpublished()
        report.violations += out_of_order(witness.owed(self.places.journal), self._heard())
        for name, each in lives.items():
            mine = [said.outcome for said in messages.values() if said.guest == name]
            report.violations += miscounted(name, each, mine)
            report.violations += wrong_files(each, self._whole_files(name))
        report.violations += [Violation("daemon", text) for text in self._unexpected_ends()]
        report.stories += timelines(
            report.violations, lives, self.diary.lines, self._runs()[::-1], self.places
        )
        self._keep_journal()
        return report

    def _counted(self, lives: list[Life]) -> Report:
        found = [incident for life in lives for incident in incidents(life.events)]
        return Report(
            self.plan,
            kills=self.program.kills,
            panics=sum(life.panics for life in lives),
            dumps=sum(len(incident.dumps) for incident in found),
            resets=sum(len(incident.resets) for incident in found),
            outcomes=Counter(said.outcome for said in heard(self.ear).values()),
            qemu_kills=sum(life.killed for life in lives),
            broker_kills=self.broken_broker.kills,
            publishes=len(witness.owed(self.places.journal)),
            full_disks=self.full_disk.turns,
        )

    def _whole_files(self, guest: str) -> int:
        files = self.places.dumps.glob(f"{guest}-*.kdump")
        return sum(dump_problem(file) is None for file in files)

    def _heard(self) -> list[tuple[str, bytes]]:
        return [(message.topic, message.payload) for message in list(self.ear.messages)]

    def _unpublished(self) -> list[Violation]:
        return list(unpublished(witness.owed(self.places.journal), self._heard()))

    def _unexpected_ends(self) -> list[str]:
        # With a disk that is full it may refuse to start: who runs it starts it again.
        return [] if Fault.DISK in self.plan.faults else self.program.ends

    def _keep_journal(self) -> None:
        """Out of the small file system, which goes away with the round."""
        with contextlib.suppress(JournalError, OSError):
            shutil.copy(self.places.journal, self.places.folder / "journal-kept.db")


async def play(plan: Plan, places: Places) -> Report:
    """One round in a folder that is empty."""
    async with Lab() as lab:
        return await Round(plan, places, lab).play()
