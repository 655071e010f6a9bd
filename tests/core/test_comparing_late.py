"""What QEMU did not answer at a connect: compared when it answers, and told once."""

from collections.abc import Callable, Mapping

import pytest

from reactor.core.comparing import ASK_AGAIN
from reactor.core.effect import Execute
from reactor.core.event import Event
from reactor.core.inputs import Answered, Connected, Happened
from tests.core.simulation import Host
from tests.core.test_comparing import (
    BARE,
    ERROR,
    PORT,
    WAITS,
    away,
    holds,
    host_with,
    io_error,
    made,
    port,
    told,
)

ASKS = ("qom-list", "query-block", "query-migrate", "query-named-block-nodes")


def hangs(host: Host, *, change: Callable[[Host], None]) -> Host:
    """A break in which something changes, and a connect at which QEMU answers nothing of it."""
    away(host)
    change(host)
    host.guests["web-1"].deaf |= set(ASKS)
    return connect(host)


def connect(host: Host) -> Host:
    """A connect without an answer to what is compared."""
    guest = host.guests["web-1"]
    host.give(Connected("web-1", guest.epoch, guest.facts({})))
    return host.run(0.1)


def no_answer(host: Host) -> None:
    """The adapter gives up on what was asked last."""
    asked = [e.id for e in host.seen(Execute) if isinstance(e, Execute) and e.command in ASKS]
    host.give(Answered(asked[-1], lost="no reply came in time"))


def answers(host: Host) -> Host:
    """QEMU is back, and is asked again."""
    no_answer(host)
    host.guests["web-1"].deaf.clear()
    return host.run(ASK_AGAIN + 1)


def known(host: Host) -> Mapping[str, Mapping[str, object]]:
    """What is known of the guest for the next connect."""
    return host.engine.world.guests["web-1"].facts.compared


def opens(host: Host) -> None:
    """The port is opened."""
    holds(host).ports["p"] = True


def nothing(_host: Host) -> None:
    """It stays as it was."""


def again(host: Host) -> None:
    """QEMU does not answer the second time either."""
    no_answer(host)
    host.run(ASK_AGAIN + 1)


def another_break(host: Host) -> None:
    """The monitor breaks once more, and QEMU still hangs."""
    hangs(host, change=nothing)


def restart(host: Host) -> None:
    """The daemon is started anew, and QEMU still hangs."""
    connect(away(host, restart=True))


def reload(host: Host) -> None:
    """Policies are loaded anew: the question that is under way is not asked twice."""
    host.load([told()])


def gone_unasked(host: Host) -> None:
    """Nobody needs it any more, and then somebody does."""
    host.load([told("GO")])
    host.load([told()])


@pytest.mark.parametrize(
    "between",
    [nothing, again, another_break, restart, reload, gone_unasked],
    ids=lambda between: between.__name__.replace("_", " "),
)
@pytest.mark.parametrize(
    ("change", "events"),
    [
        pytest.param(opens, [port("p", "open")], id="a change"),
        pytest.param(nothing, [], id="no change"),
    ],
)
def test_what_is_answered_late_is_told_once(
    change: Callable[[Host], None], events: list[object], between: Callable[[Host], None]
) -> None:
    """However long QEMU hangs, and whatever happens to us meanwhile."""
    host = hangs(host_with(told(), ports={"p": False}), change=change)
    assert made(host) == []
    assert known(host) == {"ports": {"p": False}}, "what the policies were told"
    between(host)
    answers(host)
    assert made(host) == events
    assert known(host) == {"ports": holds(host).ports}
    asked = host.commands().count("qom-list")
    host.load([told(), told("GO")])
    assert host.run(1).commands().count("qom-list") == asked, "it is answered"
    assert made(away(host).connect()) == []


@pytest.mark.parametrize(
    ("event", "state", "policy", "events"),
    [
        pytest.param(
            "DEVICE_DELETED",
            {"devices": {"d"}},
            told("DEVICE_DELETED"),
            [{"device": "d", "path": "/machine/peripheral/d"}],
            id="a device",
        ),
        pytest.param(
            "BLOCK_WRITE_THRESHOLD",
            {"thresholds": {"n": 7}},
            told("BLOCK_WRITE_THRESHOLD"),
            [{"node-name": "n", "write-threshold": 7}],
            id="a threshold",
        ),
    ],
)
def test_what_is_gone_is_told_late_too(
    event: str, state: Mapping[str, object], policy: str, events: list[object]
) -> None:
    """A device that was unplugged, a threshold that was passed."""

    def goes(host: Host) -> None:
        holds(host).devices, holds(host).thresholds = set(), {"n": 0}

    host = hangs(host_with(policy, **state), change=goes)
    assert made(answers(host), event) == events
    assert host.outcomes() == ["succeeded"]


