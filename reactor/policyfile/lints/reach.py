"""Which steps are done for certain when all goes well."""

from collections.abc import Iterator

from reactor.core.steps import ChooseStep, FailStep, RunbookStep, StopStep
from reactor.errors import Place
from reactor.policyfile.walking import Located, Steps, lists_of


def certain(steps: Steps, place: Place | None = None) -> Iterator[Located]:
    """The steps that have no `if`, do not stand in a `choose`, nor behind the end of the run.

    Each stands before those inside of it. A `check` is among them: what stands
    behind it is certain where that holds.
    """
    for step in steps:
        if step.options.condition is not None:
            continue
        here = place or step.options.place
        yield Located(step, here)
        if isinstance(step, StopStep | FailStep):
            return
        below = here if isinstance(step, RunbookStep) else place
        for inside in () if isinstance(step, ChooseStep) else lists_of(step):
            yield from certain(inside, below)
