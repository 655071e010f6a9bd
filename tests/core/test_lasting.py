"""``state`` triggers: a condition that lasts, seen afresh before it is told."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.core.effect import AskFree, Execute, Publish
from reactor.core.expr import compile_expression
from reactor.core.inputs import Answered, GuestForgotten, GuestKnown
from reactor.core.lasting import SLOW_LOOK
from reactor.core.marks import Mark, MarkKind
from reactor.core.policy import Policy, Selector, StateTrigger
from tests.core.simulation import START, Host, document
from tests.core.triggers import ALL, condition, fired, misses, with_triggers

BAD = 'guest.status == "io-error"'


def _policy(holds: str = BAD, seconds: float = 60.0, payload: object = "x") -> Policy:
    return with_triggers(StateTrigger(condition(holds), seconds), payload=payload)


def _host(holds: str = BAD, seconds: float = 60.0, payload: object = "x") -> Host:
    return Host([_policy(holds, seconds, payload)]).connect()


def _turn(host: Host, status: str, event: str = "STOP") -> Host:
    """Let the guest be in another state, and say so."""
    host.guests["web-1"].status = status
    host.event("web-1", event, {}, after=0.0)
    return host.run(0.01)


def _times(host: Host, start: float) -> list[float]:
    return [round(at - start, 1) for at, e in host.effects if isinstance(e, Publish)]


def _queries(host: Host, command: str = "query-status") -> int:
    return sum(1 for e in host.seen(Execute) if isinstance(e, Execute) and e.command == command)


def test_a_state_fires_when_it_has_lasted() -> None:
    """Once, however long it holds on."""
    host, start = _host(), START + 0.1
    _turn(host, "io-error")
    host.run(500)
    assert _times(host, start) == [60.0]


def test_a_state_without_a_time_fires_at_once() -> None:
    """As soon as it is seen."""
    host = _turn(_host(seconds=0.0), "io-error")
    assert fired(host) == ["x"]


def test_a_state_fires_again_only_after_it_was_false() -> None:
    """And has lasted again."""
    host = _host()
    start = host.now
    _turn(host, "io-error").run(100)
    _turn(host, "running", "RESUME").run(10)
    _turn(host, "io-error").run(100)
    assert _times(host, start) == [60.0, 170.0]


def test_a_state_that_does_not_last_does_not_fire() -> None:
    """A near miss says how long it held, and what ended it."""
    host = _host()
    _turn(host, "io-error").run(59.5)
    _turn(host, "running", "RESUME").run(100)
    assert fired(host) == []
    assert misses(host) == [
        ("the state did not last", '59s510ms of 1m: guest.status is "running"'),
    ]


def test_the_guest_is_asked_before_it_fires() -> None:
    """It may have changed without an event since the last look."""
    host = _turn(_host(seconds=5.0), "io-error")
    host.run(4.9)
    host.guests["web-1"].status = "running"
    host.run(60)
    assert fired(host) == []


def test_an_answer_from_before_the_end_is_not_afresh() -> None:
    """The question was on its way when the time was over: it is asked again."""
    host = Host([_policy(seconds=10.0005)])
    host.guests["web-1"].status = "io-error"
    host.connect().run(9.8)
    asked = _queries(host)
    host.run(0.1)
    host.at(0.0009, lambda: setattr(host.guests["web-1"], "status", "running"))
    host.run(1)
    assert fired(host) == []
    assert _queries(host) - asked == 2


def test_a_slow_look_finds_what_no_event_tells() -> None:
    """Every 10 s while the guest is connected."""
    host = _host(seconds=0.0)
    host.guests["web-1"].status = "io-error"
    host.run(9.0)
    assert fired(host) == []
    host.run(2.0)
    assert fired(host) == ["x"]
    asked = _queries(host)
    host.run(100)
    assert 9 <= _queries(host) - asked <= 11


def test_a_guest_that_is_away_is_not_asked() -> None:
    """Nor when it is forgotten."""
    host = _host()
    host.disconnect("web-1")
    asked = _queries(host)
    host.run(100)
    host.connect()
    host.give(GuestForgotten("web-1"))
    host.run(100)
    assert _queries(host) == asked
    assert host.engine.next_deadline() is None


def test_time_in_which_nobody_sees_the_guest_does_not_count() -> None:
    """Before our first sight, and while the monitor is away: the clock begins anew."""
    host = Host([_policy()])
    host.guests["web-1"].status = "io-error"
    host.run(100)
    host.connect()
    host.run(50)
    host.disconnect("web-1")
    watched = host.engine.world.triggers.states["web-1"]
    assert [lasting.since for lasting in watched.triggers.values()] == [None]
    host.run(100)
    assert fired(host) == []
    start = host.now
    host.connect().run(100)
    assert _times(host, start) == [60.0]


def test_what_was_told_is_not_told_again_after_a_reconnect() -> None:
    """It was never seen false."""
    host = _turn(_host(), "io-error").run(100)
    host.disconnect("web-1")
    host.run(10)
    host.connect().run(200)
    assert len(fired(host)) == 1


@pytest.mark.parametrize("connect", [False, True], ids=["later", "at once"])
def test_what_was_told_is_not_told_again_after_a_restart(connect: bool) -> None:
    """Only after it was false."""
    host = _turn(_host(), "io-error").run(100)
    host.restart(connect=connect)
    host.connect().run(200)
    assert len(fired(host)) == 1
    _turn(host, "running", "RESUME")
    _turn(host, "io-error").run(100)
    assert len(fired(host)) == 2


def test_a_state_that_began_before_a_restart_begins_anew() -> None:
    """Nobody looked while the daemon was down."""
    host = _turn(_host(), "io-error").run(50)
    start = host.now
    host.restart().run(100)
    assert _times(host, start) == [60.0]


def test_the_event_of_a_state() -> None:
    """Its time is when the state began; there is no data."""
    payload = {
        "name": "${event.name}",
        "same": "${trigger.event.name}",
        "data": "${data}",
        "lasted": "${event.received - event.time >= duration('60s')}",
    }
    host = _turn(_host(payload=payload), "io-error").run(100)
    assert fired(host) == [
        {"name": "REACTOR_STATE", "same": "REACTOR_STATE", "data": {}, "lasted": True}
    ]


def test_marks_are_seen_when_they_are_set_cleared_and_expire() -> None:
    """A state may ask for them; nobody has to be asked for that."""
    marks = document(
        "marks",
        "[{mark: {disk: d, as: bad, reason: r, expires: 5s}}]",
        trigger="{event: GO}",
    )
    policy = _policy('marked("disk", "d")', 3.0)
    host = Host([policy, marks]).connect()
    for _ in range(2):
        host.event("web-1", "GO", {}, after=0.0)
        host.run(10)
    assert fired(host) == ["x", "x"]
    assert _queries(host) == 0


def test_labels_are_seen_when_they_are_new() -> None:
    """A guest that is named again."""
    host = _host('guest.labels.?tier.orValue("") == "prod"', 5.0)
    host.run(10)
    host.give(GuestKnown("web-1", {"tier": "prod"}))
    host.run(10)
    assert fired(host) == ["x"]


def test_the_time_is_looked_at_slowly() -> None:
    """No event tells that it has come."""
    host = _host(f"now() > timestamp({int(START + 33)})", 0.0)
    host.run(30)
    assert fired(host) == []
    host.run(12)
    assert fired(host) == ["x"]


def test_a_migration_is_asked_for() -> None:
    """Each fact by its own query."""
    host = _host("guest.migrating", 20.0)
    host.guests["web-1"].migration = "active"
    host.run(45)
    assert fired(host) == ["x"]
    assert _queries(host) == 0
    assert _queries(host, "query-migrate") >= 4


def test_a_state_that_was_false_for_a_moment_begins_anew() -> None:
    """The slow look goes on while a state lasts."""
    host = _host(seconds=30.0)
    host.guests["web-1"].status = "io-error"
    host.run(15)
    host.guests["web-1"].status = "running"
    host.run(10)
    start = host.now
    host.guests["web-1"].status = "io-error"
    host.run(100)
    assert fired(host) == ["x"]
    assert _times(host, start)[0] > 30


def test_free_room_is_asked_for() -> None:
    """A fact of the host, of a storage daemon's too."""
    trigger = StateTrigger(
        compile_expression('host.free("/var/crash") < 100', condition=True, names=ALL.asking()),
        15.0,
    )
    host = Host([with_triggers(trigger)])
    host.guests["web-1"].kind = "storage-daemon"
    host.free["/var/crash"] = 1000
    host.connect().run(25)
    assert fired(host) == []
    host.free["/var/crash"] = 10
    host.run(40)
    assert fired(host) == ["REACTOR_STATE"]
    assert host.commands(queries=True) == []
    assert len(host.seen(AskFree)) > 5


