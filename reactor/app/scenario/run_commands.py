"""Commands that move the run state: stop, cont, reset, power button, dump, quit."""

from collections.abc import Mapping

from reactor.app.scenario.qemu import CLEAN_UP, HOST_RESET, Qemu, gone_wrong
from reactor.core.inputs import Refusal
from reactor.policyfile.policy_tests import Answering

DUMP_TAKES = 2.0
OBEYS_AFTER = 5.0
_DUMPING = "There is a dump in process, please wait."
_BLOCKED = (
    "disallowing migration blocker (migration/snapshot in progress) for: "
    "Live migration disabled: dump-guest-memory in progress"
)

Result = Refusal | object | None
"""What a command leads to: an error, its result, or None for QEMU's empty one."""


def stop(qemu: Qemu, _arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Refused during a dump; a guest that stands still keeps its state."""
    if qemu.dump == "active":
        return gone_wrong(_DUMPING)
    if qemu.is_running:
        qemu.stand_still("paused")
    return None


def cont(qemu: Qemu, _arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Also a panicked guest, and one that has migrated, runs on."""
    if qemu.dump == "active":
        return gone_wrong(_DUMPING)
    if qemu.status in {"shutdown", "internal-error"}:
        return gone_wrong("Resetting the Virtual Machine is required")
    if qemu.status == "finish-migrate":
        return gone_wrong("Migration is not finalized yet")
    if qemu.status not in {"inmigrate", "suspended"}:
        qemu.run_on()
    return None


def system_reset(qemu: Qemu, _arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Accepted in every state; in `save-vm` it aborts QEMU."""
    if qemu.status == "save-vm":
        qemu.end("QEMU was aborted (SIGABRT)")
        return None
    if qemu.actions.get("reboot") == "shutdown":
        qemu.shut_down(HOST_RESET, by_guest=False)
        return None
    qemu.reset()
    return None


def system_powerdown(qemu: Qemu, _arguments: Mapping[str, object], answering: Answering) -> Result:
    """The button is always pressed; only a guest that runs can obey."""
    qemu.send("POWERDOWN")

    def obey() -> None:
        if qemu.is_running:
            qemu.shut_down("guest-shutdown", by_guest=True)

    if answering.obeys and qemu.is_running:
        qemu.later(OBEYS_AFTER if answering.takes is None else answering.takes, obey)
    return None


def system_wakeup(qemu: Qemu, _arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Refused unless the guest sleeps."""
    if qemu.status != "suspended":
        return gone_wrong("Unable to wake up: guest is not in suspended state")
    qemu.status = "running"
    qemu.send("WAKEUP")
    return None


def inject_nmi(_qemu: Qemu, _arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Accepted in every state; what the guest makes of it is its own affair."""
    return None


def set_action(qemu: Qemu, arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Kept for this life of QEMU."""
    qemu.actions.update({name: str(action) for name, action in arguments.items()})
    return None


def quit_(qemu: Qemu, _arguments: Mapping[str, object], _answering: Answering) -> Result:
    """SHUTDOWN, the reply, and then the end."""
    qemu.send("SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"})
    qemu.later(0.01, lambda: qemu.end("the connection was closed"))
    return None


def dump_guest_memory(qemu: Qemu, arguments: Mapping[str, object], answering: Answering) -> Result:
    """One at a time; a running guest is in `save-vm` meanwhile, and a while longer."""
    if qemu.status == "inmigrate":
        coming = "incoming migration" if qemu.traits.major < 8 else "migration"
        return gone_wrong(f"Dump not allowed during {coming}.")
    if qemu.dump == "active":
        return gone_wrong(_DUMPING)
    if qemu.migration.is_running:
        return gone_wrong(_BLOCKED)
    qemu.dump = "active"
    qemu.dump_number += 1
    ran = qemu.is_running
    if ran:
        qemu.stand_still("save-vm")
    takes = DUMP_TAKES if answering.takes is None else answering.takes
    detached = arguments.get("detach") is True
    clean_up = CLEAN_UP if detached else 0.0
    qemu.later(takes, lambda: _dumped(qemu, answering.breaks, ran, clean_up))
    if not detached:
        # QEMU's loop stands still with it: nobody is answered before it is over.
        qemu.deaf_until = qemu.agenda.now + takes
    return None


def _dumped(qemu: Qemu, problem: str | None, ran: bool, clean_up: float) -> None:
    qemu.dump = "completed" if problem is None else "failed"
    size = qemu.traits.memory
    done = size if problem is None else 0
    data: dict[str, object] = {"result": {"total": size, "status": qemu.dump, "completed": done}}
    if problem is not None:
        data["error"] = problem
    qemu.send("DUMP_COMPLETED", data)
    if ran and clean_up:
        qemu.later(clean_up, qemu.run_on)
    elif ran:
        qemu.run_on()
