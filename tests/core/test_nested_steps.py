"""Steps that hold steps: choose, repeat, parallel; what a failure inside means outside."""

import itertools

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Log, RunChanged
from reactor.core.policy import Limit, LimitScope, Policy
from reactor.core.steps import (
    AgentStep,
    DelayStep,
    FailStep,
    GuestDump,
    RunbookStep,
    Step,
    StopStep,
)
from tests.core.built import (
    CONTINUE,
    check,
    choose,
    fail,
    fails,
    log,
    options,
    parallel,
    repeat,
    sends,
    with_steps,
)
from tests.core.simulation import Host

REFUSED = "refused: quit is not in the settings' qmp.allow"


def play(policy: Policy, seconds: float = 100.0) -> Host:
    """A host on which the policy ran once."""
    host = Host([policy]).connect()
    host.event("web-1", "GO", {"n": 1})
    return host.run(seconds)


def said(host: Host) -> list[str]:
    """The lines of the log steps, in order."""
    return [line.text for line in host.seen(Log) if isinstance(line, Log)]


@pytest.mark.parametrize(
    ("ways", "lines"),
    [
        pytest.param([("true", "a"), ("true", "b"), ("", "c")], ["a"], id="the first that holds"),
        pytest.param([("false", "a"), ("data.n == 1", "b"), ("", "c")], ["b"], id="the second"),
        pytest.param([("false", "a"), ("data.no == 1", "b"), ("", "c")], ["c"], id="default"),
        pytest.param([("false", "a")], [], id="none"),
    ],
)
def test_choose_takes_the_first_branch_that_holds(
    ways: list[tuple[str, str]], lines: list[str]
) -> None:
    """A condition that fails counts as false; no branch is no failure."""
    branches = [(when, [log(f"steps/0/choose/{text}", text)]) for when, text in ways]
    host = play(with_steps(choose("steps/0", *branches), log("steps/1", "after")))
    assert said(host) == [*lines, "after"]
    assert host.outcomes() == ["succeeded"]
    if not lines:
        assert host.traces("nothing to do")[-1].reason == "no branch holds"


def test_choose_says_why_a_branch_was_not_taken() -> None:
    """Each with its place in the policy, the condition and the values."""
    host = play(with_steps(choose("steps/0", ("data.n == 2", [log("x")]), ("", [log("y")]))))
    refused, taken = host.traces("not taken"), host.traces("taken")
    assert [(t.path, t.reason) for t in refused] == [
        ("steps/0/choose/0", "`data.n == 2` is false: data.n is 1")
    ]
    assert [(t.path, t.reason) for t in taken] == [("steps/0/choose/1", "default")]


def test_choose_asks_for_fresh_state() -> None:
    """A condition on the guest's status is never answered from memory."""
    policy = with_steps(
        sends("steps/0"),
        choose("steps/1", ('guest.status == "paused"', [log("a", "paused")])),
    )
    assert said(play(policy)) == ["paused"]


def test_a_failure_inside_fails_the_step_around_and_the_run() -> None:
    """The run says which step it was, the inner one."""
    host = play(with_steps(choose("steps/0", ("", [fails("steps/0/choose/0/steps/0")])), log("x")))
    ended = host.ended()[-1]
    assert (ended.outcome, ended.error, said(host)) == ("failed", REFUSED, [])
    assert [t.path for t in host.traces("failed")] == ["steps/0/choose/0/steps/0", "steps/0"]


def test_a_step_around_may_swallow_what_failed_inside() -> None:
    """``on_error: continue`` on the choose; the steps behind the failed one are left out."""
    inner: list[Step] = [fails("i/0"), log("i/1", "inner")]
    host = play(with_steps(choose("steps/0", ("", inner), on_error=CONTINUE), log("x", "after")))
    assert (said(host), host.outcomes()) == (["after"], ["succeeded"])


def test_a_step_around_is_tried_again_as_a_whole() -> None:
    """Three attempts of the choose are three of what is inside."""
    inner: list[Step] = [log("i/0", "again"), fails("i/1")]
    host = play(with_steps(choose("steps/0", ("", inner), retry=2)))
    assert (said(host), host.outcomes()) == (["again"] * 3, ["failed"])


def test_a_check_inside_ends_the_whole_run() -> None:
    """As skipped, whatever holds it."""
    inner: list[Step] = [check("i/0", "data.n == 2"), log("i/1")]
    host = play(with_steps(choose("steps/0", ("", [repeat("r", 3, inner)])), log("x")))
    assert (said(host), host.outcomes()) == ([], ["skipped"])


