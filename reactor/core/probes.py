"""What became of a command in doubt: decided from events, queries and a file, never guessed.

One small function for each family of commands looks at what is known (``Seen``) and
gives a ``Finding``, or says what else must be asked. A reconnect is a fence: QEMU
greets a client only after it has done, or thrown away, what the one before had sent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reactor.core.guards import AFTER_RESET, FAULT_STATES, STOPPED_FOR_GOOD
from reactor.core.inputs import Answered
from reactor.core.intent import Intent, Manner

RUNNING = "running"


class Verdict(StrEnum):
    """What a probe finds; the value is what operators read in the trace."""

    DONE = "done"
    NOT_DONE = "not done"
    DIFFERENT = "different incident"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict with the sentence that says why; ``goes_on``: done, but not over yet."""

    verdict: Verdict
    reason: str
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One more query is needed; an empty command asks for the file of the dump."""

    command: str
    arguments: Mapping[str, object]


ASK_FILE = Ask("", {})


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a command in doubt.

    ``heard`` are the events since its intent. ``status``, ``dump`` and ``migration`` are
    the words of the queries just now. ``target`` is the file of a dump, empty where it
    is none. ``proof`` is the answer to what was asked besides.
    """

    intent: Intent
    heard: frozenset[str]
    status: str
    dump: str
    migration: str
    target: str = ""
    proof: Answered | None = None

    def names(self, member: str) -> set[str]:
        """The values of this member in the list that was answered."""
        result = self.proof.result if self.proof is not None else None
        rows = result if isinstance(result, list) else []
        return {str(row[member]) for row in rows if isinstance(row, Mapping) and member in row}


Decide = Callable[[Seen], Finding | Ask]


@dataclass(frozen=True, slots=True)
class Probe:
    """How to find out: the facts that must be fresh, and who decides."""

    facts: frozenset[str]
    decide: Decide


def _done(reason: str) -> Finding:
    return Finding(Verdict.DONE, reason)


def _not_done(reason: str) -> Finding:
    return Finding(Verdict.NOT_DONE, reason)


def _unknown(reason: str) -> Finding:
    return Finding(Verdict.UNKNOWN, reason)


def _different(reason: str) -> Finding:
    return Finding(Verdict.DIFFERENT, reason)


def _reset(seen: Seen) -> Finding:
    was, status = seen.intent.status, seen.status
    if "RESET" in seen.heard:
        return _done("RESET came after it was written down")
    if status == AFTER_RESET and was not in {AFTER_RESET, RUNNING}:
        return _done(f"the guest was in {was}, and only a reset leads to {status}")
    if status == was and was != RUNNING:
        return _not_done(f"the guest is still in {status}")
    if status in FAULT_STATES:
        return _different(f"the guest was in {was} and is in {status} now")
    return _unknown(f"the guest was in {was} and is in {status} now, which proves no reset")


def _cont(seen: Seen) -> Finding:
    was, status, resumed = seen.intent.status, seen.status, "RESUME" in seen.heard
    if status == RUNNING:
        return _done("the guest runs")
    if status in FAULT_STATES | {STOPPED_FOR_GOOD} and (resumed or status != was):
        return _different(f"the guest went on, and is in {status} again")
    if resumed:
        return _done(f"RESUME came after it was written down; by now it is in {status}")
    if status == was:
        return _not_done(f"the guest is still in {status}")
    return _unknown(f"the guest was in {was} and is in {status} now")


def _quit(seen: Seen) -> Finding:
    if "SHUTDOWN" in seen.heard:
        return _done("SHUTDOWN came after it was written down")
    return _not_done("the same QEMU answers")


def _powerdown(seen: Seen) -> Finding:
    if seen.heard & {"POWERDOWN", "SHUTDOWN"}:
        return _done("QEMU told of it after it was written down")
    if seen.status == STOPPED_FOR_GOOD:
        return _done("the guest has shut down")
    return _unknown(f"the guest is in {seen.status}, and may be shutting down or not")


def _dump(seen: Seen) -> Finding | Ask:
    was, dump = seen.intent.dump, seen.dump
    if "DUMP_COMPLETED" in seen.heard:
        return _done("DUMP_COMPLETED came after it was written down")
    if dump in {"", "none"}:
        return _not_done("this QEMU has not dumped yet")
    if not seen.target:
        return _dump_without_file(seen)
    if seen.proof is None:
        return ASK_FILE
    if seen.proof.error is not None:
        return _dump_without_file(seen)
    size = seen.proof.result
    if size is None:
        return _not_done(f"there is no {seen.target}")
    return _ended_or_not(seen, f"{seen.target} has {size} bytes, the dump is {dump} (was {was})")


