"""A command in doubt is found out about, and the run goes on from there."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.doubts import PROBE_LIMIT
from reactor.core.policy import Limit, LimitScope
from tests.core.simulation import Host, document
from tests.core.test_panic_runbook import FREE

ALLOW = frozenset({"quit", "device_del", "device_add", "block-commit"})
CONFIG = EngineConfig(host="h1", allow=ALLOW)
RESET = document("p", "[{guest: reset}, {publish: went-on}]", more="mode: queued\n")
DUMP = document(
    "p",
    "[{guest: dump, to: 'x-${run.id}', format: elf}, {publish: went-on}]",
    more="mode: queued\n",
)
QUIET = frozenset(
    {"RESET", "RESUME", "STOP", "DUMP_COMPLETED", "SHUTDOWN", "DEVICE_DELETED", "WAKEUP"}
)
"""Events that QEMU sends while nobody listens."""


def raw(command: str, arguments: str = "{}", wait: str = "") -> str:
    """A policy that sends this command, and then says that it went on."""
    wait = f", wait: {{event: {wait}}}" if wait else ""
    return document("p", f"[{{qmp: {command}, args: {arguments}{wait}}}, {{publish: went-on}}]")


def until(host: Host, command: str) -> Host:
    """Let time pass until this command has gone out, and not a moment more."""
    for _ in range(200_000):
        if command in host.commands():
            return host
        host.run(0.0005)
    raise AssertionError(command)


def sent(text: str, command: str, status: str, *, arrives: bool, config: EngineConfig) -> Host:
    """A host whose guest was just sent this command; ``arrives``: it gets to QEMU."""
    host = Host([text], config=config)
    guest = host.guests["web-1"]
    guest.status = status
    guest.mute |= QUIET
    host.connect()
    if not arrives:
        guest.deaf.add(command)
    host.event("web-1", "GO", {"n": 1})
    until(host, command)
    guest.deaf.clear()
    return host


def killed(
    text: str,
    command: str,
    status: str = "running",
    *,
    arrives: bool = True,
    config: EngineConfig = CONFIG,
) -> Host:
    """The same, with the daemon killed before anything came back; not yet started again."""
    return sent(text, command, status, arrives=arrives, config=config)


def back(host: Host, seconds: float = 30.0) -> Host:
    """Start the daemon again; from now on QEMU's events are heard."""
    host.guests["web-1"].mute.clear()
    host.restart()
    return host.run(seconds)


def probed(host: Host) -> list[str]:
    """What the probes found, up to the colon."""
    return [trace.reason.partition(":")[0] for trace in host.traces("probed")]


@pytest.mark.parametrize(
    ("text", "status", "command", "arrives", "found", "commands", "after"),
    [
        pytest.param(
            RESET, "guest-panicked", "system_reset", True, "done",
            ["system_reset", "cont"], "running", id="reset: done, cont follows",
        ),
        pytest.param(
            RESET, "guest-panicked", "system_reset", False, "not done",
            ["system_reset", "system_reset", "cont"], "running", id="reset: not done",
        ),
        pytest.param(
            raw("system_reset"), "paused", "system_reset", True, "done",
            ["system_reset"], "prelaunch", id="raw reset: done",
        ),
        pytest.param(
            raw("cont"), "paused", "cont", True, "done", ["cont"], "running", id="cont: done",
        ),
        pytest.param(
            raw("cont"), "paused", "cont", False, "not done",
            ["cont", "cont"], "running", id="cont: not done",
        ),
        pytest.param(
            DUMP, "guest-panicked", "dump-guest-memory", True, "done",
            ["dump-guest-memory"], "guest-panicked", id="dump: done",
        ),
        pytest.param(
            DUMP, "guest-panicked", "dump-guest-memory", False, "not done",
            ["dump-guest-memory"] * 2, "guest-panicked", id="dump: not done",
        ),
        pytest.param(
            document("p", "[{guest: resume}, {publish: went-on}]"), "suspended", "system_wakeup",
            False, "not done", ["system_wakeup"] * 2, "running", id="wakeup: not done",
        ),
        pytest.param(
            document("p", "[{guest: start}, {publish: went-on}]"), "shutdown", "system_reset",
            True, "done", ["system_reset", "cont"], "running", id="start: its reset was done",
        ),
    ],
)  # fmt: skip
def test_a_run_goes_on_behind_a_kill(  # noqa: PLR0917 - a row of the table
    text: str,
    status: str,
    command: str,
    arrives: bool,
    found: str,
    commands: list[str],
    after: str,
) -> None:
    """Done is not done again, not done is sent again, and the steps that follow are done."""
    host = back(killed(text, command, status, arrives=arrives))
    assert probed(host) == [found]
    assert host.commands() == commands
    assert [topic for topic, _ in host.published()] == ["went-on"]
    assert host.outcomes() == ["succeeded"]
    assert host.guests["web-1"].status == after
    assert not host.guests["web-1"].died