def test_a_state_of_two_facts_waits_for_both_answers() -> None:
    """Half of the truth is old."""
    host = _host(f"{BAD} && guest.migrating", 15.0)
    host.guests["web-1"].migration = "active"
    host.guests["web-1"].status = "io-error"
    host.run(30)
    assert fired(host) == ["x"]
    assert _queries(host) == _queries(host, "query-migrate")


def test_a_storage_daemon_has_no_status_to_ask_for() -> None:
    """Its status is `none`."""
    host = Host([_policy('guest.status == "none"', 5.0)])
    host.guests["web-1"].kind = "storage-daemon"
    host.connect().run(20)
    assert fired(host) == ["x"]
    assert host.commands(queries=True) == []


@pytest.mark.parametrize("holds", [[BAD], []], ids=["with states", "without"])
def test_a_late_answer_to_another_question_is_let_be(holds: list[str]) -> None:
    """The status was asked because of an event, and the monitor went away meanwhile."""
    host = Host([_policy(source) for source in holds]).connect()
    host.guests["web-1"].silent.add("query-status")
    host.event("web-1", "STOP", {}, after=0.0)
    host.run(1)
    host.disconnect("web-1")
    host.run(1)
    host.connect().run(9)
    assert host.engine.world.guests["web-1"].refreshing == ""


