"""After events of a guest were dropped it is looked at anew, and what they told is made up for."""

from collections.abc import Callable

import pytest

from reactor.core.effect import Execute
from reactor.core.facts import ASK_AGAIN
from reactor.core.inputs import Answered, Missed
from tests.core.simulation import Host, document
from tests.core.test_comparing import PORT, holds, host_with, port, told
from tests.core.test_comparing import made as made_of
from tests.core.test_resync import PANIC, made

PANICKED = ("GUEST_PANICKED", {"action": "pause"})
STOP: tuple[str, object] = ("STOP", {})
FACTS = ["query-dump", "query-migrate", "query-status"]


def host_of(*policies: str) -> Host:
    """A host whose guest runs, and has been seen."""
    host = Host(list(policies) or [PANIC]).connect()
    host.effects.clear()
    return host


def flood(host: Host, *names: str) -> Host:
    """There is no room for these events any more."""
    host.guests["web-1"].mute |= set(names)
    return host


def room(host: Host, *names: str) -> Host:
    """There is room again: one of each of these was dropped."""
    host.guests["web-1"].mute.clear()
    host.give(Missed("web-1", dict.fromkeys(names, 1)))
    return host


def panics(host: Host, *dropped: str) -> Host:
    """A panic of which these events are dropped; the others come behind them."""
    flood(host, *dropped)
    host.guests["web-1"].panic(host)
    host.run(0.0)
    host.give(Missed("web-1", dict.fromkeys(dropped, 1)))
    return host.run(0.5)


def stands(status: str) -> Callable[[Host], None]:
    """The guest comes to stand in this state."""

    def change(host: Host) -> None:
        host.guests["web-1"].status = status

    return change


@pytest.mark.parametrize(
    ("status", "names", "events"),
    [
        pytest.param("running", ["STOP", "RESUME"], [], id="it runs again"),
        pytest.param("guest-panicked", ["GUEST_PANICKED", "STOP"], [PANICKED, STOP], id="panic"),
        pytest.param("paused", ["STOP"], [STOP], id="stopped"),
        pytest.param(
            "io-error",
            ["BLOCK_IO_ERROR", "STOP"],
            [("BLOCK_IO_ERROR", {"action": "stop"}), STOP],
            id="a disk",
        ),
        pytest.param("shutdown", ["STOP"], [("SHUTDOWN", {}), STOP], id="shut down"),
        pytest.param("prelaunch", ["RESET"], [("RESET", {})], id="reset"),
    ],
)
def test_what_was_dropped_is_made_up_for(
    status: str, names: list[str], events: list[tuple[str, object]]
) -> None:
    """As at a connect: what the state proves is told once."""
    host = flood(host_of(), *names)
    stands(status)(host)
    room(host, *names).run(1)
    assert sorted(made(host), key=str) == sorted(events, key=str)
    host.disconnect("web-1")
    host.connect()
    assert sorted(made(host), key=str) == sorted(events, key=str)


@pytest.mark.parametrize(
    ("dropped", "events"),
    [
        pytest.param(["GUEST_PANICKED", "STOP"], [PANICKED, STOP], id="both"),
        pytest.param(["GUEST_PANICKED"], [PANICKED], id="the panic, and not what came behind it"),
        pytest.param(["STOP"], [STOP], id="what came behind it"),
    ],
)
def test_what_was_heard_is_not_told_again(
    dropped: list[str], events: list[tuple[str, object]]
) -> None:
    """Although the status is asked behind each event, too, and shows the panic before the look."""
    host = panics(host_of(), *dropped)
    assert made(host) == events
    assert host.outcomes() == ["succeeded"]


def test_a_panic_before_an_answer_that_was_asked_for_before() -> None:
    """Whoever asks for the status meanwhile takes nothing away from the look."""
    host = host_of()
    guest = host.guests["web-1"]
    guest.mute = {"GUEST_PANICKED"}
    host.event("web-1", "RESUME", {}, after=0.0)
    host.run(0.0)
    guest.panic(host)
    host.run(0.0)
    room(host, "GUEST_PANICKED").run(1)
    assert made(host) == [PANICKED]


def test_a_guest_that_went_on_and_panicked_again() -> None:
    """What was told before the drop is of another panic."""
    host = panics(host_of())
    flood(host, "GUEST_PANICKED", "STOP")
    guest = host.guests["web-1"]
    guest.status = "running"
    host.event("web-1", "RESUME", {})
    guest.panic(host, 0.01)
    host.run(0.02)
    host.effects.clear()
    room(host, "GUEST_PANICKED", "STOP").run(1)
    assert made(host) == [PANICKED, STOP]


