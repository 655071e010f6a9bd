"""A QEMU that hangs: its monitor is there and says nothing, which is no state of its guest."""

import pytest

from reactor.core.effect import Execute
from reactor.core.facts import QUERY_LIMIT, UNHEARD
from reactor.core.inputs import Answered, GuestForgotten
from reactor.core.world import ANSWER_GRACE
from tests.core.simulation import Host, document

TOLD = "on_failure: [{publish: told, payload: '${run.error}'}]\n"
PANICKED = 'guest.status == "guest-panicked"'
GOES_ON = "{publish: went-on}"


def hanging(text: str, seconds: float, status: str = "guest-panicked") -> Host:
    """A guest whose QEMU answers no query-status any more, and a run that wants to know."""
    host = Host([text])
    guest = host.guests["web-1"]
    guest.status = status
    host.connect()
    guest.silent.add("query-status")
    host.event("web-1", "GO", {"n": 1})
    return host.run(seconds)


def said(host: Host) -> list[str]:
    """The topics of what was published."""
    return [topic for topic, _ in host.published()]


CONDITIONS = {
    "if of the policy": document("p", f"[{GOES_ON}]", more=f"if: {PANICKED}\n{TOLD}"),
    "inhibit_if": document("p", f"[{GOES_ON}]", more=f"inhibit_if: '!({PANICKED})'\n{TOLD}"),
    "if of a step": document("p", f"[{{publish: went-on, if: '{PANICKED}'}}]", more=TOLD),
    "check": document("p", f"[{{check: '{PANICKED}'}}, {GOES_ON}]", more=TOLD),
    "choose": document(
        "p", f"[{{choose: [{{when: '{PANICKED}', steps: [{GOES_ON}]}}]}}]", more=TOLD
    ),
    "repeat": document(
        "p", f"[{{repeat: {{times: 1, until: '{PANICKED}'}}, steps: [{GOES_ON}]}}]", more=TOLD
    ),
    "until": document("p", f"[{{wait: {{until: '{PANICKED}'}}}}, {GOES_ON}]", more=TOLD),
    "stays": document("p", f"[{{wait: {{stays: '{PANICKED}', for: 1s}}}}, {GOES_ON}]", more=TOLD),
}


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("seconds", [9.0, 11.0, 400.0])
def test_a_condition_waits_for_a_qemu_that_hangs(name: str, seconds: float) -> None:
    """It is neither false nor true until QEMU has answered."""
    host = hanging(CONDITIONS[name], seconds)
    assert host.outcomes() == []
    host.guests["web-1"].silent.clear()
    host.run(15)
    assert (said(host), host.outcomes()) == (["went-on"], ["succeeded"])


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_question_that_nobody_answers_is_asked_anew(name: str) -> None:
    """Behind a full disk it may come back so late: until then nobody looks again and again."""
    host = hanging(CONDITIONS[name], 0)
    host.guests["web-1"].deaf.add("query-status")
    host.run(QUERY_LIMIT + ANSWER_GRACE + 1)
    deadline = host.engine.next_deadline()
    assert deadline is not None
    assert deadline > host.now
    first = next(e for e in host.seen(Execute) if isinstance(e, Execute))
    host.guests["web-1"].silent.clear()
    host.guests["web-1"].deaf.clear()
    host.give(Answered(first.id, result={"status": "running"}))
    host.run(20)
    assert (said(host), host.outcomes()) == (["went-on"], ["succeeded"])


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_qemu_that_never_answers_is_told(name: str) -> None:
    """In the time that the run has, never as a condition that is false."""
    host = hanging(CONDITIONS[name], 3590)
    assert host.outcomes() == []
    host.run(40)
    (run,) = host.ended()
    assert run.outcome in {"failed", "timed-out"}
    assert "went-on" not in said(host) or name == "repeat"
    if name not in {"until", "stays"}:
        assert UNHEARD in run.error
        assert [t.reason for t in host.traces("waiting")] == [UNHEARD]


@pytest.mark.parametrize("kind", ["until", "stays"])
def test_a_wait_whose_time_is_over_says_why(kind: str) -> None:
    """Also where `disconnected` would have made the condition true."""
    more = ", for: 1s" if kind == "stays" else ""
    step = f"{{wait: {{{kind}: 'guest.status != \"paused\"'{more}, timeout: 30s}}}}"
    host = hanging(document("p", f"[{step}, {GOES_ON}]"), 50, status="paused")
    assert host.outcomes() == ["failed"]
    assert said(host) == []
    assert host.ended()[0].error.endswith(UNHEARD) is (kind == "until")


def test_a_monitor_that_breaks_meanwhile_is_away() -> None:
    """Then its guest is `disconnected`, as it always was."""
    host = hanging(CONDITIONS["check"], 30)
    host.disconnect("web-1")
    host.run(30)
    assert host.outcomes() == ["skipped"]


def test_a_handler_does_not_wait() -> None:
    """What tells people must not be lost behind a detail."""
    handler = f"on_failure: [{{log: x, if: '{PANICKED}'}}, {{publish: told}}]\n"
    host = hanging(document("p", "[{fail: x}]", more=handler), 12)
    assert (said(host), host.outcomes()) == (["told"], ["failed"])


def test_a_storage_daemon_has_no_guest_to_ask() -> None:
    """Its status is `none`, at once."""
    host = Host([document("p", f"[{{check: 'guest.status == \"none\"'}}, {GOES_ON}]")])
    host.guests["web-1"].kind = "storage-daemon"
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    assert host.run(1).outcomes() == ["succeeded"]


def test_a_status_that_qemu_did_not_give_is_asked_for_until_it_does() -> None:
    """Else a `where` on it would be false for good on a guest of which nobody asks again."""
    sees = "{event: QUORUM_REPORT_BAD, where: 'guest.status == \"running\"'}"
    host = Host([document("p", f"[{GOES_ON}]", trigger=sees)]).connect()
    guest = host.guests["web-1"]
    guest.silent.add("query-status")
    host.event("web-1", "RESUME", {})
    host.run(60)
    asked = host.commands(queries=True).count("query-status")
    assert host.engine.world.guests["web-1"].status == "disconnected"
    guest.silent.clear()
    host.run(12)
    host.event("web-1", "QUORUM_REPORT_BAD", {"node-name": "a"})
    host.run(60)
    assert said(host) == ["went-on"]
    assert asked <= 6
    assert host.commands(queries=True).count("query-status") <= asked + 2


@pytest.mark.parametrize("ends", ["disconnect", "forget", "known by others"])
def test_nobody_is_asked_for_a_status_that_is_not_unknown_any_more(ends: str) -> None:
    """The monitor went away, the guest is not named any more, or a run has asked meanwhile."""
    host = Host([document("p", f"[{{check: '{PANICKED}'}}]")]).connect()
    host.guests["web-1"].silent.add("query-status")
    host.event("web-1", "RESUME", {})
    host.run(QUERY_LIMIT + 1)
    host.guests["web-1"].silent.clear()
    if ends == "disconnect":
        host.disconnect("web-1")
    elif ends == "forget":
        host.give(GuestForgotten("web-1"))
    else:
        host.event("web-1", "GO", {"n": 1})
        host.run(0.5)
    asked = host.commands(queries=True).count("query-status")
    host.run(30)
    assert host.commands(queries=True).count("query-status") == asked
