"""What is compared over a break: asked where it is needed, kept current, and told once."""

from collections.abc import Callable, Mapping

import pytest

from reactor.core.comparing import ASK_AGAIN
from reactor.core.config import EngineConfig
from reactor.core.effect import EventSeen, Execute
from reactor.core.event import Event
from reactor.core.inputs import (
    Answered,
    Connected,
    Disconnected,
    GuestForgotten,
    GuestKnown,
    Happened,
)
from reactor.core.needs import compared
from reactor.core.subject import KEYS_MAX
from tests.core.holdings import Holdings
from tests.core.simulation import Host, document

PORT = "VSERPORT_CHANGE"


def told(name: str = PORT, more: str = "") -> str:
    """A policy that starts at each event of this name."""
    return document(name.lower().replace("_", "-"), "[{log: x}]", f"{{event: {name}}}", more)


def host_with(*policies: str, **held: object) -> Host:
    """A host whose guest has these holdings, connected for the first time."""
    host = Host(list(policies))
    host.guests["web-1"].holds = Holdings(**held)  # type: ignore[arg-type]
    return host.connect()


def holds(host: Host) -> Holdings:
    """What the guest holds now."""
    found = host.guests["web-1"].holds
    assert found is not None
    return found


def away(host: Host, *, restart: bool = False) -> Host:
    """Let the monitor be away for a second."""
    host.effects.clear()
    host.disconnect("web-1")
    if restart:
        host.restart(connect=False)
    return host.run(1)


def made(host: Host, name: str = PORT) -> list[Mapping[str, object]]:
    """The data of the synthetic events of this name, in order."""
    return [dict(event.data) for event in host.events(name) if event.synthetic]


def port(name: str, state: str) -> dict[str, object]:
    """The data of a VSERPORT_CHANGE."""
    return {"id": name, "open": state == "open"}


@pytest.mark.parametrize("restart", [False, True], ids=["a break", "a restart of the daemon"])
@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        pytest.param({"p": False}, {"p": True}, [port("p", "open")], id="opened"),
        pytest.param({"p": True}, {"p": False}, [port("p", "closed")], id="closed"),
        pytest.param({"p": True}, {"p": True}, [], id="nothing new"),
        pytest.param({}, {"p": True}, [port("p", "open")], id="plugged, and opened"),
        pytest.param({}, {"p": False}, [], id="plugged"),
        pytest.param({"p": True}, {}, [], id="unplugged: QEMU says nothing of its port"),
        pytest.param(
            {"p": True, "q": False},
            {"p": False, "q": True},
            [port("p", "closed"), port("q", "open")],
            id="two",
        ),
    ],
)
def test_a_port_that_changed_while_nobody_watched(
    before: dict[str, bool], after: dict[str, bool], events: list[object], *, restart: bool
) -> None:
    """Each port is told once, with no more than its name and state."""
    host = away(host_with(told(), ports=before), restart=restart)
    holds(host).ports = after
    host.connect()
    assert made(host) == events
    assert host.outcomes() == ["succeeded"] * len(events)
    away(host).connect()
    assert made(host) == []


def test_the_first_sight_makes_nothing_up() -> None:
    """A port that is open already is no event."""
    assert made(host_with(told(), ports={"p": True})) == []


def test_another_qemu_is_compared_with_nothing() -> None:
    """Its ports are seen for the first time."""
    host = away(host_with(told(), ports={"p": False}))
    holds(host).ports = {"p": True}
    host.guests["web-1"].epoch = "2-2"
    assert made(host.connect()) == []
    away(host)
    holds(host).ports = {"p": False}
    assert made(host.connect()) == [port("p", "closed")]


def test_an_event_that_was_seen_is_not_made_up() -> None:
    """The snapshot on disk is as current as what was heard, also of a port that is new."""
    host = host_with(told(), ports={"p": False})
    holds(host).ports = {"p": True, "new": True}
    for name in holds(host).ports:
        host.event("web-1", PORT, port(name, "open"))
    host.run(1)
    assert made(away(host, restart=True).connect()) == []


