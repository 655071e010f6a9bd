"""A record through other policies: what would have been done, and what is assumed."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.app.replay.recording import Line
from reactor.app.replay.replaying import Request, replay
from reactor.app.replay.tally import PolicyTally, Wanted
from reactor.core.config import EngineConfig
from reactor.core.inputs import Fired, Happened
from reactor.core.orders import AddSilence, Approve, HoldGuests, Order, ReleaseGuests
from reactor.core.policy import Limit, LimitScope
from reactor.errors import RecordingError
from tests.app.replay.keeping import Kept, KeptHost, readable, replayed
from tests.core.simulation import START, SimGuest, policy

PANIC = """
policy: panic
description: d
arm: [{guest: preserve-on-panic}]
trigger: {event: GUEST_PANICKED, where: data.action == "pause"}
if: guest.status == "guest-panicked"
mode: queued
limits: [2 per 1h per guest]
steps:
  - guest: dump
    to: "${guest.name}-${run.id}.kdump"
  - guest: reset
  - publish: alert/info
    payload: {guest: "${guest.name}"}
  - mark: {guest: self, as: cured, reason: it was reset}
"""
NO_DUMP = PANIC.replace('  - guest: dump\n    to: "${guest.name}-${run.id}.kdump"\n', "")
OTHER = """
policy: other
description: d
trigger: {event: STOP}
steps: [{delay: 10s}, {check: guest.status == "paused"}, {guest: resume}]
"""

Move = tuple[float, str]


def kept(moves: list[Move], *policies: str) -> KeptHost:
    """A history of these moves."""
    host = KeptHost(policies)
    host.connect()
    for pause, move in moves:
        host.run(pause)
        _move(host, move)
    host.run(100.0)
    return host


def _move(host: KeptHost, move: str) -> None:
    guest = host.guests["web-1"]
    if move == "panic":
        guest.panic(host)
    elif move == "stop" and guest.status == "running":
        guest.status = "paused"
        host.event("web-1", "STOP", {})
    elif move == "cont" and guest.status == "paused":
        guest.status = "running"
        host.event("web-1", "RESUME", {})
    elif move == "cut":
        host.disconnect("web-1")
        host.run(0.5)
        host.connect()
    elif move == "restart":
        host.restart()
    elif move in ORDERS:
        host.order(ORDERS[move])
    else:
        _spoil(guest, move)


def _spoil(guest: SimGuest, move: str) -> None:
    """Let what the guest is asked for from now on go wrong, or well again."""
    match move:
        case "bad dumps":
            guest.dump_error = "dump: failed to save memory: No space left on device"
        case "bad resets":
            guest.failing["system_reset"] = "no"
        case "slow dumps":
            guest.dump_takes = 45.0
        case _:
            guest.dump_error = ""
            guest.failing.clear()


ORDERS: dict[str, Order] = {
    "silence": AddSilence(("panic",), ("*",), 200.0),
    "hold": HoldGuests(),
    "release": ReleaseGuests(),
}
MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.5, 3.0, 15.0, 120.0, 1900.0]),
        st.sampled_from(
            [
                *"panic panic panic stop cont cut restart silence hold release mend".split(),
                "bad dumps",
                "bad resets",
                "slow dumps",
            ]
        ),
    ),
    max_size=10,
)


@settings(max_examples=80, deadline=None)
@example(moves=[(0.5, "stop"), (0.5, "hold")])  # open at the end of the record
@given(moves=MOVES)
def test_a_replay_with_the_same_policies_never_differs(moves: list[Move]) -> None:
    """Simulated too: admissions, outcomes, steps and commands of every run are those of then."""
    host = kept(moves, PANIC, OTHER)
    found = replayed(host, [PANIC, OTHER], simulated=True)
    assert not found.exact
    assert readable(found.differing) == []
    for name in ("panic", "other"):
        then, now = (one.policies.get(name, PolicyTally()) for one in (host.tally, found.tally))
        assert then.refused == now.refused


def test_what_limits_held_back_is_counted_with_the_limit() -> None:
    """Two panics are dumped and reset, the third is limited."""
    found = replayed(
        kept([(1.0, "panic"), (60.0, "panic"), (60.0, "panic")], PANIC), [PANIC], simulated=True
    )
    panic = found.tally.policies["panic"]
    assert panic.runs == {"succeeded": 2}
    assert panic.refused == {"limited": 1}
    assert panic.because == {"limited: 2 per 1h per guest": 1}
    assert panic.matches == 3
    assert panic.commands == {"dump-guest-memory": 2, "system_reset": 2, "cont": 2}
    assert panic.published == {"alert/info": 2}
    assert panic.marks == {"guest cured": 2}
    assert found.assumed == [
        "7 commands were sent then too, and end as they did",
        "6 events were reactor's own doing then, and are left out",
    ]


def test_other_policies_would_do_something_else() -> None:
    """Runs that are otherwise, new ones, and those that are gone."""
    host = kept([(1.0, "panic"), (60.0, "panic")], PANIC)
    found = replayed(host, [NO_DUMP]).differing
    assert [(one.then is not None, one.now is not None) for one in found] == [(True, True)] * 2
    assert found[0].now is not None
    assert found[0].now.steps == ("guest: reset", "publish", "mark")
    assert found[0].now.commands == ("system_reset", "cont")
    renamed = replayed(host, [NO_DUMP.replace("policy: panic", "policy: cure")]).differing
    assert {(one.then is None) != (one.now is None) for one in renamed} == {True}
    assert len(renamed) == 4


def test_a_command_that_failed_then_fails_now() -> None:
    """That another policy would have had more luck nobody knows; one that is new succeeds."""
    host = kept([(1.0, "bad dumps"), (1.0, "panic")], PANIC)
    host.guests["web-1"].status = "running"
    host.event("web-1", "RESUME", {})
    host.run(60)
    host.guests["web-1"].panic(host)
    host.run(60)
    assert [ran.outcome for ran in host.ran] == ["failed", "failed"]
    louder = PANIC + "on_failure: [{publish: alert/critical}]\n"
    found = replayed(host, [louder])
    assert found.tally.policies["panic"].runs == {"failed": 2}
    assert found.tally.policies["panic"].published == {"alert/critical": 2}
    found = replayed(host, [NO_DUMP])
    assert found.tally.policies["panic"].runs == {"succeeded": 2}
    assert found.assumed[0] == (
        "4 commands are assumed to succeed as a QEMU 7.2.22 would answer them"
    )


def test_a_dump_takes_as_long_as_it_took() -> None:
    """And what waits for it waits as long."""
    host = kept([(1.0, "slow dumps"), (1.0, "panic")], PANIC)
    (then,) = host.times("system_reset")
    told: list[float] = []
    request = Request(
        [policy(PANIC)],
        tell=lambda one: told.append(one.at) if one.text == "system_reset" else None,
    )
    assert not replay([Kept(host, whole=False)], request).exact
    assert told == [pytest.approx(START + then, abs=0.2)]
    assert then > 45


def test_what_reactor_did_then_starts_no_policy_now() -> None:
    """The dump of a running guest stopped it and let it go on: nobody does so today."""
    dump = (
        "policy: dumps\ndescription: d\ntrigger: {event: WATCHDOG}\n"
        "steps: [{guest: dump, to: '${run.id}'}]\n"
    )
    sees = "policy: sees\ndescription: d\ntrigger: {event: [STOP, RESUME]}\nsteps: [{log: x}]\n"
    host = KeptHost([dump])
    host.connect()
    host.event("web-1", "WATCHDOG", {"action": "none"})
    host.run(60)
    names = [one.input.event.name for one in host.lines if isinstance(one.input, Happened)]
    assert names.count("STOP") == names.count("RESUME") == 1
    assert replayed(host, [sees]).tally.policies == {}


def test_a_reset_by_somebody_else_is_no_doing_of_ours() -> None:
    """Who looks at the reason alone takes it for one; then no command of ours was sent."""
    host = KeptHost([OTHER])
    host.connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    host.run(1)
    guest.status = "prelaunch"
    host.event("web-1", "RESET", {"guest": False, "reason": "host-qmp-system-reset"})
    host.run(1)
    guest.status = "running"
    host.event("web-1", "RESUME", {})
    host.run(1)
    own = (
        "policy: sees\ndescription: d\ntrigger: {event: RESET, own: true}\n"
        "if: guest.status == 'prelaunch'\nsteps: [{log: x}]\n"
    )
    assert replayed(host, [own]).tally.policies["sees"].runs == {"succeeded": 1}


def test_a_guest_that_today_is_left_alone_stays_as_it_is_until_the_record_speaks() -> None:
    """Then it was reset; now it is still panicked an hour later, until it panics again."""
    looks = (
        "policy: looks\ndescription: d\n"
        "trigger: {state: guest.status == 'guest-panicked', for: 30m}\nsteps: [{log: x}]\n"
    )
    host = kept([(1.0, "panic"), (3000.0, "cut"), (60.0, "panic")], PANIC)
    assert "looks" not in replayed(host, [PANIC, looks], simulated=True).tally.policies
    found = replayed(host, [looks])
    assert found.tally.policies["looks"].runs == {"succeeded": 1}


def test_the_daemon_is_down_when_that_of_then_was() -> None:
    """A delay that ends meanwhile goes on at the start, and no schedule fires in between."""
    waits = (
        "policy: waits\ndescription: d\ntrigger: {event: STOP}\ntimeout: 12h\n"
        "steps: [{delay: 5m}, {publish: x}]\n"
    )
    every = "policy: every\ndescription: d\ntrigger: {every: 1h}\nsteps: [{log: x}]\n"
    host = kept([(1.0, "stop")], OTHER)
    host.lines.append(Line(host.now, stopped=True))
    host.run(4 * 3600.0)
    host.restart()
    host.run(10.0)
    told: list[tuple[float, str]] = []
    request = Request(
        policies=[policy(waits), policy(every)],
        tell=lambda one: told.append((one.at - START, one.what)),
    )
    replay([Kept(host)], request)
    assert [round(at) for at, _ in told] == [1, 14501, 14501, 14501]
    assert [what for _, what in told] == ["step", "step", "publish", "run"]


def test_schedules_fire_in_the_time_of_the_record() -> None:
    """Today's, whatever fired then."""
    hourly = "policy: h\ndescription: d\ntrigger: {every: 1h}\nsteps: [{log: x}]\n"
    host = kept([(1.0, "stop"), (3 * 3600.0, "cont")], PANIC)
    assert replayed(host, [hourly]).tally.policies["h"].runs == {"succeeded": 3}