def _dump_without_file(seen: Seen) -> Finding:
    was, dump = seen.intent.dump, seen.dump
    if dump != was:
        return _ended_or_not(seen, f"query-dump said {was or 'nothing'} before and {dump} now")
    return _unknown(f"query-dump says {dump} as before, of this dump or of the one before it")


def _ended_or_not(seen: Seen, reason: str) -> Finding:
    """A dump that is not detached is done when it is over, not when it has begun."""
    waits = seen.dump == "active" and seen.intent.manner is not Manner.DETACHED
    return Finding(Verdict.DONE, reason, goes_on=waits)


def _migrate(seen: Seen) -> Finding:
    was, word = seen.intent.migration, seen.migration
    if "MIGRATION" in seen.heard:
        return _done("MIGRATION came after it was written down")
    if word in {"", "none"}:
        return _not_done("this QEMU has not migrated yet")
    if word != was:
        return _done(f"query-migrate said {was or 'nothing'} before and {word} now")
    return _unknown(f"query-migrate says {word} as before, of this migration or of the last one")


_MIGRATION_OVER = frozenset({"", "none", "completed", "failed", "cancelled"})


def _migrate_cancel(seen: Seen) -> Finding:
    word = seen.migration
    if word in _MIGRATION_OVER or word == "cancelling":
        return _done(f"query-migrate says {word or 'nothing'}")
    return _not_done(f"query-migrate says {word}")


def _postcopy(seen: Seen) -> Finding:
    word = seen.migration
    if word.startswith("postcopy") or word in _MIGRATION_OVER:
        return _done(f"query-migrate says {word or 'nothing'}")
    return _not_done(f"query-migrate says {word}")


def present(ask: Ask, member: str, *, wanted: bool, told: str = "") -> Decide:
    """Done when the subject is (not) in the list; ``told``: an event that says it at once."""

    def decide(seen: Seen) -> Finding | Ask:
        subject = seen.intent.subject
        if told and f"{told} {subject}" in seen.heard:
            return _done(f"{told} came after it was written down")
        if not subject or "/" in subject:
            return _unknown("it names nothing that could be asked for")
        if seen.proof is None:
            return ask
        if seen.proof.error is not None:
            return _unknown(f"{ask.command}: {seen.proof.error.description}")
        there = subject in seen.names(member)
        reason = f"{ask.command} {'knows' if there else 'does not know'} {subject}"
        return _done(reason) if there == wanted else _not_done(reason)

    return decide


_JOBS = Ask("query-jobs", {})
_WORKING = frozenset({"created", "running", "paused", "ready", "standby", "waiting", "pending"})
_PAUSED = frozenset({"paused", "standby"})


def _job_state(seen: Seen) -> str | Finding | Ask:
    """The job's status, ``gone`` where there is none, or what stands in the way of knowing."""
    if not seen.intent.subject:
        return _unknown("it names no job")
    if seen.proof is None:
        return _JOBS
    if seen.proof.error is not None:
        return _unknown(f"query-jobs: {seen.proof.error.description}")
    rows = seen.proof.result if isinstance(seen.proof.result, list) else []
    for row in rows:
        if isinstance(row, Mapping) and row.get("id") == seen.intent.subject:
            return str(row.get("status", ""))
    return "gone"


def _job_started(*, ends_by_itself: bool) -> Decide:
    def decide(seen: Seen) -> Finding | Ask:
        job = seen.intent.subject
        if job and f"JOB {job}" in seen.heard:
            return _done(f"events of the job {job} came after it was written down")
        state = _job_state(seen)
        if not isinstance(state, str):
            return state
        if state != "gone":
            return _done(f"query-jobs knows {job}: {state}")
        if ends_by_itself and seen.intent.manner is not Manner.KEPT:
            return _unknown(f"query-jobs does not know {job}: it never began, or is over")
        return _not_done(f"query-jobs does not know {job}")

    return decide


def _job_steered(done: frozenset[str], open_: frozenset[str] = frozenset()) -> Decide:
    """Done in these states; in those of ``open_`` nobody can tell; else not done."""

    def decide(seen: Seen) -> Finding | Ask:
        state = _job_state(seen)
        if not isinstance(state, str):
            return state
        reason = f"the job {seen.intent.subject} is {state}"
        if state in done:
            return _done(reason)
        return _unknown(reason) if state in open_ else _not_done(reason)

    return decide


