"""Making runs and letting go of them: numbers, turns, slots, places in the limits."""

from reactor.core import command_ends
from reactor.core.admission import ROWS_KEPT, PolicyState, slot_refusal
from reactor.core.by_hand import command_of
from reactor.core.machine import advance, cancel, end_run, handler_limit
from reactor.core.nested import branch_closed
from reactor.core.ops import Section
from reactor.core.policy import Enforcement, Mode, Policy
from reactor.core.run import Cursor, Origin, Outcome, Phase, Role, Run
from reactor.core.windows import HOUR
from reactor.core.world import World

_CAPS = tuple(Enforcement)
"""The order in which the settings cap a policy."""


def enforcement_of(world: World, policy: Policy) -> Enforcement:
    """The policy's own, capped by the settings'."""
    cap = world.config.enforcement or Enforcement.ENFORCE
    return min(policy.enforcement, cap, key=_CAPS.index)


def new_run(  # noqa: PLR0913, PLR0917 - what makes a run
    world: World, policy: Policy, guest: str, key: str, origin: Origin, role: Role
) -> Run:
    """A run with a number that no other run of this journal has or will have."""
    world.number += 1
    world.keep("number", "run", world.number)
    world.add_program(policy)
    run = Run(
        id=f"{world.identity}-{world.number}",
        policy=policy.name,
        revision=policy.revision,
        guest=guest,
        key=key,
        origin=origin,
        admitted=world.now,
        epoch=world.guests[guest].life(),
        role=role,
    )
    world.runs[run.id] = run
    world.touch(run)
    return run


def start_handler(world: World, run: Run, section: Section) -> None:
    """Start a run that is nothing but a handler: no turn, no slot, no conditions."""
    program = world.program_of(run)
    run.section = section
    run.phase = Phase.RUNNING
    run.started = world.now
    run.cursor = Cursor(pc=program.starts[section])
    run.deadline = world.now + handler_limit(program, section)
    advance(world, run)


def cancel_run(world: World, run: Run, reason: str, path: str = "steps") -> None:
    """End a run as cancelled: now if it has not started, else once its command is answered.

    One that has not started gives its place back, and has no ``finally``.
    """
    if run.started is None:
        world.trace(run, path, Outcome.CANCELLED.value, reason)
        leave_unstarted(world, run, Outcome.CANCELLED, reason)
    else:
        cancel(world, run, reason)


def leave_unstarted(world: World, run: Run, outcome: Outcome, reason: str) -> None:
    """End a run that has not started: it counts for nothing any more."""
    run.outcome, run.error = outcome, reason
    state = world.state_of(run.policy)
    state.counts.remove(run.id, world.values_of(run.guest, run.key))
    state.rows.pop(run.id, None)
    world.keep_ledger(None, run.id)
    if run.id in state.slot_line:
        state.slot_line.remove(run.id)
    end_run(world, run)
    _end_turn(world, run)


def replace_run(world: World, old: Run, new: Run) -> None:
    """Mode ``restart``: cancel the old run for the new one, whose turn it will be.

    Handlers of the old one that are under way go on, and nobody waits for them.
    """
    reason = f"run {new.id} takes its place (mode restart)"
    if old.phase in {Phase.HANDLING, Phase.ENDED}:
        turn_over(world, old)
    else:
        cancel_run(world, old, reason, "mode")


def turn_over(world: World, run: Run) -> None:
    """The next run of the key may begin, although this one's ``finally`` may go on."""
    run.turn_over = True
    world.touch(run)
    _end_turn(world, run)


def steps_given_up(world: World, run: Run) -> None:
    """A cancelled run's steps are abandoned; in mode ``restart`` its turn is over."""
    if world.program_of(run).policy.mode is Mode.RESTART:
        turn_over(world, run)


def _end_turn(world: World, run: Run) -> None:
    following = world.state_of(run.policy).leave(run.key, run.id)
    if following is not None:
        world.wakeups.append(following)


def wake_first(world: World, state: PolicyState) -> None:
    """Let the run go that has waited longest; who could not go now holds nobody up.

    One place that became free lets one run go, which then looks for the next.
    """
    for run_id in state.slot_line:
        run = world.runs[run_id]
        policy = world.program_of(run).policy
        if slot_refusal(policy, state, world.values_of(run.guest, run.key)) is None:
            world.wakeups.append(run_id)
            return


def closed(world: World, run: Run) -> None:
    """After a run's end: tell the world, and let the next one have its turn."""
    del world.runs[run.id]
    world.touch(run)
    if run.role is Role.BRANCH:
        branch_closed(world, run)
    if run.role in {Role.ARM, Role.BRANCH}:
        return
    world.tell_run(run)
    if command_of(run.policy):
        command_ends.ended(world, run)
    elif run.outcome in {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN}:
        data = {
            "policy": run.policy,
            "run": run.id,
            "step": run.failed_step,
            "error": run.error,
            "outcome": run.outcome.value,
        }
        world.happen("REACTOR_RUN_FAILED", run.guest, data)
    if run.role is Role.RUN:
        _next_turn(world, run)


def _next_turn(world: World, run: Run) -> None:
    state = world.state_of(run.policy)
    _end_turn(world, run)
    if state.slots.pop(run.id, None) is not None:
        wake_first(world, state)


def forget_rows(world: World, state: PolicyState, needed: float) -> None:
    """Drop the ledger rows that no window, cooldown or count of an hour needs.

    Also that of a run which is still open: one that has yet to start writes its row anew then.

    Args:
        needed: seconds for which each is needed, however many they are.
    """
    while state.rows:
        run_id, row = next(iter(state.rows.items()))
        age = world.now - max(row.at, row.started or 0.0)
        if age < needed or (age < HOUR and len(state.rows) < ROWS_KEPT):
            return
        del state.rows[run_id]
        world.keep_ledger(None, run_id)