def test_what_a_probe_found_is_in_the_trace_with_what_it_saw() -> None:
    """For `reactor runs show`."""
    host = back(killed(RESET, "system_reset", "guest-panicked"))
    (trace,) = host.traces("probed")
    assert trace.path == "steps/0"
    assert (
        trace.reason == "done: the guest was in guest-panicked, and only a reset leads to prelaunch"
    )
    assert trace.values == {
        "command": "system_reset",
        "before": "guest-panicked",
        "status": "prelaunch",
        "dump": "none",
        "doubt": "the daemon was restarted before the answer came",
    }


def test_a_guest_that_panicked_again_gets_a_run_of_its_own() -> None:
    """`cont` had been done: the first run ends, the new panic is dumped and reset like any."""
    host = Host([FREE], config=CONFIG).connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    until(host, "cont")
    guest.mute |= {"GUEST_PANICKED", "STOP"}
    guest.panic(host)
    host.run(0)
    guest.mute.clear()
    host.restart()
    host.run(120)
    assert probed(host) == ["different incident"]
    assert host.outcomes() == ["stopped", "succeeded"]
    assert (
        host.ended()[0].error
        == "cont was done, and the guest went on, and is in guest-panicked again"
    )
    assert [
        host.commands().count(name) for name in ("dump-guest-memory", "system_reset", "cont")
    ] == [2, 2, 2]
    assert guest.status == "running"


@pytest.mark.parametrize("mode", ["single", "queued"])
def test_a_panic_after_the_last_step_was_done_is_not_swallowed(mode: str) -> None:
    """The run that stands open is found out about first; then the panic is matched."""
    text = FREE.replace("mode: queued", f"mode: {mode}")
    assert f"mode: {mode}" in text
    host = Host([text], config=CONFIG).connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    until(host, "cont")
    guest.mute |= {"GUEST_PANICKED", "STOP", "RESUME"}
    guest.panic(host)
    host.run(0)
    guest.mute.clear()
    host.restart()
    host.run(120)
    assert host.outcomes() == ["stopped", "succeeded"]
    assert guest.status == "running"


def test_a_guest_that_was_let_go_and_panicked_unseen_is_seen_to() -> None:
    """Its status was last asked before the reset: the snapshot knows that a RESET came since."""
    host = Host([FREE], config=CONFIG).connect()
    guest = host.guests["web-1"]
    guest.panic(host)
    until(host, "system_reset")
    guest.deaf.add("query-status")
    until(host, "cont")
    host.run(0.002)
    assert host.outcomes() == ["succeeded"]
    guest.mute |= {"GUEST_PANICKED", "STOP", "RESUME"}
    guest.panic(host)
    host.run(0)
    guest.deaf.clear()
    guest.mute.clear()
    host.restart()
    host.run(120)
    assert host.outcomes() == ["succeeded", "succeeded"]
    assert guest.status == "running"


