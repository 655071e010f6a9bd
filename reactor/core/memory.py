"""What the engine keeps for a restart, and how it takes it up again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from reactor.core import drops, own, trigger_life
from reactor.core.admission import LedgerRow, PolicyState, Verdict
from reactor.core.awaited import Awaited
from reactor.core.by_hand import command_of, policy_of
from reactor.core.doubts import begin_anew
from reactor.core.effect import Keep, Log
from reactor.core.facts import SETTLE_AFTER_RESTART
from reactor.core.gate import debounced_restored, forget_debounced
from reactor.core.guest import Guest, KeptGuest
from reactor.core.holds import restraint_restored
from reactor.core.inputs import Answered
from reactor.core.marks import Mark
from reactor.core.match import Debounced, Match
from reactor.core.matching import Index
from reactor.core.owed import spare_after_restart
from reactor.core.policy import Policy
from reactor.core.readiness import held_restored, held_rows
from reactor.core.refusals import forget_told
from reactor.core.run import Outcome, Phase, Role, Run
from reactor.core.runs import forget_rows
from reactor.core.sending import at_commands
from reactor.core.trigger_life import KeptRows
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
    world.awaited = Awaited()
    for program in world.programs.values():
        world.awaited.add(program)
    for name, state in world.states.items():
        if name not in index.policies:
            forget_debounced(world, name, state)
    world.near = {name: ring for name, ring in world.near.items() if name in index.policies}
    kept = ((name, ring) for name, ring in world.near_messages.items() if name in index.policies)
    world.near_messages = dict(kept)
    forget_old(world)
    for name in list(world.selections):
        guest = world.guests[name]
        world.selections[name] = index.selection(name, guest.labels)
        guest.arming = {n: a for n, a in guest.arming.items() if n in index.policies}


def forget_old(world: World) -> None:
    """Forget what ``on_limit`` said long ago, and what policies counted that are gone.

    That a day after it happened, not at once: a policy that comes back, mended,
    must not find its crash-loop breaker closed again.
    """
    for name, state in list(world.states.items()):
        forget_told(world, name, state)
        if name in world.index.policies:
            continue
        forget_rows(world, state, GONE_KEPT)
        if not (state.rows or state.told or state.open or state.debounced):
            del world.states[name]


GONE_KEPT = 86_400.0
"""Seconds for which the counts of a policy that is gone are kept."""


def _state(world: World, policy: Policy) -> PolicyState:
    """A state for this revision, with all that an earlier one has counted."""
    fresh = PolicyState.of(policy)
    known = world.states.get(policy.name)
    if known is None:
        return fresh
    # They stand as they started, and windows count admissions in their order.
    for row in sorted(known.rows.values(), key=lambda row: row.at):
        fresh.remember(row, world.values_of(row.guest, row.key))
    fresh.adopt(known)
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
        rows += [("debounce", f"{name}|{key}", row) for key, row in state.debounced.items()]
    rows += world.restraints.rows()
    for guest in world.guests.values():
        if kept := guest.kept():
            rows.append(("guest", guest.name, kept))
        rows += held_rows(guest) + own.rows(guest)
    rows += trigger_life.rows(world) + drops.rows(world)
    return [Keep(kind, key, msgspec.json.encode(value)) for kind, key, value in rows]


def restore(world: World, rows: Iterable[Keep], revisions: Mapping[str, Policy]) -> None:
    """Take up kept state; every kind has its own reader."""
    found = _Rows()
    for row in rows:
        if row.value is not None:
            _restore_row(world, found, row.kind, row.key, row.value)
    _restore_guests(world, found)
    world.timers.set("marks", world.marks.next_expiry())
    # A journal gives its rows back by key, and "9" comes after "10" there.
    for counted in sorted(found.ledger, key=lambda row: row.at):
        values = world.values_of(counted.guest, counted.key)
        world.state_of(counted.policy).remember(counted, values)
    for name, command in sorted(found.commands, key=lambda item: item[1].at):
        world.count_command(name, command)
    world.forget_commands()
    for debounced in sorted(found.debounced, key=lambda row: row.first):
        debounced_restored(world, debounced)
    for number, match in sorted(found.held, key=lambda item: item[0]):
        held_restored(world, number, match)
    found.triggers.restore(world)
    for run in sorted(found.runs, key=lambda run: (run.admitted, len(run.id), run.id)):
        _restore_run(world, run, revisions)
    forget_old(world)


@dataclass(slots=True)
class _Rows:
    """Rows that are taken up in the order of their times."""

    runs: list[Run] = field(default_factory=list)
    ledger: list[LedgerRow] = field(default_factory=list)
    commands: list[tuple[str, CommandRow]] = field(default_factory=list)
    debounced: list[Debounced] = field(default_factory=list)
    held: list[tuple[int, Match]] = field(default_factory=list)
    guests: defaultdict[str, list[tuple[str, bytes]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    triggers: KeptRows = field(default_factory=KeptRows)


def _restore_row(  # noqa: C901 - one case for each kind
    world: World, found: _Rows, kind: str, key: str, value: bytes
) -> None:
    match kind:
        case "number":
            _restore_number(world, key, msgspec.json.decode(value, type=int))
        case "run":
            found.runs.append(msgspec.json.decode(value, type=Run))
        case "mark":
            world.marks.set(msgspec.json.decode(value, type=Mark))
        case "ledger":
            found.ledger.append(msgspec.json.decode(value, type=LedgerRow))
        case "command":
            found.commands.append((key, msgspec.json.decode(value, type=CommandRow)))
        case "told":
            policy, _, told = key.partition("|")
            world.state_of(policy).told[told] = msgspec.json.decode(value, type=float)
        case "debounce":
            found.debounced.append(msgspec.json.decode(value, type=Debounced))
        case "held":
            number = int(key.rpartition("|")[2])
            found.held.append((number, msgspec.json.decode(value, type=Match)))
        case "silence" | "hold" | "inhibition":
            restraint_restored(world, kind, value)
        case _ if kind in trigger_life.KINDS:
            found.triggers.add(kind, key, value)
        case drops.KIND:
            drops.restored(world, value)
        case "guest" | own.KIND:
            found.guests[kind].append((key, value))
        case _:
            text = f"the journal holds state of an unknown kind {kind!r}; it is left alone"
            world.emit(Log("warning", text, title="engine says"))


def _restore_number(world: World, what: str, number: int) -> None:
    if what == "silence":
        world.restraints.number = number
    else:
        world.number = number


def _guest(world: World, name: str) -> Guest:
    guest = world.guests[name] = Guest(name)
    world.selections[name] = world.index.selection(name, guest.labels)
    return guest


def _restore_guests(world: World, found: _Rows) -> None:
    for name, value in found.guests["guest"]:
        kept, guest = msgspec.json.decode(value, type=KeptGuest), _guest(world, name)
        guest.epoch, guest.facts, guest.since = kept.epoch, kept.facts, kept.since
        guest.end_known, guest.seen, guest.moved = kept.end_known, kept.seen, kept.moved
        guest.again, guest.lost_reason = kept.again, kept.lost
        if kept.lost:
            world.timers.set(f"lost {name}", world.now + SETTLE_AFTER_RESTART)
        guest.ahead = {(subject, key): until for subject, key, until in kept.ahead}
    for name, value in found.guests[own.KIND]:
        own.restored(world, name, value)


def _restore_run(world: World, run: Run, revisions: Mapping[str, Policy]) -> None:
    world.runs[run.id] = run
    guest = world.guests.get(run.guest)
    if guest is None:
        guest = _guest(world, run.guest)
        guest.forgotten = True  # unless the settings name it again
    is_by_hand = bool(command_of(run.policy))
    policy = policy_of(run.origin.event) if is_by_hand else revisions.get(run.revision)
    if policy is None:
        _orphan(world, run)
        return
    world.add_program(policy)
    guest.awaited_until = world.now + SETTLE_AFTER_RESTART
    _rejoin(world, run, guest)
    cursor = run.cursor
    cursor.pending, cursor.fresh = {}, ()
    if cursor.sent and cursor.answer is None:
        # In doubt: sent, and nobody knows what became of it.
        cursor.answer = Answered(cursor.sent, lost=_RESTARTED)
    if cursor.doubt is not None:
        begin_anew(cursor.doubt, world.now)
    spare_after_restart(world, run)
    world.touch(run)
    world.wakeups.append(run.id)


def _rejoin(world: World, run: Run, guest: Guest) -> None:
    """Give the run back its turn, its slot, its hand and its ears."""
    state = world.state_of(run.policy)
    if run.role is Role.RUN:
        if not run.turn_over:
            state.enter(run.key, run.id)
        if run.phase is Phase.WAITING_SLOT:
            state.slot_line.append(run.id)
        elif run.phase not in {Phase.WAITING_TURN, Phase.WAITING_APPROVAL}:
            state.slots[run.id] = world.values_of(run.guest, run.key)
    if run.cursor.holding:
        guest.hand = run.id
        guest.own.holder_sent = True
        guest.own.dumping |= "dump" in at_commands(world, run)
    if run.cursor.armed is not None:
        guest.listeners[run.id] = None


def _orphan(world: World, run: Run) -> None:
    """A run whose policy cannot be built any more ends, and says so."""
    reason = f"its policy revision {run.revision} cannot be read any more"
    run.outcome, run.error, run.failed_step = Outcome.FAILED, reason, ""
    world.trace(run, "policy", Verdict.NOT_READY.value, reason)
    run.phase = Phase.ENDED
    world.ended.append(run.id)
    world.touch(run)
