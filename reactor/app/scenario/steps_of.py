"""The steps of a policy by the path that traces name them with."""

from collections.abc import Iterator
from dataclasses import dataclass

from reactor.core.policy import Policy
from reactor.core.program import verb_of
from reactor.core.steps import ChooseStep, ParallelStep, RepeatStep, RunbookStep, Step
from reactor.errors import Place
from reactor.policyfile.walking import sections


@dataclass(frozen=True, slots=True)
class Spot:
    """A step, or a way of a `choose` (``step`` None): what a test can reach.

    ``path`` is its path in traces of the policy; ``owner`` and ``own_path`` where its
    author finds it: in the policy, or in a runbook that the policy runs.
    """

    path: str
    owner: str
    own_path: str
    verb: str
    place: Place
    step: Step | None = None


def spots(policy: Policy) -> Iterator[Spot]:
    """Everything in the policy that a test can reach, in the order written."""
    for steps in sections(policy):
        yield from _steps(steps, policy.name, "")


def _steps(steps: tuple[Step, ...], owner: str, above: str) -> Iterator[Spot]:
    """The steps of one list; ``above`` begins the paths of those of a runbook."""
    for step in steps:
        options = step.options
        own = options.path.removeprefix(above)
        yield Spot(options.path, owner, own, verb_of(step), options.place, step)
        match step:
            case ChooseStep(_, branches):
                for branch in branches:
                    what = "default" if branch.when is None else f"when {branch.when.source}"
                    own = branch.path.removeprefix(above)
                    yield Spot(branch.path, owner, own, what, options.place)
                    yield from _steps(branch.steps, owner, above)
            case ParallelStep(_, lists):
                for inside in lists:
                    yield from _steps(inside, owner, above)
            case RepeatStep():
                yield from _steps(step.steps, owner, above)
            case RunbookStep(_, runbook):
                yield from _steps(step.steps, f"runbook {runbook}", f"{options.path}/run/")
            case _:
                pass