@pytest.mark.parametrize("arrives", [True, False])
def test_a_second_kill_in_the_midst_of_a_doubt_takes_nothing_from_its_time(arrives: bool) -> None:
    """While the daemon was down nobody could be asked, however long that was."""
    host = killed(RESET, "system_reset", "guest-panicked", arrives=arrives)
    host.restart(connect=False)
    host.run(1)
    assert probed(host) == []
    host.now += 3 * PROBE_LIMIT
    back(host)
    assert probed(host) == ["done" if arrives else "not done"]
    assert host.outcomes() == ["succeeded"]
    assert host.guests["web-1"].status == "running"


def test_time_in_which_the_engine_stood_still_is_not_counted() -> None:
    """A disk that was full, a host that slept: nobody could be asked meanwhile."""
    host = killed(RESET, "system_reset", "guest-panicked")
    host.restart(connect=False)
    host.run(1)
    host.now += 3 * PROBE_LIMIT
    host.run(0)
    host.connect()
    host.run(30)
    assert probed(host) == ["done"]
    assert host.outcomes() == ["succeeded"]


def test_a_monitor_that_stays_away_ends_the_search() -> None:
    """Five minutes after it began."""
    host = killed(RESET, "system_reset", "guest-panicked")
    host.restart(connect=False)
    host.run(PROBE_LIMIT - 1)
    assert probed(host) == []
    host.run(2)
    assert probed(host) == ["cannot be told"]
    assert host.outcomes() == ["unknown"]


@pytest.mark.parametrize("text", [RESET, DUMP])
def test_a_qemu_that_was_restarted_leaves_the_outcome_unknown(text: str) -> None:
    """What the command was about is gone."""
    command = "system_reset" if text is RESET else "dump-guest-memory"
    host = killed(text, command, "guest-panicked")
    host.guests["web-1"].epoch = "2-2"
    host.guests["web-1"].status = "running"
    back(host)
    assert probed(host) == ["different incident"]
    assert host.commands() == [command]
    (run,) = host.ended()
    assert run.outcome == "unknown"
    assert run.error == (
        f"{command}: outcome unknown, it was sent and the daemon was restarted before the "
        "answer came; QEMU was restarted since, what it is about is over"
    )


def test_a_dump_that_goes_on_is_waited_for() -> None:
    """Its DUMP_COMPLETED is still to come."""
    host = Host([DUMP], config=CONFIG)
    guest = host.guests["web-1"]
    guest.status, guest.dump_takes = "guest-panicked", 20.0
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    until(host, "dump-guest-memory")
    back(host, 10)
    assert (probed(host), host.outcomes()) == (["done"], [])
    host.run(20)
    assert (host.commands(), host.outcomes()) == (["dump-guest-memory"], ["succeeded"])


def test_a_dump_that_is_not_detached_is_waited_for_without_an_event() -> None:
    """The step sends no more than the command, and ends when the dump is over."""
    text = raw("dump-guest-memory", "{paging: false, protocol: 'file:/var/crash/x'}")
    host = Host([text], config=CONFIG)
    guest = host.guests["web-1"]
    guest.status, guest.dump_takes = "paused", 20.0
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    until(host, "dump-guest-memory")
    back(host, 10)
    assert host.published() == []
    host.run(20)
    assert (host.commands(), host.outcomes()) == (["dump-guest-memory"], ["succeeded"])


def test_a_command_that_was_not_done_gives_its_place_back() -> None:
    """The settings' limit counts what was done, not what was tried."""
    limits = {"reset": (Limit(1, 3600.0, LimitScope.GUEST, "1 per 1h per guest"),)}
    config = EngineConfig(host="h1", limits=limits)
    host = back(killed(RESET, "system_reset", "guest-panicked", arrives=False, config=config))
    assert host.outcomes() == ["succeeded"]
