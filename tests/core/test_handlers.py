"""on_failure, finally, on_limit: what they see, and that they never change an outcome."""

import pytest

from reactor.core.effect import RunChanged
from tests.core.simulation import START, Host, document


def _host(steps: str = "[{fail: broken}]", more: str = "") -> Host:
    return Host([document("p", steps, more=more)]).connect()


def _go(host: Host, seconds: float = 1000, **data: object) -> Host:
    host.event("web-1", "GO", data, after=0)
    return host.run(seconds)


def _topics(host: Host) -> list[str]:
    return [topic for topic, _ in host.published()]


SAYS = (
    "on_failure: [{publish: f, payload: '${run.outcome}/${run.failed_step}/${run.error}'}]\n"
    "finally: [{publish: l, payload: '${run.outcome}/${run.failed_step}/${run.error}'}]\n"
)


@pytest.mark.parametrize(
    ("steps", "more", "said"),
    [
        pytest.param("[{log: x}]", "", [("l", "succeeded//")], id="succeeded"),
        pytest.param(
            "[{fail: broken, name: second}]",
            "",
            [("f", "failed/second/broken"), ("l", "failed/second/broken")],
            id="failed",
        ),
        pytest.param("[{stop: enough}]", "", [("l", "stopped//enough")], id="stopped"),
        pytest.param(
            "[{check: data.n == 2}]",
            "",
            [("l", "skipped//check is false: data.n is 1")],
            id="skipped",
        ),
        pytest.param(
            "[{delay: 1h}]",
            "timeout: 5s\n",
            [
                ("f", "timed-out/steps/0/the run did not end within 5s"),
                ("l", "timed-out/steps/0/the run did not end within 5s"),
            ],
            id="timed out",
        ),
        pytest.param(
            "[{log: x}]",
            "vars: {x: '${data.gone}'}\n",
            [("f", None), ("l", None)],
            id="failed before its first step",
        ),
    ],
)
def test_which_handlers_run_and_what_they_see(
    steps: str, more: str, said: list[tuple[str, str | None]]
) -> None:
    """on_failure after a failure only, finally always and last."""
    host = _go(_host(steps, more + SAYS), n=1)
    assert _topics(host) == [topic for topic, _ in said]
    for (_, payload), (_, expected) in zip(host.published(), said, strict=True):
        assert payload == expected or (
            expected is None and str(payload).startswith("failed/vars/x/")
        )


@pytest.mark.parametrize("section", ["on_failure", "finally"])
@pytest.mark.parametrize(
    ("first", "topics"),
    [
        pytest.param("{fail: f}", [], id="fail ends the handler"),
        pytest.param("{stop: s}", [], id="stop ends the handler"),
        pytest.param("{check: 1 == 2}", [], id="check ends the handler"),
        pytest.param("{qmp: stop}", ["next"], id="a failed step does not"),
        pytest.param("{qmp: stop, on_error: fail}", [], id="with on_error: fail it does"),
        pytest.param("{publish: '${\"/\"}'}", ["next"], id="a publish that cannot be"),
    ],
)
def test_a_handler_that_ends_ends_nothing_else(section: str, first: str, topics: list[str]) -> None:
    """The run's outcome and error stay, and `finally` comes after `on_failure`."""
    more = f"{section}: [{first}, {{publish: next}}]\n"
    if section == "on_failure":
        more += "finally: [{publish: last}]\n"
        topics = [*topics, "last"]
    host = _host(more=more)
    host.guests["web-1"].failing["stop"] = "no"
    _go(host)
    assert _topics(host) == topics
    assert [(run.outcome, run.error) for run in host.ended()] == [("failed", "broken")]


def test_finally_that_fails_leaves_a_run_succeeded_without_an_error() -> None:
    """What failed stands in the trace."""
    host = _host("[{log: x}]", "finally: [{qmp: stop, on_error: fail}]\n")
    host.guests["web-1"].failing["stop"] = "no"
    _go(host)
    assert [(run.outcome, run.error) for run in host.ended()] == [("succeeded", "")]
    assert [(t.path, t.reason) for t in host.traces("failed")] == [
        ("finally/0", "stop: GenericError: no")
    ]
    assert host.events("REACTOR_RUN_FAILED") == []


