"""Turns and places that a restart must give back exactly as they were."""

import pytest

from reactor.core.effect import Log, RunChanged
from reactor.core.inputs import Operated
from reactor.core.orders import Approve
from tests.core.simulation import Host

RESTARTED = """
policy: p
description: d
mode: restart
trigger: {event: GO}
steps: [{delay: 1h}]
finally: [{delay: 4m}]
"""


@pytest.mark.parametrize("restart", [False, True])
def test_a_turn_that_is_over_stays_over(restart: bool) -> None:
    """The cancelled run is at its `finally` for minutes; nobody waits for that."""
    host = Host([RESTARTED]).connect()
    host.event("web-1", "GO", {})
    host.run(1.0)
    host.event("web-1", "GO", {})
    host.run(1.0)
    if restart:
        host.restart()
    host.event("web-1", "GO", {})
    host.run(1.0)
    started = {e.run for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.started}
    assert len(started) == 3
    assert host.outcomes() == []  # all three are open: two at their `finally`


ASKED = """
policy: p
description: d
limits: [1 at once per host]
approval: {expires: 1h}
trigger: {event: GO}
steps: [{log: x}]
"""


@pytest.mark.parametrize("restart", [False, True])
def test_who_waits_for_a_yes_takes_no_place(restart: bool) -> None:
    """The run of another guest is approved, and goes."""
    host = Host([ASKED], guests=("web-1", "web-2")).connect()
    host.event("web-1", "GO", {})
    host.event("web-2", "GO", {})
    host.run(1.0)
    if restart:
        host.restart()
        host.run(1.0)
    second = next(run.id for run in host.engine.world.runs.values() if run.guest == "web-2")
    host.give(Operated("o-1", "anna", Approve(second)))
    host.run(1.0)
    assert [run.guest for run in host.ended()] == ["web-2"]
    assert host.outcomes() == ["succeeded"]


def test_on_limit_knows_how_many_runs_there_were() -> None:
    """A crash-loop alert says so."""
    text = ASKED.replace("approval: {expires: 1h}", "on_limit: [{log: '${run.nth}'}]")
    text = text.replace("1 at once per host", "2 per 1h per guest")
    host = Host([text]).connect()
    for _ in range(3):
        host.event("web-1", "GO", {})
        host.run(1.0)
    assert [line.text for line in host.seen(Log) if isinstance(line, Log)] == ["x", "x", "2"]
