"""Block jobs of a simulated QEMU: created, running, ready, concluded, and gone."""

from collections.abc import Callable, Mapping

from reactor.app.scenario.qemu import Qemu
from reactor.app.scenario.run_commands import Result
from reactor.core.inputs import Refusal
from reactor.policyfile.policy_tests import Answering

JOB_TAKES = 10.0
_Way = Callable[[Qemu, str], None]
SIZE = 1 << 30
CANCELLED = "Operation canceled"

KINDS: Mapping[str, str] = {
    "block-commit": "commit",
    "block-stream": "stream",
    "blockdev-backup": "backup",
    "blockdev-mirror": "mirror",
    "drive-backup": "backup",
    "drive-mirror": "mirror",
}
"""Which job a command begins."""


def begin(
    command: str, qemu: Qemu, arguments: Mapping[str, object], answering: Answering
) -> Result:
    """A job; a mirror (and the commit of an active layer) then waits to be completed."""
    name = str(arguments.get("job-id", arguments.get("device", "")))
    if name in qemu.jobs:
        return Refusal("GenericError", f"Job ID '{name}' already in use")
    job: dict[str, object] = {
        "type": KINDS[command],
        "status": "created",
        "auto-finalize": arguments.get("auto-finalize", True),
        "auto-dismiss": arguments.get("auto-dismiss", True),
        "speed": arguments.get("speed", 0),
        "breaks": answering.breaks,
        "offset": 0,
    }
    qemu.jobs[name] = job
    _become(qemu, name, "created")
    _become(qemu, name, "running")
    takes = JOB_TAKES if answering.takes is None else answering.takes
    qemu.later(takes, lambda: _worked(qemu, name, job))
    return None


def ready(qemu: Qemu, data: Mapping[str, object]) -> None:
    """A job that a test lets be ready, and that somebody else began: it can be completed."""
    _somebody_elses(qemu, data, "ready")
    qemu.send("BLOCK_JOB_READY", data)


def pending(qemu: Qemu, data: Mapping[str, object]) -> None:
    """One that waits to be finalized."""
    _somebody_elses(qemu, {**data, "device": data.get("id")}, "pending")
    qemu.send("BLOCK_JOB_PENDING", data)


def failing(qemu: Qemu, data: Mapping[str, object]) -> None:
    """One that met an error; with the action `stop` it stands still, and shows it."""
    if data.get("action") == "stop":
        job = _somebody_elses(qemu, data, "paused")
        job["io-status"] = "failed"
    qemu.send("BLOCK_JOB_ERROR", data)


def completed(qemu: Qemu, data: Mapping[str, object]) -> None:
    """One that ended; only a JOB_STATUS_CHANGE to `concluded` lets it stay."""
    _over(qemu, data, data.get("error"))
    qemu.send("BLOCK_JOB_COMPLETED", data)


def cancelled(qemu: Qemu, data: Mapping[str, object]) -> None:
    """The same of one that was cancelled."""
    _over(qemu, data, CANCELLED)
    qemu.send("BLOCK_JOB_CANCELLED", data)


def changed(qemu: Qemu, data: Mapping[str, object]) -> None:
    """The status of any job, as a test says."""
    name, status = str(data.get("id", "")), str(data.get("status", ""))
    if status == "null":
        qemu.jobs.pop(name, None)
    else:
        job = _somebody_elses(qemu, qemu.ended_jobs.pop(name, {"device": name}), status)
        if status not in {"paused", "standby"}:
            job.pop("io-status", None)
    qemu.send("JOB_STATUS_CHANGE", data)


def _somebody_elses(qemu: Qemu, data: Mapping[str, object], status: str) -> dict[str, object]:
    """The job that an event of a test is about, in this status from now on."""
    job: dict[str, object] = {
        "type": data.get("type", "mirror"),
        "auto-finalize": True,
        "auto-dismiss": True,
        "speed": data.get("speed", 0),
        "breaks": None,
        "offset": data.get("offset", SIZE),
        "len": data.get("len", SIZE),
        "error": data.get("error"),
    }
    job = qemu.jobs.setdefault(str(data.get("device", "")), job)
    job["status"] = status
    return job


def _over(qemu: Qemu, data: Mapping[str, object], error: object) -> None:
    name = str(data.get("device", ""))
    told = {**data, "error": error}
    if qemu.jobs.pop(name, {}).get("status") == "concluded":
        _somebody_elses(qemu, told, "concluded")
    else:
        qemu.ended_jobs[name] = told