def test_of_another_qemu_the_late_answer_is_the_first_sight() -> None:
    """Nothing is made up."""

    def starts(host: Host) -> None:
        host.guests["web-1"].epoch = "2-2"
        opens(host)

    host = hangs(host_with(told(), ports={"p": False}), change=starts)
    assert known(host) == {}
    assert made(answers(host)) == []
    assert known(host) == {"ports": {"p": True}}


def test_what_nobody_needs_any_more_is_not_kept() -> None:
    """It would be older and older."""

    def unload(host: Host) -> None:
        host.load([told("GO")])

    assert known(hangs(host_with(told(), ports={"p": False}), change=unload)) == {}


@pytest.mark.parametrize(
    ("state", "runs"),
    [
        pytest.param("open", 1, id="the change itself: it was on its way"),
        pytest.param("closed", 2, id="it says nothing of the change: both are told"),
    ],
)
def test_an_event_before_the_late_answer_counts(state: str, runs: int) -> None:
    """What it says is known; the answer tells only what no event has told."""
    host = hangs(host_with(told(), ports={"p": False}), change=opens)
    host.give(Happened(Event(PORT, "web-1", port("p", state))))
    answers(host)
    assert len(host.outcomes()) == runs


@pytest.mark.parametrize(
    ("late", "runs"),
    [
        pytest.param(0.4, 1, id="held back: told already"),
        pytest.param(1.6, 2, id="too late to be that one"),
    ],
)
def test_what_the_limiter_held_back_behind_a_late_answer_is_told_once(
    late: float, runs: int
) -> None:
    """As behind an answer at the connect."""
    host = hangs(host_with(told(), ports={"p": False}), change=opens)
    no_answer(host)
    host.guests["web-1"].deaf.clear()
    host.run(ASK_AGAIN + 0.1)
    assert made(host) == [port("p", "open")]
    host.run(late)
    host.give(Happened(Event(PORT, "web-1", port("p", "open"))))
    host.run(1)
    assert len(host.outcomes()) == runs


@pytest.mark.parametrize(
    ("status", "name", "held", "then", "events"),
    [
        pytest.param(
            "io-error",
            ERROR,
            {"failed": {"a": "ok"}},
            {"failed": {"a": "failed"}},
            [BARE],
            id="a disk",
        ),
        pytest.param(
            "running",
            ERROR,
            {"failed": {"a": "ok"}},
            {"failed": {"a": "failed"}},
            [io_error("a")],
            id="a disk of which the state said nothing",
        ),
        pytest.param(
            "postmigrate",
            "MIGRATION",
            {"migration": "active"},
            {"migration": "completed"},
            [{"status": "completed"}],
            id="a migration",
        ),
    ],
)
def test_what_the_state_has_told_the_late_answer_does_not_tell_again(
    status: str,
    name: str,
    held: Mapping[str, object],
    then: Mapping[str, object],
    events: list[object],
) -> None:
    """The run state is known at the connect: its event is told then, with less in it."""

    def befalls(host: Host) -> None:
        host.guests["web-1"].status = status
        for member, value in then.items():
            setattr(holds(host), member, value)

    host = host_with(told(name, "mode: queued\n"), **held)
    hangs(host, change=befalls)
    answers(host)
    assert made(host, name) == events
    assert made(away(host).connect(), name) == []


def test_of_more_keys_than_are_kept_the_late_answer_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a snapshot would make things up; what was known before is of no worth any more."""
    monkeypatch.setattr("reactor.core.subjects.KEYS_MAX", 2)

    def more(host: Host) -> None:
        holds(host).ports = {"p": True, "q": True, "r": True}

    host = answers(hangs(host_with(told(), ports={"p": False, "q": False}), change=more))
    assert made(host) == []
    assert known(host) == {}


@pytest.mark.parametrize(
    ("change", "outcomes"),
    [
        pytest.param(opens, ["succeeded"], id="it opened"),
        pytest.param(nothing, [], id="it may still open"),
    ],
)
def test_a_wait_is_decided_by_the_late_answer(
    change: Callable[[Host], None], outcomes: list[str]
) -> None:
    """Until then it goes on: nobody knows better."""
    host = host_with(WAITS, ports={"p": False})
    host.event("web-1", "GO", {"n": 1})
    host.run(1)
    hangs(host, change=change)
    assert host.outcomes() == []
    answers(host)
    assert host.outcomes() == outcomes
