"""What the outbox has dropped is told once, to the host's topic and to every guest that listens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.drops import DROPPED_EVENT, KIND
from reactor.core.effect import EventSeen, Publish
from reactor.core.event import Event
from reactor.core.inputs import Dropped, GuestForgotten
from reactor.core.memory import fold
from tests.core.simulation import Host, document

LISTENS = document(
    "pager",
    "[{publish: alert/lost, payload: '${data.lost}'}]",
    "{event: REACTOR_OUTBOX_DROPPED}",
    "guests: {name: web-1}\n",
)
WAITS = document("waits", "[{wait: {event: REACTOR_OUTBOX_DROPPED}, timeout: 1h}]")


def told(host: Host, guest: str = "") -> list[Event]:
    """The events of a guest, or of the host, that say so."""
    seen = [effect.event for _, effect in host.effects if isinstance(effect, EventSeen)]
    return [event for event in seen if event.name == DROPPED_EVENT and event.guest == guest]


def published(host: Host) -> list[object]:
    """What policies have published."""
    return [effect.payload for _, effect in host.effects if isinstance(effect, Publish)]


def test_the_event_has_what_is_new_by_reason() -> None:
    """``lost`` is what nobody will ever get: not what a newer word of its topic replaced."""
    host = Host([])
    host.give(Dropped(expired=1, evicted=2, refused=4, superseded=8, denied=16))
    host.give(Dropped(expired=2, evicted=2, refused=4, superseded=9, denied=16))
    first, second = told(host)
    assert first.data == {
        "lost": 23, "expired": 1, "evicted": 2, "refused": 4, "superseded": 8, "denied": 16,
    }  # fmt: skip
    assert second.data == {
        "lost": 1, "expired": 1, "evicted": 0, "refused": 0, "superseded": 1, "denied": 0,
    }  # fmt: skip
    assert first.time == first.received == host.now


@pytest.mark.parametrize(
    ("counted", "events"),
    [
        pytest.param([Dropped()], 0, id="nothing was dropped"),
        pytest.param([Dropped(expired=1)] * 2, 1, id="the same is told once"),
        pytest.param([Dropped(denied=1), Dropped(denied=9)], 0, id="what is denied makes no event"),
        pytest.param([Dropped(superseded=1)], 1, id="what was replaced does"),
        pytest.param([Dropped(refused=2), Dropped(refused=1)], 1, id="never less than nothing"),
    ],
)
def test_what_is_no_news_is_no_event(counted: list[Dropped], events: int) -> None:
    """Told again and again by who counts: one event for each time that there is more."""
    host = Host([])
    for one in counted:
        host.give(one)
    assert len(told(host)) == events


def test_a_policy_starts_on_every_guest_that_it_selects() -> None:
    """As for a schedule; guests that nobody listens on have no event."""
    host = Host([LISTENS], guests=("web-1", "web-2")).connect()
    host.give(Dropped(evicted=3))
    host.run(1)
    assert [len(told(host, name)) for name in ("", "web-1", "web-2")] == [1, 1, 0]
    assert published(host) == [3]


def test_a_run_that_waits_for_it_goes_on() -> None:
    """Although no trigger names it."""
    host = Host([WAITS]).connect()
    host.event("web-1", "GO", {})
    host.run(1)
    assert host.engine.world.runs
    host.give(Dropped(evicted=3))
    host.run(1)
    assert not host.engine.world.runs


def test_what_was_told_survives_a_restart() -> None:
    """Counters go on over lives of the daemon, and so does what was told of them."""
    host = Host([LISTENS]).connect()
    assert not [row for row in fold(host.engine.world) if row.kind == KIND]
    host.give(Dropped(expired=5))
    (row,) = [row for row in fold(host.engine.world) if row.kind == KIND]
    assert row.value == host.kept[row.kind, row.key]
    host.restart()
    host.give(Dropped(expired=5))
    host.give(Dropped(expired=7))
    assert [event.data["expired"] for event in told(host)] == [5, 2]


def test_a_guest_that_is_gone_has_no_event() -> None:
    """And nothing fails."""
    host = Host([LISTENS]).connect()
    host.give(GuestForgotten("web-1"))
    host.give(Dropped(expired=1))
    assert told(host, "web-1") == []
    assert len(told(host)) == 1


@given(st.lists(st.integers(0, 5), max_size=20), st.sets(st.integers(0, 20)))
def test_the_sum_of_what_is_told_is_what_was_dropped(steps: list[int], restarts: set[int]) -> None:
    """Wherever the daemon is killed."""
    host = Host([])
    sums = [sum(steps[: n + 1]) for n in range(len(steps))]
    for number, total in enumerate(sums):
        host.give(Dropped(evicted=total))
        if number in restarts:
            host.restart()
    assert sum(int(str(event.data["lost"])) for event in told(host)) == sum(steps)
