"""Jobs and the migration: what QEMU works on is compared over a break.

Source: the sequences of events of QEMU 7.2, as seen; job.c and blockjob.c.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from reactor.core.subject import Answers, Proved, Query, Snapshot, Subject, Told, rows, text

_NULL = "null"
_CONCLUDED = "concluded"


def _read_jobs(answers: Answers) -> Snapshot:
    return {text(row, "id"): text(row, "status") for row in rows(answers.get("query-jobs"))}


def _job_told(data: Mapping[str, object]) -> Told | None:
    job, status = text(data, "id"), text(data, "status")
    return (job, None if status == _NULL else status) if job else None


def _job_proved(job: str, before: object, after: object) -> Iterator[Proved]:
    if after is not None:
        yield "JOB_STATUS_CHANGE", {"id": job, "status": after}
        return
    # Only a job that never began goes without having concluded.
    if before not in {"created", _CONCLUDED}:
        yield "JOB_STATUS_CHANGE", {"id": job, "status": _CONCLUDED}
    yield "JOB_STATUS_CHANGE", {"id": job, "status": _NULL}


JOBS = Subject(
    name="jobs",
    events=("JOB_STATUS_CHANGE",),
    queries=(Query("query-jobs", "query-jobs"),),
    read=_read_jobs,
    told={"JOB_STATUS_CHANGE": _job_told},
    proved=_job_proved,
)

_BLOCK_JOBS = Query("query-block-jobs", "query-block-jobs")

_PHASES = {
    "ready": "BLOCK_JOB_READY",
    "standby": "BLOCK_JOB_READY",
    "pending": "BLOCK_JOB_PENDING",
    _CONCLUDED: "BLOCK_JOB_COMPLETED",
}
"""The status of a block job, and the latest event that led there."""

_CANCELLED = "Operation canceled"
"""What a job that was cancelled says as its error: strerror(ECANCELED)."""


def _read_block_jobs(answers: Answers) -> Snapshot:
    found = rows(answers.get(_BLOCK_JOBS.name))
    return {text(row, "device"): _block_job(row) for row in found}


def _block_job(row: Mapping[str, object]) -> dict[str, object]:
    """The event that a job has sent last, and what the next one may have to say."""
    event = _PHASES.get(text(row, "status"), "")
    if event == "BLOCK_JOB_PENDING":
        return {"event": event, "data": {"type": row.get("type"), "id": row.get("device")}}
    members = ["type", "device"]
    if event == "BLOCK_JOB_COMPLETED":
        members += ["len", "offset", "speed", "error"]
        if row.get("error") == _CANCELLED:
            event = "BLOCK_JOB_CANCELLED"
            members.remove("error")
    return {"event": event, "data": {name: row[name] for name in members if name in row}}


def _block_job_sent(name: str, data: Mapping[str, object]) -> Told | None:
    job = text(data, "id" if name == "BLOCK_JOB_PENDING" else "device")
    return (job, {"event": name}) if job else None


def _block_job_moved(data: Mapping[str, object]) -> Told | None:
    """A job that is gone can come again under its name."""
    gone = text(data, "status") in {_NULL, "created"}
    return (text(data, "id"), None) if gone else None


def _block_job_proved(_job: str, before: object, after: object) -> Iterator[Proved]:
    if isinstance(after, dict) and after["event"]:
        sent = before["event"] if isinstance(before, dict) else ""
        # Of the two that end a job it sends one; which one, its error tells only nearly.
        if after["event"] != sent and not (sent in _ENDS and after["event"] in _ENDS):
            yield after["event"], after["data"]


_ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")
_SENT = ("BLOCK_JOB_READY", "BLOCK_JOB_PENDING", *_ENDS)

BLOCK_JOBS = Subject(
    name="block-jobs",
    events=_SENT,
    queries=(_BLOCK_JOBS,),
    read=_read_block_jobs,
    told={
        **{name: partial(_block_job_sent, name) for name in _SENT},
        "JOB_STATUS_CHANGE": _block_job_moved,
    },
    proved=_block_job_proved,
)
"""Of a job that ended and is gone nobody can tell how: give it ``auto-dismiss: false``."""


_BROKEN = ("failed", "nospace")


def _read_job_errors(answers: Answers) -> Snapshot:
    found = rows(answers.get(_BLOCK_JOBS.name))
    return {text(row, "device"): True for row in found if row.get("io-status") in _BROKEN}


def _job_error_told(data: Mapping[str, object]) -> Told | None:
    # With `report` and `ignore` the job goes on, and nothing is to be seen of it.
    return (text(data, "device"), True) if data.get("action") == "stop" else None


def _job_goes_on(data: Mapping[str, object]) -> Told | None:
    stands = text(data, "status") in {"paused", "standby"}
    return None if stands else (text(data, "id"), None)


def _job_error_proved(job: str, _before: object, after: object) -> Iterator[Proved]:
    if after is not None:
        yield "BLOCK_JOB_ERROR", {"device": job, "action": "stop"}


JOB_ERRORS = Subject(
    name="job-errors",
    events=("BLOCK_JOB_ERROR",),
    queries=(_BLOCK_JOBS,),
    read=_read_job_errors,
    told={"BLOCK_JOB_ERROR": _job_error_told, "JOB_STATUS_CHANGE": _job_goes_on},
    proved=_job_error_proved,
)


def _read_migration(answers: Answers) -> Snapshot:
    found = answers.get("query-migrate")
    if not isinstance(found, dict):
        return {}
    ram = found.get("ram")
    number = ram.get("dirty-sync-count") if isinstance(ram, dict) else None
    states = {"pass": number or None, "status": found.get("status")}
    return {key: state for key, state in states.items() if state is not None}


def _migration_proved(key: str, _before: object, after: object) -> Iterator[Proved]:
    if after is not None:
        yield ("MIGRATION" if key == "status" else "MIGRATION_PASS"), {key: after}


MIGRATION = Subject(
    name="migration",
    events=("MIGRATION", "MIGRATION_PASS"),
    queries=(Query("query-migrate", "query-migrate"),),
    read=_read_migration,
    told={
        "MIGRATION": lambda data: ("status", data.get("status")),
        "MIGRATION_PASS": lambda data: ("pass", data.get("pass")),
    },
    proved=_migration_proved,
)
"""The latest status and pass; QEMU tells of them only with the capability ``events``, and then
a connect tells of all that happened since the one before."""
