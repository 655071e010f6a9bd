"""``followed_by`` and ``not_followed_by``: the second event, its absence, and what calls off."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.effect import Publish
from reactor.core.inputs import Connected, GuestForgotten, GuestKnown
from reactor.core.policy import EventMatch, EventTrigger, Selector, Sequel
from reactor.core.windows import KEYS_KEPT
from tests.core.simulation import Host
from tests.core.triggers import (
    absent,
    fired,
    followed_by,
    happen,
    match,
    misses,
    on,
    with_triggers,
)

TOLD = {
    "first": "${trigger.data.n}",
    "event": "${event.name}",
    "data": "${data.n}",
    "second": '${trigger.next.data.?n.orValue("none")}',
    "by": "${trigger.next.event.name}",
}


def _host(
    sequel: Sequel,
    *cancel_on: EventMatch,
    by: str | None = None,
    payload: object = "x",
    more: tuple[EventTrigger, ...] = (),
) -> Host:
    trigger = on("A", by=by, sequel=sequel, cancel_on=cancel_on)
    return Host(
        [with_triggers(trigger, *more, payload=payload)], guests=("web-1", "web-2")
    ).connect()


def _open(host: Host) -> int:
    return sum(1 for kind, _ in host.kept if kind == "sequel")


def _play(host: Host, events: list[tuple[float, str]]) -> None:
    """Let these come so many seconds from now, and wait; `R` is a restart."""
    for at, name in events:
        host.at(at, lambda name=name: _restart(host) if name == "R" else happen(host, name))
    host.run(200)


def _restart(host: Host) -> None:
    host.restart(connect=False)
    for guest in host.guests.values():
        host.give(Connected(guest.name, guest.epoch, guest.facts()))


def _times(host: Host, start: float) -> list[float]:
    """When runs published something."""
    return [at - start for at, effect in host.effects if isinstance(effect, Publish)]


# ------------------------------------------------------------------ a sequence


@pytest.mark.parametrize(
    ("events", "runs"),
    [
        pytest.param([(0, "A")], 0, id="no second event"),
        pytest.param([(0, "B")], 0, id="no first event"),
        pytest.param([(0, "B"), (1, "A")], 0, id="the wrong order"),
        pytest.param([(0, "A"), (59.9, "B")], 1, id="before the end"),
        pytest.param([(0, "A"), (60, "B")], 1, id="at the end"),
        pytest.param([(0, "A"), (60.1, "B")], 0, id="after the end"),
        pytest.param([(0, "A"), (1, "B"), (2, "B")], 1, id="it fires once"),
        pytest.param([(0, "A"), (1, "B"), (2, "A"), (3, "B")], 2, id="and again"),
        pytest.param([(0, "A"), (50, "A"), (70, "B")], 0, id="the first one's clock stands"),
        pytest.param([(0, "A"), (61, "A"), (70, "B")], 1, id="a clock that is over counts no more"),
    ],
)
def test_a_sequence(events: list[tuple[float, str]], runs: int) -> None:
    """It fires at the second event, when that comes in time."""
    host = _host(followed_by("B"))
    _play(host, events)
    assert len(fired(host)) == runs


def test_the_run_of_a_sequence_knows_both_events() -> None:
    """`event` and `data` are the first, `trigger.next` is the second."""
    host = _host(followed_by("B"), payload=TOLD)
    happen(host, "A", {"n": 1})
    happen(host, "B", {"n": 2})
    assert fired(host) == [{"first": 1, "event": "A", "data": 1, "second": 2, "by": "B"}]


def test_the_second_event_survives_a_restart_of_its_run() -> None:
    """A run that waits knows it afterwards."""
    policy = with_triggers(on("A", sequel=followed_by("B")), payload=TOLD, conditions=())
    host = Host([policy]).connect()
    host.guests["web-1"].silent.add("query-status")
    happen(host, "A", {"n": 1})
    happen(host, "B", {"n": 2})
    host.restart()
    assert fired(host)[-1] == {"first": 1, "event": "A", "data": 1, "second": 2, "by": "B"}


def test_an_event_that_completed_a_sequence_is_no_first_one() -> None:
    """Two of a kind: each event counts once, as with `count`."""
    host = _host(followed_by("A"))
    for _ in range(4):
        happen(host, "A")
        host.run(1)
    assert len(fired(host)) == 2


def test_a_sequence_of_a_count() -> None:
    """The event that completes the count is the first one."""
    trigger = on("A", count=2, within=10.0, sequel=followed_by("B"))
    host = Host([with_triggers(trigger, payload={"n": "${trigger.count}", "d": "${data.n}"})])
    host.connect()
    happen(host, "A", {"n": 1})
    happen(host, "B")
    assert fired(host) == []
    happen(host, "A", {"n": 2})
    happen(host, "B")
    assert fired(host) == [{"n": 2, "d": 2}]


# ------------------------------------------------------------------ absence


@pytest.mark.parametrize(
    ("events", "runs"),
    [
        pytest.param([(0, "A")], [60], id="the second did not come"),
        pytest.param([(0, "A"), (59.9, "B")], [], id="it came"),
        pytest.param([(0, "A"), (60, "B")], [], id="it came at the end"),
        pytest.param([(0, "A"), (60.1, "B")], [60], id="it came too late"),
        pytest.param([(0, "A"), (30, "A")], [60], id="the first one's clock stands"),
        pytest.param([(0, "A"), (10, "B"), (20, "A")], [80], id="it begins anew"),
        pytest.param([(0, "A"), (60, "A")], [60], id="another first one at the end: it is open"),
        pytest.param([(0, "A"), (60.1, "A")], [60, 120.1], id="another first one behind the end"),
    ],
)
def test_absence(events: list[tuple[float, str]], runs: list[float]) -> None:
    """It fires at the end of the time, when no second event came."""
    host = _host(absent("B"), payload="${now()}")
    start = host.now
    _play(host, events)
    assert _times(host, start) == pytest.approx(runs)


def test_the_run_of_an_absence_knows_the_first_event() -> None:
    """There is no second one."""
    payload = {"n": "${trigger.data.n}", "d": "${data.n}", "next": "${has(trigger.next)}"}
    host = _host(absent("B"), payload=payload)
    happen(host, "A", {"n": 1})
    host.run(61)
    assert fired(host) == [{"n": 1, "d": 1, "next": False}]


def test_a_heartbeat() -> None:
    """An event that ends the wait begins the next one: who falls silent is found."""
    host = _host(absent("A"))
    for _ in range(5):
        happen(host, "A")
        host.run(59)
    assert fired(host) == []
    host.run(2)
    assert fired(host) == ["x"]


def test_a_lost_monitor_does_not_stop_the_clock() -> None:
    """It fires while nobody sees the guest."""
    host = _host(absent("B"))
    happen(host, "A")
    host.disconnect("web-1")
    host.run(61)
    assert fired(host) == ["x"]


# ------------------------------------------------------------------ keys and conditions


def test_both_events_must_have_the_same_key() -> None:
    """`by` is evaluated on the second event too."""
    host = _host(followed_by("B"), by="data.id")
    happen(host, "A", {"id": "x"})
    happen(host, "A", {"id": "y"})
    happen(host, "B", {"id": "z"})
    happen(host, "B")
    assert fired(host) == []
    happen(host, "B", {"id": "y"})
    assert fired(host) == ["x"]
    assert _open(host) == 1


def test_the_second_event_may_have_a_by_of_its_own() -> None:
    """What is a node here may be a device there."""
    host = _host(followed_by("B", by="data.device"), by="data.node")
    happen(host, "A", {"node": "x"})
    happen(host, "B", {"device": "y", "node": "x"})
    assert fired(host) == []
    happen(host, "B", {"device": "x"})
    assert fired(host) == ["x"]


def test_a_by_of_the_second_event_may_read_the_first() -> None:
    """Then each first event is asked for itself."""
    by = "data.n - trigger.data.step"
    host = _host(followed_by("B", by=by), by="data.n")
    happen(host, "A", {"n": 1, "step": 10})
    happen(host, "A", {"n": 2, "step": 20})
    happen(host, "B", {"n": 12})
    assert fired(host) == []
    happen(host, "B", {"n": 22})
    assert fired(host) == ["x"]


def test_the_condition_of_the_second_event_sees_both() -> None:
    """`data` and `event` are the candidate, `trigger` is the first."""
    host = _host(followed_by("B", where="data.n > trigger.data.n && event.name == 'B'"))
    happen(host, "A", {"n": 5})
    happen(host, "B", {"n": 5})
    assert fired(host) == []
    happen(host, "B", {"n": 6})
    assert fired(host) == ["x"]


def test_an_equality_of_the_second_event_is_found_by_the_index() -> None:
    """As that of a first one."""
    host = _host(followed_by("B", where='data.state == "open" && data.n > 1'))
    happen(host, "A")
    happen(host, "B", {"state": "closed", "n": 2})
    happen(host, "B", {"state": "open", "n": 1})
    assert fired(host) == []
    happen(host, "B", {"state": "open", "n": 2})
    assert fired(host) == ["x"]


def test_each_guest_waits_for_itself() -> None:
    """An event of another guest is no second one."""
    host = _host(followed_by("B"))
    happen(host, "A")
    happen(host, "B", guest="web-2")
    assert fired(host) == []


# ------------------------------------------------------------------ cancel_on


@pytest.mark.parametrize(
    ("cancel", "data", "left"),
    [
        pytest.param(match("C"), {}, 0, id="by name: all keys"),
        pytest.param(match("C*"), {}, 0, id="by glob"),
        pytest.param(match("D"), {}, 2, id="another event"),
        pytest.param(match("C", where="data.really"), {"really": True}, 0, id="it holds"),
        pytest.param(match("C", where="data.really"), {"really": False}, 2, id="it does not"),
        pytest.param(match("C", where='data.x == "y"'), {"x": "y"}, 0, id="an equality"),
        pytest.param(
            match("C", where="data.id == trigger.data.id"), {"id": "a"}, 1, id="of the first event"
        ),
    ],
)
def test_cancel_on(cancel: EventMatch, data: dict[str, object], left: int) -> None:
    """Such an event of the guest ends the waits of all its keys, and of no other guest."""
    host = _host(absent("B"), cancel, by="data.id")
    happen(host, "A", {"id": "a"})
    happen(host, "A", {"id": "b"})
    happen(host, "A", {"id": "a"}, guest="web-2")
    happen(host, "C", data)
    assert _open(host) == left + 1
    host.run(61)
    assert len(fired(host)) == left + 1


def test_an_event_that_calls_off_may_begin_anew() -> None:
    """First it ends what waits, then it is looked at as a first event."""
    host = _host(absent("B"), match("A"))
    happen(host, "A")
    host.run(50)
    happen(host, "A")
    host.run(50)
    assert fired(host) == []
    host.run(11)
    assert fired(host) == ["x"]


def test_the_guest_that_is_lost_calls_off() -> None:
    """The engine's own events count."""
    host = _host(absent("B"), match("REACTOR_GUEST_LOST"))
    happen(host, "A")
    host.disconnect("web-1")
    host.run(100)
    assert fired(host) == []


