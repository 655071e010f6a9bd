"""The kill loop in its short form: real guests panic while everything around them is killed."""

from pathlib import Path

import pytest

from tests.lab.killing.plan import Fault, Places, Plan
from tests.lab.killing.round import play

pytestmark = pytest.mark.asyncio


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(frozenset[Fault](), id="the daemon"),
        pytest.param(frozenset({Fault.BROKER, Fault.QEMU, Fault.DISK}), id="everything in turns"),
    ],
)
async def test_nothing_is_lost_and_nothing_done_twice(
    faults: frozenset[Fault], tmp_path: Path
) -> None:
    """Each panic has one dump and one reset, each message arrives, and each guest works."""
    plan = Plan(seed=7, faults=faults, preloaded=bool(faults), panics=2, within=20.0, calm=120.0)
    report = await play(plan, Places(tmp_path))
    assert report.violations == [], "\n\n".join(report.stories)
    assert report.kills > 0, report
    assert (report.broker_kills > 0) is (Fault.BROKER in faults), report
    assert (report.qemu_kills > 0) is (Fault.QEMU in faults), report
    assert (report.full_disks > 0) is (Fault.DISK in faults), report
    assert report.publishes > report.panics, report
    assert report.panics >= plan.guests * plan.panics, report
