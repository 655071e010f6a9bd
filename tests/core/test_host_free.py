"""``host.free(path)``: asked just before the condition, never remembered."""

import pytest

from reactor.core.effect import AskFree, RunChanged
from tests.core.simulation import Host
from tests.core.test_nested_steps import said

POLICY = """
policy: p
description: d
trigger: {event: GO}
steps:
  - choose:
      - when: host.free("/dumps") > 1000 && guest.status == "running"
        steps: [{log: room}]
      - default: [{log: "no room"}]
"""


@pytest.mark.parametrize(
    ("free", "line"),
    [
        pytest.param({"/dumps": 1001}, "room", id="above"),
        pytest.param({"/dumps": 1000}, "no room", id="at the bound"),
        pytest.param({}, "no room", id="cannot be told"),
    ],
)
def test_the_room_of_the_host_is_asked_for(free: dict[str, int], line: str) -> None:
    """A path that cannot be asked has no answer, and the condition counts as false."""
    host = Host([POLICY]).connect()
    host.free = free
    host.event("web-1", "GO", {})
    host.run(1)
    assert [(e.path) for e in host.seen(AskFree) if isinstance(e, AskFree)] == ["/dumps"]
    assert said(host) == [line]


def test_it_is_asked_anew_each_time() -> None:
    """What was free an hour ago says nothing."""
    host = Host([POLICY]).connect()
    host.free = {"/dumps": 2000}
    host.event("web-1", "GO", {})
    host.run(1)
    host.free = {}
    host.event("web-1", "GO", {})
    host.run(1)
    assert said(host) == ["room", "no room"]


def test_a_check_says_why_it_cannot_be_told() -> None:
    """The operator reads the host's own words."""
    check = POLICY.partition("  - choose")[0] + '  - check: host.free("/dumps") > 1000\n'
    host = Host([check]).connect()
    host.event("web-1", "GO", {})
    host.run(1)
    told = [e.error for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.error]
    assert set(told) == {"check failed: no such folder"}


def test_it_is_asked_although_the_monitor_is_away() -> None:
    """The host is there; the guest is `disconnected`."""
    host = Host([POLICY.replace('"running"', '"disconnected"')]).connect()
    host.free = {"/dumps": 2000}
    host.disconnect("web-1")
    host.event("web-1", "GO", {})
    host.run(6)
    assert said(host) == ["room"]
