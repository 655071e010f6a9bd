"""Calls that leave QEMU: the agent, web servers, programs."""

import itertools

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import CallAgent, CallHttp, Execute, Log, Publish, StartProgram
from reactor.core.inputs import Answered, Refusal
from reactor.core.steps import AgentStep, DelayStep, ExecStep, HttpStep, Step
from reactor.core.template import compile_tree
from tests.core.built import ANY, CONTINUE, log, options, parallel, with_steps
from tests.core.simulation import Host, document
from tests.core.test_nested_steps import said

PAGE = "/usr/local/bin/page"
CONFIG = EngineConfig(host="h1", exec_allow=frozenset({PAGE}))


def tree(value: object) -> object:
    """A value with templates."""
    return compile_tree(value, ANY, lambda _path, error: (_ for _ in ()).throw(error))


def agent(path: str, command: str, arguments: object = None, **more: object) -> AgentStep:
    """An agent step."""
    return AgentStep(options(path, **more), command, tree(arguments or {}))  # type: ignore[arg-type]


def http(path: str, method: str = "POST", **more: object) -> HttpStep:
    """A request."""
    return HttpStep(
        options(path, **more),
        method,
        tree("https://pager/${guest.name}"),  # type: ignore[arg-type]
        tree({"text": "${data.n}"}),  # type: ignore[arg-type]
        tree({"X-Key": "${data.n}"}),  # type: ignore[arg-type]
        (200, 202),
    )


def program(path: str, name: str = PAGE, **more: object) -> ExecStep:
    """A program."""
    return ExecStep(options(path, **more), name, tree(["--text", "${data.n}", "${data}"]))  # type: ignore[arg-type]


def play(*steps: Step, answers: dict[str, object] | None = None, seconds: float = 100.0) -> Host:
    """A host on which these steps ran once."""
    host = Host([with_steps(*steps)], config=CONFIG)
    host.answers = answers or {}
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    return host.run(seconds)


def test_the_agent_is_asked_and_its_answer_saved() -> None:
    """Arguments are rendered, the result is `steps.NAME.result`."""
    host = play(
        agent("steps/0", "guest-get-time", {"n": "${data.n}"}, save="t"),
        log("steps/1", "${steps.t.result.time} ${steps.t.ok}"),
        answers={"guest-get-time": {"time": 7}},
    )
    assert host.calls == [("guest-get-time", {"n": 1})]
    assert (said(host), host.outcomes()) == (["7 true"], ["succeeded"])


def test_a_guest_without_an_agent_fails_the_step() -> None:
    """Nothing is sent."""
    host = Host([with_steps(agent("steps/0", "guest-ping"))], config=CONFIG)
    host.guests["web-1"].has_agent = False
    host._name("web-1")  # noqa: SLF001 - names it again, as a reload of the settings does
    host.connect()
    host.event("web-1", "GO", {})
    host.run(1)
    assert host.calls == []
    assert host.ended()[-1].error == "the settings name no agent for web-1"


def test_a_web_server_gets_what_the_policy_says() -> None:
    """Method, address, headers and body; templates that fail stand as errors in them."""
    host = play(http("steps/0"))
    (request,) = host.seen(CallHttp)
    assert isinstance(request, CallHttp)
    assert (request.method, request.url) == ("POST", "https://pager/web-1")
    assert (request.json, request.has_body) == ({"text": 1}, True)
    assert (request.headers, request.expect) == ({"X-Key": "1"}, (200, 202))
    assert request.run == host.ended()[-1].run
    assert host.outcomes() == ["succeeded"]


def test_a_program_gets_its_words_as_texts() -> None:
    """Numbers and maps as JSON; never a shell."""
    host = play(program("steps/0"))
    (start,) = host.seen(StartProgram)
    assert isinstance(start, StartProgram)
    assert (start.program, start.arguments) == (PAGE, ("--text", "1", '{"n":1}'))