ERROR = "BLOCK_IO_ERROR"
BARE = {"action": "stop"}


def io_error(node: str, *, nospace: bool = False) -> dict[str, object]:
    """The data of the event that this node's failing proves."""
    return {"device": "", "node-name": node, "action": "stop", "nospace": nospace}


@pytest.mark.parametrize("epoch", ["1-1", "2-2"], ids=["a break", "another QEMU"])
@pytest.mark.parametrize(
    ("failed", "unknown", "events"),
    [
        pytest.param({"a": "failed"}, set(), [io_error("a")], id="one"),
        pytest.param(
            {"a": "nospace", "b": "ok", "c": "failed"},
            set(),
            [io_error("a", nospace=True), io_error("c")],
            id="two of three",
        ),
        pytest.param({"a": "ok"}, set(), [BARE], id="none says it"),
        pytest.param({"a": "failed"}, {"query-block"}, [BARE], id="cannot be asked"),
    ],
)
def test_a_guest_that_is_found_in_io_error_comes_with_its_disks(
    failed: dict[str, str], unknown: set[str], events: list[object], epoch: str
) -> None:
    """One event for each that failed, before the STOP; without a disk where none is known."""
    host = away(host_with(told(ERROR, "mode: queued\n"), unknown=unknown, failed={"a": "ok"}))
    guest = host.guests["web-1"]
    guest.status, guest.epoch, holds(host).failed = "io-error", epoch, failed
    host.connect()
    assert made(host, ERROR) == events
    order = [e.event.name for e in host.seen(EventSeen) if isinstance(e, EventSeen)]
    order = [name for name in order if name in {ERROR, "STOP"}]
    assert order == [ERROR] * len(events) + ["STOP"]
    assert host.outcomes() == ["succeeded"] * len(events)
    assert made(away(host).connect(), ERROR) == []


def test_a_guest_that_is_first_seen_in_io_error_comes_with_its_disk() -> None:
    """Nothing is known of before: what stopped it is news all the same."""
    host = Host([told(ERROR)])
    guest = host.guests["web-1"]
    guest.holds, guest.status = Holdings(failed={"a": "failed"}), "io-error"
    assert made(host.connect(), ERROR) == [io_error("a")]


def test_another_disk_that_failed_while_the_guest_stood_still() -> None:
    """The first was seen; the guest's state says nothing new, the other disk does."""
    host = host_with(told(ERROR, "mode: queued\n"), failed={"a": "failed", "b": "ok"})
    guest = host.guests["web-1"]
    guest.status = "io-error"
    host.event("web-1", ERROR, io_error("a"))
    host.run(1)
    assert made(away(host).connect(), ERROR) == []
    away(host)
    holds(host).failed["b"] = "nospace"
    assert made(host.connect(), ERROR) == [io_error("b", nospace=True)]


def test_a_disk_that_fails_again_after_its_guest_went_on_is_told_again() -> None:
    """RESUME was seen: what failed before is over."""
    host = host_with(told(ERROR, "mode: queued\n"), failed={"a": "failed"})
    guest = host.guests["web-1"]
    for name, data in ((ERROR, io_error("a")), ("RESUME", {})):
        host.event("web-1", name, data)
        host.run(1)
    away(host)
    guest.status = "io-error"
    assert made(host.connect(), ERROR) == [io_error("a")]


def test_an_error_that_was_on_its_way_is_told_by_itself() -> None:
    """Beside that of another disk which nobody saw: neither is lost, neither told twice."""
    host = away(host_with(told(ERROR, "mode: queued\n"), failed={"a": "ok", "b": "ok"}))
    guest = host.guests["web-1"]
    guest.status, holds(host).failed = "io-error", {"a": "failed", "b": "failed"}
    late = {**io_error("b"), "reason": "EIO"}
    names = compared(host.engine.world, "web-1")
    facts = guest.facts(holds(host).asked(names, [(ERROR, late)]))
    host.give(Connected("web-1", "1-1", facts))
    host.give(Happened(Event(ERROR, "web-1", late, host.now, host.now, foretold=True)))
    host.run(1)
    assert made(host, ERROR) == [io_error("a")]
    assert host.outcomes() == ["succeeded"] * 2


