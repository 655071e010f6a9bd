"""What is compared over a break: each change is told once, and the snapshot is what QEMU has."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from reactor.adapters.journal import Reader
from reactor.core.engine import Engine
from tests.simulation.qemus import PORT, Monitor
from tests.simulation.stage import Stage

ALL = 1_000_000


class First(NamedTuple):
    """When the QEMU of now was seen first, and what it had then."""

    at: float
    compared: Mapping[str, Mapping[str, object]]


def missed(stage: Stage, reader: Reader, engine: Engine) -> Iterator[str]:
    """Everything that is wrong about it, in words."""
    for name, monitor in stage.qemus.monitors.items():
        qemu = monitor.guest.qemu
        if qemu is None or getattr(monitor, "lied", False):
            continue  # nobody could know
        has, kept = qemu.belongings, engine.world.guests[name].facts.compared
        there = dict.fromkeys([*has.ports, *has.devices], True)
        for subject, state in (("ports", has.ports), ("devices", there)):
            if kept.get(subject) != state:
                yield f"{name} is known to have {subject} {kept.get(subject)}, and has {state}"
        first = _first(reader, monitor)
        if first is not None and not stage.was_held:
            told = _told(stage, name, first.at)
            yield from _ports(name, first, told, is_open=has.ports.get(PORT, False))
            yield from _devices(name, first, told, has.devices)


def _first(reader: Reader, monitor: Monitor) -> First | None:
    for row in reader.history(0, ALL, guest=monitor.guest.name):
        if row.kind == "connected":
            body = json.loads(row.body)
            if body["epoch"] == monitor.guest.epoch:
                compared = body["facts"].get("compared", {})
                return First(row.at, compared) if {"ports", "devices"} <= compared.keys() else None
    return None


def _told(stage: Stage, guest: str, since: float) -> list[dict[str, Any]]:
    """What a policy passed on of this QEMU, each message once."""
    messages = {
        one.seq: json.loads(one.payload)
        for one in stage.broker.heard
        if one.topic == f"reactor/h/told/{guest}"
    }
    told = [message for _, message in sorted(messages.items())]
    return [one for one in told if datetime.fromisoformat(one["at"]).timestamp() >= since]


def _ports(name: str, first: First, told: Sequence[Any], *, is_open: bool) -> Iterator[str]:
    changes = [one for one in told if one["event"] == "VSERPORT_CHANGE"]
    states = [one["data"]["open"] for one in changes]
    before = first.compared["ports"].get(PORT, False)
    if before is None:  # an event was on its way
        before = not states[0] if states else is_open
    made = False
    for change, state in zip(changes, states, strict=True):
        # An event of QEMU's own that says nothing new: in between something was missed.
        if state == before and (made or change["made"]):
            yield f"the port of {name} was told {state} twice: {states}"
        before, made = state, change["made"]
    if before != is_open:
        yield f"the port of {name} was told {states} last, and is {is_open}"


def _devices(
    name: str, first: First, told: Sequence[Any], has: Mapping[str, None]
) -> Iterator[str]:
    gone = [one["data"]["device"] for one in told if one["event"] == "DEVICE_DELETED"]
    wanted = first.compared["devices"].keys() - has.keys() - {PORT}
    if sorted(gone) != sorted(wanted):
        yield f"of {name} {sorted(wanted)} are gone, and told were {gone}"
