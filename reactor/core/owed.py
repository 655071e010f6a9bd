"""A step that is half done: what it has sent decides before any deadline or cancel does.

A guest that a step has reset stands in ``prelaunch`` until its ``cont``. Who leaves the
step there leaves a guest stopped for good, and no event ever tells of it.
"""

from reactor.core.facts import UNHEARD
from reactor.core.ops import Send
from reactor.core.run import Cursor, Run
from reactor.core.world import World

OWED_LIMIT = 300.0
"""Seconds for which a guest that was reset may yet be let go, whatever deadline passed."""

LATE = 1.0
"""Seconds by which a deadline is late when the engine has stood still, and was not just busy."""

SETTLE_GRACE = 30.0
"""Seconds a step has after a restart to find out what became of what it had sent."""


def owes(world: World, run: Run) -> bool:
    """Whether the step reset a guest that stood still, or may have, and has yet to let it go."""
    cursor, program = run.cursor, world.program_of(run)
    begin, end = program.enters[cursor.pc], program.enter_of(cursor.pc).end
    sends = [
        (pc, op)
        for pc, op in enumerate(program.ops[begin:end], begin)
        if isinstance(op, Send) and program.enters[pc] == begin and _is_meant(cursor, op)
    ]
    if len(sends) < 2 or not sends[-1][1].completes:
        return False
    first, last = sends[0][0], sends[-1][0]
    was_sent = cursor.pc > first or bool(cursor.sent) or cursor.doubt is not None
    return first <= cursor.pc <= last and was_sent


def _is_meant(cursor: Cursor, op: Send) -> bool:
    return op.only_after is None or cursor.before in op.only_after


def is_spared(world: World, run: Run) -> bool:
    """Whether no deadline may cut the step short now; for how long is kept in the run."""
    cursor = run.cursor
    if cursor.spared is None and owes(world, run):
        cursor.spared = world.now + OWED_LIMIT
        world.touch(run)
        reason = "the guest was reset, and is let go before the step may end"
        world.trace(run, world.options_of(run).path, "waiting", reason)
    return cursor.spared is not None and world.now < cursor.spared


def stood_still(world: World, until: float) -> None:
    """Take out the time in which nobody could let a guest go: the disk was full.

    Args:
        until: the time of the next input; ``world.now`` is that of the one before.
    """
    due = world.timers.next()
    if due is None or until < due + LATE:
        return
    for run in world.runs.values():
        if run.cursor.spared is not None:
            # Since when it stood still nobody knows: at the latest since the input before.
            run.cursor.spared += until - world.now
            world.touch(run)


def spare_after_restart(world: World, run: Run) -> None:
    """Give a step that had sent or awaited something the time to find out about it."""
    cursor = run.cursor
    if cursor.intent is None and cursor.armed is None:
        return
    cursor.spared = world.now + (OWED_LIMIT if owes(world, run) else SETTLE_GRACE)
    if cursor.limit is not None and cursor.armed == cursor.pc:
        cursor.limit = max(cursor.limit, cursor.spared)


def half_done(world: World, run: Run) -> str:
    """What to say of a step that is given up between a reset and its ``cont``, or unheard."""
    if run.cursor.unheard is not None:
        return f"; {UNHEARD}"
    if not owes(world, run):
        return ""
    left = "; the guest was reset, and could not be let go"
    if world.guest_of(run).forgotten:
        left += ": nobody names it any more. "
        left += "Under its new name it may stand in `prelaunch`: send it `cont`"
    return left
