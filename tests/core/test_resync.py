"""Events that were missed are made up for at the connect, as far as the state proves them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.event import Event
from reactor.core.inputs import GuestForgotten, Happened
from reactor.core.resync import STATE_EVENTS
from tests.core.simulation import Host, document

PANIC = document(
    "p", "[{log: x}]", '{event: GUEST_PANICKED, where: data.action == "pause"}', "mode: queued\n"
)


def made(host: Host) -> list[tuple[str, object]]:
    """The synthetic events, in order."""
    return [
        (e.name, dict(e.data))
        for name in (*STATE_EVENTS, "STOP", "RESUME", "RESET", "DUMP_COMPLETED")
        for e in host.events(name)
        if e.synthetic
    ]


def seen_first(status: str) -> Host:
    """A host that sees its guest for the first time, in this state."""
    host = Host([PANIC])
    host.guests["web-1"].status = status
    return host.connect()


@pytest.mark.parametrize(
    ("status", "events"),
    [
        pytest.param("running", [], id="running"),
        pytest.param("prelaunch", [], id="waits for its first cont"),
        pytest.param("inmigrate", [], id="comes in"),
        pytest.param("save-vm", [], id="is being saved"),
        pytest.param("paused", [("STOP", {})], id="paused"),
        pytest.param(
            "guest-panicked", [("GUEST_PANICKED", {"action": "pause"}), ("STOP", {})], id="panicked"
        ),
        pytest.param("io-error", [("BLOCK_IO_ERROR", {"action": "stop"}), ("STOP", {})], id="io"),
        pytest.param("watchdog", [("WATCHDOG", {"action": "pause"}), ("STOP", {})], id="watchdog"),
        pytest.param("suspended", [("SUSPEND", {}), ("STOP", {})], id="suspended"),
        pytest.param("shutdown", [("SHUTDOWN", {}), ("STOP", {})], id="shut down"),
        pytest.param(
            "postmigrate", [("MIGRATION", {"status": "completed"}), ("STOP", {})], id="migrated"
        ),
    ],
)
def test_the_first_sight_of_a_guest(status: str, events: list[tuple[str, object]]) -> None:
    """It counts as running until now, and only what its state proves is in the data."""
    host = seen_first(status)
    assert sorted(made(host), key=str) == sorted(events, key=str)


def test_a_panic_of_another_qemu_is_another_one() -> None:
    """Although the one before ended in a panic too, and that one was seen."""
    host = seen_first("running")
    host.guests["web-1"].panic(host)
    host.run(1)
    host.disconnect("web-1")
    host.guests["web-1"].epoch = "2-2"
    host.connect()
    assert ("GUEST_PANICKED", {"action": "pause"}) in made(host)
    assert host.outcomes() == ["succeeded", "succeeded"]


def test_a_panic_that_nobody_saw_starts_its_policy() -> None:
    """The reaction comes late, and it comes."""
    host = seen_first("guest-panicked")
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        pytest.param("running", "guest-panicked", ["GUEST_PANICKED", "STOP"], id="panicked"),
        pytest.param("paused", "guest-panicked", ["GUEST_PANICKED"], id="resumed, panicked"),
        pytest.param("guest-panicked", "guest-panicked", [], id="nothing new"),
        pytest.param("guest-panicked", "prelaunch", ["RESET"], id="reset"),
        pytest.param("guest-panicked", "running", ["RESUME"], id="runs again"),
        pytest.param("shutdown", "running", ["RESET", "RESUME"], id="reset and let go"),
        pytest.param("running", "prelaunch", ["RESET"], id="stopped and reset"),
        pytest.param("save-vm", "running", [], id="the dump is over"),
        pytest.param("running", "save-vm", [], id="a dump began"),
        pytest.param("paused", "running", ["RESUME"], id="resumed"),
        pytest.param("io-error", "watchdog", ["WATCHDOG"], id="another trouble"),
    ],
)
def test_between_two_connects(before: str, after: str, events: list[str]) -> None:
    """The same QEMU, and another state."""
    host = seen_first(before)
    host.effects.clear()
    host.disconnect("web-1")
    host.guests["web-1"].status = after
    host.connect()
    assert sorted(name for name, _ in made(host)) == sorted(events)


def test_another_qemu_is_compared_with_nothing() -> None:
    """Its guest counts as running until now, whatever the one before was."""
    host = seen_first("guest-panicked")
    host.effects.clear()
    host.disconnect("web-1")
    host.guests["web-1"].epoch = "2-2"
    host.connect()
    assert [name for name, _ in made(host)] == ["GUEST_PANICKED", "STOP"]


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [
        pytest.param("active", "completed", True, id="went on, and ended"),
        pytest.param("active", "failed", True, id="went on, and failed"),
        pytest.param("none", "completed", True, id="began and ended"),
        pytest.param("failed", "completed", True, id="failed, then one ended"),
        pytest.param("none", "failed", False, id="could not begin, or failed"),
        pytest.param("completed", "failed", False, id="ended, then one could not begin"),
        pytest.param("completed", "completed", False, id="the same, or another"),
        pytest.param("completed", "active", False, id="one goes on"),
        pytest.param("", "completed", False, id="was never asked"),
    ],
)
def test_a_dump_that_ended_meanwhile(before: str, after: str, is_told: bool) -> None:
    """Somebody else's too; one that could not begin is ``failed`` and sends no event."""
    host = seen_first("paused")
    guest = host.guests["web-1"]
    guest.dump = before
    host.disconnect("web-1")
    host.connect()
    host.disconnect("web-1")
    guest.dump = after
    host.effects.clear()
    host.connect()
    told = [("DUMP_COMPLETED", {"result": {"status": after}})]
    assert made(host) == (told if is_told else [])


