"""A runbook's steps in the place of a `run:` step: its params, its own names."""

import dataclasses

import pytest

from reactor.core.steps import DelayStep, ParamKind, RunbookStep, Step
from reactor.core.template import compile_tree
from tests.core.built import ANY, CONTINUE, choose, fails, log, options, sends, with_steps
from tests.core.simulation import Host
from tests.core.test_nested_steps import play, said


def runbook(
    path: str, *steps: Step, kinds: str = "", values: object = None, **more: object
) -> Step:
    """A `run:` step; ``kinds`` such as ``text=string``."""
    pairs = [pair.split("=") for pair in kinds.split()]
    return RunbookStep(
        options(path, **more),
        "rb",
        steps,
        compile_tree(values or {}, ANY, lambda _path, error: (_ for _ in ()).throw(error)),
        tuple((name, ParamKind(kind)) for name, kind in pairs),
    )


def test_params_are_rendered_where_the_runbook_is_called() -> None:
    """And are the same for all its steps."""
    host = play(
        with_steps(
            sends("steps/0", "query-status", save="s"),
            runbook(
                "steps/1",
                log("i/0", "${params.text} ${params.n}"),
                kinds="text=string n=integer",
                values={"text": "${steps.s.result.status}", "n": "${data.n}"},
            ),
        )
    )
    assert (said(host), host.outcomes()) == (["running 1"], ["succeeded"])


def test_a_runbook_keeps_its_results_to_itself() -> None:
    """What its steps save is known inside only; the same names may stand outside."""
    host = play(
        with_steps(
            sends("steps/0", "query-status", save="s"),
            runbook(
                "steps/1",
                fails("i/0", save="s", on_error=CONTINUE),
                log("i/1", "${steps.s.ok}"),
                save="r",
            ),
            log("steps/2", "${steps.s.ok} ${steps.r.ok}"),
        )
    )
    assert said(host) == ["false", "true true"]


def test_a_runbook_in_a_runbook() -> None:
    """The inner params hide the outer ones, until it is over."""
    inner = runbook("i/0", log("j/0", "${params.a}"), kinds="a=string", values={"a": "inner"})
    outer = runbook(
        "s/0", inner, log("i/1", "${params.a}"), kinds="a=string", values={"a": "outer"}
    )
    assert said(play(with_steps(outer))) == ["inner", "outer"]


@pytest.mark.parametrize(
    ("kind", "value", "ok"),
    [
        pytest.param("string", "x", True, id="string"),
        pytest.param("string", 1, False, id="string: number"),
        pytest.param("integer", 1, True, id="integer"),
        pytest.param("integer", 1.5, False, id="integer: fraction"),
        pytest.param("integer", True, False, id="integer: boolean"),
        pytest.param("number", 1.5, True, id="number"),
        pytest.param("number", 1, True, id="number: whole"),
        pytest.param("number", False, False, id="number: boolean"),
        pytest.param("boolean", False, True, id="boolean"),
        pytest.param("boolean", "no", False, id="boolean: text"),
        pytest.param("list", [1], True, id="list"),
        pytest.param("list", "x", False, id="list: text"),
        pytest.param("map", {"a": 1}, True, id="map"),
        pytest.param("map", [1], False, id="map: list"),
    ],
)
def test_a_param_has_its_type(kind: str, value: object, ok: bool) -> None:
    """A value that a template gave is looked at when the step begins."""
    host = play(with_steps(runbook("s", log("i/0"), kinds=f"p={kind}", values={"p": value})))
    assert host.outcomes() == ["succeeded" if ok else "failed"]
    if not ok:
        assert host.ended()[-1].error == f"run: rb: `p` must be a {kind}"


def test_a_param_that_cannot_be_rendered_fails_the_step() -> None:
    """Nothing inside begins."""
    values = {"p": "${data.no}"}
    host = play(with_steps(runbook("s", log("i/0"), kinds="p=string", values=values)))
    assert (said(host), host.outcomes()) == ([], ["failed"])


def test_a_runbook_that_fails_fails_its_step() -> None:
    """Retried as a whole, with fresh results of its own."""
    host = play(with_steps(runbook("s", log("i/0", "again"), fails("i/1"), retry=1)))
    assert (said(host), host.outcomes()) == (["again", "again"], ["failed"])
    assert host.ended()[-1].error == "refused: quit is not in the settings' qmp.allow"


@pytest.mark.parametrize("at", [0.0005, 0.002, 3.0, 6.0])
def test_a_runbook_survives_a_restart(at: float) -> None:
    """Its params and results come back."""
    steps: list[Step] = [
        sends("i/0", "query-status", save="s"),
        DelayStep(options("i/1"), 5.0),
        choose("i/2", ("true", [log("j", "${params.a} ${steps.s.result.status}")])),
    ]
    policy = with_steps(runbook("s", *steps, kinds="a=string", values={"a": "x"}))
    host = Host([policy]).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(at).restart().run(20.0)
    assert (said(host), host.outcomes()) == (["x running"], ["succeeded"])


@pytest.mark.parametrize(("value", "ok"), [("${data.n}", True), ("${data.n + 1}", False)])
def test_a_param_with_choices_is_one_of_them(value: str, ok: bool) -> None:
    """What a template gives is looked at when the step begins."""
    made = runbook("s", log("i/0"), kinds="p=integer", values={"p": value})
    assert isinstance(made, RunbookStep)
    host = play(with_steps(dataclasses.replace(made, choices=(("p", (1, 3)),))))
    assert host.outcomes() == ["succeeded" if ok else "failed"]
    if not ok:
        assert host.ended()[-1].error == "run: rb: `p` must be one of 1, 3"
