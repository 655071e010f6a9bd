"""A run that is cancelled: when, and what still happens."""

import pytest

from reactor.core.machine import cancel
from reactor.core.policy import Policy
from reactor.core.steps import DelayStep, Step
from tests.core.built import log, options, parallel, sends, with_steps
from tests.core.simulation import Host
from tests.core.test_nested_steps import said


def long(*steps: Step, **sections: object) -> Policy:
    """A policy of these steps whose last line is never said."""
    return with_steps(*steps, log("last", "never"), **sections)  # type: ignore[arg-type]


def begun(policy: Policy, seconds: float, **guest: object) -> Host:
    """A host whose run has gone on for so long."""
    host = Host([policy]).connect()
    for name, value in guest.items():
        setattr(host.guests["web-1"], name, value)
    host.event("web-1", "GO", {"n": 1}, after=0.0)
    return host.run(seconds)


def cancelled(host: Host, seconds: float = 1.0) -> Host:
    """The same after an operator cancelled every run."""
    world = host.engine.world
    for run in list(world.runs.values()):
        if not run.parent:
            cancel(world, run, "cancelled by anna")
    host.after_each = lambda: None
    host.event("web-1", "OTHER", {}, after=0.0)
    return host.run(seconds)


def test_a_run_between_two_commands_is_cancelled_at_once() -> None:
    """Its ``finally`` follows, its ``on_failure`` does not."""
    policy = long(
        DelayStep(options("steps/0"), 60.0),
        on_failure=[log("on_failure/0", "failed")],
        finally_=[log("finally/0", "${run.outcome}: ${run.error}")],
    )
    host = cancelled(begun(policy, 5.0))
    assert said(host) == ["cancelled: cancelled by anna"]
    assert host.outcomes() == ["cancelled"]
    assert [t.path for t in host.traces("cancelled")] == ["steps/0"]


def test_a_command_in_flight_is_answered_first() -> None:
    """Until then nobody knows what the guest will be."""
    policy = long(sends("steps/0", timeout=20.0), sends("steps/1", "cont"))
    host = cancelled(begun(policy, 0.0, silent={"stop"}), 5.0)
    assert host.outcomes() == []
    host.run(30.0)
    assert (host.commands(), host.outcomes()) == (["stop"], ["cancelled"])


def test_an_answer_that_never_comes_is_given_up() -> None:
    """At its deadline and the grace of 5 s."""
    policy = long(sends("steps/0", timeout=20.0))
    host = cancelled(begun(policy, 0.0, deaf={"stop"}), 24.0)
    assert host.outcomes() == []
    assert host.run(2.0).outcomes() == ["cancelled"]


def test_a_question_is_not_waited_for() -> None:
    """It changes nothing."""
    policy = long(sends("steps/0", "cont"))
    host = cancelled(begun(policy, 0.0, deaf={"query-status"}), 0.1)
    assert (host.commands(), host.outcomes()) == ([], ["cancelled"])


def test_branches_are_cancelled_before_the_run() -> None:
    """One of them has a command in flight."""
    policy = long(
        parallel(
            "steps/0",
            [DelayStep(options("a/0"), 60.0), log("a/1", "never")],
            [sends("b/0", timeout=20.0)],
        ),
        finally_=[log("finally/0", "finally")],
    )
    host = cancelled(begun(policy, 0.0, silent={"stop"}), 5.0)
    assert (said(host), host.outcomes()) == ([], [])
    host.run(30.0)
    assert (said(host), host.outcomes()) == (["finally"], ["cancelled"])


def test_handlers_come_to_their_own_end() -> None:
    """What cleans up is not cut short."""
    policy = with_steps(
        log("steps/0"), finally_=[DelayStep(options("finally/0"), 10.0), log("finally/1", "clean")]
    )
    host = cancelled(begun(policy, 5.0), 10.0)
    assert (said(host), host.outcomes()) == (["done", "clean"], ["succeeded"])


@pytest.mark.parametrize("at", [0.0, 5.0])
def test_a_cancelled_run_is_cancelled_after_a_restart_too(at: float) -> None:
    """What it waits for is asked of the journal's word."""
    policy = long(sends("steps/0", timeout=20.0))
    host = begun(policy, 0.0, silent={"stop"})
    cancelled(host, at)
    assert host.restart().run(60.0).outcomes() == ["cancelled"]


def test_cancelled_twice_is_cancelled_once() -> None:
    """The first reason stands."""
    host = begun(long(DelayStep(options("steps/0"), 60.0)), 5.0)
    world = host.engine.world
    (run,) = world.runs.values()
    cancel(world, run, "first")
    cancel(world, run, "second")
    host.event("web-1", "OTHER", {}, after=0.0)
    assert host.run(1.0).ended()[-1].error == "first"