def test_a_dump_whose_end_was_heard_is_not_told_again() -> None:
    """The event keeps the snapshot current, also when nobody asks behind it."""
    host = seen_first("paused")
    guest = host.guests["web-1"]
    guest.dump = "completed"
    host.event("web-1", "DUMP_COMPLETED", {"result": {"status": "completed"}})
    host.run(0.01)
    host.disconnect("web-1")
    host.effects.clear()
    host.connect()
    assert made(host) == []


def test_our_own_dump_that_ended_over_a_break_starts_nobody() -> None:
    """What is made up for is as much our own as what QEMU says itself."""
    dumps = document("dumps", "[{guest: dump, to: d}]")
    other = document("other", "[{log: x}]", "{event: DUMP_COMPLETED}")
    host = Host([dumps, other]).connect()
    host.guests["web-1"].mute.add("DUMP_COMPLETED")
    host.event("web-1", "GO", {})
    host.run(0.5)
    host.disconnect("web-1")
    host.run(3)
    host.connect()
    host.run(10)
    assert [event.own for event in host.events("DUMP_COMPLETED")] == [False, True]
    assert host.outcomes() == ["succeeded"]


def test_an_event_that_came_is_not_made_up_for() -> None:
    """The monitor went before the guest's new state was asked."""
    host = Host([PANIC]).connect()
    guest = host.guests["web-1"]
    guest.deaf.add("query-status")
    guest.panic(host)
    host.run(0.01)
    host.disconnect("web-1")
    guest.deaf.clear()
    host.connect()
    assert [name for name, _ in made(host)] == ["STOP"]
    assert host.outcomes() == ["succeeded"]


def test_an_event_that_left_the_guest_running_proves_nothing_of_the_next() -> None:
    """QEMU let the dead kernel run; then it panicked again, and was paused, unseen."""
    host = Host([PANIC]).connect()
    guest = host.guests["web-1"]
    guest.deaf.add("query-status")
    host.event("web-1", "GUEST_PANICKED", {"action": "run"})
    host.run(0.01)
    host.disconnect("web-1")
    guest.deaf.clear()
    guest.status = "guest-panicked"
    host.connect()
    assert [name for name, _ in made(host)] == ["GUEST_PANICKED", "STOP"]