def test_an_answer_about_a_guest_that_is_gone_is_let_be() -> None:
    """Its status was asked because of an event, and nobody names it any more."""
    host = _host()
    host.event("web-1", "STOP", {}, after=0.0)
    host.run(0.0)
    host.give(GuestForgotten("web-1"))
    host.run(1)
    assert host.engine.world.guests == {}
    assert host.engine.world.asked == {}


def test_a_guest_that_answers_nothing_is_asked_again() -> None:
    """A question that is lost ends no watch."""
    host = _host(seconds=0.0)
    guest = host.guests["web-1"]
    guest.deaf.add("query-status")
    guest.status = "io-error"
    host.run(40)
    assert fired(host) == []
    guest.deaf.clear()
    host.run(40)
    assert fired(host) == ["x"]


def test_an_answer_that_comes_too_late_is_let_be() -> None:
    """The monitor went away, or other policies are loaded."""
    host = _turn(_host(seconds=0.0), "running")
    host.run(9.99)
    question = next(e for e in reversed(host.seen(Execute)) if isinstance(e, Execute))
    host.give(Answered(question.id, result={"status": "io-error"}))
    assert fired(host) == []


@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
@pytest.mark.parametrize(
    ("holds", "seconds", "runs"),
    [
        pytest.param(BAD, 60.0, 1, id="the same: told already"),
        pytest.param(BAD, 61.0, 2, id="another time"),
        pytest.param(f"{BAD} || false", 60.0, 2, id="another condition"),
    ],
)
def test_what_was_told_survives_a_reload_of_an_unchanged_trigger(
    holds: str, seconds: float, runs: int, restart: bool
) -> None:
    """A changed one begins anew."""
    host = _turn(_host(), "io-error").run(100)
    if restart:
        host.policies = [_policy(holds, seconds)]
        host.restart()
    else:
        host.load([_policy(holds, seconds)])
    host.run(200)
    assert len(fired(host)) == runs


def test_a_clock_goes_on_over_a_reload() -> None:
    """Of the same trigger, while the daemon lives."""
    host = _host()
    start = host.now
    _turn(host, "io-error").run(50)
    host.load([_policy()])
    host.run(100)
    assert _times(host, start) == [60.0]


def test_a_policy_that_is_new_looks_at_once() -> None:
    """And one that is gone looks no more."""
    host = _turn(_host(), "io-error").run(100)
    host.load([])
    assert not any(kind == "state" for kind, _ in host.kept)
    asked = _queries(host)
    host.run(100)
    assert _queries(host) == asked
    start = host.now
    host.load([_policy(seconds=5.0)])
    host.run(100)
    assert _times(host, start)[-1] == 5.0


def test_a_guest_that_is_not_selected_any_more_is_not_watched() -> None:
    """Its labels have changed."""
    policy = with_triggers(
        StateTrigger(condition(BAD), 10.0), guests=Selector(labels=(("tier", ("prod",)),))
    )
    host = Host([policy], labels={"web-1": {"tier": "prod"}}).connect()
    _turn(host, "io-error").run(20)
    assert len(fired(host)) == 1
    host.give(GuestKnown("web-1", {"tier": "dev"}))
    assert not any(kind == "state" for kind, _ in host.kept)
    host.give(GuestKnown("web-1", {"tier": "prod"}))
    host.run(20)
    assert len(fired(host)) == 2


