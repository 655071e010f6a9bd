"""Approval: a run waits for an operator's yes; at its expiry it is cancelled."""

from dataclasses import replace

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import RunChanged
from reactor.core.orders import Approve, CancelRun
from reactor.core.policy import Enforcement
from reactor.core.runs import enforcement_of
from reactor.core.starting import approval_of
from tests.core.simulation import Host, document, policy

ASK = "approval: {ask: 'reset ${guest.name}?', expires: 10m}\n"
RUN = "abc123-1"


def _host(more: str = ASK, steps: str = "[{publish: done}]", **config: object) -> Host:
    settings = EngineConfig(host="h1", **config)  # type: ignore[arg-type]
    return Host([document("p", steps, more=more)], config=settings).connect()


def _go(host: Host, seconds: float = 1.0) -> Host:
    host.event("web-1", "GO", {"n": 1}, after=0.0)
    return host.run(seconds)


def _topics(host: Host) -> list[str]:
    return [topic for topic, _ in host.published()]


def _changes(host: Host) -> list[RunChanged]:
    return [effect for effect in host.seen(RunChanged) if isinstance(effect, RunChanged)]


def test_a_run_waits_for_an_operators_yes() -> None:
    """What is asked stands in the trace and goes to the world; the yes with who said it."""
    host = _go(_host())
    assert _topics(host) == []
    (waiting,) = host.traces("waiting")
    assert (waiting.path, waiting.reason) == (
        "approval",
        "until 2027-01-15T08:10:00Z: reset web-1?",
    )
    told = _changes(host)[-1]
    assert (told.word, told.state) == ("waiting-approval", "waiting for an operator's approval")
    assert told.ask == "reset web-1?"
    reply = host.order(Approve(RUN, comment="go on"), who="uid 1000 (anna)")
    assert (reply.ok, reply.text) == (True, f"approved: run {RUN} of p on web-1: succeeded")
    assert reply.data == {"run": RUN}
    assert [t.reason for t in host.traces("approved")] == ["by uid 1000 (anna): go on"]
    assert _topics(host) == ["done"]


def test_a_no_cancels_the_run() -> None:
    """It never started: no ``finally``, and its place is given back."""
    host = _go(_host(ASK + "limits: [1 per 1h per guest]\nfinally: [{publish: last}]\n"))
    reply = host.order(Approve(RUN, yes=False, comment="not now"))
    assert (reply.ok, reply.text) == (True, f"run {RUN} of p on web-1 is refused and cancelled")
    host.run(1.0)
    assert (_topics(host), host.outcomes()) == ([], ["cancelled"])
    assert host.ended()[0].error == "refused by anna: not now"
    _go(host)
    assert host.traces("limited") == []


@pytest.mark.parametrize(
    ("wait", "ok"),
    [
        pytest.param(598.9, True, id="before it expires"),
        pytest.param(599.0, False, id="as it expires"),
        pytest.param(599.1, False, id="after it expired"),
    ],
)
def test_an_approval_expires(wait: float, ok: bool) -> None:
    """And then it is too late for a yes."""
    host = _go(_host())
    host.run(wait)
    assert host.order(Approve(RUN)).ok == ok
    host.run(10.0)
    assert host.outcomes() == (["succeeded"] if ok else ["cancelled"])
    if not ok:
        assert host.ended()[0].error == "nobody approved it within 10m"


def test_a_yes_that_comes_with_the_expiry_is_too_late() -> None:
    """Also where the clock's word comes after it."""
    host = _go(_host())
    host.now += 599.0
    reply = host.order(Approve(RUN))
    assert (reply.ok, reply.text) == (
        False,
        f"run {RUN} waits no longer: nobody approved it within 10m",
    )


def test_the_wait_does_not_use_up_the_timeout() -> None:
    """It counts from the start."""
    host = _go(_host(ASK + "timeout: 1m\n", "[{delay: 50s}, {publish: done}]"))
    host.run(300.0)
    host.order(Approve(RUN))
    assert _topics(host.run(55.0)) == ["done"]


@pytest.mark.parametrize("yes", [True, False])
def test_the_wait_and_its_expiry_survive_a_restart(yes: bool) -> None:
    """The question is not asked anew."""
    host = _go(_host())
    host.restart()
    host.run(300.0)
    if yes:
        assert host.order(Approve(RUN)).ok
    host.run(299.0)
    assert host.outcomes() == (["succeeded"] if yes else ["cancelled"])
    assert len(host.traces("waiting")) == 1


def test_what_was_approved_is_approved_after_a_restart() -> None:
    """Also where it waits for something else then."""
    host = Host(
        [
            document(
                "p", "[{delay: 1m}, {publish: done}]", more=f"{ASK}limits: [1 at once per host]\n"
            )
        ],
        guests=("web-1", "web-2"),
    ).connect()
    for guest in ("web-1", "web-2"):
        host.event(guest, "GO", {}, after=0.0)
    host.run(1.0)
    host.order(Approve("abc123-1"))
    host.order(Approve("abc123-2"))
    assert [run.word for run in _changes(host)][-1] == "waiting-slot"
    host.restart()
    host.run(200.0)
    assert host.outcomes() == ["succeeded", "succeeded"]


