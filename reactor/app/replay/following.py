"""How a simulated guest follows the record: its state, without events of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from reactor.app.replay.past import Past
from reactor.app.scenario.guest import SimulatedGuest
from reactor.app.scenario.qemu import Qemu
from reactor.core.event import Event
from reactor.core.inputs import Facts

_STATES: Mapping[tuple[str, str], str] = {
    ("GUEST_PANICKED", "pause"): "guest-panicked",
    ("BLOCK_IO_ERROR", "stop"): "io-error",
    ("WATCHDOG", "pause"): "watchdog",
}
_LEFT_BY_RESET = frozenset(_STATES.values()) | {
    "paused",
    "shutdown",
    "internal-error",
    "postmigrate",
}

_SYNCS = frozenset({"STOP", "RESUME", "SUSPEND", "WAKEUP", "SHUTDOWN"})
"""Events after which a guest's state is that of the record, whatever was done before."""

MOVERS = (
    "stop cont system_reset system_wakeup system_powerdown dump-guest-memory quit "
    "migrate migrate_cancel"
).split()
"""Commands that move the run state of a guest."""

QUIET_S = 10.0
"""Seconds without a command of then or now before what was observed then is believed."""


@dataclass(slots=True)
class Follower:
    """Keeps one guest beside the record.

    The guest is in step for as long as every command that moved it then was sent now too,
    and no other. ``synced`` is when the record last said what state it is in, ``alone`` when
    a command of now was sent that was not sent then; ``moved`` is the last one of either.
    """

    guest: SimulatedGuest
    past: Past
    synced: float = 0.0
    alone: float = -1.0
    moved: float = -QUIET_S

    def is_in_step(self, now: float) -> bool:
        """Whether the state of then is the state of now."""
        if self.alone >= self.synced:
            return False
        return not self.past.untaken(self.guest.name, MOVERS, self.synced, now)

    def commanded(self, command: str, now: float, *, then_too: bool) -> None:
        """A command was sent to the guest, and not refused."""
        if command in MOVERS:
            self.moved = now
            if not then_too:
                self.alone = now

    def observe(self, status: str, now: float) -> None:
        """The guest said then that this is its state."""
        qemu = self.guest.qemu
        if qemu is None or qemu.status == status or now - self.moved < QUIET_S:
            return
        if self.is_in_step(now):
            qemu.status = status

    def happened(self, event: Event, now: float) -> None:
        """Bring the guest into the state in which this event left the real one."""
        qemu = self.guest.qemu
        if qemu is None:
            return
        state = _STATES.get((event.name, str(event.data.get("action", ""))))
        if state is not None:
            qemu.status = state
        if state is not None or event.name in _SYNCS:
            self.synced = now
        if event.name in _MOVED:
            _move(qemu, event)

    def connected(self, facts: Facts, now: float, *, same_life: bool) -> None:
        """Let the guest be what the real one said at a connect, as far as it is in step."""
        traits = self.guest.traits
        traits.kind = facts.kind
        traits.version = facts.qemu_version or traits.version
        traits.uuid, traits.memory = facts.uuid, facts.memory_bytes
        if same_life and self.guest.qemu is not None and not self.is_in_step(now):
            return
        qemu = self.guest.qemu or self.guest.start()
        qemu.status = facts.status
        # A dump of ours is simulated: only one that is over can be taken over.
        qemu.dump = facts.dump if facts.dump != "active" else qemu.dump
        qemu.migration.status = "active" if facts.migrating else ""
        self.synced = now


_MOVED = frozenset({"STOP", "RESUME", "WAKEUP", "RESET", "SUSPEND", "SHUTDOWN", "MIGRATION"}) | {
    "DUMP_COMPLETED"
}


def _move(qemu: Qemu, event: Event) -> None:  # noqa: C901 - one case for each
    match event.name:
        case "STOP" if qemu.is_running:
            qemu.status = "paused"
        case "RESUME" | "WAKEUP":
            qemu.status = "running"
        case "RESET" if qemu.status in _LEFT_BY_RESET:
            qemu.status = "prelaunch"
        case "SUSPEND":
            qemu.status = "suspended"
        case "SHUTDOWN":
            qemu.status = "shutdown"
        case "MIGRATION":
            _migration(qemu, str(event.data.get("status", "")))
        case "DUMP_COMPLETED":
            result = event.data.get("result")
            if isinstance(result, Mapping):
                qemu.dump = str(result.get("status", qemu.dump))
        case _:
            return


def _migration(qemu: Qemu, status: str) -> None:
    qemu.migration.status = status
    if status == "completed":
        qemu.status = "postmigrate"