def test_nobody_asks_for_what_nobody_needs() -> None:
    """Neither at the connect, nor later; an event leaves no trace."""
    host = host_with(told("GO"), ports={"p": False})
    host.event("web-1", PORT, port("p", "open"))
    host.run(1)
    assert "qom-list" not in host.commands()
    assert not host.engine.world.guests["web-1"].facts.compared


WAITS = document("w", f"[{{wait: {{event: {PORT}, where: data.open}}, timeout: 1h}}]")
FOLLOWS = document(
    "f", "[{log: x}]", f"{{event: GO, not_followed_by: {{event: {PORT}, within: 9s}}}}"
)


@pytest.mark.parametrize(
    ("policy", "needed"),
    [
        pytest.param(told(), ("ports",), id="a trigger"),
        pytest.param(told('"VSER*"'), ("ports",), id="a glob"),
        pytest.param(FOLLOWS, ("ports",), id="a second event"),
        pytest.param(WAITS, ("ports",), id="a wait"),
        pytest.param(told("GO"), (), id="nobody"),
        pytest.param(told(more="guests: {name: db-*}\n"), (), id="another guest's policy"),
    ],
)
def test_who_needs_it(policy: str, needed: tuple[str, ...]) -> None:
    """A policy that selects the guest; another guest's does not count."""
    text = policy.replace('policy: "vser*"', "policy: glob")
    assert Host([text]).engine.compared("web-1", {}) == needed


@pytest.mark.parametrize(("tier", "needed"), [("web", ("ports",)), ("db", ())])
def test_a_guest_may_be_connected_before_the_engine_knows_of_it(
    tier: str, needed: tuple[str, ...]
) -> None:
    """Its name and labels say what it needs."""
    host = Host([told(more="guests: {labels: {tier: web}}\n")])
    assert host.engine.compared("web-7", {"tier": tier}) == needed


def test_an_open_wait_needs_it_when_its_policy_is_gone() -> None:
    """Until its run has ended."""
    host = host_with(WAITS, ports={"p": False})
    host.event("web-1", "GO", {"n": 1})
    host.run(1)
    host.load([document("odd", "[{log: x}]", "{event: ODD}")])
    assert compared(host.engine.world, "web-1") == ("ports",)
    away(host)
    holds(host).ports["p"] = True
    host.connect()
    assert host.outcomes() == ["succeeded"]
    assert compared(host.engine.world, "web-1") == ()


# ------------------------------------------------------------ asked for later


def test_a_reload_that_needs_more_asks_for_it() -> None:
    """What it finds is the first sight; the next connect compares with it."""
    host = host_with(told("GO"), ports={"p": True})
    host.load([told()])
    host.run(1)
    assert host.commands() == ["qom-list", "qom-get"]
    assert made(host) == []
    away(host)
    holds(host).ports["p"] = False
    assert made(host.connect()) == [port("p", "closed")]


def test_an_event_behind_the_question_is_newer_than_the_answer() -> None:
    """It may arrive behind the answer, or before: it counts."""
    host = host_with(told("GO"), ports={"p": True})
    host.load([told()])
    host.give(Happened(Event(PORT, "web-1", port("p", "closed"))))
    host.give(Happened(Event(PORT, "web-1", {"id": "p"})))
    host.run(1)
    assert host.engine.world.guests["web-1"].facts.compared == {"ports": {"p": False}}


def test_a_second_reload_meanwhile_is_asked_for_behind() -> None:
    """And not twice."""
    host = host_with(told("GO"), ports={"p": True})
    host.load([told()])
    host.load([told(), told("GO")])
    host.run(1)
    assert host.commands() == ["qom-list", "qom-get"]


