"""A step that is half done is brought to its end, whatever deadline passed meanwhile."""

import pytest

from reactor.core.effect import Dumped
from reactor.core.inputs import Disconnected
from reactor.core.machine import cancel
from reactor.core.owed import LATE, OWED_LIMIT
from tests.core.simulation import Host, document
from tests.core.test_crash_points import _Mortal
from tests.core.test_in_doubt import CONFIG, DUMP, RESET, killed, probed, raw, until

TOLD = "on_failure: [{publish: failed, payload: '${run.error}'}]\n"
STEP = document("p", "[{guest: reset, timeout: 10s}]", more=TOLD)
RUN = document("p", "[{guest: reset}]", more=f"timeout: 10s\n{TOLD}")
AROUND = document("p", "[{repeat: {times: 1}, steps: [{guest: reset}], timeout: 10s}]", more=TOLD)
BESIDE = document("p", "[{parallel: [[{guest: reset}], [{log: x}]], timeout: 10s}]", more=TOLD)
START = document("p", "[{guest: start, timeout: 10s}]", more=TOLD)


@pytest.mark.parametrize("loses", [False, True], ids=["obeyed", "lost"])
@pytest.mark.parametrize("away", [0.0, 200.0], ids=["at once", "late"])
@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param(STEP, "guest-panicked", id="of the step"),
        pytest.param(RUN, "guest-panicked", id="of the run"),
        pytest.param(AROUND, "guest-panicked", id="of a step around"),
        pytest.param(BESIDE, "guest-panicked", id="of a parallel step"),
        pytest.param(START, "shutdown", id="of a start"),
    ],
)
def test_a_time_that_passed_while_reactor_was_down_leaves_no_guest_reset_and_stopped(
    text: str, status: str, away: float, *, loses: bool
) -> None:
    """Wherever it was killed: either it was not reset, and this is told, or it runs."""
    ends, inputs = set[str](), 0
    while True:
        host = _Mortal([text])
        guest = host.guests["web-1"]
        guest.status = status
        host.connect()
        host.event("web-1", "GO", {"n": 1})
        if not host.lives(inputs, loses=loses):
            break
        host.forget_replies()
        guest.mute |= {"RESET", "RESUME"}
        host.run(0)
        guest.mute.clear()
        host.now += 600
        host.restart(connect=False)
        host.run(away)
        host.connect()
        host.run(4000)
        resets, told = host.commands().count("system_reset"), host.published()
        assert guest.status in {"running", status}, inputs
        assert resets == (guest.status == "running" or (loses and resets)), inputs
        assert told or guest.status == "running", inputs
        assert not guest.died
        ends.add(guest.status)
        inputs += 1
    assert ends == {"running", status}


def _reset(text: str = STEP) -> Host:
    """A guest that was reset, with a monitor that broke behind the reply, before the RESET."""
    host = killed(text, "system_reset", "guest-panicked")
    host.run(0.005)
    host.give(Disconnected("web-1", "broken"))
    host.guests["web-1"].mute.clear()
    return host


def test_a_monitor_that_is_away_is_waited_for_behind_a_reset() -> None:
    """The reply came, RESET did not: five minutes from the end of the step's time."""
    host = _reset()
    host.run(OWED_LIMIT)
    assert (host.commands(), host.outcomes()) == (["system_reset"], [])
    host.connect()
    host.run(5)
    assert (host.commands(), host.outcomes()) == (["system_reset", "cont"], ["succeeded"])


@pytest.mark.parametrize(
    ("stands", "outcomes"),
    [
        pytest.param(5 + LATE - 0.1, ["failed"], id="it was only busy"),
        pytest.param(5 + LATE, [], id="for a moment"),
        pytest.param(400, [], id="for long"),
    ],
)
def test_the_time_in_which_the_engine_stood_still_does_not_count(
    stands: float, outcomes: list[str]
) -> None:
    """The disk was full: nobody could let the guest go, and a retry would reset it once more."""
    host = _reset()
    host.run(10 + OWED_LIMIT - 5)
    host.now += stands
    host.run(4.9)
    assert host.outcomes() == outcomes
    host.connect()
    host.run(5)
    assert (host.guests["web-1"].status == "running") is (outcomes == [])
    assert host.commands().count("system_reset") == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(STEP, "the step did not end within 10s", id="step"),
        pytest.param(RUN, "the run did not end within 10s", id="run"),
        pytest.param(AROUND, "the step did not end within 10s", id="a step around"),
        pytest.param(BESIDE, "the time of the run, or of a step around, was over", id="branch"),
    ],
)
def test_a_guest_that_cannot_be_let_go_is_told(text: str, why: str) -> None:
    """After five more minutes the step fails, and says how it leaves the guest."""
    host = _reset(text)
    host.run(10 + OWED_LIMIT - 0.1)
    assert host.outcomes() == []
    host.run(0.2)
    assert [topic for topic, _ in host.published()] == ["failed"]
    left = f"{why}; the guest was reset, and could not be let go"
    assert left in [trace.reason for trace in host.traces("failed") + host.traces("timed out")]


