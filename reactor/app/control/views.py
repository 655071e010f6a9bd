"""The engine's state as operators look at it: read in one go, never changed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice

from reactor.app.control.answers import (
    DaemonLine,
    GuestLine,
    NotReady,
    PolicyLine,
    RunLine,
    Status,
)
from reactor.app.control.readiness import lack_lines, not_ready, waiting_lines
from reactor.app.lacks.judge import Judge
from reactor.core.guest import Guest
from reactor.core.holds import held, hold_sentence
from reactor.core.marks import Mark
from reactor.core.restraints import Silence
from reactor.core.run import Phase, Role, Run
from reactor.core.runs import enforcement_of
from reactor.core.world import World

SHOWN = 200
"""Rows of each list of the status."""

AWAY = "the guest's monitor is away"

_PEOPLES = frozenset({Role.RUN, Role.ON_LIMIT})


def status(world: World, daemon: DaemonLine, troubles: Mapping[str, str], judge: Judge) -> Status:
    """How everything stands at ``world.now``.

    Args:
        troubles: why monitors cannot be used, by guest.
        judge: knows what policies lack.
    """
    known = [guest for guest in world.guests.values() if not guest.forgotten]
    open_runs = _open_runs(world)
    away = (guest for guest in known if not guest.connected)
    waiting = waiting_lines(world, known)
    lacks = lack_lines(world, known, judge)
    marks = sorted(world.marks, key=lambda mark: mark.key)
    restraints = world.restraints
    return Status(
        daemon=daemon,
        guests=len(known),
        connected=sum(guest.connected for guest in known),
        away=_lines(world, islice(away, SHOWN), troubles, judge),
        policies=_policies(world, known, open_runs, waiting)[:SHOWN],
        not_ready=waiting[:SHOWN],
        not_ready_count=len(waiting),
        lacks=lacks[:SHOWN],
        lack_count=len(lacks),
        runs=[run_line(world, run) for run in open_runs[:SHOWN]],
        run_count=len(open_runs),
        marks=marks[:SHOWN],
        mark_count=len(marks),
        holds=list(islice(restraints.holds.values(), SHOWN)),
        silences=silences(world)[:SHOWN],
        inhibitions=list(islice(restraints.inhibitions.values(), SHOWN)),
    )


def guests(world: World, troubles: Mapping[str, str], judge: Judge) -> list[GuestLine]:
    """Every guest that is named or found, by name."""
    known = sorted(world.guests.values(), key=lambda guest: guest.name)
    return _lines(world, (guest for guest in known if not guest.forgotten), troubles, judge)


def _lines(
    world: World, shown: Iterable[Guest], troubles: Mapping[str, str], judge: Judge
) -> list[GuestLine]:
    runs = Counter(run.guest for run in _open_runs(world))
    return [_line(world, guest, runs[guest.name], troubles, judge) for guest in shown]


def _line(
    world: World, guest: Guest, runs: int, troubles: Mapping[str, str], judge: Judge
) -> GuestLine:
    reason = troubles.get(guest.name) or guest.lost_reason
    return GuestLine(
        guest=guest.name,
        connected=guest.connected,
        status=guest.status,
        since=guest.since,
        kind=guest.facts.kind,
        qemu=guest.facts.qemu_version,
        labels=guest.labels,
        marks=len(world.marks.of(guest.name)),
        runs=runs,
        policies=len(world.selections[guest.name].policies),
        not_ready=len(not_ready(world, guest)),
        lacking=judge.of_guest(world, guest).policies,
        hold=held(world, guest.name),
        trouble="" if guest.connected else reason,
    )


def marks(world: World, guest: str) -> list[Mark]:
    """The marks of one guest, or of all."""
    found = world.marks.of(guest) if guest else list(world.marks)
    return sorted(found, key=lambda mark: mark.key)


def silences(world: World) -> list[Silence]:
    """Those that stand, the one that ends first in front."""
    standing = [one for one in world.restraints.silences.values() if one.until > world.now]
    return sorted(standing, key=lambda silence: silence.until)


def run_line(world: World, run: Run) -> RunLine:
    """One open run."""
    return RunLine(
        run=run.id,
        policy=run.policy,
        guest=run.guest,
        state=run.phase.value,
        outcome=run.outcome.value if run.outcome else "",
        reason=run.cancelled or run.error or _holdup(world, run),
        admitted=run.admitted,
        started=run.started,
        role=run.role.value,
    )


def _holdup(world: World, run: Run) -> str:
    """What an open run waits for that somebody else decides."""
    match run.phase:
        case Phase.WAITING_APPROVAL:
            return run.ask
        case Phase.RUNNING | Phase.HANDLING:
            hold = world.restraints.hold(run.guest, world.now)
            if hold is not None:
                return hold_sentence(hold)
            guest = world.guests.get(run.guest)
            return AWAY if guest is not None and not guest.connected else ""
        case Phase.WAITING_TURN | Phase.WAITING_SLOT | Phase.CHECKING | Phase.ENDED:
            return ""


def _open_runs(world: World) -> list[Run]:
    found = [run for run in world.runs.values() if run.role in _PEOPLES and run.is_open]
    return sorted(found, key=lambda run: (run.admitted, len(run.id), run.id))


def _policies(
    world: World, known: Iterable[Guest], open_runs: Iterable[Run], waiting: Iterable[NotReady]
) -> list[PolicyLine]:
    selected: Counter[str] = Counter()
    # Guests share their selections: most of 1,000 guests have the same one.
    shared = Counter(id(world.selections[guest.name]) for guest in known)
    by_id = {id(selection): selection for selection in world.selections.values()}
    for key, count in shared.items():
        for policy in by_id[key].policies:
            selected[policy.name] += count
    lacking = Counter(row.policy for row in waiting)
    runs = Counter(run.policy for run in open_runs)
    lines = [
        PolicyLine(
            policy=name,
            enforcement=enforcement_of(world, policy).value,
            guests=selected[name],
            ready=selected[name] - lacking[name],
            runs=runs[name],
        )
        for name, policy in world.index.policies.items()
    ]
    return sorted(lines, key=lambda line: (line.ready == line.guests, line.policy))
