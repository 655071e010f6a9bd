"""What the engine asks for is carried out in the simulated world: agents, webs, programs."""

import pytest

from tests.app.scenario.plays import ON_STOP, logged, verbs

_STOP = "timeline: [{at: 1s, event: WATCHDOG, data: {action: none}}]\n"


def _policy(step: str, shown: str) -> str:
    trigger = ON_STOP.replace("STOP", "WATCHDOG")
    first = f"{step[:-1]}, save: s, on_error: continue}}"
    return f"{trigger}steps:\n  - {first}\n  - {{log: '{shown}'}}\n"


@pytest.mark.parametrize(
    ("step", "simulate", "result"),
    [
        pytest.param("{agent: guest-ping}", "{}", "{}", id="agent"),
        pytest.param("{agent: guest-sync, args: {id: 7}}", "{}", "7", id="sync"),
        pytest.param("{agent: guest-fsfreeze-status}", "{}", "thawed", id="freeze status"),
        pytest.param("{agent: guest-fsfreeze-freeze}", "{}", "1", id="freeze"),
        pytest.param(
            "{agent: guest-get-host-name}",
            "{guest-get-host-name: {returns: {host-name: w}}}",
            '{"host-name":"w"}',
            id="as the test says",
        ),
        pytest.param(
            "{http: {url: 'http://pager/x'}}",
            "{}",
            '{"status":200,"body":"","json":null}',
            id="http",
        ),
        pytest.param(
            "{http: {url: 'http://pager/x', json: {a: 1}, expect: [201]}}",
            "{}",
            '{"status":201,"body":"","json":null}',
            id="http, as the step expects",
        ),
        pytest.param(
            "{http: {url: 'http://pager/x'}}",
            "{'http://pager/*': {returns: {json: {id: 5}}}}",
            '{"status":200,"body":"{\\"id\\":5}","json":{"id":5}}',
            id="http with a body",
        ),
        pytest.param(
            "{exec: [/usr/bin/page, now]}",
            "{}",
            '{"code":0,"stdout":"","stderr":""}',
            id="program",
        ),
        pytest.param(
            "{exec: [/usr/bin/page, now]}",
            "{/usr/bin/page: {returns: {stdout: sent}}}",
            '{"code":0,"stdout":"sent","stderr":""}',
            id="program that says something",
        ),
        pytest.param("{qmp: query-name}", "{}", "{}", id="query"),
    ],
)
def test_answers(step: str, simulate: str, result: str) -> None:
    """What a step saves is what the world answers."""
    policy = _policy(step, "${steps.s.result}")
    assert logged(policy, f"simulate: {simulate}\n{_STOP}")[0].partition(" g ")[2] == result


@pytest.mark.parametrize(
    ("step", "simulate", "error"),
    [
        pytest.param(
            "{agent: guest-ping}",
            "{guest-ping: {fails: disabled}}",
            "agent: guest-ping: GenericError: disabled",
            id="the agent refuses",
        ),
        pytest.param(
            "{http: {url: 'http://pager/x'}}",
            "{http: {returns: {status: 503, body: busy}}}",
            "http: Status: 503: busy",
            id="a status that is not expected",
        ),
        pytest.param(
            "{http: {url: 'http://pager/x'}}",
            "{GET http://pager/x: {returns: {status: 404}}}",
            "http: Status: 404",
            id="by method and URL",
        ),
        pytest.param(
            "{http: {url: 'http://pager/x'}}",
            "{http: {fails: no route}}",
            "http: Unreachable: http://pager/x: no route",
            id="unreachable",
        ),
        pytest.param(
            "{exec: [/usr/bin/page]}",
            "{exec: {returns: {code: 3, stderr: no modem}}}",
            "exec: /usr/bin/page: ExitCode: it ended with exit code 3: no modem",
            id="exit code",
        ),
        pytest.param(
            "{exec: [/usr/bin/page]}",
            "{exec: {returns: {code: 1}}}",
            "exec: /usr/bin/page: ExitCode: it ended with exit code 1",
            id="exit code without words",
        ),
        pytest.param(
            "{exec: [/usr/bin/page]}",
            "{exec: {fails: not found}}",
            "exec: /usr/bin/page: NotStarted: /usr/bin/page: not found",
            id="not started",
        ),
        pytest.param(
            "{qmp: query-name}",
            "{query-name: {fails: no}}",
            "query-name: GenericError: no",
            id="QEMU refuses",
        ),
    ],
)
def test_failures(step: str, simulate: str, error: str) -> None:
    """The step fails with the reason."""
    policy = _policy(step, "${steps.s.error}")
    assert logged(policy, f"simulate: {simulate}\n{_STOP}")[0].partition(" g ")[2] == error


@pytest.mark.parametrize(
    ("step", "name"),
    [
        pytest.param("{agent: guest-fsfreeze-freeze}", "guest-fsfreeze-freeze", id="agent"),
        pytest.param("{http: {method: POST, url: 'http://pager/x'}}", "http", id="http"),
        pytest.param("{exec: [/usr/bin/page]}", "exec", id="program"),
        pytest.param("{qmp: inject-nmi}", "inject-nmi", id="QEMU"),
    ],
)
def test_silence_is_an_unknown_outcome(step: str, name: str) -> None:
    """Nobody knows whether it was done: the run ends as unknown, at the step's own time."""
    policy = _policy(step[:-1] + ", timeout: 10s}", "x")
    found = verbs(policy, f"simulate: {{{name}: {{silent: true}}}}\n{_STOP}")
    assert found[-1].startswith("run: p  outcome: unknown")