# ------------------------------------------------------------------ own and synthetic


@pytest.mark.parametrize("kind", ["own", "synthetic"])
def test_own_and_synthetic_events_are_second_events(kind: str) -> None:
    """Whatever the trigger says about first ones."""
    trigger = on("A", sequel=followed_by("B"), synthetic=False)
    host = Host([with_triggers(trigger)]).connect()
    happen(host, "A")
    happen(host, "B", own=kind == "own", synthetic=kind == "synthetic")
    assert fired(host) == ["A"]


@pytest.mark.parametrize("kind", ["own", "synthetic"])
def test_own_and_synthetic_events_call_off(kind: str) -> None:
    """Whatever the trigger says about first ones."""
    host = _host(absent("B"), match("C"))
    happen(host, "A")
    happen(host, "C", own=kind == "own", synthetic=kind == "synthetic")
    assert _open(host) == 0


@pytest.mark.parametrize(
    ("own", "synthetic", "event", "opens"),
    [
        pytest.param(False, True, "own", False, id="own events do not"),
        pytest.param(True, True, "own", True, id="unless own is true"),
        pytest.param(False, True, "synthetic", True, id="synthetic events do"),
        pytest.param(False, False, "synthetic", False, id="unless synthetic is false"),
    ],
)
def test_what_opens(own: bool, synthetic: bool, event: str, opens: bool) -> None:
    """Events of reactor's own doing, and those that were made up for."""
    triggers = [
        on("A", own=own, synthetic=synthetic),
        on("A", own=own, synthetic=synthetic, count=1, within=1.0),
        on("A", own=own, synthetic=synthetic, sequel=followed_by("B")),
    ]
    host = Host([with_triggers(*triggers)]).connect()
    happen(host, "A", own=event == "own", synthetic=event == "synthetic")
    happen(host, "B")
    assert len(fired(host)) == (3 if opens else 0)
    if not opens:
        verdict = {
            "own": "the event is an effect of reactor's own command",
            "synthetic": "the event is synthetic",
        }[event]
        assert {said for said, _ in misses(host)} == {verdict}