def test_the_draw_of_then_is_the_draw_of_now() -> None:
    """A firing that there was then comes as late to each guest as it did."""
    text = "policy: h\ndescription: d\ntrigger: {every: 1h, jitter: 20m}\nsteps: [{qmp: stop}]\n"
    host = KeptHost([text])
    host.connect()
    host.run(3600 - host.now % 3600)
    at = host.now
    host.give(Fired("h", 0, at, 4711))
    host.run(3000)
    assert [ran.outcome for ran in host.ran] == ["succeeded"]
    found = replayed(host, [text], simulated=True)
    assert readable(found.differing) == []
    assert found.tally.policies["h"].runs == {"succeeded": 1}


def test_only_what_is_wanted_is_told() -> None:
    """What came before counts for limits all the same."""
    host = kept([(1.0, "panic"), (60.0, "panic"), (60.0, "panic")], PANIC, OTHER)
    since = host.now - 150.0
    found = replayed(host, [PANIC, OTHER], simulated=True, wanted=Wanted("pan*", "web-*", since))
    panic = found.tally.policies["panic"]
    assert (panic.runs, panic.refused) == ({}, {"limited": 1})
    assert found.differing == []
    assert list(found.tally.policies) == ["panic"]
    assert replayed(host, [PANIC], wanted=Wanted(guest="db-*")).tally.policies == {}


