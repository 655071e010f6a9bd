"""Whether anybody would miss an event: where not all can be taken in, the others go first."""

from reactor.core.catalog import RENAMED
from reactor.core.event import Event
from reactor.core.reception import STATUS_EVENTS
from reactor.core.subjects import told_by
from reactor.core.world import World


def matters(world: World, event: Event) -> bool:
    """Whether a policy may select the event, a step may wait for it, or it tells a guest's state.

    Asked while other inputs are still to be handled: a guest that is not known
    yet may be by then, and a wait that is not open yet counts as if it were.
    Nothing is changed by asking.
    """
    selection = world.selections.get(event.guest)
    if selection is None or event.name in STATUS_EVENTS or world.awaited.has(event.name):
        return True
    other = RENAMED.get(event.name)
    if other is not None and world.awaited.has(other.name):
        return True
    plan = selection.plan(event.name)
    if plan is not None and (plan.sequels is not None or plan.candidates(event)):
        return True
    # A snapshot that misses it would have the next connect tell of it.
    snapshots = world.guests[event.guest].facts.compared
    return any(subject.name in snapshots for subject in told_by(event.name))
