"""What can happen on a stage, and the histories that a seed makes of it."""

from dataclasses import dataclass
from random import Random

from reactor.core.orders import AddSilence, HoldGuests, ReleaseGuests
from tests.simulation.disk import Crash, Where
from tests.simulation.policies import ALL, CHANGED, GUESTS
from tests.simulation.stage import Stage

PAUSES = (0.0, 0.0005, 0.0015, 0.0035, 0.011, 0.06, 0.4, 1.7, 2.0, 6.0, 31.0, 400.0)
"""Seconds between two moves: within a write, a reply, a dump, a reconnect, a delay, a limit."""

KINDS = """
    panic panic panic panic io-error go go other disk-fine
    cut cut-at cut-at die crash crash crash send-crash send-crash kill stop start start start
    broker-down broker-cut broker-cut-at broker-cut-at broker-silent broker-up broker-up
    disk-full disk-full disk-fine disk-fine wall-ahead wall-back
    reload change slow-dump broken-dump fine-dump hold release release silence
""".split()


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
    return [
        Move(rng.choice(pauses), rng.choice(KINDS), rng.choice(names), rng.randrange(1000))
        for _ in range(rng.randint(2, 24))
    ]


async def make(stage: Stage, move: Move) -> None:  # noqa: C901 - one case for each kind
    """Let it happen."""
    qemus, disk = stage.qemus, stage.disk
    guest, choice = move.guest, move.choice
    match move.kind:
        case "panic":
            qemus.panic(guest)
        case "io-error":
            data = {"device": "d0", "operation": "read", "action": "stop", "reason": "EIO"}
            qemus.event(guest, "BLOCK_IO_ERROR", data)
        case "go" | "other":
            qemus.event(guest, "GO", {"disk": f"d{choice % 2}"})
        case "cut":
            qemus.cut(guest, lose_commands=choice % 2 == 0, lose_replies=choice % 4 < 2)
        case "cut-at":
            count = 1 + choice // 2 % 6
            qemus.monitors[guest].cut_at = count if choice % 2 else -count
        case "die":
            qemus.die(guest, (0.01, 1.0, 20.0)[choice % 3])
        case "crash":
            disk.crash = Crash(1 + choice // 5 % 12, tuple(Where)[choice % 5])
        case "send-crash":
            count = 1 + choice // 2 % 4
            stage.send_crash = count if choice % 2 else -count
        case "kill":
            stage.kill()
        case "stop":
            await stage.stop()
        case "start":
            stage.start()
        case _:
            _more(stage, move)


def _more(stage: Stage, move: Move) -> None:  # noqa: C901 - one case for each kind
    qemus, broker, disk = stage.qemus, stage.broker, stage.disk
    guest, choice = move.guest, move.choice
    match move.kind:
        case "broker-down":
            broker.down()
        case "broker-cut":
            broker.cut(lose_messages=choice % 2 == 0)
        case "broker-cut-at":
            count = 1 + choice // 2 % 6
            broker.cut_at = count if choice % 2 else -count
        case "broker-silent":
            broker.is_silent = True
        case "broker-up":
            broker.up()
        case "disk-full":
            disk.full = True
        case "disk-fine":
            disk.full = False
        case "wall-ahead":
            stage.loop.wall_offset += (0.5, 20.0, 900.0)[choice % 3]
        case "wall-back":
            stage.loop.wall_offset -= (0.5, 20.0, 900.0)[choice % 3]
        case "reload":
            stage.reload(ALL)
        case "change":
            stage.reload(CHANGED)
        case "slow-dump":
            qemus.dumps(guest, takes=25.0, breaks=None)
        case "broken-dump":
            qemus.dumps(guest, takes=0.5, breaks="no room")
        case "fine-dump":
            qemus.dumps(guest, takes=0.5, breaks=None)
        case "hold":
            stage.order(HoldGuests(("", guest)[choice % 2], 40.0))
        case "release":
            stage.order(ReleaseGuests())
        case "silence":
            stage.order(AddSilence(("counted", "slow"), (guest,), 15.0))