def test_a_policy_never_sees_the_events_of_its_own_runs() -> None:
    """Not as a second event either."""
    host = _host(absent("REACTOR_RUN_FAILED"))
    happen(host, "A")
    happen(host, "REACTOR_RUN_FAILED", {"policy": "p"})
    assert _open(host) == 1
    happen(host, "REACTOR_RUN_FAILED", {"policy": "another"})
    assert _open(host) == 0


# ------------------------------------------------------------------ why it did not run


def test_near_misses_tell_the_story() -> None:
    """What was opened, ignored, followed, called off, and what came to nothing."""
    host = _host(absent("B"), match("C"), more=(on("D", sequel=followed_by("E", "F", within=5)),))
    for after, name in [(0, "A"), (1, "A"), (2, "B"), (0, "A"), (3, "C"), (0, "D"), (6, "X")]:
        host.run(after)
        happen(host, name)
    assert misses(host) == [
        ("waiting for the second event", "B within 1m"),
        ("the first event of this key waits already", "for 1s"),
        ("the second event came", "B after 3s"),
        ("waiting for the second event", "B within 1m"),
        ("an event of `cancel_on` came", "C after 3s"),
        ("waiting for the second event", "E or F within 5s"),
        ("the second event did not come", "E or F within 5s"),
    ]