@pytest.mark.parametrize("held", [5.0, 100.0], ids=["before it fired", "after"])
def test_a_guest_that_nobody_names_any_more_takes_its_states_with_it(held: float) -> None:
    """When it is named again they begin anew."""
    host = _turn(_host(), "io-error").run(held)
    told = len(fired(host))
    host.give(GuestForgotten("web-1"))
    assert not any(kind == "state" for kind, _ in host.kept)
    host.give(GuestKnown("web-1"))
    start = host.now
    host.connect().run(100)
    assert _times(host, start)[told:] == [60.0]


def test_a_state_that_is_changed_before_it_fired_begins_anew() -> None:
    """And another one beside it does not."""
    one, other = StateTrigger(condition(BAD), 60.0), StateTrigger(condition(BAD), 70.0)
    changed = StateTrigger(condition(BAD), 61.0)
    host = Host([with_triggers(one, other, payload="${trigger.index}")]).connect()
    start = host.now
    _turn(host, "io-error").run(50)
    host.load([with_triggers(changed, other, payload="${trigger.index}")])
    host.run(100)
    assert fired(host) == [1, 0]
    assert _times(host, start) == [70.0, 111.0]


def test_several_states_are_asked_with_one_question() -> None:
    """And each has its own clock."""
    triggers = (StateTrigger(condition(BAD), 20.0), StateTrigger(condition(BAD), 35.0))
    host = Host([with_triggers(*triggers, payload="${trigger.index}")]).connect()
    start = host.now
    _turn(host, "io-error").run(100)
    assert fired(host) == [0, 1]
    assert _times(host, start) == [20.0, 35.0]
    assert _queries(host) < 20


def test_a_mark_on_a_guest_that_is_gone_moves_nobody() -> None:
    """The last run of a forgotten guest may still set one."""
    host = _host('marked("disk", "d")', 0.0)
    host.give(GuestForgotten("web-1"))
    mark = Mark("web-1", MarkKind.DISK, "d", "bad", "r", host.now, "p", "r", host.now + 5)
    host.engine.world.set_mark(mark)
    host.run(10)
    assert fired(host) == []


def _do(host: Host, what: str) -> None:
    match what:
        case "bad" | "good":
            _turn(host, "io-error" if what == "bad" else "running")
        case "silent bad" | "silent good":
            host.guests["web-1"].status = "io-error" if "bad" in what else "running"
        case "cut":
            host.disconnect("web-1")
        case "back":
            host.connect()
        case _:
            host.restart()


@settings(max_examples=60, deadline=None)
@example(moves=[(3.0, "bad"), (59.0, "silent good"), (0.5, "bad"), (0.5, "bad")])
@given(
    moves=st.lists(
        st.tuples(
            st.sampled_from([0.5, 3.0, 20.0, 59.0, 61.0]),
            st.sampled_from(["bad", "good", "silent bad", "silent good", "cut", "back", "restart"]),
        ),
        max_size=14,
    )
)
def test_a_state_is_never_told_before_it_was_seen_for_its_time(
    moves: list[tuple[float, str]],
) -> None:
    """Whatever happens: it was bad then, and not seen good nor lost for so long before."""
    host = _host()
    host.after_each = lambda: _agree(host)
    since: float | None = None
    for pause, what in moves:
        before = len(host.published())
        host.run(pause)
        told = [at for at, e in host.effects if isinstance(e, Publish)][before:]
        assert len(told) <= 1
        assert all(_is_bad(host) and since and at - since >= 59.9 for at in told)
        if not _is_bad(host) and pause > SLOW_LOOK:
            since = None
        _do(host, what)
        # What is good for a moment between two looks, and says nothing, is not seen.
        if what in {"good", "cut", "back", "restart"}:
            since = None
        if since is None and _is_bad(host):
            since = host.now


def _is_bad(host: Host) -> bool:
    connected = host.engine.world.guests["web-1"].connected
    return connected and host.guests["web-1"].status == "io-error"


def _agree(host: Host) -> None:
    rows = {(row.kind, row.key): row.value for row in host.engine.snapshot()}
    assert rows == host.kept
