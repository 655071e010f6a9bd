"""What a step does on a guest that an operator holds, and the `inhibit` step."""

import pytest

from reactor.core.holds import add_hold, hold_over
from reactor.core.restraints import Hold
from tests.core.simulation import Host, document

STEPS = "[{delay: 5s}, {qmp: query-status}, {log: asked}, {qmp: stop}]"


def begun(steps: str = STEPS, seconds: float = 1.0, more: str = "") -> Host:
    """A host whose run has gone on for so long."""
    host = Host([document("p", steps, more=more)]).connect()
    host.event("web-1", "GO", {}, after=0.0)
    return host.run(seconds)


def hold(host: Host, guest: str = "web-1", until: float | None = None) -> None:
    """Press the red button."""
    add_hold(host.engine.world, Hold(guest, host.now, "anna", until, "disk work"))


def release(host: Host, guest: str = "web-1") -> None:
    """Let go of it."""
    hold_over(host.engine.world, guest)
    host.event("web-1", "OTHER", {}, after=0.0)


@pytest.mark.parametrize("guest", ["web-1", ""])
def test_a_step_that_changes_a_held_guest_waits(guest: str) -> None:
    """Steps that only read go on; at the release the step goes at once."""
    host = begun()
    hold(host, guest)
    host.run(60.0)
    assert (host.commands(), host.verdicts("steps/2")) == ([], ["begun", "done"])
    assert host.traces("waiting")[-1].reason.startswith(
        ("web-1 is held by anna", "all guests are held by anna")
    )
    release(host, guest)
    assert host.run(0.1).commands() == ["stop"]
    assert host.outcomes() == ["succeeded"]


def test_the_steps_own_time_runs_while_it_is_held() -> None:
    """A hold of hours is no reason to reset a guest hours later."""
    host = begun("[{delay: 5s}, {qmp: stop, timeout: 30s}]")
    hold(host)
    assert host.run(60.0).outcomes() == ["failed"]
    assert host.commands() == []


def test_a_step_that_has_sent_something_comes_to_its_end() -> None:
    """A guest that was reset and not let go would be worse."""
    host = Host([document("p", "[{guest: reset}]")])
    host.guests["web-1"].status = "guest-panicked"
    host.connect()
    host.event("web-1", "GO", {}, after=0.0)
    while "system_reset" not in host.commands():
        host.run(0.0005)
    hold(host)
    host.run(5.0)
    assert host.commands() == ["system_reset", "cont"]


def test_a_step_whose_guard_waits_is_held_too() -> None:
    """Nothing was sent yet, so nothing is; after the release its guard is asked again."""
    host = Host([document("p", "[{guest: reset}]")])
    host.guests["web-1"].status = "save-vm"
    host.connect()
    host.event("web-1", "GO", {}, after=0.0)
    host.run(2.0)
    hold(host)
    host.guests["web-1"].status = "paused"
    assert host.run(5.0).commands() == []
    release(host)
    assert host.run(1.0).commands() == ["system_reset"]


def test_the_end_of_a_hold_releases_by_itself() -> None:
    """Its time is over."""
    host = begun()
    hold(host, until=host.now + 20.0)
    assert host.run(19.0).commands() == []
    assert host.run(2.0).commands() == ["stop"]


def test_inhibited_policies_do_not_run_on_that_guest() -> None:
    """For the time that the step says, and never the policy's own."""
    host = Host(
        [
            document("stopper", '[{inhibit: {policies: ["*"], for: 1h}}]', "{event: GO}"),
            document("other", "[{log: x}]", "{event: X}"),
        ],
        guests=("web-1", "web-2"),
    ).connect()
    host.event("web-1", "GO", {})
    host.run(1)
    host.event("web-1", "X", {})
    host.event("web-2", "X", {})
    host.event("web-1", "GO", {})
    host.run(1)
    assert [(r.policy, r.guest) for r in host.ended()] == [
        ("stopper", "web-1"),
        ("other", "web-2"),
        ("stopper", "web-1"),
    ]
    assert [t.reason.split(" (")[0] for t in host.traces("inhibited")] == ["by stopper"]
    host.run(3600.0)
    host.event("web-1", "X", {})
    host.run(1)
    assert host.ended()[-1].policy == "other"


def test_too_many_inhibitions_fail_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be remembered is not promised."""
    monkeypatch.setattr("reactor.core.holds.RESTRAINTS_MAX", 0)
    host = begun("[{inhibit: {policies: [a], for: 1h}}]")
    assert host.ended()[-1].error == "inhibit: 0 inhibitions stand already"