# ------------------------------------------------------------------ bounds


def test_the_oldest_first_event_goes_first_and_is_counted() -> None:
    """A guest that invents keys cannot fill the memory."""
    host = _host(absent("B", within=1e6), by="data.id")
    for number in range(KEYS_KEPT):
        happen(host, "A", {"id": number})
    assert host.engine.world.triggers.dropped["sequels"] == 0
    happen(host, "A", {"id": "one more"})
    assert host.engine.world.triggers.dropped["sequels"] == 1
    assert _open(host) == KEYS_KEPT
    names = {row.key for row in host.engine.world.triggers.sequels}
    assert "web-1/0" not in names
    assert "web-1/one more" in names


def test_a_guest_that_nobody_names_any_more_takes_its_waits_with_it() -> None:
    """They would fire for nobody."""
    host = _host(absent("B"))
    happen(host, "A")
    happen(host, "A", guest="web-2")
    host.give(GuestForgotten("web-1"))
    assert _open(host) == 1
    assert not host.engine.world.triggers.sequels.on("web-1")


def test_names_that_look_alike_are_told_apart() -> None:
    """A guest may have a slash in its name."""
    trigger = on("A", by="data.id", sequel=absent("B"))
    host = Host([with_triggers(trigger)], guests=("a", "a/b")).connect()
    happen(host, "A", {"id": "b/c"}, guest="a")
    happen(host, "A", {"id": "c"}, guest="a/b")
    assert _open(host) == 2
    host.run(61)
    assert len(fired(host)) == 2


# ------------------------------------------------------------------ what survives


@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
@pytest.mark.parametrize(
    ("sequel", "survives"),
    [
        pytest.param(absent("B"), True, id="the same"),
        pytest.param(absent("C"), False, id="another event"),
        pytest.param(absent("B", within=61), False, id="another time"),
        pytest.param(followed_by("B"), False, id="a sequence now"),
        pytest.param(absent("B", where="data.x"), False, id="another condition"),
    ],
)
def test_what_waits_survives_a_reload_of_an_unchanged_trigger(
    sequel: Sequel, survives: bool, restart: bool
) -> None:
    """Its clock goes on; that of a changed trigger is none any more."""
    host = _host(absent("B"))
    happen(host, "A")
    host.run(30)
    if restart:
        host.policies = [with_triggers(on("A", sequel=sequel))]
        host.restart()
    else:
        host.load([with_triggers(on("A", sequel=sequel))])
    assert _open(host) == survives
    host.run(29)
    assert fired(host) == []
    host.run(2)
    assert len(fired(host)) == survives


