"""One hand at a time per guest, and none on a guest that an operator holds."""

from reactor.core.flow import BLOCK, NEXT, Flow
from reactor.core.holds import held
from reactor.core.run import Role, Run
from reactor.core.world import World


def take_hand(world: World, run: Run) -> Flow:
    """Lay the hand on the guest, or wait: for who has it now, for who holds the guest."""
    guest = world.guest_of(run)
    if reason := held(world, run.guest):
        return _held(world, run, reason)
    free = not guest.hand or guest.hand == run.id
    if run.role is Role.ARM and (arming := guest.arming.get(run.policy)):
        arming.in_line = not free
    if free:
        guest.hand = run.id
        run.cursor.holding = True
        return NEXT
    if run.id not in guest.line:
        guest.line.append(run.id)
        reason = f"run {world.runs[guest.hand].story} has its hand on the guest"
        world.trace(run, world.options_of(run).path, "waiting", reason)
    return BLOCK


def _held(world: World, run: Run, reason: str) -> Flow:
    """Wait for the operator; the end of the hold wakes the run."""
    cursor = run.cursor
    release(world, run)
    if not cursor.waited:
        cursor.waited = True
        world.trace(run, world.options_of(run).path, "waiting", reason)
    return BLOCK


def release(world: World, run: Run) -> None:
    """Give the guest's hand to the next in line, and stop listening."""
    guest = world.guest_of(run)
    guest.listeners.pop(run.id, None)
    guest.watchers.pop(run.id, None)
    if run.id in guest.line:
        guest.line.remove(run.id)
    run.cursor.holding = False
    if guest.hand != run.id:
        return
    guest.hand = ""
    guest.own.holder_sent = False
    if guest.line:
        guest.hand = guest.line.pop(0)
        world.wakeups.append(guest.hand)
    if any(arming.in_line for arming in guest.arming.values()):
        # Now, not in a minute: after a reset the next panic comes soon.
        world.timers.set(f"arm {guest.name}", world.now)
