"""The simulated guest against what was measured on QEMU 7.2 and 11.1.3, cell by cell."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.app.scenario.qemu import Traits
from reactor.policyfile.policy_tests import Answering, Follow
from tests.app.scenario.guests import Bench

_FILE = Path(__file__).parents[2] / "golden" / "run-states.json"
_MATRIX = json.loads(_FILE.read_text("utf-8"))

_DUMP: dict[str, object] = {
    "paging": False,
    "protocol": "file:/tmp/x",
    "detach": True,
    "format": "elf",
}
_ARGUMENTS: dict[str, dict[str, object]] = {
    "dump-guest-memory": _DUMP,
    "migrate": {"uri": "exec:cat"},
}


def _cells() -> Iterator[object]:
    for version, states in _MATRIX.items():
        for state, commands in states.items():
            for command, cell in commands.items():
                name = f"{version} {state}: {command}"
                yield pytest.param(version, state, command, cell, id=name)


def _bench(version: str, state: str, cell: dict[str, object]) -> Bench:
    """A QEMU in that state, as the measurement brought it there."""
    failing_disk = Follow(0.0, "BLOCK_IO_ERROR", {"action": "stop", "operation": "read"})
    answers = {
        "dump-guest-memory": Answering(takes=0.3),
        "migrate": Answering(takes=30.0 if state == "migrating" else 0.2),
        "system_powerdown": Answering(obeys=False),
        "cont": Answering(then=(failing_disk,) if state == "io-error" else ()),
    }
    before = "running" if state.startswith(("dump of", "migrating")) else str(cell["before"])
    bench = Bench(before, Traits(version=version), answers)
    if state == "dump of paused":
        bench.command("stop")
    if state.startswith("dump of"):
        bench.command("dump-guest-memory", _DUMP)
    if state == "migrating":
        bench.command("migrate", {"uri": "exec:cat"})
    bench.names()
    return bench


def _without_firmware(names: list[str]) -> list[str]:
    """Several RESETs in a row are one: how many the firmware adds is a matter of time."""
    return [name for name, _ in itertools.groupby(names)]


@pytest.mark.parametrize(("version", "state", "command", "cell"), list(_cells()))
def test_a_command_in_a_state(
    version: str, state: str, command: str, cell: dict[str, object]
) -> None:
    """Reply, events in order and next state are those that the real QEMU gave."""
    bench = _bench(version, state, cell)
    reply = bench.command(command, _ARGUMENTS.get(command))
    if cell.get("died"):
        assert bench.ended == "QEMU was aborted (SIGABRT)"
        return
    bench.run(1.0)
    events = cell["events"]
    assert isinstance(events, list)
    assert (reply, _without_firmware(bench.names()), bench.qemu.status, bench.ended) == (
        cell["reply"],
        _without_firmware(events),
        cell["after"],
        "",
    )


@pytest.mark.parametrize(
    ("version", "resets"), [pytest.param("7.2", 3, id="7.2"), pytest.param("11.1.3", 2, id="11.1")]
)
def test_the_firmware_resets_a_running_guest_again(version: str, resets: int) -> None:
    """As often as the real machine did."""
    bench = Bench(traits=Traits(version=version))
    bench.command("system_reset")
    assert bench.run(1.0).names() == ["RESET"] * resets
    assert _MATRIX[version]["running"]["system_reset"]["events"] == ["RESET"] * resets


def test_the_firmware_of_a_stopped_guest_resets_when_it_runs() -> None:
    """Not before: processors that stand still do nothing."""
    bench = Bench("guest-panicked")
    bench.command("system_reset")
    assert bench.run(5.0).names() == ["RESET"]
    bench.command("cont")
    assert bench.run(1.0).names() == ["RESUME", "RESET", "RESET"]
