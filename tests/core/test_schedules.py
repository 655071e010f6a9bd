"""``schedule`` triggers: a firing is a match of every selected, connected guest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.effect import Publish
from reactor.core.inputs import Connected, Fired, GuestForgotten, GuestKnown
from reactor.core.policy import Policy, ScheduleTrigger, Selector
from reactor.core.schedules import draw
from reactor.core.trigger_memory import DELAYS_KEPT
from tests.core.simulation import START, Host
from tests.core.triggers import fired, misses, on, with_triggers

GUESTS = ("web-1", "web-2", "db-1")
WEB = Selector(names=("web-*",))


def _policy(jitter: float = 0.0, payload: object = "${guest.name}") -> Policy:
    trigger = ScheduleTrigger(cron="0 3 * * *", jitter=jitter)
    return with_triggers(on("GO"), trigger, payload=payload, guests=WEB)


def _host(jitter: float = 0.0, payload: object = "${guest.name}") -> Host:
    return Host([_policy(jitter, payload)], guests=GUESTS).connect()


def _fire(host: Host, at: float = START, seed: int = 7, **more: object) -> Host:
    host.give(Fired(str(more.get("policy", "p")), int(str(more.get("index", 1))), at, seed))
    return host


def _delayed(host: Host) -> int:
    return sum(1 for kind, _ in host.kept if kind == "delayed")


def _last(host: Host) -> list[bytes]:
    return [value for (kind, _), value in host.kept.items() if kind == "fired"]


def test_where_a_schedule_catches_up_its_last_firing_is_kept() -> None:
    """Over a restart too, for as long as the trigger is loaded; of others nothing is kept."""
    caught_up = with_triggers(on("GO"), ScheduleTrigger(every=9.0, catch_up=60.0), guests=WEB)
    host = _fire(Host([caught_up], guests=GUESTS).connect())
    _fire(host, START + 9)
    assert _last(host) == [str(START + 9).encode()]
    host.restart()
    assert [float(at) for at in _last(host)] == [*host.engine.world.triggers.fired.values()]
    host.load([_policy()])
    assert _last(_fire(host)) == []
    host.load([caught_up])
    _fire(host)
    host.policies = [_policy()]
    assert (_last(host), _last(host.restart())) == ([str(START).encode()], [])
    assert host.engine.world.triggers.fired == {}


def test_every_selected_guest_has_a_run() -> None:
    """In the order in which they became known."""
    assert fired(_fire(_host())) == ["web-1", "web-2"]


def test_a_guest_that_is_away_has_none() -> None:
    """A near miss says so; a forgotten guest is none at all."""
    host = _host()
    host.disconnect("web-1")
    assert fired(_fire(host)) == ["web-2"]
    assert misses(host) == [("the guest's monitor is away", "")]
    host.give(GuestForgotten("web-1"))
    _fire(host)
    assert len(misses(host)) == 1


def test_the_event_of_a_schedule() -> None:
    """Its time is the schedule's own; there is no data."""
    payload = {
        "name": "${event.name}",
        "data": "${data}",
        "at": f"${{event.time == timestamp({int(START) - 5})}}",
        "index": "${trigger.index}",
    }
    host = _fire(_host(payload=payload), START - 5)
    said = {"name": "REACTOR_SCHEDULE", "data": {}, "at": True, "index": 1}
    assert fired(host) == [said, said]


@pytest.mark.parametrize(
    ("policy", "index"),
    [
        pytest.param("gone", 1, id="the policy"),
        pytest.param("p", 2, id="the trigger"),
        pytest.param("p", -1, id="no place"),
        pytest.param("p", 0, id="it is another kind now"),
    ],
)
def test_a_firing_of_what_is_not_loaded_any_more_does_nothing(policy: str, index: int) -> None:
    """A trace says so: the reload was faster."""
    host = _fire(_host(), policy=policy, index=index)
    assert fired(host) == []
    (trace,) = host.traces("the schedule is not loaded any more")
    assert (trace.policy, trace.reason) == (
        policy,
        f"trigger {index} is no schedule of a loaded policy",
    )
    assert host.engine.near_misses(policy) == []


# ------------------------------------------------------------------ jitter


@given(st.integers(), st.text())
def test_a_draw_is_in_its_bounds_and_stays_the_same(seed: int, guest: str) -> None:
    """It follows from the seed and the guest."""
    assert 0 <= draw(seed, guest) < 1
    assert draw(seed, guest) == draw(seed, guest)