def test_a_program_that_is_not_allowed_is_not_started() -> None:
    """The settings name those that are."""
    host = play(program("steps/0", "/bin/rm"))
    assert host.calls == []
    assert host.ended()[-1].error == "refused: /bin/rm is not in the settings' exec.allow"


REFUSAL = Refusal("Status", "the server answered 500")


@pytest.mark.parametrize(
    ("step", "name", "verb"),
    [
        pytest.param(agent("s", "guest-get-time"), "guest-get-time", "agent: guest-get-time"),
        pytest.param(http("s"), "POST https://pager/web-1", "http"),
        pytest.param(program("s"), PAGE, f"exec: {PAGE}"),
    ],
)
def test_a_refusal_fails_the_step(step: Step, name: str, verb: str) -> None:
    """With its words."""
    host = play(step, answers={name: REFUSAL})
    assert host.outcomes() == ["failed"]
    assert host.ended()[-1].error == f"{verb}: Status: the server answered 500"


@pytest.mark.parametrize(
    ("step", "name", "calls", "outcome"),
    [
        pytest.param(agent("s", "guest-ping"), "guest-ping", 2, "succeeded", id="ping"),
        pytest.param(agent("s", "guest-exec"), "guest-exec", 1, "unknown", id="guest-exec"),
        pytest.param(http("s", "GET"), "GET https://pager/web-1", 2, "succeeded", id="GET"),
        pytest.param(http("s", "PUT"), "PUT https://pager/web-1", 2, "succeeded", id="PUT"),
        pytest.param(http("s"), "POST https://pager/web-1", 1, "unknown", id="POST"),
        pytest.param(program("s"), PAGE, 1, "unknown", id="program"),
    ],
)
def test_a_lost_answer(step: Step, name: str, calls: int, outcome: str) -> None:
    """Is asked for again only where twice does no more than once; never swallowed."""
    replies = itertools.chain(["the line was cut"], itertools.repeat({}))
    host = play(step, log("after"), answers={name: lambda: next(replies)})
    assert (len(host.calls), host.outcomes()) == (calls, [outcome])


def test_an_unknown_outcome_in_a_branch_is_the_runs() -> None:
    """Also where the step around would go on."""
    branches = parallel("steps/0", [http("a/0")], [log("b/0")], on_error=CONTINUE)
    host = play(branches, log("steps/1", "never"), answers={"POST https://pager/web-1": "cut"})
    assert (said(host), host.outcomes()) == (["done"], ["unknown"])


def test_what_was_not_sent_is_sent_again() -> None:
    """Nothing happened, so nothing can happen twice."""
    replies = itertools.chain([Answered("", unsent="the daemon is stopping")], itertools.repeat({}))
    host = play(http("s"), answers={"POST https://pager/web-1": lambda: next(replies)})
    assert (len(host.calls), host.outcomes()) == (2, ["succeeded"])


UNSENT = "it could not be sent within 1m"


@pytest.mark.parametrize(
    ("more", "before", "after", "error"),
    [
        pytest.param({}, 59.0, 62.0, f"agent: guest-ping: {UNSENT}", id="a minute"),
        pytest.param(
            {"timeout": 90.0}, 89.0, 91.0, "the step did not end within 1m30s", id="its own time"
        ),
    ],
)
def test_what_cannot_be_sent_is_given_up(
    more: dict[str, object], before: float, after: float, error: str
) -> None:
    """The operator reads it once, not four times a second."""
    away = {"guest-ping": lambda: Answered("", unsent="the agent is away")}
    host = play(agent("s", "guest-ping", **more), answers=dict(away), seconds=before)
    assert host.outcomes() == []
    host.run(after - before)
    assert host.ended()[-1].error == error
    assert len(host.traces("again")) == 1


def test_what_was_not_sent_waits_a_moment() -> None:
    """Also when something else wakes the run."""
    replies = itertools.chain([Answered("", unsent="stopping")], itertools.repeat({}))
    host = Host([with_steps(http("s"))], config=CONFIG)
    host.answers = {"POST https://pager/web-1": lambda: next(replies)}
    host.connect()
    host.event("web-1", "GO", {"n": 1}, after=0.0)
    host.run(0.05)
    host.disconnect("web-1")
    host.connect()
    assert len(host.calls) == 1
    host.run(1.0)
    assert (len(host.calls), host.outcomes()) == (2, ["succeeded"])


