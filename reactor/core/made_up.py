"""What reactor makes up for of the events that nobody saw, in words for people.

``resync``, ``cut_waits`` and the subjects that are compared do it. What the first two can do
is written down here, and a test holds it to them; a subject says itself which events it
proves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reactor.core.subjects import SUBJECTS


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What shows at the next connect that the event has come.

    ``waits``: only a wait of a run that was open is decided by it; no policy starts.
    """

    shown_by: str
    waits: bool = False


BY_STATE: Mapping[str, MadeUp] = {
    "BLOCK_IO_ERROR": MadeUp("the guest stands in io-error"),
    "BLOCK_JOB_COMPLETED": MadeUp("query-jobs shows the job as concluded", waits=True),
    "BLOCK_JOB_PENDING": MadeUp("query-jobs shows the job as pending", waits=True),
    "BLOCK_JOB_READY": MadeUp("query-jobs shows the job as ready", waits=True),
    "DEVICE_DELETED": MadeUp(
        "qom-list shows the device of the step's device_del no more", waits=True
    ),
    "DUMP_COMPLETED": MadeUp(
        "a dump has ended that was active, or one is completed and none was before"
    ),
    "GUEST_PANICKED": MadeUp("the guest stands in guest-panicked"),
    "JOB_STATUS_CHANGE": MadeUp("query-jobs shows the job in that state", waits=True),
    "MIGRATION": MadeUp("the guest stands in postmigrate: only the status completed"),
    "RESET": MadeUp("the guest stands in prelaunch, or has left shutdown"),
    "RESUME": MadeUp("the guest runs, and stood still before"),
    "SHUTDOWN": MadeUp("the guest stands in shutdown (-no-shutdown)"),
    "STOP": MadeUp("the guest stands still, and ran before"),
    "SUSPEND": MadeUp("the guest stands in suspended"),
    "WATCHDOG": MadeUp("the guest stands in watchdog: only the action pause"),
}
"""What the run state, a dump, or a query for an open wait shows."""


def made_up_for(event: str) -> MadeUp | None:
    """What shows that this event has come; None where nothing does, and none is made up for."""
    by_state = BY_STATE.get(event)
    compared = [subject for subject in SUBJECTS.values() if event in subject.events]
    if not compared:
        return by_state
    names = " and ".join(subject.name for subject in compared)
    asked = dict.fromkeys(query.command for subject in compared for query in subject.queries)
    by_subject = (
        f"{names} before and after differ ({', '.join(asked)}),"
        " where a policy or an open run needs the event"
    )
    if by_state is None or by_state.waits:
        return MadeUp(by_subject)
    return MadeUp(f"{by_state.shown_by}; {by_subject}")
