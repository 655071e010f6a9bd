"""QEMU's rate limiter of events: the first at once, then the last of each second, late."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reactor.app.scenario.agenda import Agenda

PERIOD = 1.0
"""Seconds between two events of one key. Source: QEMU monitor/monitor.c, all at 1000 ms."""

# By event, the member that tells one key from another; None: the name alone.
# Source: monitor.c of 7.2; BLOCK_IO_ERROR since 10.0, and never with action `stop`.
_LIMITED: Mapping[str, str | None] = {
    "BALLOON_CHANGE": None,
    "HV_BALLOON_STATUS_REPORT": None,
    "MEMORY_DEVICE_SIZE_CHANGE": "qom-path",
    "QUORUM_FAILURE": None,
    "QUORUM_REPORT_BAD": "node-name",
    "RTC_CHANGE": None,
    "VSERPORT_CHANGE": "id",
    "WATCHDOG": None,
}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What happened in QEMU at ``time``; it may be told later."""

    name: str
    data: Mapping[str, object]
    time: float


class RateLimiter:
    """Between what happens in a QEMU and what its monitors are told.

    Args:
        tell: gets every event that leaves.
    """

    def __init__(self, agenda: Agenda, tell: Callable[[Occurrence], None]) -> None:
        self._agenda = agenda
        self._tell = tell
        self._held: dict[tuple[str, object], Occurrence | None] = {}
        self.dropped = 0
        """How many events were never told, because another of their key came after them."""

    def offer(self, event: Occurrence, *, io_errors_too: bool = False) -> None:
        """Tell the event now, or at the end of its key's second if it is the last by then.

        Args:
            io_errors_too: BLOCK_IO_ERROR is limited (QEMU 10.0 and later).
        """
        key = _key(event, io_errors_too=io_errors_too)
        if key is None:
            self._tell(event)
        elif key in self._held:
            self.dropped += self._held[key] is not None
            self._held[key] = event
        else:
            self._hold(key)
            self._tell(event)

    def _hold(self, key: tuple[str, object]) -> None:
        self._held[key] = None
        self._agenda.after(PERIOD, lambda: self._period_over(key))

    def _period_over(self, key: tuple[str, object]) -> None:
        event = self._held.pop(key)
        if event is not None:
            self._hold(key)
            self._tell(event)


def _key(event: Occurrence, *, io_errors_too: bool) -> tuple[str, object] | None:
    if event.name in _LIMITED:
        member = _LIMITED[event.name]
        return event.name, None if member is None else event.data.get(member)
    if io_errors_too and event.name == "BLOCK_IO_ERROR" and event.data.get("action") != "stop":
        return event.name, event.data.get("qom-path")
    return None