def test_an_order_is_about_the_run_of_today() -> None:
    """The approved run of then has another number now; one that nobody asks for is counted."""
    asks = PANIC + "approval: {expires: 10m}\n"
    other = "policy: other\ndescription: d\ntrigger: {event: GUEST_PANICKED}\nsteps: [{log: x}]\n"
    host = KeptHost([asks])
    host.connect()
    host.guests["web-1"].panic(host)
    host.run(5)
    host.order(Approve(next(iter(host.engine.world.runs))))
    host.run(60)
    assert host.outcomes() == ["succeeded"]
    found = replayed(host, [other, asks])
    assert found.tally.policies["panic"].runs == {"succeeded": 1}
    found = replayed(host, [other])
    assert found.assumed[-1] == "one order of an operator was about a run that there is not now"


def test_a_record_that_begins_in_the_middle() -> None:
    """Its guests are taken for connected and running; labels are those of the settings."""
    labelled = PANIC.replace("trigger:", "guests: {labels: {tier: web}}\ntrigger:")
    host = kept([(1.0, "panic")], PANIC)
    host.lines[:] = [line for line in host.lines if isinstance(line.input, Happened)]
    plain = replayed(host, [labelled])
    assert plain.tally.policies == {}
    assert plain.assumed[-1].startswith("one guest is assumed to run at its first event")
    request = Request([policy(labelled)], labels={"web-1": {"tier": "web"}})
    assert replay([Kept(host)], request).tally.policies["panic"].runs == {"succeeded": 1}


