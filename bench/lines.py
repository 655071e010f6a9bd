"""Events as QEMU writes them, of the seven kinds that reactor began with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bench.talk import DEAF_EVENT, EVENT


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event: ``key`` is the member that policies compare, as a policy writes it.

    ``number`` marks a key that is a number; ``extra`` is a condition that the
    index cannot answer, true when ``big`` was asked for; ``never`` is one that
    is false for every event of the bench.
    """

    event: str
    key: str
    extra: str
    never: str
    number: bool = False

    def value(self, place: int) -> str | int:
        """The key's value of the disk, port, device ... at a place."""
        return 1000 + place if self.number else f"{self.event.lower()}-{place:06}"

    def literal(self, place: int) -> str:
        """The value as an expression writes it."""
        value = self.value(place)
        return str(value) if isinstance(value, int) else f'"{value}"'


KINDS = (
    Kind("QUORUM_REPORT_BAD", "data.node_name", "data.sectors_count > 64", "data.sector_num < 0"),
    Kind(
        "GUEST_PANICKED", "data.info.arg1", "data.info.arg2 > 64", "data.info.arg3 > 0", number=True
    ),
    Kind("QUORUM_FAILURE", "data.reference", "data.sectors_count > 64", "data.sector_num < 0"),
    Kind("VSERPORT_CHANGE", "data.id", "!data.open", 'data.id.endsWith("console")'),
    Kind(
        "MEM_UNPLUG_ERROR", "data.device", 'data.msg.endsWith("refused")', 'data.msg.contains("?")'
    ),
    Kind("MIGRATION_PASS", "data.pass", "!event.synthetic", "data.pass < 0", number=True),
    Kind("DUMP_COMPLETED", "data.error", "data.result.total > 64", "data.result.total < 0"),
)

QUIET = tuple(kind for kind in KINDS if kind.event not in {"GUEST_PANICKED", "DUMP_COMPLETED"})
"""The kinds after which reactor does not ask the guest for its status."""


def data_of(kind: Kind, place: int, *, big: bool = True) -> Mapping[str, object]:
    """The event's data with this key; ``big`` makes the kind's ``extra`` condition true."""
    value = kind.value(place)
    size = 128 if big else 8
    match kind.event:
        case "QUORUM_REPORT_BAD":
            return {"node-name": value, "sector-num": 4096, "sectors-count": size, "type": "read"}
        case "QUORUM_FAILURE":
            return {"reference": value, "sector-num": 4096, "sectors-count": size}
        case "VSERPORT_CHANGE":
            return {"open": not big, "id": value}
        case "MEM_UNPLUG_ERROR":
            end = "refused" if big else "late"
            return {"device": value, "msg": f"the memory is in use, unplug {end}"}
        case "MIGRATION_PASS":
            return {"pass": value}
        case "DUMP_COMPLETED":
            result = {"total": size, "status": "failed", "completed": 0}
            return {"result": result, "error": value}
        case _:
            info = {"type": "hyper-v", "arg1": value, "arg2": size, "arg3": 0, "arg4": 0, "arg5": 0}
            return {"action": "pause", "info": info}


def line(name: str, data: Mapping[str, object], number: int = 0) -> bytes:
    """One event as QEMU writes it; ``number`` only changes its time stamp."""
    stamp = {"seconds": 1_795_417_548 + number // 1_000_000, "microseconds": number % 1_000_000}
    return json.dumps({"timestamp": stamp, "event": name, "data": data}).encode() + b"\r\n"


def reaction_line(number: int) -> bytes:
    """The event of the row ``latency``."""
    return line(EVENT, {"action": "run", "info": {"type": "hyper-v", "arg1": number}}, number)


def panic_line(number: int) -> bytes:
    """The event of a storm: the guest's kernel has died."""
    return line("GUEST_PANICKED", {"action": "pause"}, number)


def deaf_line(number: int) -> bytes:
    """The event whose command is never read."""
    return line(DEAF_EVENT, {"info": {"slot": str(number)}}, number)


def unmatched_line(number: int) -> bytes:
    """An event of the row ``cpu``: policies name it, but not this disk, port or device."""
    kind = QUIET[number % len(QUIET)]
    return line(kind.event, data_of(kind, 900_000 + number), number)