def test_a_policy_that_does_not_select_the_guest_any_more_does_not_fire() -> None:
    """Its labels may have changed since the first event."""
    trigger = on("A", sequel=absent("B"))
    policy = with_triggers(trigger, guests=Selector(labels=(("tier", ("prod",)),)))
    host = Host([policy], labels={"web-1": {"tier": "prod"}}).connect()
    happen(host, "A")
    host.give(GuestKnown("web-1", {"tier": "dev"}))
    host.run(61)
    assert fired(host) == []
    assert misses(host)[-1] == (
        "the policy is not for this guest",
        "its `guests` do not select it",
    )


def test_a_time_that_ended_while_the_daemon_was_down_waits_for_the_guest() -> None:
    """What was missed decides first; then it fires at once."""
    host = _host(absent("B"))
    happen(host, "A")
    host.now += 100
    host.restart(connect=False)
    host.run(20)
    assert fired(host) == []
    host.connect()
    assert fired(host) == ["x"]


def test_a_guest_that_does_not_come_back_is_not_waited_for_long() -> None:
    """Half a minute after the restart it fires without it."""
    host = _host(absent("B"))
    happen(host, "A")
    host.now += 100
    host.restart(connect=False)
    host.run(29.9)
    assert fired(host) == []
    host.run(0.2)
    assert fired(host) == ["x"]


def test_what_is_made_up_for_after_a_restart_is_in_time() -> None:
    """The guest was reset while nobody looked: that is the second event."""
    trigger = on("A", sequel=absent("RESUME"))
    host = Host([with_triggers(trigger)]).connect()
    host.guests["web-1"].status = "paused"
    happen(host, "STOP")
    host.run(1)
    happen(host, "A")
    host.now += 100
    host.guests["web-1"].status = "running"
    host.restart()
    host.run(100)
    assert fired(host) == []


def test_late_news_do_not_change_what_is_over() -> None:
    """A loop that is late hands an event over before the deadline that came first."""
    for sequel, runs in ((absent("B"), 1), (followed_by("B"), 0)):
        host = _host(sequel)
        happen(host, "A")
        host.now += 61
        happen(host, "B")
        assert len(fired(host)) == runs
        assert _open(host) == 0


def test_a_first_event_that_comes_before_a_late_deadline_opens_anew() -> None:
    """The one before is over."""
    host = _host(absent("B"))
    happen(host, "A")
    host.now += 61
    happen(host, "A")
    assert fired(host) == ["x"]
    assert _open(host) == 1


def test_a_clock_that_was_set_back_hides_no_second_event() -> None:
    """It was received before the end, as far as its own time goes."""
    host = _host(followed_by("B"))
    happen(host, "A")
    happen(host, "B", received=host.now - 3600)
    assert fired(host) == ["x"]


MOVES = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 30.0, 59.9, 60.0, 60.1]), st.sampled_from("AABCR")),
    max_size=20,
)


def _absences(events: list[tuple[float, str]]) -> list[float]:
    """The plain definition: an A, and no B or C in the 60 s up to and with the end."""
    times, opened = list[float](), None
    for at, name in [*events, (1e9, "R")]:
        if opened is not None and at > opened + 60:
            times.append(opened + 60)
            opened = None
        if name == "A" and opened is None:
            opened = at
        elif name in "BC":
            opened = None
    return times


@settings(max_examples=100, deadline=None)
@given(MOVES)
def test_absence_fires_if_and_only_if_no_second_event_came(moves: list[tuple[float, str]]) -> None:
    """Against the plain definition; restarts at any point change nothing."""
    pauses = itertools.accumulate(pause for pause, _ in moves)
    events = [(at, name) for at, (_, name) in zip(pauses, moves, strict=True)]
    host = _host(absent("B"), match("C"))
    start = host.now
    _play(host, events)
    host.run(2000)
    assert _times(host, start) == pytest.approx(_absences(events))


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_the_same_inputs_give_the_same_effects(moves: list[tuple[float, str]]) -> None:
    """To the byte."""
    hosts = [_host(absent("B"), match("C")), _host(absent("B"), match("C"))]
    hosts[1].policies = hosts[0].policies
    hosts[1].load(hosts[0].policies)
    hosts[0].load(hosts[0].policies)
    for host in hosts:
        host.effects.clear()
        _play(host, moves)
    assert hosts[0].effects == hosts[1].effects