def test_policies_of_then_that_are_not_in_the_record() -> None:
    """A text that is missing is named; without any, today's must be."""
    host = kept([(1.0, "panic")], PANIC)
    (revision,) = host.texts
    host.texts.clear()
    with pytest.raises(RecordingError, match=f"the text of panic, revision {revision}, is not"):
        replayed(host)
    host.lines[:] = [line for line in host.lines if line.policies is None]
    with pytest.raises(RecordingError, match="does not hold the policies of then"):
        replayed(host)


def test_the_policies_of_then_without_their_answers() -> None:
    """A part of a record is simulated, with every reload where it was."""
    host = kept([(1.0, "panic")], PANIC)
    host.load([NO_DUMP])
    host.guests["web-1"].panic(host)
    host.run(60)
    found = replayed(host, simulated=True)
    assert not found.exact
    assert readable(found.differing) == []
    assert [ran.steps[0] for ran in host.ran] == ["guest: dump", "guest: reset"]


def test_other_settings_are_another_world() -> None:
    """The same policies, with a limit over all of them: simulated, and otherwise."""
    host = kept([(1.0, "panic"), (60.0, "panic")], PANIC)
    same = Request([policy(PANIC)], host.config)
    assert replay([Kept(host)], same).exact
    limits = {"reset": (Limit(1, 3600.0, LimitScope.HOST, "1 per 1h per host"),)}
    other = Request([policy(PANIC)], EngineConfig(host="h1", limits=limits))
    found = replay([Kept(host)], other)
    assert not found.exact
    assert found.tally.policies["panic"].runs == {"succeeded": 1, "failed": 1}


def test_nothing_is_played_beyond_the_end() -> None:
    """Neither is what came after it compared."""
    host = kept([(1.0, "panic"), (600.0, "panic")], PANIC)
    request = Request([policy(PANIC)], until=START + 300.0, compares=True)
    found = replay([Kept(host, whole=False)], request)
    assert found.tally.policies["panic"].runs == {"succeeded": 1}
    assert found.differing == []


def test_policies_that_start_each_other_for_ever_end_the_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With what to look at."""
    monkeypatch.setattr("reactor.app.scenario.host.INPUTS_MAX", 500)
    loop = (
        "policy: p{0}\ndescription: d\ntrigger: {{event: REACTOR_MARK_SET, "
        "where: data.id == 'd{0}'}}\nsteps: [{{qmp: set-action}}, {{clear: {{disk: d{1}}}}}, "
        "{{mark: {{disk: d{1}, as: x, reason: r}}}}]\n"
    )
    first = (
        "policy: first\ndescription: d\ntrigger: {event: STOP}\n"
        "steps: [{mark: {disk: d0, as: x, reason: r}}]\n"
    )
    host = kept([(1.0, "stop")], OTHER)
    with pytest.raises(RecordingError, match="start each other for ever"):
        replayed(host, [first, loop.format(0, 1), loop.format(1, 0)])


def test_several_records_are_played_one_behind_the_other() -> None:
    """What the first left counts in the second."""
    host = kept([(1.0, "panic"), (60.0, "panic"), (60.0, "panic")], PANIC)
    half = len(host.lines) // 2
    first, second = Kept(host), Kept(host)
    lines = list(host.lines)
    first.lines = lambda: iter(lines[:half])  # type: ignore[method-assign]
    second.lines = lambda: iter(lines[half:])  # type: ignore[method-assign]
    found = replay([first, second], Request([policy(PANIC)]))
    assert not found.exact
    assert found.tally.policies["panic"].refused == {"limited": 1}