def test_a_handler_that_resets_lets_the_guest_go_too() -> None:
    """Its five minutes count no more than another deadline."""
    text = document("p", "[{fail: x}]", more="on_failure: [{guest: reset}]\n")
    host = _reset(text)
    host.run(599)
    assert host.run(2).outcomes() == ["failed"]
    assert host.traces("timed out")[0].reason == (
        "the handler did not end in its time; the guest was reset, and could not be let go"
    )


def test_a_run_that_is_cancelled_lets_the_guest_go_first() -> None:
    """An operator, or the next run in `mode: restart`, means the run, not half of a reset."""
    host = _reset()
    world = host.engine.world
    (run,) = world.runs.values()
    cancel(world, run, "cancelled by anna")
    host.event("web-1", "OTHER", {}, after=0.0)
    host.run(0.001)
    host.restart()
    host.run(5)
    assert (host.commands(), host.outcomes()) == (["system_reset", "cont"], ["cancelled"])
    assert host.guests["web-1"].status == "running"


@pytest.mark.parametrize(
    ("seconds", "outcomes"), [(OWED_LIMIT - 1, []), (OWED_LIMIT + 1, ["cancelled"])]
)
def test_a_cancel_waits_no_longer_than_it_must(seconds: float, outcomes: list[str]) -> None:
    """The monitor is gone: five minutes."""
    host = _reset(RESET)
    world = host.engine.world
    (run,) = world.runs.values()
    cancel(world, run, "cancelled by anna")
    host.event("web-1", "OTHER", {}, after=0.0)
    assert host.run(seconds).outcomes() == outcomes


def test_a_guest_that_stands_by_its_owners_will_is_owed_nothing() -> None:
    """A reset leaves it stopped; the deadline counts as ever."""
    host = killed(STEP, "system_reset", "paused")
    host.run(0.005)
    host.give(Disconnected("web-1", "broken"))
    assert host.run(10).outcomes() == ["failed"]
    assert host.published() == [("failed", "the step did not end within 10s")]


def test_a_dump_that_ended_while_reactor_was_down_is_a_dump() -> None:
    """Its time passed meanwhile; nobody could see that it was kept."""
    host = Host([DUMP.replace("format: elf", "format: elf, timeout: 1m")], config=CONFIG)
    guest = host.guests["web-1"]
    guest.status, guest.dump_takes = "guest-panicked", 20.0
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    until(host, "dump-guest-memory")
    host.run(1)
    guest.mute.add("DUMP_COMPLETED")
    host.run(30)
    guest.mute.clear()
    host.now += 600
    host.restart(connect=False)
    host.run(20)
    host.connect()
    host.run(10)
    assert (host.commands(), host.outcomes()) == (["dump-guest-memory"], ["succeeded"])
    assert len(host.seen(Dumped)) == 1


WAIT = document("p", "[{wait: {event: GUEST_PANICKED, timeout: 1m}}, {publish: went-on}]")


@pytest.mark.parametrize(
    ("status", "late", "outcome"),
    [
        pytest.param("guest-panicked", 25, "succeeded", id="it came"),
        pytest.param("guest-panicked", 31, "failed", id="nobody could look in time"),
        pytest.param("running", 25, "unknown", id="nobody knows"),
    ],
)
def test_what_is_awaited_is_looked_for_before_its_time_counts(
    status: str, late: float, outcome: str
) -> None:
    """It may have come while reactor was down: the connect knows, within 30 s."""
    host = Host([WAIT]).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(1)
    host.guests["web-1"].status = status
    host.now += 600
    host.restart(connect=False)
    host.run(late)
    host.connect()
    assert host.run(5).outcomes() == [outcome]


def test_a_command_that_is_found_done_after_its_time_ends_its_step_well() -> None:
    """What was to be done is done; the time of the run counts for what follows."""
    host = killed(raw("cont"), "cont", "paused")
    host.now += 600
    host.restart()
    host.run(5)
    assert (probed(host), host.outcomes()) == (["done"], ["succeeded"])


def test_only_what_is_owed_gets_the_time_in_which_the_engine_stood_still() -> None:
    """Another run's delay ends when it ends."""
    host = Host([STEP, document("slow", "[{delay: 6m}]")], guests=("web-1", "web-2"), config=CONFIG)
    host.guests["web-1"].status = "guest-panicked"
    host.guests["web-1"].mute |= {"RESET", "RESUME"}
    host.connect()
    host.event("web-2", "GO", {"n": 1})
    host.run(1)
    host.event("web-1", "GO", {"n": 1})
    host.run(330)
    host.now += 400
    host.run(0)
    assert [run.policy for run in host.ended()][-1] == "slow"
