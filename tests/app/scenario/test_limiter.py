"""QEMU's rate limiter: the first at once, then the last of each second."""

import pytest

from reactor.app.scenario.qemu import Traits
from tests.app.scenario.guests import START, Bench


def _bad(node: str, sector: int) -> dict[str, object]:
    return {"node-name": node, "sector-num": sector, "sectors-count": 1, "type": "read"}


def _told(bench: Bench) -> list[tuple[float, object]]:
    return [(round(event.time - START, 3), event.data.get("sector-num")) for event in bench.told]


def test_a_burst_is_the_first_at_once_and_the_last_a_second_later() -> None:
    """Seven bad reads in half a second: two events, the second with its own, older time."""
    bench = Bench()
    for sector in range(7):
        bench.happen("QUORUM_REPORT_BAD", _bad("c1", sector))
        bench.run(0.07)
    assert _told(bench) == [(0.0, 0)]
    bench.run(0.5)
    assert _told(bench) == [(0.0, 0)]
    bench.run(0.02)
    assert _told(bench) == [(0.0, 0), (0.42, 6)]


def test_each_second_has_one_event() -> None:
    """Forty bad reads in four seconds: five events."""
    bench = Bench()
    for sector in range(40):
        bench.happen("QUORUM_REPORT_BAD", _bad("c1", sector))
        bench.run(0.1)
    bench.run(5)
    assert len(bench.told) == 5


@pytest.mark.parametrize(
    ("after", "at_once"),
    [
        pytest.param(0.9, False, id="before the second is over"),
        pytest.param(1.0, True, id="when it is over"),
        pytest.param(1.1, True, id="after it"),
    ],
)
def test_after_a_quiet_second_the_next_comes_at_once(after: float, at_once: bool) -> None:
    """The limiter forgets a key once a period without events is over."""
    bench = Bench()
    bench.happen("QUORUM_REPORT_BAD", _bad("c1", 1))
    bench.run(after)
    bench.happen("QUORUM_REPORT_BAD", _bad("c1", 2))
    assert (len(bench.told) == 2) is at_once


def test_a_key_of_its_own_is_not_held_back() -> None:
    """QUORUM_REPORT_BAD is limited by node, QUORUM_FAILURE by its name alone."""
    bench = Bench()
    for node in ("c1", "c2"):
        bench.happen("QUORUM_REPORT_BAD", _bad(node, 1))
    assert bench.names() == ["QUORUM_REPORT_BAD", "QUORUM_REPORT_BAD"]
    for reference in ("q1", "q2", "q3"):
        bench.happen("QUORUM_FAILURE", {"reference": reference})
    bench.run(3)
    assert [event.data["reference"] for event in bench.told] == ["q1", "q3"]


@pytest.mark.parametrize(
    ("version", "action", "told"),
    [
        pytest.param("7.2.22", "report", 3, id="7.2 limits none"),
        pytest.param("10.0.13", "report", 2, id="10.0 limits reports"),
        pytest.param("10.0.13", "stop", 3, id="never those that stop the guest"),
    ],
)
def test_errors_of_disks(version: str, action: str, told: int) -> None:
    """BLOCK_IO_ERROR is limited since 10.0, by device, and never with action stop."""
    bench = Bench(traits=Traits(version=version))
    for _ in range(3):
        bench.happen("BLOCK_IO_ERROR", {"action": action, "operation": "read"})
    bench.run(2)
    assert bench.names().count("BLOCK_IO_ERROR") == told


def test_what_is_not_limited_comes_at_once() -> None:
    """Other events are told as they happen."""
    bench = Bench()
    for _ in range(3):
        bench.happen("DEVICE_TRAY_MOVED", {"id": "cd", "tray-open": True, "device": ""})
    assert len(bench.told) == 3
