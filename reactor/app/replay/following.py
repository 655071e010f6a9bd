"""How a simulated guest follows the record: its state, without events of its own."""

from collections.abc import Mapping

from reactor.app.scenario.guest import SimulatedGuest
from reactor.app.scenario.qemu import Qemu
from reactor.core.event import Event
from reactor.core.inputs import Facts

_STATES: Mapping[tuple[str, str], str] = {
    ("GUEST_PANICKED", "pause"): "guest-panicked",
    ("BLOCK_IO_ERROR", "stop"): "io-error",
    ("WATCHDOG", "pause"): "watchdog",
}
_FAULTS = frozenset(_STATES.values())


def follow(guest: SimulatedGuest, event: Event) -> None:  # noqa: C901 - one case for each
    """Bring the guest into the state in which this recorded event left the real one."""
    qemu = guest.qemu
    if qemu is None:
        return
    state = _STATES.get((event.name, str(event.data.get("action", ""))))
    if state is not None:
        qemu.status = state
        return
    match event.name:
        case "STOP" if qemu.is_running:
            qemu.status = "paused"
        case "RESUME" | "WAKEUP":
            qemu.status = "running"
        case "RESET" if qemu.status in {*_FAULTS, "paused", "shutdown"}:
            qemu.status = "prelaunch"
        case "SUSPEND":
            qemu.status = "suspended"
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


def adopt(guest: SimulatedGuest, facts: Facts) -> None:
    """Let the guest be what the real one said at a connect."""
    traits = guest.traits
    traits.kind = facts.kind
    traits.version = facts.qemu_version or traits.version
    traits.uuid, traits.memory = facts.uuid, facts.memory_bytes
    qemu = guest.qemu or guest.start()
    qemu.status = facts.status
    # A dump of ours is simulated: only one that is over can be taken over.
    qemu.dump = facts.dump if facts.dump != "active" else qemu.dump
    qemu.migration.status = "active" if facts.migrating else ""
