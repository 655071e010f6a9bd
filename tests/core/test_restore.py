"""Killed at any moment, the engine goes on from what it kept."""

from dataclasses import replace

import msgspec
import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Effect, Execute, Keep, Log
from reactor.core.engine import Engine
from reactor.core.inputs import GuestKnown, Ticked
from tests.core.simulation import START, Host, document
from tests.core.test_panic_runbook import FREE


class _Killed(Exception):  # noqa: N818 - not an error: the end of a daemon
    """The daemon is gone, right after it kept what an input made."""


def _kill_after(host: Host, inputs: int) -> None:
    left = inputs

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _Killed

    host.after_each = count


def _panic_killed_after(inputs: int, takes: float) -> Host | None:
    """A panic whose daemon is killed after so many inputs; None when it was over before."""
    host = Host([FREE]).connect()
    guest = host.guests["web-1"]
    guest.dump_takes = takes
    guest.panic(host)
    _kill_after(host, inputs)
    try:
        host.run(60)
    except _Killed:
        host.after_each = lambda: None
        host.restart()
        return host.run(4000)
    return None


@pytest.mark.parametrize("takes", [0.0, 1.0], ids=["dumped at once", "dumped in a second"])
def test_a_panic_is_handled_or_reported_whenever_the_daemon_is_killed(takes: float) -> None:
    """After every single input: nothing is sent twice, the run ends well, the guest runs."""
    inputs = 0
    while (host := _panic_killed_after(inputs, takes)) is not None:
        inputs += 1
        commands = host.commands("web-1")
        for command in ("dump-guest-memory", "system_reset", "cont"):
            assert commands.count(command) <= 1, (inputs, commands)
        assert not host.guests["web-1"].died
        assert host.engine.world.runs == {}
        ended = {run.run: run for run in host.ended()}
        for run in ended.values():
            assert run.outcome == "succeeded", (inputs, run.error)
            assert host.guests["web-1"].status == "running"
        admitted = {trace.run for trace in host.traces("admitted")}
        assert set(ended) == admitted
    assert inputs > 20


@pytest.mark.parametrize(
    ("command", "outcome", "sent"),
    [
        pytest.param("stop", "succeeded", 2, id="idempotent: sent again"),
        pytest.param("system_powerdown", "unknown", 1, id="not idempotent: never again"),
        pytest.param("query-block", "succeeded", 2, id="a read"),
    ],
)
def test_a_command_in_flight_at_the_kill_is_in_doubt(command: str, outcome: str, sent: int) -> None:
    """Nobody knows what became of it."""
    host = Host([document("p", f"[{{qmp: {command}}}]")]).connect()
    host.guests["web-1"].deaf.add(command)
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    host.guests["web-1"].deaf.clear()
    host.restart()
    host.run(10)
    assert host.outcomes() == [outcome]
    assert len(host.times(command)) == sent


def test_a_question_about_a_path_is_asked_again() -> None:
    """It changes nothing."""
    host = Host([document("p", "[{guest: dump, to: x, format: elf}]")]).connect()
    host.deaf_paths = 1
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    host.restart()
    host.run(10)
    assert host.outcomes() == ["succeeded"]


def test_the_hand_and_its_line_are_kept() -> None:
    """Who held the guest holds it; who waited asks again."""
    texts = [
        document("p0", "[{qmp: stop, wait: {event: REACTOR_MARK_SET}}, {publish: p0}]"),
        document("p1", "[{qmp: stop}, {publish: p1}]"),
        document("m", "[{mark: {guest: self, as: x, reason: r}}]", trigger="{event: SIGN}"),
    ]
    host = Host(texts).connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    host.restart()
    host.run(5)
    assert host.commands() == ["stop"]
    host.event("web-1", "SIGN", {}, after=0)
    host.run(1)
    assert [topic for topic, _ in host.published()] == ["p0", "p1"]


def _restored(*rows: Keep) -> tuple[Engine, list[Effect]]:
    engine = Engine(EngineConfig(host="h1"), "abc123")
    engine.load([], START)
    return engine, engine.restore(rows, {}, START)


def test_rows_that_this_version_does_not_know_are_left_alone() -> None:
    """A later version wrote them; the operator is told."""
    _, effects = _restored(Keep("rumour", "web-1", b"{}"), Keep("mark", "x", None))
    (line,) = effects
    text = "the journal holds state of an unknown kind 'rumour'; it is left alone"
    assert line == Log("warning", text, title="engine says")


def test_a_guest_that_is_kept_is_known_before_the_settings_name_it() -> None:
    """Its epoch tells at the connect whether it is the same QEMU."""
    host = Host([]).connect()
    host.restart(connect=False)
    guest = host.engine.world.guests["web-1"]
    assert (guest.epoch, guest.status, guest.connected) == ("1-1", "disconnected", False)
    assert [row.kind for row in host.engine.snapshot()] == ["guest"]


def test_the_run_of_a_guest_that_is_gone_ends_and_leaves_nothing() -> None:
    """The settings no longer name it."""
    host = Host([document("p", "[{delay: 10s}, {publish: done}]")]).connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    rows = [Keep(k, key, v) for (k, key), v in host.kept.items() if k != "guest"]
    engine = Engine(host.config, "abc123")
    engine.load(host.policies, host.now)
    engine.restore(rows, {p.revision: p for p in host.policies}, host.now)
    assert list(engine.world.guests) == ["web-1"]
    deadline = engine.next_deadline()
    assert deadline is not None
    assert deadline == pytest.approx(START + 10.1)
    engine.handle(GuestKnown("web-2"), deadline)
    effects = engine.handle(Ticked(), deadline)
    assert [type(e).__name__ for e in effects].count("Publish") == 1
    assert list(engine.world.guests) == ["web-2"]


def test_a_policy_that_cannot_be_read_any_more_gives_its_place_to_the_next() -> None:
    """An orphan is no longer open: a new match of its key is not busy."""
    text = document("p", "[{delay: 10s}]")
    host = Host([text]).connect()
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    host.policies = [replace(host.policies[0], revision="other")]
    host.restart()
    host.event("web-1", "GO", {}, after=0)
    host.run(60)
    assert host.outcomes() == ["failed", "succeeded"]


def test_restored_windows_are_in_the_order_of_their_times() -> None:
    """A journal sorts its rows by key: "abc123-10" comes before "abc123-9"."""
    text = document("p", "[{log: x}]", more="limits: [3 per 1m per guest]\ncooldown: 15s\n")
    host = Host([text]).connect()
    for _ in range(8):
        host.event("web-1", "GO", {}, after=0)
        host.run(61)
    for _ in range(3):
        host.event("web-1", "GO", {}, after=0)
        host.run(16)
    host.restart()
    host.event("web-1", "GO", {}, after=0)
    host.run(13)
    assert len(host.ended()) == 11
    assert len(host.traces("limited")) == 1
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    assert len(host.ended()) == 12


def test_what_is_kept_of_a_run_says_nothing_of_open_questions() -> None:
    """They are asked again, under new numbers."""
    host = Host([document("p", '[{check: guest.status == "running"}]')]).connect()
    host.guests["web-1"].deaf.add("query-status")
    host.event("web-1", "GO", {}, after=0)
    host.run(1)
    host.guests["web-1"].deaf.clear()
    host.restart()
    host.run(5)
    ids = [e.id for e in host.seen(Execute) if isinstance(e, Execute)]
    assert len(ids) == len(set(ids)) == 2
    assert host.outcomes() == ["succeeded"]
    assert msgspec.json.decode(host.kept["number", "run"]) == 1
