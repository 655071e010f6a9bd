"""Who watches the guests beside the daemon: every life of every QEMU, and every message."""

import json
import time
from dataclasses import dataclass, field, replace
from typing import Final

from reactor.demo.bootcode import guest_code
from reactor.demo.guests import Guest
from tests.fakes.broker import Subscriber
from tests.lab.killing.ledger import Life
from tests.lab.killing.plan import ENDED, HOST

_TOPIC: Final = f"reactor/{HOST}/{ENDED}"


@dataclass
class Watched:
    """A guest with the lives of its QEMU that are over.

    Attributes:
        panics: how often it shall panic in all of its lives.
    """

    guest: Guest
    panics: int
    ticks: int
    over: list[Life] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """Whether the QEMU that runs now has its panics behind it."""
        return self.guest.boots > 0

    def lives(self) -> list[Life]:
        """All lives, the present one as far as it has come."""
        return [*self.over, self._life(killed=False)]

    async def kill(self) -> None:
        """End QEMU as a crash would; what it told until then is kept."""
        self.guest.kill9()
        await self.guest.ended()
        self.over.append(self._life(killed=True))

    async def start(self) -> None:
        """Another QEMU on the same paths; it has the panics before it that are left."""
        left = max(1, self.panics - sum(life.panics for life in self.over))
        boot = guest_code(panics=left, delay_ticks=self.ticks)
        self.guest.plan = replace(self.guest.plan, boot=boot)
        await self.guest.restart()
        await self.guest.run()

    def _life(self, *, killed: bool) -> Life:
        control = self.guest.control
        # A guest that was killed may have written its last letter and told nothing more.
        console = None if killed else self.guest.panics
        return Life(
            self.guest.name, len(self.over) + 1, control.events(), killed, console, control.dropped
        )


@dataclass
class Diary:
    """What the loop did and when, for who reads the time line of a violation."""

    lines: list[tuple[float, str]] = field(default_factory=list)

    def tell(self, line: str) -> None:
        """Note what was done just now."""
        self.lines.append((time.time(), line))


@dataclass(frozen=True, slots=True)
class Message:
    """What a run said at its end."""

    guest: str
    outcome: str


def heard(subscriber: Subscriber) -> dict[str, Message]:
    """The runs that were heard of; at least once is once here."""
    found = [json.loads(payload) for payload in subscriber.payloads(_TOPIC)]
    return {each["run"]: Message(each["guest"], each["outcome"]) for each in found}
