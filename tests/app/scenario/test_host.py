"""A virtual host by itself: what tests of policies cannot bring about."""

from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.host import VirtualHost
from reactor.core.config import EngineConfig
from reactor.core.effect import Effect, Execute, Publish
from reactor.core.inputs import Answered, Input
from reactor.policyfile.policy_tests import GuestSetup
from tests.app.scenario.guests import START
from tests.app.scenario.plays import ON_STOP, loaded, logged, played


class Hosted:
    """A host with one guest; ``given`` are the inputs of its engine."""

    def __init__(self, policies: str = "") -> None:
        self.given: list[Input] = []
        self.seen: list[Effect] = []
        found = loaded(policies) if policies else None
        self.host = VirtualHost(
            found.policies if found else (),
            EngineConfig(host="h"),
            START,
            Answerer({}),
            lambda _now, effect: self.seen.append(effect),
        )
        handle = self.host.engine.handle

        def note(input_: Input, now: float) -> list[Effect]:
            self.given.append(input_)
            return handle(input_, now)

        self.host.engine.handle = note  # type: ignore[method-assign]
        self.host.add(GuestSetup("g"), Answerer({}))
        self.host.remember()

    def answers(self) -> list[Answered]:
        """The answers that came."""
        return [one for one in self.given if isinstance(one, Answered)]


def test_a_command_to_a_monitor_that_just_went_is_not_sent() -> None:
    """The engine does not know yet; the answer says that nothing was done."""
    hosted = Hosted()
    hosted.host.errands.run(Execute("x-1", "g", "stop", {}, START + 60))
    hosted.host.run_until(START + 1)
    assert hosted.answers() == [Answered("x-1", unsent="the monitor is away")]


def test_a_reply_to_a_monitor_that_just_went_is_lost() -> None:
    """The command may have been done."""
    hosted = Hosted()
    hosted.host.connect("g")
    hosted.host.errands.run(Execute("x-1", "g", "stop", {}, START + 60))
    hosted.host.errands.lose("g", "it is gone")
    hosted.host.run_until(START + 1)
    assert hosted.answers()[0] == Answered("x-1", lost="it is gone")
    assert not hosted.host.guests["g"].qemu.is_running  # type: ignore[union-attr]


def test_effects_for_those_who_watch_are_not_carried_out() -> None:
    """A message needs no answer."""
    hosted = Hosted()
    hosted.host.errands.run(Publish("t", None))
    hosted.host.run_until(START + 1)
    assert hosted.answers() == []


def test_a_host_in_which_nothing_happens_any_more() -> None:
    """There is no next moment, and time may pass all the same."""
    hosted = Hosted()
    assert hosted.host.next() is None
    hosted.host.run_until(START + 3600)
    assert hosted.host.now == START + 3600


def test_a_qemu_that_crashes_while_nobody_is_connected() -> None:
    """Nobody is told; the next connect finds another life."""
    policy = ON_STOP.replace("STOP", "REACTOR_GUEST_LOST") + "steps: [{log: '${data.reason}'}]\n"
    test = "timeline: [{at: 1s, disconnect: g}, {at: 2s, crash: g}, {at: 3s, connect: g}]\n"
    assert logged(policy, test) == ["3.00 g QEMU was restarted"]


def test_a_restart_with_a_guest_that_is_away() -> None:
    """It is known, and not connected."""
    policy = ON_STOP + "steps: [{log: x}]\n"
    test = (
        "guests: {g: {}, h: {connected: false}}\n"
        "timeline: [{at: 1s, restart: 1s}, {at: 1m, event: STOP, guest: g}]\n"
    )
    assert logged(policy, test) == ["60.00 g x"]


def test_a_run_that_nothing_can_end_ends_the_test() -> None:
    """Time does not go on for it."""
    policy = ON_STOP + "approval: {expires: 1h}\nsteps: [{log: x}]\n"
    over = played(policy, "timeline: [{at: 1s, event: STOP}]\n")
    assert over.ended < 3700