@pytest.mark.parametrize(
    ("step", "name"),
    [
        pytest.param("{agent: guest-ping}", "guest-ping", id="agent"),
        pytest.param("{http: {url: 'http://pager/x'}}", "http", id="http"),
        pytest.param("{exec: [/usr/bin/page]}", "exec", id="program"),
        pytest.param("{qmp: query-name}", "query-name", id="QEMU"),
    ],
)
def test_answers_take_their_time(step: str, name: str) -> None:
    """So long, to the millisecond."""
    policy = _policy(step, "x")
    (line,) = logged(policy, f"simulate: {{{name}: {{takes: 20s}}}}\n{_STOP}")
    assert float(line.split()[0]) == pytest.approx(21.0, abs=0.02)


@pytest.mark.parametrize(
    ("guest", "error"),
    [
        pytest.param("{agent: false}", "the settings name no agent for g", id="no agent"),
        pytest.param(
            "{status: paused}",
            "the step did not end within 12s",
            id="a guest that stands still has none that answers",
        ),
    ],
)
def test_agents_that_are_not_there(guest: str, error: str) -> None:
    """What is not sent is tried again until the step's time is over."""
    policy = _policy("{agent: guest-ping, timeout: 12s}", "${steps.s.error}")
    test = f"guests: {{g: {guest}}}\n{_STOP}"
    assert logged(policy, test)[0].partition(" g ")[2] == error


@pytest.mark.parametrize(
    ("mode", "obeys", "told"),
    [
        pytest.param("reboot", "true", ["RESET"], id="reboot"),
        pytest.param("powerdown", "true", ["SHUTDOWN", "REACTOR_GUEST_LOST"], id="power down"),
        pytest.param("reboot", "false", [], id="it does not obey"),
    ],
)
def test_a_guest_that_is_asked_by_its_agent(mode: str, obeys: str, told: list[str]) -> None:
    """`guest-shutdown` is done some seconds later, or never."""
    step = f"{{agent: guest-shutdown, args: {{mode: {mode}}}}}"
    asks = ON_STOP.replace("STOP", "WATCHDOG") + f"steps: [{step}]\n"
    hears = "policy: q\ndescription: d\ntrigger: {event: [RESET, SHUTDOWN, REACTOR_GUEST_LOST]}\n"
    hears += "mode: parallel\nsteps: [{log: '${event.name}'}]\n"
    test = (
        "policies: [p, q]\nguests: {g: {no_shutdown: false}}\n"
        f"simulate: {{guest-shutdown: {{takes: 10s, obeys: {obeys}}}}}\n{_STOP}"
    )
    found = [line.split()[-1] for line in logged(f"{asks}---\n{hears}", test)]
    assert found[: len(told)] == told[: len(found)]
    assert bool(found) is bool(told)


def test_a_guest_that_stands_still_by_then_obeys_no_more() -> None:
    """Its agent had said yes."""
    asks = ON_STOP.replace("STOP", "WATCHDOG") + "steps: [{agent: guest-shutdown}]\n"
    test = (
        "timeline:\n"
        "  - {at: 1s, event: WATCHDOG, data: {action: none}}\n"
        "  - {at: 2s, event: STOP}\n"
    )
    assert verbs(asks, test)[-1] == "run: p  outcome: succeeded"


def test_events_follow_what_an_agent_did() -> None:
    """`then` is for its commands, too."""
    asks = ON_STOP.replace("STOP", "WATCHDOG") + (
        "steps: [{agent: guest-suspend-ram}, {wait: {event: SUSPEND}}, {log: x}]\n"
    )
    test = f"simulate: {{guest-suspend-ram: {{then: {{after: 2s, event: SUSPEND}}}}}}\n{_STOP}"
    assert logged(asks, test) == ["3.00 g x"]


def test_commands_in_flight_are_lost_with_the_monitor() -> None:
    """Their outcome is unknown; what comes while it is away waits for it."""
    policy = _policy("{qmp: inject-nmi, timeout: 1m}", "x")
    test = (
        "simulate: {inject-nmi: {takes: 10s}}\n"
        "timeline:\n"
        "  - {at: 1s, event: WATCHDOG, data: {action: none}}\n"
        "  - {at: 5s, disconnect: g}\n"
    )
    assert verbs(policy, test)[-1].startswith("run: p  outcome: unknown")


def test_answers_of_one_guest_are_used_up_by_that_guest() -> None:
    """`simulate` of a guest goes before that of the test; `times` counts for each guest."""
    policy = (
        ON_STOP.replace("STOP", "WATCHDOG").replace("trigger", "mode: queued\ntrigger")
        + "steps: [{qmp: query-name, on_error: continue, save: s}, {log: '${steps.s.ok}'}]\n"
    )
    test = (
        "guests: {a: {}, b: {}, c: {simulate: {query-name: {returns: {name: c}}}}}\n"
        "simulate: {query-name: {fails: no, times: 1}}\n"
        "timeline:\n"
        + "".join(
            f"  - {{at: {at}s, event: WATCHDOG, guest: {guest}, data: {{action: none}}}}\n"
            for at, guest in ((1, "a"), (1, "b"), (1, "c"), (5, "a"))
        )
    )
    found = sorted(line.partition(" ")[2] for line in logged(policy, test))
    assert found == ["a false", "a true", "b false", "c true"]
