"""Which events cannot come from a guest, by what it has."""

from dataclasses import fields

import pytest

from reactor.core.equipment import (
    NO_BALLOON,
    NO_DISPLAY,
    NO_MEMORY_DEVICE,
    NO_MIGRATION_EVENTS,
    NO_PANIC_DEVICE,
    NO_PORT,
    NO_QUORUM,
    NO_RESIZABLE,
    NO_THRESHOLD,
    NO_WATCHDOG,
    Absence,
    Aspect,
    Equipment,
    absence,
    aspects_of,
)

SWITCHES = [one.name for one in fields(Equipment) if one.name != "ports"]
BARE = Equipment(ports=frozenset(), **dict.fromkeys(SWITCHES, False))
FULL = Equipment(ports=frozenset({"agent"}), **dict.fromkeys(SWITCHES, True))

EVENTS = [
    pytest.param("GUEST_PANICKED", NO_PANIC_DEVICE, Aspect.DEVICES, id="panic"),
    pytest.param("GUEST_CRASHLOADED", NO_PANIC_DEVICE, Aspect.DEVICES, id="kdump"),
    pytest.param("GUEST_PVSHUTDOWN", NO_PANIC_DEVICE, Aspect.DEVICES, id="pvpanic's shutdown"),
    pytest.param("WATCHDOG", NO_WATCHDOG, Aspect.DEVICES, id="watchdog"),
    pytest.param("VSERPORT_CHANGE", NO_PORT, Aspect.DEVICES, id="any port"),
    pytest.param("MIGRATION", NO_MIGRATION_EVENTS, Aspect.CAPABILITIES, id="migration"),
    pytest.param("MIGRATION_PASS", NO_MIGRATION_EVENTS, Aspect.CAPABILITIES, id="its passes"),
    pytest.param("QUORUM_FAILURE", NO_QUORUM, Aspect.NODES, id="quorum lost"),
    pytest.param("QUORUM_REPORT_BAD", NO_QUORUM, Aspect.NODES, id="a bad copy"),
    pytest.param("BLOCK_WRITE_THRESHOLD", NO_THRESHOLD, Aspect.NODES, id="thin disk"),
    pytest.param("MEM_UNPLUG_ERROR", NO_MEMORY_DEVICE, Aspect.MEMORY, id="memory, old name"),
    pytest.param("DEVICE_UNPLUG_GUEST_ERROR", NO_MEMORY_DEVICE, Aspect.MEMORY, id="memory"),
    pytest.param("MEMORY_DEVICE_SIZE_CHANGE", NO_RESIZABLE, Aspect.MEMORY, id="virtio-mem"),
    pytest.param("BALLOON_CHANGE", NO_BALLOON, Aspect.BALLOON, id="balloon"),
    pytest.param("VNC_CONNECTED", NO_DISPLAY, Aspect.DISPLAY, id="VNC"),
]


@pytest.mark.parametrize(("event", "missing", "aspect"), EVENTS)
def test_an_event_that_cannot_come(event: str, missing: Absence, aspect: Aspect) -> None:
    """Nothing is said of a guest that has the thing, or was not asked for it."""
    assert absence(event, (), BARE) == missing
    assert absence(event, (), FULL) is None
    assert absence(event, (), Equipment()) is None
    assert aspects_of([event]) == {aspect}


def test_an_event_that_needs_nothing() -> None:
    """It may come from any guest, and no guest need be asked."""
    assert absence("STOP", (), BARE) is None
    assert aspects_of(["STOP", "REACTOR_GUEST_LOST", "BLOCK_JOB_*"]) == frozenset()


def test_what_is_asked_for_a_glob() -> None:
    """All that one of its events needs."""
    assert aspects_of(["M*"]) == {Aspect.CAPABILITIES, Aspect.MEMORY}
    assert aspects_of(["*"]) == frozenset(Aspect)


@pytest.mark.parametrize(
    ("wanted", "there", "text"),
    [
        pytest.param({"agent"}, {"agent", "spice"}, "", id="it is there"),
        pytest.param({"a", "agent"}, {"agent"}, "", id="one of several is there"),
        pytest.param({"agent"}, {"agent0"}, "the id agent", id="another one is there"),
        pytest.param({"b", "a"}, set(), "the id a or b", id="none is there"),
    ],
)
def test_a_port_that_is_meant_by_its_id(wanted: set[str], there: set[str], text: str) -> None:
    """A guest without that port is one of which somebody thinks that it has it."""
    found = absence("VSERPORT_CHANGE", wanted, Equipment(ports=frozenset(there)))
    expected = Absence(f"no virtio-serial port has {text}", unseen=True) if text else None
    assert found == expected


@pytest.mark.parametrize(
    ("event", "unseen"),
    [
        pytest.param("GUEST_PANICKED", True, id="guests panic all the same"),
        pytest.param("WATCHDOG", True, id="and hang"),
        pytest.param("MIGRATION", True, id="and migrate"),
        pytest.param("QUORUM_FAILURE", False, id="without a quorum none is lost"),
        pytest.param("BALLOON_CHANGE", False, id="without a balloon none changes"),
    ],
)
def test_whether_it_happens_unseen(event: str, unseen: bool) -> None:
    """Only then an operator has to do something."""
    found = absence(event, (), BARE)
    assert found is not None
    assert found.unseen is unseen