def heard(host: Host, *names: str) -> None:
    """These come while it is looked at."""
    for name in names:
        host.event("web-1", name, {}, after=0.0)
    host.run(0.0)


@pytest.mark.parametrize(
    ("names", "status", "events"),
    [
        pytest.param(["STOP"], "paused", [], id="stopped: it was heard"),
        pytest.param(["STOP", "RESUME"], "paused", [STOP], id="stopped again: that was not"),
        pytest.param(["RESET"], "prelaunch", [], id="reset: it was heard"),
        pytest.param(
            ["RESET", "RESUME"], "prelaunch", [("RESET", {})], id="reset again: that was not"
        ),
        pytest.param(["RESET", "STOP"], "prelaunch", [], id="reset, and another event behind it"),
    ],
)
def test_what_is_heard_while_it_is_looked_at(
    names: list[str], status: str, events: list[tuple[str, object]]
) -> None:
    """It is not told again, what follows it and was dropped is."""
    host = host_of()
    guest = host.guests["web-1"]
    guest.deaf = {"query-status"}
    room(host, "STOP").run(0.1)
    heard(host, *names)
    guest.status = status
    (asked_first, *_) = (
        e.id for e in host.seen(Execute) if isinstance(e, Execute) and e.command == "query-status"
    )
    host.give(Answered(asked_first, result={"status": status}))
    assert made(host) == events


def test_a_port_that_changed() -> None:
    """What is compared is compared."""
    host = host_with(told(), ports={"p": False})
    holds(host).ports = {"p": True}
    room(host, PORT).run(1)
    assert made_of(host) == [port("p", "open")]
    room(host, PORT).run(1)
    assert made_of(host) == [port("p", "open")]


@pytest.mark.parametrize("lost", [False, True], ids=["it is answered", "it is lost"])
def test_a_port_that_changed_while_something_else_is_asked(*, lost: bool) -> None:
    """What was asked before may be answered from before the drop: it is asked once more."""
    host = host_with(told(), ports={"p": False})
    host.guests["web-1"].deaf = {"query-jobs"}
    host.load([told(), told("JOB_STATUS_CHANGE")])
    holds(host).ports = {"p": True}
    room(host, PORT).run(1)
    assert made_of(host) == []
    (jobs,) = (
        e.id for e in host.seen(Execute) if isinstance(e, Execute) and e.command == "query-jobs"
    )
    host.guests["web-1"].deaf.clear()
    host.give(Answered(jobs, lost="no reply") if lost else Answered(jobs, result=[]))
    host.run(1)
    assert made_of(host) == [port("p", "open")]


def test_a_dump_that_ended_while_a_step_waited_for_it() -> None:
    """The step goes on with what query-dump tells."""
    dump = document("d", "[{guest: dump}, {log: x}]")
    host = host_of(dump, told("DUMP_COMPLETED"))
    host.event("web-1", "GO", {})
    host.run(0.5)
    flood(host, "DUMP_COMPLETED").run(2)
    room(host, "DUMP_COMPLETED").run(1)
    assert host.outcomes() == ["succeeded"]
    assert len([e for e in host.events("DUMP_COMPLETED") if e.own]) == 1


WAIT = "[{wait: {event: QUORUM_FAILURE}, timeout: 1h}]"


@pytest.mark.parametrize(
    ("dropped", "ended"),
    [
        pytest.param(
            "QUORUM_FAILURE",
            [("unknown", "events of the guest were dropped while QUORUM_FAILURE was awaited")],
            id="its event",
        ),
        pytest.param("STOP", [], id="another one"),
    ],
)
def test_a_wait_for_what_leaves_no_trace(dropped: str, ended: list[tuple[str, str]]) -> None:
    """It does not wait for what may be gone; what was not dropped may still come."""
    host = host_of(document("w", WAIT))
    host.event("web-1", "GO", {})
    host.run(0.5)
    room(host, dropped).run(1)
    assert [(run.outcome, run.error) for run in host.ended()] == ended
    reason = "events of the guest were dropped for want of room (QUORUM_FAILURE 1x): "
    reason += "it is asked how it stands"
    assert [one for one in host.reasons() if "were dropped for" in one] == [reason] * len(ended)


def test_a_wait_that_began_behind_the_drop() -> None:
    """Its event cannot have been among those."""
    host = host_of(document("w", WAIT))
    guest = host.guests["web-1"]
    guest.deaf = {"query-status"}
    room(host, "QUORUM_FAILURE")
    host.event("web-1", "GO", {})
    host.run(0.5)
    guest.deaf.clear()
    host.run(30)
    assert host.ended() == []