def test_an_unknown_outcome_in_a_handler_does_not_stop_the_handler() -> None:
    """The next step tells people."""
    host = _host(more="on_failure: [{qmp: system_powerdown}, {publish: told}]\n")
    host.guests["web-1"].silent.add("system_powerdown")
    _go(host)
    assert _topics(host) == ["told"]
    assert host.outcomes() == ["failed"]
    assert len(host.traces("outcome unknown")) == 1


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        pytest.param("{delay: 1h}", 300, id="five minutes"),
        pytest.param("{wait: {event: NEVER}, timeout: 10m}", 600, id="a step's longer timeout"),
        pytest.param("{delay: 1h, timeout: 1m}", 60, id="a step's shorter timeout"),
    ],
)
def test_a_handler_has_its_own_deadline(step: str, seconds: float) -> None:
    """Each handler anew; then the next one follows."""
    host = _host(more=f"on_failure: [{step}]\nfinally: [{{publish: last}}]\n")
    _go(host)
    assert _topics(host) == ["last"]
    (run,) = host.ended()
    assert run.ended is not None
    assert run.ended - START == pytest.approx(0.1 + seconds)
    assert (run.outcome, run.error) == ("failed", "broken")


def test_templates_in_handlers_never_fail() -> None:
    """People must be told even when a detail is missing."""
    more = "on_failure: [{mark: {disk: '${data.gone}', as: bad, reason: '${data.why}'}}]\n"
    host = _go(_host(more=more))
    (mark,) = host.engine.world.marks
    assert mark.id.startswith("<error: ")
    assert mark.reason.startswith("<error: ")


def test_a_handler_goes_on_after_a_restart() -> None:
    """And what was done before is not done again."""
    host = _host(more="on_failure: [{publish: one}, {delay: 1m}, {publish: two}]\n")
    _go(host, 30)
    host.restart()
    host.run(31)
    assert _topics(host) == ["one", "two"]
    assert host.outcomes() == ["failed"]


def test_the_deadline_of_the_run_does_not_cut_its_handlers() -> None:
    """They have their own."""
    more = "timeout: 5s\non_failure: [{delay: 1m}, {publish: told}]\n"
    assert _topics(_go(_host("[{delay: 1h}]", more))) == ["told"]


LIMITED = "limits: [1 per 1h per guest]\n"


@pytest.mark.parametrize(
    ("handler", "outcome", "error"),
    [
        pytest.param("[{publish: told}]", "succeeded", "", id="done"),
        pytest.param("[{stop: x}]", "succeeded", "", id="stopped"),
        pytest.param("[{qmp: stop}]", "succeeded", "", id="a step failed, the handler went on"),
        pytest.param(
            "[{qmp: stop, on_error: fail}]", "failed", "stop: GenericError: no", id="failed"
        ),
        pytest.param(
            "[{delay: 1h}]", "failed", "the handler did not end in its time", id="took too long"
        ),
    ],
)
def test_on_limit_is_a_run_of_its_own(handler: str, outcome: str, error: str) -> None:
    """With its role, its outcome, and the match that was refused in its templates."""
    host = _host("[{log: x}]", f"{LIMITED}on_limit: {handler}\n")
    host.guests["web-1"].failing["stop"] = "no"
    _go(host, 1)
    _go(host)
    told = [e for e in host.seen(RunChanged) if isinstance(e, RunChanged) and e.role == "on_limit"]
    assert (told[-1].outcome, told[-1].error) == (outcome, error)
    assert host.ended()[0].outcome == "succeeded"


def test_on_limit_goes_on_after_a_restart() -> None:
    """Like every handler."""
    host = _host("[{log: x}]", LIMITED + "on_limit: [{delay: 1m}, {publish: told}]\n")
    _go(host, 1)
    _go(host, 10)
    host.restart()
    host.run(60)
    assert _topics(host) == ["told"]


def test_audit_runs_no_on_limit() -> None:
    """But it says that it was limited."""
    more = "enforcement: audit\nvars: {x: '${data.n}'}\n" + LIMITED
    host = _host("[{publish: 'x/${vars.x}'}]", more + "on_limit: [{publish: told}]\n")
    _go(host, 1, n=7)
    _go(host, 1, n=7)
    assert host.published() == []
    assert host.outcomes() == ["would run"]
    assert len(host.events("REACTOR_RUN_LIMITED")) == 1
    (trace,) = host.traces("would run")
    assert trace.reason == "publish"
    step = trace.values["step"]
    assert isinstance(step, dict)
    assert step["topic"] == "x/7"


@pytest.mark.parametrize(
    ("step", "described"),
    [
        pytest.param(
            "{wait: {event: [A, B], timeout: 1m}}", {"wait": ["A", "B"]}, id="an event wait"
        ),
        pytest.param(
            "{check: data.n == 7}", {"holds": "data.n == 7"}, id="a condition: its source"
        ),
        pytest.param("{qmp: stop}", {"command": "stop", "arguments": {}}, id="a command"),
    ],
)
def test_audit_tells_the_first_step_as_it_would_have_been(
    step: str, described: dict[str, object]
) -> None:
    """Rendered, where it holds templates."""
    host = _go(_host(f"[{step}]", "enforcement: audit\n"), n=7)
    (trace,) = host.traces("would run")
    assert trace.values["step"] == described
