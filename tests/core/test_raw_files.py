"""Raw commands that make QEMU write a file stay in the dumps folder, allowed or not."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import RunChanged
from tests.core.simulation import Host

CONFIG = EngineConfig(
    host="h1",
    allow=frozenset({"pmemsave", "memsave", "screendump"}),
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


@pytest.mark.parametrize("command", ["pmemsave", "memsave", "screendump"])
@pytest.mark.parametrize("filename", ["/var/crash/x", "/var/crash/a/../b", "/srv/shots/one.ppm"])
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
