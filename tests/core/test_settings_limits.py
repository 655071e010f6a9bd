"""Limits of the settings: over all policies, by the command that goes out."""

import itertools

from reactor.core.config import EngineConfig
from reactor.core.effect import Execute
from reactor.core.inputs import Answered
from reactor.core.policy import Limit, LimitScope
from tests.core.simulation import Host, document

PER_HOUR = Limit(1, 3600.0, LimitScope.GUEST, "1 per 1h per guest")
AT_ONCE = Limit(1, None, LimitScope.HOST, "1 at once per host")
AT_ONCE_GUEST = Limit(1, None, LimitScope.GUEST, "1 at once per guest")
DUMP = "{guest: dump, to: '${guest.name}-${run.id}', format: elf}"


def _host(
    *policies: str, guests: tuple[str, ...] = ("web-1",), **limits: tuple[Limit, ...]
) -> Host:
    config = EngineConfig(host="h1", limits=limits, allow=frozenset({"quit"}))
    return Host(policies, guests=guests, config=config).connect()


def _go(host: Host, seconds: float = 30, event: str = "GO") -> Host:
    for guest in host.guests:
        host.event(guest, event, {}, after=0)
    return host.run(seconds)


def _errors(host: Host) -> list[str]:
    return [run.error for run in host.ended()]


RESET = "refused: the settings' limit for reset is reached (1 per 1h per guest)"


def test_a_limit_counts_over_all_policies_and_raw_commands_too() -> None:
    """One reset an hour, whoever sends it."""
    verb = document("verb", "[{guest: reset}]")
    raw = document("raw", "[{qmp: system_reset}]", trigger="{event: RAW}")
    host = _host(verb, raw, reset=(PER_HOUR,))
    _go(_go(host), event="RAW")
    assert host.commands() == ["system_reset"]
    assert _errors(host) == ["", RESET]


def test_a_limit_survives_a_restart_and_its_rows_do_not_stay_for_ever() -> None:
    """The window is over after an hour, and the journal is as small as before."""
    host = _host(document("p", "[{guest: reset}]"), reset=(PER_HOUR,))
    _go(host)
    host.restart()
    assert _errors(_go(host)) == ["", RESET]
    for _ in range(5):
        host.run(3600)
        _go(host)
    assert host.commands().count("system_reset") == 6
    assert len([key for key in host.kept if key[0] == "command"]) == 1
    host.run(3600)
    host.restart()
    assert [key for key in host.kept if key[0] == "command"] == []


def test_restored_commands_are_in_the_order_of_their_times() -> None:
    """A journal sorts its rows by key: run 10 comes before run 9 there."""
    limit = Limit(3, 60.0, LimitScope.GUEST, "3 per 1m per guest")
    host = _host(document("p", "[{guest: reset}]"), reset=(limit,))
    for _ in range(8):
        _go(host, 61)
    for _ in range(3):
        _go(host, 16)
    host.restart()
    assert _errors(_go(host, 13))[-1].startswith("refused: the settings' limit")
    assert _errors(_go(host, 1))[-1] == ""


def test_rows_of_limits_that_the_settings_no_longer_have_are_dropped() -> None:
    """At the next start."""
    host = _host(document("p", "[{guest: reset}]"), reset=(PER_HOUR,))
    _go(host)
    host.config = EngineConfig(host="h1")
    host.restart()
    assert [key for key in host.kept if key[0] == "command"] == []
    assert _errors(_go(host)) == ["", ""]


def test_a_command_that_was_not_sent_does_not_count() -> None:
    """It is sent when the monitor is back, though the limit is one."""
    host = _host(document("p", "[{guest: reset}]"), reset=(PER_HOUR,))
    host.guests["web-1"].deaf.add("system_reset")
    _go(host, 0.05)
    (sent,) = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.changes]
    host.give(Answered(sent.id, unsent="the monitor is away"))
    assert [key for key in host.kept if key[0] == "command"] == []
    host.guests["web-1"].deaf.clear()
    host.run(10)
    assert _errors(host) == [""]
    assert host.commands() == ["system_reset", "system_reset"]


def test_a_dump_that_qemu_was_too_busy_for_counts_once() -> None:
    """`dump in process` is no dump of ours."""
    once = Limit(1, 3600.0, LimitScope.GUEST, "1 per 1h per guest")
    host = _host(document("p", f"[{DUMP}]"), dump=(once,))
    guest = host.guests["web-1"]
    guest.failing["dump-guest-memory"] = "There is a dump in process, please wait."
    _go(host, 2)
    assert host.commands().count("dump-guest-memory") > 1
    guest.failing.clear()
    host.run(30)
    assert _errors(host) == [""]


