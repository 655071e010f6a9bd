"""What the unit takes away from the service is gone, and what it needs is there."""

import json
import re
from pathlib import Path

import pytest

from tests.service import howto
from tests.service.service import Service

ALLOWED = ("done", "done")
RESULTS = {
    "write the journal's folder": ALLOWED,
    "write the dumps": ALLOWED,
    "write /tmp": ALLOWED,
    "write in /var": ("done", "EROFS"),
    "write in /etc": ("done", "EROFS"),
    "write in /run": ("done", "EROFS"),
    "see what others have in /tmp": ("done", "ENOENT"),
    "look into home folders": ("done", "EACCES"),
    "start a program as root": ("as 0", "as reactor"),
    "set the set-uid bit": ("done", "EPERM"),
    "make a namespace": ("done", "EPERM"),
    "write and execute memory": ("done", "EPERM"),
    "talk to the kernel's network": ("done", "EAFNOSUPPORT"),
    "change its personality": ("done", "EPERM"),
    "change its scheduling": ("done", "EPERM"),
}
"""Of each attempt what came of it with the user alone, and under the unit."""


@pytest.fixture(scope="module")
def probed(installed: Service) -> tuple[dict[str, str], dict[str, str]]:
    """What the probe could do as the service's user, and as the service."""
    machine = installed.machine
    machine.shell(
        "install -d -m 1777 /var/open /etc/open /run/open; echo x > /tmp/others; "
        "install -m 4755 /usr/bin/id /var/open/id; chmod 0644 /tmp/others"
    )
    source = Path(__file__).with_name("probe.py").read_text(encoding="utf-8")
    machine.path("/opt/reactor/probe.py").write_text(source)
    start = "/opt/reactor/.venv/bin/python /opt/reactor/probe.py"
    again = f"\n[Service]\nType=oneshot\nRestart=no\nExecStart=\nExecStart={start}\n"
    alone = f"[Service]\nType=oneshot\nUser=reactor\nGroup=qmp\nExecStart={start}\n"
    results = []
    for name, text in (("probe-alone", alone), ("probe", howto.unit() + again)):
        machine.path(f"/etc/systemd/system/{name}.service").write_text(text)
        machine.call("systemctl", "daemon-reload")
        before = machine.now()
        machine.call("systemctl", "start", name)
        uid = machine.shell("id -u reactor").strip()
        (line,) = [line for line in machine.log(name, after=before) if line.startswith("{")]
        results.append(json.loads(line.replace(f'"as {uid}"', '"as reactor"')))
    machine.shell("rm -f /var/lib/reactor/probe /var/lib/reactor-dumps/probe")
    return results[0], results[1]


@pytest.mark.parametrize("attempt", RESULTS)
def test_the_unit_takes_away_what_the_user_alone_could_do(
    probed: tuple[dict[str, str], dict[str, str]], attempt: str
) -> None:
    """The same program, once with nothing but the unit's user, once under the unit."""
    assert tuple(result[attempt] for result in probed) == RESULTS[attempt]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("NoNewPrivs", "1", id="no program gives it more"),
        pytest.param("CapEff", "0000000000000000", id="no capability"),
        pytest.param("CapBnd", "0000000000000000", id="and never one"),
        pytest.param("Seccomp", "2", id="system calls are filtered"),
    ],
)
def test_the_kernel_knows_of_it(service: Service, key: str, value: str) -> None:
    """Of the daemon that serves, not of a probe."""
    assert service.kernel("status", key) == value


@pytest.mark.parametrize(
    ("limit", "values"),
    [
        pytest.param("Max open files", ["12000", "12000"], id="a monitor each"),
        pytest.param("Max core file size", ["0", "0"], id="no secrets on the disk"),
    ],
)
def test_its_limits_are_those_of_the_unit(service: Service, limit: str, values: list[str]) -> None:
    """Soft and hard."""
    assert service.kernel("limits", limit).split()[:2] == values


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("Type", "notify", id="it says when it is ready"),
        pytest.param("NotifyAccess", "main", id="and no program that it starts may"),
        pytest.param("WatchdogUSec", "30s", id="how long it may hang"),
        pytest.param("TimeoutStartUSec", "10min", id="how long a start may take"),
        pytest.param("TimeoutStopUSec", "30s", id="and a stop"),
        pytest.param("RestartUSec", "2s", id="when it is back"),
    ],
)
def test_systemd_understands_what_the_page_says(service: Service, key: str, value: str) -> None:
    """The times of its tables."""
    assert service.show(key) == value


def test_systemd_finds_nothing_wrong_with_it(service: Service) -> None:
    """The two lines of the page, and what it says of them."""
    verify, security = howto.commands("systemd-analyze").splitlines()
    verified = service.machine.call("sh", "-c", verify)
    assert (verified.stdout, verified.stderr) == ("", "")
    found = re.search(
        r"exposure level for reactor.service: ([\d.]+)", service.machine.shell(security)
    )
    assert found
    assert float(found[1]) <= howto.EXPOSURE
