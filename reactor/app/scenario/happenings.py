"""What a simulated QEMU does of itself: an event of a test moves it as QEMU would have moved."""

from collections.abc import Callable, Mapping

from reactor.app.scenario import jobs
from reactor.app.scenario.qemu import Qemu

_Data = Mapping[str, object]


def happen(qemu: Qemu, name: str, data: _Data) -> None:
    """Let this event happen in the guest, with what comes with it.

    Events that move nothing are just told, through the rate limiter as all others.
    """
    move = _MOVES.get(name)
    if move is None:
        qemu.send(name, data)
    else:
        move(qemu, data)


def _panicked(qemu: Qemu, data: _Data) -> None:
    """``pause`` stops it, ``poweroff`` ends QEMU, ``run`` lets the dead kernel run."""
    qemu.send("GUEST_PANICKED", data)
    if data.get("action") == "pause":
        qemu.stand_still("guest-panicked")
    elif data.get("action") == "poweroff":
        qemu.actions["shutdown"] = "poweroff"
        qemu.shut_down("guest-panic", by_guest=True)


def _io_error(qemu: Qemu, data: _Data) -> None:
    qemu.send("BLOCK_IO_ERROR", data)
    if data.get("action") == "stop":
        qemu.stand_still("io-error")


def _watchdog(qemu: Qemu, data: _Data) -> None:
    """``poweroff`` ends QEMU without a SHUTDOWN (seen on 7.2); ``shutdown`` presses the button."""
    qemu.send("WATCHDOG", data)
    action = data.get("action")
    if action == "pause":
        qemu.stand_still("watchdog")
    elif action == "reset":
        qemu.reset("guest-reset", by_guest=True)
    elif action == "shutdown":
        qemu.send("POWERDOWN")
    elif action == "poweroff":
        qemu.later(0.01, lambda: qemu.end("the connection was closed"))


def _stop(qemu: Qemu, _data: _Data) -> None:
    """Somebody else's ``stop``; a guest that stood still already is told to stop all the same."""
    if qemu.is_running:
        qemu.stand_still("paused")
    else:
        qemu.send("STOP")


def _resume(qemu: Qemu, _data: _Data) -> None:
    if qemu.is_running:
        qemu.send("RESUME")
    else:
        qemu.run_on()


def _reset(qemu: Qemu, data: _Data) -> None:
    """A reset by the guest or by somebody else; the firmware's own are the test's business."""
    qemu.reset(str(data.get("reason", "guest-reset")), by_guest=data.get("guest") is True)
    qemu.spare_firmware()


def _shutdown(qemu: Qemu, data: _Data) -> None:
    qemu.shut_down(str(data.get("reason", "guest-shutdown")), by_guest=data.get("guest") is True)


def _suspend(qemu: Qemu, _data: _Data) -> None:
    qemu.status = "suspended"
    qemu.send("SUSPEND")


def _wakeup(qemu: Qemu, _data: _Data) -> None:
    qemu.status = "running"
    qemu.send("WAKEUP")


def _dump_completed(qemu: Qemu, data: _Data) -> None:
    """The end of a dump that somebody else asked for."""
    result = data.get("result")
    if isinstance(result, Mapping):
        qemu.dump = str(result.get("status", qemu.dump))
    qemu.send("DUMP_COMPLETED", data)


def _migration(qemu: Qemu, data: _Data) -> None:
    """A migration that somebody else began; the guest stops before it is completed."""
    status = str(data.get("status", ""))
    qemu.migration.status = status
    if status == "completed":
        qemu.stand_still("finish-migrate")
        qemu.status = "postmigrate"
    qemu.send("MIGRATION", data)


def _migration_pass(qemu: Qemu, data: _Data) -> None:
    number = data.get("pass")
    if not qemu.migration.is_running:
        qemu.migration.status = "active"
    if isinstance(number, int):
        qemu.migration.passes = number
    qemu.send("MIGRATION_PASS", data)


_MOVES: Mapping[str, Callable[[Qemu, _Data], None]] = {
    "GUEST_PANICKED": _panicked,
    "BLOCK_IO_ERROR": _io_error,
    "WATCHDOG": _watchdog,
    "STOP": _stop,
    "RESUME": _resume,
    "RESET": _reset,
    "SHUTDOWN": _shutdown,
    "SUSPEND": _suspend,
    "WAKEUP": _wakeup,
    "DUMP_COMPLETED": _dump_completed,
    "MIGRATION": _migration,
    "MIGRATION_PASS": _migration_pass,
    "BLOCK_JOB_READY": jobs.ready,
    "BLOCK_JOB_PENDING": jobs.pending,
    "BLOCK_JOB_COMPLETED": jobs.completed,
    "BLOCK_JOB_CANCELLED": jobs.cancelled,
    "BLOCK_JOB_ERROR": jobs.failing,
    "JOB_STATUS_CHANGE": jobs.changed,
}
