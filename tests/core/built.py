"""Policies built from values, for what is easier said in Python than in YAML."""

import dataclasses
import itertools
from collections.abc import Sequence

from reactor.core.expr import ARM, HANDLERS, Expression, Names, compile_expression
from reactor.core.policy import Policy
from reactor.core.steps import (
    Branch,
    CheckStep,
    ChooseStep,
    FailStep,
    LogStep,
    OnError,
    ParallelStep,
    QmpStep,
    RepeatStep,
    Retry,
    Step,
    StepOptions,
)
from reactor.core.template import compile_template
from reactor.errors import Place
from tests.core.simulation import document, policy

ANY = Names("a test", (*HANDLERS.allowed, *ARM.allowed, "params"))
NOWHERE = Place("built")


def condition(source: str) -> Expression:
    """A condition that may use every name."""
    return compile_expression(source, condition=True, names=ANY)


def options(path: str, **more: object) -> StepOptions:
    """The options of a step; ``retry`` as a number of further attempts."""
    retry = more.pop("retry", None)
    again = None if retry is None else Retry(int(str(retry)), (1.0,))
    made = StepOptions(path, NOWHERE, retry=again)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def log(path: str, text: str = "done", **more: object) -> LogStep:
    """A step that cannot fail, and is seen."""
    return LogStep(options(path, **more), compile_template(text, ANY))


def fails(path: str, **more: object) -> QmpStep:
    """A step that the settings refuse."""
    return QmpStep(options(path, **more), "quit", {})


def sends(path: str, command: str = "stop", **more: object) -> QmpStep:
    """A raw command."""
    return QmpStep(options(path, **more), command, {})


def choose(path: str, *ways: tuple[str, Sequence[Step]], **more: object) -> ChooseStep:
    """A choose; an empty condition is the default."""
    branches = tuple(
        Branch(condition(when) if when else None, tuple(steps), f"{path}/choose/{place}")
        for place, (when, steps) in enumerate(ways)
    )
    return ChooseStep(options(path, **more), branches)


def repeat(
    path: str, times: int, steps: Sequence[Step], until: str = "", **more: object
) -> RepeatStep:
    """A repeat with pauses of 10 s."""
    return RepeatStep(
        options(path, **more), times, tuple(steps), (10.0,), condition(until) if until else None
    )


def parallel(path: str, *branches: Sequence[Step], **more: object) -> ParallelStep:
    """Branches side by side."""
    return ParallelStep(options(path, **more), tuple(map(tuple, branches)))


def check(path: str, source: str) -> CheckStep:
    """A check."""
    return CheckStep(options(path), condition(source))


def fail(path: str, text: str) -> FailStep:
    """A step that ends the run as failed."""
    return FailStep(options(path), text)


def with_steps(
    *steps: Step, on_failure: Sequence[Step] = (), finally_: Sequence[Step] = (), name: str = "p"
) -> Policy:
    """A policy of these steps, started by the event GO."""
    base = policy(document(name, "[{log: x}]"))
    revision = f"built-{next(_NUMBERS)}"
    return dataclasses.replace(
        base,
        steps=steps,
        on_failure=tuple(on_failure),
        finally_=tuple(finally_),
        revision=revision,
    )


_NUMBERS = itertools.count()
CONTINUE = OnError.CONTINUE
