"""What reactor makes up for of the events that nobody saw, in words for people.

``resync`` and ``cut_waits`` do it; what they can do is written down here, and a test holds
the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What shows at the next connect that the event has come.

    ``waits``: only a wait of a run that was open is decided by it; no policy starts.
    """

    shown_by: str
    waits: bool = False


MADE_UP: Mapping[str, MadeUp] = {
    "BLOCK_IO_ERROR": MadeUp("the guest stands in io-error"),
    "BLOCK_JOB_COMPLETED": MadeUp("query-jobs shows the job as concluded", waits=True),
    "BLOCK_JOB_PENDING": MadeUp("query-jobs shows the job as pending", waits=True),
    "BLOCK_JOB_READY": MadeUp("query-jobs shows the job as ready", waits=True),
    "DEVICE_DELETED": MadeUp(
        "qom-list shows the device of the step's device_del no more", waits=True
    ),
    "DUMP_COMPLETED": MadeUp("a dump that was active has ended"),
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
"""Every event that is made up for; of any other none is."""
