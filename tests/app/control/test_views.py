"""How everything stands, from the engine's state."""

import pytest

from reactor.app.control import views
from reactor.app.control.answers import DaemonLine, GuestLine, Status
from reactor.app.lacks.judge import Judge
from reactor.core.config import EngineConfig
from reactor.core.event import Event
from reactor.core.inputs import GuestForgotten, Happened
from reactor.core.orders import AddSilence, HoldGuests, SetMark
from reactor.core.policy import Enforcement
from tests.core.simulation import START, Host, document

DAEMON = DaemonLine(
    *("0", 1, "h1", START, START, "/j.db", "", "none", "", 1, 0),
    audit=False,
    waiting={},
    dropped={},
)

ARM = "arm: [{qmp: set-action, args: {panic: pause}}]\n"


def status(host: Host) -> Status:
    """How this host stands."""
    return views.status(host.engine.world, DAEMON, {"web-2": "refused"}, Judge({}))


def guest(host: Host, name: str = "web-1") -> GuestLine:
    """One guest's line."""
    lines = views.guests(host.engine.world, {"web-2": "refused"}, Judge({}))
    return next(line for line in lines if line.guest == name)


def happen(host: Host, name: str = "GO") -> None:
    """An event of web-1, right now."""
    host.give(Happened(Event(name, "web-1", {}, host.now, host.now)))


def test_guests_are_listed_by_name() -> None:
    """With what is known of each; one that nobody names any more is left out."""
    host = Host([document("p", "[{delay: 1h}]")], ("web-2", "web-1"), labels={"web-1": {"a": "b"}})
    host.connect("web-1")
    host.order(SetMark("web-1", "disk", "d", "bad"))
    happen(host)
    first, second = views.guests(host.engine.world, {"web-2": "refused"}, Judge({}))
    assert (first.guest, first.connected, first.status) == ("web-1", True, "running")
    assert (first.qemu, first.labels, first.kind) == ("7.2.22", {"a": "b"}, "vm")
    assert (first.marks, first.runs, first.policies, first.not_ready) == (1, 1, 1, 0)
    assert (second.guest, second.connected, second.trouble) == ("web-2", False, "refused")
    host.give(GuestForgotten("web-1"))
    assert [line.guest for line in views.guests(host.engine.world, {}, Judge({}))] == ["web-2"]


def test_why_a_monitor_is_away() -> None:
    """What it said last, unless there is newer trouble; nothing once it is back."""
    host = Host([]).connect()
    host.disconnect("web-1", "QEMU closed it")
    assert guest(host).trouble == "QEMU closed it"
    host.connect("web-1")
    assert guest(host).trouble == ""


def test_an_open_run_says_that_the_monitor_is_away() -> None:
    """A hold is told first: it stands in the way longer than the monitor is away."""
    host = Host([document("p", "[{delay: 1h}]")]).connect()
    happen(host)
    assert [run.reason for run in status(host).runs] == [""]
    host.disconnect("web-1", "QEMU closed it")
    assert [run.reason for run in status(host).runs] == ["the guest's monitor is away"]
    host.order(HoldGuests("", None, "swap"))
    (run,) = status(host).runs
    assert run.reason.startswith("all guests are held by anna")


def test_a_guest_that_is_held_says_by_whom() -> None:
    """Its own hold or that of all."""
    host = Host([]).connect()
    host.order(HoldGuests("", None, "swap"))
    assert guest(host).hold == "all guests are held by anna until they are released: swap"


