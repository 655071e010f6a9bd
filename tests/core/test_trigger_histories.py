"""What must hold in every history of triggers, killed and reloaded at any moment."""

from collections import Counter

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.core.inputs import (
    Connected,
    Fired,
    GuestForgotten,
    GuestKnown,
    Message,
    Received,
)
from reactor.core.policy import MessageTrigger, Policy, ScheduleTrigger, StateTrigger
from tests.core.simulation import Host, document
from tests.core.triggers import (
    absent,
    condition,
    followed_by,
    happen,
    match,
    on,
    tree,
    with_triggers,
)

GUESTS = ("web-1", "web-2")
ALL: list[Policy | str] = [
    with_triggers(
        on("A", count=3, within=20.0, by="data.n"),
        on("A", "B", count=2, within=5.0, sequel=followed_by("C", within=10.0)),
        on("B", by="data.n", sequel=absent("C", within=15.0), cancel_on=(match("RESET"),)),
        name="events",
    ),
    with_triggers(
        StateTrigger(condition('guest.status == "paused"'), 12.0),
        StateTrigger(condition('marked("disk", "d")')),
        ScheduleTrigger(every=60.0, jitter=25.0),
        MessageTrigger("request/+", tree("${topic[3]}")),
        name="others",
    ),
    with_triggers(on("MEM_UNPLUG_ERROR", count=2, within=9.0), name="renamed"),
    document("marks", "[{mark: {disk: d, as: bad, reason: r, expires: 8s}}]", "{event: C}"),
]
CHANGED: list[Policy | str] = [
    ALL[0],
    with_triggers(on("A", count=2, within=20.0), name="others"),
    ALL[3],
]
MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0005, 0.5, 3.0, 5.0, 11.0, 31.0]),
        st.sampled_from(GUESTS),
        st.sampled_from(
            "A A B B C OLD NEW pause go-on fire message cut back restart down reload change "
            "forget known".split()
        ),
    ),
    max_size=16,
)
Move = tuple[float, str, str]


def _connect(host: Host, guest: str) -> None:
    host.give(Connected(guest, host.guests[guest].epoch, host.guests[guest].facts()))


def _move(host: Host, guest: str, what: str) -> None:  # noqa: C901 - one case for each kind
    match what:
        case "A" | "B" | "C":
            happen(host, what, {"n": host.now % 2 > 1}, guest=guest)
        case "OLD" | "NEW":
            name = "MEM_UNPLUG_ERROR" if what == "OLD" else "DEVICE_UNPLUG_GUEST_ERROR"
            happen(host, name, {"device": "d"}, guest=guest)
        case "pause" | "go-on":
            host.guests[guest].status = "paused" if what == "pause" else "running"
            happen(host, "STOP" if what == "pause" else "RESUME", guest=guest)
        case "fire":
            host.give(Fired("others", 2, host.now, 3))
        case "message":
            below = f"request/{guest}"
            host.give(Received(Message(f"reactor/h1/{below}", "", below)))
        case "cut":
            host.disconnect(guest)
        case "back":
            _connect(host, guest)
        case "restart" | "down":
            host.now += 20.0 if what == "down" else 0.0
            host.restart(connect=False)
            for name in GUESTS if what == "restart" else ():
                _connect(host, name)
        case "reload" | "change":
            host.load(ALL if what == "reload" else CHANGED)
        case "forget":
            host.give(GuestForgotten(guest))
        case "known":
            host.give(GuestKnown(guest))
        case _:
            raise AssertionError(what)


def _play(moves: list[Move], *, agree: bool = False) -> Host:
    host = Host(ALL, guests=GUESTS).connect()
    if agree:
        host.after_each = lambda: _agree(host)
    for pause, guest, what in moves:
        host.run(pause)
        _move(host, guest, what)
    return host


def _agree(host: Host) -> None:
    kept = {key: msgspec.json.decode(value) for key, value in host.kept.items()}
    rows = host.engine.snapshot()
    assert kept == {
        (r.kind, r.key): msgspec.json.decode(r.value) for r in rows if r.value is not None
    }


@settings(max_examples=80, deadline=None)
@given(moves=MOVES)
def test_the_fold_of_what_is_kept_is_the_snapshot_after_every_input(moves: list[Move]) -> None:
    """Windows, first events, states, delayed firings, renamed events."""
    _play(moves, agree=True).run(100)


@settings(max_examples=40, deadline=None)
@given(moves=MOVES)
def test_the_same_inputs_give_the_same_effects(moves: list[Move]) -> None:
    """To the byte."""
    one, other = _play(moves).run(60), _play(moves).run(60)
    assert msgspec.json.encode(one.effects) == msgspec.json.encode(other.effects)


@settings(max_examples=40, deadline=None)
@given(moves=MOVES)
def test_what_is_kept_for_triggers_does_not_grow_with_time(moves: list[Move]) -> None:
    """A minute after the last event only states that still hold are left."""
    host = _play(moves)
    for guest in GUESTS:
        host.give(GuestKnown(guest))
        _connect(host, guest)
    host.run(100)
    kinds = Counter(kind for kind, _ in host.kept)
    assert kinds["window"] == kinds["sequel"] == kinds["delayed"] == kinds["renamed"] == 0
    assert kinds["state"] <= 2 * len(GUESTS)
    world = host.engine.world
    assert not world.triggers.sequels
    assert list(world.triggers.windows) == []
    assert world.triggers.moved == {}
    assert all(not watched.asking for watched in world.triggers.states.values())


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 3.0, 5.0, 9.9, 10.0, 15.0, 20.0]), st.sampled_from("AABBC")
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, killed=st.sets(st.integers(0, 13)))
@example(events=[(0.0, "B"), (15.0, "A")], killed={1})
def test_a_restart_at_any_point_changes_nothing(
    events: list[tuple[float, str]], killed: set[int]
) -> None:
    """Of what events start: the same runs at the same times."""

    def play(killed: set[int]) -> list[tuple[float, object]]:
        host = Host(ALL[:1], guests=GUESTS).connect()
        for number, (pause, name) in enumerate(events):
            host.run(pause)
            if number in killed:
                _move(host, "web-1", "restart")
            happen(host, name, {"n": 1})
        host.run(60)
        return [(at, e) for at, e in host.effects if type(e).__name__ == "Publish"]

    plain, restarted = play(set()), play(killed)
    assert [at for at, _ in restarted] == [at for at, _ in plain]
