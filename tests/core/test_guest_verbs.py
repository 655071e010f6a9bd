"""The verbs of a guest: shut it down, let it reboot, start it, end its QEMU, knock at it."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.event import Event
from reactor.core.inputs import Answered, Connected, Facts, Happened, Refusal
from reactor.core.policy import Policy
from reactor.core.run import Outcome
from reactor.core.steps import GuestAction, GuestStep, WaitStaysStep
from tests.core.built import condition, log, options, with_steps
from tests.core.simulation import Host

CONFIG = EngineConfig(host="h1", allow=frozenset({"quit"}))


def verb(action: GuestAction, **more: object) -> Policy:
    """A policy that does this."""
    return with_steps(GuestStep(options("steps/0", **more), action), log("steps/1"))


def play(policy: Policy, status: str = "running", seconds: float = 20.0, **more: object) -> Host:
    """What a guest in this status makes of it; ``more`` are members of the simulated guest."""
    host = Host([policy], config=CONFIG)
    guest = host.guests["web-1"]
    guest.status = status
    for name, value in more.items():
        setattr(guest, name, value)
    host._name("web-1")  # noqa: SLF001 - the guest's agent may be gone by now
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    return host.run(seconds)


@pytest.mark.parametrize(
    ("action", "status", "commands"),
    [
        pytest.param(GuestAction.SHUTDOWN, "running", ["system_powerdown"], id="shutdown"),
        pytest.param(GuestAction.START, "running", [], id="start: runs already"),
        pytest.param(GuestAction.START, "prelaunch", ["cont"], id="start: prelaunch"),
        pytest.param(GuestAction.START, "shutdown", ["system_reset", "cont"], id="start: off"),
        pytest.param(GuestAction.DESTROY, "guest-panicked", ["quit"], id="destroy"),
        pytest.param(GuestAction.INJECT_NMI, "running", ["inject-nmi"], id="nmi"),
        pytest.param(GuestAction.INJECT_NMI, "paused", ["inject-nmi"], id="nmi: paused"),
    ],
)
def test_what_a_verb_sends(action: GuestAction, status: str, commands: list[str]) -> None:
    """In this order, and the run succeeds."""
    host = play(verb(action), status)
    assert (host.commands(), host.outcomes()) == (commands, ["succeeded"])


@pytest.mark.parametrize(
    ("action", "status", "error"),
    [
        pytest.param(
            GuestAction.SHUTDOWN,
            "paused",
            "refused: a guest in paused cannot shut itself down",
            id="shutdown: stands still",
        ),
        pytest.param(
            GuestAction.REBOOT,
            "guest-panicked",
            "refused: a guest in guest-panicked cannot shut itself down",
            id="reboot: panicked",
        ),
        pytest.param(
            GuestAction.START,
            "guest-panicked",
            "refused: a guest in guest-panicked is not waiting to be started",
            id="start: panicked",
        ),
    ],
)
def test_what_a_verb_refuses(action: GuestAction, status: str, error: str) -> None:
    """Nothing is sent, and the reason names the state."""
    host = play(verb(action), status)
    assert (host.commands(), host.ended()[-1].error) == ([], error)


def test_a_guest_that_does_not_hear_the_power_button() -> None:
    """Five minutes, then the step fails."""
    policy = verb(GuestAction.SHUTDOWN)
    host = play(policy, seconds=299.0, mute={"SHUTDOWN"})
    assert host.outcomes() == []
    host.run(3.0)
    assert host.ended()[-1].error == "SHUTDOWN did not come within 5m"


def test_a_shutdown_with_a_time_of_its_own() -> None:
    """The step's timeout replaces the five minutes."""
    host = play(verb(GuestAction.SHUTDOWN, timeout=400.0), seconds=399.0, mute={"SHUTDOWN"})
    assert host.outcomes() == []
    assert host.run(3.0).ended()[-1].error == "the step did not end within 6m40s"


def test_a_reboot_is_asked_of_the_agent() -> None:
    """It is done when the guest's RESET comes."""
    host = play(verb(GuestAction.REBOOT))
    assert host.calls == [("guest-shutdown", {"mode": "reboot"})]
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize(
    ("mute", "outcome"),
    [pytest.param(set(), "succeeded", id="RESET"), pytest.param({"RESET"}, "failed", id="nothing")],
)
def test_a_reboot_whose_answer_was_lost_is_proved_by_its_reset(
    mute: set[str], outcome: str
) -> None:
    """Or it fails when none comes in its time; it is asked for once."""
    host = Host([verb(GuestAction.REBOOT)], config=CONFIG)
    host.answers = {"guest-shutdown": "the line was cut"}
    host.guests["web-1"].mute = mute
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(400.0)
    assert (len(host.calls), host.outcomes()) == (1, [outcome])