def test_a_call_that_is_in_doubt_after_a_restart() -> None:
    """A POST is not sent again: the run is unknown, on_failure tells people."""
    policy = with_steps(http("s"), on_failure=[log("on_failure/0", "${run.outcome}")])
    host = Host([policy], config=CONFIG).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(0.0015).restart().run(10)
    assert len(host.calls) == 1
    assert (said(host), host.outcomes()) == (["unknown"], ["unknown"])


def test_a_call_has_the_steps_time_or_a_minute() -> None:
    """Its deadline is the nearest one around it."""
    host = play(
        agent("a", "guest-ping"),
        agent("b", "guest-ping", timeout=5.0),
        parallel("p", [agent("c", "guest-ping")], [DelayStep(options("d"), 0.0)], timeout=7.0),
    )
    sent = [(at, e) for at, e in host.effects if isinstance(e, CallAgent)]
    assert [round(e.deadline - at, 3) for at, e in sent] == [60.0, 5.0, 7.0]


def test_a_call_in_flight_is_made_once_whatever_happens_meanwhile() -> None:
    """Events of the guest wake nobody into calling again."""
    host = Host([with_steps(http("s"))], config=CONFIG)
    host.answers = {"POST https://pager/web-1": Answered("")}
    host.connect()
    host.event("web-1", "GO", {"n": 1}, after=0.0)
    host.run(0.0)
    host.disconnect("web-1")
    host.connect()
    assert len(host.run(5.0).calls) == 1
    assert host.outcomes() == ["succeeded"]


def test_an_argument_without_a_value_fails_before_anything_is_sent() -> None:
    """A template that fails fails its step."""
    host = play(agent("s", "guest-exec", {"path": "${data.no}"}))
    assert (host.calls, host.outcomes()) == ([], ["failed"])


def test_an_agent_of_another_qemu_is_not_told_what_to_do() -> None:
    """What the run is about is over; a question may be asked all the same."""
    steps: list[Step] = [
        DelayStep(options("a"), 5.0),
        agent("b", "guest-ping"),
        agent("c", "guest-shutdown", {"mode": "halt"}),
    ]
    host = Host([with_steps(*steps)], config=CONFIG).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(1.0)
    host.disconnect("web-1")
    host.guests["web-1"].epoch = "2-2"
    host.connect()
    host.run(10.0)
    assert host.calls == [("guest-ping", {})]
    assert host.ended()[-1].error == (
        "refused: QEMU was restarted since this run began, what it is about is over"
    )


def test_effects_name_the_step_that_they_are_of() -> None:
    """Commands, calls, messages and lines do; what a guard asks is of no step."""
    host = play(
        agent("steps/0", "guest-ping"),
        http("steps/1"),
        program("steps/2"),
        parallel("steps/3", [log("steps/3/0/0", "x")], [agent("steps/3/1/0", "guest-ping")]),
    )
    told = [
        effect.step
        for effect in host.seen(CallAgent | CallHttp | StartProgram | Log)  # type: ignore[arg-type]
        if isinstance(effect, CallAgent | CallHttp | StartProgram | Log)
    ]
    assert told == ["steps/0", "steps/1", "steps/2", "steps/3/0/0", "steps/3/1/0"]
    written = document("p", "[{guest: dump}, {publish: t}]")
    host = Host([written]).connect()
    host.event("web-1", "GO", {})
    host.run(10)
    sent = [e for e in host.seen(Execute) if isinstance(e, Execute)]
    assert {e.step for e in sent if e.command.startswith("query-")} == {""}
    assert [e.step for e in sent if e.command == "dump-guest-memory"] == ["steps/0"]
    assert [e.step for e in host.seen(Publish) if isinstance(e, Publish)] == ["steps/1"]