def test_the_timeout_of_a_step_around_ends_what_is_inside() -> None:
    """At its bound, and the run goes on where the step may fail."""
    inner: list[Step] = [DelayStep(options("i/0"), 60.0), log("i/1", "too late")]
    slow = choose("steps/0", ("", inner), timeout=5.0, on_error=CONTINUE)
    host = play(with_steps(slow, log("x", "after")))
    assert (said(host), host.outcomes()) == (["after"], ["succeeded"])
    assert "the step did not end within 5s" in host.reasons()
    times = [round(at - host.effects[0][0], 2) for at, e in host.effects if isinstance(e, Log)]
    assert times == [pytest.approx(5.1, abs=0.05)]


def test_the_timeout_of_the_inner_of_two_steps_around_ends_no_more_than_it() -> None:
    """The outer one, which has more time, goes on behind it."""
    within = choose("i/0", ("", [DelayStep(options("j/0"), 60.0)]), timeout=5.0, on_error=CONTINUE)
    slow = choose("steps/0", ("", [within, log("i/1", "still inside")]), timeout=30.0)
    host = play(with_steps(slow, log("x", "after")))
    assert (said(host), host.outcomes()) == (["still inside", "after"], ["succeeded"])


@pytest.mark.parametrize(
    ("times", "until", "inner", "lines", "outcome"),
    [
        pytest.param(3, "", "ok", 1, "succeeded", id="the first round succeeds"),
        pytest.param(3, "", "bad", 3, "failed", id="no round succeeds"),
        pytest.param(1, "", "bad", 1, "failed", id="one round only"),
        pytest.param(3, "true", "bad", 1, "succeeded", id="until holds whatever the steps did"),
        pytest.param(3, "false", "ok", 3, "failed", id="until never holds"),
        pytest.param(3, 'guest.status == "paused"', "stop", 1, "succeeded", id="fresh state"),
    ],
)
def test_repeat(times: int, until: str, inner: str, lines: int, outcome: str) -> None:
    """Without ``until`` until a round succeeds, with it until it holds after a round."""
    lasts: dict[str, Step] = {"ok": log("i/1"), "bad": fails("i/1"), "stop": sends("i/1")}
    steps = [log("i/0", "round"), lasts[inner]]
    host = play(with_steps(repeat("steps/0", times, steps, until)))
    assert said(host).count("round") == lines
    assert host.outcomes() == [outcome]


def test_a_round_that_goes_well_ends_the_repeat_whatever_went_before() -> None:
    """The failure of an earlier round is forgotten."""
    policy = with_steps(repeat("steps/0", 3, [log("i/0", "round"), sends("i/1", "balloon")]))
    host = Host([policy]).connect()
    failing = host.guests["web-1"].failing
    failing["balloon"] = "not now"
    host.at(5.0, failing.clear)
    host.event("web-1", "GO", {"n": 1})
    host.run(60.0)
    assert (said(host), host.outcomes()) == (["round", "round"], ["succeeded"])


def test_repeat_pauses_between_rounds_and_says_the_last_error() -> None:
    """Two pauses of 10 s between three rounds."""
    host = play(with_steps(repeat("steps/0", 3, [log("i/0", "r"), fails("i/1")])))
    times = [round(at - host.effects[0][0], 1) for at, e in host.effects if isinstance(e, Log)]
    assert times == [0.1, 10.1, 20.1]
    assert host.ended()[-1].error == f"3 rounds were not enough: {REFUSED}"


def test_branches_run_side_by_side() -> None:
    """Two waits of a minute take a minute."""
    host = play(
        with_steps(
            parallel(
                "steps/0",
                [DelayStep(options("a/0"), 60.0), log("a/1", "a")],
                [DelayStep(options("b/0"), 60.0), log("b/1", "b")],
            ),
            log("steps/1", "after"),
        ),
        61.0,
    )
    assert said(host) == ["a", "b", "after"]
    assert host.outcomes() == ["succeeded"]