def asked(host: Host) -> list[str]:
    """What was asked of the guest."""
    return [c for c in host.commands(queries=True) if c.startswith("query-")]


def test_drops_while_it_is_looked_at() -> None:
    """They are told in one more look, however many they are."""
    host = host_of()
    for _ in range(100):
        room(host, "STOP")
    host.run(1)
    assert asked(host) == FACTS * 2


def test_a_panic_dropped_while_it_is_looked_at() -> None:
    """The first look sees it already, the second one tells nothing more."""
    host = host_of()
    room(host, "STOP")
    panics(host, "GUEST_PANICKED", "STOP")
    assert made(host) == [PANICKED, STOP]


def test_a_qemu_that_does_not_answer() -> None:
    """It is asked again."""
    host = host_of()
    host.guests["web-1"].deaf = set(FACTS)
    panics(host, "GUEST_PANICKED", "STOP")
    for effect in host.seen(Execute):
        assert isinstance(effect, Execute)
        host.give(Answered(effect.id, lost="no reply came in time"))
    host.guests["web-1"].deaf.clear()
    assert made(host) == []
    host.run(ASK_AGAIN + 1)
    assert made(host) == [PANICKED, STOP]


@pytest.mark.parametrize("restart", [False, True], ids=["a break", "a restart of the daemon"])
def test_a_break_before_it_answers(*, restart: bool) -> None:
    """Then the connect makes up for it."""
    host = host_of()
    host.guests["web-1"].deaf = set(FACTS)
    panics(host, "GUEST_PANICKED", "STOP")
    assert made(host) == []
    host.disconnect("web-1")
    if restart:
        host.restart(connect=False)
    host.guests["web-1"].deaf.clear()
    host.connect()
    assert made(host) == [PANICKED, STOP]
    assert host.run(60).outcomes() == ["succeeded"]


def test_a_qemu_that_refuses_to_tell_its_status() -> None:
    """Then nothing is proved; it is not asked for ever."""
    host = host_of()
    host.guests["web-1"].failing["query-status"] = "no"
    room(host, "STOP").run(60)
    assert (made(host), asked(host)) == ([], FACTS)


def test_a_run_that_ended_while_it_was_looked_at() -> None:
    """It waits for nothing any more."""
    host = host_of(document("w", WAIT))
    host.event("web-1", "GO", {})
    host.run(0.5)
    host.guests["web-1"].deaf = {"query-status"}
    room(host, "QUORUM_FAILURE").run(0.5)
    host.event("web-1", "QUORUM_FAILURE", {})
    host.run(0.5)
    assert host.outcomes() == ["succeeded"]
    (status,) = (
        e.id for e in host.seen(Execute) if isinstance(e, Execute) and e.command == "query-status"
    )
    host.give(Answered(status, result={"status": "running"}))
    assert host.engine.world.guests["web-1"].look is None


def test_a_shutdown_that_was_dropped() -> None:
    """QEMU is gone before it can be asked, and is not taken for lost; who waits for it hears."""
    host = host_of(document("w", "[{wait: {event: SHUTDOWN}, timeout: 1h}]"), document("v", WAIT))
    host.event("web-1", "GO", {})
    host.run(0.5)
    room(host, "SHUTDOWN")
    host.disconnect("web-1")
    host.run(60)
    assert host.events("REACTOR_GUEST_LOST") == []
    assert host.outcomes() == ["succeeded"]


def test_a_shutdown_that_was_dropped_before_the_guest_ran_again() -> None:
    """A later loss of it is told."""
    host = host_of()
    room(host, "SHUTDOWN", "RESET").run(1)
    host.disconnect("web-1")
    host.run(60)
    assert len(host.events("REACTOR_GUEST_LOST")) == 1


@pytest.mark.parametrize("known", [True, False], ids=["it is away", "nobody knows it"])
def test_a_guest_that_cannot_be_asked(*, known: bool) -> None:
    """The next connect looks at it anyway."""
    host = host_of()
    host.disconnect("web-1")
    host.give(Missed("web-1" if known else "db-1", {"STOP": 1}))
    host.run(1)
    assert asked(host) == []


def test_a_storage_daemon() -> None:
    """It has no status; what is compared is compared."""
    host = host_of(told("JOB_STATUS_CHANGE"))
    host.guests["web-1"].kind = "storage-daemon"
    host.guests["web-1"].epoch = "2-2"
    host.disconnect("web-1")
    host.connect()
    host.effects.clear()
    room(host, "JOB_STATUS_CHANGE").run(1)
    assert asked(host) == ["query-jobs"]
    assert host.engine.world.guests["web-1"].look is None
