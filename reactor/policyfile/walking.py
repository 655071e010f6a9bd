"""All steps of a policy, also those inside of other steps, in the order written."""

from collections.abc import Iterator
from typing import NamedTuple

from reactor.core.policy import Policy
from reactor.core.steps import ChooseStep, ParallelStep, RepeatStep, RunbookStep, Step
from reactor.errors import Place

Steps = tuple[Step, ...]


class Located(NamedTuple):
    """A step, and where its author finds it: of a runbook's the step that runs that."""

    step: Step
    place: Place


def sections(policy: Policy) -> tuple[Steps, ...]:
    """The lists of steps that a policy holds, `arm` first."""
    return (policy.arm, policy.steps, policy.on_failure, policy.on_limit, policy.finally_)


def lists_of(step: Step) -> Iterator[Steps]:
    """The lists of steps inside a step, those of its runbook included."""
    match step:
        case ChooseStep(_, branches):
            yield from (branch.steps for branch in branches)
        case ParallelStep(_, lists):
            yield from lists
        case RepeatStep() | RunbookStep():
            yield step.steps
        case _:
            pass


def every(steps: Steps, place: Place | None = None) -> Iterator[Located]:
    """Each step before those inside of it, runbooks included.

    Args:
        place: where all of them are found; each has its own place where it is None.
    """
    for step in steps:
        here = place or step.options.place
        yield Located(step, here)
        below = here if isinstance(step, RunbookStep) else place
        for inside in lists_of(step):
            yield from every(inside, below)


def is_of_runbook(step: Step) -> bool:
    """Whether a policy or runbook has the step from a runbook that it runs."""
    return "/run/" in step.options.path


def sequences(steps: Steps) -> Iterator[Steps]:
    """Every list of steps that are done one behind the other; not those of runbooks."""
    yield steps
    for step in steps:
        if not isinstance(step, RunbookStep):
            for inside in lists_of(step):
                yield from sequences(inside)