@pytest.mark.parametrize(
    ("answer", "mute", "calls", "outcome"),
    [
        pytest.param({}, {"RESET"}, 1, "unknown", id="answered"),
        pytest.param("the line was cut", {"RESET"}, 1, "unknown", id="answer lost"),
        pytest.param(Answered("", unsent="no agent"), set(), 2, "succeeded", id="not sent"),
        pytest.param(Refusal("GenericError", "no"), {"RESET"}, 2, "failed", id="refused"),
    ],
)
def test_a_reboot_whose_reset_may_have_been_missed_is_not_asked_for_twice(
    answer: object, mute: set[str], calls: int, outcome: str
) -> None:
    """The monitor came back while the agent, which has a socket of its own, had not answered."""
    host = Host([verb(GuestAction.REBOOT, retry=1)], config=CONFIG)
    host.guests["web-1"].mute = mute

    def cut() -> None:
        host.disconnect("web-1")
        host.give(Connected("web-1", "1-1", Facts(status="running")))

    def answers() -> object:
        if len(host.calls) == 1:
            host.at(0.0005, cut)
        return answer if len(host.calls) == 1 or outcome == "failed" else {}

    host.answers = {"guest-shutdown": answers}
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(900.0)
    assert (len(host.calls), host.outcomes()) == (calls, [outcome])


def test_a_reset_behind_a_break_proves_the_reboot() -> None:
    """It came before the agent's answer, and was heard."""
    host = Host([verb(GuestAction.REBOOT)], config=CONFIG)

    def cut() -> None:
        host.disconnect("web-1")
        host.give(Connected("web-1", "1-1", Facts(status="running")))
        host.give(Happened(Event("RESET", "web-1", {"guest": True}, host.now, host.now)))

    def answers() -> object:
        host.at(0.0005, cut)
        return {}

    host.answers = {"guest-shutdown": answers}
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(1.0)
    assert host.outcomes() == ["succeeded"]


def test_a_reboot_without_an_agent_fails() -> None:
    """There is no other way to ask for it."""
    host = play(verb(GuestAction.REBOOT), has_agent=False)
    assert host.ended()[-1].error == "the settings name no agent for web-1"


def test_destroy_is_told_again_to_a_qemu_that_answers() -> None:
    """It neither went nor said that it would: the command did not get there."""
    host = play(verb(GuestAction.DESTROY, timeout=100.0), silent={"quit"}, seconds=90.0)
    assert (host.commands(), host.outcomes()) == (["quit", "quit"], [])
    host.run(60)
    assert (host.commands(), host.outcomes()) == (["quit", "quit"], ["failed"])


@pytest.mark.parametrize("action", [GuestAction.DESTROY, GuestAction.INJECT_NMI])
def test_a_storage_daemon_has_no_guest(action: GuestAction) -> None:
    """So there is nothing for a verb to act on."""
    host = play(verb(action), kind="storage-daemon")
    assert (host.commands(), host.outcomes()) == ([], ["failed"])


def test_a_destroyed_guest_counts_for_the_limits_of_the_settings() -> None:
    """As ``destroy``; without the permission nothing is sent."""
    host = Host([verb(GuestAction.DESTROY)]).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(1)
    assert (host.commands(), host.outcomes()) == ([], ["failed"])


@pytest.mark.parametrize(
    ("pauses", "outcome", "at"),
    [
        pytest.param([], "failed", 30.0, id="never holds"),
        pytest.param([(0.0, "paused")], "succeeded", 10.0, id="holds at once"),
        pytest.param([(4.0, "paused")], "succeeded", 14.0, id="holds later"),
        pytest.param(
            [(0.0, "paused"), (9.0, "running"), (12.0, "paused")],
            "succeeded",
            22.0,
            id="begins anew",
        ),
        pytest.param([(19.5, "paused")], "succeeded", 29.5, id="just in time"),
        pytest.param([(20.5, "paused")], "failed", 30.0, id="too late"),
    ],
)
def test_stays(pauses: list[tuple[float, str]], outcome: str, at: float) -> None:
    """The condition holds for 10 s without a break, within 30 s; looked at every 250 ms."""
    stays = condition('guest.status == "paused"')
    policy = with_steps(WaitStaysStep(options("steps/0"), stays, 10.0, 30.0))
    host = Host([policy]).connect()
    guest = host.guests["web-1"]
    for after, status in pauses:
        host.at(after, lambda status=status: setattr(guest, "status", status))
    host.event("web-1", "GO", {}, after=0.0)
    begun = host.now
    host.run(60.0)
    (ended,) = host.ended()
    assert ended.outcome == outcome
    assert ended.ended is not None
    assert ended.ended - begun == pytest.approx(at, abs=0.3)


def test_stays_begins_anew_when_the_monitor_was_away() -> None:
    """Nobody knows what the guest did meanwhile."""
    stays = condition('guest.status == "running"')
    host = Host([with_steps(WaitStaysStep(options("steps/0"), stays, 10.0))]).connect()
    host.event("web-1", "GO", {}, after=0.0)
    begun = host.now
    host.run(8.0)
    host.disconnect("web-1")
    host.run(1.0)
    host.connect()
    host.run(60.0)
    (ended,) = host.ended()
    assert ended.outcome == Outcome.SUCCEEDED.value
    assert ended.ended is not None
    assert ended.ended - begun == pytest.approx(19.0, abs=0.3)


def test_stays_without_the_guests_state_is_looked_at_too() -> None:
    """Every 250 ms, whatever it reads."""
    host = Host([with_steps(WaitStaysStep(options("steps/0"), condition("false"), 1.0, 2.0))])
    host.connect()
    host.event("web-1", "GO", {})
    host.run(5.0)
    assert host.ended()[-1].error == "`false` did not stay true for 1s within 2s"
