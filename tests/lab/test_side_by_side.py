"""The simulated guest beside a real QEMU: the same commands go to both, and both say the same."""

import asyncio
import random
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from reactor.app.scenario.qemu import Traits
from reactor.core.guards import DUMP_PAUSE
from reactor.demo.bootcode import guest_code
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from reactor.demo.waiting import until, until_async
from reactor.errors import GuestError, LostReply
from reactor.policyfile.policy_tests import Answering, Follow
from tests.app.scenario.guests import Bench
from tests.lab.lab import Fifo
from tests.lab.recipes import NOWHERE

pytestmark = pytest.mark.asyncio

STEPS = 24
"""Commands of one sequence."""

_DUMP = {"paging": False, "detach": True, "format": "elf"}
_ARGUMENTS: Mapping[str, Mapping[str, object]] = {
    "dump-guest-memory": {**_DUMP, "protocol": "file:/dev/null"},
    "migrate": {"uri": NOWHERE},
}

_AT_ANY_TIME = (
    "stop",
    "cont",
    "cont",
    "cont",
    "system_reset",
    "system_reset",
    "system_powerdown",
    "system_wakeup",
    "dump-guest-memory",
    "migrate",
    "migrate_cancel",
)
_WHILE_DUMPING = (
    "stop",
    "cont",
    "system_powerdown",
    "system_wakeup",
    "dump-guest-memory",
    "migrate",
)

_ANSWERS = {
    # Faster than any real one: what matters is the order.
    "dump-guest-memory": Answering(takes=0.3),
    "migrate": Answering(takes=0.2),
    "system_powerdown": Answering(obeys=False),
    "inject-nmi": Answering(then=(Follow(0.01, "GUEST_PANICKED", {"action": "pause"}),)),
}


@dataclass
class Both:
    """A real guest and a simulated one; ``log`` is what was sent, for who reads a failure.

    ``works`` is whether the guest's own code is alive: a panicked kernel that is let go is not.
    """

    guest: Guest
    bench: Bench
    log: list[str] = field(default_factory=list)
    works: bool = True
    dumped: float = float("-inf")

    @property
    def runs(self) -> bool:
        """Whether the processors run."""
        return self.bench.qemu.is_running

    async def send(
        self, command: str, arguments: Mapping[str, object] | None = None, *, run: float = 2.0
    ) -> None:
        """Send a command to both, and compare: the reply, the events, and the next state.

        Args:
            run: seconds that the simulation goes on.
        """
        arguments = _ARGUMENTS.get(command, {}) if arguments is None else arguments
        self.log.append(command)
        mark = self.guest.control.seen
        told = await self._real(command, arguments)
        replied = self.bench.command(command, arguments)
        self.bench.run(run)
        assert (command, told) == (command, replied), self.log
        if self.bench.ended:
            assert await self.guest.ended() == -signal.SIGABRT, self.log
        else:
            await self.agree(mark)

    async def _real(self, command: str, arguments: Mapping[str, object]) -> str:
        try:
            await self.guest.control.command(command, dict(arguments))
        except GuestError as error:
            return error.description
        return "ok"

    async def agree(self, mark: int) -> None:
        """Return when both have told the same events since the mark, and are in one state."""
        expected = _by_host([(event.name, event.data) for event in self.bench.told])
        self.bench.told.clear()
        found: tuple[Sequence[str], str] = ([], "")

        async def same() -> bool:
            nonlocal found
            events = [(seen.name, seen.data) for seen in self.guest.control.events(after=mark)]
            found = _by_host(events), await self.guest.control.status()
            return found == (expected, self.bench.qemu.status)

        try:
            await until_async("both agree", same)
        except Exception as error:
            wanted = (expected, self.bench.qemu.status)
            message = f"{self.log}: simulated {wanted}, real {found}"
            raise AssertionError(message) from error

    async def settle(self) -> None:
        """Let the real guest's own code come up again, if it runs and is alive."""
        if self.runs and self.works and not self.bench.ended:
            await self.guest.alive()


def _by_host(events: Sequence[tuple[str, Mapping[str, object]]]) -> list[str]:
    """The names, without the firmware's own resets: when they come is a matter of speed."""
    return [name for name, data in events if not (name == "RESET" and data["guest"])]


async def _both(lab: Lab) -> Both:
    plan = GuestPlan(boot=guest_code(panics=0), preserved=True)
    guest = await lab.guest(plan=plan)
    bench = Bench("prelaunch", Traits(actions={"panic": "pause"}), _ANSWERS)
    both = Both(guest, bench)
    await both.send("cont")
    await guest.up()
    return both


async def _dump_in_the_way(both: Both, chance: random.Random, number: int) -> None:
    """A dump that hangs, commands while it does, and its end."""
    fifo = Fifo(both.guest.files / f"fifo-{number}")
    try:
        await both.send("dump-guest-memory", {**_DUMP, "protocol": fifo.target}, run=0.0)
        await fifo.begun()
        for _ in range(chance.randint(1, 3)):
            await both.send(chance.choice(_WHILE_DUMPING), run=0.05)
        mark = both.guest.control.seen
        await fifo.drain()
    finally:
        fifo.close()
    both.log.append("the dump ends")
    both.bench.run(5.0)
    await both.agree(mark)


async def _step(both: Both, chance: random.Random, number: int) -> None:
    """One command, or a dump with commands in between."""
    loop = asyncio.get_running_loop()
    kind = chance.random()
    if kind < 0.15 and both.runs and both.works:
        await both.send("inject-nmi")
        both.works = False
        return
    command = chance.choice(_AT_ANY_TIME)
    dumps = command == "dump-guest-memory" or kind > 0.9
    if dumps:
        # QEMU 7.2 cleans up late, and aborts at a dump that comes too soon.
        await until("QEMU has cleaned up", lambda: loop.time() >= both.dumped + DUMP_PAUSE)
    if kind > 0.9:
        await _dump_in_the_way(both, chance, number)
    else:
        await both.send(command)
    if dumps:
        both.dumped = loop.time()
    if command == "system_reset" and kind <= 0.9:
        both.works = True
    await both.settle()


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_sequence_of_commands(lab: Lab, seed: int) -> None:
    """Reply by reply, event by event, state by state."""
    both = await _both(lab)
    chance = random.Random(seed)  # noqa: S311 - always the same sequences
    for number in range(STEPS):
        await _step(both, chance, number)
        if both.bench.ended:
            return
    await both.guest.quit()
    both.bench.command("quit")
    assert both.bench.run(1.0).ended == "the connection was closed"


async def test_a_second_migration_behind_a_reset(lab: Lab) -> None:
    """The disks were given away already: both abort."""
    both = await _both(lab)
    for command in ("migrate", "system_reset", "migrate"):
        await both.send(command)
    assert both.bench.ended == "QEMU was aborted (SIGABRT)"


async def test_a_reset_while_a_running_guest_is_dumped(lab: Lab) -> None:
    """Both abort."""
    both = await _both(lab)
    fifo = Fifo(both.guest.files / "fifo")
    try:
        await both.send("dump-guest-memory", {**_DUMP, "protocol": fifo.target}, run=0.0)
        await fifo.begun()
        both.bench.command("system_reset")
        with pytest.raises(LostReply):
            await both.guest.control.command("system_reset")
        assert await both.guest.ended() == -signal.SIGABRT
    finally:
        fifo.close()
    assert both.bench.ended == "QEMU was aborted (SIGABRT)"
