"""One incident, one dump, one reset: whatever is cut, stopped or started again in between."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Execute
from reactor.core.inputs import Answered, GuestForgotten, GuestKnown
from reactor.core.policy import Limit, LimitScope
from tests.core.simulation import Host, SimGuest, document
from tests.core.test_panic_runbook import FREE

RESTARTED = "refused: QEMU was restarted since this run began, what it is about is over"
RECOVERED = ["set-action", "dump-guest-memory", "system_reset", "cont"]


@dataclass
class _Unreached(SimGuest):
    """A guest whose monitor refuses some commands before they are sent, once each."""

    unsent: set[str] = field(default_factory=set)

    def answer(self, host: Host, effect: Execute) -> Answered | None:
        """As ever, but for those."""
        if effect.command in self.unsent:
            self.unsent.remove(effect.command)
            return Answered(effect.id, unsent="the daemon is stopping")
        return super().answer(host, effect)


def _host(*texts: str, unsent: str = "", config: EngineConfig | None = None) -> Host:
    host = Host(texts, config=config)
    host.guests["web-1"] = _Unreached("web-1", unsent={unsent} if unsent else set())
    return host.connect()


def _panic(host: Host, seconds: float = 60) -> Host:
    host.guests["web-1"].panic(host)
    return host.run(seconds)


def _other_qemu(host: Host, **state: str) -> Host:
    """Another QEMU in place of the old one; it works."""
    host.disconnect("web-1")
    host.guests["web-1"] = SimGuest("web-1", epoch="2-2", **state)  # type: ignore[arg-type]
    return host.connect()


# ------------------------------------------------- a command that was not sent


@pytest.mark.parametrize("command", RECOVERED[1:])
def test_a_command_that_was_not_sent_is_sent_later_and_no_other_twice(command: str) -> None:
    """A `cont` that did not leave is no reason for a second reset."""
    host = _panic(_host(FREE, unsent=command))
    again = RECOVERED.index(command)
    assert host.commands() == [*RECOVERED[: again + 1], *RECOVERED[again:]]
    assert host.outcomes() == ["succeeded"]
    assert host.guests["web-1"].status == "running"


@pytest.mark.parametrize("command", RECOVERED[1:])
def test_a_daemon_that_stops_before_a_command_goes_on_with_that_command(command: str) -> None:
    """It stopped in order: the command is certain not to have been sent."""
    host = _host(FREE, unsent=command)
    host.guests["web-1"].panic(host)
    while not host.traces("again"):
        host.run(0.001)
    host.restart()
    host.run(60)
    assert [command for command in host.commands() if command != "set-action"] == [
        *RECOVERED[1 : RECOVERED.index(command) + 1],
        *RECOVERED[RECOVERED.index(command) :],
    ]
    assert host.outcomes() == ["succeeded"]
    assert host.guests["web-1"].status == "running"


@pytest.mark.parametrize("status", ["running", "paused", "guest-panicked"])
def test_a_guest_that_somebody_else_moved_gets_no_late_cont(status: str) -> None:
    """Above all not one that has panicked again: its dead kernel would run on."""
    host = _host(FREE, unsent="cont")
    host.guests["web-1"].panic(host)
    while not host.traces("again"):
        host.run(0.001)
    host.guests["web-1"].status = status
    host.run(60)
    assert host.commands() == RECOVERED
    assert host.outcomes() == ["succeeded"]
    assert [trace.reason for trace in host.traces("nothing to do")] == [
        f"the guest is {status} by now, cont was not sent"
    ]


def test_a_late_cont_waits_for_a_qemu_that_hangs() -> None:
    """A status that nobody could tell decides nothing."""
    host = _host(FREE, unsent="cont")
    guest = host.guests["web-1"]
    guest.panic(host)
    while not host.traces("again"):
        host.run(0.001)
    guest.silent.add("query-status")
    host.run(30)
    assert host.commands() == RECOVERED
    guest.silent.clear()
    host.run(30)
    assert host.commands() == [*RECOVERED, "cont"]
    assert host.outcomes() == ["succeeded"]


def test_a_reset_that_is_tried_again_lets_the_guest_run() -> None:
    """Its own first attempt left it in prelaunch, not its owner."""
    host = _host(
        FREE.replace("- guest: reset", "- guest: reset\n    retry: {times: 1, backoff: [5s]}")
    )
    guest = host.guests["web-1"]
    guest.failing["cont"] = "the disk is not there"
    _panic(host, 1.5)
    guest.failing.clear()
    host.run(60)
    assert host.commands() == [*RECOVERED, *RECOVERED[2:]]
    assert host.outcomes() == ["succeeded"]
    assert guest.status == "running"


@pytest.mark.parametrize("status", ["paused", "prelaunch"])
def test_a_reset_that_is_tried_again_leaves_a_guest_that_its_owner_stopped(status: str) -> None:
    """In whatever state the first attempt found it."""
    host = _host(document("p", "[{guest: reset, timeout: 1s, retry: {times: 1}}]"))
    guest = host.guests["web-1"]
    guest.status = status
    guest.mute.add("RESET")
    host.event("web-1", "GO", {}, after=0)
    host.run(0.5)
    guest.mute.clear()
    host.run(60)
    assert host.commands() == ["system_reset", "system_reset"]
    assert host.outcomes() == ["succeeded"]


def test_a_reset_that_is_tried_again_looks_at_the_guest_again() -> None:
    """It ran at the first attempt and panicked before the second: it shall run again."""
    host = _host(document("p", "[{guest: reset, retry: {times: 1, backoff: [5s]}}]"))
    guest = host.guests["web-1"]
    guest.failing["system_reset"] = "no"
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    guest.failing.clear()
    guest.panic(host)
    host.run(60)
    assert host.commands() == ["system_reset", "system_reset", "cont"]
    assert guest.status == "running"


# ------------------------------------------------------------- another QEMU

SLOW = FREE.replace("- guest: reset", "- delay: 10s\n  - guest: reset")


@pytest.mark.parametrize("restarted", [False, True], ids=["daemon lives", "daemon too"])
def test_another_qemu_is_not_reset_for_the_panic_of_the_old_one(*, restarted: bool) -> None:
    """The dump is done, then QEMU is started anew: the run fails and says so."""
    host = _panic(_host(SLOW), 5)
    if restarted:
        host.restart(connect=False)
    _other_qemu(host)
    host.run(60)
    assert "system_reset" not in host.commands()
    assert [(run.outcome, run.error) for run in host.ended()] == [("failed", RESTARTED)]
    assert [topic for topic, _ in host.published()] == ["alert/critical"]


def test_another_qemu_is_not_dumped_for_the_panic_of_the_old_one() -> None:
    """The run waited for the one dump at once that the settings allow."""
    limits = {"dump": (Limit(1, None, LimitScope.HOST, "1 at once per host"),)}
    host = Host([FREE], ["web-1", "web-2"], EngineConfig(host="h1", limits=limits)).connect()
    host.guests["web-2"].dump_takes = 30.0
    host.guests["web-2"].panic(host)
    host.run(1)
    host.guests["web-1"].panic(host)
    host.run(1)
    _other_qemu(host)
    host.run(60)
    assert host.commands("web-1") == ["set-action", "set-action"]
    assert {run.guest: run.error for run in host.ended()} == {"web-1": RESTARTED, "web-2": ""}


def test_a_match_that_waits_for_its_turn_is_about_the_qemu_it_came_from() -> None:
    """Also where the policy has no `if`."""
    text = document("p", "[{delay: 10s}, {qmp: stop}]", more="mode: queued\n")
    host = _host(text)
    host.event("web-1", "GO", {}, after=0)
    host.event("web-1", "GO", {}, after=1)
    host.run(5)
    _other_qemu(host)
    host.run(60)
    assert host.commands() == []
    assert [run.error for run in host.ended()] == [RESTARTED, RESTARTED]


@pytest.mark.parametrize(
    ("trigger", "data"),
    [
        pytest.param("SHUTDOWN", {"reason": "guest-shutdown"}, id="QEMU said that it goes"),
        pytest.param("REACTOR_GUEST_LOST", {}, id="QEMU is gone"),
        pytest.param("REACTOR_GUEST_CONNECTED", {}, id="QEMU is there"),
    ],
)
def test_a_run_about_the_end_of_a_qemu_acts_on_the_next(
    trigger: str, data: Mapping[str, object]
) -> None:
    """That is what it waits for."""
    text = document("p", "[{delay: 8s}, {qmp: stop}]", trigger=f"{{event: {trigger}}}")
    host = _host(text)
    host.run(60)
    before = len(host.commands())
    if data:
        host.event("web-1", trigger, data, after=0)
    host.run(1)
    _other_qemu(host)
    host.run(60)
    assert host.commands()[before:] == ["stop"]


def test_a_run_that_waited_for_the_next_qemu_acts_on_it() -> None:
    """It said that it wants to; a third one is none of its business."""
    wait = "{wait: {event: REACTOR_GUEST_CONNECTED, timeout: 1m}}"
    host = _host(document("p", f"[{wait}, {{qmp: stop}}, {{delay: 10s}}, {{qmp: stop}}]"))
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    _other_qemu(host)
    host.run(1)
    assert host.commands() == ["stop"]
    host.guests["web-1"].epoch = "3-3"
    host.disconnect("web-1")
    host.connect()
    host.run(60)
    assert host.commands() == ["stop"]
    assert [run.error for run in host.ended()] == [RESTARTED]


def test_a_run_that_began_without_a_monitor_stays_with_the_qemu_it_acted_on() -> None:
    """The first command that changes the guest decides."""
    text = document("p", "[{qmp: stop}, {delay: 10s}, {qmp: stop}]")
    host = _host(text)
    host.disconnect("web-1")
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    _other_qemu(host)
    host.run(1)
    assert host.commands() == ["stop"]
    host.disconnect("web-1")
    host.guests["web-1"].epoch = "3-3"
    host.connect()
    host.run(60)
    assert host.commands() == ["stop"]
    assert [run.error for run in host.ended()] == [RESTARTED]


@pytest.mark.parametrize(
    ("epoch", "outcomes"),
    [
        pytest.param(
            "2-2",
            [("unknown", "QEMU was restarted while DUMP_COMPLETED was awaited")],
            id="another QEMU",
        ),
        pytest.param(
            "1-1",
            # To who sees it for the first time the guest panicked a moment ago.
            [
                ("succeeded", ""),
                (
                    "skipped",
                    '`guest.status == "guest-panicked"` is false: guest.status is "running"',
                ),
            ],
            id="the same",
        ),
    ],
)
def test_a_run_remembers_its_qemu_when_the_guest_was_forgotten(
    epoch: str, outcomes: list[tuple[str, str]]
) -> None:
    """Its socket was away for long, and the daemon was started anew meanwhile."""
    host = _host(FREE)
    host.guests["web-1"].dump_takes = 100.0
    _panic(host, 1)
    host.disconnect("web-1")
    host.give(GuestForgotten("web-1"))
    host.restart(connect=False)
    host.give(GuestKnown("web-1"))
    host.guests["web-1"].epoch = epoch
    host.guests["web-1"].dump = "completed"
    host.connect()
    host.run(1)
    assert [(run.outcome, run.error) for run in host.ended()] == outcomes


# --------------------------------------------------- an arm behind a long dump


def test_a_panic_right_after_a_long_dump_is_not_swallowed() -> None:
    """The daemon came back in the middle: the arm that had to wait goes as soon as it can."""
    host = _host(FREE)
    guest = host.guests["web-1"]
    guest.dump_takes = 100.0
    _panic(host, 10)
    host.restart()
    host.run(30)
    (said,) = host.events("REACTOR_POLICY_NOT_READY")
    assert said.data["reason"] == "another step had its hand on the guest for 5s"
    while guest.status != "running":
        host.run(0.01)
    guest.panic(host, after=0.17)
    host.run(200)
    assert host.outcomes() == ["succeeded", "succeeded"]
    assert host.commands().count("system_reset") == 2
    assert guest.status == "running"


def test_an_arm_that_qemu_refuses_is_not_tried_at_every_step() -> None:
    """Only one that had to stand in line."""
    steps = "[{qmp: stop}, {qmp: stop}, {qmp: stop}]"
    host = Host(
        [
            document("p", steps, more="arm: [{qmp: balloon, args: {value: 1}}]\n"),
            document("q", steps),
        ]
    )
    host.guests["web-1"].failing["balloon"] = "no"
    host.connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(30)
    assert host.commands() == ["balloon", "stop", "stop", "stop"]


def test_a_policy_that_goes_while_its_arm_stands_in_line_harms_nobody() -> None:
    """Its arm gets its turn, and nobody asks for it any more."""
    slow = document("slow", "[{qmp: stop, wait: {event: REACTOR_MARK_SET, timeout: 4s}}]")
    host = _host(slow, FREE)
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    host.disconnect("web-1")
    host.connect()
    host.load([slow])
    host.run(30)
    assert host.commands() == ["set-action", "stop", "set-action"]
    assert host.engine.world.runs == {}