def test_all_branches_run_to_their_end_before_the_step_fails() -> None:
    """With the first error in the order written, not in that of time."""
    host = play(
        with_steps(
            parallel(
                "steps/0",
                [DelayStep(options("a/0"), 20.0), fail("a/1", "late")],
                [fails("b/0")],
                [DelayStep(options("c/0"), 30.0), log("c/1", "c")],
                on_error=CONTINUE,
            ),
            log("steps/1", "after"),
        )
    )
    # `fail` ends the whole run, once all branches are at their end.
    assert (said(host), host.outcomes()) == (["c"], ["failed"])
    assert host.ended()[-1].error == "late"


UNKNOWN: list[Step] = [sends("a/0", "system_reset"), log("a/1", "never")]


@pytest.mark.parametrize(
    "around",
    [
        pytest.param({"timeout": 10.0, "retry": 2, "on_error": CONTINUE}, id="its own time"),
        pytest.param({"on_error": CONTINUE}, id="no time"),
    ],
)
@pytest.mark.parametrize("inside", ["nothing", "choose", "repeat"])
def test_an_unknown_outcome_of_a_branch_is_hidden_by_nothing(
    around: dict[str, object], inside: str
) -> None:
    """Not by the time of a step around, which passes meanwhile, and not by `continue`."""
    both = parallel("p", UNKNOWN, [DelayStep(options("b/0"), 30.0)], **around)
    step: Step = both
    if inside == "choose":
        step = choose("c", ("", [both]), timeout=15.0, on_error=CONTINUE)
    elif inside == "repeat":
        step = repeat("r", 3, [both], timeout=15.0, on_error=CONTINUE)
    host = Host([with_steps(step, log("x", "after"))]).connect()
    host.guests["web-1"].silent.add("system_reset")
    host.event("web-1", "GO", {"n": 1})
    host.run(300.0)
    assert (host.commands(), said(host)) == (["system_reset"], [])
    assert host.outcomes() == ["unknown"]


@pytest.mark.parametrize("first", [True, False])
def test_a_stop_in_any_branch_stops_the_run(first: bool) -> None:
    """Whichever stands first, and although another branch failed; the step is named."""
    stop: list[Step] = [StopStep(options("s", name="enough"), "enough")]
    bad: list[Step] = [fails("f")]
    branches = [stop, bad] if first else [bad, stop]
    host = play(with_steps(parallel("p", *branches, on_error=CONTINUE), log("x", "never")))
    assert (said(host), host.outcomes()) == ([], ["stopped"])


def test_a_fail_in_a_branch_is_named() -> None:
    """The handlers read which step it was."""
    inner = FailStep(options("i", name="inner"), "boo")
    policy = with_steps(
        parallel("p", [inner], [log("b")]), on_failure=[log("h", "${run.failed_step}")]
    )
    assert said(play(policy)) == ["done", "inner"]


def test_the_first_error_written_is_the_error() -> None:
    """Although the other came first."""
    host = play(
        with_steps(
            parallel(
                "steps/0",
                [DelayStep(options("a/0"), 20.0), sends("a/1", "dump-guest-memory")],
                [fails("b/0")],
            )
        )
    )
    assert host.outcomes() == ["failed"]
    assert "protocol" in host.ended()[-1].error or "dump" in host.ended()[-1].error


def test_branches_take_turns_at_the_guest() -> None:
    """One hand at a time also inside one run."""
    host = play(with_steps(parallel("steps/0", [sends("a/0")], [sends("b/0", "cont")])))
    assert host.commands() == ["stop", "cont"]
    assert host.outcomes() == ["succeeded"]


def test_the_world_is_told_of_one_run() -> None:
    """Branches have no name of their own outside: steps, roles and ids are the run's."""
    host = play(with_steps(parallel("steps/0", [sends("a/0")], [log("b/0")])))
    told = [e for e in host.seen(RunChanged) if isinstance(e, RunChanged)]
    assert {(e.run, e.role) for e in told} == {(host.ended()[-1].run, "run")}
    assert {e.step for e in told} >= {"a/0", "b/0"}
    assert {t.run for t in host.traces("begun")} == {host.ended()[-1].run}


def test_branches_take_turns_at_what_the_settings_limit() -> None:
    """A run that waits for its branches takes no place itself."""
    limit = Limit(1, None, LimitScope.HOST, "1 at once per host")
    dump = GuestDump(options("a/0"), "a", "elf"), GuestDump(options("b/0"), "b", "elf")
    policy = with_steps(parallel("steps/0", [dump[0]], [dump[1]]))
    host = Host([policy], config=EngineConfig(host="h1", limits={"dump": (limit,)})).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(60.0)
    assert host.commands() == ["dump-guest-memory"] * 2
    assert host.outcomes() == ["succeeded"]


