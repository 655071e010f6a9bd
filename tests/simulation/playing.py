"""One history from its first move to its audit."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.simulation.audit import audit
from tests.simulation.faulty import Fault, FaultyMonitor
from tests.simulation.loop import StalledError, VirtualLoop
from tests.simulation.moves import Move, history, make
from tests.simulation.policies import ALL, GUESTS
from tests.simulation.remembered import ENDS
from tests.simulation.stage import Stage, play

MEMORY = Path("/dev/shm")  # noqa: S108 - only ever a parent of temporary folders

SOUND = "db-2"
"""The guest whose monitor never goes wrong by a script."""

SETTLED_S = 10.0

Scripts = Mapping[str, Sequence[Fault]]
"""By guest, what its monitor does wrong."""

REST_S = 6000.0
"""Seconds for which everything works again at the end: longer than any limit or delay."""

LOOK_S = 100.0

FULL_REST = 0.1
"""How many histories rest for so long also when nothing is due any more."""


@dataclass(frozen=True, slots=True)
class Played:
    """A history with what is wrong with it; ``digest`` tells two of them apart."""

    seed: int
    moves: Sequence[Move]
    wrong: Sequence[str]
    digest: str

    def __str__(self) -> str:
        lines = [f"SEED={self.seed}: {len(self.moves)} moves", *map(str, self.moves)]
        return "\n  ".join([*lines, *(f"WRONG: {one}" for one in self.wrong)])


def play_seed(seed: int) -> Played:
    """The history of this seed."""
    return play_moves(seed, history(seed))


def play_moves(seed: int, moves: Sequence[Move], scripts: Scripts | None = None) -> Played:
    """These moves, with the chance of this seed; ``scripts`` say which monitors go wrong."""
    loop = VirtualLoop()
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="reactor-simulation-", dir=where) as folder:
        kinds = dict.fromkeys(scripts or {}, FaultyMonitor)
        stage = Stage(loop, Path(folder), GUESTS, ALL, Random(seed), monitors=kinds)
        for name, script in (scripts or {}).items():
            faulty = stage.qemus.monitors[name]
            assert isinstance(faulty, FaultyMonitor)
            faulty.script.extend(script)
        wrong: list[str] = []
        with stage.patched():
            try:
                play(loop, _scene(stage, moves, wrong))
            except StalledError as error:
                wrong.append(str(error))
    wrong += loop.faults
    heard = [(round(one.at, 6), one.seq, one.topic) for one in stage.broker.heard]
    return Played(seed, moves, wrong, str(heard))


async def _scene(stage: Stage, moves: Sequence[Move], wrong: list[str]) -> None:
    stage.start()
    for move in moves:
        if move.pause:
            await asyncio.sleep(move.pause)
        await make(stage, move)
    wrong += await _others_go_on(stage)
    await _heal(stage)
    wrong += audit(stage)
    await stage.stop()
    await stage.wait_for_ends()
    mine = {asyncio.current_task()}
    wrong += [f"a task is left: {task!r}" for task in asyncio.all_tasks() - mine]


async def _others_go_on(stage: Stage) -> list[str]:
    """Where some monitors go wrong, the others are served as if nothing was."""
    faulty = {name for name, one in stage.qemus.monitors.items() if isinstance(one, FaultyMonitor)}
    if not faulty:
        return []
    stage.start()
    await asyncio.sleep(SETTLED_S)
    sound = stage.qemus.monitors[SOUND]
    before = len(sound.deeds)
    stage.qemus.panic(SOUND)
    await asyncio.sleep(SETTLED_S)
    done = [deed.command for deed in sound.deeds[before:]]
    if done != ["dump-guest-memory", "system_reset", "cont"]:
        return [f"{SOUND}, whose monitor is sound, was served {done}"]
    return []


async def _heal(stage: Stage) -> None:
    """Everything works again, for long enough."""
    stage.let_disk_be()
    stage.disk.crash = stage.send_crash = None
    stage.broker.up()
    stage.broker.cut_at = None
    for name in stage.qemus.monitors:
        stage.qemus.heal(name)
    for _ in range(2):
        # Again: it may die of a crash that was under way.
        stage.start()
        await asyncio.sleep(1.0)
    stage.start()
    await _rest(stage)


async def _rest(stage: Stage) -> None:
    """As long as anything is due, or should be; some histories rest longer all the same."""
    end = stage.loop.time() + REST_S
    is_short = stage.chance.random() >= FULL_REST
    while (left := end - stage.loop.time()) > 0:
        await asyncio.sleep(min(left, LOOK_S) if is_short else left)
        if is_short and _has_come_to_rest(stage):
            return


def _has_come_to_rest(stage: Stage) -> bool:
    if stage.life is None or not stage.life.daemon.ready.is_set():
        return False
    daemon = stage.life.daemon
    # Not the deadlines alone: one that was forgotten is a fault, and shows in time.
    waits = any(row.kind == "run" or row.kind in ENDS for row in daemon.engine.snapshot())
    guests = daemon.engine.world.guests.values()
    return (
        not waits
        and daemon.engine.next_deadline() is None
        and all(guest.connected for guest in guests)
        and not daemon.journal.reader.outbox(0, 1)
    )
