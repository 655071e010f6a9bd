"""What a supervisor such as systemd is told of the daemon: where it stands, and that it lives.

The sign of life comes from the one loop that does everything. The dispatcher in it waits for
nothing but the disk, and a disk that does not answer is told; to start anew would not mend it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

import structlog

from reactor.adapters.supervisor import State, Supervisor
from reactor.app.control.vitals import Parts, journal_trouble, rules_trouble
from reactor.app.printable import printable
from reactor.core.policy import Enforcement

LOOK_S = 2.0
"""Seconds between two looks at how it is: no status is older."""

SHARE = 3
"""Signs of life in the time that the supervisor waits for one: two may be late."""

log = structlog.get_logger("reactor")


class Supervision:
    """Tells the supervisor, if there is one.

    Args:
        supervisor: None where nobody wants to know.
        status: how the daemon is, in words.
    """

    def __init__(self, supervisor: Supervisor | None, status: Callable[[], str]) -> None:
        self._supervisor = supervisor or Supervisor()
        self._status = status
        self._told = ""
        self._trouble = ""

    def ready(self) -> None:
        """Say that the daemon serves."""
        # First how it is: whoever waits for it to be ready asks for that next.
        if self._supervisor.listens:
            self._describe(self._status())
        self._enter(State.READY)

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that it reads its policies anew, and afterwards that it is ready again."""
        self._enter(State.RELOADING)
        yield
        self.ready()

    def stopping(self) -> None:
        """Say that it comes to its end."""
        self._enter(State.STOPPING)
        self._describe("stopping: commands in flight, the outbox and the journal are seen to")

    async def run(self) -> None:
        """Tell that it is ready, that it lives, and each change of how it is, until cancelled."""
        patience_s = self._supervisor.patience_s
        pause_s = min(LOOK_S, patience_s / SHARE) if patience_s else LOOK_S
        self.ready()
        while self._supervisor.listens:
            self._supervisor.live()
            self._describe(self._status())
            await asyncio.sleep(pause_s)

    def _enter(self, state: State) -> None:
        self._supervisor.enter(state, time.monotonic())
        self._tell_trouble()

    def _describe(self, status: str) -> None:
        if status != self._told:
            self._told = status
            self._supervisor.describe(printable(status))
        self._tell_trouble()

    def _tell_trouble(self) -> None:
        """Log why it cannot be told, at each change of it."""
        problem = self._supervisor.problem
        if problem and problem != self._trouble:
            log.warning(
                "the supervisor cannot be told",
                place=f"NOTIFY_SOCKET={self._supervisor.address}",
                problem=problem,
                fix="nothing hangs on it here, but systemd ends a service of Type=notify that it "
                "does not hear: look at what made the variable",
            )
        self._trouble = problem


def status_words(parts: Parts) -> str:
    """How the daemon is, in one line: what it watches, then what is not as it should be."""
    world = parts.engine.world
    known = [guest for guest in world.guests.values() if not guest.forgotten]
    connected = sum(guest.connected for guest in known)
    words = [
        f"watches {_of(connected, len(known))}",
        _counted(len(world.index.policies), "policy", "policies"),
    ]
    if world.runs:
        words.append(_counted(len(world.runs), "open run", "open runs"))
    return "; ".join([", ".join(words), *_troubles(parts)])


def _troubles(parts: Parts) -> Iterator[str]:
    if trouble := journal_trouble(parts):
        yield f"the journal cannot be written: {trouble}"
    if holds := parts.engine.world.restraints.holds:
        guests = _counted(len(holds), "guest is held", "guests are held")
        yield "everything is held" if "" in holds else guests
    if parts.settings.enforcement is Enforcement.AUDIT:
        yield "audit: nothing is done to any guest"
    if parts.broker is not None and not parts.broker.publisher.connected:
        yield "the broker is away"
    if trouble := rules_trouble(parts):
        yield trouble


def _of(part: int, whole: int) -> str:
    if not whole:
        return "no guest"
    guests = _counted(whole, "guest", "guests")
    return guests if part == whole else f"{part} of {guests}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
