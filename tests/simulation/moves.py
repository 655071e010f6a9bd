"""What can happen on a stage, and the histories that a seed makes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from reactor.core.orders import AddSilence, HoldGuests, ReleaseGuests
from tests.simulation.disk import Crash, Where
from tests.simulation.policies import ALL, CHANGED, GUESTS
from tests.simulation.qemus import DEVICES
from tests.simulation.stage import Stage

PAUSES = (0.0, 0.0005, 0.0015, 0.0035, 0.011, 0.06, 0.4, 1.7, 2.0, 6.0, 31.0, 400.0)
"""Seconds between two moves: within a write, a reply, a dump, a reconnect, a delay, a limit."""

KINDS = """
    panic panic panic panic panic panic panic io-error io-error go go go disk-fine
    cut cut cut-at cut-at die crash crash crash send-crash send-crash send-crash send-crash
    kill stop start start start start start
    broker-down broker-cut broker-cut-at broker-cut-at broker-silent broker-up broker-up
    disk-full disk-full disk-fine disk-fine wall-ahead wall-back
    reload change slow-dump broken-dump fine-dump hold release release silence
""".split()

BESIDE = "port port port unplug unplug hang hang noise noise calm disk-tight disk-tight".split()
"""What happens besides, put between the others: QEMU's devices change, or it hangs; something
waits; the disk takes some batches and not the others."""

STORIES = (
    "release disk-fine start ask ask approve approve kill start",
    "release disk-fine start ask crash ask start approve refuse ask start approve",
    "release disk-fine start silence go kill start go go",
    "release disk-fine start hold kill start go noise",
    "release disk-fine start calm kill start noise noise",
    "release disk-fine start noise kill start noise",
    "disk-fine start panic go noise disk-tight ask panic go noise kill start",
    "release disk-fine start fine-dump send-crash=3 panic start:31",
)
"""What chance alone would hardly ever put in this order: operators are asked, answer and order,
and the daemon ends at once, or between a reset and its end. One of them stands in some histories,
in one piece. ``=3`` leaves no choice, ``:31`` is the pause before."""

BURST_S = 0.0013

STORY_PAUSES = (0.06, 0.4, 1.7)


@dataclass(frozen=True, slots=True)
class Move:
    """After ``pause`` seconds something happens; ``choice`` decides its details."""

    pause: float
    kind: str
    guest: str
    choice: int

    def __str__(self) -> str:
        return f"{self.pause:8.4f} s later: {self.kind} ({self.guest}, {self.choice})"


def history(seed: int) -> list[Move]:
    """The moves of this seed."""
    rng = Random(seed)
    names = tuple(GUESTS)
    # Some histories are short and dense, some are long.
    pauses = PAUSES[: rng.choice((6, 9, 12))]
    moves = [
        Move(rng.choice(pauses), rng.choice(KINDS), rng.choice(names), rng.randrange(1000))
        for _ in range(rng.randint(2, 24))
    ]
    for _ in range(rng.randint(0, 8)):
        beside = Move(
            rng.choice(pauses), rng.choice(BESIDE), rng.choice(names), rng.randrange(1000)
        )
        moves.insert(rng.randint(0, len(moves)), beside)
    if rng.random() < 0.6:
        guest, place = rng.choice(names), rng.randint(0, len(moves))
        moves[place:place] = [_told(word, guest, rng) for word in rng.choice(STORIES).split()]
    return moves


def _told(word: str, guest: str, rng: Random) -> Move:
    """The move of a word of a story."""
    told, _, pause = word.partition(":")
    kind, _, choice = told.partition("=")
    pauses = [float(pause)] if pause else STORY_PAUSES
    choices = [int(choice)] if choice else range(1000)
    return Move(rng.choice(pauses), kind, guest, rng.choice(choices))


async def make(stage: Stage, move: Move) -> None:
    """Let it happen."""
    if move.kind == "stop":
        await stage.stop()
    else:
        _MOVES[move.kind](stage, move.guest, move.choice)


def _either(choice: int, most: int) -> int:
    """From 1 to ``most``, or below 0 the same: before something happens, or after."""
    count = 1 + choice // 2 % most
    return count if choice % 2 else -count


def _io_error(stage: Stage, guest: str, _choice: int) -> None:
    data = {"device": "d0", "operation": "read", "action": "stop", "reason": "EIO"}
    stage.qemus.event(guest, "BLOCK_IO_ERROR", data)


def _cut(stage: Stage, guest: str, choice: int) -> None:
    stage.qemus.cut(guest, lose_commands=choice % 2 == 0, lose_replies=choice % 4 < 2)


def _cut_at(stage: Stage, guest: str, choice: int) -> None:
    stage.qemus.monitors[guest].cut_at = _either(choice, 6)


def _crash(stage: Stage, _guest: str, choice: int) -> None:
    stage.disk.crash = Crash(1 + choice // 5 % 12, tuple(Where)[choice % 5])


def _send_crash(stage: Stage, _guest: str, choice: int) -> None:
    stage.send_crash = _either(choice, 4)


def _broker_cut_at(stage: Stage, _guest: str, choice: int) -> None:
    stage.broker.cut_at = _either(choice, 6)


def _broker_silent(stage: Stage, _guest: str, _choice: int) -> None:
    stage.broker.is_silent = True


def _disk(stage: Stage, *, full: bool = False, tight: bool = False) -> None:
    stage.let_disk_be(full=full, tight=tight)


def _disk_tight(stage: Stage, _guest: str, _choice: int) -> None:
    """And much happens at once, so that several batches wait for it together."""
    _disk(stage, tight=True)
    happens = [(guest, name) for name in ("NOISE", "CALM") for guest in GUESTS]
    for number, (guest, name) in enumerate(happens):
        stage.loop.call_later(number * BURST_S, stage.qemus.event, guest, name, {})


def _set_clock(stage: Stage, choice: int, direction: float) -> None:
    stage.loop.wall_offset += direction * (0.5, 20.0, 900.0)[choice % 3]


_MOVES: Mapping[str, Callable[[Stage, str, int], None]] = {
    "panic": lambda stage, guest, _: stage.qemus.panic(guest),
    "io-error": _io_error,
    "go": lambda stage, guest, n: stage.qemus.event(guest, "GO", {"disk": f"d{n % 2}"}),
    "ask": lambda stage, guest, n: stage.qemus.event(guest, "ASK", {"disk": f"d{n % 2}"}),
    "approve": lambda stage, _, n: stage.approve(n, yes=True),
    "refuse": lambda stage, _, n: stage.approve(n, yes=False),
    "cut": _cut,
    "cut-at": _cut_at,
    "die": lambda stage, guest, n: stage.qemus.die(guest, (0.01, 1.0, 20.0)[n % 3]),
    "crash": _crash,
    "send-crash": _send_crash,
    "kill": lambda stage, _, __: stage.kill(),
    "start": lambda stage, _, __: stage.start(),
    "broker-down": lambda stage, _, __: stage.broker.down(),
    "broker-cut": lambda stage, _, n: stage.broker.cut(lose_messages=n % 2 == 0),
    "broker-cut-at": _broker_cut_at,
    "broker-silent": _broker_silent,
    "broker-up": lambda stage, _, __: stage.broker.up(),
    "port": lambda stage, guest, _: stage.qemus.flip(guest),
    "unplug": lambda stage, guest, n: stage.qemus.unplug(guest, DEVICES[n % len(DEVICES)]),
    "hang": lambda stage, guest, n: stage.qemus.hang(guest, (3.0, 20.0, 90.0)[n % 3]),
    "disk-full": lambda stage, _, __: _disk(stage, full=True),
    "disk-fine": lambda stage, _, __: _disk(stage),
    "disk-tight": _disk_tight,
    "noise": lambda stage, guest, _: stage.qemus.event(guest, "NOISE", {}),
    "calm": lambda stage, guest, _: stage.qemus.event(guest, "CALM", {}),
    "wall-ahead": lambda stage, _, n: _set_clock(stage, n, 1.0),
    "wall-back": lambda stage, _, n: _set_clock(stage, n, -1.0),
    "reload": lambda stage, _, __: stage.reload(ALL),
    "change": lambda stage, _, __: stage.reload(CHANGED),
    "slow-dump": lambda stage, guest, _: stage.qemus.dumps(guest, takes=25.0, breaks=None),
    "broken-dump": lambda stage, guest, _: stage.qemus.dumps(guest, takes=0.5, breaks="no room"),
    "fine-dump": lambda stage, guest, _: stage.qemus.dumps(guest, takes=0.5, breaks=None),
    "hold": lambda stage, guest, n: stage.order(HoldGuests(("", guest)[n % 2], 40.0)),
    "release": lambda stage, _, __: stage.order(ReleaseGuests()),
    "silence": lambda stage, guest, _: stage.order(AddSilence(("counted", "slow"), (guest,), 15.0)),
}