def test_a_condition_is_asked_after_the_yes() -> None:
    """What was true an hour ago may not be so now."""
    host = _go(_host(ASK + 'if: guest.status == "running"\n'))
    host.guests["web-1"].status = "paused"
    reply = host.order(Approve(RUN))
    assert reply.text == f"approved: run {RUN} of p on web-1 is checking its conditions"
    host.run(1.0)
    assert host.outcomes() == ["skipped"]


def test_a_run_that_waits_is_open() -> None:
    """A match that comes meanwhile is refused as busy."""
    host = _go(_go(_host()))
    assert [t.reason for t in host.traces("a run of this key is still open")] == [
        f"run {RUN} is open"
    ]


def test_a_queued_run_is_asked_for_when_its_turn_comes() -> None:
    """Turn first, then approval, then a slot."""
    host = _go(_go(_host(ASK + "mode: queued\n", "[{delay: 30s}]")))
    assert [run.run for run in _changes(host) if run.word == "waiting-approval"] == ["abc123-1"]
    assert not host.order(Approve("abc123-2")).ok
    host.order(Approve("abc123-1"))
    host.run(31.0)
    assert host.order(Approve("abc123-2")).ok


def test_in_mode_restart_a_new_match_asks_anew() -> None:
    """The question about the old one is taken back."""
    host = _go(_go(_host(ASK + "mode: restart\n")))
    assert host.outcomes() == ["cancelled"]
    assert not host.order(Approve("abc123-1")).ok
    assert host.order(Approve("abc123-2")).ok


def test_an_ask_that_cannot_be_rendered_is_asked_all_the_same() -> None:
    """People must be told even when a detail is missing."""
    host = _go(_host("approval: {ask: 'rebuild ${data.node}?'}\n"))
    assert _changes(host)[-1].ask.startswith("rebuild <error: ")


def test_without_words_it_says_only_until_when() -> None:
    """One hour is the default."""
    host = _go(_host("approval: {}\n"))
    assert host.traces("waiting")[0].reason == "until 2027-01-15T09:00:00Z"


def test_a_waiting_run_can_be_cancelled() -> None:
    """At once."""
    host = _go(_host())
    assert host.order(CancelRun(RUN)).text == f"run {RUN} of p on web-1 is cancelled"
    assert host.run(1.0).outcomes() == ["cancelled"]
    assert host.ended()[0].error == "cancelled by anna"


@pytest.mark.parametrize(
    ("own", "cap", "effective"),
    [
        pytest.param("enforce", None, "enforce", id="no cap"),
        pytest.param("audit", None, "audit", id="its own audit"),
        pytest.param("enforce", "audit", "audit", id="the cap is audit"),
        pytest.param("enforce", "approve", "approve", id="the cap is approve"),
        pytest.param("approve", "enforce", "approve", id="a cap never raises"),
        pytest.param("audit", "approve", "audit", id="nor from audit"),
    ],
)
def test_the_settings_cap_a_policy(own: str, cap: str | None, effective: str) -> None:
    """Audit, approve, enforce: the lower of the two."""
    subject = replace(policy(document("p", "[{log: x}]")), enforcement=Enforcement(own))
    config = EngineConfig(enforcement=None if cap is None else Enforcement(cap))
    world = Host([], config=config).engine.world
    assert enforcement_of(world, subject) is Enforcement(effective)
    asked = approval_of(world, subject)
    assert (asked is not None) == (effective == "approve")
    if asked is not None:
        assert (asked.ask, asked.expires) == ("", 3600.0)


@pytest.mark.parametrize(
    ("more", "cap"),
    [
        pytest.param("enforcement: approve\n", None, id="the policy's own"),
        pytest.param("", Enforcement.APPROVE, id="the settings' cap"),
        pytest.param("enforcement: approve\n" + ASK, None, id="with words of its own"),
    ],
)
def test_enforcement_approve_is_the_same_as_an_approval(more: str, cap: Enforcement | None) -> None:
    """Nothing is done without a yes."""
    host = _go(_host(more, enforcement=cap))
    assert _topics(host) == []
    assert host.order(Approve(RUN)).ok
    assert _topics(host) == ["done"]


def test_in_audit_nobody_is_asked() -> None:
    """What would have been asked stands in the trace."""
    host = _go(_host("enforcement: audit\n" + ASK))
    assert host.outcomes() == ["would run"]
    assert host.traces("would run")[0].values["ask"] == "reset web-1?"


@pytest.mark.parametrize("gone", [False, True], ids=["changed", "gone"])
def test_a_run_that_waits_survives_a_reload(gone: bool) -> None:
    """With the text that was asked about: what was approved is what is done."""
    host = _go(_host())
    host.load([] if gone else [document("p", "[{publish: new}]", more=ASK)])
    assert host.order(Approve(RUN)).ok
    assert _topics(host) == ["done"]


def test_a_question_once_asked_stays_when_the_cap_is_lifted() -> None:
    """Who asked for a human keeps asking: a restart with other settings does nothing alone."""
    host = _go(_host("", enforcement=Enforcement.APPROVE))
    host.config = EngineConfig(host="h1")
    host.restart()
    host.run(10.0)
    assert _topics(host) == []
    assert host.order(Approve(RUN)).ok
    assert _topics(host) == ["done"]
