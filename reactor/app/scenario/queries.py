"""What a simulated QEMU answers to ``query-*``, as far as it knows itself."""

from collections.abc import Callable, Mapping

from reactor.app.scenario import jobs
from reactor.app.scenario.qemu import Qemu
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import ListOf


def answer(qemu: Qemu, command: str, arguments: Mapping[str, object]) -> object:
    """The answer; empty, of the right type, where the simulation knows nothing."""
    known = _KNOWN.get(command)
    if known is not None:
        return known(qemu)
    shown = qemu.belongings.answer(command, arguments)
    if shown is not None:
        return shown
    return [] if _gives_a_list(command) else {}


def _gives_a_list(command: str) -> bool:
    """Whether it does in the newest QEMU that has the command."""
    for version in reversed(versions()):
        schema = schema_of(version)
        if command in schema.commands:
            return isinstance(schema.types[schema.commands[command].reply], ListOf)
    return False


def _status(qemu: Qemu) -> object:
    return {"status": qemu.status, "running": qemu.is_running, "singlestep": False}


def _dump(qemu: Qemu) -> object:
    size = 0 if qemu.dump == "none" else qemu.traits.memory
    done = size if qemu.dump == "completed" else 0
    return {"status": qemu.dump, "completed": done, "total": size}


def _migrate(qemu: Qemu) -> object:
    migration = qemu.migration
    if not migration.status:
        return {}
    told: dict[str, object] = {"status": migration.status}
    if migration.error:
        told["error-desc"] = migration.error
    if migration.passes:
        total = qemu.traits.memory
        left = 0 if migration.status == "completed" else total >> migration.passes
        told["ram"] = {"total": total, "remaining": left, "dirty-sync-count": migration.passes}
    return told


def _jobs(qemu: Qemu) -> object:
    return [
        {"id": name, "type": job["type"], "status": job["status"], "current-progress": 0}
        | ({"error": job["error"]} if job.get("error") else {})
        for name, job in qemu.jobs.items()
    ]


def _block_jobs(qemu: Qemu) -> object:
    return [
        {
            "device": name,
            "type": job["type"],
            "status": job["status"],
            "ready": job["status"] == "ready",
            "offset": job["offset"],
            "len": job.get("len", jobs.SIZE),
            "speed": job["speed"],
            "io-status": job.get("io-status", "ok"),
        }
        | ({"error": job["error"]} if job.get("error") else {})
        for name, job in qemu.jobs.items()
    ]


def _version(qemu: Qemu) -> object:
    numbers = [int(part) for part in qemu.traits.version.split(".")]
    major, minor, micro = (*numbers, 0, 0)[:3]
    return {"qemu": {"major": major, "minor": minor, "micro": micro}, "package": ""}


_KNOWN: Mapping[str, Callable[[Qemu], object]] = {
    "query-status": _status,
    "query-dump": _dump,
    "query-migrate": _migrate,
    "query-migrate-parameters": lambda qemu: dict(qemu.migration.parameters),
    "query-migrate-capabilities": lambda qemu: [
        {"capability": "events", "state": qemu.migration.tells}
    ],
    "query-jobs": _jobs,
    "query-block-jobs": _block_jobs,
    "query-version": _version,
    "query-uuid": lambda qemu: {"UUID": qemu.traits.uuid},
    "query-memory-size-summary": lambda qemu: {"base-memory": qemu.traits.memory},
    "query-balloon": lambda qemu: {
        "actual": qemu.traits.memory if (size := qemu.belongings.balloon) is None else size
    },
}
