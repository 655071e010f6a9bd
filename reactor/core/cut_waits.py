"""Waits that a break of the monitor cut, and that one more query decides: jobs, devices."""

from collections.abc import Iterator, Mapping

from reactor.core.effect import Execute
from reactor.core.event import Event
from reactor.core.facts import QUERY_LIMIT
from reactor.core.flow import BLOCK, Failed, Flow, Jump
from reactor.core.hearing import judge
from reactor.core.inputs import Answered
from reactor.core.matching import named
from reactor.core.ops import AwaitEvent
from reactor.core.run import Run
from reactor.core.world import World

_JOBS: Mapping[str, object] = {}
_DEVICES: Mapping[str, object] = {"path": "/machine/peripheral"}

_OF_STATE = {"ready": "BLOCK_JOB_READY", "pending": "BLOCK_JOB_PENDING"}
_ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED", "BLOCK_JOB_ERROR")
_ON_THE_WAY = (*_ENDS, *_OF_STATE.values())
_OVER = ("concluded", "null")


def is_asked_for(op: AwaitEvent) -> bool:
    """Whether a query tells what became of one of the awaited events."""
    return _is_of_jobs(op) or named("DEVICE_DELETED", op.wait.events)


def _is_of_jobs(op: AwaitEvent) -> bool:
    return any(named(name, op.wait.events) for name in ("JOB_STATUS_CHANGE", *_ON_THE_WAY))


def settle(world: World, run: Run, op: AwaitEvent) -> Flow:
    """Find out what was missed: BLOCK while it is asked, else a failure or the wait anew.

    Then ``cursor.caught`` is what must have come, or it may still come.
    """
    cursor, guest = run.cursor, world.guest_of(run)
    if "proof" in cursor.pending.values() or not guest.connected:
        return BLOCK
    answer, cursor.answer = cursor.answer, None
    if answer is None or answer.lost or answer.unsent:
        _ask(world, run, op)
        return BLOCK
    cursor.cut = False
    world.touch(run)
    names, path = ", ".join(op.wait.events), world.options_of(run).path
    for event in _must_have_come(run, op, answer):
        if named(event.name, op.wait.events) and judge(world, run, op, event) is not None:
            cursor.caught = event
            world.trace(run, path, "probed", f"done: {event.name} must have come", event.data)
            return Jump(cursor.pc)
    for event in _may_come(run, op, answer):
        if named(event.name, op.wait.events) and judge(world, run, op, event) is not None:
            world.trace(run, path, "probed", f"not done: {event.name} may still come", event.data)
            return Jump(cursor.pc)
    reason = f"events were missed while {names} was awaited, and no query tells of it any more"
    return Failed(reason, unknown=True)


def _ask(world: World, run: Run, op: AwaitEvent) -> None:
    command, arguments = ("query-jobs", _JOBS) if _is_of_jobs(op) else ("qom-list", _DEVICES)
    deadline = world.now + QUERY_LIMIT
    query = Execute(
        run.new_id(), run.guest, command, arguments, deadline, changes=False, run=run.story
    )
    world.ask(run, query, "proof")
    world.touch(run)


def _rows(answer: Answered) -> Iterator[Mapping[str, object]]:
    rows = answer.result if isinstance(answer.result, list) else []
    yield from (row for row in rows if isinstance(row, Mapping))


def _must_have_come(run: Run, op: AwaitEvent, answer: Answered) -> Iterator[Event]:
    """The events that led to what the query says."""
    if not _is_of_jobs(op):
        subject = run.cursor.intent.subject if run.cursor.intent is not None else ""
        gone = subject not in {row.get("name") for row in _rows(answer)}
        if subject and gone and answer.error is None:
            yield Event("DEVICE_DELETED", run.guest, {"device": subject}, synthetic=True)
        return
    for row in _rows(answer):
        status = str(row.get("status", ""))
        if status in _OF_STATE:
            yield _of_job(run, row, _OF_STATE[status])
        if status == "concluded":
            yield _of_job(run, row, "BLOCK_JOB_COMPLETED")
        data = {"id": row.get("id"), "status": status}
        yield Event("JOB_STATUS_CHANGE", run.guest, data, synthetic=True)


def _may_come(run: Run, op: AwaitEvent, answer: Answered) -> Iterator[Event]:
    """What a job that works, and a device that is still there, will or may send."""
    if not _is_of_jobs(op):
        for row in _rows(answer):
            yield Event("DEVICE_DELETED", run.guest, {"device": row.get("name")}, synthetic=True)
        return
    for row in _rows(answer):
        if row.get("status") not in _OVER:
            for name in _ON_THE_WAY:
                yield _of_job(run, row, name)
            for status in ("ready", "pending", "aborting", *sorted(_OVER)):
                data = {"id": row.get("id"), "status": status}
                yield Event("JOB_STATUS_CHANGE", run.guest, data, synthetic=True)


def _of_job(run: Run, row: Mapping[str, object], name: str) -> Event:
    data = {"type": row.get("type"), "id": row.get("id"), "device": row.get("id")}
    progress = {"len": row.get("total-progress", 0), "offset": row.get("current-progress", 0)}
    error = {"error": row["error"]} if "error" in row else {}
    return Event(name, run.guest, {**data, **progress, **error}, synthetic=True)
