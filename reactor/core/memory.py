"""What the engine keeps for a restart, and how it takes it up again."""

from collections import deque
from collections.abc import Iterable, Mapping

import msgspec

from reactor.core.admission import LedgerRow, PolicyState, Verdict
from reactor.core.effect import Keep, Log
from reactor.core.facts import SETTLE_AFTER_RESTART
from reactor.core.guest import Guest, KeptGuest
from reactor.core.inputs import Answered
from reactor.core.marks import Mark
from reactor.core.matching import Index
from reactor.core.policy import Policy
from reactor.core.run import Outcome, Phase, Role, Run
from reactor.core.windows import WindowCounts
from reactor.core.world import CommandRow, World

_RESTARTED = "the daemon was restarted before the answer came"


def adopt_policies(world: World, index: Index) -> None:
    """Make these the loaded policies; forget programs that no run needs."""
    world.index = index
    for policy in index.policies.values():
        world.add_program(policy)
        world.states[policy.name] = _state(world, policy)
    needed = {policy.revision for policy in index.policies.values()}
    needed.update(run.revision for run in world.runs.values())
    world.programs = {rev: prog for rev, prog in world.programs.items() if rev in needed}
    busy = {run.policy for run in world.runs.values()} | set(index.policies)
    world.states = {name: state for name, state in world.states.items() if name in busy}
    for name in list(world.selections):
        guest = world.guests[name]
        world.selections[name] = index.selection(name, guest.labels)
        guest.arming = {n: a for n, a in guest.arming.items() if n in index.policies}


def _state(world: World, policy: Policy) -> PolicyState:
    """A state for this revision, with all that an earlier one has counted."""
    fresh = PolicyState.of(policy)
    known = world.states.get(policy.name)
    if known is None:
        return fresh
    for row in known.rows.values():
        fresh.remember(row, world.values_of(row.guest, row.key))
    fresh.open, fresh.slots = known.open, known.slots
    fresh.slot_line, fresh.told = known.slot_line, known.told
    return fresh


def fold(world: World) -> list[Keep]:
    """Every ``Keep`` that now stands."""
    rows: list[tuple[str, str, object]] = []
    if world.number:
        rows.append(("number", "run", world.number))
    rows += [("run", r.id, r) for r in world.runs.values() if r.role is not Role.ARM]
    rows += [("mark", mark.key, mark) for mark in world.marks]
    rows += [("command", name, row) for name, row in world.command_rows.items()]
    for name, state in world.states.items():
        rows += [("ledger", row.run, row) for row in state.rows.values()]
        rows += [("told", f"{name}|{key}", until) for key, until in state.told.items()]
    for guest in world.guests.values():
        if guest.epoch:
            facts = msgspec.structs.replace(guest.facts, status=guest.status, dump=guest.dump)
            rows.append(("guest", guest.name, KeptGuest(guest.epoch, facts, guest.since)))
    return [Keep(kind, key, msgspec.json.encode(value)) for kind, key, value in rows]


def restore(  # noqa: C901 - one case for each kind
    world: World, rows: Iterable[Keep], revisions: Mapping[str, Policy]
) -> None:
    """Take up kept state; every kind has its own reader."""
    runs: list[Run] = []
    for row in rows:
        if row.value is None:
            continue
        match row.kind:
            case "number":
                world.number = msgspec.json.decode(row.value, type=int)
            case "run":
                runs.append(msgspec.json.decode(row.value, type=Run))
            case "mark":
                world.marks.set(msgspec.json.decode(row.value, type=Mark))
            case "ledger":
                _restore_ledger(world, msgspec.json.decode(row.value, type=LedgerRow))
            case "command":
                _restore_command(world, row.key, msgspec.json.decode(row.value, type=CommandRow))
            case "told":
                policy, _, key = row.key.partition("|")
                world.state_of(policy).told[key] = msgspec.json.decode(row.value, type=float)
            case "guest":
                _restore_guest(world, row.key, msgspec.json.decode(row.value, type=KeptGuest))
            case _:
                text = f"the journal holds state of an unknown kind {row.kind!r}; it is left alone"
                world.emit(Log("warning", text))
    world.timers.set("marks", world.marks.next_expiry())
    for run in sorted(runs, key=lambda run: (run.admitted, len(run.id), run.id)):
        _restore_run(world, run, revisions)


def _restore_ledger(world: World, row: LedgerRow) -> None:
    world.state_of(row.policy).remember(row, world.values_of(row.guest, row.key))


def _restore_command(world: World, name: str, row: CommandRow) -> None:
    world.command_rows[name] = row
    counts = world.commands.setdefault(
        row.kind, WindowCounts(world.config.limits.get(row.kind, ()))
    )
    counts.add(name, world.values_of(row.guest, row.guest), row.at)


def _restore_guest(world: World, name: str, kept: KeptGuest) -> None:
    guest = world.guests.get(name)
    if guest is None:
        guest = world.guests[name] = Guest(name)
        world.selections[name] = world.index.selection(name, {})
    guest.epoch, guest.facts, guest.since = kept.epoch, kept.facts, kept.since


def _restore_run(world: World, run: Run, revisions: Mapping[str, Policy]) -> None:
    world.runs[run.id] = run
    policy = revisions.get(run.revision)
    if policy is None:
        _orphan(world, run)
        return
    world.add_program(policy)
    guest = world.guest_of(run)
    if guest.name not in world.selections:
        world.selections[guest.name] = world.index.selection(guest.name, guest.labels)
    guest.awaited_until = world.now + SETTLE_AFTER_RESTART
    _rejoin(world, run, guest)
    cursor = run.cursor
    cursor.pending, cursor.fresh = {}, set()
    if cursor.sent and cursor.answer is None:
        # In doubt: sent, and nobody knows what became of it.
        cursor.answer = Answered(cursor.sent, lost=_RESTARTED)
    world.touch(run)
    world.wakeups.append(run.id)


def _rejoin(world: World, run: Run, guest: Guest) -> None:
    """Give the run back its turn, its slot, its hand and its ears."""
    state = world.state_of(run.policy)
    if run.role is Role.RUN:
        state.open.setdefault(run.key, deque()).append(run.id)
        if run.phase is Phase.WAITING_SLOT:
            state.slot_line.append(run.id)
        elif run.phase is not Phase.WAITING_TURN:
            state.slots[run.id] = world.values_of(run.guest, run.key)
    if run.cursor.holding:
        guest.hand = run.id
        guest.own.holder_sent = True
    if run.cursor.armed is not None:
        guest.listeners.add(run.id)


def _orphan(world: World, run: Run) -> None:
    """A run whose policy cannot be built any more ends, and says so."""
    reason = f"its policy revision {run.revision} cannot be read any more"
    run.outcome, run.error, run.failed_step = Outcome.FAILED, reason, ""
    world.trace(run, "policy", Verdict.NOT_READY.value, reason)
    run.phase = Phase.ENDED
    world.ended.append(run.id)
    world.touch(run)