def test_a_command_that_qemu_refused_counts() -> None:
    """It went out."""
    host = _host(document("p", "[{guest: reset}]"), reset=(PER_HOUR,))
    host.guests["web-1"].failing["system_reset"] = "no"
    _go(_go(host))
    assert _errors(host) == ["system_reset: GenericError: no", RESET]


def test_dumps_of_one_host_take_turns() -> None:
    """They wait, which is no failure, and the trace says for what."""
    host = _host(document("p", f"[{DUMP}]"), guests=("web-1", "web-2", "web-3"), dump=(AT_ONCE,))
    for guest in host.guests.values():
        guest.status, guest.dump_takes = "paused", 10.0
    _go(host, 60)
    assert host.outcomes() == ["succeeded"] * 3
    begun = host.times("dump-guest-memory")
    assert all(late - early >= 10 for early, late in itertools.pairwise(begun))
    waiting = host.traces("waiting")
    assert [trace.reason for trace in waiting[:2]] == [
        "the settings' limit is 1 at once per host"
    ] * 2


def test_at_once_per_guest_lets_other_guests_go() -> None:
    """And one guest has one hand anyway."""
    host = _host(document("p", f"[{DUMP}]"), guests=("web-1", "web-2"), dump=(AT_ONCE_GUEST,))
    _go(host)
    first, second = host.times("dump-guest-memory")
    assert second - first < 1


def test_a_guard_is_asked_again_after_the_wait_for_a_slot() -> None:
    """The guest began to migrate away meanwhile: it is not reset."""
    host = _host(
        document("dumps", f"[{DUMP}]", more="guests: {name: web-1}\n"),
        document("resets", "[{guest: reset}]", more="guests: {name: web-2}\n"),
        document("also", "[{guest: reset}]", more="guests: {name: web-3}\n"),
        guests=("web-1", "web-2", "web-3"),
        reset=(AT_ONCE,),
    )
    host.guests["web-2"].mute.add("RESET")
    host.event("web-2", "GO", {}, after=0)
    host.run(1)
    host.event("web-3", "GO", {}, after=0)
    host.run(1)
    assert host.commands() == ["system_reset"]
    host.guests["web-3"].status = "postmigrate"
    host.event("web-2", "SHUTDOWN", {"reason": "host-signal"}, after=0)
    host.run(5)
    assert host.commands() == ["system_reset"]
    assert _errors(host)[-1] == "refused: a guest in postmigrate must not be reset"


def test_a_step_that_waits_for_a_slot_ends_at_its_timeout() -> None:
    """Waiting counts against the step's timeout."""
    dump = DUMP.replace("format: elf", "format: elf, timeout: 5s")
    host = _host(document("p", f"[{dump}]"), guests=("web-1", "web-2"), dump=(AT_ONCE,))
    for guest in host.guests.values():
        guest.status, guest.dump_takes = "paused", 4.9
    host.guests["web-1"].dump_takes = 60.0
    host.event("web-1", "GO", {}, after=0)
    host.run(0.5)
    host.event("web-2", "GO", {}, after=0)
    host.run(4)
    assert host.commands() == ["dump-guest-memory"]
    host.run(10)
    assert _errors(host)[0] == "the step did not end within 5s"


def test_destroy_is_limited_too() -> None:
    """`quit` counts as destroy, with the allow list on top."""
    limit = Limit(1, 3600.0, LimitScope.HOST, "1 per 1h per host")
    host = _host(document("p", "[{qmp: quit}]"), guests=("web-1", "web-2"), destroy=(limit,))
    _go(host)
    assert host.commands() == ["quit"]
    assert sorted(_errors(host)) == [
        "",
        "refused: the settings' limit for destroy is reached (1 per 1h per host)",
    ]


def test_a_quit_waits_for_its_slot_without_a_guard() -> None:
    """It has none, and goes when the other is over."""
    host = _host(
        document("p", "[{qmp: quit, wait: {event: SHUTDOWN, timeout: 10s}}]"),
        guests=("web-1", "web-2"),
        destroy=(AT_ONCE,),
    )
    host.guests["web-1"].quits = False
    _go(host, 1)
    assert host.commands() == ["quit"]
    host.event("web-1", "SHUTDOWN", {"reason": "host-qmp-quit"}, after=0)
    host.run(1)
    assert host.commands() == ["quit", "quit"]