def test_what_branches_saved_is_known_behind_them() -> None:
    """Under the names of both."""
    host = play(
        with_steps(
            parallel(
                "steps/0",
                [sends("a/0", "query-status", save="a")],
                [fails("b/0", save="b", on_error=CONTINUE)],
            ),
            log("steps/1", "${steps.a.result.status} ${steps.b.ok}"),
        )
    )
    assert said(host) == ["running false"]


def _asks(path: str, name: str) -> AgentStep:
    return AgentStep(options(path, save=name), "guest-ping", {})


@pytest.mark.parametrize(
    "second",
    [
        pytest.param([_asks("b/0", "b"), DelayStep(options("b/1"), 1.0)], id="beside a list"),
        pytest.param(
            [parallel("b/0", [_asks("b/0/0", "b"), DelayStep(options("b/0/1"), 1.0)], [log("c")])],
            id="beside lists in a list",
        ),
        pytest.param(
            [
                RunbookStep(options("b/0"), "inner", (_asks("b/0/0", "a"),), {}),
                _asks("b/1", "b"),
                DelayStep(options("b/2"), 1.0),
            ],
            id="beside a runbook that has the same name for its own",
        ),
    ],
)
def test_what_a_branch_saved_in_a_later_round_is_known_behind_it(second: list[Step]) -> None:
    """The other branch ends last, and knows only what was saved in the round before."""
    both = parallel("p", [_asks("a/0", "a")], second)
    rounds = repeat("steps/0", 2, [both], until="false", on_error=CONTINUE)
    text = "${steps.a.result.n < steps.b.result.n} ${steps.a.result.n}"
    host = Host([with_steps(rounds, log("steps/1", text))]).connect()
    numbers = itertools.count()
    host.answers["guest-ping"] = lambda: {"n": next(numbers)}
    host.event("web-1", "GO", {"n": 1})
    host.run(100.0)
    per_round = 3 if isinstance(second[0], RunbookStep) else 2
    assert said(host)[-1:] == [f"true {per_round}"]


def test_a_stop_in_a_branch_ends_the_run_when_the_others_are_done() -> None:
    """As stopped."""
    host = play(
        with_steps(
            parallel("steps/0", [StopStep(options("a/0"), "enough")], [log("b/0", "b")]),
            log("steps/1", "never"),
            finally_=[log("finally/0", "finally ${run.outcome}")],
        )
    )
    assert (said(host), host.outcomes()) == (["b", "finally stopped"], ["stopped"])


def test_the_runs_deadline_ends_all_branches() -> None:
    """Then on_failure, once."""
    policy = with_steps(
        parallel("steps/0", [DelayStep(options("a/0"), 1e6)], [DelayStep(options("b/0"), 1e6)]),
        on_failure=[log("on_failure/0", "${run.outcome}")],
    )
    host = play(policy, 3700.0)
    assert (said(host), host.outcomes()) == (["timed-out"], ["timed-out"])


@pytest.mark.parametrize("at", [0.0005, 0.0015, 0.2, 5.0, 10.5, 25.0])
def test_nested_steps_survive_a_restart(at: float) -> None:
    """Killed at any of these times, the run says and does all of it, to the end."""
    policy = with_steps(
        parallel(
            "steps/0",
            [
                repeat(
                    "a/0", 3, [DelayStep(options("a/0/0"), 1.0), fails("a/0/1")], on_error=CONTINUE
                )
            ],
            [choose("b/0", ("data.n == 1", [DelayStep(options("b/0/0"), 5.0), log("b/0/1", "b")]))],
        ),
        log("steps/1", "after"),
    )
    host = Host([policy]).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(at).restart().run(100.0)
    assert sorted(said(host)) == ["after", "b"]
    assert host.outcomes() == ["succeeded"]
    assert host.kept.keys() == {k for k in host.kept if k[0] != "run"}


def test_branches_of_a_policy_that_cannot_be_read_any_more_end_with_their_run() -> None:
    """As failed, once, and nothing of them is left."""
    policy = with_steps(parallel("steps/0", [DelayStep(options("a/0"), 60.0)], [log("b/0")]))
    host = Host([policy]).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(1.0)
    host.policies = []
    host.restart().run(1.0)
    assert host.outcomes() == ["failed"]
    assert [key for kind, key in host.kept if kind == "run"] == []
