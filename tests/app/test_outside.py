"""The daemon whole: agents, web servers, programs and disks that its policies ask."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from reactor.app import daemon as module
from reactor.app.settings import Discovery, ExecSettings
from reactor.core.policy import Enforcement
from tests.app.house import FakeGuest, House
from tests.fakes.agent import SILENT, FakeAgent, Refuse
from tests.fakes.web import Server

pytestmark = pytest.mark.asyncio

PAGE = "/bin/sh"


@pytest_asyncio.fixture
async def agent(house: House, run: Path) -> AsyncIterator[FakeAgent]:
    """The agent of `web-1`; the settings say where all of them are, and allow a program."""
    house.settings = replace(
        house.settings,
        discoveries=(Discovery(f"{run}/*.sock", {}, f"{run}/{{name}}.agent"),),
        exec=ExecSettings(frozenset({PAGE})),
    )
    made = FakeAgent()
    await made.listen(f"{run}/web-1.agent")
    yield made
    await made.close()


def policy(steps: str, more: str = "") -> str:
    """A policy that answers WATCHDOG with these steps."""
    lines = "".join(f"  {line}\n" for line in steps.strip().splitlines())
    head = "policy: ask\ndescription: asks\ntrigger: {event: WATCHDOG}\n"
    return f"{head}{more}steps:\n{lines}"


async def ran(house: House, guest: FakeGuest) -> tuple[str, str]:
    """Outcome and error of the run that a WATCHDOG starts."""
    guest.event("WATCHDOG", {"action": "none"})
    await house.outcomes(1)
    (row,) = house.runs()
    return row.outcome, row.error


def asked(agent: FakeAgent) -> list[str]:
    """The commands that came, without those that only look whether an agent is there."""
    return [name for name in agent.names if name != "guest-ping"]


def intents(house: House) -> list[tuple[str, str]]:
    """Command and outcome of everything that the one run had announced, QMP aside."""
    reader = house.daemon.journal.reader
    (row,) = reader.runs(10)
    rows = [(row.command, end.outcome if end else "") for row, end in reader.intents(row.id)]
    return [(command, outcome) for command, outcome in rows if " " in command]


ALL = """
- agent: guest-get-host-name
  save: name
- http:
    method: POST
    url: "URL?token=s3cret"
    headers: {Authorization: Bearer s3cret}
    json: {name: '${steps.name.result["host-name"]}'}
  save: web
- exec:
    - /bin/sh
    - -c
    - echo "$1 $REACTOR_GUEST $REACTOR_POLICY $REACTOR_RUN"
    - sh
    - ${steps.web.result.json.method}
  save: told
