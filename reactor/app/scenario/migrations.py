"""Migrations of a simulated QEMU: passes, the last stop, failures, the cancel."""

from collections.abc import Mapping

from reactor.app.scenario.qemu import Qemu, gone_wrong
from reactor.app.scenario.run_commands import Result
from reactor.policyfile.policy_tests import Answering

MIGRATION_TAKES = 10.0
_IN_PROGRESS = "There's a migration process in progress"


def migrate(qemu: Qemu, _arguments: Mapping[str, object], answering: Answering) -> Result:
    """Accepted long before it is known whether it works."""
    if qemu.dump == "active":
        return gone_wrong("Live migration disabled: dump-guest-memory in progress")
    if qemu.migration.is_running:
        return gone_wrong(_IN_PROGRESS)
    if qemu.status == "inmigrate":
        return gone_wrong("Guest is waiting for an incoming migration")
    if qemu.status == "postmigrate":
        return gone_wrong("Can't migrate the vm that was paused due to previous migration")
    migration = qemu.migration
    migration.count += 1
    migration.passes, migration.error = 0, ""
    set_status(qemu, "setup")
    _pass(qemu)
    set_status(qemu, "active")
    takes = MIGRATION_TAKES if answering.takes is None else answering.takes
    mine = migration.count

    def finish() -> None:
        if migration.is_running and migration.count == mine:
            _finish(qemu, answering.breaks)

    qemu.later(takes, finish)
    return None


def _pass(qemu: Qemu) -> None:
    qemu.migration.passes += 1
    if qemu.migration.tells:
        # 11.1 counts from 2.
        number = qemu.migration.passes + (qemu.traits.major >= 8)
        qemu.send("MIGRATION_PASS", {"pass": number})


def set_status(qemu: Qemu, status: str) -> None:
    """The migration's new status; told only where the capability `events` is on."""
    qemu.migration.status = status
    if qemu.migration.tells:
        qemu.send("MIGRATION", {"status": status})


def _finish(qemu: Qemu, problem: str | None) -> None:
    if problem is not None:
        qemu.migration.error = problem
        set_status(qemu, "failed")
        return
    if qemu.disks_handed_over:
        # A reset behind a migration does not take the disks back: the next migration
        # would give them away twice, and QEMU 7.2 aborts (seen in the lab).
        qemu.end("QEMU was aborted (SIGABRT)")
        return
    # STOP precedes the last pass.
    qemu.stand_still("finish-migrate")
    _pass(qemu)
    set_status(qemu, "completed")
    qemu.status = "postmigrate"
    qemu.disks_handed_over = True


def migrate_cancel(qemu: Qemu, _arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Accepted always; the guest goes on as it was."""
    if qemu.migration.is_running:
        set_status(qemu, "cancelling")
        set_status(qemu, "cancelled")
    return None


def set_capabilities(qemu: Qemu, arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Locked while a migration runs; `events` lets MIGRATION and MIGRATION_PASS be told."""
    if qemu.migration.is_running:
        return gone_wrong(_IN_PROGRESS)
    given = arguments.get("capabilities")
    for entry in given if isinstance(given, list) else []:
        if isinstance(entry, Mapping) and entry.get("capability") == "events":
            qemu.migration.tells = entry.get("state") is True
    return None


def set_parameters(qemu: Qemu, arguments: Mapping[str, object], _answering: Answering) -> Result:
    """Never locked."""
    qemu.migration.parameters.update(arguments)
    return None