_STATUS = frozenset({"status"})
_DUMP = frozenset({"status", "dump"})
_MIGRATING = frozenset({"status", "migrating"})
NOTHING: frozenset[str] = frozenset()

NODES = Ask("query-named-block-nodes", {"flat": True})
_DEVICES = Ask("qom-list", {"path": "/machine/peripheral"})
_OBJECTS = Ask("qom-list", {"path": "/objects"})
_CHARDEVS = Ask("query-chardev", {})
_EXPORTS = Ask("query-block-exports", {})

_GONE = frozenset({"gone", "concluded", "null"})
_ENDING = _GONE | {"aborting"}

_STARTS_JOB = Probe(NOTHING, _job_started(ends_by_itself=True))
# A mirror goes on until it is told to end: without a job there was none, or it failed.
_STARTS_MIRROR = Probe(NOTHING, _job_started(ends_by_itself=False))
# A second `complete` of a mirror that is at its end may abort QEMU (it sets an error
# that is set already): a job that is `ready` is not told again.
_COMPLETES = Probe(
    NOTHING, _job_steered(_ENDING | {"waiting", "pending"}, open_=frozenset({"ready"}))
)
_CANCELS = Probe(NOTHING, _job_steered(_ENDING))
_DISMISSES = Probe(NOTHING, _job_steered(frozenset({"gone", "null"})))
_FINALIZES = Probe(NOTHING, _job_steered(_GONE))
_PAUSES = Probe(NOTHING, _job_steered(_PAUSED))
_RESUMES = Probe(NOTHING, _job_steered((_WORKING - _PAUSED) | _ENDING))


def starts_kept_job() -> Probe:
    """Of a command whose job stays until it is dismissed: without a job there was none."""
    return Probe(NOTHING, _job_started(ends_by_itself=False))


PROBES: Mapping[str, Probe] = {
    "system_reset": Probe(_STATUS, _reset),
    "cont": Probe(_STATUS, _cont),
    "system_wakeup": Probe(_STATUS, _cont),
    "quit": Probe(_STATUS, _quit),
    "system_powerdown": Probe(_STATUS, _powerdown),
    "dump-guest-memory": Probe(_DUMP, _dump),
    "migrate": Probe(_MIGRATING, _migrate),
    "migrate_cancel": Probe(_MIGRATING, _migrate_cancel),
    "migrate-start-postcopy": Probe(_MIGRATING, _postcopy),
    "device_add": Probe(NOTHING, present(_DEVICES, "name", wanted=True)),
    "device_del": Probe(NOTHING, present(_DEVICES, "name", wanted=False, told="DEVICE_DELETED")),
    "object-add": Probe(NOTHING, present(_OBJECTS, "name", wanted=True)),
    "object-del": Probe(NOTHING, present(_OBJECTS, "name", wanted=False)),
    "blockdev-add": Probe(NOTHING, present(NODES, "node-name", wanted=True)),
    "blockdev-del": Probe(NOTHING, present(NODES, "node-name", wanted=False)),
    "chardev-add": Probe(NOTHING, present(_CHARDEVS, "label", wanted=True)),
    "chardev-remove": Probe(NOTHING, present(_CHARDEVS, "label", wanted=False)),
    "block-export-add": Probe(NOTHING, present(_EXPORTS, "id", wanted=True)),
    "block-export-del": Probe(NOTHING, present(_EXPORTS, "id", wanted=False)),
    "blockdev-mirror": _STARTS_MIRROR,
    "drive-mirror": _STARTS_MIRROR,
    "blockdev-backup": _STARTS_JOB,
    "drive-backup": _STARTS_JOB,
    "block-stream": _STARTS_JOB,
    "block-commit": _STARTS_JOB,
    "block-job-complete": _COMPLETES,
    "job-complete": _COMPLETES,
    "block-job-cancel": _CANCELS,
    "job-cancel": _CANCELS,
    "block-job-dismiss": _DISMISSES,
    "job-dismiss": _DISMISSES,
    "block-job-finalize": _FINALIZES,
    "job-finalize": _FINALIZES,
    "block-job-pause": _PAUSES,
    "job-pause": _PAUSES,
    "block-job-resume": _RESUMES,
    "job-resume": _RESUMES,
}
"""The commands of which it can be found out whether they were done, but for those of drives.

Source: the states of qapi/run-state.json, dump.json, migration.json and job.json, and
what QEMU 7.2 was seen to answer.
"""

BASELINE: Mapping[str, frozenset[str]] = {"migrate": _MIGRATING}
"""Facts that must be fresh before a command goes out, where no guard asks for them."""
