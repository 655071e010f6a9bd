"""The engine's clock: seconds since the epoch that never go back, and that nobody sets."""

import time
from pathlib import Path

import msgspec

SET_S = 1.0
"""Seconds by which the time of day may be off before it counts as set by somebody."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Noted(msgspec.Struct, frozen=True):
    """What a journal keeps: the boot of the host, and the engine's time when that began.

    ``epoch`` is in seconds since the epoch, by the clock that counts on while the host sleeps.
    """

    boot: str
    epoch: float


class Clock:
    """Wall time read once, then carried on by the monotonic clock.

    A wall clock that is set, by hand or by NTP, moves no deadline of a running daemon, nor of
    the next one on the same boot of the host. ``set_by`` is by how many seconds it was set
    since then, 0 where it was not.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self.set_by = 0.0

    def now(self) -> float:
        """The present time, seconds since the epoch."""
        return self._offset + time.monotonic()

    def of_monotonic(self, at: float) -> float:
        """The engine's time at a moment of ``time.monotonic``."""
        return self._offset + at

    def take_up(self, newest: float, noted: str) -> str:
        """Go on where the journal ends, and give what it shall note for the next start.

        On the boot that the note is about the time that really passed is known. On another one
        it is the time of day, but never before ``newest``, the latest journaled time.

        Args:
            newest: seconds since the epoch; 0 in an empty journal.
            noted: what an earlier start gave; empty where there was none.
        """
        before, boot = _read(noted), boot_id()
        up, at = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
        goes_on = before is not None and before.boot == boot and boot != ""
        if before is not None and goes_on and abs(at - before.epoch - up) > SET_S:
            self.set_by = at - before.epoch - up
            at = before.epoch + up
        at = max(at, newest)
        self._offset = at - time.monotonic()
        return noted if goes_on else msgspec.json.encode(Noted(boot, at - up)).decode()


def boot_id() -> str:
    """What Linux calls this boot of the host; empty where it does not say."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _read(noted: str) -> Noted | None:
    try:
        return msgspec.json.decode(noted, type=Noted)
    except msgspec.MsgspecError:
        return None