@pytest.mark.parametrize("lost", ["lost", "the monitor goes"])
def test_a_question_that_is_lost_is_asked_at_the_next_connect(lost: str) -> None:
    """Nothing is known until then."""
    host = host_with(told("GO"), ports={"p": True})
    guest = host.guests["web-1"]
    guest.silent = {"query-chardev"}
    host.load([told()])
    if lost == "lost":
        host.run(11)
    away(host)
    assert host.engine.world.guests["web-1"].facts.compared == {}
    assert made(host.connect()) == []
    host.run(20)
    assert host.engine.world.guests["web-1"].facts.compared == {"ports": {"p": True}}


def test_labels_that_let_a_policy_select_the_guest_ask_too() -> None:
    """As a reload does."""
    host = host_with(told(more="guests: {labels: {tier: web}}\n"), ports={"p": True})
    assert "qom-list" not in host.commands()
    host.give(GuestKnown("web-1", {"tier": "web"}))
    host.run(1)
    assert "qom-list" in host.commands()


@pytest.mark.parametrize("command", ["qom-list", "query-chardev"])
def test_a_command_that_qemu_does_not_know_is_an_answer(command: str) -> None:
    """It has none of these; nobody asks again, and nothing is made up."""
    host = host_with(told(), ports={"p": True}, unknown={command})
    assert host.commands() == []
    assert host.engine.world.guests["web-1"].facts.compared == {"ports": {}}
    away(host)
    holds(host).ports["p"] = False
    assert made(host.connect()) == []


def test_of_more_keys_than_are_kept_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a snapshot would make things up."""
    monkeypatch.setattr("reactor.core.subjects.KEYS_MAX", 2)
    host = host_with(told(), ports={"p": False, "q": False})
    host.event("web-1", PORT, port("r", "open"))
    host.run(1)
    assert host.engine.world.guests["web-1"].facts.compared == {"ports": {"p": False, "q": False}}
    holds(host).ports["r"] = True
    away(host).connect()
    assert host.engine.world.guests["web-1"].facts.compared == {}
    host.load([told(), told("GO")])
    host.give(Happened(Event(PORT, "web-1", port("r", "closed"))))
    host.run(1)
    assert host.engine.world.guests["web-1"].facts.compared == {}, "nor when it is asked again"
    assert KEYS_MAX > 2


# -------------------------------------------------------- on the way meanwhile


def _connect(host: Host, state: object) -> None:
    """A connect while whose questions were asked an event came, if ``state`` is None."""
    guest = host.guests["web-1"]
    host.give(Connected("web-1", guest.epoch, guest.facts({"ports": {"p": state}})))


def test_events_that_came_while_qemu_was_asked_speak_for_themselves() -> None:
    """Each is told as it came, none is made up for."""
    host = away(host_with(told(), ports={"p": False}))
    _connect(host, None)
    for state in ("open", "closed", "open"):
        host.give(Happened(Event(PORT, "web-1", port("p", state), foretold=True)))
    host.run(1)
    assert made(host) == []
    assert host.outcomes() == ["succeeded"] * 3
    assert host.engine.world.guests["web-1"].facts.compared == {"ports": {"p": True}}


def test_a_port_of_another_qemu_whose_event_is_on_its_way() -> None:
    """Nothing is known of it until then."""
    host = away(host_with(told(), ports={"p": False}))
    host.guests["web-1"].epoch = "2-2"
    _connect(host, None)
    assert host.engine.world.guests["web-1"].facts.compared == {"ports": {}}


@pytest.mark.parametrize(
    ("late", "state", "runs"),
    [
        pytest.param(1.4, "open", 1, id="held back: told already"),
        pytest.param(1.5, "open", 1, id="as late as can be"),
        pytest.param(1.6, "open", 2, id="too late to be that one"),
        pytest.param(0.5, "closed", 2, id="another change"),
    ],
)
def test_what_qemu_held_back_is_told_once(late: float, state: str, runs: int) -> None:
    """QEMU's limiter lets the last state of a second go at its end: behind our connect."""
    host = away(host_with(told(), ports={"p": False}))
    began = host.now
    holds(host).ports["p"] = True
    host.connect()
    assert made(host) == [port("p", "open")]
    host.run(began + late - host.now)
    host.give(Happened(Event(PORT, "web-1", port("p", state))))
    host.run(1)
    assert len(host.outcomes()) == runs
    host.give(Happened(Event(PORT, "web-1", port("p", state))))
    host.run(1)
    assert len(host.outcomes()) == runs + 1, "the one that was held back is one"


