"""Which events may be dropped first in a flood: those that nobody would miss."""

import pytest

from reactor.core.event import Event
from reactor.core.matching import PLANS_KEPT
from tests.core.simulation import Host, document
from tests.core.triggers import happen, on, with_triggers

SELECTS = document("p", "[{log: x}]", trigger="{event: GO, where: 'data.n == 1'}")
OTHERS = document("p", "[{log: x}]", trigger="{event: GO}", more="guests: {name: db-*}\n")
WAITS = document("p", "[{wait: {event: 'BACK*'}, timeout: 1h}]", trigger="{event: GO}")
UNPLUGS = document("p", "[{wait: {event: MEM_UNPLUG_ERROR}, timeout: 1h}]", trigger="{event: GO}")
FOLLOWED = document(
    "p",
    "[{log: x}]",
    trigger="{event: GO, not_followed_by: {event: BACK, within: 10s}, cancel_on: [{event: END}]}",
)


@pytest.mark.parametrize(
    ("policy", "event", "matters"),
    [
        pytest.param(SELECTS, Event("GO", "web-1", {"n": 1}), True, id="a policy selects it"),
        pytest.param(SELECTS, Event("GO", "web-1", {"n": 2}), False, id="the index refuses it"),
        pytest.param(SELECTS, Event("NIC", "web-1"), False, id="nobody names it"),
        pytest.param(SELECTS, Event("GO", "web-2"), True, id="its guest may become known"),
        pytest.param(SELECTS, Event("RESET", "web-1"), True, id="it may change the status"),
        pytest.param(OTHERS, Event("GO", "web-1"), False, id="a policy for other guests"),
        pytest.param(WAITS, Event("BACK_UP", "web-1"), True, id="a step waits for it"),
        pytest.param(WAITS, Event("UP", "web-1"), False, id="no step waits for it"),
        pytest.param(
            UNPLUGS,
            Event("DEVICE_UNPLUG_GUEST_ERROR", "web-1"),
            True,
            id="a step waits for it under its other name",
        ),
        pytest.param(
            WAITS,
            Event("DEVICE_UNPLUG_GUEST_ERROR", "web-1"),
            False,
            id="it has another name, and nobody waits for that",
        ),
        pytest.param(FOLLOWED, Event("BACK", "web-1"), True, id="it completes or ends a trigger"),
        pytest.param(FOLLOWED, Event("END", "web-1"), True, id="it cancels a trigger"),
    ],
)
def test_who_would_miss_it(policy: str, event: Event, matters: bool) -> None:
    """A trigger, a step that waits now or may soon, the guest's state; asking changes nothing."""
    host = Host([policy]).connect()
    before = host.engine.snapshot()
    assert host.engine.matters(event) is matters
    assert host.engine.snapshot() == before


def test_the_waits_of_a_run_count_after_its_policy_is_gone() -> None:
    """It goes on with the text that it began with, and is forgotten after its end."""
    host = Host([WAITS]).connect()
    happen(host, "GO")
    host.load([with_triggers(on("OTHER"))])
    back = Event("BACK", "web-1")
    assert host.engine.matters(back)
    happen(host, "BACK")
    assert host.outcomes() == ["succeeded"]
    host.load([with_triggers(on("OTHER"))])
    assert not host.engine.matters(back)


def test_many_names_are_not_all_remembered() -> None:
    """A monitor that makes up names gets the same answers, and no memory."""
    host = Host([WAITS]).connect()
    for number in (*range(PLANS_KEPT + 10), 0):
        assert host.engine.matters(Event(f"BACK-{number}", "web-1"))
        assert not host.engine.matters(Event(f"UP-{number}", "web-1"))
