"""A QEMU whose monitor does everything wrong that bytes can do, when a script says so.

A script is a list of faults; each lets some commands pass, strikes at the next one, and
gives way to the one behind it. The bytes go to the real adapter.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.simulation.cable import Cable
from tests.simulation.qemus import Monitor
from tests.simulation.stage import LIMITS

LATE_S = 70.0
"""Seconds: longer than reactor waits for any command."""

FLOOD = 300

SWAPPED_S = 0.5
"""Seconds that an event waits for the one that is to overtake it."""


class Kind(Enum):
    """What goes wrong; the value says it."""

    CUT_UNREAD = "the connection ends before the command is read"
    CUT_READ = "the command is obeyed, and the connection ends before the reply"
    CUT_WITHIN = "the connection ends in the middle of the reply"
    GARBAGE = "bytes that are no message"
    TOO_LONG = "a line without an end"
    SILENT = "the command is obeyed, and never answered"
    DEAF = "the command is neither obeyed nor answered"
    NO_GREETING = "the connection ends, and the next one is not greeted"
    TWICE = "the same reply, twice"
    FOREIGN = "replies to what nobody asked"
    LATE = "the reply comes after the time for it"
    FLOOD = "events without an end"
    STAMPS = "events whose stamps go back and forth"
    SWAPPED = "two events come the other way round"
    WRONG_TYPES = "a reply whose members have other types"
    WRONG_EVENT = "an event whose members have other types"
    IN_PIECES = "a reply, byte by byte"


LIES = frozenset({Kind.SILENT, Kind.DEAF, Kind.LATE, Kind.WRONG_TYPES, Kind.WRONG_EVENT})
"""After these nobody can know how the guest stands."""


@dataclass(frozen=True, slots=True)
class Fault:
    """After ``passing`` commands this happens; ``variant`` chooses among its forms."""

    kind: Kind
    passing: int
    variant: int


FOREIGN: tuple[object, ...] = (1, -1, 2**70, 0.5, None, True, "query-status", "x", [1], {"a": 1})
WRONG: tuple[object, ...] = (
    None, 17, "running", [], [1], {"status": 5}, {"status": None}, {"status": ["running"]},
    {"status": {"status": "running"}}, {"status": "no-such-state", "running": "yes"},
)  # fmt: skip
WRONG_EVENTS: tuple[object, ...] = (
    {"event": 5},
    {"event": "STOP", "data": []},
    {"event": "STOP", "data": "x", "timestamp": {"seconds": 1, "microseconds": 0}},
    {"event": "STOP", "timestamp": "now"},
    {"event": "GUEST_PANICKED", "data": {"action": 7}},
    {"event": "DUMP_COMPLETED", "data": {"result": "completed"}},
    {"event": "RESET", "data": {"guest": "no", "reason": []}},
    {"event": "NO_SUCH_EVENT", "data": {"a": [[[[{}]]]]}},
    {"error": {"class": 5, "desc": None}},
    {"QMP": {"version": {}}},
    [],
    7,
)
STAMPS = (0.0, -3600.0, 86_400.0, -1.0, 4_000_000_000.0)


@dataclass
class FaultyMonitor(Monitor):
    """As every monitor, but for its script; ``lied`` once nobody can know how it stands."""

    script: deque[Fault] = field(default_factory=deque)
    lied: bool = False
    _passed: int = 0
    _greets: bool = True
    _fault: Fault | None = None
    _held: bytes = b""
    _swaps: bool = False
    _pieces: bool = False

    def heal(self) -> None:
        """Do everything right from now on; a connection that is stuck ends."""
        super().heal()
        self.script.clear()
        self._greets, self._fault = True, None
        if self.cable is not None:
            self.cable.hang_up()

    def greet(self, cable: Cable) -> None:
        """Say who is there, unless a fault forbids it."""
        if self._greets:
            super().greet(cable)
        self._greets = True

    def command(self, message: Mapping[str, Any]) -> None:
        """Obey and answer as the script wants it."""
        self._fault = self._due()
        kind = self._fault.kind if self._fault is not None else None
        self.lied = self.lied or kind in LIES
        match kind:
            case Kind.CUT_UNREAD | Kind.NO_GREETING:
                self._greets = kind is not Kind.NO_GREETING
                self._hang_up()
            case Kind.DEAF:
                return
            case _:
                super().command(message)
        if kind is Kind.CUT_READ:
            self._hang_up()

    def reply(self, number: object, result: object) -> None:
        """Send an answer, as far as the fault of its command lets it through."""
        fault, self._fault = self._fault, None
        if fault is None:
            super().reply(number, result)
            return
        match fault.kind:
            case Kind.SILENT | Kind.CUT_READ:
                return
            case Kind.LATE:
                # To whoever is connected by then.
                self.log.loop.call_later(LATE_S, super().reply, number, result)
                return
            case Kind.WRONG_TYPES:
                super().reply(number, WRONG[fault.variant % len(WRONG)])
                return
            case Kind.CUT_WITHIN:
                self.send(b'{"id": %d, "return": {"sta' % fault.variant)
                self._hang_up()
                return
            case _:
                self._strike(fault, number, result)
        super().reply(number, result)

    def _strike(self, fault: Fault, number: object, result: object) -> None:
        """What comes before the reply, which then comes as it should."""
        self._swaps = self._swaps or fault.kind is Kind.SWAPPED
        self._pieces = fault.kind is Kind.IN_PIECES
        if fault.kind is Kind.TWICE:
            super().reply(number, result)
        elif fault.kind is Kind.FOREIGN:
            super().reply(FOREIGN[fault.variant % len(FOREIGN)], {"status": "running"})
        else:
            self.send(_noise(fault, self.log.loop.wall()))

    def send(self, data: bytes) -> None:
        """Send bytes: byte by byte, or an event behind the next one, where the script wants it."""
        if not data:
            return
        if self._pieces:
            self._pieces = False
            for byte in data:
                super().send(bytes([byte]))
        elif self._swaps and b'"event"' in data:
            self._swaps, self._held = False, data
            self.log.loop.call_later(SWAPPED_S, self._let_go)
        else:
            super().send(data)
            if b'"event"' in data:
                self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, b""
        if held:
            super().send(held)

    def _due(self) -> Fault | None:
        if not self.script or self._passed < self.script[0].passing:
            self._passed += 1
            return None
        self._passed = 0
        return self.script.popleft()

    def _hang_up(self) -> None:
        if self.cable is not None:
            self.cable.hang_up()


def _noise(fault: Fault, now: float) -> bytes:
    """What comes where nothing should; often nothing does."""
    offset = {"offset": 1}
    match fault.kind:
        case Kind.GARBAGE:
            return (b"\x00\xff\xfe{no message\r\n", b"]}\n", b'{"a": \n')[fault.variant % 3]
        case Kind.TOO_LONG:
            return b'{"return": "' + b"x" * (LIMITS.line_bytes + 1)
        case Kind.FLOOD:
            return _event("RTC_CHANGE", offset, now) * FLOOD
        case Kind.STAMPS:
            return b"".join(_event("RTC_CHANGE", offset, max(0.0, now + by)) for by in STAMPS)
        case Kind.WRONG_EVENT:
            wrong = WRONG_EVENTS[fault.variant % len(WRONG_EVENTS)]
            return json.dumps(wrong).encode() + b"\r\n"
        case _:
            return b""


def _event(name: str, data: Mapping[str, object], stamp: float) -> bytes:
    seconds = int(stamp)
    body = {
        "timestamp": {"seconds": seconds, "microseconds": round((stamp - seconds) * 1e6) % 10**6},
        "event": name,
        "data": data,
    }
    return json.dumps(body).encode() + b"\r\n"