@pytest.mark.parametrize("restart", [False, True], ids=["a break", "a restart of the daemon"])
@pytest.mark.parametrize(
    ("epoch", "runs"),
    [pytest.param("1-1", 1, id="the same QEMU"), pytest.param("2-2", 2, id="another QEMU")],
)
def test_what_qemu_held_back_is_told_once_over_another_connect(
    epoch: str, runs: int, *, restart: bool
) -> None:
    """The limiter holds an event for a second, however often we come and go."""
    host = away(host_with(told("VSERPORT_CHANGE", "mode: queued\n"), ports={"p": False}))
    holds(host).ports["p"] = True
    host.connect()
    host.run(0.1)
    host.disconnect("web-1")
    if restart:
        host.restart(connect=False)
    host.guests["web-1"].epoch = epoch
    host.connect()
    host.run(0.1)
    host.give(Happened(Event(PORT, "web-1", port("p", "open"))))
    host.run(1)
    assert len(host.outcomes()) == runs


@pytest.mark.parametrize(
    ("after", "asks"),
    [
        pytest.param(ASK_AGAIN - 0.1, 1, id="not yet"),
        pytest.param(ASK_AGAIN, 2, id="asked again"),
    ],
)
def test_a_question_that_qemu_does_not_answer_is_asked_again(after: float, asks: int) -> None:
    """Else nothing would be compared over the next break, which may come in months."""
    host = host_with(told("GO"), ports={"p": False})
    host.guests["web-1"].deaf.add("qom-list")
    host.load([told()])
    (question,) = [e.id for e in host.seen(Execute) if isinstance(e, Execute)][-1:]
    host.give(Answered(question, lost="no reply came in time"))
    host.guests["web-1"].deaf.clear()
    host.run(after)
    assert host.commands().count("qom-list") == asks
    host.run(1)
    known = host.engine.world.guests["web-1"].facts.compared
    assert known == ({"ports": {"p": False}} if asks == 2 else known)


def test_who_is_gone_is_not_asked_again() -> None:
    """Neither a guest that is away, nor one that nobody names any more."""
    for gone in (Disconnected("web-1", "broken"), GuestForgotten("web-1")):
        host = host_with(told("GO"), ports={"p": False})
        host.guests["web-1"].deaf.add("qom-list")
        host.load([told()])
        (question,) = [e.id for e in host.seen(Execute) if isinstance(e, Execute)][-1:]
        host.give(Answered(question, lost="no reply came in time"))
        host.give(gone)
        host.run(ASK_AGAIN + 1)
        assert host.commands().count("qom-list") == 1


def test_a_flood_does_not_push_out_what_keeps_a_snapshot_current() -> None:
    """The next connect would tell of it once more."""
    with_snapshot = told(more="").replace("{event: VSER", "{where: 'data.id == \"p\"', event: VSER")
    host = host_with(with_snapshot, ports={"p": False, "q": False})
    assert host.engine.matters(Event(PORT, "web-1", port("q", "open")))
    assert not host_with(told("GO")).engine.matters(Event(PORT, "web-1", port("q", "open")))