def test_draws_are_spread() -> None:
    """Over guests and over seeds."""
    for numbers in (
        sorted(draw(1, f"web-{n}") for n in range(1000)),
        sorted(draw(n, "web-1") for n in range(1000)),
    ):
        assert all(abs(number - place / 1000) < 0.07 for place, number in enumerate(numbers))


def _times(host: Host, start: float) -> list[float]:
    return [at - start for at, e in host.effects if isinstance(e, Publish)]


def test_jitter_delays_each_guest_by_its_own_draw() -> None:
    """The event tells the schedule's own time."""
    host = _host(jitter=30.0)
    start = host.now
    _fire(host)
    assert fired(host) == []
    assert _delayed(host) == 2
    host.run(31)
    draws = sorted(draw(7, guest) * 30 for guest in ("web-1", "web-2"))
    assert _times(host, start) == pytest.approx(draws)
    assert _delayed(host) == 0


@pytest.mark.parametrize("down", [0.0, 100.0], ids=["shortly", "beyond its time"])
def test_a_delayed_firing_survives_a_restart(down: float) -> None:
    """It is done when its guest is there."""
    host = _fire(_host(jitter=30.0))
    host.now += down
    host.restart(connect=False)
    host.run(1)
    assert fired(host) == []
    host.connect().run(31)
    assert sorted(map(str, fired(host))) == ["web-1", "web-2"]
    assert _delayed(host) == 0


def test_a_guest_that_does_not_come_back_loses_its_firing() -> None:
    """Half a minute after the restart a near miss says so."""
    host = _fire(_host(jitter=30.0))
    host.now += 100
    host.restart(connect=False)
    host.run(31)
    assert fired(host) == []
    assert misses(host) == [("the guest's monitor is away", "")] * 2


def test_a_guest_that_went_away_meanwhile_has_no_run() -> None:
    """It would be about nothing."""
    host = _fire(_host(jitter=30.0))
    host.disconnect("web-1")
    host.run(31)
    assert fired(host) == ["web-2"]


def test_a_guest_that_comes_while_it_is_delayed_is_not_hurried() -> None:
    """Its own delay stands."""
    host = _fire(_host(jitter=30.0))
    host.restart(connect=False)
    start = host.now
    host.give(Connected("web-2", "1-1", host.guests["web-2"].facts()))
    host.run(29)
    assert fired(host) == ["web-2"]
    assert _times(host, start) == pytest.approx([draw(7, "web-2") * 30 - 0.0])


@pytest.mark.parametrize(
    ("policies", "left"),
    [
        pytest.param([_policy(30.0)], 2, id="the same trigger"),
        pytest.param([_policy(31.0)], 0, id="another jitter"),
        pytest.param([], 0, id="no policy"),
    ],
)
@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
def test_a_delayed_firing_survives_a_reload_of_an_unchanged_trigger(
    policies: list[Policy], left: int, restart: bool
) -> None:
    """What was changed or is gone does not fire any more."""
    host = _fire(_host(jitter=30.0))
    if restart:
        host.policies = list(policies)
        host.restart()
    else:
        host.load(policies)
    assert _delayed(host) == left
    host.run(31)
    assert len(fired(host)) == left


def test_a_guest_that_is_not_selected_any_more_has_no_run() -> None:
    """Nor has one that nobody names any more."""
    trigger = ScheduleTrigger(every=60.0, jitter=30.0)
    policy = with_triggers(on("GO"), trigger, guests=Selector(labels=(("tier", ("prod",)),)))
    labels = {guest: {"tier": "prod"} for guest in GUESTS}
    host = _fire(Host([policy], guests=GUESTS, labels=labels).connect())
    host.give(GuestKnown("web-1", {"tier": "dev"}))
    host.give(GuestForgotten("web-2"))
    assert _delayed(host) == 2
    host.run(31)
    assert len(fired(host)) == 1
    assert misses(host) == [("the policy is not for this guest", "its `guests` do not select it")]


def test_a_delayed_firing_of_a_guest_that_is_not_known_after_a_restart() -> None:
    """The settings may name it no more."""
    host = _fire(_host(jitter=30.0))
    del host.guests["web-1"]
    host.kept.pop(("guest", "web-1"))
    host.restart().run(40)
    assert fired(host) == ["web-2"]
    assert misses(host)[-1] == (
        "the policy is not for this guest",
        "no guest is called 'web-1'",
    )


def test_firings_that_wait_are_bounded() -> None:
    """A jitter that is longer than the schedule piles them up; the oldest goes, counted."""
    host = _host(jitter=1e7)
    for number in range(DELAYS_KEPT // 2 + 1):
        _fire(host, START + number)
    assert _delayed(host) == DELAYS_KEPT
    assert host.engine.world.triggers.dropped["delayed"] == 2