@pytest.mark.parametrize(
    ("enforcement", "lacking"),
    [pytest.param(None, 2, id="it acts"), pytest.param(Enforcement.AUDIT, 0, id="audit: no arm")],
)
def test_policies_that_are_not_ready(enforcement: Enforcement | None, lacking: int) -> None:
    """On which guest and why; those with a failure stand first."""
    config = EngineConfig(host="h1", enforcement=enforcement)
    texts = [document("a", "[{log: x}]"), document("b", "[{log: x}]", more=ARM)]
    host = Host(texts, ("web-1", "web-2"), config)
    host.guests["web-1"].failing["set-action"] = "no"
    host.connect("web-1")
    seen = status(host)
    assert [(row.policy, row.guest, row.state) for row in seen.not_ready] == [
        ("b", "web-1", "not ready"),
        ("b", "web-2", "not ready"),
    ][:lacking]
    assert seen.not_ready_count == lacking
    ready = 2 - lacking
    lines = {(line.policy, line.guests, line.ready) for line in seen.policies}
    assert lines == {("a", 2, 2), ("b", 2, ready)}
    assert seen.policies[0].policy == ("b" if lacking else "a")


def test_a_policy_that_is_being_armed_stands_behind_those_that_failed() -> None:
    """It may yet be ready by itself."""
    host = Host([document("p", "[{log: x}]", more=ARM)], ("web-1", "web-2"))
    host.guests["web-1"].silent.add("set-action")
    host.guests["web-2"].failing["set-action"] = "no"
    host.connect()
    assert [(row.guest, row.state) for row in status(host).not_ready] == [
        ("web-2", "not ready"),
        ("web-1", "arming"),
    ]


def test_open_runs_stand_in_the_order_in_which_they_were_admitted() -> None:
    """With what each waits for; an arm is nobody's run."""
    texts = [
        document("ask", "[{log: x}]", more="approval: {ask: 'may I?'}\n"),
        document("queue", "[{delay: 1h}]", more="mode: queued\n"),
        document("arm", "[{log: x}]", more=ARM),
    ]
    host = Host(texts)
    host.guests["web-1"].silent.add("set-action")
    host.connect()
    happen(host)
    happen(host)
    host.order(HoldGuests("", None, "swap"))
    seen = status(host)
    held = "all guests are held by anna until they are released: swap"
    assert [(run.policy, run.state, run.reason) for run in seen.runs] == [
        ("ask", "waiting for an operator's approval", "may I?"),
        ("queue", "running", held),
        ("queue", "waiting for its turn", ""),
    ]
    assert seen.run_count == 3
    assert {line.policy: line.runs for line in seen.policies} == {"ask": 1, "arm": 0, "queue": 2}


def test_lists_are_cut_and_counts_are_whole() -> None:
    """A host with thousands of marks gives an answer that can be read."""
    host = Host([]).connect()
    for number in range(views.SHOWN + 1):
        host.order(SetMark("web-1", "disk", f"d{number:04}", "bad"))
    seen = status(host)
    assert (len(seen.marks), seen.mark_count) == (views.SHOWN, views.SHOWN + 1)
    assert [mark.id for mark in seen.marks[:2]] == ["d0000", "d0001"]


def test_silences_that_are_over_are_not_listed() -> None:
    """Even before their time was looked at; the one that ends first stands first."""
    host = Host([])
    host.order(AddSilence(("p",), ("*",), 60.0, "a"))
    host.order(AddSilence(("q",), ("*",), 30.0, "b"))
    assert [one.id for one in views.silences(host.engine.world)] == ["s-2", "s-1"]
    host.engine.world.now += 30.0
    assert [one.id for one in views.silences(host.engine.world)] == ["s-1"]


def test_marks_of_one_guest_or_of_all() -> None:
    """In the order of their names."""
    host = Host([], ("web-1", "web-2"))
    for name in ("web-2", "web-1"):
        host.order(SetMark(name, "disk", "d", "bad"))
    world = host.engine.world
    assert [mark.guest for mark in views.marks(world, "")] == ["web-1", "web-2"]
    assert [mark.guest for mark in views.marks(world, "web-2")] == ["web-2"]
    assert views.marks(world, "nobody") == []


def test_looking_changes_nothing() -> None:
    """The engine's state is only read."""
    host = Host([document("p", "[{delay: 1h}]", more=ARM)]).connect()
    happen(host)
    before = host.engine.snapshot()
    status(host)
    assert host.engine.snapshot() == before