@pytest.mark.parametrize(
    ("command", "change"),
    [
        pytest.param("{qmp: device_add, args: {id: d}}", "devices", id="a device"),
        pytest.param("{qmp: block-set-write-threshold}", "thresholds", id="a threshold"),
    ],
)
def test_what_a_command_of_ours_adds_is_looked_at(command: str, change: str) -> None:
    """QEMU tells of it by no event: without a look the next connect could not miss it."""
    steps = f"[{command}, {{log: x}}]"
    wants = told("DEVICE_DELETED"), told("BLOCK_WRITE_THRESHOLD"), document("adds", steps)
    config = EngineConfig(host="h1", allow=frozenset({"device_add"}))
    host = Host(list(wants), config=config)
    held = host.guests["web-1"].holds = Holdings(thresholds={"n": 0})
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    held.devices, held.thresholds = {"d"}, {"n": 7}
    host.run(1)
    away(host)
    held.devices, held.thresholds = set(), {"n": 0}
    host.connect()
    deleted = made(host, "DEVICE_DELETED")
    passed = made(host, "BLOCK_WRITE_THRESHOLD")
    assert bool(deleted) is (change == "devices")
    assert bool(passed) is (change == "thresholds")


def test_a_migration_that_ended_is_told_once() -> None:
    """Its own snapshot says it, and the run state says the same."""
    host = host_with(told("MIGRATION"), migration="active")
    away(host)
    host.guests["web-1"].status = "postmigrate"
    holds(host).migration = "completed"
    host.connect()
    assert made(host, "MIGRATION") == [{"status": "completed"}]


# --------------------------------------------------------------------- waits


def _open(host: Host) -> None:
    holds(host).ports["p"] = True


def _nothing(_host: Host) -> None:
    pass


@pytest.mark.parametrize(
    ("before", "meanwhile", "outcomes"),
    [
        pytest.param(False, _open, ["succeeded"], id="it opened"),
        pytest.param(False, _nothing, [], id="it is closed: it may still open"),
        pytest.param(True, _nothing, ["unknown"], id="it is open as before: nobody knows"),
    ],
)
def test_a_wait_for_a_port(
    before: bool,
    meanwhile: Callable[[Host], None],
    outcomes: list[str],
) -> None:
    """What the connect compares decides it, where it can."""
    host = host_with(WAITS, ports={"p": before})
    host.event("web-1", "GO", {"n": 1})
    host.run(1)
    away(host)
    meanwhile(host)
    host.connect()
    host.run(1)
    assert host.outcomes() == outcomes
    host.event("web-1", PORT, port("p", "open"))
    host.run(1)
    assert host.outcomes() == (outcomes or ["succeeded"])


def test_a_wait_for_what_nothing_is_compared_of() -> None:
    """A port that may still open says nothing of another event."""
    waits = document("w", "[{wait: {event: NIC_RX_FILTER_CHANGED}, timeout: 1h}]")
    host = host_with(waits, told(), ports={"p": False})
    host.event("web-1", "GO", {"n": 1})
    host.run(1)
    away(host).connect()
    assert host.outcomes() == ["unknown"]


def test_a_guest_that_went_on_meanwhile_has_no_failed_disk() -> None:
    """The event says it of all its disks; the answer is older."""
    host = host_with(told("GO"), ports={"p": True})
    host.load([told("BLOCK_IO_ERROR"), told()])
    host.give(Happened(Event(PORT, "web-1", port("p", "closed"))))
    host.give(Happened(Event("BLOCK_IO_ERROR", "web-1", io_error("disk0"))))
    host.give(Happened(Event("RESUME", "web-1", {})))
    host.run(1)
    known = host.engine.world.guests["web-1"].facts.compared
    assert known == {"io-errors": {}, "ports": {"p": False}}


def test_an_answer_that_is_lost_with_the_monitor_asks_nobody() -> None:
    """The connect does."""
    host = host_with(told("GO"), ports={"p": False})
    host.guests["web-1"].deaf.add("qom-list")
    host.load([told()])
    (question,) = [e.id for e in host.seen(Execute) if isinstance(e, Execute)][-1:]
    host.engine.world.guests["web-1"].connected = False
    host.give(Answered(question, lost="the monitor died"))
    host.run(ASK_AGAIN + 1)
    assert host.commands().count("qom-list") == 1
