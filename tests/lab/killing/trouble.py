"""What fails in turns beside the daemon; each kind of trouble is a task until the round calms."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from reactor.demo.process import DemoError
from reactor.demo.waiting import until
from tests.fakes.broker import Mosquitto, Subscriber
from tests.lab.killing.audit import Diary, Watched
from tests.lab.killing.disk import Disk
from tests.lab.killing.ledger import Window
from tests.lab.killing.program import REFUSED, Program
from tests.lab.killing.relay import Relay

TOLD = "journal cannot be written"
_QEMU_LIVES = 3


@dataclass
class BrokerTrouble:
    """Lets the broker hang and die, over and over; the door opens when the subscriber is back."""

    broker: Mosquitto
    relay: Relay
    ear: Subscriber
    diary: Diary
    kills: int = 0
    _before: int = 0

    async def come_and_go(self, chance: random.Random) -> None:
        """It hangs, is killed, is away, and comes back."""
        while True:
            await asyncio.sleep(chance.uniform(0.5, 3.0))
            # What it is sent while it hangs is neither acknowledged nor passed on.
            self.broker.freeze()
            self.diary.tell("broker hangs")
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            self.relay.open = False
            self._before = self.ear.subscriptions
            self.broker.kill()
            self.kills += 1
            self.diary.tell("broker killed")
            await asyncio.sleep(chance.uniform(0.05, 1.5))
            await self.mend()
            self.diary.tell("broker is back")

    async def mend(self) -> None:
        """It works and the subscriber listens, wherever the trouble was ended; the door opens."""
        self.broker.thaw()
        if self.relay.open:
            return
        if not self.broker.runs:
            self.broker.start()  # blocks for a moment: a thread could not be cancelled
        await self.ear.until(lambda: self.ear.subscriptions > self._before, 30.0)
        self.relay.open = True


async def break_qemu(chance: random.Random, guests: Sequence[Watched], diary: Diary) -> None:
    """Kill one QEMU after the other at random, each a few times, and start it again.

    One that works already is let alone, but where all do before the first was killed.
    """
    while True:
        await asyncio.sleep(chance.uniform(1.0, 5.0))
        left = [each for each in guests if not each.works and len(each.over) < _QEMU_LIVES]
        if not any(each.over for each in guests):
            left = left or list(guests)
        if not left:
            return
        victim = chance.choice(left)
        await victim.kill()
        diary.tell(f"QEMU of {victim.guest.name} killed")
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        await victim.start()
        diary.tell(f"QEMU of {victim.guest.name} started again")


@dataclass
class FullDisk:
    """Fills the disk under the journal again and again; ``windows`` is when that was told.

    Attributes:
        turns: how often a daemon found no room, those that did not start included.
    """

    disk: Disk
    program: Program
    guests: Sequence[Watched]
    windows: list[Window]
    diary: Diary
    turns: int = 0

    async def come_and_go(self, chance: random.Random) -> None:
        """Full until something found no room and a guest has panicked, then room again."""
        while True:
            await asyncio.sleep(chance.uniform(0.5, 3.0))
            start = time.time()
            self.disk.fill(self.program)
            self.diary.tell(f"the disk is full ({self.disk.how})")
            await self._something_happens(start, chance.uniform(2.0, 10.0))
            room = time.time()
            self.disk.empty(self.program)
            self.diary.tell("the disk has room")
            self.turns += self._found(start)
            if (told := self._told(start)) is not None:
                self.windows.append(Window(told, room))

    async def _something_happens(self, start: float, within: float) -> None:
        try:
            await until("a daemon finds no room", lambda: self._found(start), within)
            panics = self._panics()
            await until("a guest panics", lambda: self._panics() > panics, 2.0)
        except DemoError as nothing:
            self.diary.tell(f"{nothing.place}: this did not happen")

    def _found(self, start: float) -> bool:
        return any(at > start and event in {TOLD, REFUSED} for at, event in self.program.said)

    def _told(self, start: float) -> float | None:
        said = (at for at, event in self.program.said if at > start and event == TOLD)
        return next(said, None)

    def _panics(self) -> int:
        return sum(each.guest.panics for each in self.guests)
