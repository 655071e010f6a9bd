"""Raw commands that make QEMU write a file stay in the dumps folder, allowed or not."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import RunChanged
from tests.core.simulation import Host

WRITES = ("pmemsave", "memsave", "screendump", "dump-skeys", "dumpdtb", "xen-save-devices-state")
CONFIG = EngineConfig(
    host="h1",
    allow=frozenset({*WRITES, "migrate"}),
    dumps_allow=frozenset({"/srv/shots/one.ppm"}),
)


def _host(command: str, filename: str) -> Host:
    text = (
        "policy: p\ndescription: d\ntrigger: {event: GO}\nsteps:\n"
        f"  - qmp: {command}\n    args: {{filename: '{filename}'}}\n"
    )
    host = Host([text], config=CONFIG).connect()
    host.event("web-1", "GO", {"n": "../../etc/x"})
    return host.run(10)


@pytest.mark.parametrize("command", WRITES)
@pytest.mark.parametrize("filename", ["/var/crash/x", "/var/crash/a/b", "/srv/shots/one.ppm"])
def test_a_file_in_its_place_is_written(command: str, filename: str) -> None:
    """In the folder, or named by dumps.allow."""
    assert _host(command, filename).commands() == [command]


@pytest.mark.parametrize(
    ("filename", "problem"),
    [
        pytest.param(
            "/etc/x",
            "the path /etc/x is outside dumps.folder (/var/crash) and dumps.allow",
            id="elsewhere",
        ),
        pytest.param(
            "/var/crash/${data.n}",
            "the path /etc/x is outside dumps.folder (/var/crash) and dumps.allow",
            id="what a guest chose",
        ),
        pytest.param(
            "/var/crash/a/../b",
            "write the path '/var/crash/a/../b' without `..`",
            id="elsewhere, where a link leads",
        ),
        pytest.param(
            "x", "the path 'x' must be absolute in a raw command", id="relative to QEMU's folder"
        ),
    ],
)
def test_a_file_elsewhere_is_refused(filename: str, problem: str) -> None:
    """Nothing is sent, and the reason names the place."""
    host = _host("pmemsave", filename)
    assert host.commands() == []
    ended = [e for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.ended]
    assert ended[-1].error == f"refused: pmemsave: {problem}"


def _migrated(args: str) -> Host:
    text = (
        "policy: p\ndescription: d\ntrigger: {event: GO}\nsteps:\n"
        f"  - qmp: migrate\n    args: {args}\n"
    )
    host = Host([text], config=CONFIG).connect()
    host.event("web-1", "GO", {"n": "x"})
    return host.run(10)


@pytest.mark.parametrize(
    ("args", "is_sent"),
    [
        pytest.param("{uri: 'file:/var/crash/x'}", True, id="in the folder"),
        pytest.param(
            "{uri: 'file:/var/crash/x,offset=0x10'}", True, id="somewhere in a file of it"
        ),
        pytest.param("{uri: 'file:/etc/x'}", False, id="elsewhere"),
        pytest.param("{uri: 'file:/var/crash/../etc/x,offset=1'}", False, id="elsewhere, by dots"),
        pytest.param("{uri: 'unix:/run/other'}", True, id="a socket"),
        pytest.param(
            "{channels: [{channel-type: main, addr: {transport: file, filename: /etc/x}}]}",
            False,
            id="elsewhere, by a channel",
        ),
        pytest.param(
            "{channels: [{channel-type: main, addr: {transport: file, filename: /var/crash/x}}]}",
            True,
            id="in the folder, by a channel",
        ),
        pytest.param("{channels: [odd]}", True, id="what QEMU itself refuses"),
    ],
)
def test_the_memory_of_a_guest_goes_to_no_file_elsewhere(args: str, *, is_sent: bool) -> None:
    """A migration to a file is a dump of another kind; `qmp.allow` does not open the whole host."""
    assert (_migrated(args).commands() == ["migrate"]) is is_sent