- check: host.free("FOLDER") > 4096
- mark: {guest: self, as: asked, reason: "${steps.told.result.stdout}"}
"""


async def test_a_run_asks_everybody(house: House, agent: FakeAgent, tmp_path: Path) -> None:
    """Each answer is there for the next step, and the journal has it all but the secrets."""
    with Server() as server:
        text = ALL.replace("URL", server.url("/echo")).replace("FOLDER", str(tmp_path))
        guest = await house.policy(policy(text)).guest()
        await house.start("web-1")
        assert await ran(house, guest) == ("succeeded", "")
        (got,) = server.got
    assert json.loads(got.body) == {"name": "web-1"}
    assert got.headers["user-agent"].startswith("qemu-reactor/")
    (run,) = house.runs()
    (mark,) = house.daemon.engine.world.marks
    assert f"POST web-1 ask {run.id}" in repr(mark)
    assert asked(agent) == ["guest-get-host-name"]
    assert intents(house) == [
        ("agent guest-get-host-name", "done"),
        (f"http POST {server.url('/echo')}", "done"),
        ("exec /bin/sh", "done"),
    ]


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        pytest.param("- agent: guest-exec", "agent: guest-exec: CommandNotFound: ", id="agent"),
        pytest.param(
            "- http: {method: GET, url: URL/status/500}",
            "http: Status: 500 Internal Server Error",
            id="web service",
        ),
        pytest.param(
            "- http: {method: GET, url: 'URL/redirect/302?http://h/x'}",
            "http: Redirect: 302 Found leads to http://h/x",
            id="redirect",
        ),
        pytest.param(
            "- exec: [/bin/sh, -c, 'echo no paper >&2; exit 3']",
            "exec: /bin/sh: ExitCode: exit code 3: no paper",
            id="program",
        ),
        pytest.param(
            "- exec: [/bin/sh, -c, 'exec sleep 60']\n  timeout: 200ms",
            "exec: /bin/sh: Timeout: still running after 0.",
            id="program without end",
        ),
        pytest.param("- exec: [/bin/true]", "is not in the settings' exec.allow", id="forbidden"),
        pytest.param(
            '- check: host.free("/no/such") > 1', "of /no/such cannot be told", id="no such folder"
        ),
    ],
)
async def test_a_no_is_a_failure_with_its_reason(
    house: House, agent: FakeAgent, steps: str, error: str
) -> None:
    """In the words of who said it."""
    agent.answers["guest-exec"] = Refuse("it has been disabled", "CommandNotFound")
    with Server() as server:
        steps = steps.replace("URL", server.url(""))
        guest = await house.policy(policy(steps)).guest()
        await house.start("web-1")
        outcome, told = await ran(house, guest)
    assert outcome == "failed"
    assert error in told


async def test_a_retry_calls_again(house: House, agent: FakeAgent, tmp_path: Path) -> None:
    """As often as the policy says."""
    flag = tmp_path / "flag"
    script = f"'if [ -e {flag} ]; then exit 0; fi; : >{flag}; exit 1'"
    steps = f"- exec: [/bin/sh, -c, {script}]\n  retry: {{times: 1}}"
    guest = await house.policy(policy(steps)).guest()
    await house.start("web-1")
    assert await ran(house, guest) == ("succeeded", "")
    assert intents(house) == [("exec /bin/sh", "refused"), ("exec /bin/sh", "done")]
    assert asked(agent) == []


async def test_an_agent_that_is_not_there_yet_is_waited_for(house: House, agent: FakeAgent) -> None:
    """The guest boots: its command goes out when somebody answers, once."""
    agent.awake = False
    guest = await house.policy(policy("- agent: guest-ping\n  timeout: 30s")).guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    await house.until("it is asked", lambda: agent.clients > 0)
    agent.awake = True
    await house.outcomes(1)
    assert house.runs()[0].outcome == "succeeded"
    # Whether an agent answers at all is looked at too, once.
    assert agent.names.count("guest-ping") in {1, 2}


async def test_a_guest_without_an_agent_in_the_settings(house: House) -> None:
    """The step fails at once."""
    guest = await house.policy(policy("- agent: guest-ping")).guest()
    await house.start("web-1")
    outcome, error = await ran(house, guest)
    assert (outcome, "the settings name no agent for web-1" in error) == ("failed", True)


async def test_a_reboot_by_the_agent(house: House, agent: FakeAgent) -> None:
    """It is over when the guest has reset itself."""
    guest = await house.policy(policy("- guest: reboot")).guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    await house.until("it is sent", lambda: "guest-shutdown" in agent.names)
    guest.event("RESET", {"guest": True, "reason": "guest-reset"})
    await house.outcomes(1)
    assert house.runs()[0].outcome == "succeeded"
    sent = [command for command in agent.commands if command[0] != "guest-ping"]
    assert sent == [("guest-shutdown", {"mode": "reboot"})]


async def test_an_audit_calls_nobody(house: House, agent: FakeAgent, tmp_path: Path) -> None:
    """Nothing leaves the host."""
    house.settings = replace(house.settings, enforcement=Enforcement.AUDIT)
    with Server() as server:
        text = ALL.replace("URL", server.url("/echo")).replace("FOLDER", str(tmp_path))
        guest = await house.policy(policy(text)).guest()
        await house.start("web-1")
        guest.event("WATCHDOG", {"action": "none"})
        await house.until("it is seen", lambda: bool(house.history("event")))
        await house.rest()
        await house.stop()
        assert (server.got, agent.clients) == ([], 0)


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        pytest.param("guest-fstrim", "succeeded", id="a command that may be repeated"),
        pytest.param("guest-exec", "unknown", id="a command that may not"),
    ],
)
async def test_a_call_that_the_end_of_the_daemon_cut_off(
    house: House,
    agent: FakeAgent,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    outcome: str,
) -> None:
    """Its outcome is unknown at the next start: sent again only where that does no harm."""
    monkeypatch.setattr(module, "STOP_S", 0.05)
    agent.answers[command] = SILENT
    guest = await house.policy(policy(f"- agent: {command}")).guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    await house.until("it is sent", lambda: bool(asked(agent)))
    await house.stop()
    agent.answers[command] = {}
    await house.start("web-1")
    assert await house.outcomes(1) == [("ask", outcome)]
    assert asked(agent) == [command] * (2 if outcome == "succeeded" else 1)


async def test_a_program_that_the_end_of_the_daemon_cut_off(
    house: House, agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is ended, and not started again: nobody knows what it has done."""
    monkeypatch.setattr(module, "STOP_S", 0.05)
    started = tmp_path / "started"
    script = f"'echo once >>{started}; exec sleep 60'"
    guest = await house.policy(policy(f"- exec: [/bin/sh, -c, {script}]\n  timeout: 60s")).guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    await house.until("it runs", started.exists)
    await house.stop()
    await house.start("web-1")
    assert await house.outcomes(1) == [("ask", "unknown")]
    assert started.read_text() == "once\n"
    assert asked(agent) == []