def test_an_event_that_came_is_not_made_up_for_after_a_restart() -> None:
    """The snapshot on disk knows of it."""
    host = Host([PANIC]).connect()
    host.guests["web-1"].deaf.add("query-status")
    host.guests["web-1"].panic(host)
    host.run(0.01)
    host.guests["web-1"].deaf.clear()
    host.restart()
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize("shift", [-3600.0, 0.0, 3600.0])
@pytest.mark.parametrize(
    ("foretold", "runs"),
    [pytest.param(True, 1, id="on its way then"), pytest.param(False, 2, id="another one")],
)
def test_an_event_that_was_on_its_way_counts_once(foretold: bool, runs: int, shift: float) -> None:
    """It came before its state was told; what QEMU's clock says of it is no matter."""
    host = seen_first("guest-panicked")
    event = Event(
        "GUEST_PANICKED",
        "web-1",
        {"action": "pause"},
        host.now + shift,
        host.now,
        foretold=foretold,
    )
    host.give(Happened(event))
    host.run(1)
    assert len(host.outcomes()) == runs


def test_an_event_that_was_on_its_way_and_is_not_made_up_for_counts() -> None:
    """The state that was told says nothing of it."""
    host = seen_first("running")
    event = Event("GUEST_PANICKED", "web-1", {"action": "pause"}, host.now, foretold=True)
    host.give(Happened(event))
    host.run(1)
    assert len(host.outcomes()) == 1


def test_a_wait_hears_what_the_connect_makes_up_for() -> None:
    """Its event is proved by the guest's new state."""
    host = Host([document("p", "[{wait: {event: GUEST_PANICKED, timeout: 1h}}]")]).connect()
    host.event("web-1", "GO", {})
    host.run(1)
    host.disconnect("web-1")
    host.guests["web-1"].status = "guest-panicked"
    host.connect()
    assert host.outcomes() == ["succeeded"]


def test_a_wait_that_wants_another_event_is_not_proved() -> None:
    """Its `where` is false of what the connect makes up for: nobody knows whether it came."""
    wait = '{event: GUEST_PANICKED, where: data.action == "run", timeout: 1h}'
    host = Host([document("p", f"[{{wait: {wait}}}]")]).connect()
    host.event("web-1", "GO", {})
    host.run(1)
    host.disconnect("web-1")
    host.guests["web-1"].status = "guest-panicked"
    host.connect()
    assert host.outcomes() == ["unknown"]


def test_an_answer_about_a_guest_that_is_gone_is_nobodys() -> None:
    """Its status was asked just before it was forgotten."""
    host = Host([PANIC]).connect()
    host.event("web-1", "STOP", {}, after=0.0)
    host.run(0.0)
    host.give(GuestForgotten("web-1"))
    host.run(1.0)
    assert "web-1" not in host.engine.world.guests


def test_a_storage_daemon_has_no_state() -> None:
    """Nothing of it can be missed."""
    host = Host([PANIC])
    host.guests["web-1"].kind = "storage-daemon"
    host.connect()
    assert made(host) == []


@settings(max_examples=50, deadline=None)
@given(
    moves=st.lists(
        st.sampled_from("panic cut back restart resume pause".split()), min_size=1, max_size=12
    )
)
def test_every_panic_is_seen_once(moves: list[str]) -> None:
    """However the monitor comes and goes: by its event or made up for, never by both."""
    host = Host([PANIC]).connect()
    guest = host.guests["web-1"]
    panics, connected = 0, True
    for move in moves:
        if move == "panic" and guest.status == "running":
            panics += 1
            guest.status = "guest-panicked"
            if connected:
                host.event("web-1", "GUEST_PANICKED", {"action": "pause"})
        elif move == "cut" and connected:
            host.disconnect("web-1")
            connected = False
        elif move in {"back", "restart"}:
            host.connect() if move == "back" else host.restart()
            connected = True
        elif move == "resume" and connected and guest.status != "running":
            guest.status = "running"
            host.event("web-1", "RESUME", {})
        host.run(1.0)
    if not connected:
        host.connect()
    host.run(1.0)
    assert len(host.outcomes()) == panics
