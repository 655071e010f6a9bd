"""What has to be compared over a break of a guest's monitor: what nobody needs is not asked."""

from collections.abc import Iterator

from reactor.core.awaited import Awaited
from reactor.core.matching import Selection, named
from reactor.core.ops import AwaitEvent
from reactor.core.run import Run
from reactor.core.subjects import SUBJECTS
from reactor.core.world import World


def compared(world: World, guest: str) -> tuple[str, ...]:
    """The subjects that are compared at the guest's connects, in their order.

    A loaded policy that selects the guest has a trigger or a step for an event of theirs,
    or an open run waits for one.
    """
    needed = compared_by(world, world.selections[guest])
    listeners = world.guests[guest].listeners
    if not listeners:
        return needed
    awaited = {name for run in listeners for name in _awaited_by(world, world.runs[run])}
    return tuple(name for name in SUBJECTS if name in awaited or name in needed)


def compared_by(world: World, selection: Selection) -> tuple[str, ...]:
    """The subjects that the policies of a selection need."""
    if selection.compared is None:
        selection.compared = tuple(_needed_by(world, selection))
    return selection.compared


def _needed_by(world: World, selection: Selection) -> Iterator[str]:
    awaited = Awaited()
    for policy in selection.policies:
        awaited.add(world.add_program(policy))
    for subject in SUBJECTS.values():
        if any(selection.plan(name) is not None or awaited.has(name) for name in subject.events):
            yield subject.name


def _awaited_by(world: World, run: Run) -> Iterator[str]:
    op = None if run.cursor.armed is None else world.program_of(run).ops[run.cursor.armed]
    awaited = op.wait.events if isinstance(op, AwaitEvent) else ()
    for subject in SUBJECTS.values():
        if any(named(name, awaited) for name in subject.events):
            yield subject.name