def _become(qemu: Qemu, name: str, status: str) -> None:
    qemu.jobs[name]["status"] = status
    qemu.send("JOB_STATUS_CHANGE", {"status": status, "id": name})


def _worked(qemu: Qemu, name: str, job: dict[str, object]) -> None:
    if qemu.jobs.get(name) is not job or job["status"] != "running":
        return
    if job["breaks"] is not None:
        _fail(qemu, name, str(job["breaks"]))
        return
    job["offset"] = SIZE
    if job["type"] == "mirror":
        _become(qemu, name, "ready")
        qemu.send("BLOCK_JOB_READY", _told(name, job))
    else:
        _wind_up(qemu, name)


def _told(name: str, job: Mapping[str, object]) -> dict[str, object]:
    return {
        "device": name,
        "len": SIZE,
        "offset": job["offset"],
        "speed": job["speed"],
        "type": job["type"],
    }


def _fail(qemu: Qemu, name: str, problem: str) -> None:
    told = _told(name, qemu.jobs[name])
    qemu.send("BLOCK_JOB_ERROR", {"device": name, "operation": "write", "action": "report"})
    _become(qemu, name, "aborting")
    qemu.send("BLOCK_JOB_COMPLETED", told | {"error": problem})
    _conclude(qemu, name, problem)


def _wind_up(qemu: Qemu, name: str) -> None:
    job = qemu.jobs[name]
    _become(qemu, name, "waiting")
    _become(qemu, name, "pending")
    if job["auto-finalize"] is True:
        _finalize(qemu, name)
    else:
        qemu.send("BLOCK_JOB_PENDING", {"type": job["type"], "id": name})


def _finalize(qemu: Qemu, name: str) -> None:
    qemu.send("BLOCK_JOB_COMPLETED", _told(name, qemu.jobs[name]))
    _conclude(qemu, name, None)


def _conclude(qemu: Qemu, name: str, problem: str | None) -> None:
    job = qemu.jobs[name]
    job["error"] = problem
    _become(qemu, name, "concluded")
    if job["auto-dismiss"] is True:
        _become(qemu, name, "null")
        del qemu.jobs[name]


def complete(qemu: Qemu, arguments: Mapping[str, object], answering: Answering) -> Result:
    """`job-complete`, `block-job-complete`: only a job that is ready can be completed."""

    def wind_up(qemu: Qemu, name: str) -> None:
        if answering.breaks is None:
            _wind_up(qemu, name)
        else:
            _fail(qemu, name, answering.breaks)

    return _ask(qemu, arguments, {"ready": wind_up}, "complete")


def finalize(qemu: Qemu, arguments: Mapping[str, object], _answering: Answering) -> Result:
    """`job-finalize`, `block-job-finalize`: of a job that waits for it."""
    return _ask(qemu, arguments, {"pending": _finalize}, "finalize")


def dismiss(qemu: Qemu, arguments: Mapping[str, object], _answering: Answering) -> Result:
    """`job-dismiss`, `block-job-dismiss`: of a job that has ended."""

    def gone(qemu: Qemu, name: str) -> None:
        _become(qemu, name, "null")
        del qemu.jobs[name]

    return _ask(qemu, arguments, {"concluded": gone}, "dismiss")


def cancel(qemu: Qemu, arguments: Mapping[str, object], _answering: Answering) -> Result:
    """A mirror that is ready ends well, without the switch; any other is aborted."""

    def abort(qemu: Qemu, name: str) -> None:
        told = _told(name, qemu.jobs[name])
        _become(qemu, name, "aborting")
        qemu.send("BLOCK_JOB_CANCELLED", told)
        _conclude(qemu, name, CANCELLED)

    forced = arguments.get("force") is True
    ways: dict[str, _Way] = {
        "running": abort,
        "ready": abort if forced else _wind_up,
        "pending": abort,
    }
    return _ask(qemu, arguments, ways, "cancel")


def _ask(
    qemu: Qemu,
    arguments: Mapping[str, object],
    ways: Mapping[str, _Way],
    verb: str,
) -> Result:
    name = str(arguments.get("id", arguments.get("device", "")))
    job = qemu.jobs.get(name)
    if job is None:
        block = "device" in arguments
        problem = f"Block job '{name}' not found" if block else "Job not found"
        return Refusal("DeviceNotActive" if block else "GenericError", problem)
    way = ways.get(str(job["status"]))
    if way is None:
        problem = f"Job '{name}' in state '{job['status']}' cannot accept command verb '{verb}'"
        return Refusal("GenericError", problem)
    way(qemu, name)
    return None
